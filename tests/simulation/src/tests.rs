#![allow(clippy::unwrap_used, reason = "tests")]

use crate::{
    faults::{Faults, Manner, Profile},
    run::{Outcome, run, run_with, traced},
    setting::Shape,
};

/// Seeds of each profile here; `cargo run -p simulation` runs as many as one likes.
const SEEDS: u64 = 24;

fn assert_holds(outcome: &Outcome) {
    assert_eq!(outcome.violations, Vec::<String>::new(), "seed {}: {:#?}", outcome.seed, outcome.state);
}

fn four(networks: usize) -> Shape {
    Shape { weights: vec![1, 1, 1, 1], networks }
}

#[test]
fn without_faults_everything_completes_at_once() {
    let outcome = run_with(&four(2), Faults::none(4), 1, false);
    assert_holds(&outcome);
    assert!(outcome.recovery_seconds < 30.0, "{}", outcome.recovery_seconds);
}

/// What the first run of each profile found is in `coordinator_core`'s tests by name.
#[test]
fn every_rule_holds_under_the_default_faults() {
    (0..SEEDS).for_each(|seed| assert_holds(&run(Profile::Default, seed)));
}

#[test]
fn every_rule_holds_with_liars() {
    (0..SEEDS).for_each(|seed| assert_holds(&run(Profile::Byzantine, seed)));
}

#[test]
fn every_rule_holds_under_crashes() {
    let crashes: u64 = (0..SEEDS)
        .map(|seed| {
            let outcome = run(Profile::Crash, seed);
            assert_holds(&outcome);
            outcome.counts.crashes
        })
        .sum();
    assert!(crashes > 100, "{crashes} crashes");
}

#[test]
fn a_seed_is_a_run_and_tracing_does_not_change_it() {
    for seed in 3..6 {
        let once = run(Profile::Default, seed);
        let again = traced(Profile::Default, seed, true);
        assert_eq!(once.hash, again.hash);
        assert!(!again.trace.is_empty() && once.trace.is_empty());
        assert_ne!(once.hash, run(Profile::Default, seed + 4).hash);
    }
}

/// The oracle is worth something: with two of four validators silent nothing can complete, and it says so.
#[test]
fn what_cannot_complete_is_reported_with_everybody_s_state() {
    let mut faults = Faults::none(4);
    faults.manners = vec![Manner::Silent, Manner::Silent, Manner::Honest, Manner::Honest];
    let outcome = run_with(&four(1), faults, 1, false);
    assert!(outcome.violations.iter().any(|what| what.contains("not complete")), "{:?}", outcome.violations);
    assert!(!outcome.state.is_empty());
}
