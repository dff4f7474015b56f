//! Bytes as scripts of mutations of valid participations, registrations and declarations, which are then verified: see
//! `tests/mutator/mod.rs`.

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

libfuzzer_sys::fuzz_target!(|script: &[u8]| {
    let Some((curve, script)) = script.split_first() else { return };
    TARGETS.with_borrow_mut(|(ristretto, secp256k1, ed25519)| match curve % 3 {
        0 => ristretto.scripted(script, 2),
        1 => secp256k1.scripted(script, 2),
        _ => ed25519.scripted(script, 2),
    });
});
