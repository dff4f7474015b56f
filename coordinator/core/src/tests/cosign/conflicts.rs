//! Cosigns which are stale, forged, or of another chain, and the halt.

use super::*;
use crate::{
    cosign::{Hold, is_faulted},
    halt::{self, Scope},
};

const OTHER: BaseBlockHash = BaseBlockHash([0xee; 32]);

fn conflicting(name: &str, block: u64) -> Cosign {
    sign_as(set(name, 0), set(name, 0), BaseBlock(block), OTHER)
}

fn keyed_with_burns(stakes: &[(&str, u64)], burns: usize) -> (Finalized, Node) {
    let mut finalized = Finalized::keyed(stakes);
    (0..burns).for_each(|_| finalized.push(vec![burn(stakes[0].0)]));
    let mut node = coordinator(9);
    node.observe(&finalized);
    (finalized, node)
}

#[test]
fn what_is_stale_unknown_or_forged_changes_nothing() {
    // COSIGN-4.
    let (finalized, mut node) = keyed_with_burns(&[("a", 1), ("b", 1)], 6);
    let a = set("a", 0);
    let valid = finalized.cosign(a, 5);
    assert_eq!(node.take(&valid), Verdict::New);
    let before = node.cosign_status();
    assert_eq!(node.take(&valid), Verdict::Stale);
    assert_eq!(node.take(&finalized.cosign(a, 4)), Verdict::Stale, "older than what we have");
    let hash = finalized.block(6).hash();
    let ahead = sign_as(a, a, BaseBlock(1_000), hash);
    assert_eq!(node.take(&ahead), Verdict::Unknown, "not final here");
    for forged in [
        sign_as(a, set("b", 0), BaseBlock(6), hash),
        Cosign { signature: [0xff; 64], ..finalized.cosign(a, 6) },
        Cosign { signature: [0; 64], ..finalized.cosign(a, 6) },
        // By a set which does not cosign, or does not exist.
        sign_as(set("a", 1), set("a", 1), BaseBlock(6), hash),
        sign_as(set("c", 0), set("c", 0), BaseBlock(6), hash),
        // Valid for another number, and a conflict which nobody signed.
        Cosign { block: BaseBlock(7), ..finalized.cosign(a, 6) },
        Cosign { hash: OTHER, ..finalized.cosign(a, 6) },
        // Nobody cosigns a block as of whose parent nobody has keys.
        finalized.cosign(a, 1),
    ] {
        assert_eq!(node.take(&forged), Verdict::Invalid, "{forged:?}");
    }
    assert_eq!(node.cosign_status(), before);
    assert_eq!(node.take(&finalized.cosign(a, 6)), Verdict::New);
}

#[test]
fn ref_18_a_conflict_counts_for_the_network_that_signed_it_once() {
    // COSIGN-7, COSIGN-8. The reference added the faulting network's stake once for every network, on both sides.
    let (finalized, mut node) = keyed_with_burns(&[("a", 16), ("b", 44), ("c", 40)], 6);
    assert_eq!(node.follow(&finalized).0, 2);
    assert_eq!(node.take(&conflicting("a", 3)), Verdict::Conflict);
    assert_eq!(node.take(&conflicting("a", 3)), Verdict::Stale);
    assert_eq!(node.take(&conflicting("a", 5)), Verdict::Stale, "it is counted");
    let status = node.cosign_status();
    assert_eq!((status.code, status.conflicts.len()), ("COSIGN_ENFORCED", 1));
    assert_eq!(status.conflicts[0].ours, finalized.block(3).hash().to_string());
    // The others go on.
    for name in ["b", "c"] {
        assert_eq!(node.take(&finalized.cosign(set(name, 0), 7)), Verdict::New);
    }
    assert_eq!(node.follow(&finalized), (8, None));
}

/// `a`, `b` and `c` have 10, 5 and 85 of 100; from block 5 on, `a` has this much beside their 90.
fn later_stake_of_a(stake: u64) -> (Finalized, Node) {
    let mut finalized = Finalized::keyed(&[("a", 10), ("b", 5), ("c", 85)]);
    for event in [declared(set("a", 1), stake), keys_set(set("a", 1)), handed_over(set("a", 0))] {
        finalized.push(vec![event]);
    }
    (0..3).for_each(|_| finalized.push(vec![burn("c")]));
    let mut node = coordinator(9);
    node.observe(&finalized);
    (finalized, node)
}

