//! Starts everything, spawns every task, and ends everything.
//!
//! ```text
//! keys -> store -> base chain reached, right chain, key known -> directory ours -> ports -> tasks -> shutdown
//! ```
//!
//! Nothing else in this crate spawns. Each step of the start says what it does, and fails with one line.

use std::{
    future::Future,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use coordinator_base_chain::{BaseChain, ChainError, ClientConfig, Head, RpcClient};
use coordinator_core::Identity;
use coordinator_keys::{KeyFileError, SecretKey, read_key_file};
use coordinator_message_queue::MessageQueue;
use coordinator_startup::{BoundedListener, Failure, Kind, open_store, store_failure};
use coordinator_store::{Store, StoreError};
use coordinator_store_disk::DiskStore;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};

use crate::{
    api::{self, metrics::Metrics, status::Sources},
    base_chain::{Announce, Follow, FollowState, PublishBatches, PublishKeys, PublishSlashReports},
    config::Config,
    cosign, directory,
    node::Node,
    processor,
    session::{ARCHIVES, Open, Opened, Peers, Retire, Sessions, Timing},
    task::{self, Health, Task, Wake},
};

/// How long the base chain may take to answer at the start.
const BASE_CHAIN_PATIENCE: Duration = Duration::from_mins(1);
/// How long tasks may take to end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(15);
/// A connection ends on which nothing moved for so long; more than any long-poll lasts.
const IDLE: Duration = Duration::from_mins(1);
/// Connections of processors: each uses one or two.
const MAX_QUEUE_CONNECTIONS: usize = 256;
/// Connections of operators and scrapers.
const MAX_API_CONNECTIONS: usize = 64;
/// Sets whose tasks wait to be spawned.
const MAX_OPENED: usize = 16;

/// The bound addresses, with actual ports.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Peers.
    pub p2p: SocketAddr,
    /// Processors.
    pub queue: SocketAddr,
    /// Operators.
    pub api: SocketAddr,
}

/// A coordinator which is ready to run.
pub struct Service<C> {
    node: Node<DiskStore>,
    chain: C,
    config: Config,
    network: coordinator_p2p::Handle,
    queue: MessageQueue<DiskStore>,
    queue_listener: TcpListener,
    api_listener: TcpListener,
    timing: Timing,
    head: Head,
    addresses: Addresses,
}

/// Starts a coordinator and runs it until `shutdown` completes.
///
/// # Errors
/// [`Failure`]: why it did not start or had to stop, in one line.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), Failure> {
    tokio::pin!(shutdown);
    let service = tokio::select! {
        started = Service::start(config) => started?,
        () = &mut shutdown => return Ok(()),
    };
    service.run(shutdown).await
}

