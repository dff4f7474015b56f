//! Each deliberate fault is caught. A process of its own, as one mutation at a time is in force for all of it.
#![cfg(feature = "mutations")]
#![allow(clippy::unwrap_used, reason = "tests")]

use mutation::Mutation;
use simulation::{
    faults::Profile,
    mutations::{catch, profile},
    run::{Options, Outcome, run},
};

/// Those which need more seeds than a test has time for; `--mutations` tries them all.
const RARE: [Mutation; 1] = [Mutation::FeedBeforeVerification];
/// Seeds tried here.
const SEEDS: u64 = 24;

fn until_caught(profile: Profile, seeds: u64) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for seed in 0..seeds {
        outcomes.push(run(&Options::of(profile), seed));
        if outcomes.last().is_some_and(|outcome| !outcome.violations.is_empty()) {
            break;
        }
    }
    outcomes
}

#[test]
fn every_deliberate_fault_is_caught() {
    let soon = |mutation: &&Mutation| !RARE.contains(mutation) && profile(**mutation) != Profile::Rotation;
    let mut missed = Vec::new();
    for mutation in Mutation::ALL.iter().filter(soon) {
        mutation::set(Some(*mutation));
        if catch(*mutation, SEEDS, until_caught).is_none() {
            missed.push(mutation.name());
        }
    }
    mutation::set(None);
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
