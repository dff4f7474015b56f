use proptest::prelude::*;

use super::*;

fn rules(weights: &[u16], threshold: u16, grace: u32) -> Rules {
    Rules { weights: weights.to_vec(), threshold, grace }
}

fn first(block: u64, member: u16, valid: bool) -> First {
    First { block: TributaryBlock(block), member, valid: Some(valid) }
}

fn decide(rules: &Rules, firsts: &[First], through: u64) -> Collection {
    collection(rules, firsts, TributaryBlock(through))
}

fn closed(at: u64, dealers: &[u16]) -> Collection {
    Collection::Closed { at: TributaryBlock(at), dealers: dealers.to_vec() }
}

const FOUR: [u16; 4] = [1; 4];

/// `PROC-3`, first case.
#[test]
fn it_closes_with_the_block_in_which_the_last_validator_arrives() {
    let log = [first(1, 0, true), first(2, 1, true), first(2, 3, true), first(4, 2, true)];
    assert_eq!(decide(&rules(&FOUR, 3, 10), &log, 3), Collection::Open);
    assert_eq!(decide(&rules(&FOUR, 3, 10), &log, 4), closed(4, &[0, 1, 2, 3]));
    assert_eq!(decide(&rules(&FOUR, 3, 10), &log, 400), closed(4, &[0, 1, 2, 3]));
}

#[test]
fn an_invalid_participation_is_in_but_does_not_count() {
    let log = [first(1, 0, true), first(1, 1, false), first(1, 3, true), first(2, 2, true)];
    assert_eq!(decide(&rules(&FOUR, 3, 10), &log, 2), closed(2, &[0, 2, 3]));
}

/// `PROC-3`, second case.
#[test]
fn it_closes_grace_blocks_after_the_threshold_without_the_silent() {
    let log = [first(1, 0, true), first(5, 1, true), first(5, 3, true)];
    assert_eq!(decide(&rules(&FOUR, 3, 4), &log, 8), Collection::Open);
    assert_eq!(decide(&rules(&FOUR, 3, 4), &log, 9), closed(9, &[0, 1, 3]));
}

#[test]
fn a_participation_in_the_last_block_of_grace_counts_and_one_after_it_does_not() {
    let mut log = vec![first(1, 0, true), first(1, 1, true), first(1, 3, true)];
    log.push(first(5, 2, true));
    assert_eq!(decide(&rules(&FOUR, 3, 4), &log, 5), closed(5, &[0, 1, 2, 3]));
    log.pop();
    log.push(first(6, 2, true));
    assert_eq!(decide(&rules(&FOUR, 3, 4), &log, 6), closed(5, &[0, 1, 3]));
}

#[test]
fn without_grace_it_closes_with_the_block_that_reaches_the_threshold() {
    let log = [first(3, 0, true), first(3, 1, true), first(3, 2, true)];
    assert_eq!(decide(&rules(&FOUR, 3, 0), &log, 3), closed(3, &[0, 1, 2]));
}

/// `PROC-3`, third case.
#[test]
fn it_is_impossible_once_the_outstanding_cannot_reach_the_threshold() {
    let log = [first(1, 0, false), first(2, 3, false)];
    assert_eq!(decide(&rules(&FOUR, 3, 4), &log, 1), Collection::Open);
    assert_eq!(decide(&rules(&FOUR, 3, 4), &log, 2), Collection::Impossible { culprits: vec![0, 3] });
}

#[test]
fn weights_count_and_not_validators() {
    let weights = rules(&[3, 3, 2, 2], 7, 2);
    let light = [first(1, 2, true), first(1, 3, true), first(1, 0, false)];
    assert_eq!(decide(&weights, &light, 1), Collection::Open);
    assert_eq!(decide(&rules(&[3, 3, 2, 2], 8, 2), &light, 1), Collection::Impossible { culprits: vec![0] });
    let heavy = [first(1, 0, true), first(1, 1, true), first(1, 2, true)];
    assert_eq!(decide(&weights, &heavy, 3), closed(3, &[0, 1, 2]));
}

#[test]
fn nothing_is_decided_past_a_participation_which_is_not_verified() {
    let mut log = vec![first(1, 0, true), first(2, 1, true), first(2, 2, true), first(2, 3, true)];
    log[1].valid = None;
    assert_eq!(decide(&rules(&FOUR, 3, 1), &log, 9), Collection::Open);
}

#[test]
fn a_participation_after_the_close_need_not_be_verified() {
    let mut late = first(9, 3, true);
    late.valid = None;
    let log = [first(1, 0, true), first(1, 1, true), first(1, 2, true), late];
    assert_eq!(decide(&rules(&FOUR, 3, 2), &log, 9), closed(3, &[0, 1, 2]));
}

fn log() -> impl Strategy<Value = (Rules, Vec<First>)> {
    (proptest::collection::vec((1..4_u16, 1..20_u64, any::<bool>()), 1..9), 0..6_u32).prop_map(
        |(members, grace)| {
            let weights: Vec<u16> = members.iter().map(|m| m.0).collect();
            let n: u16 = weights.iter().sum();
            let firsts = (0_u16..).zip(&members).map(|(i, m)| first(m.1, i, m.2)).collect();
            (Rules { weights, threshold: (n * 2) / 3 + 1, grace }, firsts)
        },
    )
}

proptest! {
    /// What is decided at a block stays decided, whatever comes later and in whatever order it was kept.
    #[test]
    fn a_decision_is_final((rules, mut firsts) in log(), through in 1..30_u64) {
        let decided = decide(&rules, &firsts, through);
        firsts.reverse();
        prop_assert_eq!(decide(&rules, &firsts, through), decided.clone());
        if decided != Collection::Open {
            prop_assert_eq!(decide(&rules, &firsts, through + 50), decided);
        }
    }

    /// A closed collection has valid dealers of threshold weight, and every valid one up to its block.
    #[test]
    fn a_closed_collection_can_sign((rules, firsts) in log(), through in 1..60_u64) {
        if let Collection::Closed { at, dealers } = decide(&rules, &firsts, through) {
            prop_assert!(at.0 <= through);
            let weight: u16 = dealers.iter().map(|d| rules.weights[usize::from(*d)]).sum();
            prop_assert!(weight >= rules.threshold);
            let expected: Vec<u16> =
                firsts.iter().filter(|f| f.valid == Some(true) && f.block <= at).map(|f| f.member).collect();
            prop_assert_eq!(dealers, expected);
        }
    }

    /// A verdict that is missing only ever delays.
    #[test]
    fn a_missing_verdict_changes_no_decision((rules, firsts) in log(), hide in any::<prop::sample::Index>(), through in 1..60_u64) {
        let mut hidden = firsts.clone();
        let at = hide.index(hidden.len());
        hidden[at].valid = None;
        let partial = decide(&rules, &hidden, through);
        prop_assert!(partial == Collection::Open || partial == decide(&rules, &firsts, through));
    }
}
