//! Two rotations in a row: which batches may be offered to whom, in any interleaving.

use std::collections::BTreeMap;

use coordinator_base_chain::{Event, SetDeclaration, signing};
use coordinator_store::Store;
use processor_messages::{
    BaseBlock, BaseBlockHash, Batch, BatchId, FromProcessor, Incarnation, List, Network, NetworkBlockHash,
    Session, ToProcessor, ValidatorSet, base_chain, decode, key_gen,
};
use proptest::prelude::*;

use super::{
    base_chain::{block, messages_of},
    cluster::{Manner::*, Node, declaration},
};
use crate::{
    base_chain as rules, batch as batches,
    batch::Blocked,
    halt, processor,
    session::{self, own, transaction::Provided},
};

fn networks() -> [Network; 2] {
    [Network::new("bitcoin").unwrap(), Network::new("monero").unwrap()]
}

/// For each network: how many batches each of three sessions makes.
const PLAN: [[u32; 3]; 2] = [[3, 2, 3], [1, 4, 2]];

fn session_of(network: usize, id: u32) -> Session {
    let plan = PLAN[network];
    Session(if id < plan[0] { 0 } else { 1 + u32::from(id >= plan[0] + plan[1]) })
}

fn first_of(network: usize, session: Session) -> u32 {
    PLAN[network].iter().take(session.0 as usize).sum()
}

fn count(network: usize) -> u32 {
    PLAN[network].iter().sum()
}

fn batch(network: usize, id: u32) -> Batch {
    let block = NetworkBlockHash([u8::try_from(id).unwrap() + 1; 32]);
    Batch { network: networks()[network], id: BatchId(id), block, instructions: List::default() }
}

/// One coordinator, in some of the sets, as its processors and the base chain speak in any order.
struct Watcher {
    node: Node,
    parent: BaseBlockHash,
    next_block: u64,
    made: [u32; 2],
    executed: [u32; 2],
}

impl Watcher {
    /// In the sets of these sessions; others are between validators who are not us.
    fn new(member_of: [bool; 3]) -> Self {
        let mut node = Node::new(0, Honest);
        node.identity.networks = networks().to_vec();
        let mut watcher =
            Self { node, parent: BaseBlockHash::default(), next_block: 0, made: [0; 2], executed: [0; 2] };
        let mut events = Vec::new();
        for network in networks() {
            for (session, member) in (0..).map(Session).zip(member_of) {
                let SetDeclaration { members, set, .. } = declaration(&[1; 6], session);
                let members = if member { members[..5].to_vec() } else { members[1..].to_vec() };
                let set = ValidatorSet { network, ..set };
                let declared = SetDeclaration { set, members, ..declaration(&[1; 6], session) };
                events.push(Event::SetDeclared(declared));
            }
        }
        watcher.finalize(events);
        watcher
    }

    fn finalize(&mut self, events: Vec<Event>) {
        let block = block(self.next_block, self.parent, events);
        (self.parent, self.next_block) = (block.hash(), self.next_block + 1);
        self.node.step(|step| rules::apply(step, &block)).unwrap();
    }

    /// Its processor makes the next batch of the network.
    fn make(&mut self, network: usize) {
        let id = self.made[network];
        if id < count(network) {
            self.made[network] += 1;
            let (session, batch) = (session_of(network, id), batch(network, id));
            let made = FromProcessor::BaseChain(base_chain::FromProcessor::Batch { session, batch });
            self.node.step(|step| processor::apply(step, networks()[network], made)).unwrap();
        }
    }

    /// The base chain executes the next batch: others' processors may be ahead of ours.
    fn execute(&mut self, network: usize) {
        let id = self.executed[network];
        if id < count(network) {
            self.executed[network] += 1;
            let executed = base_chain::ExecutedBatch {
                id: BatchId(id),
                publisher: session_of(network, id),
                block: batch(network, id).block,
                instructions_hash: signing::instructions_hash(&batch(network, id)),
                results: List::default(),
            };
            self.finalize(vec![Event::BatchExecuted { network: networks()[network], batch: executed }]);
        }
    }

    fn verified(&self, network: usize) -> u32 {
        self.made[network].min(self.executed[network])
    }

    /// What is offered to the tributary of each session which we are in.
    fn offered(&self, network: usize) -> BTreeMap<Session, Vec<u32>> {
        let mut offered = BTreeMap::new();
        for session in (0..3).map(Session) {
            let set = ValidatorSet { network: networks()[network], session };
            let Some(record) = self.node.store.read(|db| session::get(db, set)).unwrap() else { continue };
            let kind = Provided::Batch { id: BatchId(0), hash: [0; 32] }.kind();
            let rows =
                self.node.store.read(|db| own::provided(db, record.spec.genesis, kind, 0, 99)).unwrap();
            let id = |payload: &Vec<u8>| match decode(payload, 100).unwrap() {
                Provided::Batch { id, .. } => id.0,
                other => panic!("{other:?}"),
            };
            offered.insert(session, rows.iter().map(id).collect());
        }
        offered
    }

