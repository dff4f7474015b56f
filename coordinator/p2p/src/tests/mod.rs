//! Real nodes on loopback TCP. Tests wait for events; [`soon`] bounds each wait.

mod attacks;
mod bounds;
mod chains;
mod common;
mod frozen;
mod handshake;
mod pure;

use std::{collections::HashSet, future::Future, net::SocketAddr, time::Duration};

use coordinator_keys::SecretKey;
use processor_messages::{ChainGenesis, Genesis, Validator};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{Config, Gossip, Handle, Inbound, Inbox, start};

pub(super) const CHAIN: ChainGenesis = ChainGenesis([7; 32]);

pub(super) fn key(seed: u64) -> SecretKey {
    SecretKey::random(&mut ChaCha20Rng::seed_from_u64(seed))
}

pub(super) fn validator(seed: u64) -> Validator {
    Validator(key(seed).public().to_bytes())
}

pub(super) fn genesis(byte: u8) -> Genesis {
    Genesis([byte; 32])
}

pub(super) fn members(seeds: impl IntoIterator<Item = u64>) -> HashSet<Validator> {
    seeds.into_iter().map(validator).collect()
}

/// Delays short enough for tests, sizes small enough to exceed.
pub(super) fn config() -> Config {
    Config {
        redial_first: Duration::from_millis(20),
        redial_most: Duration::from_millis(100),
        ..Config::new(CHAIN, SocketAddr::from(([127, 0, 0, 1], 0)))
    }
}

/// The outcome of `future`, which is expected within seconds.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it happens within 20 s")
}

/// Lets other tasks run until `condition` holds.
pub(super) async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Nodes which know each other.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Handle>,
}

impl Cluster {
    pub(super) async fn start(count: u64) -> Self {
        Self::start_with(count, |_| config()).await
    }

    pub(super) async fn start_with(count: u64, config: impl Fn(u64) -> Config) -> Self {
        let mut nodes = Vec::new();
        for seed in 0..count {
            nodes.push(start(config(seed), key(seed)).await.unwrap());
        }
        let cluster = Self { nodes };
        for node in &cluster.nodes {
            node.set_peers(cluster.peers()).await.unwrap();
        }
        cluster
    }

    pub(super) fn peers(&self) -> Vec<(Validator, Vec<String>)> {
        let seeds = 0..;
        seeds
            .zip(&self.nodes)
            .map(|(seed, node)| (validator(seed), vec![node.listen_address().to_string()]))
            .collect()
    }

    pub(super) async fn all_connected(&self) {
        for node in &self.nodes {
            let others = self.nodes.len() - 1;
            soon(node.watch_connected().wait_for(|connected| connected.len() == others)).await.unwrap();
        }
    }

    /// Opens a chain at the nodes `seeds`, and waits until all of them reach each other.
    pub(super) async fn chain(&self, genesis: Genesis, seeds: &[u64]) -> Vec<Inbox> {
        let mut inboxes = Vec::new();
        for seed in seeds {
            let node = &self.nodes[usize::try_from(*seed).unwrap()];
            inboxes.push(node.open_chain(genesis, members(seeds.iter().copied())).await.unwrap());
        }
        for inbox in &inboxes {
            all_reachable(inbox, seeds.len() - 1).await;
        }
        inboxes
    }
}

pub(super) async fn all_reachable(inbox: &Inbox, count: usize) {
    soon(inbox.reachable().wait_for(|members| members.len() == count)).await.unwrap();
}

pub(super) async fn gossip(inbox: &mut Inbox) -> Gossip {
    match soon(inbox.recv()).await {
        Some(Inbound::Gossip(gossip)) => gossip,
        other => panic!("expected gossip: {other:?}"),
    }
}
