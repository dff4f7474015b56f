use std::collections::{BTreeMap, VecDeque};

use coordinator_store::{MemoryStore, Store};
use processor_messages::{
    BaseBlock, Batch, BatchId, FromProcessor, Incarnation, List, NetworkBlockHash, Session, ToProcessor,
    base_chain as feed, key_gen,
};
use proptest::prelude::*;

use super::*;

const TO: Direction = Direction::ToProcessor;

fn network(name: &str) -> Network {
    name.parse().unwrap()
}

fn intent(number: u64) -> Intent {
    FromProcessor::KeyGen(key_gen::FromProcessor::Resend {
        session: Session(0),
        incarnation: Incarnation(number),
    })
    .intent(network("a"))
}

fn push_in(store: &MemoryStore, name: &str, number: u64, bytes: &[u8]) -> Result<Pushed, QueueError> {
    let step = |txn: &mut dyn Transaction| push(txn, network(name), TO, &intent(number), bytes.to_vec());
    store.write(step).map(|(pushed, _)| pushed)
}

fn acknowledge_in(store: &MemoryStore, name: &str, id: u64) -> Result<(), QueueError> {
    store.write(|txn| acknowledge(txn, network(name), TO, id)).map(|((), _)| ())
}

fn head_in(store: &MemoryStore, name: &str) -> Option<(u64, Vec<u8>)> {
    store.read(|db| head(db, network(name), TO)).unwrap()
}

/// `MQ-1`.
#[test]
fn mq_1_an_intent_is_queued_once_even_after_it_was_acknowledged() {
    let store = MemoryStore::default();
    assert_eq!(push_in(&store, "a", 7, b"first"), Ok(Pushed::Queued(0)));
    assert_eq!(push_in(&store, "a", 7, b"other"), Ok(Pushed::Duplicate(0)));
    acknowledge_in(&store, "a", 0).unwrap();
    assert_eq!(push_in(&store, "a", 7, b"first"), Ok(Pushed::Duplicate(0)));
    assert_eq!(head_in(&store, "a"), None);
}

/// `MQ-2`.
#[test]
fn mq_2_ids_count_from_zero_in_each_pair_and_direction() {
    let store = MemoryStore::default();
    for name in ["a", "b"] {
        for number in 0..3 {
            assert_eq!(push_in(&store, name, number, b"x"), Ok(Pushed::Queued(number)));
        }
    }
    let from =
        store.write(|txn| push(txn, network("a"), Direction::FromProcessor, &intent(0), b"y".to_vec()));
    assert_eq!(from.unwrap().0, Pushed::Queued(0));
}

/// `MQ-4`.
#[test]
fn mq_4_only_the_head_can_be_acknowledged() {
    let store = MemoryStore::default();
    push_in(&store, "a", 0, b"x").unwrap();
    push_in(&store, "a", 1, b"y").unwrap();
    for id in [1, 2, u64::MAX] {
        assert_eq!(
            acknowledge_in(&store, "a", id),
            Err(QueueError::NotDelivered { network: network("a"), id })
        );
    }
    acknowledge_in(&store, "a", 0).unwrap();
    acknowledge_in(&store, "a", 0).unwrap();
    assert_eq!(head_in(&store, "a"), Some((1, b"y".to_vec())));
}

/// `MQ-5`.
#[test]
fn mq_5_a_full_queue_refuses_until_its_receiver_acknowledges() {
    let store = MemoryStore::default();
    let fill = |txn: &mut dyn Transaction| {
        for number in 0..MAX_MESSAGES {
            push(txn, network("a"), TO, &intent(number), vec![0])?;
        }
        Ok::<_, QueueError>(())
    };
    drop(store.write(fill).unwrap());
    let refused = push_in(&store, "a", MAX_MESSAGES, b"x").unwrap_err();
    assert!(refused.to_string().contains("start its processor"), "{refused}");
    assert_eq!(push_in(&store, "b", 0, b"another network is not harmed"), Ok(Pushed::Queued(0)));
    acknowledge_in(&store, "a", 0).unwrap();
    assert_eq!(push_in(&store, "a", MAX_MESSAGES, b"x"), Ok(Pushed::Queued(MAX_MESSAGES)));
}

