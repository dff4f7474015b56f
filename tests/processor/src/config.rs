//! The configuration file: parsed and validated once; an error names file, line, value and remedy.
//!
//! ```toml
//! network = "bitcoin"
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
//! start_unix_ms = 1700000000000       # the same for all processors of the network
//! block_interval_ms = 2000
//! blocks_between_deposits = 3
//! deposits = 2
//! ```

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use coordinator_keys::PublicKey;
use processor_messages::{ChainGenesis, Network, Validator};
use serde::Deserialize;
use toml::Spanned;

use crate::external_network::{MAX_DEPOSITS, Pace};

/// The exit code of a process whose configuration is wrong (`EX_CONFIG`).
pub const EXIT_CONFIG: u8 = 78;
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// A processor's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network it serves.
    pub network: Network,
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
    /// The simulated network's pace.
    pub pace: Pace,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}; name a readable configuration file")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line of the file is wrong.
    #[error("{path}:{line}: `{text}`: {remedy}")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The line, with anything that may be secret replaced.
        text: String,
        /// What is wrong, and what to write.
        remedy: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the names are those of the file's keys")]
struct File {
    network: Network,
    validator: Validator,
    chain_id: Spanned<String>,
    chain: Spanned<String>,
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
    url: Spanned<String>,
    service_key: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExternalNetwork {
    start_unix_ms: u64,
    block_interval_ms: Spanned<u64>,
    blocks_between_deposits: Spanned<u64>,
    deposits: Spanned<u16>,
}

impl Config {
    /// Reads and validates a file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let io_error = |source| ConfigError::Io { path: path.to_owned(), source };
        let length = fs::metadata(path).map_err(io_error)?.len();
        if length > MAX_FILE_BYTES {
            return Err(io_error(io::Error::other("larger than 64 KiB")));
        }
        Self::parse(path, &fs::read_to_string(path).map_err(io_error)?)
    }

    /// Validates a text as read from `path`.
    ///
    /// # Errors
    /// [`ConfigError::Line`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let source = Source { path, text };
        let file: File = toml::from_str(text).map_err(|e| {
            source.error(e.span().unwrap_or_default(), e.message().lines().next().unwrap_or_default())
        })?;
        let pace = source.pace(&file.external_network)?;
        let coordinator_url = source.url(&file.coordinator.url)?;
        let coordinator_key = source.key(&file.coordinator.service_key)?;
        let base = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            network: file.network,
            validator: file.validator,
            chain_id: source.chain_id(&file.chain_id)?,
            chain: source.chain(&file.chain)?,
            data_dir: base.join(file.data_dir),
            embedded_keys_file: base.join(file.embedded_keys_file),
            service_keys_file: base.join(file.service_keys_file),
            passphrase_file: base.join(file.passphrase_file),
            coordinator_url,
            coordinator_key,
            pace,
        })
    }
}

struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn error(&self, span: Range<usize>, remedy: &str) -> ConfigError {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let text = self.text.lines().nth(line - 1).unwrap_or_default();
        ConfigError::Line {
            path: self.path.to_owned(),
            line,
            text: redact(text),
            remedy: redact_remedy(remedy, text),
        }
    }

    fn at_least_one(&self, value: &Spanned<u64>, most: u64) -> Result<u64, ConfigError> {
        let number = *value.get_ref();
        if (1..=most).contains(&number) {
            return Ok(number);
        }
        Err(self.error(value.span(), &format!("write a number from 1 to {most}")))
    }

    fn pace(&self, file: &ExternalNetwork) -> Result<Pace, ConfigError> {
        let deposits = *file.deposits.get_ref();
        if deposits > MAX_DEPOSITS {
            return Err(self.error(file.deposits.span(), &format!("write a number from 0 to {MAX_DEPOSITS}")));
        }
        Ok(Pace {
            start_unix_ms: file.start_unix_ms,
            block_interval_ms: self.at_least_one(&file.block_interval_ms, 86_400_000)?,
            blocks_between_deposits: self.at_least_one(&file.blocks_between_deposits, 1_000_000)?,
            deposits,
        })
    }

    fn url(&self, url: &Spanned<String>) -> Result<String, ConfigError> {
        let host = url.get_ref().strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let good = host.is_some_and(|host| {
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-[]".contains(&b))
        });
        if good {
            return Ok(url.get_ref().clone());
        }
        Err(self.error(url.span(), "write http://host:port of the coordinator's queue"))
    }

    fn chain_id(&self, id: &Spanned<String>) -> Result<String, ConfigError> {
        if (1..=64).contains(&id.get_ref().len()) {
            return Ok(id.get_ref().clone());
        }
        Err(self.error(id.span(), "write the base chain's name, 1 to 64 bytes"))
    }

    fn chain(&self, chain: &Spanned<String>) -> Result<Option<ChainGenesis>, ConfigError> {
        if chain.get_ref().is_empty() {
            return Ok(None);
        }
        let parsed = chain.get_ref().parse().map(Some);
        parsed.map_err(|_| {
            self.error(chain.span(), "write the base chain's genesis hash, 64 hexadecimal digits")
        })
    }

    fn key(&self, key: &Spanned<String>) -> Result<Option<PublicKey>, ConfigError> {
        if key.get_ref().is_empty() {
            return Ok(None);
        }
        let mut bytes = [0; 32];
        let decoded = hex::decode_to_slice(key.get_ref(), &mut bytes).ok();
        let decoded = decoded.and_then(|()| PublicKey::from_bytes(bytes).ok());
        decoded.map(Some).ok_or_else(|| {
            self.error(key.span(), "write the coordinator's public service key, 64 hexadecimal digits")
        })
    }
}

/// The line, with the value replaced if its key sounds secret. Files are named by `…_file`.
fn redact(line: &str) -> String {
    let (key, value) = line.split_once('=').unwrap_or((line, ""));
    if value.is_empty() || !sounds_secret(key) {
        return line.trim().chars().take(200).collect();
    }
    format!("{} = <redacted>", key.trim())
}

fn sounds_secret(key: &str) -> bool {
    let key = key.trim().to_ascii_lowercase();
    let secret =
        ["passphrase", "password", "secret", "token", "private"].iter().any(|word| key.contains(word));
    secret && !key.ends_with("_file")
}

/// A parser's message may quote a value.
fn redact_remedy(remedy: &str, line: &str) -> String {
    let key = line.split('=').next().unwrap_or_default();
    if sounds_secret(key) && !remedy.starts_with("unknown field") {
        return "this line cannot be used; remove it".to_owned();
    }
    remedy.to_owned()
}

#[cfg(test)]
mod tests;
