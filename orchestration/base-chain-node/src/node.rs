//! A node: configuration in, a running chain with its JSON-RPC server out.
//!
//! ```text
//! config ─▶ genesis ─▶ key ─▶ store (genesis written once) ─▶ p2p ─▶ driver ─▶ server
//!                                                                      └─▶ ends: halted, disk, stopped
//! ```
//!
//! Everything that can be wrong at start is a [`Failure`] with a code, before anything is sent.

use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind as K, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use coordinator_drive::{Driver, End, Handle};
use coordinator_keys::{SecretKey, read_key_file};
use coordinator_p2p::StartError;
use coordinator_startup::{BoundedListener, Failure, Kind, store_failure};
use coordinator_store::{Store, StoreError};
use coordinator_store_disk::DiskStore;
use processor_messages::{ChainGenesis, Genesis, KeyShares, Validator};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tributary::{Limits, Members, Open};

use crate::{
    application::{BaseApplication, BaseInput, Clock, SharedPool},
    config::Config,
    genesis_file, query,
    rules::{GenesisState, commit, init},
    server::Server,
};

/// Submissions which wait to be told to the other nodes.
const MAX_SUBMITTED: usize = 1_024;
/// The most open connections to JSON-RPC.
const MAX_CONNECTIONS: usize = 1_024;
/// A connection ends on which nothing moved for so long; more than any wait for a block.
const IDLE: Duration = Duration::from_mins(2);
/// How long open requests may last when the node stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs a node until `shutdown` completes.
///
/// # Errors
/// [`Failure`] if the node cannot start or has to stop.
pub async fn run(config: &Path, shutdown: impl Future<Output = ()>) -> Result<(), Failure> {
    let mut node = Node::start(Config::load(config)?).await?;
    tokio::select! {
        () = shutdown => {
            node.stop().await;
            Ok(())
        }
        failure = node.failed() => Err(failure),
    }
}

/// A running node.
pub struct Node {
    rpc: SocketAddr,
    p2p: SocketAddr,
    chain: ChainGenesis,
    handle: Handle<BaseInput>,
    store: DiskStore,
    driver: JoinHandle<End>,
    server: JoinHandle<std::io::Result<()>>,
    teller: JoinHandle<()>,
}

impl Node {
    /// Starts a node.
    ///
    /// # Errors
    /// [`Failure`]: what is wrong and what to do.
    pub async fn start(config: Config) -> Result<Self, Failure> {
        let genesis = genesis_file::load(&config.genesis)?;
        let key = read_key_file(&config.key_file).map_err(|error| {
            let remedy = "name the validator's key file in `key_file`";
            Failure { code: "KEY_FILE", ..Failure::config(error.to_string(), remedy) }
        })?;
        let members = members(&genesis, &config, &key)?;
        let listener = TcpListener::bind(config.rpc_listen)
            .await
            .map_err(|error| Failure::listen("JSON-RPC", config.rpc_listen, &error))?;
        let store = coordinator_startup::open_store(&config.data_dir)?;
        let is_new = init_store(&store, &genesis, &config).await?;
        let store_is_current = mark_use(&config, genesis.hash(), is_new)? && !config.restored;
        if !store_is_current {
            tracing::warn!(
                "the store may be older than what this validator signed: it signs once the others went on"
            );
        }
        let p2p = start_p2p(&config, genesis.hash(), key.clone()).await?;
        let pool = SharedPool::default();
        let application = BaseApplication::new(pool.clone(), clock());
        let open = Open { config: config.timing(), store_is_current };
        let address = p2p.listen_address();
        let (driver, handle) = Driver::open(store.clone(), p2p, members, key, application, open)
            .await
            .map_err(|end| ended(&end))?;
        let (submitted, told) = mpsc::channel(MAX_SUBMITTED);
        let server = Server::new(store.clone(), pool, submitted, handle.decided());
        let rpc = listener.local_addr().map_err(|e| Failure::listen("JSON-RPC", config.rpc_listen, &e))?;
        tracing::info!(chain = %genesis.hash(), chain_id = genesis.chain_id, %rpc, p2p = %address, "the base chain's node runs");
        Ok(Self {
            rpc,
            p2p: address,
            chain: genesis.hash(),
            driver: tokio::spawn(driver.run()),
            server: tokio::spawn(async {
                axum::serve(BoundedListener::new(listener, MAX_CONNECTIONS, IDLE), server.router()).await
            }),
            teller: tokio::spawn(tell(handle.clone(), told)),
            handle,
            store,
        })
    }

    /// Where JSON-RPC is served.
    pub fn rpc_address(&self) -> SocketAddr {
        self.rpc
    }

    /// Where the other nodes connect.
    pub fn p2p_address(&self) -> SocketAddr {
        self.p2p
    }

    /// Which chain this is.
    pub fn chain(&self) -> ChainGenesis {
        self.chain
    }

    /// The engine's driver, for status.
    pub fn handle(&self) -> &Handle<BaseInput> {
        &self.handle
    }

    /// Waits until the node has to stop by itself.
    pub async fn failed(&mut self) -> Failure {
        let internal = |what: String| Failure {
            kind: Kind::Internal,
            code: "NODE_ENDED",
            what,
            remedy: "start it again; if it ends again, report its log".to_owned(),
        };
        tokio::select! {
            end = &mut self.driver => match end {
                Ok(end) => ended(&end),
                Err(error) => internal(format!("the consensus task failed: {error}")),
            },
            end = &mut self.server => internal(format!("the JSON-RPC server ended: {end:?}")),
        }
    }

