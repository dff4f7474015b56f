//! Several sessions of one network: who is in charge of what, what is handed over, what is forgotten.
//!
//! The test plays the base chain and the coordinators: one feed for all nodes, in order, whoever is in a set.

use std::collections::BTreeMap;

use coordinator_base_chain::{NetworkCurve, signing as base_signing};
use coordinator_store::Store;
use processor_messages::{
    BaseBlock, Batch, BatchId, Burn, FromProcessor, Incarnation, KeyPair, List, Session, ToProcessor,
    TransactionId, base_chain, base_chain::ExecutedBatch, coordinator, sign::SigningId,
};

use super::cluster::{
    CHAIN, Cluster, KEYS_AT_SECS, PACE, Payments, acknowledged, burns, completions, external,
    from_the_beginning, preprocesses_in,
};
use crate::rules::{
    batches::{self, ACTIVATION_MS, HEARTBEAT, WINDOW},
    key_gen, payments,
};

const START_MS: u64 = KEYS_AT_SECS * 1_000 + ACTIVATION_MS;

struct Run {
    cluster: Cluster,
    payments: Payments,
    keys: BTreeMap<Session, KeyPair>,
    /// What the base chain's feed brought.
    feed: Vec<ToProcessor>,
    block: u64,
    now: u64,
    executed: u32,
}

impl Run {
    fn new(nodes: usize) -> Self {
        let cluster = Cluster::new(&vec![1; nodes]);
        let payments = Payments::new(NetworkCurve::Secp256k1);
        let (keys, feed) = (BTreeMap::new(), Vec::new());
        Self { cluster, payments, keys, feed, block: 0, now: START_MS, executed: 0 }
    }

    /// Everybody hears of it.
    fn feed(&mut self, message: base_chain::ToProcessor) {
        let message = ToProcessor::BaseChain(message);
        self.cluster.tell_all(&message);
        self.feed.push(message);
    }

    /// A session generates its keys, which the base chain takes.
    fn begin(&mut self, session: u32, seats: &[(usize, u16)]) {
        let session = Session(session);
        self.cluster.seat(session, seats);
        let pair = self.cluster.generate();
        self.keys.insert(session, pair.clone());
        let time_unix_secs = self.now.saturating_sub(ACTIVATION_MS) / 1_000;
        self.feed(base_chain::ToProcessor::SetKeys { time_unix_secs, session, key_pair: pair });
    }

    fn burn(&mut self, count: u16) -> Vec<(Session, TransactionId)> {
        self.execute(Vec::new(), burns(count));
        let block = self.block;
        let said: Vec<_> = self.said(|letters| acknowledged(letters, block)).into_iter().flatten().collect();
        assert_eq!(said.len(), self.cluster.nodes.len());
        assert!(said.windows(2).all(|two| two[0] == two[1]), "everybody plans the same");
        said[0].clone()
    }

    fn execute(&mut self, batches: Vec<ExecutedBatch>, burns: Vec<Burn>) {
        self.block += 1;
        let (batches, burns) = (List::new(batches).unwrap(), List::new(burns).unwrap());
        self.feed(base_chain::ToProcessor::Block { number: BaseBlock(self.block), batches, burns });
    }

    /// What each node said so far.
    fn said<T>(&self, pick: impl Fn(&[FromProcessor]) -> T) -> Vec<T> {
        self.cluster.indices().for_each(|node| drop(self.cluster.letters(node)));
        self.cluster.said.borrow().iter().map(|letters| pick(letters)).collect()
    }

    fn scan(&self, node: usize) {
        while self.cluster.nodes[node].processor.scan(self.now).unwrap().0 {}
    }

    /// The batches which each node made so far, with the session in charge.
    fn made(&self) -> Vec<Vec<(Session, Batch)>> {
        self.said(|letters| {
            letters
                .iter()
                .filter_map(|letter| match letter {
                    FromProcessor::BaseChain(base_chain::FromProcessor::Batch { session, batch }) => {
                        Some((*session, batch.clone()))
                    }
                    _ => None,
                })
                .collect()
        })
    }

    /// Time passes; everybody looks at the network's blocks, and the base chain executes what all have made.
    fn pass(&mut self, blocks: u64) {
        self.now += blocks * PACE.block_interval_ms;
        loop {
            self.cluster.indices().for_each(|node| self.scan(node));
            let made = self.made();
            let of = |node: &[(Session, Batch)], id| node.iter().find(|(_, batch)| batch.id == id).cloned();
            for (session, batch) in made.iter().flatten() {
                let first = of(&made[0], batch.id);
                assert!(
                    first.is_none_or(|first| first == (*session, batch.clone())),
                    "everybody makes the same batches for the same sessions"
                );
            }
            let next = BatchId(self.executed);
            let all = made.iter().all(|node| of(node, next).is_some());
            let Some((session, batch)) = of(&made[0], next).filter(|_| all) else { return };
            self.executed += 1;
            let executed = ExecutedBatch {
                id: batch.id,
                publisher: session,
                block: batch.block,
                instructions_hash: base_signing::instructions_hash(&batch),
                results: List::default(),
            };
            self.execute(vec![executed], Vec::new());
        }
    }