    /// COORD-7, and that nothing which may be offered is held back.
    fn check(&self) {
        for network in 0..2 {
            let verified = self.verified(network);
            for (session, offered) in self.offered(network) {
                let first = first_of(network, session);
                let of_session = |id: &u32| session_of(network, *id) == session;
                let may = |id: &u32| match session.0 {
                    0 => true,
                    _ if *id == first => verified >= first,
                    _ => verified > first,
                };
                let expected: Vec<u32> = (0..self.made[network]).filter(of_session).filter(may).collect();
                assert_eq!(offered, expected, "network {network}, {session:?}, verified {verified}");
            }
            let waiting = self.node.store.read(|db| batches::waiting(db, networks()[network], 99)).unwrap();
            let offered: usize = self.offered(network).values().map(Vec::len).sum();
            if self.offered(network).len() == 3 {
                assert_eq!(
                    offered + waiting.len(),
                    self.made[network] as usize,
                    "offered, or shown as waiting"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_of_a_new_set_is_offered_before_the_former_sets_batches_are_verified(
        ops in proptest::collection::vec((0_usize..2, any::<bool>()), 10..80),
        member_of in [any::<bool>(), any::<bool>(), any::<bool>()],
    ) {
        // COORD-7: three sessions, any interleaving of our processor and the base chain, members of any of them.
        let mut watcher = Watcher::new(member_of);
        for (network, makes) in ops {
            if makes { watcher.make(network) } else { watcher.execute(network) }
            watcher.check();
        }
        // In the end everything is offered: no member of the former set is needed for the newcomer to go on.
        for network in 0..2 {
            (0..count(network)).for_each(|_| watcher.make(network));
            (0..count(network)).for_each(|_| watcher.execute(network));
        }
        watcher.check();
        for network in 0..2 {
            let progress = watcher.node.store.read(|db| batches::progress(db, networks()[network])).unwrap();
            let all = BatchId(count(network));
            prop_assert_eq!((progress.offered, progress.verified, progress.forgotten), (all, all, all));
        }
    }
}

#[test]
fn ref_29_one_networks_stall_stops_no_other() {
    // COORD-7: the first network's handover waits for a batch which is never executed.
    let mut watcher = Watcher::new([true; 3]);
    (0..count(0)).for_each(|_| watcher.make(0));
    watcher.execute(0);
    for _ in 0..count(1) {
        watcher.make(1);
        watcher.execute(1);
    }
    watcher.check();
    let offered = |network| watcher.offered(network).values().map(Vec::len).collect::<Vec<_>>();
    assert_eq!((offered(0), offered(1)), (vec![3, 0, 0], vec![1, 4, 2]));
}

#[test]
fn ref_28_a_handover_which_waits_says_for_what_and_loops_nowhere() {
    // COORD-7, COORD-13.
    let mut watcher = Watcher::new([false, true, true]);
    (0..count(0)).for_each(|_| watcher.make(0));
    let waiting = |watcher: &Watcher| {
        let waiting = watcher.node.store.read(|db| batches::waiting(db, networks()[0], 99)).unwrap();
        waiting.into_iter().map(|w| (w.batch.0, w.session.0, w.reason)).collect::<Vec<_>>()
    };
    let former = |id| Blocked::FormerBatches { awaited: BatchId(id) };
    let handover = |id| Blocked::Handover { first: BatchId(id) };
    let of_last = [(5, 2, former(0)), (6, 2, handover(5)), (7, 2, handover(5))];
    assert_eq!(waiting(&watcher), [&[(3, 1, former(0)), (4, 1, handover(3))], &of_last[..]].concat());
    assert_eq!((former(0).code(), handover(3).code()), ("FORMER_BATCHES_UNVERIFIED", "HANDOVER_UNVERIFIED"));
    (0..3).for_each(|_| watcher.execute(0));
    assert_eq!(waiting(&watcher)[0], (4, 1, handover(3)), "the handover is offered");
    watcher.execute(0);
    assert_eq!(waiting(&watcher).len(), 3, "so are the others once it is verified");
    assert_eq!(waiting(&watcher)[0], (5, 2, former(4)));
    // A member of no set at all still moves on: it may be in the next one.
    let mut outsider = Watcher::new([false; 3]);
    for _ in 0..count(0) {
        outsider.make(0);
        outsider.execute(0);
    }
    let progress = outsider.node.store.read(|db| batches::progress(db, networks()[0])).unwrap();
    assert_eq!((progress.offered, progress.verified), (BatchId(8), BatchId(8)));
}

#[test]
fn a_processor_which_goes_back_to_a_former_session_halts_its_network() {
    // COORD-7, COORD-9.
    let mut watcher = Watcher::new([true; 3]);
    let made = |session, id| {
        let batch = batch(0, id);
        FromProcessor::BaseChain(base_chain::FromProcessor::Batch { session: Session(session), batch })
    };
    let network = networks()[0];
    for (session, id) in [(1, 0), (0, 1)] {
        watcher.node.step(|step| processor::apply(step, network, made(session, id))).unwrap();
    }
    let reason = watcher.node.store.read(|db| halt::of_network(db, network)).unwrap().unwrap();
    assert_eq!(reason.code(), "BATCH_SESSION");
    assert!(watcher.node.store.read(|db| halt::of_network(db, networks()[1])).unwrap().is_none());
}

#[test]
fn a_handover_concerns_the_retiring_sets_members_alone() {
    // SIGN-16, and defect 15: the event names both sets.
    let mut watcher = Watcher::new([true, true, false]);
    let network = networks()[0];
    let derived = |watcher: &Watcher, session| {
        let set = ValidatorSet { network, session: Session(session) };
        let Some(record) = watcher.node.store.read(|db| session::get(db, set)).unwrap() else { return 0 };
        let handed_over = Provided::HandedOver { block: BaseBlock(watcher.next_block - 1) };
        let rows = watcher
            .node
            .store
            .read(|db| own::provided(db, record.spec.genesis, handed_over.kind(), 0, 99))
            .unwrap();
        rows.iter().filter(|payload| **payload == handed_over.to_bytes()).count()
    };
    let hand_over = |watcher: &mut Watcher, from| {
        watcher.finalize(vec![Event::HandoverAccepted {
            retiring: ValidatorSet { network, session: Session(from) },
            accepted_by: Session(from + 1),
            slash_report_deadline: BaseBlock(900),
        }]);
    };
    hand_over(&mut watcher, 0);
    assert_eq!([derived(&watcher, 0), derived(&watcher, 1), derived(&watcher, 2)], [1, 0, 0]);
    hand_over(&mut watcher, 1);
    assert_eq!([derived(&watcher, 0), derived(&watcher, 1), derived(&watcher, 2)], [0, 1, 0]);
    hand_over(&mut watcher, 2);
    assert_eq!([derived(&watcher, 0), derived(&watcher, 1), derived(&watcher, 2)], [0, 0, 0], "not in it");
}

#[test]
fn a_wiped_processor_gets_the_networks_history_in_a_later_session_too() {
    // COORD-10: also if the session it asks for is over, or not ours.
    let mut watcher = Watcher::new([false, false, true]);
    watcher.finalize(vec![Event::KeysSet {
        set: ValidatorSet { network: networks()[1], session: Session(0) },
        key_pair: super::cluster::key_pair(0),
        signers: coordinator_base_chain::Signers::default(),
    }]);
    let drained = |watcher: &mut Watcher| {
        let network = networks()[1];
        while watcher.node.store.read(|db| processor::owes(db, network)).unwrap() {
            watcher.node.step(|step| processor::deliver(step, network)).unwrap();
        }
        messages_of(&watcher.node, network)
    };
    let first = drained(&mut watcher);
    let generate = |message: &ToProcessor| {
        matches!(message, ToProcessor::KeyGen(key_gen::ToProcessor::GenerateKey { session: Session(2), .. }))
    };
    let keys = |message: &ToProcessor| {
        let ToProcessor::BaseChain(message) = message else { return false };
        matches!(message, base_chain::ToProcessor::SetKeys { session: Session(0), .. })
    };
    assert_eq!(first.len(), 2, "{first:?}");
    assert!(first.iter().any(generate) && first.iter().any(keys), "{first:?}");
    let resend = |session| {
        let incarnation = Incarnation(1);
        FromProcessor::KeyGen(key_gen::FromProcessor::Resend { session: Session(session), incarnation })
    };
    watcher.node.step(|step| processor::apply(step, networks()[1], resend(0))).unwrap();
    let again = drained(&mut watcher);
    assert_eq!(again.len(), 2, "{again:?}");
    let ToProcessor::BaseChain(base_chain::ToProcessor::FromTheBeginning { incarnation, .. }) = again[0]
    else {
        panic!("{again:?}")
    };
    assert!((incarnation == Incarnation(1)) && keys(&again[1]), "{again:?}");
    watcher.node.step(|step| processor::apply(step, networks()[1], resend(2))).unwrap();
    let last = drained(&mut watcher);
    assert!((last.len() == 1) && generate(&last[0]), "the keys not once more: {last:?}");
}
