//! The node's configuration file: TOML, every setting named here.
//!
//! ```toml
//! genesis = "genesis.toml"          # the chain, the same file on every node
//! data_dir = "data"                 # this node's store
//! key_file = "validator.key"        # the validator's key, mode 0600
//! rpc_listen = "127.0.0.1:9944"     # JSON-RPC; unauthenticated, so loopback or a private network
//! p2p_listen = "0.0.0.0:30333"      # consensus with the other nodes
//! block_time_ms = 1000              # 100 to 60000
//! restored = false                  # true once, if data_dir came from a backup or the key from elsewhere
//!
//! [[peers]]                         # the other nodes
//! validator = "…"                   # its key, in hex
//! addresses = ["10.0.0.2:30333"]
//! ```
//!
//! Paths are relative to the file's folder.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use coordinator_startup::{ConfigFile, Failure};
use processor_messages::Validator;
use serde::{Deserialize, Serialize};

/// The most peers.
const MAX_PEERS: usize = 256;

/// A node's settings.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The chain's genesis file.
    pub genesis: PathBuf,
    /// The folder of the node's store.
    pub data_dir: PathBuf,
    /// The validator's key file.
    pub key_file: PathBuf,
    /// Where JSON-RPC is served.
    pub rpc_listen: SocketAddr,
    /// Where the other nodes connect.
    pub p2p_listen: SocketAddr,
    /// From one block to the next, in milliseconds.
    #[serde(default = "usual_block_time_ms")]
    pub block_time_ms: u64,
    /// Whether the store may be older than what this validator last signed.
    #[serde(default)]
    pub restored: bool,
    /// The other nodes.
    #[serde(default)]
    pub peers: Vec<Peer>,
}

/// Another node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its validator.
    pub validator: Validator,
    /// Where it listens, as `host:port`.
    pub addresses: Vec<String>,
}

fn usual_block_time_ms() -> u64 {
    1_000
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// [`Failure`] of kind `Config`, with the file, the value and a remedy.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let file = ConfigFile::read(path)?;
        let mut config: Self = file.parse()?;
        config.check(path, &file)?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        for file in [&mut config.genesis, &mut config.data_dir, &mut config.key_file] {
            *file = folder.join(&*file);
        }
        Ok(config)
    }

    fn check(&self, path: &Path, file: &ConfigFile) -> Result<(), Failure> {
        if !(100..=60_000).contains(&self.block_time_ms) {
            return Err(file.wrong("block_time_ms", "set it from 100 to 60000"));
        }
        if self.peers.len() > MAX_PEERS {
            return Err(Failure::config(
                format!("{}: {} peers", path.display(), self.peers.len()),
                format!("name at most {MAX_PEERS}"),
            ));
        }
        Ok(())
    }

    /// The engine's timing that this block time asks for.
    pub(crate) fn timing(&self) -> tributary::Config {
        let block = Duration::from_millis(self.block_time_ms);
        tributary::Config {
            interval: block,
            heartbeat: block,
            propose: (block * 2).max(Duration::from_secs(1)),
            vote: block.clamp(Duration::from_millis(300), Duration::from_secs(1)),
            max_timeout: Duration::from_secs(30),
            rebroadcast: Duration::from_secs(2),
            sync: Duration::from_secs(1),
            resend: Duration::from_secs(2),
        }
    }
}