    fn activation(&self, session: u32) -> u64 {
        let store = &self.cluster.nodes[0].store;
        store.read(|db| batches::activation(db, Session(session))).unwrap().unwrap()
    }

    /// The latest batch and who made it.
    fn last(&self) -> (Session, Batch) {
        self.made()[0].last().cloned().unwrap()
    }

    /// These members of the session which the cluster is about sign a payment, and hand it over.
    fn pay(&self, id: TransactionId, selected: &[usize]) {
        self.cluster.sign(self.cluster.id(SigningId::Transaction(id), 0), selected);
        self.payments.pay(&self.cluster, selected[0]);
    }

    fn retire(&mut self, session: u32) {
        self.feed(base_chain::ToProcessor::SlashesReported { session: Session(session) });
    }
}

const FORMER: [(usize, u16); 4] = [(0, 1), (1, 1), (2, 1), (3, 1)];
/// Three quarters newcomers; node 3 is in both.
const LATTER: [(usize, u16); 4] = [(3, 1), (4, 1), (5, 1), (6, 1)];

/// `PROC-10`: nobody, however far in the network's blocks, is ahead of a session's start.
#[test]
fn a_later_session_begins_at_one_block_for_all_wherever_they_are() {
    for ahead in [0, WINDOW / 2, 3 * WINDOW] {
        let mut run = Run::new(7);
        run.begin(0, &FORMER);
        run.pass(40);
        run.cluster.seat(Session(1), &LATTER);
        let pair = run.cluster.generate();
        // Half of the nodes hurry as far as they can, before they hear of the keys.
        run.now += ahead * PACE.block_interval_ms;
        (0..4).for_each(|node| run.scan(node));
        let session = Session(1);
        run.feed(base_chain::ToProcessor::SetKeys { time_unix_secs: 1, session, key_pair: pair });
        run.pass(0);
        run.pass(2 * WINDOW);
        let made = run.made();
        assert!(made.windows(2).all(|two| two[0] == two[1]));
        let numbers = |session| {
            let of = made[0].iter().filter(move |(of, _)| *of == Session(session));
            of.map(|(_, batch)| external().number(&batch.block).unwrap()).collect::<Vec<_>>()
        };
        let start = run.activation(1);
        assert!(numbers(0).iter().all(|number| *number < start));
        assert_eq!(numbers(1).first(), Some(&start), "its first block is a batch in any case");
    }
}

/// `PROC-17`: the handover.
#[test]
fn a_new_session_s_first_batch_waits_until_the_former_paid_everything() {
    let mut run = Run::new(7);
    run.begin(0, &FORMER);
    run.pass(20);
    let owed = run.burn(2);
    assert_eq!(owed.iter().map(|(session, _)| *session).collect::<Vec<_>>(), [Session(0)]);
    run.begin(1, &LATTER);
    let later = run.burn(1);
    assert_eq!(later[0].0, Session(1), "burns after its keys are the new session's");
    run.pass(3 * WINDOW);
    assert_eq!(run.last().0, Session(0), "nothing of the new session is said");
    // The new session's own payments do not count.
    run.pay(later[0].1, &[3, 4, 5]);
    run.payments.watch_all(&run.cluster);
    run.pass(1);
    assert_eq!(run.last().0, Session(0));

    run.cluster.seat(Session(0), &FORMER);
    run.pay(owed[0].1, &[0, 1, 3]);
    // Each looks at the network for itself.
    run.payments.watch(&run.cluster, 5);
    run.cluster.indices().for_each(|node| run.scan(node));
    let at: Vec<_> = run.made().iter().map(|made| made.last().unwrap().0).collect();
    assert_eq!(at.iter().map(|session| session.0).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 1, 0]);
    run.payments.watch_all(&run.cluster);
    run.pass(1);
    let made = run.made();
    assert!(made.windows(2).all(|two| two[0] == two[1]));
    assert_eq!(run.last().0, Session(1));
    let handover = made[0].iter().find(|(session, _)| *session == Session(1)).unwrap();
    assert_eq!(external().number(&handover.1.block), Some(run.activation(1)), "delayed, and not changed");
    for (node, said) in run.said(completions).iter().enumerate() {
        let of = |session| said.iter().filter(|(of, _)| of.0 == session).count();
        assert_eq!((of(0), of(1)), (1, 1), "node {node}");
    }
}