fn failure(kind: Kind, code: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Failure {
    Failure { kind, code, what: what.into(), remedy: remedy.into() }
}

fn key(path: &std::path::Path) -> Result<SecretKey, Failure> {
    read_key_file(path).map_err(|error| {
        let code = match &error {
            KeyFileError::Mode { .. } => "KEY_FILE_MODE",
            KeyFileError::Io { .. } | KeyFileError::Format { .. } | KeyFileError::Key { .. } => "KEY_FILE",
        };
        failure(Kind::Config, code, error.to_string(), "correct key_file in the configuration, or the file")
    })
}

fn chain_failure(error: &ChainError) -> Failure {
    let (kind, code) = match error {
        ChainError::WrongChain { .. } => (Kind::Config, "WRONG_CHAIN"),
        ChainError::Protocol { .. } => (Kind::Unavailable, "BASE_CHAIN_PROTOCOL"),
        _ => (Kind::Unavailable, "BASE_CHAIN_UNREACHABLE"),
    };
    failure(kind, code, error.to_string(), "correct base_chain in the configuration, or the node")
}

/// Asks the base chain who it is, again and again for a while if it does not answer.
async fn reach(chain: &impl BaseChain) -> Result<Head, Failure> {
    let started = Instant::now();
    loop {
        match chain.head().await {
            Ok(head) => return Ok(head),
            Err(error) if error.is_temporary() && started.elapsed() < BASE_CHAIN_PATIENCE => {
                tracing::warn!(%error, "waits for the base chain");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(chain_failure(&error)),
        }
    }
}

async fn check_registered(chain: &impl BaseChain, identity: &Identity) -> Result<(), Failure> {
    let me = identity.validator();
    match chain.validator(me).await.map_err(|e| chain_failure(&e))? {
        Some(_) => Ok(()),
        None => Err(failure(
            Kind::Config,
            "KEY_NOT_REGISTERED",
            format!("the base chain knows no validator {me}"),
            "register the embedded keys of this validator on the base chain, or correct key_file",
        )),
    }
}

fn now_unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

async fn listen(purpose: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| Failure::listen(purpose, address, &error))
}

async fn start_network(config: &Config, identity: &Identity) -> Result<coordinator_p2p::Handle, Failure> {
    use coordinator_p2p::StartError as E;
    let p2p = coordinator_p2p::Config::new(identity.chain, config.p2p.listen);
    coordinator_p2p::start(p2p, identity.key.clone()).await.map_err(|error| {
        let (kind, code) = match &error {
            E::Config(_) => (Kind::Config, "CONFIG_INVALID"),
            E::AddressInUse { .. } => (Kind::Unavailable, "PORT_TAKEN"),
            E::AddressNotAvailable { .. } => (Kind::Unavailable, "ADDRESS_NOT_LOCAL"),
            E::PermissionDenied { .. } => (Kind::Unavailable, "PORT_FORBIDDEN"),
            E::Listen { .. } => (Kind::Unavailable, "LISTEN_FAILED"),
        };
        failure(kind, code, error.to_string(), "p2p.listen in the configuration says where")
    })
}

impl Service<RpcClient> {
    /// Does everything that can fail at the start.
    ///
    /// # Errors
    /// [`Failure`], in one line.
    pub async fn start(config: Config) -> Result<Self, Failure> {
        let client = ClientConfig::new(config.base_chain.url.clone(), Some(config.base_chain.chain));
        let chain = RpcClient::new(client).map_err(|e| {
            Failure::config(e.to_string(), "write base_chain.url as http://host:port of the JSON-RPC")
        })?;
        Self::start_on(config, chain).await
    }
}

impl<C: BaseChain> Service<C> {
    /// As [`Service::start`], on another way to the base chain than the configured URL.
    ///
    /// # Errors
    /// [`Failure`], in one line.
    pub async fn start_on(config: Config, chain: C) -> Result<Self, Failure> {
        let validator_key = key(&config.key_file)?;
        let service_key = key(&config.queue.key_file)?;
        let networks = config.queue.processors.keys().copied().collect();
        let identity = Arc::new(Identity { key: validator_key, chain: config.base_chain.chain, networks });
        tracing::info!(validator = %identity.validator(), data_dir = %config.data_dir.display(), "starts");
        let store = open_store(&config.data_dir)?;
        let head = reach(&chain).await?;
        check_registered(&chain, &identity).await?;
        let now = (now_unix_ms(), head.number);
        let untrusted = directory::claim(&store, &identity, &config.key_file, now).await?;
        let network = start_network(&config, &identity).await?;
        let queue_listener = listen("the message queue", config.queue.listen).await?;
        let api_listener = listen("the operator's API", config.api.listen).await?;
        let local = |listener: &TcpListener, configured| listener.local_addr().unwrap_or(configured);
        let addresses = Addresses {
            p2p: network.listen_address(),
            queue: local(&queue_listener, config.queue.listen),
            api: local(&api_listener, config.api.listen),
        };
        let processors = config.queue.processors.iter().map(|(network, key)| (*network, key.0));
        let queue = MessageQueue::new(store.clone(), service_key, processors);
        let interval = config.tributary.block_interval();
        let timing = Timing { config: tributary::Config { interval, ..Default::default() }, untrusted };
        let node = Node {
            store,
            identity,
            wake: Wake::default(),
            health: Health::default(),
            metrics: Metrics::default(),
        };
        Ok(Self {
            node,
            chain,
            config,
            network,
            queue,
            queue_listener,
            api_listener,
            timing,
            head,
            addresses,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Runs until `shutdown` completes, or the store fails.
    ///
    /// # Errors
    /// [`Failure`] if the store failed.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Failure> {
        let Addresses { p2p, queue, api } = self.addresses;
        tracing::info!(%p2p, %queue, %api, base_block = %self.head.number, "runs");
        let (stop, stopped) = watch::channel(false);
        let (spawn, opened) = mpsc::channel(MAX_OPENED);
        let store = self.node.store.clone();
        let mut tasks = Tasks { set: JoinSet::new(), node: self.node.clone(), stop: stopped };
        let sessions = Sessions::default();
        self.spawn_all(&mut tasks, &sessions, spawn);
        let result = tasks.supervise(opened, shutdown).await;
        tracing::info!("stops");
        stop.send_replace(true);
        tasks.node.wake.all();
        let ended = tokio::time::timeout(SHUTDOWN_PATIENCE, async {
            sessions.stop_all().await;
            while tasks.set.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::warn!("some tasks did not end in time; what they had decided is durable");
            tasks.set.shutdown().await;
        }
        store.close().map_err(|e| store_failure(&e))?;
        tracing::info!("stopped");
        result.map_err(|e| store_failure(&e))
    }

    fn spawn_all(
        self,
        tasks: &mut Tasks<DiskStore>,
        sessions: &Sessions,
        spawn: mpsc::Sender<Opened<DiskStore>>,
    ) {
        let Self { node, chain, config, network, queue, queue_listener, api_listener, timing, head, .. } =
            self;
        let follow = FollowState::default();
        follow.note_head(head.number);
        tasks.spawn(Follow::new(node.clone(), chain.clone(), follow.clone()));
        tasks.spawn(cosign::Request::new(node.clone(), chain.clone()));
        tasks.spawn(cosign::Intake::new(node.clone(), network.clone()));
        tasks.spawn(cosign::Gossip::new(node.clone(), network.clone()));
        tasks.spawn(cosign::Ask::new(node.clone(), network.clone()));
        tasks.spawn(Retire::new(node.clone(), sessions.clone(), config.data_dir.join(ARCHIVES)));
        tasks.spawn(Peers::new(node.clone(), chain.clone(), network.clone()));
        if let Some(announce) = Announce::new(node.clone(), chain.clone(), &config.p2p.advertise) {
            tasks.spawn(announce);
        }
        for network in node.identity.networks.clone() {
            tasks.spawn(PublishKeys::new(node.clone(), chain.clone(), network));
            tasks.spawn(PublishBatches::new(node.clone(), chain.clone(), network));
            tasks.spawn(PublishSlashReports::new(node.clone(), chain.clone(), network));
            tasks.spawn(processor::Send::new(node.clone(), queue.clone(), network));
            match processor::Receive::new(node.clone(), queue.clone(), network) {
                Ok(receive) => tasks.spawn(receive),
                Err(error) => tracing::error!(%error, "a network cannot be served"),
            }
        }
        let open = Open::new(node.clone(), network.clone(), sessions.clone(), timing, spawn);
        tasks.spawn(open);
        tasks.serve(BoundedListener::new(queue_listener, MAX_QUEUE_CONNECTIONS, IDLE), queue.router());
        let sessions = sessions.clone();
        let (url, started) = (config.base_chain.url, Instant::now());
        let sources = Sources { node, url, follow, sessions, queue, network, started };
        let operators = BoundedListener::new(api_listener, MAX_API_CONNECTIONS, IDLE);
        tasks.serve(operators, api::router(Arc::new(sources)));
    }
}

/// All tasks of the process.
struct Tasks<S: Store> {
    set: JoinSet<Result<(), StoreError>>,
    node: Node<S>,
    stop: watch::Receiver<bool>,
}

impl<S: Store> Tasks<S> {
    fn spawn(&mut self, task: impl Task + 'static) {
        let (wake, health) = (self.node.wake.clone(), self.node.health.clone());
        self.set.spawn(task::run(task, wake, health, self.stop.clone()));
    }

    fn serve(&mut self, listener: BoundedListener, router: axum::Router) {
        let mut stop = self.stop.clone();
        self.set.spawn(async move {
            let stopped = async move {
                let _ = stop.wait_for(|stop| *stop).await;
            };
            // Open long-polls do not hold up the end.
            let mut late = Box::pin(stopped);
            tokio::select! {
                served = axum::serve(listener, router) => {
                    if let Err(error) = served {
                        tracing::error!(%error, "a server ended");
                    }
                }
                () = &mut late => {}
            }
            Ok(())
        });
    }

    fn spawn_session(&mut self, opened: Opened<S>) {
        let Opened { driver, publish, scan, stop } = opened;
        let (wake, health) = (self.node.wake.clone(), self.node.health.clone());
        let woken = wake.clone();
        let mut decided = publish.decided();
        let mut stopped = stop.clone();
        self.set.spawn(async move {
            // A decided block wakes whoever reads it.
            loop {
                tokio::select! {
                    changed = decided.changed() => if changed.is_err() { break },
                    _ = stopped.wait_for(|stop| *stop) => break,
                }
                woken.all();
            }
            Ok(())
        });
        self.set.spawn(async move {
            driver.run().await;
            Ok(())
        });
        self.set.spawn(task::run(publish, wake.clone(), health.clone(), stop.clone()));
        self.set.spawn(task::run(scan, wake, health, stop));
    }

    /// Spawns the tasks of sets as they are opened, until `shutdown` or a failure of the store.
    async fn supervise(
        &mut self,
        mut opened: mpsc::Receiver<Opened<S>>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), StoreError> {
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                Some(opened) = opened.recv() => self.spawn_session(opened),
                Some(ended) = self.set.join_next() => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Err(error),
                    // The runner catches panics of tasks; what is left is a task which was aborted.
                    Err(error) => tracing::error!(%error, "a task ended by itself"),
                },
            }
        }
    }
}

/// Runs a coordinator on a runtime of its own until SIGINT or SIGTERM.
///
/// # Errors
/// As [`run`].
pub fn run_to_signal(config: Config) -> Result<(), Failure> {
    let threads = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    coordinator_startup::run_to_signal(threads, |shutdown| run(config, shutdown))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
