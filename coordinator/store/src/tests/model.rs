//! Queues, outboxes and cursors against plain models, over crashes.

use std::collections::VecDeque;

use processor_messages::BaseBlock;
use proptest::prelude::*;

use crate::{
    Advance, Cursor, MemoryStore, Outbox, Push, Put, Queue, Store as _, StoreError, SyncMode, Transaction,
};

const CAPACITY: usize = 4;
const QUEUE: Queue<u8, u16> = Queue::new("queue", 4);
const OUTBOX: Outbox<u8, u16> = Outbox::new("outbox", 4);
const CURSOR: Cursor<u8, BaseBlock> = Cursor::new("cursor", BaseBlock(5));

#[derive(Clone, Debug)]
enum Act {
    Push(u16),
    Pop,
    Advance,
    FailedAdvance,
    Put(u8, u16),
    Acknowledge(u8),
    Process(u64),
    Sync,
    Crash(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => any::<u16>().prop_map(Act::Push),
        1 => Just(Act::Pop),
        1 => Just(Act::Advance),
        1 => Just(Act::FailedAdvance),
        4 => (0..6_u8, 0..2_u16).prop_map(|(intent, value)| Act::Put(intent, value)),
        2 => (0..6_u8).prop_map(Act::Acknowledge),
        2 => (3..20_u64).prop_map(Act::Process),
        2 => Just(Act::Sync),
        1 => (0..6_usize).prop_map(Act::Crash),
    ]
}

#[derive(Clone, Default, PartialEq, Debug)]
struct Model {
    queue: VecDeque<(u64, u16)>,
    pushed: u64,
    outbox: Vec<(u64, u8, u16)>,
    put: u64,
    processed: u64,
}

fn step<T>(store: &MemoryStore, step: impl FnOnce(&mut dyn Transaction) -> Result<T, StoreError>) -> T {
    let (value, _commit) = store.write(step).unwrap();
    value
}

impl Model {
    fn push(&mut self, store: &MemoryStore, scope: u8, item: u16) {
        let pushed = step(store, |txn| QUEUE.push(txn, &scope, &item));
        if self.queue.len() == CAPACITY {
            return assert_eq!(pushed, Push::Full);
        }
        assert_eq!(pushed, Push::Queued(self.pushed));
        self.queue.push_back((self.pushed, item));
        self.pushed += 1;
    }

    fn put(&mut self, store: &MemoryStore, scope: u8, intent: u8, value: u16) {
        let put = step(store, |txn| OUTBOX.put(txn, &scope, &[intent], value));
        if let Some((_, _, present)) = self.outbox.iter().find(|(_, present, _)| *present == intent) {
            return assert_eq!(put, if *present == value { Put::Kept } else { Put::Differs });
        }
        if self.outbox.len() == CAPACITY {
            return assert_eq!(put, Put::Full);
        }
        assert_eq!(put, Put::Added);
        self.outbox.push((self.put, intent, value));
        self.put += 1;
    }

    fn process(&mut self, store: &MemoryStore, scope: u8, block: u64) {
        let advanced = step(store, |txn| {
            CURSOR.advance(txn, &scope, (BaseBlock(block), "item"), |_, item| Ok::<_, StoreError>(item))
        });
        let next = self.processed + 5;
        let expected = match block.cmp(&next) {
            std::cmp::Ordering::Less => Advance::Already,
            std::cmp::Ordering::Equal => Advance::Done("item"),
            std::cmp::Ordering::Greater => Advance::Gap(BaseBlock(next)),
        };
        assert_eq!(advanced, expected);
        self.processed += u64::from(block == next);
    }

    fn run(&mut self, store: &MemoryStore, scope: u8, act: &Act) {
        match act {
            Act::Push(item) => self.push(store, scope, *item),
            Act::Pop => assert_eq!(step(store, |txn| QUEUE.pop(txn, &scope)), self.queue.pop_front()),
            Act::Advance => {
                let advanced = step(store, |txn| {
                    QUEUE.advance(txn, &scope, |_, index, item| Ok::<_, StoreError>((index, item)))
                });
                assert_eq!(advanced, self.queue.pop_front());
            }
            Act::FailedAdvance => failed_advance(store, scope),
            Act::Put(intent, value) => self.put(store, scope, *intent, *value),
            Act::Acknowledge(intent) => {
                let before = self.outbox.len();
                self.outbox.retain(|(_, present, _)| present != intent);
                let removed = step(store, |txn| OUTBOX.acknowledge(txn, &scope, &[*intent]));
                assert_eq!(removed, self.outbox.len() < before);
            }
            Act::Process(block) => self.process(store, scope, *block),
            Act::Sync | Act::Crash(_) => {}
        }
    }

