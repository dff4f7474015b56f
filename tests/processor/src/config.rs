//! The configuration file: parsed and validated once; an error names file, line, value and remedy.
//!
//! ```toml
//! network = "bitcoin"
//! curve = "secp256k1"                 # of its keys, as on the base chain; or "ed25519"
//! validator = "…"                     # account, 64 hexadecimal digits
//! chain_id = "testnet"                # the base chain's name, to which registrations are bound
//! chain = "…"                         # its genesis hash, 64 hexadecimal digits; empty until it is known
//! data_dir = "data"                   # relative paths are relative to this file
//! embedded_keys_file = "embedded.keys"
//! service_keys_file = "service.keys"
//! passphrase_file = "passphrase"
//!
//! [coordinator]
//! url = "http://127.0.0.1:8080"
//! service_key = "…"                   # the coordinator's public service key; empty until it is known
//!
//! [external_network]
//! url = "http://127.0.0.1:8090"       # the process which holds its payments
//! start_unix_ms = 1700000000000       # the same for all processors of the network
//! block_interval_ms = 2000
//! blocks_between_deposits = 3
//! deposits = 2
//! ```

use std::path::{Path, PathBuf};

use coordinator_base_chain::NetworkCurve;
use coordinator_keys::PublicKey;
use coordinator_startup::{ConfigFile, Failure};
use processor_messages::{ChainGenesis, Network, Validator};
use serde::Deserialize;

use crate::external_network::{MAX_DEPOSITS, Pace};

/// A processor's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network it serves.
    pub network: Network,
    /// The curve of its keys.
    pub curve: NetworkCurve,
    /// Whose processor it is.
    pub validator: Validator,
    /// The base chain's name, to which registrations are bound.
    pub chain_id: String,
    /// Its genesis hash; `None` if left empty, which only `init` accepts.
    pub chain: Option<ChainGenesis>,
    /// Where its store is.
    pub data_dir: PathBuf,
    /// The validator's embedded keys; one file for all its processors.
    pub embedded_keys_file: PathBuf,
    /// This processor's service and storage keys.
    pub service_keys_file: PathBuf,
    /// Opens both.
    pub passphrase_file: PathBuf,
    /// Where the coordinator's queue is.
    pub coordinator_url: String,
    /// The coordinator's public service key; `None` if left empty, which only `init` accepts.
    pub coordinator_key: Option<PublicKey>,
    /// Where the simulated network's payments are.
    pub network_url: String,
    /// The simulated network's pace.
    pub pace: Pace,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the names are those of the file's keys")]
struct File {
    network: Network,
    curve: NetworkCurve,
    validator: Validator,
    chain_id: String,
    chain: String,
    data_dir: PathBuf,
    embedded_keys_file: PathBuf,
    service_keys_file: PathBuf,
    passphrase_file: PathBuf,
    coordinator: Coordinator,
    external_network: ExternalNetwork,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Coordinator {
    url: String,
    service_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExternalNetwork {
    url: String,
    start_unix_ms: u64,
    block_interval_ms: u64,
    blocks_between_deposits: u64,
    deposits: u16,
}

impl Config {
    /// Reads and validates a file. Its relative paths are relative to its folder.
    ///
    /// # Errors
    /// [`Failure`], naming file, line, value and remedy.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        Self::parse(&ConfigFile::read(path)?, path.parent().unwrap_or(Path::new("")))
    }

    fn parse(source: &ConfigFile, folder: &Path) -> Result<Self, Failure> {
        let file: File = source.parse()?;
        check(source, &file)?;
        Ok(Self {
            chain: optional(source, "chain", &file.chain, |text| text.parse().ok())?,
            coordinator_key: optional(source, "coordinator.service_key", &file.coordinator.service_key, key)?,
            coordinator_url: file.coordinator.url,
            network: file.network,
            curve: file.curve,
            validator: file.validator,
            chain_id: file.chain_id,
            data_dir: folder.join(file.data_dir),
            embedded_keys_file: folder.join(file.embedded_keys_file),
            service_keys_file: folder.join(file.service_keys_file),
            passphrase_file: folder.join(file.passphrase_file),
            network_url: file.external_network.url,
            pace: Pace {
                start_unix_ms: file.external_network.start_unix_ms,
                block_interval_ms: file.external_network.block_interval_ms,
                blocks_between_deposits: file.external_network.blocks_between_deposits,
                deposits: file.external_network.deposits,
            },
        })
    }
}

fn check(source: &ConfigFile, file: &File) -> Result<(), Failure> {
    let network = &file.external_network;
    if !is_url(&file.coordinator.url) {
        return Err(source.wrong("coordinator.url", "write http://host:port of the coordinator's queue"));
    }
    if !is_url(&network.url) {
        return Err(source.wrong("external_network.url", "write http://host:port of the simulated network"));
    }
    if !(1..=64).contains(&file.chain_id.len()) {
        return Err(source.wrong("chain_id", "write the base chain's name, 1 to 64 bytes"));
    }
    if network.deposits > MAX_DEPOSITS {
        let remedy = format!("write a number from 0 to {MAX_DEPOSITS}");
        return Err(source.wrong("external_network.deposits", remedy));
    }
    for (setting, value, most) in [
        ("external_network.block_interval_ms", network.block_interval_ms, 86_400_000),
        ("external_network.blocks_between_deposits", network.blocks_between_deposits, 1_000_000),
    ] {
        if !(1..=most).contains(&value) {
            return Err(source.wrong(setting, format!("write a number from 1 to {most}")));
        }
    }
    Ok(())
}

fn is_url(url: &str) -> bool {
    let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    host.is_some_and(|host| {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-[]".contains(&b))
    })
}

/// 32 bytes which may be left empty until they are known.
fn optional<T>(
    source: &ConfigFile,
    setting: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = parse(text).map(Some);
    parsed.ok_or_else(|| source.wrong(setting, "write 64 hexadecimal digits, or leave it empty for `init`"))
}

fn key(text: &str) -> Option<PublicKey> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    PublicKey::from_bytes(bytes).ok()
}

#[cfg(test)]
mod tests;