/// `MQ-5`.
#[test]
fn mq_5_the_bytes_of_a_queue_are_bounded_too() {
    let store = MemoryStore::default();
    let mut queued = 0;
    let megabyte = vec![0; 1 << 20];
    while push_in(&store, "a", queued, &megabyte).is_ok() {
        queued += 1;
    }
    assert_eq!(queued << 20, MAX_BYTES);
}

fn said(message: &FromProcessor) -> (Direction, Intent) {
    (Direction::FromProcessor, message.intent(network("a")))
}

fn blame(session: u32, index: u32) -> (Direction, Intent) {
    let mut validator = [0; 32];
    validator[..4].copy_from_slice(&index.to_le_bytes());
    let validator = processor_messages::Validator(validator);
    let blame = key_gen::FromProcessor::Blame { session: Session(session), validator };
    said(&FromProcessor::KeyGen(blame))
}

fn acknowledged(block: u64) -> (Direction, Intent) {
    let (block, transactions) = (BaseBlock(block), List::default());
    said(&FromProcessor::BaseChain(feed::FromProcessor::BlockAcknowledged { block, transactions }))
}

fn batch(id: u32) -> (Direction, Intent) {
    let (network, session, block) = (network("a"), Session(0), NetworkBlockHash([1; 32]));
    let batch = Batch { network, id: BatchId(id), block, instructions: List::default() };
    said(&FromProcessor::BaseChain(feed::FromProcessor::Batch { session, batch }))
}

fn block(life: u64, number: u64) -> (Direction, Intent) {
    let (number, batches, burns) = (BaseBlock(number), List::default(), List::default());
    let message = ToProcessor::BaseChain(feed::ToProcessor::Block { number, batches, burns });
    (TO, message.intent_in(network("a"), Incarnation(life)))
}

/// Pushes, and if it was queued acknowledges it as well.
fn taken(store: &MemoryStore, (direction, intent): (Direction, Intent)) -> Pushed {
    let step = |txn: &mut dyn Transaction| {
        let pushed = push(txn, network("a"), direction, &intent, b"x".to_vec())?;
        if let Pushed::Queued(id) = pushed {
            acknowledge(txn, network("a"), direction, id)?;
        }
        Ok::<_, QueueError>(pushed)
    };
    store.write(step).unwrap().0
}

fn forget_in(store: &MemoryStore, session: u32, limit: usize) -> bool {
    store.write(|txn| forget(txn, network("a"), Session(session), limit)).unwrap().0
}

/// All rows of the queue.
fn rows(store: &MemoryStore) -> usize {
    store.read(|db| db.scan(b"", b"", usize::MAX)).unwrap().len()
}

/// `MQ-10`.
#[test]
fn ref_38_mq_10_what_is_remembered_of_intents_is_bounded() {
    let store = MemoryStore::default();
    let mut at_the_end = Vec::new();
    for session in 0..20 {
        for index in 0..300 {
            let number = (session * 300) + index;
            for message in
                [blame(session, index), acknowledged(number.into()), batch(number), block(0, number.into())]
            {
                assert!(matches!(taken(&store, message), Pushed::Queued(_)));
            }
        }
        // Some at a time; the last call says so.
        assert!(!forget_in(&store, session, 200));
        assert!(forget_in(&store, session, 200));
        at_the_end.push(rows(&store));
    }
    // Two ends of queues, two last blocks, and the mark of each session which is over.
    let expected: Vec<usize> = (1..=20).map(|over| 4 + over).collect();
    assert_eq!(at_the_end, expected);
}

