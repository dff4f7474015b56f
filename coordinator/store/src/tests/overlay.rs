//! Writes over a state read as if they had been done to it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::{
    Counted, MAX_KEY_BYTES, MAX_STEP_BYTES, MemoryStore, Overlay, Read as _, Store as _, StoreError,
    Transaction as _, Writes,
};

fn key() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(0..3_u8, 0..4)
}

proptest! {
    #[test]
    fn an_overlay_reads_like_the_merged_state(
        base in proptest::collection::btree_map(key(), any::<[u8; 2]>(), 0..20),
        writes in proptest::collection::btree_map(key(), any::<Option<[u8; 2]>>(), 0..20),
        (prefix, from) in (key(), key()),
        limit in 0..12_usize,
    ) {
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> =
            base.iter().map(|(key, value)| (key.clone(), value.to_vec())).collect();
        for (key, value) in &writes {
            match value {
                Some(value) => merged.insert(key.clone(), value.to_vec()),
                None => merged.remove(key),
            };
        }
        let store = MemoryStore::default();
        drop(store.write(|txn| {
            for (key, value) in base {
                txn.put(key, value.to_vec());
            }
            Ok::<_, StoreError>(())
        }));
        let writes: Writes = writes.into_iter().map(|(k, v)| (k, v.map(|v| v.to_vec()))).collect();
        store.read(|db| {
            let overlay = Overlay::new(db, &writes);
            let expected: Vec<_> = merged.iter()
                .filter(|(key, _)| key.starts_with(&prefix) && **key >= from)
                .take(limit)
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            assert_eq!(overlay.scan(&prefix, &from, limit).unwrap(), expected);
            assert_eq!(overlay.get(&from).unwrap().as_ref(), merged.get(&from));
        });
    }
}

#[test]
fn a_step_beyond_the_bounds_is_refused_and_nothing_of_it_is_kept() {
    // STORE-12.
    let store = MemoryStore::default();
    for (key, value) in [(vec![0; MAX_KEY_BYTES + 1], vec![]), (vec![0], vec![0; MAX_STEP_BYTES])] {
        let written = store.write(|txn| {
            txn.put(b"before".to_vec(), vec![]);
            txn.put(key, value);
            Ok::<_, StoreError>(())
        });
        assert!(matches!(written, Err(StoreError::TooLarge { .. })));
        assert_eq!(store.read(|db| db.get(b"before")), Ok(None));
    }
}

#[test]
fn what_is_counted_is_never_less_than_what_the_bound_counts() {
    // STORE-12.
    let store = MemoryStore::default();
    let counted = store.write(|txn| {
        let mut txn = Counted::new(txn);
        txn.put(vec![1; 10], vec![1; 90]);
        txn.put(vec![1; 10], vec![2; 190]);
        txn.delete(&[3; 50]);
        assert_eq!(txn.get(&[1; 10])?, Some(vec![2; 190]));
        assert_eq!(txn.scan(&[1], &[], 9)?.len(), 1);
        Ok::<_, StoreError>(txn.bytes())
    });
    assert_eq!(counted.unwrap().0, 100 + 200 + 50);
    assert_eq!(store.read(|db| db.get(&[1; 10])), Ok(Some(vec![2; 190])), "it is written through");
}
