//! The store through its public face, on a real disk.

#![allow(clippy::unwrap_used)]

use coordinator_store::{Store, StoreError};
use coordinator_store_disk::DiskStore;

#[test]
fn reopening_sees_everything() {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path()).unwrap();
    for i in 0..100_u64 {
        let ((), commit) = store
            .write(|txn| {
                txn.put(i.to_be_bytes().to_vec(), vec![1; 100]);
                Ok::<_, StoreError>(())
            })
            .unwrap();
        commit.wait().unwrap();
    }
    drop(store);
    let store = DiskStore::open(dir.path()).unwrap();
    assert_eq!(store.read(|db| db.scan(&[], &[], 1000).unwrap().len()), 100);
}