    fn check(&self, store: &MemoryStore, scope: u8) {
        step(store, |txn| {
            assert_eq!(QUEUE.list(txn, &scope, 0, 100)?, Vec::from(self.queue.clone()));
            assert_eq!(QUEUE.peek(txn, &scope)?, self.queue.front().copied());
            assert_eq!(usize::try_from(QUEUE.len(txn, &scope)?).unwrap(), self.queue.len());
            let letters = OUTBOX.list(txn, &scope, 0, 100)?.into_iter();
            let letters: Vec<_> = letters.map(|l| (l.index, l.intent[0], l.value)).collect();
            assert_eq!(letters, self.outbox);
            assert_eq!(usize::try_from(OUTBOX.len(txn, &scope)?).unwrap(), self.outbox.len());
            assert_eq!(CURSOR.next(txn, &scope)?, BaseBlock(self.processed + 5));
            Ok(())
        });
    }
}

/// STORE-10: a failed process leaves the item and keeps nothing, even if the step goes on.
fn failed_advance(store: &MemoryStore, scope: u8) {
    step(store, |txn| {
        let failed = QUEUE.advance(txn, &scope, |txn, _, _| -> Result<(), StoreError> {
            txn.put(b"trace".to_vec(), vec![]);
            Err(StoreError::Disk("no".to_owned()))
        });
        assert!(failed == Ok(None) || failed == Err(StoreError::Disk("no".to_owned())));
        assert_eq!(txn.get(b"trace"), Ok(None));
        Ok(())
    });
}

proptest! {
    /// STORE-10, STORE-13.
    #[test]
    fn queues_outboxes_and_cursors_are_like_their_models(
        acts in proptest::collection::vec((0..2_u8, act()), 0..60)
    ) {
        let mut store = MemoryStore::new(SyncMode::Manual);
        // What the models were after each step that is not durable yet, oldest first.
        let mut models = [Model::default(), Model::default()];
        let mut undurable: VecDeque<[Model; 2]> = VecDeque::new();
        let mut durable = models.clone();
        for (scope, act) in acts {
            let before = store.steps();
            models[usize::from(scope)].run(&store, scope, &act);
            for _ in before..store.steps() {
                undurable.push_back(models.clone());
            }
            match act {
                Act::Sync => {
                    store.sync();
                    durable = models.clone();
                    undurable.clear();
                }
                Act::Crash(kept) => {
                    store = store.crash_keeping(kept);
                    durable = undurable.drain(..kept.min(undurable.len())).next_back().unwrap_or(durable);
                    undurable.clear();
                    models = durable.clone();
                }
                _ => {}
            }
            for scope in [0, 1] {
                let before = store.steps();
                models[usize::from(scope)].check(&store, scope);
                for _ in before..store.steps() {
                    undurable.push_back(models.clone());
                }
            }
        }
    }
}

#[test]
fn a_pruned_scope_leaves_nothing_behind() {
    let store = MemoryStore::default();
    step(&store, |txn| {
        for value in 0..3 {
            assert_eq!(QUEUE.push(txn, &1, &value)?, Push::Queued(u64::from(value)));
            assert_eq!(OUTBOX.put(txn, &1, &value.to_be_bytes(), value)?, Put::Added);
        }
        assert_eq!(CURSOR.begin(txn, &1, BaseBlock(7))?, BaseBlock(7));
        assert_eq!(CURSOR.begin(txn, &1, BaseBlock(9))?, BaseBlock(7), "a sequence begins once");
        assert!(QUEUE.prune(txn, &1, 2)? && OUTBOX.prune(txn, &1, 2)?, "more is left");
        assert!(!QUEUE.prune(txn, &1, 2)? && !OUTBOX.prune(txn, &1, 2)?);
        CURSOR.prune(txn, &1);
        Ok(())
    });
    assert_eq!(store.read(|db| db.scan(&[], &[], 10)), Ok(vec![]));
}