/// `PROC-17`: there is a handover also if the new session's first block asks nothing of the base chain.
#[test]
fn a_new_session_whose_first_block_has_no_deposit_hands_over_with_an_empty_batch() {
    for offset in 0..2 {
        let mut run = Run::new(7);
        run.begin(0, &FORMER);
        run.pass(20 + offset);
        run.begin(1, &LATTER);
        run.pass(3 * WINDOW);
        let (session, batch) = run.made()[0].iter().find(|(session, _)| session.0 == 1).cloned().unwrap();
        assert_eq!(session, Session(1));
        let start = external().number(&batch.block).unwrap();
        assert_eq!(start, run.activation(1));
        assert_eq!(batch.instructions.is_empty(), !start.is_multiple_of(2));
    }
    const { assert!(HEARTBEAT < WINDOW) };
}

/// A newcomer's processor watched the network under the former key, signs the handover, and so the base chain takes it.
#[test]
fn newcomers_sign_the_handover_with_the_one_who_stays() {
    let mut run = Run::new(7);
    run.begin(0, &FORMER);
    run.pass(20);
    run.begin(1, &LATTER);
    run.pass(3 * WINDOW);
    let (_, batch) = run.made()[0].iter().find(|(session, _)| session.0 == 1).cloned().unwrap();
    // Two thirds newcomers and no member of the former set.
    for selected in [[4, 5, 6], [3, 4, 6]] {
        let id = run.cluster.id(SigningId::Batch(batch.id), 0);
        if selected == [3, 4, 6] {
            // It was executed meanwhile, so nobody signs it again.
            assert!(run.cluster.preprocessed(3, id).is_some());
            continue;
        }
        assert!(selected.iter().all(|node| run.cluster.preprocessed(*node, id).is_some()));
    }
    // The one in both sets signs for each with that session's key.
    let stays = run.said(<[FromProcessor]>::to_vec)[3].clone();
    for (session, batch) in run.made()[0].clone() {
        let id =
            processor_messages::sign::SignId { session, ..run.cluster.id(SigningId::Batch(batch.id), 0) };
        assert!(preprocesses_in(&stays, id).is_some(), "{id:?}");
    }
}

#[test]
fn the_new_session_s_signature_of_the_handover_verifies_under_its_key() {
    let mut run = Run::new(7);
    run.begin(0, &FORMER);
    run.pass(20);
    run.begin(1, &LATTER);
    // Up to the handover, which the base chain does not execute yet.
    while run.last_made_session() == Session(0) {
        run.now += PACE.block_interval_ms;
        run.pass_without_execution_of(Session(1));
    }
    let (_, batch) = run.last();
    let id = run.cluster.id(SigningId::Batch(batch.id), 0);
    run.cluster.sign(id, &[4, 5, 6]);
    let message = base_signing::batch_message(CHAIN, &batch);
    let signed = run.said(|letters| {
        letters.iter().any(|letter| {
            matches!(
                letter,
                FromProcessor::Coordinator(coordinator::FromProcessor::SignedBatch { session, batch })
                    if *session == Session(1)
                        && base_signing::verify(&run.keys[&Session(1)].base, &message, &batch.signature)
            )
        })
    });
    assert_eq!(signed, [false, false, false, false, true, true, true]);
}

impl Run {
    fn last_made_session(&self) -> Session {
        self.made()[0].last().map_or(Session(0), |(session, _)| *session)
    }

    fn pass_without_execution_of(&mut self, session: Session) {
        self.cluster.indices().for_each(|node| self.scan(node));
        if self.last_made_session() != session {
            self.pass(0);
        }
    }
}

/// What is secret of a retired session is destroyed, and nothing of another.
#[test]
fn a_retired_session_s_secrets_are_destroyed_and_the_other_s_kept() {
    let mut run = Run::new(7);
    run.begin(0, &FORMER);
    run.pass(20);
    let open = run.burn(1)[0].1;
    run.begin(1, &LATTER);
    run.cluster.seat(Session(0), &FORMER);
    run.pay(open, &[0, 1, 2]);
    run.payments.watch_all(&run.cluster);
    run.pass(3 * WINDOW);
    let of = |session: u32| run.burn_secrets(session);
    assert!(of(0) && of(1));
    let later = run.cluster.nodes[3].processor.keys(Session(1)).unwrap().unwrap().serialize().to_vec();
    run.retire(0);
    for node in 0..7 {
        let processor = &run.cluster.nodes[node].processor;
        assert!(processor.keys(Session(0)).unwrap().is_none());
        let stages = run.cluster.nodes[node].store.read(|db| key_gen::stages(db)).unwrap();
        assert!(stages.iter().all(|(session, _)| *session == Session(1)));
        let accounts = processor.accounts().unwrap();
        assert_eq!(accounts.iter().map(|(session, _)| session.0).collect::<Vec<_>>(), [1]);
    }
    assert!(!run.burn_secrets(0) && run.burn_secrets(1));
    assert_eq!(run.cluster.nodes[3].processor.keys(Session(1)).unwrap().unwrap().serialize().to_vec(), later);
    // The successor goes on alone.
    let before = run.executed;
    run.pass(10);
    assert!(run.executed > before);
}

