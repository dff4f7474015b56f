//! What tributaries are asked to cosign, and when nothing is left to.

use coordinator_store::Cursor;

use processor_messages::{
    FromProcessor, Incarnation, ToProcessor, TributaryBlock, coordinator::ToProcessor as c, decode, key_gen,
};

use super::*;
use crate::{
    outbox, processor,
    session::{
        self,
        transaction::{Ordered, OrderedBlock},
    },
};

#[test]
fn every_member_of_a_cosigning_set_derives_its_intended_blocks_in_order() {
    // COSIGN-1, COSIGN-3.
    let mut finalized = Finalized::keyed(&[("a", 1), ("b", 1)]);
    finalized.push(vec![burn("a")]);
    finalized.push_empty(10);
    finalized.push(vec![burn("b")]);
    let (mut member, mut outsider) = (coordinator(0), coordinator(9));
    member.observe(&finalized);
    outsider.observe(&finalized);
    for name in ["a", "b"] {
        let genesis = genesis_of(&finalized, set(name, 0));
        // Block 1 is intended, and nobody has keys as of its parent. Block 2 is carried to 6.
        assert_eq!(member.derived_cosigns(genesis), [6, 13], "{name}");
        assert_eq!(outsider.derived(genesis), [], "{name}");
        let hash = finalized.block(6).hash();
        assert_eq!(member.derived(genesis)[0], Provided::Cosign { block: BaseBlock(6), hash });
    }
}

#[test]
fn the_set_in_charge_as_of_the_parent_cosigns() {
    // COSIGN-1: from the block after its keys, or after the handover; and until the next one's handover.
    let (first, second) = (set("a", 0), set("a", 1));
    let mut finalized = Finalized::keyed(&[("a", 1)]);
    finalized.push(vec![declared(second, 1)]);
    finalized.push(vec![keys_set(second)]);
    finalized.push(vec![handed_over(first)]);
    finalized.push(vec![Event::SetRetired { set: first, reported: true }]);
    finalized.push_empty(6);
    let mut node = coordinator(0);
    node.observe(&finalized);
    assert_eq!(node.derived_cosigns(genesis_of(&finalized, first)), [3, 4]);
    assert_eq!(node.derived_cosigns(genesis_of(&finalized, second)), [9]);
    assert_eq!(node.take(&finalized.cosign(second, 3)), Verdict::Invalid);
    assert_eq!(node.take(&finalized.cosign(second, 4)), Verdict::Invalid);
    assert_eq!(node.take(&finalized.cosign(first, 4)), Verdict::New);
    assert_eq!(node.take(&finalized.cosign(first, 9)), Verdict::Invalid);
    assert_eq!(node.take(&finalized.cosign(second, 9)), Verdict::New);
}

#[test]
fn ref_19_a_cosign_requested_before_its_tributary_runs_is_not_lost() {
    // COSIGN-3. The reference popped the request, and dropped it when the chain was not loaded.
    let mut finalized = Finalized::keyed(&[("a", 1)]);
    finalized.push(vec![burn("a")]);
    finalized.push_empty(5);
    let mut node = coordinator(0);
    node.observe(&finalized);
    let genesis = genesis_of(&finalized, set("a", 0));
    assert!(
        node.store.read(|db| session::get(db, set("a", 0))).unwrap().is_none(),
        "no block is handled yet"
    );
    assert_eq!(node.derived_cosigns(genesis), [6]);
    // The block is offered again after a restart, and the set is opened: asked for once.
    assert_eq!(node.try_observe(finalized.block(6)).unwrap(), Observed::Already);
    assert_eq!(node.follow(&finalized).0, 2);
    let spec = node.store.read(|db| session::get(db, set("a", 0))).unwrap().unwrap().spec;
    assert_eq!(spec.genesis, genesis);
    assert_eq!(node.derived_cosigns(genesis), [6]);
}

/// Four intended blocks of one era, 2 (the keys of `b`) notable and of another.
fn four_intended() -> Finalized {
    let mut finalized = Finalized::default();
    finalized.push(vec![declared(set("a", 0), 1), declared(set("b", 0), 1)]);
    finalized.push(vec![keys_set(set("a", 0))]);
    finalized.push(vec![keys_set(set("b", 0))]);
    for _ in 0..4 {
        finalized.push_empty(4);
        finalized.push(vec![burn("a")]);
    }
    finalized
}

#[test]
fn a_cosign_closes_what_it_supersedes_in_order_and_not_beyond_its_era() {
    // COSIGN-3, COSIGN-6.
    let finalized = four_intended();
    let a = set("a", 0);
    let genesis = genesis_of(&finalized, a);
    let mut node = coordinator(0);
    node.observe(&finalized);
    assert_eq!(node.derived_cosigns(genesis), [2, 7, 12, 17, 22]);
    // Later cosigns do not cover the notable block, and everything waits for it.
    assert_eq!(node.take(&finalized.cosign(a, 12)), Verdict::New);
    assert_eq!(node.take(&finalized.cosign(a, 17)), Verdict::New);
    assert_eq!(node.derived_cosigned(genesis), [0; 0]);
    assert_eq!(node.take(&finalized.cosign(a, 2)), Verdict::New);
    assert_eq!(node.derived_cosigned(genesis), [2, 7, 12, 17]);
    assert_eq!(node.take(&finalized.cosign(a, 22)), Verdict::New);
    assert_eq!(node.derived_cosigned(genesis), [2, 7, 12, 17, 22]);
}

