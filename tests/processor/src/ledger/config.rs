//! The network's configuration file.
//!
//! ```toml
//! network = "bitcoin"
//! curve = "secp256k1"                 # of its accounts, as on the base chain; or "ed25519"
//! chain = "…"                         # the base chain's genesis hash, 64 hexadecimal digits
//! data_dir = "data"                   # relative paths are relative to this file
//! listen = "127.0.0.1:8090"
//! ```

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use coordinator_base_chain::NetworkCurve;
use coordinator_startup::{ConfigFile, Failure};
use processor_messages::{ChainGenesis, Network};
use serde::{Deserialize, Serialize};

use super::Ledger;

/// A network's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Which network.
    pub ledger: Ledger,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where its store is.
    pub data_dir: PathBuf,
}

/// The file as it is written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name.
    pub network: Network,
    /// The curve of its accounts.
    pub curve: NetworkCurve,
    /// The base chain.
    pub chain: ChainGenesis,
    /// Where its store is.
    pub data_dir: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
}

impl Config {
    /// Reads a file. Its relative paths are relative to its folder.
    ///
    /// # Errors
    /// [`Failure`], naming file, line and value.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let File { network, curve, chain, data_dir, listen } = ConfigFile::read(path)?.parse()?;
        Ok(Self { ledger: Ledger { chain, network, curve }, listen, data_dir: folder.join(data_dir) })
    }
}
