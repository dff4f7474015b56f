#![allow(clippy::unwrap_used, reason = "tests")]

use coordinator_core::{Notice, notice::Event, session::slash::Cause};
use processor_messages::{Slash, TributaryBlock, Validator};

use crate::{
    catch_up::CatchUp,
    faults::{Faults, Kind, Profile},
    manner::Manner,
    oracle::Oracle,
    report::{self, TRACE_LINES},
    run::{Options, Outcome, run, run_with},
    setting::{KeyGeneration, Setting, Shape},
};

/// Seeds of each profile here; `cargo run -p simulation` runs as many as one likes.
const SEEDS: u64 = 16;

fn assert_holds(outcome: &Outcome) {
    assert_eq!(outcome.violations, Vec::<String>::new(), "seed {}: {:#?}", outcome.seed, outcome.state);
}

fn default() -> Options {
    Options::of(Profile::Default)
}

#[test]
fn without_faults_everything_completes_at_once() {
    let outcome = run_with(&default(), &Shape::lasting(&[1, 1, 1, 1], 2), Faults::none(4), 1);
    assert_holds(&outcome);
    assert!(outcome.recovery_blocks < 30, "{}", outcome.recovery_blocks);
}

/// `SIGN-14`: nobody who runs as it should has points, neither in previews nor in applied reports; nor if messages are late,
/// and somebody lies. Whom nothing excuses, the oracle does not excuse.
#[test]
fn without_faults_which_explain_them_nobody_honest_has_points() {
    let quiet = [Kind::Delay, Kind::Reordering, Kind::Duplication, Kind::Skew, Kind::TornTail, Kind::Liar];
    for seed in 0..4 {
        let options = Options { only: quiet.to_vec(), ..Options::of(Profile::Byzantine) };
        assert_holds(&run(&options, seed));
    }
    let (honest, liar) = (Validator([1; 32]), Validator([2; 32]));
    let setting = Setting::of(&Shape::lasting(&[1, 1, 1, 1], 1), KeyGeneration::Dealt);
    let mut oracle = Oracle::of(setting, vec![honest]);
    oracle.slashed(&"a report", liar, Slash::Fatal);
    oracle.slashed(&"a report", honest, Slash::Points(0));
    assert_eq!(oracle.violations.len(), 0);
    for cause in [Cause::MissedShare, Cause::MissedVotes] {
        let event = Event::Slashed { validator: honest, cause, block: TributaryBlock(1) };
        let before = oracle.violations.len();
        oracle.notice(liar, &Notice::of_chain(event));
        oracle.slashed(&"a report", honest, Slash::Points(1));
        assert_eq!(oracle.violations.len(), before + 2, "{cause:?}");
    }
    let before = oracle.violations.len();
    oracle.excuse(honest);
    oracle.slashed(&"a report", honest, Slash::Points(1));
    assert_eq!(oracle.violations.len(), before);
    oracle.slashed(&"a report", honest, Slash::Fatal);
    assert_eq!(oracle.violations.len(), before + 1);
}

/// What the first run of each profile found is in `coordinator_core`'s tests by name.
#[test]
fn every_rule_holds_under_the_default_faults() {
    (0..SEEDS).for_each(|seed| assert_holds(&run(&default(), seed)));
}

#[test]
fn every_rule_holds_with_liars() {
    (0..SEEDS).for_each(|seed| assert_holds(&run(&Options::of(Profile::Byzantine), seed)));
}

#[test]
fn every_rule_holds_under_crashes() {
    let crashes: u64 = (0..SEEDS)
        .map(|seed| {
            let outcome = run(&Options::of(Profile::Crash), seed);
            assert_holds(&outcome);
            outcome.counts.of(Kind::Crash)
        })
        .sum();
    assert!(crashes > 50, "{crashes} crashes");
}

/// An equivocator's own base-chain node hears what was signed with its key besides, and halts itself: the others go on.
#[test]
fn a_liar_whose_node_halts_itself_violates_nothing() {
    for seed in [629, 989] {
        assert_holds(&run(&Options::of(Profile::Crash), seed));
    }
}

/// Two rotations in a row: newcomers are three of four, leavers come back; what ended is retired, archived and pruned. Members
/// of the last have several key shares.
#[test]
fn every_rule_holds_over_two_rotations() {
    (0..3).for_each(|seed| {
        let outcome = run(&Options::of(Profile::Rotation), seed);
        assert_holds(&outcome);
        assert_eq!(outcome.weights.contains(&3), seed == 2, "seed {seed}: {:?}", outcome.weights);
    });
}

/// `SIGN-20`: a retiring set reports, if nothing prevents it, and its report is applied before the deadline.
#[test]
fn every_retired_set_has_reported() {
    let shape = Shape::rotating(2);
    let outcome = run_with(&Options::of(Profile::Rotation), &shape, Faults::none(shape.weights.len()), 1);
    assert_holds(&outcome);
    assert_eq!(outcome.reports, 4, "two sets of two networks");
}

#[test]
fn a_seed_is_a_run_and_tracing_does_not_change_it() {
    for seed in 3..6 {
        let once = run(&default(), seed);
        let again = run(&default().traced(), seed);
        assert_eq!(once.hash, again.hash);
        assert!(!again.trace.is_empty() && once.trace.is_empty());
        assert_ne!(once.hash, run(&default(), seed + 4).hash);
    }
}

/// The oracle is worth something: with two of four validators silent nothing can complete, and it says so.
#[test]
fn what_cannot_complete_is_reported_with_everybody_s_state() {
    let mut faults = Faults::none(4);
    faults.manners = vec![Manner::Silent, Manner::Silent, Manner::Honest, Manner::Honest];
    let outcome = run_with(&default(), &Shape::lasting(&[1, 1, 1, 1], 1), faults, 1);
    assert!(outcome.violations.iter().any(|what| what.contains("not complete")), "{:?}", outcome.violations);
    assert!(!outcome.state.is_empty());
}