fn halted_with(node: &Node) -> Option<(u128, u128)> {
    node.store.read(|db| halt::of_base_chain(db)).unwrap().map(|reason| match reason {
        halt::Reason::CosignConflict { stake, total, .. } => (stake, total),
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_further_conflict_counts_if_its_network_has_more_of_the_stake_by_then() {
    // COSIGN-7, COSIGN-8.
    let later = |block| sign_as(set("a", 1), set("a", 1), BaseBlock(block), OTHER);
    for (stake, further, halted) in [
        (30, Verdict::Conflict, Some((30, 120))),
        // More than before, and not enough: it is counted once.
        (15, Verdict::Conflict, None),
        (10, Verdict::Stale, None),
        (5, Verdict::Stale, None),
    ] {
        let (_, mut node) = later_stake_of_a(stake);
        assert_eq!(node.take(&conflicting("a", 4)), Verdict::Conflict);
        assert_eq!(halted_with(&node), None, "10 of 100");
        assert_eq!(node.take(&later(6)), further, "{stake}");
        assert_eq!(halted_with(&node), halted, "{stake}");
        assert_eq!(node.take(&later(7)), Verdict::Stale, "no more than that");
        assert_eq!(node.take(&conflicting("a", 3)), Verdict::Stale, "nor less");
    }
}

#[test]
fn evidence_about_an_older_block_counts_with_the_stakes_of_a_newer_one_too() {
    // COSIGN-8: 16 of 106, and then 21 of 106; in the older era it is 15 of 100.
    let (_, mut node) = later_stake_of_a(16);
    assert_eq!(node.take(&sign_as(set("a", 1), set("a", 1), BaseBlock(6), OTHER)), Verdict::Conflict);
    assert_eq!(halted_with(&node), None);
    assert_eq!(node.take(&conflicting("b", 3)), Verdict::Conflict);
    assert_eq!(halted_with(&node), Some((21, 106)));
}

#[test]
fn an_older_conflict_is_evidence_too() {
    // COSIGN-7: what a network signs about a block we have from it already is no repetition if the hash differs.
    let (finalized, mut node) = keyed_with_burns(&[("a", 10), ("b", 90)], 6);
    assert_eq!(node.take(&finalized.cosign(set("a", 0), 6)), Verdict::New);
    assert_eq!(node.take(&conflicting("a", 4)), Verdict::Conflict);
}

#[test]
fn seventeen_percent_of_the_stake_halt_and_less_does_not() {
    // COSIGN-8.
    for (stakes, liars, halts) in [
        ([17, 50, 33], vec!["a"], true),
        ([16, 51, 33], vec!["a"], false),
        ([10, 7, 83], vec!["a", "b"], true),
        ([10, 6, 84], vec!["a", "b"], false),
        ([0, 50, 50], vec!["a"], false),
        ([1, 1, 1], vec!["c"], true),
    ] {
        let names = ["a", "b", "c"];
        let pairs: Vec<_> = names.into_iter().zip(stakes).collect();
        let (_, mut node) = keyed_with_burns(&pairs, 4);
        for liar in liars {
            assert_eq!(node.take(&conflicting(liar, 4)), Verdict::Conflict);
        }
        let halted = node.store.read(|db| halt::of_base_chain(db)).unwrap();
        assert_eq!(halted.is_some(), halts, "{stakes:?}");
    }
    assert!(!is_faulted(0, 0) && !is_faulted(0, 1) && is_faulted(1, 1));
    assert!(is_faulted(17, 100) && !is_faulted(16, 100) && !is_faulted(169, 1_000));
    assert!(
        is_faulted(u128::from(u64::MAX), u128::from(u64::MAX) * 5) && !is_faulted(1, u128::from(u64::MAX))
    );
}

#[test]
fn the_halt_is_recorded_lasts_over_a_restart_and_stops_acting_alone() {
    // COSIGN-8, COORD-9.
    let (mut finalized, mut node) = keyed_with_burns(&[("a", 20), ("b", 80)], 6);
    node.take(&finalized.cosign(set("b", 0), 3));
    assert_eq!(node.follow(&finalized).0, 4);
    assert_eq!(node.take(&conflicting("a", 4)), Verdict::Conflict);
    let halts = |node: &Node| {
        node.notices.iter().filter(|n| matches!(n.event, crate::notice::Event::Halted { .. })).count()
    };
    assert_eq!(halts(&node), 1);

    let mut again = coordinator(9);
    again.store = node.store.clone();
    assert_eq!(again.follow(&finalized), (4, Some(Hold::Halted)));
    let reason = again.store.read(|db| halt::of_base_chain(db)).unwrap().unwrap();
    assert_eq!(reason.code(), "COSIGN_CONFLICT");
    assert!(reason.remedy().contains("coordinator resume --base-chain"));
    let halt::Reason::CosignConflict { conflicting, stake, total } = &reason else { panic!("{reason:?}") };
    assert_eq!((conflicting.len(), *stake, *total), (1, 20, 100));
    assert_eq!((conflicting[0].ours, conflicting[0].theirs), (finalized.block(4).hash(), OTHER));
    let status = again.cosign_status();
    assert_eq!((status.code, status.halted.unwrap().code), ("COSIGN_HALTED", "COSIGN_CONFLICT"));
    // Blocks are observed and cosigns taken meanwhile.
    finalized.push(vec![burn("a")]);
    again.observe(&finalized);
    assert_eq!(again.take(&finalized.cosign(set("b", 0), 8)), Verdict::New);
    assert_eq!(again.follow(&finalized), (4, Some(Hold::Halted)));
}

fn lift(node: &mut Node, scope: Scope) -> Option<halt::Reason> {
    node.step(|step| Ok(halt::lift(step.txn, scope)?)).unwrap()
}

#[test]
fn an_operator_lifts_the_halt_and_the_same_evidence_does_not_halt_again() {
    // COSIGN-9.
    let (finalized, mut node) = keyed_with_burns(&[("a", 20), ("b", 80)], 6);
    assert_eq!(lift(&mut node, Scope::BaseChain), None, "nothing is halted");
    node.take(&conflicting("a", 4));
    node.take(&finalized.cosign(set("b", 0), 7));
    let lifted = lift(&mut node, Scope::BaseChain).unwrap();
    assert_eq!(lifted.code(), "COSIGN_CONFLICT");
    assert_eq!(lift(&mut node, Scope::BaseChain), None);
    assert!(node.cosign_status().conflicts[0].lifted);
    assert_eq!(node.take(&conflicting("a", 4)), Verdict::Stale);
    assert_eq!(node.take(&conflicting("a", 3)), Verdict::Stale);
    assert_eq!(node.follow(&finalized), (8, None));
    // What it signs after that is news.
    assert_eq!(node.take(&conflicting("a", 6)), Verdict::Conflict);
    assert!(lift(&mut node, Scope::BaseChain).is_some());
}

#[test]
fn a_session_and_a_network_are_lifted_each_by_itself() {
    // COORD-19.
    let finalized = Finalized::keyed(&[("a", 1)]);
    let mut node = coordinator(0);
    node.observe(&finalized);
    node.follow(&finalized);
    let (a, what) = (set("a", 0), "a disk full of bees".to_owned());
    let reason = halt::Reason::TributaryHalted { what: what.clone() };
    let genesis = genesis_of(&finalized, a);
    let halt = tributary::Halt::new(what.clone());
    node.step(|step| {
        halt::session(step, a, reason.clone())?;
        halt::network(step, a.network, halt::Reason::Internal { what })?;
        Ok(tributary::record_halt(step.txn, genesis, &halt)?)
    })
    .unwrap();
    assert_eq!(node.store.read(|db| halt::all(db, 10)).unwrap().len(), 2);
    assert_eq!(lift(&mut node, Scope::BaseChain), None);
    assert_eq!(lift(&mut node, Scope::Session(set("a", 1))), None);
    assert!(lift(&mut node, Scope::Network(a.network)).is_some());
    assert_eq!(node.store.read(|db| halt::of_session(db, a)).unwrap(), Some(reason.clone()));
    assert_eq!(lift(&mut node, Scope::Session(a)), Some(reason));
    assert_eq!(node.store.read(|db| halt::of_session(db, a)).unwrap(), None);
    assert_eq!(node.store.read(|db| tributary::halted(db, genesis)).unwrap(), None, "its own record too");
}