    /// Stops the node; everything decided is on disk when it returns.
    pub async fn stop(self) {
        self.handle.stop().await;
        self.teller.abort();
        self.server.abort();
        // Either may have ended before; what matters is that it has.
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.driver).await;
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.server).await;
        if let Err(error) = self.store.close() {
            tracing::error!(%error, "the store did not close");
        }
    }
}

/// Tells the other nodes what was submitted here.
async fn tell(handle: Handle<BaseInput>, mut told: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = told.recv().await {
        if handle.input(BaseInput::Submitted(bytes)).await.is_err() {
            return;
        }
    }
}

fn clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

fn members(genesis: &GenesisState, config: &Config, key: &SecretKey) -> Result<Members, Failure> {
    let own = Validator(key.public().to_bytes());
    let validators: Vec<_> = genesis
        .validators
        .iter()
        .filter(|validator| validator.consensus_weight > 0)
        .map(|validator| (validator.validator, KeyShares(validator.consensus_weight)))
        .collect();
    if validators.iter().all(|(validator, _)| *validator != own) {
        return Err(Failure {
            code: "KEY_NOT_REGISTERED",
            ..Failure::config(
                format!("{}: {own} is no consensus validator of the genesis", config.key_file.display()),
                "use the key of a validator with a consensus_weight, or add it before the chain begins",
            )
        });
    }
    Members::new(Genesis(genesis.hash().0), &validators, Limits::default()).map_err(|error| {
        Failure::config(format!("{}: {error}", config.genesis.display()), "correct the consensus weights")
    })
}

/// Writes block 0 into a new store, and says whether it was new; refuses a store of another chain.
async fn init_store(store: &DiskStore, genesis: &GenesisState, config: &Config) -> Result<bool, Failure> {
    let head = store.read(query::head).map_err(|error| store_failure(&error))?;
    if let Some(head) = head {
        if head.chain != genesis.hash() {
            return Err(Failure {
                code: "WRONG_CHAIN",
                ..Failure::config(
                    format!(
                        "{} holds chain {} ({}), {} is chain {} ({})",
                        config.data_dir.display(),
                        head.chain_id,
                        head.chain,
                        config.genesis.display(),
                        genesis.chain_id,
                        genesis.hash()
                    ),
                    "name the chain's own genesis file, or another data_dir",
                )
            });
        }
        return Ok(false);
    }
    let (_, writes) = store.read(|db| init(db, genesis)).map_err(|error| {
        Failure::config(format!("{}: {error}", config.genesis.display()), "correct the genesis")
    })?;
    let step = |txn: &mut dyn coordinator_store::Transaction| {
        commit(txn, writes);
        Ok::<_, StoreError>(())
    };
    let ((), durable) = store.write(step).map_err(|error| store_failure(&error))?;
    durable.await.map_err(|error| store_failure(&error))?;
    Ok(true)
}

/// Remembers beside the key that it was used on this chain; false if it was, and the store is new: a
/// validator that lost its store may have signed what it no longer knows.
fn mark_use(config: &Config, chain: ChainGenesis, is_new: bool) -> Result<bool, Failure> {
    let mut name = config.key_file.clone().into_os_string();
    name.push(format!(".used-{}", chain.to_string().get(..16).unwrap_or_default()));
    let path = PathBuf::from(name);
    if path.exists() {
        return Ok(!is_new);
    }
    let write = || {
        let mut file = fs::File::create(&path)?;
        file.write_all(b"This key signed for this chain. A node with a new store must not sign at once.\n")?;
        file.sync_all()?;
        fs::File::open(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
            .sync_all()
    };
    write().map_err(|error: std::io::Error| Failure {
        kind: Kind::Disk,
        code: "MARKER",
        what: format!("cannot write {}: {error}", path.display()),
        remedy: "let this user write beside the key file".to_owned(),
    })?;
    Ok(true)
}

async fn start_p2p(
    config: &Config,
    chain: ChainGenesis,
    key: SecretKey,
) -> Result<coordinator_p2p::Handle, Failure> {
    let own = Validator(key.public().to_bytes());
    let p2p = coordinator_p2p::Config::new(chain, config.p2p_listen);
    let handle = coordinator_p2p::start(p2p, key).await.map_err(|error| p2p_failure(&error))?;
    let mut peers = BTreeMap::<_, Vec<String>>::new();
    for peer in config.peers.iter().filter(|peer| peer.validator != own) {
        peers.entry(peer.validator).or_default().extend(peer.addresses.iter().cloned());
    }
    handle.set_peers(peers.into_iter().collect()).await.map_err(|error| Failure {
        kind: Kind::Internal,
        code: "P2P_STOPPED",
        what: error.to_string(),
        remedy: "start the node again".to_owned(),
    })?;
    Ok(handle)
}

fn p2p_failure(error: &StartError) -> Failure {
    let io_error = |kind: K| std::io::Error::from(kind);
    match error {
        StartError::AddressInUse { address } => Failure::listen("p2p", address, &io_error(K::AddrInUse)),
        StartError::AddressNotAvailable { address } => {
            Failure::listen("p2p", address, &io_error(K::AddrNotAvailable))
        }
        StartError::PermissionDenied { address } => {
            Failure::listen("p2p", address, &io_error(K::PermissionDenied))
        }
        StartError::Listen { address, source } => Failure::listen("p2p", address, source),
        StartError::Config(problem) => Failure::config(*problem, "correct the p2p settings"),
    }
}

fn ended(end: &End) -> Failure {
    let (code, remedy) = match end {
        End::Store(error) => return store_failure(error),
        End::Halted(_) => ("CHAIN_HALTED", "the reason says what to do; it stays halted until then"),
        End::Stopped | End::Network | End::Join(_) => ("NODE_ENDED", "start the node again"),
    };
    Failure { kind: Kind::Internal, code, what: end.to_string(), remedy: remedy.to_owned() }
}
