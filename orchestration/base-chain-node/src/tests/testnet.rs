//! Real nodes on loopback: disk, p2p, consensus, JSON-RPC.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use coordinator_base_chain::{BaseChain, Block, ClientConfig, RpcClient, Transaction, TransactionStatus};
use coordinator_keys::{SecretKey, write_key_file};
use processor_messages::{BaseBlock, ChainGenesis, TributaryBlock};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, watch},
};

use super::support::{TestChain, key, validator};
use crate::{
    Node,
    application::SharedPool,
    config::{Config, Peer},
    genesis_file,
    rules::GenesisState,
    server::Server,
};

pub(super) const WAIT: Duration = Duration::from_secs(20);

/// A port that was free a moment ago.
fn free_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(super) struct Testnet {
    pub(super) dir: TempDir,
    pub(super) configs: Vec<Config>,
}

impl Testnet {
    /// Writes the files of a chain whose validators have the keys of seeds 1 on.
    pub(super) fn new(genesis: &GenesisState) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("genesis.toml");
        std::fs::write(&path, genesis_file::to_toml(genesis).unwrap()).unwrap();
        let consensus = genesis.validators.iter().filter(|v| v.consensus_weight > 0).count();
        let ports: Vec<_> = (0..consensus).map(|_| free_port()).collect();
        let peers: Vec<_> = (1..)
            .zip(&ports)
            .map(|(seed, port)| Peer { validator: validator(&key(seed)), addresses: vec![port.to_string()] })
            .collect();
        let config = |(seed, port): (u64, &SocketAddr)| {
            let home = dir.path().join(format!("node-{seed}"));
            std::fs::create_dir(&home).unwrap();
            write_key_file(&home.join("key"), &key(seed)).unwrap();
            Config {
                genesis: path.clone(),
                data_dir: home.join("data"),
                key_file: home.join("key"),
                rpc_listen: "127.0.0.1:0".parse().unwrap(),
                p2p_listen: *port,
                block_time_ms: 100,
                restored: false,
                peers: peers.clone(),
            }
        };
        let configs = (1..).zip(&ports).map(config).collect();
        Self { dir, configs }
    }

    pub(super) async fn start(&self, node: usize) -> (Node, RpcClient) {
        let node = Node::start(self.configs[node].clone()).await.unwrap();
        let client = client(&node);
        (node, client)
    }
}

pub(super) fn client(node: &Node) -> RpcClient {
    client_of(node.rpc_address(), node.chain())
}

fn client_of(address: SocketAddr, chain: ChainGenesis) -> RpcClient {
    RpcClient::new(ClientConfig::new(format!("http://{address}"), Some(chain))).unwrap()
}

/// A node's JSON-RPC over a chain without consensus.
pub(super) struct Served {
    pub(super) client: RpcClient,
    pub(super) pool: SharedPool,
    /// Turns to have a submission judged.
    pub(super) judges: Arc<Semaphore>,
    _told: mpsc::Receiver<Vec<u8>>,
    _height: watch::Sender<TributaryBlock>,
}

pub(super) async fn serve(chain: &TestChain) -> Served {
    let (submitted, told) = mpsc::channel(8);
    let (height, seen) = watch::channel(TributaryBlock(0));
    let pool = SharedPool::default();
    let server = Server::new(chain.store.clone(), pool.clone(), submitted, seen);
    let judges = server.judges.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_of(listener.local_addr().unwrap(), chain.chain);
    tokio::spawn(async move { axum::serve(listener, server.router()).await });
    Served { client, pool, judges, _told: told, _height: height }
}

pub(super) async fn block(client: &RpcClient, number: u64) -> Block {
    client.wait_block(BaseBlock(number), WAIT).await.unwrap().expect("the chain goes on")
}

/// The first block after genesis which holds this transaction.
pub(super) async fn finalized(client: &RpcClient, transaction: &Transaction) -> Block {
    let hash = transaction.hash();
    let mut number = 1;
    loop {
        let block = block(client, number).await;
        if block.transactions.contains(&hash) {
            let status = TransactionStatus::Final { block: block.number() };
            assert_eq!(client.transaction(hash).await.unwrap(), status);
            return block;
        }
        number += 1;
    }
}

pub(super) fn rewrite(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Keys of validators are dealt from seeds; this one belongs to nobody in the chain.
pub(super) fn stranger() -> SecretKey {
    key(7_777)
}
