//! What base-chain blocks do, one rule at a time.

use coordinator_base_chain::{Block, Event, Header, SetDeclaration, TributaryParameters, merkle_root};
use coordinator_store::Store;
use processor_messages::{
    Account, Amount, BaseBlock, BaseBlockHash, BatchId, Burn, Bytes, FromProcessor, Incarnation, Network,
    NetworkBlockHash, Session, ToProcessor, TributaryBlock, ValidatorSet, base_chain, key_gen,
};

use super::cluster::{
    CHAIN, Cluster, Manner::*, Node, batch, declaration, executed_event, key_pair, network, set, status,
};
use crate::{
    Error, base_chain as rules, batch as batches, feed, halt, outbox, processor,
    session::{
        self, Life, own,
        transaction::{Ordered, OrderedBlock, Provided, Signed},
    },
};

pub(super) fn block(number: u64, parent: BaseBlockHash, events: Vec<Event>) -> Block {
    let header = Header {
        chain: CHAIN,
        number: BaseBlock(number),
        parent,
        time_unix_ms: 5000 + number,
        transactions_root: merkle_root::<[u8; 32]>(&[]),
        events_root: merkle_root(&events),
        state_root: [0; 32],
    };
    Block { header, transactions: Vec::new(), events }
}

/// A node which follows blocks of these events.
fn follow(node: &mut Node, blocks: Vec<Vec<Event>>) {
    let mut parent = BaseBlockHash::default();
    for (number, events) in (0..).zip(blocks) {
        let block = block(number, parent, events);
        parent = block.hash();
        assert_eq!(node.step(|step| rules::apply(step, &block)).unwrap(), rules::Handled::Done);
    }
}

/// `COORD-1`: a base-chain node which lies at the very first block is not believed either.
#[test]
fn a_first_block_which_has_a_parent_is_refused() {
    let mut node = Node::new(0, Honest);
    let strange = block(0, BaseBlockHash([9; 32]), vec![]);
    assert!(matches!(node.step(|step| rules::apply(step, &strange)), Err(Error::BaseChain { .. })));
    follow(&mut node, vec![vec![], vec![]]);
}

/// What waits for a network's processor, taken.
pub(super) fn messages_of(node: &Node, network: Network) -> Vec<ToProcessor> {
    let mut taken = Vec::new();
    while node
        .store
        .write(|txn| {
            outbox::move_message(txn, network, |_, _, bytes| {
                taken.push(processor_messages::decode(&bytes, usize::MAX).unwrap());
                Ok::<_, Error>(())
            })
        })
        .unwrap()
        .0
    {}
    taken
}

fn messages(node: &Node) -> Vec<ToProcessor> {
    messages_of(node, network())
}

fn declared() -> Event {
    Event::SetDeclared(declaration(&[1, 1, 1, 1], Session(0)))
}

fn keys_set() -> Event {
    Event::KeysSet { set: set(), key_pair: key_pair(0), signers: coordinator_base_chain::Signers::default() }
}

fn made(id: u32) -> FromProcessor {
    FromProcessor::BaseChain(base_chain::FromProcessor::Batch { session: Session(0), batch: batch(id) })
}

fn burn() -> Event {
    let burn = Burn { from: Account([1; 32]), amount: Amount(5), destination: Bytes::new(vec![2]).unwrap() };
    Event::Burn { network: network(), burn }
}

#[test]
fn what_a_set_must_share_comes_from_its_declaration_and_is_in_its_tributarys_id() {
    // COORD-2, SIGN-9, BASE-17.
    let spec = |parameters| {
        let declaration = SetDeclaration { tributary: parameters, ..declaration(&[1, 1, 1, 1], Session(0)) };
        let mut node = Node::new(0, Honest);
        follow(&mut node, vec![vec![Event::SetDeclared(declaration)]]);
        node.store.read(|db| session::get(db, set())).unwrap().map(|record| record.spec)
    };
    let usual = TributaryParameters::default();
    let others = [
        TributaryParameters { attempt_blocks: 31, ..usual },
        TributaryParameters { longest_attempt: 12, ..usual },
        TributaryParameters { grace_blocks: 6, ..usual },
    ];
    let one = spec(usual).unwrap();
    assert_eq!(one.parameters, usual);
    for other in others {
        let other = spec(other).unwrap();
        assert_ne!(other.genesis, one.genesis, "{:?}", other.parameters);
    }
    assert!(spec(TributaryParameters { attempt_blocks: 0, ..usual }).is_none(), "no set works with that");
}

