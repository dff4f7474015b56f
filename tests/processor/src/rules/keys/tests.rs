use std::cell::Cell;

use coordinator_store::Store;
use processor_messages::Session;
use rand_core::OsRng;

use super::*;
use crate::tests::cluster::{Cluster, SESSION, processor_identity};

/// `PROC-21`.
#[test]
fn keys_are_opened_once_for_each_sealing() {
    let (cluster, _) = Cluster::with_keys(&[1, 1, 1, 1]);
    let keys = cluster.nodes[0].processor.keys(SESSION).unwrap().unwrap();
    let (opened, opens) = (Opened::default(), Cell::new(0));
    let get = |session: u32, sealed: &[u8]| {
        let open = || {
            opens.set(opens.get() + 1);
            Ok(keys.clone())
        };
        drop(opened.get(Session(session), sealed, open).unwrap());
        opens.get()
    };
    assert_eq!([get(0, b"a"), get(0, b"a"), get(1, b"a"), get(0, b"b"), get(0, b"b")], [1, 1, 2, 3, 3]);
    assert!(opened.get(Session(2), b"c", || Err(Error::LettersFull)).is_err());
    assert_eq!(opened.sessions(), [Session(0), Session(1)]);
    for session in 0..=10 {
        get(session, b"d");
    }
    assert_eq!(opened.sessions().len(), MAX_OPENED);
}

/// `PROC-21`.
#[test]
fn destroyed_keys_are_open_no_more() {
    let (cluster, _) = Cluster::with_keys(&[1, 1, 1, 1]);
    let (store, me) = (&cluster.nodes[0].store, processor_identity(0));
    let load = || store.read(|db| load_keys(db, &me, SESSION)).unwrap().is_some();
    assert!(load());
    assert_eq!(me.opened.sessions(), [SESSION]);
    let destroyed = store.write(|txn| {
        destroy(&mut Step::new(txn, &me, &mut OsRng), SESSION);
        Ok::<_, Error>(())
    });
    drop(destroyed.unwrap());
    assert_eq!(me.opened.sessions(), []);
    assert!(!load());
}
