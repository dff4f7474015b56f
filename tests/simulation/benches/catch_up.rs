//! How fast a coordinator which was away handles what it missed: `cargo bench -p simulation --bench catch_up`.
//!
//! Blocks of the base chain and of one tributary of four validators, by the real rules over a store in memory. The first
//! argument is the number of blocks of each chain; 10,000 if there is none. The history is made first, which takes longer.
//! It fails if the coordinator says what nobody needs any more, or if the others go on at less than half their pace meanwhile.

#![allow(clippy::print_stdout, missing_docs, reason = "a bench")]

use std::time::Instant;

use simulation::{catch_up::CatchUp, faults::Profile, run::Options};

fn main() -> Result<(), String> {
    let blocks = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(10_000);
    let start = Instant::now();
    let mut away = CatchUp::away_for(&Options::of(Profile::Default), blocks)?;
    let made = start.elapsed();
    let (base, tributary) = (away.base_blocks, away.tributary_blocks);
    println!("made {base} blocks of the base chain and {tributary} of the tributary in {} s", made.as_secs());
    let start = Instant::now();
    let meanwhile = away.come_back(100_000)?;
    let took = start.elapsed();
    let rate = u128::from(base + tributary) * 1_000 / took.as_millis().max(1);
    println!(
        "caught up in {} ms: {rate} blocks a second; {} s of virtual time",
        took.as_millis(),
        meanwhile.ms / 1_000
    );
    println!("the others: {:?}, and meanwhile {meanwhile:?}", away.before);
    let stale = away.stale();
    assert!(stale.is_empty(), "it made signing data which nobody needs any more, for batches {stale:?}");
    assert!(
        meanwhile.is_half_of(&away.before),
        "the others went on at less than half their pace: {meanwhile:?} after {:?}",
        away.before
    );
    Ok(())
}