#[test]
fn a_block_is_handled_exactly_once_and_in_order() {
    // COORD-1.
    let mut node = Node::new(0, Honest);
    let genesis = block(0, BaseBlockHash::default(), vec![declared()]);
    let apply = |node: &mut Node, b: &Block| node.step(|step| rules::apply(step, b)).unwrap();
    let later = block(2, genesis.hash(), Vec::new());
    assert_eq!(apply(&mut node, &later), rules::Handled::Due(BaseBlock(0)));
    assert_eq!(apply(&mut node, &genesis), rules::Handled::Done);
    assert_eq!(apply(&mut node, &genesis), rules::Handled::Already);
    assert_eq!(messages(&node).len(), 1, "one GenerateKey");
}

#[test]
fn a_contradictory_block_is_refused_with_nothing_kept() {
    let mut node = Node::new(0, Honest);
    follow(&mut node, vec![vec![]]);
    let refused = |node: &mut Node, b: &Block| {
        matches!(node.step(|step| rules::apply(step, b)), Err(Error::BaseChain { block: BaseBlock(1), .. }))
    };
    let parent = block(0, BaseBlockHash::default(), Vec::new()).hash();
    assert!(refused(&mut node, &block(1, BaseBlockHash([1; 32]), Vec::new())), "another parent");
    let mut foreign = block(1, parent, Vec::new());
    foreign.header.chain = processor_messages::ChainGenesis([1; 32]);
    assert!(refused(&mut node, &foreign), "another chain");
    let mut forged = block(1, parent, Vec::new());
    forged.events.push(declared());
    assert!(refused(&mut node, &forged), "an event the header does not commit to");
    assert_eq!(node.store.read(|db| rules::next_block(db)).unwrap(), BaseBlock(1));
}

#[test]
fn a_tributary_opens_only_for_a_set_we_are_in() {
    // COORD-2, and defect 22.
    let mut outsider = Node::new(9, Honest);
    follow(&mut outsider, vec![vec![declared()], vec![keys_set()]]);
    assert!(outsider.store.read(|db| session::get(db, set())).unwrap().is_none());
    // COORD-3: its processor learns of the keys all the same.
    let sent = messages(&outsider);
    assert!(matches!(
        sent.as_slice(),
        [ToProcessor::BaseChain(base_chain::ToProcessor::SetKeys { time_unix_secs: 5, .. })]
    ));
    let mut member = Node::new(3, Honest);
    follow(&mut member, vec![vec![declared()]]);
    assert_eq!(member.store.read(|db| session::get(db, set())).unwrap().unwrap().life, Life::Active);
    assert!(matches!(
        messages(&member).as_slice(),
        [ToProcessor::KeyGen(key_gen::ToProcessor::GenerateKey { .. })]
    ));
}

#[test]
fn a_dropped_set_ends_and_its_processor_is_not_heard_any_more() {
    let mut node = Node::new(0, Honest);
    follow(&mut node, vec![vec![declared()], vec![Event::SetDropped { set: set() }]]);
    assert_eq!(node.store.read(|db| session::get(db, set())).unwrap().unwrap().life, Life::Dropped);
    let participation = Bytes::new(vec![1]).unwrap();
    node.hear(FromProcessor::KeyGen(key_gen::FromProcessor::Participation {
        session: Session(0),
        participation,
    }));
    let genesis = node.store.read(|db| session::get(db, set())).unwrap().unwrap().spec.genesis;
    assert!(node.store.read(|db| own::pending(db, genesis, 9)).unwrap().is_empty());
}