#[test]
fn a_processor_is_asked_to_cosign_and_asked_again_when_it_lost_its_disk_until_the_topic_closes() {
    // COSIGN-3, COSIGN-11.
    let name = super::super::cluster::network();
    let of = ValidatorSet { network: name, session: Session(0) };
    let mut finalized = Finalized::keyed(&[(name.as_str(), 1)]);
    finalized.push(vec![burn(name.as_str())]);
    let mut node = coordinator(0);
    node.observe(&finalized);
    assert_eq!(node.follow(&finalized).0, 2);
    let apply = |node: &mut Node, number: u64, payload: Provided| {
        let transactions = vec![Ordered::Provided { kind: payload.kind(), payload: payload.to_bytes() }];
        let block = OrderedBlock { number: TributaryBlock(number), transactions, ..Default::default() };
        assert_eq!(node.step(|step| session::apply(step, of, &block)).unwrap(), session::Applied::Done);
    };
    let lose_disk = |node: &mut Node, incarnation: u64| {
        let (session, incarnation) = (Session(0), Incarnation(incarnation));
        let message = FromProcessor::KeyGen(key_gen::FromProcessor::Resend { session, incarnation });
        node.step(|step| processor::apply(step, name, message)).unwrap();
    };
    let asked = |node: &Node| {
        let is = |m: &ToProcessor| {
            matches!(m, ToProcessor::Coordinator(c::CosignBlock { block, hash, .. })
            if (*block == BaseBlock(2)) && (*hash == finalized.block(2).hash()))
        };
        let mut asked = 0;
        let mut next = || {
            node.store.write(|txn| {
                outbox::move_message(txn, name, |_, _, bytes| {
                    asked += usize::from(is(&decode(&bytes, usize::MAX).unwrap()));
                    Ok::<_, Error>(())
                })
            })
        };
        while next().unwrap().0 {}
        asked
    };
    assert_eq!(asked(&node), 0);
    let hash = finalized.block(2).hash();
    apply(&mut node, 1, Provided::Cosign { block: BaseBlock(2), hash });
    assert_eq!(asked(&node), 1);
    lose_disk(&mut node, 1);
    assert_eq!(asked(&node), 1);
    lose_disk(&mut node, 1);
    assert_eq!(asked(&node), 0, "once for each life");
    apply(&mut node, 2, Provided::Cosigned { block: BaseBlock(2) });
    lose_disk(&mut node, 2);
    assert_eq!(asked(&node), 0, "nothing is left to cosign");
    // What closes before it opens stays closed.
    apply(&mut node, 3, Provided::Cosigned { block: BaseBlock(7) });
    apply(&mut node, 4, Provided::Cosign { block: BaseBlock(7), hash });
    let status = node.store.read(|db| {
        let record = session::get(db, of).unwrap().unwrap();
        session::status::read(db, &record).unwrap()
    });
    assert_eq!(status.topics, []);
}

#[test]
fn whatever_the_order_of_arrival_every_member_derives_the_same() {
    // COSIGN-3.
    let finalized = four_intended();
    let a = set("a", 0);
    let genesis = genesis_of(&finalized, a);
    for order in [[2, 7, 22], [22, 7, 2], [7, 2, 22], [2, 22, 7], [22, 2, 7]] {
        let mut node = coordinator(0);
        for cosign in order {
            node.take(&finalized.cosign(a, cosign));
        }
        node.observe(&finalized);
        for cosign in order {
            node.take(&finalized.cosign(a, cosign));
        }
        assert_eq!(node.derived_cosigned(genesis), [2, 7, 12, 17, 22], "{order:?}");
    }
    // And when the cosigns were known before the blocks were, as at a member which is behind.
    let mut late = coordinator(0);
    for number in 0..=finalized.last() {
        late.try_observe(finalized.block(number)).unwrap();
        late.take(&finalized.cosign(a, number.max(2)));
    }
    assert_eq!(late.derived_cosigned(genesis), [2, 7, 12, 17, 22]);
}

#[test]
fn a_set_that_ended_is_not_waited_for() {
    // COSIGN-3.
    let finalized = four_intended();
    let mut node = coordinator(0);
    node.observe(&finalized);
    assert_eq!(node.store.read(|db| cosign::wanted(db)).unwrap(), Some(BaseBlock(0)));
    node.take(&finalized.cosign(set("a", 0), 2));
    node.take(&finalized.cosign(set("a", 0), 22));
    node.take(&finalized.cosign(set("b", 0), 17));
    assert_eq!(node.follow(&finalized), (22, Some(cosign::Hold::Waiting { stake: 1, needed: 2 })));
    assert_eq!(node.derived_cosigned(genesis_of(&finalized, set("b", 0))), [7, 12, 17]);
    node.step(|step| Ok(cosign::ended(step.txn, set("b", 0))?)).unwrap();
    node.take(&finalized.cosign(set("b", 0), 22));
    assert_eq!(node.derived_cosigned(genesis_of(&finalized, set("b", 0))), [7, 12, 17]);
    assert_eq!(node.follow(&finalized), (23, None));
    assert_eq!(node.store.read(|db| cosign::wanted(db)).unwrap(), None);
}

