//! Four drivers over real loopback TCP, each with a store of its own.

use std::{future::Future, net::SocketAddr, path::Path, time::Duration};

use coordinator_keys::SecretKey;
use coordinator_p2p as p2p;
use coordinator_store::{MemoryStore, Store, StoreError, SyncMode, Table};
use coordinator_store_disk::DiskStore;
use processor_messages::{Bytes, ChainGenesis, Genesis, KeyShares, TributaryBlock, Validator};
use tokio::sync::watch;
use tributary::{Chain, ChainConfig, ChainInput, Config, DECIDED, Kind, Limits, Members, Open};

use crate::{Driver, End, Handle};

const GENESIS: Genesis = Genesis([7; 32]);

pub(super) fn key(index: u8) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[0] = index + 1;
    SecretKey::from_bytes(&bytes).unwrap()
}

fn validator(index: u8) -> Validator {
    Validator(key(index).public().to_bytes())
}

pub(super) fn members(genesis: Genesis, count: u8) -> Members {
    let validators: Vec<_> = (0..count).map(|index| (validator(index), KeyShares(1))).collect();
    Members::new(genesis, &validators, Limits::default()).unwrap()
}

pub(super) fn timing() -> Config {
    let ms = Duration::from_millis;
    Config {
        interval: ms(20),
        heartbeat: ms(1_000),
        propose: ms(400),
        vote: ms(150),
        max_timeout: ms(5_000),
        rebroadcast: ms(500),
        sync: ms(200),
        resend: ms(500),
    }
}

pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it happens within 30 s")
}

pub(super) async fn network(index: u8, listen: Option<SocketAddr>) -> p2p::Handle {
    let listen = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let config = p2p::Config {
        redial_first: Duration::from_millis(20),
        redial_most: Duration::from_millis(200),
        ..p2p::Config::new(ChainGenesis([9; 32]), listen)
    };
    p2p::start(config, key(index)).await.unwrap()
}

pub(super) async fn introduce(networks: &[p2p::Handle]) {
    let peers: Vec<_> =
        (0..).zip(networks).map(|(i, n)| (validator(i), vec![n.listen_address().to_string()])).collect();
    for network in networks {
        network.set_peers(peers.clone()).await.unwrap();
    }
}

/// Opens a chain at one node and spawns its driver.
async fn drive<S: Store>(
    store: &S,
    network: &p2p::Handle,
    genesis: Genesis,
    (index, count): (u8, u8),
) -> Result<Handle<ChainInput>, End> {
    let chain = Chain::new(key(index), ChainConfig::default());
    let open = Open { config: timing(), store_is_current: true };
    let members = members(genesis, count);
    let opened = Driver::open(store.clone(), network.clone(), members, key(index), chain, open).await;
    let (driver, handle) = opened?;
    tokio::spawn(driver.run());
    Ok(handle)
}

pub(super) async fn reach(decided: &watch::Receiver<TributaryBlock>, height: u64) {
    soon(decided.clone().wait_for(|decided| decided.0 >= height)).await.unwrap();
}

fn hashes(store: &impl Store, genesis: Genesis, upto: u64) -> Vec<[u8; 32]> {
    let hash = |height| {
        let key = (genesis, TributaryBlock(height));
        store.read(|db| DECIDED.get(db, &key)).unwrap().unwrap().block.header.hash(genesis).0
    };
    (1..=upto).map(hash).collect()
}

/// Twenty heights by four; the last stops on the way, misses many, and catches up after its restart.
async fn twenty_heights_and_a_restart<S: Store>(stores: Vec<S>, reopen: impl Fn(S) -> S) {
    let mut stores = stores;
    let mut networks = Vec::new();
    for index in 0..4 {
        networks.push(network(index, None).await);
    }
    introduce(&networks).await;
    let mut handles = Vec::new();
    for (index, (store, network)) in (0..).zip(stores.iter().zip(&networks)) {
        let handle = drive(store, network, GENESIS, (index, 4)).await.unwrap();
        handle.input(ChainInput::Busy(true)).await.unwrap();
        handles.push(handle);
    }
    reach(&handles[3].decided(), 5).await;

    soon(handles[3].stop()).await;
    assert_eq!(handles[3].status().borrow().end, Some(End::Stopped));
    let stopped_at = handles[3].decided().borrow().0;
    let listen = networks[3].listen_address();
    drop((handles.pop(), networks.pop()));
    reach(&handles[0].decided(), stopped_at + 15).await;

    let store = reopen(stores.pop().unwrap());
    stores.push(store);
    networks.push(network(3, Some(listen)).await);
    introduce(&networks).await;
    let again = drive(&stores[3], &networks[3], GENESIS, (3, 4)).await.unwrap();
    assert!(again.decided().borrow().0 >= stopped_at, "it goes on where its store is");
    reach(&again.decided(), stopped_at + 15).await;
    // It follows, and takes part again: it decides what is decided after its return.
    let next = handles[0].decided().borrow().0 + 5;
    reach(&again.decided(), next).await;
    let all: Vec<_> = stores.iter().take(3).map(|store| hashes(store, GENESIS, stopped_at + 15)).collect();
    let its_own = hashes(&stores[3], GENESIS, stopped_at + 15);
    assert!(all.iter().all(|hashes| *hashes == its_own), "all decided the same blocks");
    for handle in handles.iter().chain([&again]) {
        soon(handle.stop()).await;
    }
}

