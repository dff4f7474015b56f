//! The coordinator's configuration file: TOML, every key known, parsed once at the edge.
//!
//! ```toml
//! data_dir = "/var/lib/headwater/coordinator"
//! key_file = "/etc/headwater/validator.key"     # mode 0600
//!
//! [base_chain]
//! url = "http://127.0.0.1:9944"
//! chain = "<hash of the base chain's genesis, 64 hexadecimal digits>"
//!
//! [p2p]
//! listen = "0.0.0.0:30563"
//! advertise = ["validator.example:30563"]       # registered on the base chain; empty: left as it is
//!
//! [queue]
//! listen = "127.0.0.1:2287"
//! key_file = "/etc/headwater/service.key"       # mode 0600
//! [queue.processors]                            # public service key of each network's processor
//! bitcoin = "<64 hexadecimal digits>"
//!
//! [api]
//! listen = "127.0.0.1:9100"
//! ```
//!
//! Relative paths are relative to the file. Secrets are never in it: it names key files.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use coordinator_startup::{ConfigFile, Failure};
use processor_messages::{ChainGenesis, Network};
use serde::Deserialize;

/// Everything an operator sets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the store is. Made if it does not exist.
    pub data_dir: PathBuf,
    /// The validator's key.
    pub key_file: PathBuf,
    /// The base chain.
    pub base_chain: BaseChain,
    /// Peers.
    pub p2p: P2p,
    /// The processors' queue.
    pub queue: Queue,
    /// The operator's HTTP.
    pub api: Api,
    /// Tributaries.
    #[serde(default)]
    pub tributary: Tributary,
    /// Logs.
    #[serde(default)]
    pub log: Log,
}

/// How the base chain is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseChain {
    /// JSON-RPC over HTTP, such as `http://127.0.0.1:9944`.
    pub url: String,
    /// Which chain it must be.
    pub chain: ChainGenesis,
}

/// How peers reach us.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct P2p {
    /// Where to listen.
    pub listen: SocketAddr,
    /// `host:port` at which others reach us; registered on the base chain at start unless empty.
    #[serde(default)]
    pub advertise: Vec<String>,
}

/// The message queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Where to listen. Not encrypted: loopback or a private network.
    pub listen: SocketAddr,
    /// The coordinator's service key.
    pub key_file: PathBuf,
    /// The public service key of each network's processor.
    pub processors: BTreeMap<Network, PublicKeyText>,
}

/// A public key in hexadecimal.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicKeyText(pub coordinator_keys::PublicKey);

impl TryFrom<String> for PublicKeyText {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|_| "a public key is 64 hexadecimal digits".to_owned())?;
        coordinator_keys::PublicKey::from_bytes(bytes).map(Self).map_err(|e| e.to_string())
    }
}

/// The operator's HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Where to listen. Without authentication: loopback or a private network.
    pub listen: SocketAddr,
}

/// This node's pace in tributaries. What a set must share is in the base chain's network parameters.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tributary {
    /// From a block to the next while blocks are due, in milliseconds.
    pub block_interval_ms: u64,
}

impl Default for Tributary {
    fn default() -> Self {
        Self { block_interval_ms: 3_000 }
    }
}

impl Tributary {
    /// From a block to the next while blocks are due.
    pub fn block_interval(&self) -> Duration {
        Duration::from_millis(self.block_interval_ms)
    }
}

/// How logs look.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` or `json`.
    pub format: LogFormat,
    /// Directives of tracing's filter.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: format!("info,{}=warn", tributary::ENGINE_LOG_TARGET) }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// [`Failure`] naming file, line, value and remedy.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let file = ConfigFile::read(path)?;
        let mut config: Self = file.parse()?;
        let base = path.parent().unwrap_or(Path::new("."));
        for relative in [&mut config.data_dir, &mut config.key_file, &mut config.queue.key_file] {
            *relative = base.join(&*relative);
        }
        config.check(&file)?;
        Ok(config)
    }

    fn check(&self, file: &ConfigFile) -> Result<(), Failure> {
        let url = &self.base_chain.url;
        let address = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        if address.is_none_or(|a| a.is_empty() || a.contains(|c: char| c.is_whitespace() || (c == '@'))) {
            let remedy = "write http://host:port of the base chain's JSON-RPC, without user and password";
            return Err(file.wrong("base_chain.url", remedy));
        }
        if !self.p2p.advertise.iter().all(|address| is_dialable(address)) {
            return Err(
                file.wrong("p2p.advertise", "write host:port at which other validators reach this one")
            );
        }
        let advertised = coordinator_base_chain::MAX_ADDRESSES;
        if self.p2p.advertise.len() > advertised {
            return Err(file.wrong("p2p.advertise", format!("give at most {advertised} addresses")));
        }
        if !(50..=60_000).contains(&self.tributary.block_interval_ms) {
            return Err(file.wrong("tributary.block_interval_ms", "choose 50 to 60000 milliseconds"));
        }
        Ok(())
    }
}

/// Whether this is `host:port`, as the base chain takes it.
fn is_dialable(address: &str) -> bool {
    let port = address
        .rsplit_once(':')
        .and_then(|(host, port)| port.parse::<u16>().ok().filter(|port| !host.is_empty() && (*port != 0)));
    port.is_some()
}

#[cfg(test)]
mod tests;
