//! The memory backend loses what it may, and nothing else.

use crate::{Commit, MemoryStore, Store as _, StoreError, SyncMode};

fn put(store: &MemoryStore, key: u8) -> Result<Commit, StoreError> {
    let written = store.write(|txn| {
        txn.put(vec![key], vec![]);
        Ok::<_, StoreError>(txn.scan(&[], &[], 10)?.len())
    });
    written.map(|(_, commit)| commit)
}

fn durable(store: &MemoryStore) -> usize {
    store.read(|db| db.scan(&[], &[], 100).unwrap().len())
}

#[test]
fn a_reader_sees_a_step_when_it_is_durable_and_not_before() {
    // STORE-3.
    let store = MemoryStore::new(SyncMode::Manual);
    let commit = put(&store, 1).unwrap();
    assert_eq!((durable(&store), commit.outcome()), (0, None));
    let seen = store.write(|txn| Ok::<_, StoreError>(txn.get(&[1])?.is_some())).unwrap().0;
    assert!(seen, "a step sees every step before it");
    store.sync();
    assert_eq!((durable(&store), commit.outcome()), (1, Some(Ok(()))));
}

#[test]
fn a_crash_keeps_a_prefix_and_breaks_the_promises_it_cannot_keep() {
    for kept in 0..4 {
        let store = MemoryStore::new(SyncMode::Manual);
        let commits: Vec<_> = (0..3).map(|key| put(&store, key).unwrap()).collect();
        let after = store.crash_keeping(kept);
        assert_eq!(durable(&after), kept.min(3));
        assert!(commits.iter().all(|commit| matches!(commit.outcome(), Some(Err(StoreError::Stopped(_))))));
        assert!(matches!(put(&store, 9), Err(StoreError::Stopped(_))), "the former store is dead");
        assert!(put(&after, 9).is_ok());
    }
}

#[test]
fn a_crash_keeps_what_was_synced() {
    let store = MemoryStore::new(SyncMode::Manual);
    let commits: Vec<_> = (0..3).map(|key| put(&store, key).unwrap()).collect();
    store.sync_steps(2);
    assert_eq!(durable(&store.crash()), 2);
    assert_eq!(commits[1].outcome(), Some(Ok(())));
    assert!(matches!(commits[2].outcome(), Some(Err(_))));
}

#[test]
fn a_store_told_to_stop_after_a_step_stops_there() {
    let store = MemoryStore::default();
    store.stop_after(2);
    assert!(put(&store, 1).is_ok() && put(&store, 2).is_ok());
    assert!(matches!(put(&store, 3), Err(StoreError::Stopped(_))));
    assert_eq!(durable(&store.crash()), 2);
}

#[test]
fn nothing_of_a_failed_step_is_kept() {
    // STORE-3.
    let store = MemoryStore::default();
    let failed = store.write(|txn| -> Result<(), StoreError> {
        txn.put(vec![1], vec![]);
        Err(StoreError::Disk("no".to_owned()))
    });
    assert!(failed.is_err());
    assert_eq!(durable(&store), 0);
}

#[test]
fn only_durable_steps_which_wrote_are_changes() {
    let store = MemoryStore::new(SyncMode::Manual);
    let put = |value: &'static [u8]| {
        let step = store.write(|txn| {
            if !value.is_empty() {
                txn.put(b"key".to_vec(), value.to_vec());
            }
            Ok::<_, StoreError>(())
        });
        drop(step.unwrap());
    };
    put(b"a");
    assert_eq!(store.changes(), 0);
    put(b"");
    put(b"b");
    store.sync_steps(2);
    assert_eq!(store.changes(), 1);
    store.sync();
    assert_eq!((store.changes(), store.crash().changes()), (2, 0));
}