#[test]
fn of_a_failing_run_the_end_of_the_trace_is_told_with_the_state_and_the_replay_command() {
    let faults = Faults::none(4);
    let outcome = run_with(&default(), &Shape::lasting(&[1, 1, 1, 1], 1), faults, 1);
    let trace: Vec<_> = (0..TRACE_LINES + 5).map(|line| line.to_string()).collect();
    let (violations, state) = (vec!["what cannot be".to_owned()], vec!["where everybody stood".to_owned()]);
    let failed = Outcome { violations, state, trace, ..outcome };
    let end = report::end(&failed);
    assert_eq!(end[0], "the trace of seed 1: 205 lines, of which 5 are left out");
    assert_eq!(end[1..=TRACE_LINES], failed.trace[5..]);
    assert_eq!(end[TRACE_LINES + 1], "where everybody stood");
    let again = "  again: cargo run --release -p simulation -- --profile default --replay 1";
    assert_eq!(report::violations(&default(), &failed), ["seed 1: what cannot be", again]);
    assert_eq!(report::failing(&[failed]).count(), 1);
}

#[test]
fn a_replay_command_has_every_option_of_the_run() {
    let (only, without) = (vec![Kind::OneWay, Kind::Crash], vec![Kind::Liar]);
    let profile = Options::of(Profile::Rotation);
    let options = Options { only, without, key_generation: KeyGeneration::Real, ..profile };
    let again = report::replay_command(&options, 7);
    let arguments = "--profile rotation --replay 7 --only one-way,crash --without liar --real-dkg";
    assert_eq!(again, format!("cargo run --release -p simulation -- {arguments}"));
}

/// Each liar alone, in a network without other faults: everything completes nevertheless, while it goes on.
#[test]
fn no_liar_below_a_third_harms_anybody() {
    for manner in Manner::LIARS {
        let mut faults = Faults::none(4);
        (faults.until, faults.lies_until) = (25 * crate::time::SECOND, crate::time::Time::MAX);
        match manner {
            Manner::NonMember => faults.stranger = true,
            manner => faults.manners[1] = manner,
        }
        let outcome = run_with(&default(), &Shape::lasting(&[1, 1, 1, 1], 1), faults, 5);
        assert_eq!(outcome.violations, Vec::<String>::new(), "{manner:?}: {:#?}", outcome.state);
        let lies = outcome.counts.lies.get(&manner).copied().unwrap_or_default();
        assert!(lies > 0 || manner == Manner::Silent, "{manner:?} did not lie");
    }
}

/// The group key on the base chain is the one which follows from the participations on the tributary.
#[test]
fn a_key_by_the_real_key_generation_follows_from_the_participations() {
    let options = Options { key_generation: KeyGeneration::Real, ..default() };
    let outcome = run_with(&options, &Shape::lasting(&[1, 1, 1, 1], 1), Faults::none(4), 1);
    assert_holds(&outcome);
}

/// A participation whose proof does not hold is blamed by all, and the set has keys without its dealer, who lies alone.
#[test]
fn who_deals_a_false_proof_is_slashed_and_the_others_have_keys() {
    let options = Options { key_generation: KeyGeneration::Real, ..default() };
    let mut faults = Faults::none(4);
    faults.manners[1] = Manner::BadShareDealer;
    let outcome = run_with(&options.traced(), &Shape::lasting(&[1, 1, 1, 1], 1), faults, 1);
    assert_holds(&outcome);
    assert_eq!(outcome.counts.lies.get(&Manner::BadShareDealer), Some(&1));
    let slashed = outcome.trace.iter().filter(|line| line.contains("InvalidParticipation"));
    assert!(slashed.count() >= 3, "{:#?}", outcome.trace);
}

/// Of each profile a shape of several key shares and one of single ones.
#[test]
fn every_rule_holds_with_the_real_key_generation_under_faults() {
    for profile in [Profile::Byzantine, Profile::Crash] {
        for seed in [1, 2] {
            let options = Options { key_generation: KeyGeneration::Real, ..Options::of(profile) };
            let outcome = run(&options, seed);
            assert_holds(&outcome);
            assert_eq!(outcome.weights.contains(&2), seed == 2, "seed {seed}: {:?}", outcome.weights);
        }
    }
}

#[test]
fn a_kind_of_fault_can_be_switched_off_and_be_alone() {
    let only = Options { only: vec![Kind::Crash], ..Options::of(Profile::Crash) };
    let outcome = run(&only, 3);
    assert_holds(&outcome);
    assert!(outcome.counts.faults.keys().all(|kind| *kind == Kind::Crash), "{:?}", outcome.counts);
    let without = Options { without: vec![Kind::Crash, Kind::Liar], ..Options::of(Profile::Crash) };
    let outcome = run(&without, 3);
    assert_holds(&outcome);
    assert_eq!((outcome.counts.of(Kind::Crash), outcome.counts.of(Kind::Liar)), (0, 0));
}

/// `SIGN-24`: who was away handles what it missed, harms nobody meanwhile, and does nothing that is no longer due.
#[test]
fn a_coordinator_which_was_away_catches_up_and_says_nothing_stale() {
    let mut away = CatchUp::away_for(&default(), 300).unwrap();
    let meanwhile = away.come_back(60).unwrap();
    assert!(meanwhile.is_half_of(&away.before), "{meanwhile:?} after {:?}", away.before);
    assert_eq!(away.stale(), [], "signing data which nobody needs any more");
}