impl Run {
    /// Whether the store of node 3 holds anything of a session's signing or keys.
    fn burn_secrets(&self, session: u32) -> bool {
        self.cluster.nodes[3].store.read(|db| {
            let names = ["signing/attempt", "signing/subject", "key_gen/keys", "key_gen/participation"];
            names.iter().any(|name| {
                let mut prefix = [name.as_bytes(), &[0]].concat();
                prefix.extend(session.to_be_bytes());
                !coordinator_store::Read::scan(db, &prefix, &prefix, 1).unwrap().is_empty()
            })
        })
    }
}

/// Two rotations in a row, with one who leaves and comes again, and other weights.
#[test]
fn two_rotations_in_a_row_hand_over_and_pay_each_by_the_session_in_charge_of_it() {
    let mut run = Run::new(8);
    let sets: [&[(usize, u16)]; 3] = [&FORMER, &LATTER, &[(0, 3), (7, 3), (6, 2), (3, 2)]];
    let mut paid = Vec::new();
    for (session, seats) in (0_u32..).zip(sets) {
        run.begin(session, seats);
        let owed = run.burn(3);
        assert_eq!(owed[0].0, Session(session));
        let signers: Vec<_> = seats.iter().map(|(node, _)| *node).take(3).collect();
        run.pay(owed[0].1, &signers);
        paid.extend(owed);
        run.payments.watch_all(&run.cluster);
        run.pass(3 * WINDOW);
        assert_eq!(run.last().0, Session(session), "handed over");
        if session > 0 {
            run.retire(session - 1);
        }
    }
    for said in run.said(completions) {
        assert_eq!(said, paid);
    }
    let sessions: Vec<_> = run.made()[0].iter().map(|(session, _)| *session).collect();
    assert!(sessions.is_sorted());
    let ids: Vec<_> = run.made()[0].iter().map(|(_, batch)| batch.id.0).collect();
    assert_eq!(ids, (0..run.executed).collect::<Vec<_>>());
    assert!(run.activation(2) > 0);
}

/// A processor loses its disk while its former session retires and its new one signs.
#[test]
fn a_processor_wiped_between_two_sessions_comes_to_the_same() {
    let mut run = Run::new(7);
    run.begin(0, &FORMER);
    run.pass(20);
    let owed = run.burn(1)[0];
    run.begin(1, &LATTER);
    run.cluster.seat(Session(0), &FORMER);
    run.pay(owed.1, &[0, 1, 2]);
    run.payments.watch_all(&run.cluster);
    run.pass(3 * WINDOW);
    run.cluster.seat(Session(1), &LATTER);
    let open = run.burn(2)[0];
    let made = run.made()[3].clone();
    let before = run.cluster.nodes[3].store.read(|db| batches::scan_state(db)).unwrap().unwrap();

    run.cluster.wipe(3, run.now);
    run.cluster.said.borrow_mut()[3].clear();
    let life = Incarnation(run.now);
    run.cluster.tell(3, from_the_beginning(life, run.block));
    for message in run.feed.clone() {
        run.cluster.tell(3, message);
    }
    run.payments.watch(&run.cluster, 3);
    run.scan(3);
    let after = run.cluster.nodes[3].store.read(|db| batches::scan_state(db)).unwrap().unwrap();
    assert_eq!(after, before);
    let letters = run.said(<[FromProcessor]>::to_vec)[3].clone();
    assert_eq!(completions(&letters), [owed]);
    let again: Vec<_> = (1..=run.block).flat_map(|block| acknowledged(&letters, block).unwrap()).collect();
    assert_eq!(again, [owed, open]);
    // What it makes from here on is what the others make.
    run.pass(20);
    let (others, own) = (run.made()[0].clone(), run.made()[3].clone());
    assert!(own.len() < made.len(), "what was executed is not made again");
    assert_eq!(own, others[others.len() - own.len()..]);
    run.retire(0);
    run.pass(10);
    assert!(run.cluster.nodes[3].store.read(|db| payments::are_settled_before(db, Session(1))).unwrap());
}
