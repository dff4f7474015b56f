//! A short run of what `examples/fuzz.rs` runs for as long as it is told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod mutator;

use dkg_evrf::{Ed25519, Ristretto, Secp256k1};
use mutator::Target;

/// EVRF-9, EVRF-10: 120 mutants for each curve.
#[test]
fn evrf_10_no_mutant_of_a_participation_is_valid() {
    for seed in 0..2 {
        Target::<Ristretto>::new(seed).round(60);
        Target::<Secp256k1>::new(seed).round(60);
        Target::<Ed25519>::new(seed).round(60);
    }
}
