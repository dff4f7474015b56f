//! A block is applied in as many steps as it needs, and where they end is no rule (`SIGN-26`).

use coordinator_store::Store;
use processor_messages::{
    Attempt, BaseBlock, Bytes, List, SigningPiece, TransactionId, TributaryBlock, Validator, sign::SigningId,
};

use super::cluster::{Cluster, Manner::*, Node, set};
use crate::{
    notice::Event,
    session::{
        self, Applied, relay,
        transaction::{Ordered, OrderedBlock, Provided, Round, Signed},
    },
};

/// Key shares of each member.
const SHARES: usize = 5;

fn data(signer: Validator, id: TransactionId, round: Round, bytes: usize) -> Ordered {
    let pieces = List::new(vec![SigningPiece::new(vec![7; bytes]).unwrap(); SHARES]).unwrap();
    let id = SigningId::Transaction(id);
    let payload = Signed::SigningData { id, attempt: Attempt(0), round, pieces };
    Ordered::Signed { signer, slot: payload.slot(), payload: payload.to_bytes() }
}

fn block(number: u64, transactions: Vec<Ordered>) -> OrderedBlock {
    OrderedBlock { number: TributaryBlock(number), transactions, ..OrderedBlock::default() }
}

fn state(node: &Node) -> [u8; 32] {
    node.store.read(|db| {
        let genesis = session::get(db, set()).unwrap().unwrap().spec.genesis;
        session::state_hash(db, genesis).unwrap()
    })
}

fn completed(node: &Node) -> usize {
    node.notices.iter().filter(|notice| matches!(notice.event, Event::SharesComplete { .. })).count()
}

#[test]
fn shares_held_back_for_many_topics_complete_them_with_one_block_and_halt_nobody() {
    // SIGN-26: 40 topics whose selected members sent 325 KB each, and the last share of each in one block.
    let mut nodes = Cluster::new(&[SHARES as u16; 4], &[Honest; 4]).nodes;
    let members: Vec<Validator> = nodes.iter().map(Node::validator).collect();
    let ids: Vec<TransactionId> = (0..40).map(|n| TransactionId([n; 32])).collect();
    let opening = Provided::BaseBlock { block: BaseBlock(1), transactions: List::new(ids.clone()).unwrap() };
    let mut first = vec![Ordered::Provided { kind: opening.kind(), payload: opening.to_bytes() }];
    for id in &ids {
        first.extend(members[..3].iter().map(|member| data(*member, *id, Round::Preprocess, 64)));
    }
    let mut blocks = vec![first];
    for ids in ids.chunks(10) {
        let both = ids.iter().flat_map(|id| members[..2].iter().map(|member| (*member, *id)));
        blocks.push(both.map(|(member, id)| data(member, id, Round::Share, 65_000)).collect());
    }
    blocks.push(ids.iter().map(|id| data(members[2], *id, Round::Share, 32)).collect());
    let last = blocks.len();
    let mut steps = Vec::new();
    for (number, transactions) in (1..).zip(blocks) {
        let block = block(number, transactions);
        steps = nodes.iter_mut().map(|node| node.apply(&block)).collect();
    }
    assert!(steps[0] > 5 && steps[0] == steps[1], "26 MB in steps of 4 MiB: {steps:?}");
    assert_eq!(steps[3], 1, "who is not selected hands nothing over");
    for node in &nodes {
        let through = node.store.read(|db| {
            let genesis = session::get(db, set()).unwrap().unwrap().spec.genesis;
            session::applied_through(db, genesis).unwrap()
        });
        assert_eq!((through, completed(node)), (TributaryBlock(last as u64), 40));
        assert_eq!(state(node), state(&nodes[0]));
    }
}

#[test]
fn participations_of_one_block_are_each_written_once() {
    // SIGN-26, COORD-4: 140 of 14 KB, as those of a set of 150 are, fit a step, and the processor gets them in their order.
    let mut node = Cluster::new(&[1; 140], &[Honest; 140]).nodes.remove(0);
    let members = node.store.read(|db| session::get(db, set()).unwrap().unwrap().spec.tributary.validators);
    let members: Vec<Validator> = members.iter().rev().map(|member| member.validator).collect();
    let participation = |signer: &Validator| {
        let payload = Signed::DkgParticipation(Bytes::new([signer.0; 438].concat()).unwrap());
        Ordered::Signed { signer: *signer, slot: payload.slot(), payload: payload.to_bytes() }
    };
    assert_eq!(node.apply(&block(1, members.iter().map(participation).collect())), 1);
    let handed = node.store.read(|db| {
        let spec = session::get(db, set()).unwrap().unwrap().spec;
        relay::participations(db, &spec, TributaryBlock(0), 10).unwrap()
    });
    let [(TributaryBlock(1), of_block)] = handed.as_slice() else { panic!("one block's: {}", handed.len()) };
    assert!(of_block.iter().map(|(author, _)| author).eq(&members), "in the block's order");
}

#[test]
fn members_whose_steps_end_elsewhere_reach_the_same_states() {
    // SIGN-1, SIGN-26: from every operation in a step of its own to whole blocks.
    let manners = [Honest, Honest, Honest, Honest, BadPreprocess, WithholdsShares, Honest];
    let mut cluster = Cluster::new(&[1; 7], &manners);
    for (node, bytes) in cluster.nodes.iter_mut().zip([0, 1, 100, 300, 1_000, 3_000]) {
        node.part_bytes = Some(bytes);
    }
    cluster.inject(5, &Signed::Blame { validator: Validator([9; 32]) });
    cluster.run_to_batches(200);
    cluster.convict(5);
    for _ in 0..30 {
        cluster.turn();
        cluster.assert_agreement();
    }
}

#[test]
fn a_block_is_applied_once_whatever_is_offered_between_its_parts() {
    // SIGN-26: each part is durable, and the same operation is not done twice.
    let mut node = Cluster::new(&[1; 4], &[Honest; 4]).nodes.remove(0);
    node.part_bytes = Some(0);
    let ids: Vec<TransactionId> = (0..5).map(|n| TransactionId([n; 32])).collect();
    let opening = Provided::BaseBlock { block: BaseBlock(1), transactions: List::new(ids).unwrap() };
    let first = block(1, vec![Ordered::Provided { kind: opening.kind(), payload: opening.to_bytes() }]);
    let before = state(&node);
    let mut offer = |block: &OrderedBlock| node.step(|step| session::apply(step, set(), block)).unwrap();
    let mut parts = 0;
    while offer(&first) == Applied::InPart {
        assert_eq!(offer(&block(2, Vec::new())), Applied::Due(TributaryBlock(1)));
        parts += 1;
    }
    // Five openings, the end of the transactions, those lost, and what is due.
    assert!(parts >= 5, "{parts}");
    assert_eq!(offer(&first), Applied::Already);
    assert_ne!(state(&node), before);
    let opened = node.notices.iter().filter(|notice| matches!(notice.event, Event::TopicOpened { .. }));
    assert_eq!(opened.count(), 5);
}
