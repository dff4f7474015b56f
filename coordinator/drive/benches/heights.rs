//! Heights a second of four validators in one process, over loopback TCP: `cargo bench -p coordinator-drive`.
//!
//! Blocks are due at once (an interval of 1 ms), so this is the cost of agreement: signatures, gossip, commits.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use coordinator_drive::{Driver, Handle};
use coordinator_keys::SecretKey;
use coordinator_p2p as p2p;
use coordinator_store::{MemoryStore, Store};
use coordinator_store_disk::DiskStore;
use processor_messages::{ChainGenesis, Genesis, KeyShares, Validator};
use tributary::{Chain, ChainConfig, ChainInput, Config, Limits, Members, Open};

const VALIDATORS: u8 = 4;
const HEIGHTS: u64 = 200;

fn key(index: u8) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[0] = index + 1;
    SecretKey::from_bytes(&bytes).unwrap()
}

fn validator(index: u8) -> Validator {
    Validator(key(index).public().to_bytes())
}

async fn networks() -> Vec<p2p::Handle> {
    let mut networks = Vec::new();
    for index in 0..VALIDATORS {
        let config = p2p::Config::new(ChainGenesis([1; 32]), SocketAddr::from(([127, 0, 0, 1], 0)));
        networks.push(p2p::start(config, key(index)).await.unwrap());
    }
    let peers: Vec<_> =
        (0..).zip(&networks).map(|(i, n)| (validator(i), vec![n.listen_address().to_string()])).collect();
    for network in &networks {
        network.set_peers(peers.clone()).await.unwrap();
    }
    for network in &networks {
        let all = usize::from(VALIDATORS) - 1;
        network.watch_connected().wait_for(|set| set.len() == all).await.unwrap();
    }
    networks
}

async fn drive<S: Store>(store: &S, network: &p2p::Handle, index: u8, chains: u8) -> Vec<Handle<ChainInput>> {
    let validators: Vec<_> = (0..VALIDATORS).map(|i| (validator(i), KeyShares(1))).collect();
    let config = Config { interval: Duration::from_millis(1), ..Config::default() };
    let mut handles = Vec::new();
    for chain in 1..=chains {
        let members = Members::new(Genesis([chain; 32]), &validators, Limits::default()).unwrap();
        let application = Chain::new(key(index), ChainConfig::default());
        let open = Open { config, store_is_current: true };
        let opened = Driver::open(store.clone(), network.clone(), members, key(index), application, open);
        let (driver, handle) = opened.await.unwrap();
        tokio::spawn(driver.run());
        handle.input(ChainInput::Busy(true)).await.unwrap();
        handles.push(handle);
    }
    handles
}

async fn heights<S: Store>(name: &str, stores: Vec<S>, chains: u8) {
    let networks = networks().await;
    let mut handles = Vec::new();
    for (index, (store, network)) in (0..).zip(stores.iter().zip(&networks)) {
        handles.push(drive(store, network, index, chains).await);
    }
    let reach = async |height: u64| {
        for handle in handles.iter().flatten() {
            handle.decided().wait_for(|decided| decided.0 >= height).await.unwrap();
        }
    };
    reach(10).await;
    let begin = Instant::now();
    reach(10 + HEIGHTS).await;
    let rate = f64::from(u32::try_from(HEIGHTS).unwrap()) / begin.elapsed().as_secs_f64();
    println!("{name}, {chains} chain(s) of {VALIDATORS}: {rate:.0} heights/s each");
    for handle in handles.iter().flatten() {
        handle.stop().await;
    }
}

async fn latency() {
    let networks = networks().await;
    let members = (0..VALIDATORS).map(validator).collect::<std::collections::HashSet<_>>();
    let mut inboxes = Vec::new();
    for network in &networks {
        inboxes.push(network.open_chain(Genesis([1; 32]), members.clone()).await.unwrap());
    }
    inboxes[0].reachable().wait_for(|set| set.len() == 3).await.unwrap();
    for (bytes, rounds) in [(200, 1_000u32), (2 << 20, 20)] {
        let begin = Instant::now();
        for _ in 0..rounds {
            networks[0].publish(Genesis([1; 32]), vec![7; bytes]).await.unwrap();
            for inbox in inboxes.iter_mut().skip(1) {
                inbox.recv().await.unwrap();
            }
        }
        println!("publish {bytes} bytes until all three others have it: {:?}", begin.elapsed() / rounds);
    }
}

#[tokio::main]
async fn main() {
    latency().await;
    for chains in [1, 4] {
        heights("memory", (0..VALIDATORS).map(|_| MemoryStore::default()).collect(), chains).await;
        let directory = tempfile::tempdir().unwrap();
        let open = |i: u8| DiskStore::open(directory.path().join(i.to_string())).unwrap();
        heights("disk", (0..VALIDATORS).map(open).collect(), chains).await;
    }
}
