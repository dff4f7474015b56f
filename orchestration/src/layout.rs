//! Where everything of a testnet lives.
//!
//! ```text
//! DIR/testnet.json                       the plan and the ports: what `up` resumes from
//! DIR/genesis.toml                       the base chain's
//! DIR/network-NETWORK/config.toml        a simulated network, of which all its processors ask what was paid
//! DIR/network-NETWORK/data               its payments
//! DIR/network-NETWORK/log                what it printed
//! DIR/validator-N/validator.key          its account; base-chain node and coordinator use it
//! DIR/validator-N/passphrase             opens its processors' key files
//! DIR/validator-N/embedded.keys          its embedded keys, encrypted
//! DIR/validator-N/SERVICE/config.toml    SERVICE: base-chain, coordinator, processor-NETWORK
//! DIR/validator-N/SERVICE/data           its store
//! DIR/validator-N/SERVICE/log            what it printed
//! ```

use std::path::{Path, PathBuf};

use processor_messages::Network;

/// One process of a validator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Service {
    /// Its node of the base chain.
    BaseChain,
    /// Its coordinator.
    Coordinator,
    /// Its processor of a network.
    Processor(Network),
}

impl Service {
    /// The subcommand of `node` which runs it.
    pub fn role(&self) -> &'static str {
        match self {
            Self::BaseChain => "base-chain",
            Self::Coordinator => "coordinator",
            Self::Processor(_) => "processor",
        }
    }

    /// The name of its folder.
    pub fn folder(&self) -> String {
        match self {
            Self::Processor(network) => format!("processor-{network}"),
            other => other.role().to_owned(),
        }
    }
}

/// A testnet's directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The layout below a directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What `up` resumes from.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join("testnet.json")
    }

    /// Stands while the testnet is made, and becomes the manifest.
    pub fn making(&self) -> PathBuf {
        self.dir.join("making")
    }

    /// The base chain's genesis file.
    pub fn genesis(&self) -> PathBuf {
        self.dir.join("genesis.toml")
    }

    /// A validator's folder.
    pub fn validator(&self, validator: usize) -> PathBuf {
        self.dir.join(format!("validator-{validator}"))
    }

    /// Whether a path is a validator's folder.
    pub fn is_validator(&self, path: &Path) -> bool {
        let name = path.strip_prefix(&self.dir).ok().and_then(Path::to_str);
        let number = name.and_then(|name| name.strip_prefix("validator-"));
        number.is_some_and(|number| number.parse::<usize>().is_ok())
    }

    /// A simulated network's folder.
    pub fn network(&self, network: Network) -> PathBuf {
        self.dir.join(Self::network_name(network))
    }

    /// Whether a path is a simulated network's folder.
    pub fn is_network(&self, path: &Path) -> bool {
        let name = path.strip_prefix(&self.dir).ok().and_then(Path::to_str);
        name.and_then(|name| name.strip_prefix("network-")).is_some_and(|name| Network::new(name).is_ok())
    }

    /// What an operator calls a simulated network.
    pub fn network_name(network: Network) -> String {
        format!("network-{network}")
    }

    /// A validator's key.
    pub fn validator_key(&self, validator: usize) -> PathBuf {
        self.validator(validator).join("validator.key")
    }

    /// A service's folder.
    pub fn service(&self, validator: usize, service: Service) -> PathBuf {
        self.validator(validator).join(service.folder())
    }

    /// A service's configuration file.
    pub fn config(&self, validator: usize, service: Service) -> PathBuf {
        self.service(validator, service).join("config.toml")
    }

    /// A service's log.
    pub fn log(&self, validator: usize, service: Service) -> PathBuf {
        self.service(validator, service).join("log")
    }

    /// What an operator calls a service.
    pub fn name(validator: usize, service: Service) -> String {
        format!("validator-{validator}/{}", service.folder())
    }
}
