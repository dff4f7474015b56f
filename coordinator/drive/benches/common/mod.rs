//! Validators of a bench: each a p2p network of its own over loopback TCP.

#![allow(clippy::unwrap_used, dead_code, missing_docs, reason = "each bench uses its part")]

use std::{net::SocketAddr, path::Path, time::Duration};

use coordinator_drive::{Driver, Handle};
use coordinator_keys::SecretKey;
use coordinator_p2p as p2p;
use coordinator_store::Store;
use coordinator_store_disk::DiskStore;
use processor_messages::{ChainGenesis, Genesis, KeyShares, Validator};
use tributary::{Chain, ChainConfig, ChainInput, Config, Limits, Members, Open};

pub(crate) fn key(index: u8) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[0] = index + 1;
    SecretKey::from_bytes(&bytes).unwrap()
}

pub(crate) fn validator(index: u8) -> Validator {
    Validator(key(index).public().to_bytes())
}

pub(crate) fn genesis(chain: u8) -> Genesis {
    Genesis([chain + 1; 32])
}

pub(crate) fn members(chain: u8, validators: u8) -> Members {
    let validators: Vec<_> = (0..validators).map(|i| (validator(i), KeyShares(1))).collect();
    Members::new(genesis(chain), &validators, Limits::default()).unwrap()
}

/// Blocks are due after `interval`.
pub(crate) fn timing(interval: Duration) -> Config {
    Config { interval, ..Config::default() }
}

pub(crate) fn disk(directory: &Path, index: u8) -> DiskStore {
    DiskStore::open(directory.join(index.to_string())).unwrap()
}

/// Connected networks of these validators.
pub(crate) async fn networks(validators: u8) -> Vec<p2p::Handle> {
    let mut networks = Vec::new();
    for index in 0..validators {
        let config = p2p::Config::new(ChainGenesis([1; 32]), SocketAddr::from(([127, 0, 0, 1], 0)));
        networks.push(p2p::start(config, key(index)).await.unwrap());
    }
    let peers: Vec<_> =
        (0..).zip(&networks).map(|(i, n)| (validator(i), vec![n.listen_address().to_string()])).collect();
    for network in &networks {
        network.set_peers(peers.clone()).await.unwrap();
    }
    for network in &networks {
        let all = usize::from(validators) - 1;
        network.watch_connected().wait_for(|set| set.len() == all).await.unwrap();
    }
    networks
}

/// Runs one validator's part in a chain.
pub(crate) async fn drive<S: Store>(
    store: &S,
    network: &p2p::Handle,
    (index, members): (u8, Members),
    config: Config,
) -> Handle<ChainInput> {
    let application = Chain::new(key(index), ChainConfig::default());
    let open = Open { config, store_is_current: true };
    let opened = Driver::open(store.clone(), network.clone(), members, key(index), application, open);
    let (driver, handle) = opened.await.unwrap();
    tokio::spawn(driver.run());
    handle
}

/// Seconds of processor time which this process has used.
pub(crate) fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    // A tick is a hundredth of a second on every Linux that this project runs on.
    ticks.sum::<f64>() / 100.0
}
