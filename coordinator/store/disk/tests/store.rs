//! The store through its public face, on a real disk.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs, thread};

use coordinator_store::{Commit, Store, StoreError};
use coordinator_store_disk::{Config, DiskStore, OpenError};
use proptest::prelude::*;

fn put(store: &DiskStore, key: &[u8], value: Vec<u8>) -> Result<Commit, StoreError> {
    let written = store.write(|txn| {
        txn.put(key.to_vec(), value);
        Ok::<_, StoreError>(())
    });
    written.map(|((), commit)| commit)
}

fn get(store: &DiskStore, key: &[u8]) -> Option<Vec<u8>> {
    store.read(|db| db.get(key)).unwrap()
}

/// So small that everything happens all the time.
const SMALL: Config = Config {
    max_pending_bytes: 4 << 10,
    max_batch_bytes: 1 << 10,
    handover_bytes: 2 << 10,
    segment_bytes: 4 << 10,
    max_log_bytes: 16 << 10,
};

#[test]
fn reopening_sees_everything() {
    // STORE-15, without awaiting any commit.
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path()).unwrap();
    for key in 0..100 {
        drop(put(&store, &[key], vec![key; 100]).unwrap());
    }
    drop(store);
    let store = DiskStore::open(dir.path()).unwrap();
    assert_eq!(store.read(|db| db.scan(&[], &[], 1000).unwrap().len()), 100);
}

#[test]
fn a_value_of_four_mebibytes_round_trips() {
    let dir = tempfile::tempdir().unwrap();
    let value: Vec<u8> =
        (0_u32..1 << 20).flat_map(|word| word.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    let store = DiskStore::open(dir.path()).unwrap();
    put(&store, b"large", value.clone()).unwrap().wait().unwrap();
    assert!(get(&store, b"large").unwrap() == value);
    drop(store);
    assert!(get(&DiskStore::open(dir.path()).unwrap(), b"large").unwrap() == value);
}

#[test]
fn a_second_user_of_a_directory_is_refused_and_told_of_the_first() {
    // STORE-14.
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path()).unwrap();
    let Err(error) = DiskStore::open(dir.path()) else { panic!("two users") };
    let holder = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&holder), "{error}");
    store.close().unwrap();
    assert!(DiskStore::open(dir.path()).is_ok());
}

#[test]
fn a_directory_of_another_version_is_refused_and_named() {
    // STORE-14.
    let dir = tempfile::tempdir().unwrap();
    DiskStore::open(dir.path()).unwrap().close().unwrap();
    fs::write(dir.path().join("FORMAT"), "headwater store 2\n").unwrap();
    let Err(error) = DiskStore::open(dir.path()) else { panic!("it opened") };
    assert!(matches!(&error, OpenError::Version { found, .. } if found == "headwater store 2"), "{error}");
}

#[test]
fn a_directory_of_something_else_is_refused() {
    // STORE-14.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letters.txt"), "dear").unwrap();
    assert!(matches!(DiskStore::open(dir.path()), Err(OpenError::NotAStore { .. })));
    assert_eq!(fs::read_to_string(dir.path().join("letters.txt")).unwrap(), "dear");
}

#[test]
fn a_crash_while_the_directory_is_made_leaves_one_that_opens() {
    // STORE-14. What each stage of creation leaves behind.
    for left in [&["LOCK"][..], &["LOCK", "FORMAT.new"]] {
        let dir = tempfile::tempdir().unwrap();
        for name in left {
            fs::write(dir.path().join(name), "half").unwrap();
        }
        assert!(DiskStore::open(dir.path()).is_ok(), "{left:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    DiskStore::open(dir.path()).unwrap().close().unwrap();
    fs::rename(dir.path().join("tables"), dir.path().join("tables.new")).unwrap();
    fs::write(dir.path().join("tables.new").join("metadata"), "half").unwrap();
    assert!(DiskStore::open(dir.path()).is_ok(), "a half-made table store is made again");
}

#[test]
fn a_closed_store_refuses_steps_and_reads_in_every_handle() {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path()).unwrap();
    let other = store.clone();
    let commit = put(&store, b"key", vec![]).unwrap();
    store.close().unwrap();
    assert_eq!(commit.wait(), Ok(()), "what was submitted is durable first");
    assert!(matches!(put(&other, b"key", vec![]), Err(StoreError::Stopped(_))));
    assert!(matches!(other.read(|db| db.get(b"other")), Err(StoreError::Stopped(_))));
    assert_eq!(other.close(), Ok(()));
}

#[test]
fn a_failing_disk_stops_the_store_which_says_why_and_stays_readable() {
    // STORE-9. Each step needs a new segment here, and the directory for it is gone.
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open_with(dir.path(), Config { segment_bytes: 1, ..Config::default() }).unwrap();
    put(&store, b"key", vec![1]).unwrap().wait().unwrap();
    fs::rename(dir.path().join("log"), dir.path().join("lost")).unwrap();
    let failed = put(&store, b"key", vec![2]).unwrap().wait();
    assert!(matches!(failed, Err(StoreError::Disk(_))), "{failed:?}");
    assert!(matches!(put(&store, b"key", vec![3]), Err(StoreError::Stopped(_))));
    assert_eq!(get(&store, b"key"), Some(vec![1]));
    assert_eq!(get(&store, b"none"), None);
    assert!(store.status().stopped.is_some());
    assert!(store.close().is_err());
    fs::rename(dir.path().join("lost"), dir.path().join("log")).unwrap();
    let store = DiskStore::open(dir.path()).unwrap();
    assert_eq!(get(&store, b"key"), Some(vec![1]));
}

#[test]
fn an_empty_step_waits_for_the_steps_it_saw() {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path()).unwrap();
    let first = put(&store, b"key", vec![1]).unwrap();
    let (seen, commit) = store.write(|txn| txn.get(b"key")).unwrap();
    assert_eq!(seen, Some(vec![1]));
    commit.wait().unwrap();
    assert_eq!(first.outcome(), Some(Ok(())));
}

