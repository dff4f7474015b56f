//! From a configuration to a running processor.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use coordinator_message_queue::{Client, ClientError};
use coordinator_store::{Store, StoreError};
use coordinator_store_disk::{DiskStore, OpenError};

use crate::{
    config::{Config, ConfigError},
    dkg::KeyGeneration,
    external_network::ExternalNetwork,
    processor::Processor,
    rules::{self, Identity, Owner},
    secrets::{self, Bundle},
    service::{Service, TaskError, now_unix_ms},
    vault::VaultError,
};

/// Written by `init` and removed when the store has its first life: without it, an empty store is taken for a lost one.
const FIRST_LIFE: &str = "first-life";

/// Why a processor does not start, or stopped; each says who does what.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration lacks what only `init` may lack.
    #[error("{0} is empty; write it before the processor runs")]
    Empty(&'static str),
    /// A key file or the passphrase.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The data directory.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The data directory is another processor's.
    #[error(
        "{path} belongs to validator {} on network {} of chain {}; correct the configuration, or name another data_dir",
        owner.2, owner.1, owner.0
    )]
    OtherOwner {
        /// The data directory.
        path: PathBuf,
        /// Whose it is.
        owner: Owner,
    },
    /// A file beside the data directory.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A task.
    #[error(transparent)]
    Task(#[from] TaskError),
}

impl StartError {
    /// The exit code: 78 if a file which the operator wrote or restores is wrong, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Empty(_)
            | Self::Vault(_)
            | Self::OtherOwner { .. }
            | Self::Open(OpenError::NotAStore { .. } | OpenError::Version { .. }) => {
                crate::config::EXIT_CONFIG
            }
            Self::Open(_) | Self::Io { .. } | Self::Store(_) | Self::Client(_) | Self::Task(_) => 1,
        }
    }
}

fn first_life_file(config: &Config) -> PathBuf {
    let mut name = config.data_dir.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(FIRST_LIFE);
    config.data_dir.with_file_name(name)
}

/// Makes the keys which are missing, and says that the data directory is new if it is. Returns the bundle.
///
/// # Errors
/// [`StartError`].
pub fn init(config: &Config) -> Result<Bundle, StartError> {
    let new = !config.service_keys_file.exists();
    let bundle = secrets::init(config)?;
    if new && !config.data_dir.exists() {
        let path = first_life_file(config);
        fs::write(&path, b"").map_err(|source| StartError::Io { path, source })?;
    }
    Ok(bundle)
}

/// Runs the processor of a configuration file until `shutdown` completes.
///
/// # Errors
/// [`StartError`].
pub async fn run(
    config: &Path,
    dkg: Arc<dyn KeyGeneration>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let config = Config::read(config)?;
    let coordinator = config.coordinator_key.ok_or(StartError::Empty("coordinator.service_key"))?;
    let chain = config.chain.ok_or(StartError::Empty("chain"))?;
    let (secrets, bundle) = secrets::open(&config)?;
    let store = DiskStore::open(&config.data_dir)?;
    let first = first_life_file(&config);
    let owner = (chain, config.network, config.validator);
    let ((found, incarnation), commit) = store.write(|txn| {
        let found = rules::claim(txn, owner)?;
        Ok::<_, StoreError>((found, rules::incarnation(txn, first.exists(), now_unix_ms())?))
    })?;
    commit.await?;
    if found != owner {
        return Err(StartError::OtherOwner { path: config.data_dir, owner: found });
    }
    forget_first(&first)?;
    tracing::info!(
        stage = "started",
        network = %config.network,
        validator = %config.validator,
        %incarnation,
        service_key = hex::encode(bundle.service_key),
        "processor started"
    );
    let me = Identity {
        network: config.network,
        validator: config.validator,
        chain,
        incarnation,
        sealer: secrets.sealer,
        external: ExternalNetwork::new(chain, config.network, config.pace),
    };
    let client = Client::new(&config.coordinator_url, config.network, secrets.service, coordinator)?;
    let processor = Processor::new(store.clone(), me, secrets.embedded, dkg);
    let interval = Duration::from_millis(config.pace.block_interval_ms);
    Service::new(processor, client, interval).run(shutdown).await?;
    store.close()?;
    tracing::info!(stage = "stopped", "processor stopped");
    Ok(())
}

fn forget_first(path: &Path) -> Result<(), StartError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StartError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