#[test]
fn ref_10_an_executed_batch_waits_for_a_processor_which_lags_and_holds_back_what_follows() {
    // COORD-5, and defects 10 and 28.
    let mut node = Node::new(0, Honest);
    follow(
        &mut node,
        vec![vec![declared()], vec![keys_set()], vec![executed_event(&batch(0))], vec![burn()]],
    );
    assert_eq!(messages(&node).len(), 2, "GenerateKey and SetKeys");
    assert_eq!(node.store.read(|db| feed::waiting(db, network())).unwrap(), (2, Some(BatchId(0))));
    assert!(!node.store.read(|db| processor::owes(db, network())).unwrap(), "nothing to do until then");
    node.hear(made(0));
    let sent = messages(&node);
    let block = |m: &ToProcessor| match m {
        ToProcessor::BaseChain(base_chain::ToProcessor::Block { number, batches, burns }) => {
            Some((number.0, batches.len(), burns.len()))
        }
        _ => None,
    };
    assert_eq!(sent.iter().filter_map(block).collect::<Vec<_>>(), [(2, 1, 0), (3, 0, 1)]);
    assert_eq!(node.store.read(|db| batches::progress(db, network())).unwrap().verified, BatchId(1));
}

#[test]
fn a_batch_other_than_the_processor_expected_halts_its_network_with_evidence() {
    // COORD-5, COORD-9, and defect 28.
    let mut node = Node::new(0, Honest);
    follow(&mut node, vec![vec![declared()], vec![keys_set()]]);
    messages(&node);
    node.hear(made(0));
    let mut other = batch(0);
    other.block = NetworkBlockHash([9; 32]);
    let mut parent = BaseBlockHash::default();
    let blocks = vec![vec![declared()], vec![keys_set()], vec![executed_event(&other), burn()]];
    for (number, events) in (0..).zip(blocks) {
        let block = block(number, parent, events);
        parent = block.hash();
        node.step(|step| rules::apply(step, &block)).unwrap();
    }
    let reason = node.store.read(|db| halt::of_network(db, network())).unwrap().unwrap();
    assert_eq!(reason.code(), "BATCH_MISMATCH");
    assert_eq!(status(&node).halted.unwrap().code, "BATCH_MISMATCH");
    assert!(messages(&node).is_empty(), "neither the batch nor the burn reaches the processor");
    let waits = node.step(|step| processor::apply(step, network(), made(1)));
    assert!(matches!(waits, Err(Error::Halted { .. })), "{waits:?}");
    assert_eq!(node.store.read(|db| batches::progress(db, network())).unwrap().expected, BatchId(1));
}

#[test]
fn a_halted_session_applies_no_block() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.turn();
    let node = &mut cluster.nodes[0];
    node.step(|step| {
        halt::session(step, set(), halt::Reason::Internal { what: "test".to_owned() })?;
        Ok(())
    })
    .unwrap();
    let next =
        OrderedBlock { number: TributaryBlock(2), transactions: Vec::new(), ..OrderedBlock::default() };
    let applied = node.step(|step| session::apply(step, set(), &next)).unwrap();
    assert_eq!(applied, session::Applied::Ended);
}

#[test]
fn a_new_sets_batches_wait_for_the_former_sets() {
    // COORD-7: the first of a new set for all before it, the others for the first.
    let mut node = Node::new(0, Honest);
    let second = ValidatorSet { session: Session(1), ..set() };
    let declared_second = Event::SetDeclared(declaration(&[1, 1, 1, 1], Session(1)));
    follow(&mut node, vec![vec![declared(), declared_second]]);
    let made_by = |session, id| {
        FromProcessor::BaseChain(base_chain::FromProcessor::Batch { session, batch: batch(id) })
    };
    for (session, id) in [(0, 0), (0, 1), (1, 2), (1, 3)] {
        node.hear(made_by(Session(session), id));
    }
    let offered = |node: &Node, set| {
        let genesis = node.store.read(|db| session::get(db, set)).unwrap().unwrap().spec.genesis;
        let kind = Provided::Batch { id: BatchId(0), hash: [0; 32] }.kind();
        node.store.read(|db| own::provided(db, genesis, kind, 0, 9)).unwrap().len()
    };
    assert_eq!((offered(&node, set()), offered(&node, second)), (2, 0));
    let mut parent = node.store.read(|_| {
        block(
            0,
            BaseBlockHash::default(),
            vec![declared(), Event::SetDeclared(declaration(&[1, 1, 1, 1], Session(1)))],
        )
        .hash()
    });
    let mut execute = |node: &mut Node, number: u64, id: u32| {
        let block = block(number, parent, vec![executed_event(&batch(id))]);
        parent = block.hash();
        node.step(|step| rules::apply(step, &block)).unwrap();
    };
    execute(&mut node, 1, 0);
    assert_eq!(offered(&node, second), 0);
    execute(&mut node, 2, 1);
    assert_eq!(offered(&node, second), 1, "every batch before it is verified");
    execute(&mut node, 3, 2);
    assert_eq!(offered(&node, second), 2, "the handover is verified");
}