/// P2P-20, P2P-21
#[tokio::test]
async fn four_drivers_in_memory_decide_twenty_heights_and_a_restarted_one_catches_up() {
    let stores = (0..4).map(|_| MemoryStore::new(SyncMode::Automatic)).collect();
    twenty_heights_and_a_restart(stores, |store| store.crash()).await;
}

/// P2P-20, P2P-21
#[tokio::test]
async fn four_drivers_on_disk_decide_twenty_heights_and_a_restarted_one_catches_up() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| DiskStore::open(path).unwrap();
    let stores = (0..4u8).map(|i| open(&directory.path().join(i.to_string()))).collect();
    twenty_heights_and_a_restart(stores, |store| {
        drop(store);
        open(&directory.path().join("3"))
    })
    .await;
}

const QUEUE: Table<u32, u32> = Table::new("test/queue");

/// P2P-22: what an act takes off a queue and what it provides are durable together.
#[tokio::test]
async fn an_act_and_its_inputs_share_one_step() {
    let store = MemoryStore::new(SyncMode::Automatic);
    let network = network(0, None).await;
    let queued = store.write(|txn| {
        QUEUE.put(txn, &1, &42);
        Ok::<_, StoreError>(())
    });
    queued.unwrap().1.wait().unwrap();
    let handle = drive(&store, &network, GENESIS, (0, 1)).await.unwrap();
    let steps = store.steps();
    let act = handle.transact(|txn| {
        let item = QUEUE.get(txn, &1)?.expect("it is queued");
        QUEUE.delete(txn, &1);
        let payload = Bytes::new(item.to_le_bytes().to_vec()).expect("it is short");
        Ok(vec![ChainInput::Provide { kind: Kind(0), payload }])
    });
    soon(act).await.unwrap();
    assert!(store.steps() > steps);
    assert_eq!(store.read(|db| QUEUE.get(db, &1)).unwrap(), None);
    assert_eq!(store.read(|db| tributary::chain::provided_count(db, GENESIS, Kind(0))).unwrap(), 1);
    // Alone it is a quorum: what it provided gets decided and handled.
    soon(handle.decided().wait_for(|decided| decided.0 >= 1)).await.unwrap();
    soon(handle.stop()).await;
    assert!(handle.input(ChainInput::Busy(true)).await.is_err());
}

/// P2P-24: a failed store ends the driver, and nothing of the failed step leaves.
#[tokio::test]
async fn a_failed_store_ends_the_driver_with_its_reason() {
    let store = MemoryStore::new(SyncMode::Automatic);
    let network = network(0, None).await;
    let handle = drive(&store, &network, GENESIS, (0, 1)).await.unwrap();
    store.stop("the disk is gone");
    assert!(soon(handle.input(ChainInput::Busy(true))).await.is_err());
    let mut status = handle.status();
    let status = soon(status.wait_for(|status| status.end.is_some())).await.unwrap();
    assert!(matches!(&status.end, Some(End::Store(_))), "{:?}", status.end);
}

/// P2P-20: whoever fills our inbox with messages keeps no command of this process waiting.
#[tokio::test]
async fn a_flood_of_messages_delays_no_command() {
    let networks = [network(0, None).await, network(1, None).await];
    introduce(&networks).await;
    let store = MemoryStore::new(SyncMode::Automatic);
    let chain = Chain::new(key(0), ChainConfig::default());
    let open = Open { config: timing(), store_is_current: true };
    let opened = Driver::open(store, networks[0].clone(), members(GENESIS, 2), key(0), chain, open).await;
    let (mut driver, handle) = opened.unwrap();
    let flooder = networks[1].open_chain(GENESIS, [validator(0), validator(1)].into()).await.unwrap();
    soon(flooder.reachable().wait_for(|members| !members.is_empty())).await.unwrap();
    for _ in 0..400 {
        networks[1].publish(GENESIS, vec![255]).await.unwrap();
    }
    // Gossip comes in order: what is counted by now is in the inbox.
    let came = || networks[0].connected().iter().map(|info| info.messages_in).sum::<u64>();
    soon(async {
        while came() < 400 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let waiting = tokio::spawn(async move { handle.input(ChainInput::Busy(true)).await });
    tokio::task::yield_now().await;
    let batch = soon(driver.gather()).await.unwrap();
    assert_eq!(batch.replies.len(), 1, "the command is in the first step");
    drop(batch);
    assert!(soon(waiting).await.unwrap().is_err());
}