/// `MQ-10`.
#[test]
fn ref_38_mq_10_what_was_taken_is_not_taken_again_after_it_was_forgotten() {
    let store = MemoryStore::default();
    assert_eq!(taken(&store, blame(0, 0)), Pushed::Queued(0));
    assert_eq!(taken(&store, blame(0, 0)), Pushed::Duplicate(0));
    assert!(forget_in(&store, 0, 200));
    for message in [blame(0, 0), blame(0, 1)] {
        assert_eq!(taken(&store, message), Pushed::Past, "its session is over");
    }
    assert_eq!(taken(&store, blame(1, 0)), Pushed::Queued(1), "another session goes on");
    assert_eq!(taken(&store, acknowledged(7)), Pushed::Queued(2));
    for number in [0, 6, 7] {
        assert_eq!(taken(&store, acknowledged(number)), Pushed::Past);
    }
    assert_eq!(taken(&store, acknowledged(8)), Pushed::Queued(3));
}

/// `MQ-10`.
#[test]
fn mq_10_each_life_of_a_disk_hears_all_blocks_once() {
    let store = MemoryStore::default();
    let mut id = 0;
    for life in [0, 1, 5] {
        for number in [2, 3, 9] {
            assert_eq!(taken(&store, block(life, number)), Pushed::Queued(id));
            assert_eq!(taken(&store, block(life, number)), Pushed::Past);
            id += 1;
        }
    }
    assert_eq!(taken(&store, block(1, 10)), Pushed::Past, "of a life which is over");
}

/// `MQ-10`.
#[test]
fn mq_10_what_waits_when_its_session_ends_is_still_delivered() {
    let store = MemoryStore::default();
    let (direction, intent) = blame(0, 0);
    let step = |txn: &mut dyn Transaction| push(txn, network("a"), direction, &intent, b"first".to_vec());
    assert_eq!(store.write(step).unwrap().0, Pushed::Queued(0));
    assert!(forget_in(&store, 0, 200));
    let waits = store.read(|db| head(db, network("a"), direction)).unwrap();
    assert_eq!(waits, Some((0, b"first".to_vec())));
}

#[derive(Clone, Debug)]
enum Action {
    Push { number: u64, length: usize },
    Acknowledge { back: u64 },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (0..30_u64, 0..9_usize).prop_map(|(number, length)| Action::Push { number, length }),
        (0..4_u64).prop_map(|back| Action::Acknowledge { back }),
    ]
}

proptest! {
    /// Whatever happens, the queue is what a list with a set of seen intents would be.
    #[test]
    fn the_queue_behaves_like_its_model(actions in proptest::collection::vec(action(), 0..200)) {
        let store = MemoryStore::default();
        let (mut waiting, mut seen) = (VecDeque::new(), BTreeMap::new());
        let mut next = 0;
        for action in actions {
            match action {
                Action::Push { number, length } => {
                    let pushed = push_in(&store, "a", number, &vec![1; length]).unwrap();
                    if let Some(id) = seen.get(&number) {
                        prop_assert_eq!(pushed, Pushed::Duplicate(*id));
                    } else {
                        prop_assert_eq!(pushed, Pushed::Queued(next));
                        seen.insert(number, next);
                        waiting.push_back((next, vec![1; length]));
                        next += 1;
                    }
                }
                Action::Acknowledge { back } => {
                    let id = (next + 1).saturating_sub(back);
                    let first = waiting.front().map_or(next, |(id, _)| *id);
                    let done = acknowledge_in(&store, "a", id);
                    prop_assert_eq!(done.is_ok(), (id < first) || (!waiting.is_empty() && id == first));
                    if done.is_ok() && (id == first) {
                        waiting.pop_front();
                    }
                }
            }
            prop_assert_eq!(head_in(&store, "a"), waiting.front().cloned());
            let depth = store.read(|db| depth(db, network("a"), TO)).unwrap();
            prop_assert_eq!(depth.messages(), waiting.len() as u64);
            prop_assert_eq!(depth.bytes, waiting.iter().map(|(_, m)| m.len() as u64).sum::<u64>());
        }
    }
}