/// What the processor is handed, with the steps that the shell makes when the outbox is empty.
fn drain(node: &mut Node) -> Vec<ToProcessor> {
    let mut all = messages(node);
    while node.store.read(|db| processor::owes(db, network())).unwrap() {
        node.step(|step| processor::deliver(step, network())).unwrap();
        all.extend(messages(node));
    }
    all
}

/// The life and the number of each block, `GenerateKey` being number 0.
fn handed(messages: &[ToProcessor]) -> Vec<(u64, u64)> {
    let place = |message: &ToProcessor| match message {
        ToProcessor::KeyGen(key_gen::ToProcessor::GenerateKey { incarnation, .. }) => (incarnation.0, 0),
        ToProcessor::KeyGen(key_gen::ToProcessor::Block { incarnation, block, .. }) => {
            (incarnation.0, block.0)
        }
        other => panic!("{other:?}"),
    };
    let is_feed = |message: &&ToProcessor| matches!(message, ToProcessor::BaseChain(_));
    messages.iter().filter(|message| !is_feed(message)).map(place).collect()
}

#[test]
fn a_wiped_processor_of_a_large_set_gets_everything_in_steps_which_the_store_takes() {
    // COORD-10: 80 participations of 250 KB are more than a step may write.
    let mut node = Node::new(0, Honest);
    let declaration = declaration(&[1; 80], Session(0));
    let members = declaration.validators();
    follow(&mut node, vec![vec![Event::SetDeclared(declaration)]]);
    for (number, members) in (1..).zip(members.chunks(7)) {
        let transactions = members.iter().map(|signer| {
            let payload = Signed::DkgParticipation(Bytes::new(vec![1; 250_000]).unwrap());
            Ordered::Signed { signer: *signer, slot: payload.slot(), payload: payload.to_bytes() }
        });
        let block = OrderedBlock {
            number: TributaryBlock(number),
            transactions: transactions.collect(),
            ..OrderedBlock::default()
        };
        node.apply(&block);
        messages(&node);
    }
    let (session, incarnation) = (Session(0), Incarnation(1));
    node.hear(FromProcessor::KeyGen(key_gen::FromProcessor::Resend { session, incarnation }));
    let handed = handed(&drain(&mut node));
    assert_eq!(handed, (0..=12).map(|block| (1, block)).collect::<Vec<_>>());
}

#[test]
fn a_dead_processor_stops_neither_its_tributary_nor_the_base_chain() {
    // COORD-10: what it is owed is a number; other networks' sets are declared in the same blocks.
    let mut node = Node::new(0, Honest);
    let blocks = outbox::MAX_MESSAGES + 5;
    follow(&mut node, vec![vec![declared()]]);
    for number in 1..=blocks {
        let block = OrderedBlock {
            number: TributaryBlock(number),
            transactions: Vec::new(),
            ..OrderedBlock::default()
        };
        let applied = node.step(|step| session::apply(step, set(), &block)).unwrap();
        assert_eq!(applied, session::Applied::Done);
    }
    let former = node.store.read(|db| rules::next_block(db)).unwrap();
    let later = block(0, BaseBlockHash::default(), vec![declared()]).hash();
    let declared = Event::SetDeclared(declaration(&[1, 1, 1, 1], Session(1)));
    let next = block(former.0, later, vec![declared]);
    assert_eq!(node.step(|step| rules::apply(step, &next)).unwrap(), rules::Handled::Done);
    let handed = handed(&drain(&mut node));
    let mut expected: Vec<_> = (0..=blocks).map(|block| (0, block)).collect();
    expected.push((0, 0));
    assert_eq!(handed, expected, "every block of the first, then GenerateKey of the second");
}
