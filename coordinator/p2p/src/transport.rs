//! Builds the swarm: TCP, the handshake, yamux; the gate and sync above; a bound on handshakes under way.

use std::{
    collections::BTreeSet,
    error::Error,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use coordinator_keys::SecretKey;
use futures::StreamExt;
use libp2p::{
    Swarm, Transport,
    core::upgrade,
    request_response, swarm,
    swarm::{ListenError, NetworkBehaviour, SwarmEvent},
    tcp, yamux,
};
use processor_messages::Validator;
use tokio::sync::{mpsc, watch};

use crate::{
    Config, Handle, StartError,
    door::Door,
    envelope::Stamps,
    gossip::Gate,
    handshake::{Handshake, HandshakeError},
    identity::peer_id,
    meter::ByteQuotaExceeded,
    network::{Network, Shared, multiaddr, socket_address},
    sync::{self, SyncCodec},
};

const MAX_COMMANDS: usize = 1_024;
/// Streams of one connection: two of gossip, and requests in both directions.
const MAX_STREAMS: usize = 64;
/// Requests of one connection that are served at once.
const MAX_INBOUND_REQUESTS: usize = 16;
/// Connections stay open while both sides want them; only probes and quotas end them.
const NEVER_IDLE: Duration = Duration::from_hours(100 * 365 * 24);

#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
pub(crate) struct Behaviour {
    pub(crate) door: Door,
    pub(crate) gate: Gate,
    pub(crate) sync: request_response::Behaviour<SyncCodec>,
}

/// Starts the network: listens, and spawns its task on the current runtime. Nobody is on the allow-list until
/// [`Handle::set_peers`]. The task ends when the last [`Handle`] is dropped.
///
/// # Errors
/// [`StartError`], which names the address and the remedy.
pub async fn start(config: Config, secret: SecretKey) -> Result<Handle, StartError> {
    config.validate()?;
    probe_address(config.listen)?;
    let shared = Arc::new(Shared {
        allow: Arc::default(),
        counters: Arc::default(),
        secret: Arc::new(secret),
        max_message_bytes: config.max_message_bytes,
        request_timeout: config.request_timeout,
        stamps: Stamps::new(),
    });
    let mut swarm = build(&config, &shared);
    let address = config.listen;
    let failed = |source| StartError::Listen { address, source };
    swarm.listen_on(multiaddr(address)).map_err(|error| failed(io::Error::other(error)))?;
    let listen = loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => break socket_address(&address),
            SwarmEvent::ListenerClosed { reason, .. } => {
                return Err(failed(reason.err().unwrap_or_else(|| io::Error::other("the listener closed"))));
            }
            _ => {}
        }
    };
    let listen = SocketAddr::new(address.ip(), listen.port());
    let (commands, receiver) = mpsc::channel(MAX_COMMANDS);
    let (watched, connected) = watch::channel(BTreeSet::new());
    let network = Network::new(config, swarm, shared.clone(), commands.downgrade(), watched);
    tokio::spawn(network.run(receiver));
    Ok(Handle { commands, shared, listen, connected })
}

/// libp2p listens with SO_REUSEPORT, which would share the port of another process of the same user without
/// a word; a plain socket finds out.
fn probe_address(address: SocketAddr) -> Result<(), StartError> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(source) => Err(match source.kind() {
            io::ErrorKind::AddrInUse => StartError::AddressInUse { address },
            io::ErrorKind::AddrNotAvailable => StartError::AddressNotAvailable { address },
            io::ErrorKind::PermissionDenied => StartError::PermissionDenied { address },
            _ => StartError::Listen { address, source },
        }),
    }
}

fn build(config: &Config, shared: &Shared) -> Swarm<Behaviour> {
    let Shared { allow, counters, secret, .. } = shared;
    let me = Validator(secret.public().to_bytes());
    let handshake = Handshake {
        chain: config.chain,
        secret: secret.clone(),
        allow: allow.clone(),
        counters: counters.clone(),
    };
    let mut multiplexer = yamux::Config::default();
    multiplexer.set_max_num_streams(MAX_STREAMS);
    let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(upgrade::Version::V1)
        .authenticate(handshake)
        .multiplex(multiplexer)
        .timeout(config.handshake_timeout)
        .boxed();
    let codec = SyncCodec {
        max_request: config.max_request_bytes,
        max_response: config.max_response_bytes,
        counters: counters.clone(),
    };
    let requests = request_response::Config::default()
        .with_request_timeout(config.request_timeout)
        .with_max_concurrent_streams(MAX_INBOUND_REQUESTS);
    let protocols = [(sync::PROTOCOL, request_response::ProtocolSupport::Full)];
    let behaviour = Behaviour {
        door: Door::new(config.max_handshakes, counters.clone()),
        gate: Gate::new(config, allow.clone(), counters.clone()),
        sync: request_response::Behaviour::with_codec(codec, protocols, requests),
    };
    let settings = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(NEVER_IDLE)
        .with_max_negotiating_inbound_streams(MAX_STREAMS);
    Swarm::new(transport, behaviour, peer_id(me), settings)
}

/// Whether this failure has been counted where it happened.
pub(crate) fn counted(error: &ListenError) -> bool {
    matches!(error, ListenError::Denied { .. }) || sources(error).any(<dyn Error>::is::<HandshakeError>)
}

/// Whether a connection closed since its validator exceeded the byte quota.
pub(crate) fn is_over_quota(cause: &swarm::ConnectionError) -> bool {
    sources(cause).any(<dyn Error>::is::<ByteQuotaExceeded>)
}

/// An error and all beneath it. Wrappers by `std::io` hide what they wrap from `source`.
fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| beneath(*error))
}

fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}