/// The gate passed 3, which is notable, by the stake of `b`; since then there were as many blocks as facts are kept.
fn passed_long_ago(observed_first: bool) -> (Finalized, Node) {
    let mut finalized = Finalized::keyed(&[("a", 1), ("b", 9)]);
    finalized.push(vec![declared(set("a", 1), 1)]);
    finalized.push(vec![keys_set(set("a", 1))]);
    let mut node = coordinator(0);
    if observed_first {
        finalized.push_empty(14_500);
    }
    node.observe(&finalized);
    assert_eq!(node.take(&finalized.cosign(set("b", 0), 3)), Verdict::New);
    assert_eq!(node.follow(&finalized).1, None);
    if !observed_first {
        finalized.push_empty(14_500);
        node.observe(&finalized);
        assert_eq!(node.follow(&finalized).1, None);
    }
    (finalized, node)
}

#[test]
fn a_cosign_which_comes_long_after_the_gate_passed_its_block_closes_it_all_the_same() {
    // COSIGN-3, COSIGN-4: whether the block grew old before the gate passed it, or after.
    for observed_first in [true, false] {
        let (finalized, mut node) = passed_long_ago(observed_first);
        let a = set("a", 0);
        let genesis = genesis_of(&finalized, a);
        assert_eq!(node.derived_cosigned(genesis), [0; 0]);
        assert_eq!(node.store.read(|db| cosign::wanted(db)).unwrap(), Some(BaseBlock(3)));
        assert_eq!(node.take(&finalized.cosign(a, 2)), Verdict::Unknown, "nobody waits for that one");
        assert_eq!(node.take(&finalized.cosign(a, 3)), Verdict::New);
        assert_eq!(node.derived_cosigned(genesis), [3]);
        assert_eq!(node.store.read(|db| cosign::wanted(db)).unwrap(), None);
        let other = sign_as(a, a, BaseBlock(3), BaseBlockHash([9; 32]));
        assert_eq!(node.take(&other), Verdict::Unknown, "forgotten once nobody waits for it");
    }
}

#[test]
fn what_was_kept_of_an_old_block_for_a_set_goes_with_the_set() {
    // COSIGN-3, COSIGN-4.
    let (finalized, mut node) = passed_long_ago(true);
    let a = set("a", 0);
    node.step(|step| Ok(cosign::ended(step.txn, a)?)).unwrap();
    assert_eq!(node.take(&finalized.cosign(a, 3)), Verdict::Unknown);
    assert_eq!(node.derived_cosigned(genesis_of(&finalized, a)), [0; 0]);
}

#[test]
fn observing_waits_for_the_gate_where_it_is_far_ahead() {
    // COSIGN-1.
    let finalized = Finalized::keyed(&[("a", 1)]);
    let far = |number: u64| {
        let mut block = finalized.block(1).clone();
        block.header.number = BaseBlock(number);
        block
    };
    let mut node = coordinator(0);
    let begin = Cursor::<(), _>::new("cosign/next", BaseBlock(0));
    node.step(|step| Ok(begin.begin(step.txn, &(), BaseBlock(cosign::MAX_AHEAD))?)).unwrap();
    assert_eq!(node.try_observe(&far(cosign::MAX_AHEAD)).unwrap(), Observed::Ahead);
    let due = node.try_observe(&far(cosign::MAX_AHEAD - 1)).unwrap();
    assert_eq!(due, Observed::Already, "as far as that it goes");
}

#[test]
fn blocks_are_observed_once_in_order_and_consistently() {
    // COSIGN-1.
    let finalized = Finalized::keyed(&[("a", 1)]);
    let mut node = coordinator(0);
    assert_eq!(node.try_observe(finalized.block(1)).unwrap(), Observed::Due(BaseBlock(0)));
    node.observe(&finalized);
    let mut stray = Finalized::keyed(&[("b", 1)]);
    stray.push_empty(1);
    assert!(matches!(node.try_observe(stray.block(2)), Err(Error::BaseChain { .. })), "another parent");
    let mut keyless = Finalized::default();
    keyless.push(vec![keys_set(set("a", 0))]);
    assert!(matches!(coordinator(0).try_observe(keyless.block(0)), Err(Error::BaseChain { .. })));
    let mut early = Finalized::keyed(&[("a", 1)]);
    early.push(vec![declared(set("a", 1), 1), handed_over(set("a", 0))]);
    let mut node = coordinator(0);
    (0..2).for_each(|number| assert_eq!(node.try_observe(early.block(number)).unwrap(), Observed::Done));
    assert!(matches!(node.try_observe(early.block(2)), Err(Error::BaseChain { .. })), "a set without keys");
}