#[test]
fn ref_13_writers_in_many_threads_make_one_order_and_readers_see_no_step_by_half() {
    // STORE-3, STORE-12: with bounds so small that writers wait for room.
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open_with(dir.path(), SMALL).unwrap();
    let steps = 50_u64;
    let count = |bytes: Option<Vec<u8>>| bytes.map_or(0, |b| u64::from_be_bytes(b.try_into().unwrap()));
    thread::scope(|scope| {
        for writer in 0..4_u8 {
            let store = &store;
            scope.spawn(move || {
                for step in 0..steps {
                    let written = store.write(|txn| {
                        let total = count(txn.get(b"total")?) + 1;
                        txn.put(b"total".to_vec(), total.to_be_bytes().to_vec());
                        txn.put(b"twin".to_vec(), total.to_be_bytes().to_vec());
                        txn.put([b"step", &total.to_be_bytes()[..]].concat(), vec![writer; 200]);
                        Ok::<_, StoreError>(())
                    });
                    let commit = written.unwrap().1;
                    if step % 8 == 0 {
                        commit.wait().unwrap();
                    }
                }
            });
        }
        let mut last = 0;
        while last < 4 * steps {
            store.read(|db| {
                let total = count(db.get(b"total").unwrap());
                assert_eq!(count(db.get(b"twin").unwrap()), total);
                let pairs = db.scan(b"step", &[], usize::MAX).unwrap();
                assert_eq!(u64::try_from(pairs.len()).unwrap(), total);
                assert!(total >= last, "durable state never goes back");
                last = total;
            });
        }
    });
    assert!(store.status().log_bytes < 2 * SMALL.max_log_bytes, "the log is emptied at its bound");
}

#[derive(Clone, Debug)]
enum Act {
    Write(Vec<(Vec<u8>, Option<usize>)>),
    Scan(Vec<u8>, Vec<u8>, usize),
    Reopen,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![0..3_u8, Just(255)], 0..5)
}

fn act() -> impl Strategy<Value = Act> {
    let writes = proptest::collection::vec((key(), proptest::option::of(0..700_usize)), 0..12);
    prop_oneof![
        6 => writes.prop_map(Act::Write),
        4 => (key(), key(), 0..10_usize).prop_map(|(prefix, from, limit)| Act::Scan(prefix, from, limit)),
        1 => Just(Act::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    // STORE-7: over handovers, checkpoints and reopenings.
    #[test]
    fn the_store_is_like_a_sorted_map(acts in proptest::collection::vec(act(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = DiskStore::open_with(dir.path(), SMALL).unwrap();
        let mut model = BTreeMap::new();
        for act in acts {
            match act {
                Act::Write(writes) => {
                    for (key, length) in &writes {
                        match length {
                            Some(length) => model.insert(key.clone(), vec![7; *length]),
                            None => model.remove(key),
                        };
                    }
                    let written = store.write(|txn| {
                        for (key, length) in writes {
                            match length {
                                Some(length) => txn.put(key, vec![7; length]),
                                None => txn.delete(&key),
                            }
                        }
                        Ok::<_, StoreError>(())
                    });
                    written.unwrap().1.wait().unwrap();
                }
                Act::Scan(prefix, from, limit) => {
                    let expected: Vec<_> = model.iter()
                        .filter(|(key, _)| key.starts_with(&prefix) && **key >= from)
                        .take(limit)
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect();
                    prop_assert_eq!(store.read(|db| db.scan(&prefix, &from, limit)), Ok(expected.clone()));
                    let stepped = store.write(|txn| txn.scan(&prefix, &from, limit));
                    prop_assert_eq!(stepped.unwrap().0, expected);
                    prop_assert_eq!(get(&store, &from), model.get(&from).cloned());
                }
                Act::Reopen => {
                    store.close().unwrap();
                    store = DiskStore::open_with(dir.path(), SMALL).unwrap();
                }
            }
        }
        let all: Vec<_> = model.into_iter().collect();
        prop_assert_eq!(store.read(|db| db.scan(&[], &[], usize::MAX)), Ok(all));
    }
}
