//! From a configuration to a running processor.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use coordinator_message_queue::Client;
use coordinator_startup::{Failure, Kind, open_store, store_failure};
use coordinator_store::{Store, StoreError};

use crate::{
    config::Config,
    dkg::KeyGeneration,
    external_network::ExternalNetwork,
    ledger::LedgerClient,
    processor::Processor,
    rules::{self, Error, Identity, Owner, keys::Opened},
    secrets::{self, Bundle},
    service::{Service, TaskError, now_unix_ms},
};

/// Written by `init` and removed when the store has its first life: without it, an empty store is taken for a lost one.
const FIRST_LIFE: &str = "first-life";

fn empty(setting: &str) -> Failure {
    Failure::config(format!("{setting} is empty"), "write it before the processor runs")
}

fn other_owner(path: &Path, owner: &Owner) -> Failure {
    let (chain, network, validator) = owner;
    Failure {
        kind: Kind::Config,
        code: "WRONG_DATA_DIR",
        what: format!(
            "{} belongs to validator {validator} on network {network} of chain {chain}",
            path.display()
        ),
        remedy: "correct the configuration, or name another data_dir".to_owned(),
    }
}

fn beside_data_dir(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.display().to_string();
    move |error| Failure {
        kind: Kind::Disk,
        code: "DATA_DIR_UNUSABLE",
        what: format!("{path}: {error}"),
        remedy: "make the folder of data_dir writable for this user".to_owned(),
    }
}

/// A task which could not begin.
fn task_failure(error: TaskError) -> Failure {
    match error {
        TaskError::Store(error) | TaskError::Step(Error::Store(error)) => store_failure(&error),
        TaskError::Step(Error::Vault(error)) => error.into(),
        other => Failure {
            kind: Kind::Internal,
            code: "INTERNAL",
            what: other.to_string(),
            remedy: "keep the log and report it".to_owned(),
        },
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
/// [`Failure`].
pub fn init(config: &Config) -> Result<Bundle, Failure> {
    let new = !config.service_keys_file.exists();
    let bundle = secrets::init(config)?;
    if new && !config.data_dir.exists() {
        let path = first_life_file(config);
        fs::write(&path, b"").map_err(beside_data_dir(&path))?;
    }
    Ok(bundle)
}

/// Runs the processor of a configuration file until `shutdown` completes.
///
/// # Errors
/// [`Failure`].
pub async fn run(
    config: &Path,
    dkg: Arc<dyn KeyGeneration>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let config = Config::read(config)?;
    let coordinator = config.coordinator_key.ok_or_else(|| empty("coordinator.service_key"))?;
    let chain = config.chain.ok_or_else(|| empty("chain"))?;
    let (secrets, bundle) = secrets::open(&config)?;
    let store = open_store(&config.data_dir)?;
    let first = first_life_file(&config);
    let owner = (chain, config.network, config.validator);
    let disk = |error: StoreError| store_failure(&error);
    let ((found, incarnation), commit) = store
        .write(|txn| {
            let found = rules::claim(txn, owner)?;
            Ok::<_, StoreError>((found, rules::incarnation(txn, first.exists(), now_unix_ms())?))
        })
        .map_err(disk)?;
    commit.await.map_err(disk)?;
    if found != owner {
        return Err(other_owner(&config.data_dir, &found));
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
        curve: config.curve,
        validator: config.validator,
        chain,
        incarnation,
        sealer: secrets.sealer,
        opened: Opened::default(),
        external: ExternalNetwork::new(chain, config.network, config.pace),
    };
    let client = Client::new(&config.coordinator_url, config.network, secrets.service, coordinator)
        .map_err(|error| Failure::config(error.to_string(), "correct coordinator.url"))?;
    let processor = Processor::new(store.clone(), me, secrets.embedded, dkg);
    let network = LedgerClient::new(&config.network_url, processor.ledger())
        .map_err(|error| Failure::config(error.to_string(), "correct external_network.url"))?;
    let interval = Duration::from_millis(config.pace.block_interval_ms);
    Service::new(processor, client, network, interval).run(shutdown).await.map_err(task_failure)?;
    store.close().map_err(disk)?;
    tracing::info!(stage = "stopped", "processor stopped");
    Ok(())
}

fn forget_first(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(beside_data_dir(path)(error)),
        _ => Ok(()),
    }
}
