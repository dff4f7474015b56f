//! Each deliberate fault is caught. A process of its own, as one mutation at a time is in force for all of it.
#![cfg(feature = "mutations")]
#![allow(clippy::unwrap_used, reason = "tests")]

use mutation::Mutation;
use simulation::{
    manner::Manner,
    mutations::{catch, profile, seed},
    run::{Options, run},
};

/// Liars come in turn, so a seed which shows one is followed by another after so many.
const TURNS: u64 = Manner::LIARS.len() as u64;
/// How often it is looked for.
const TRIES: u64 = 3;

/// At the seed which the table of `spec/simulation.md` names, or one alike: `--mutations` tries all from the first.
#[test]
fn every_deliberate_fault_is_caught() {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        mutation::set(Some(*mutation));
        let caught = catch(*mutation, TRIES, |profile, tries| {
            let seeds = (0..tries).map(|turn| seed(*mutation) + turn * TURNS);
            let outcomes = seeds.map(|seed| run(&Options::of(profile), seed));
            outcomes.into_iter().find(|outcome| !outcome.violations.is_empty()).into_iter().collect()
        });
        if caught.is_none() {
            missed.push((mutation.name(), profile(*mutation)));
        }
    }
    mutation::set(None);
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
