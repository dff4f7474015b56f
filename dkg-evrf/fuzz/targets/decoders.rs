//! Any bytes for every decoder, on all three curves: see `tests/mutator/decoders.rs`.

#![no_main]
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../../tests/mutator/mod.rs"]
mod mutator;

use std::cell::RefCell;

use dkg_evrf::{Ed25519, Ristretto, Secp256k1};
use mutator::Target;

thread_local! {
    static TARGETS: RefCell<(Target<Ristretto>, Target<Secp256k1>, Target<Ed25519>)> =
        RefCell::new((Target::new(0), Target::new(0), Target::new(0)));
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    TARGETS.with_borrow(|(ristretto, secp256k1, ed25519)| {
        ristretto.decode(bytes);
        secp256k1.decode(bytes);
        ed25519.decode(bytes);
    });
});
