//! Mutates valid participations for a stated time: `cargo run --release -p dkg-evrf --example fuzz -- [seconds] [seed]`.
//!
//! The default is 60 seconds and seed 0. Each round mutates 64 participations for each curve, verifies them in one batch with an honest
//! one, and feeds noise to every decoder; it panics on a finding. The seed and the number of rounds give the same run again.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../tests/mutator/mod.rs"]
mod mutator;

use std::time::{Duration, Instant};

use dkg_evrf::{Ed25519, Ristretto, Secp256k1};
use mutator::Target;

const MUTANTS: usize = 64;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap());
    let (seconds, seed) = (arguments.next().unwrap_or(60), arguments.next().unwrap_or(0));
    let mut ristretto = Target::<Ristretto>::new(seed);
    let mut secp256k1 = Target::<Secp256k1>::new(seed);
    let mut ed25519 = Target::<Ed25519>::new(seed);
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < Duration::from_secs(seconds) {
        ristretto.round(MUTANTS);
        secp256k1.round(MUTANTS);
        ed25519.round(MUTANTS);
        rounds += 1;
    }
    println!("{rounds} rounds of 3 x {MUTANTS} mutants in {seconds} s, seed {seed}: no finding");
}
