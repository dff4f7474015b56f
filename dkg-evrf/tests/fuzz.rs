//! A short run of what `examples/fuzz.rs` runs for as long as it is told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod mutator;

use dkg_evrf::{Ed25519, Ristretto, Secp256k1};
use mutator::Target;

/// EVRF-1, EVRF-9, EVRF-10, CURVE-5, CURVE-12, GBP-6: 120 mutants of participations for each curve, with mutants of registrations and
/// declarations, and noise for every decoder.
#[test]
fn evrf_10_no_mutant_of_a_participation_is_valid() {
    for seed in 0..2 {
        Target::<Ristretto>::new(seed).round(60);
        Target::<Secp256k1>::new(seed).round(60);
        Target::<Ed25519>::new(seed).round(60);
    }
}

/// EVRF-10: what a fuzzer's script does, of any length.
#[test]
fn evrf_10_scripts_of_mutations_find_nothing() {
    let mut target = Target::<Ristretto>::new(0);
    for len in [0, 1, 7, 64, 400] {
        let script = (0..len).map(|i: usize| u8::try_from(i * 37 % 251).unwrap()).collect::<Vec<_>>();
        target.scripted(&script, 4);
    }
}
