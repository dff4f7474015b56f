//! The network task: one swarm, and what it knows of chains, peers and requests under way.
//!
//! ```text
//! commands --> |         | --> dials, publications, requests
//! swarm    --> | Network | --> inboxes of the chains, replies
//! timers   --> |         | --> redials, probes
//! ```
//!
//! The task waits for nothing but its three inputs. Queues: 1,024 commands (callers wait), 512 requests of
//! ours under way (further ones fail with `Busy`), 512 messages to each peer (further ones are not sent to it,
//! and it is disconnected), the inboxes (see `inbox`).

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use coordinator_keys::SecretKey;
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::ConnectedPoint,
    gossipsub::{self, MessageAcceptance},
    multiaddr::Protocol,
    request_response::{self, OutboundRequestId, ResponseChannel},
    swarm::{ConnectionId, DialError, SwarmEvent, dial_opts::DialOpts},
};
use processor_messages::{Genesis, Validator};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use crate::{
    Config, Counters, Gossip, Inbound, P2pError, Reason, Request, Responder,
    dial::Dialer,
    envelope::{Envelope, Newest, Stamps},
    identity::{self, peer_id},
    inbox::{Inbox, InboxSender, common_inbox, inbox},
    peers::AllowList,
    relay::Coins,
    sync::{PROBE, SyncRequest, SyncResponse},
    transport::{Behaviour, BehaviourEvent},
};

/// The most requests of ours under way, probes aside.
const MAX_REQUESTS: usize = 512;
/// What a forged message costs whoever passed it on, in messages.
const FORGED_COST: u64 = 100;
/// The most connections with one validator: two who dial each other at once, and one after a restart.
const MAX_CONNECTIONS: usize = 3;
/// A peer which fails to take this many messages between two heartbeats of gossip (0.7 s) is disconnected, which
/// frees its send queue; it comes back and synchronizes.
const MAX_UNREAD: usize = 128;
/// How long a name may take to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the handle, the handshakes and the task share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) allow: Arc<AllowList>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) secret: Arc<SecretKey>,
    pub(crate) max_message_bytes: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) stamps: Stamps,
}

/// What a handle may ask.
#[derive(Debug)]
pub(crate) enum Command {
    SetPeers {
        peers: Vec<(Validator, Vec<String>)>,
        reply: oneshot::Sender<()>,
    },
    Open {
        genesis: Genesis,
        members: HashSet<Validator>,
        reply: oneshot::Sender<Result<Inbox, P2pError>>,
    },
    OpenCommon {
        genesis: Genesis,
        reply: oneshot::Sender<Result<Inbox, P2pError>>,
    },
    Close {
        genesis: Genesis,
        reply: oneshot::Sender<()>,
    },
    Charge {
        validator: Validator,
        reply: oneshot::Sender<()>,
    },
    Publish {
        genesis: Genesis,
        sealed: Vec<u8>,
        reply: oneshot::Sender<Result<(), P2pError>>,
    },
    Request {
        to: Validator,
        genesis: Genesis,
        bytes: Vec<u8>,
        reply: oneshot::Sender<Result<Vec<u8>, P2pError>>,
    },
    Respond {
        to: Validator,
        channel: ResponseChannel<SyncResponse>,
        response: SyncResponse,
    },
}

pub(crate) struct Network {
    pub(crate) config: Config,
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) shared: Arc<Shared>,
    commands: mpsc::WeakSender<Command>,
    chains: HashMap<Genesis, InboxSender>,
    /// Those of them whose members are everybody on the allow-list.
    common: HashSet<Genesis>,
    newest: Newest,
    coins: Coins,
    requests: HashMap<OutboundRequestId, oneshot::Sender<Result<Vec<u8>, P2pError>>>,
    connections: HashMap<Validator, Vec<ConnectionId>>,
    /// The probe of each connected validator that waits for its answer, and since when.
    probes: HashMap<Validator, (OutboundRequestId, Instant)>,
    handshakes: HashMap<ConnectionId, Instant>,
    dialer: Dialer,
    resolving: JoinSet<(Validator, Vec<SocketAddr>)>,
    connected: watch::Sender<BTreeSet<Validator>>,
}

impl Network {
    pub(crate) fn new(
        config: Config,
        swarm: Swarm<Behaviour>,
        shared: Arc<Shared>,
        commands: mpsc::WeakSender<Command>,
        connected: watch::Sender<BTreeSet<Validator>>,
    ) -> Self {
        let me = Validator(shared.secret.public().to_bytes());
        let dialer = Dialer::new(me, config.redial_first, config.redial_most);
        Self {
            config,
            swarm,
            shared,
            commands,
            chains: HashMap::new(),
            common: HashSet::new(),
            newest: Newest::default(),
            coins: Coins::default(),
            requests: HashMap::new(),
            connections: HashMap::new(),
            probes: HashMap::new(),
            handshakes: HashMap::new(),
            dialer,
            resolving: JoinSet::new(),
            connected,
        }
    }

    /// Runs until the last handle is dropped.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut probe = tokio::time::interval(self.config.probe_interval);
        probe.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let redial = self.dialer.next().map(tokio::time::Instant::from_std);
            let due = async {
                match redial {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                () = due => self.resolve_due(),
                Some(resolved) = self.resolving.join_next() => {
                    if let Ok((validator, addresses)) = resolved {
                        self.dial(validator, addresses);
                    }
                }
                _ = probe.tick() => self.probe(),
            }
        }
    }

    fn count(&self, reason: Reason) {
        self.shared.counters.count(reason);
    }

    fn on_command(&mut self, command: Command) {
        // A caller that has gone does not need its reply.
        match command {
            Command::SetPeers { peers, reply } => {
                self.set_peers(peers);
                let _ = reply.send(());
            }
            Command::Open { genesis, members, reply } => {
                let _ = reply.send(self.open(genesis, members));
            }
            Command::OpenCommon { genesis, reply } => {
                let _ = reply.send(self.open_common(genesis));
            }
            Command::Charge { validator, reply } => {
                self.charge_forged(&validator);
                let _ = reply.send(());
            }
            Command::Close { genesis, reply } => {
                self.chains.remove(&genesis);
                self.common.remove(&genesis);
                self.newest.forget(genesis);
                self.swarm.behaviour_mut().gate.close(genesis);
                let _ = reply.send(());
            }
            Command::Publish { genesis, sealed, reply } => {
                let _ = reply.send(self.publish(genesis, sealed));
            }
            Command::Request { to, genesis, bytes, reply } => self.request(to, genesis, bytes, reply),
            Command::Respond { to, channel, response } => self.respond(&to, channel, response),
        }
    }

    fn set_peers(&mut self, peers: Vec<(Validator, Vec<String>)>) {
        let now = Instant::now();
        let validators: Vec<_> = peers.iter().map(|(validator, _)| *validator).collect();
        for left in self.shared.allow.set(&validators, &self.config.quota, now) {
            let _ = self.swarm.disconnect_peer_id(peer_id(left));
        }
        self.dialer.set(peers, now);
        let members: HashSet<_> = validators.into_iter().collect();
        for genesis in &self.common {
            if let Some(chain) = self.chains.get_mut(genesis) {
                chain.set_members(&members);
            }
            self.swarm.behaviour_mut().gate.set_members(*genesis, members.clone());
        }
    }

    fn may_open(&self, genesis: Genesis) -> Result<(), P2pError> {
        if self.chains.contains_key(&genesis) {
            return Err(P2pError::ChainOpen);
        }
        if (self.chains.len() >= self.config.max_chains) || (genesis == PROBE) {
            return Err(P2pError::TooManyChains);
        }
        Ok(())
    }

    fn open_common(&mut self, genesis: Genesis) -> Result<Inbox, P2pError> {
        self.may_open(genesis)?;
        let members = self.shared.allow.validators();
        let (sender, receiver) = common_inbox(&members);
        self.chains.insert(genesis, sender);
        self.common.insert(genesis);
        self.swarm.behaviour_mut().gate.open(genesis, members);
        Ok(receiver)
    }

    /// What a forged message costs; whoever exceeds its quota by it is disconnected.
    fn charge_forged(&mut self, validator: &Validator) {
        self.count(Reason::Forged);
        let peer = self.shared.allow.get(validator);
        if peer.is_some_and(|peer| !peer.charge(FORGED_COST, Instant::now())) {
            self.count(Reason::MessageQuota);
            let _ = self.swarm.disconnect_peer_id(peer_id(*validator));
        }
    }

    fn open(&mut self, genesis: Genesis, members: HashSet<Validator>) -> Result<Inbox, P2pError> {
        self.may_open(genesis)?;
        let (sender, receiver) = inbox(self.config.inbox_bytes, &members);
        self.chains.insert(genesis, sender);
        self.swarm.behaviour_mut().gate.open(genesis, members);
        Ok(receiver)
    }

    fn publish(&mut self, genesis: Genesis, sealed: Vec<u8>) -> Result<(), P2pError> {
        if !self.chains.contains_key(&genesis) {
            return Err(P2pError::UnknownChain);
        }
        let gossipsub = self.swarm.behaviour_mut().gate.gossipsub();
        match gossipsub.publish(crate::gossip::topic(genesis), sealed) {
            Ok(_) | Err(gossipsub::PublishError::Duplicate) => Ok(()),
            Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => Err(P2pError::NoPeers),
            Err(gossipsub::PublishError::AllQueuesFull(_)) => Err(P2pError::QueuesFull),
            Err(_) => Err(P2pError::TooLarge),
        }
    }

    fn request(
        &mut self,
        to: Validator,
        genesis: Genesis,
        bytes: Vec<u8>,
        reply: oneshot::Sender<Result<Vec<u8>, P2pError>>,
    ) {
        let refuse = match self.chains.get(&genesis) {
            None => Some(P2pError::UnknownChain),
            Some(_) if bytes.len() > self.config.max_request_bytes => Some(P2pError::TooLarge),
            Some(_) if self.requests.len() >= MAX_REQUESTS => Some(P2pError::Busy),
            Some(chain) if !chain.is_member(&to) => Some(P2pError::Unreachable),
            Some(_) if !self.connections.contains_key(&to) => Some(P2pError::Unreachable),
            Some(_) => None,
        };
        if let Some(error) = refuse {
            let _ = reply.send(Err(error));
            return;
        }
        let request = SyncRequest { genesis, bytes };
        let id = self.swarm.behaviour_mut().sync.send_request(&peer_id(to), request);
        self.requests.insert(id, reply);
    }

    fn respond(
        &mut self,
        to: &Validator,
        channel: ResponseChannel<SyncResponse>,
        mut response: SyncResponse,
    ) {
        if let Some(bytes) = &response {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if bytes.len() > self.config.max_response_bytes {
                tracing::warn!(size, "a response of ours exceeds max_response_bytes");
                response = None;
            } else if let Some(peer) = self.shared.allow.get(to) {
                peer.answered(size, Instant::now());
            }
        }
        // An error returns the response: the peer has gone, or its time is over.
        let _ = self.swarm.behaviour_mut().sync.send_response(channel, response);
    }

    fn resolve_due(&mut self) {
        for (validator, addresses) in self.dialer.due(Instant::now()) {
            self.resolving.spawn(async move {
                let mut found = Vec::new();
                for address in addresses {
                    let lookup = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host(&address));
                    match lookup.await {
                        Ok(Ok(resolved)) => found.extend(resolved.take(4)),
                        Ok(Err(error)) => {
                            tracing::debug!(address, %error, "a validator's address does not resolve");
                        }
                        Err(_) => tracing::debug!(address, "a validator's address did not resolve in time"),
                    }
                }
                (validator, found)
            });
        }
    }

    fn dial(&mut self, validator: Validator, addresses: Vec<SocketAddr>) {
        let options = DialOpts::peer_id(peer_id(validator))
            .addresses(addresses.into_iter().map(multiaddr).collect())
            .build();
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%validator, %error, "not dialed");
            self.dialer.failed(&validator, Instant::now());
        }
    }

    /// Asks every connected validator for a sign of life, one question at a time; who does not give it is
    /// disconnected.
    fn probe(&mut self) {
        let most = self.config.request_timeout;
        let is_dead = |(_, (_, since)): &(&Validator, &(OutboundRequestId, Instant))| since.elapsed() >= most;
        let dead: Vec<_> = self.probes.iter().filter(is_dead).map(|(validator, _)| *validator).collect();
        for validator in dead {
            self.probes.remove(&validator);
            self.count(Reason::Dead);
            let _ = self.swarm.disconnect_peer_id(peer_id(validator));
        }
        for validator in self.connections.keys() {
            if !self.probes.contains_key(validator) {
                let request = SyncRequest { genesis: PROBE, bytes: Vec::new() };
                let id = self.swarm.behaviour_mut().sync.send_request(&peer_id(*validator), request);
                self.probes.insert(*validator, (id, Instant::now()));
            }
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gate(event)) => self.on_gossip(event),
            SwarmEvent::Behaviour(BehaviourEvent::Sync(event)) => self.on_sync(event),
            SwarmEvent::IncomingConnection { connection_id, .. } => {
                self.handshakes.insert(connection_id, Instant::now());
            }
            SwarmEvent::IncomingConnectionError { connection_id, error, .. } => {
                let began = self.handshakes.remove(&connection_id);
                if began.is_some_and(|began| began.elapsed() >= self.config.handshake_timeout) {
                    self.count(Reason::HandshakeTimeout);
                } else if !crate::transport::counted(&error) {
                    self.count(Reason::HandshakeMalformed);
                }
                tracing::debug!(%error, "an incoming connection was refused");
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                tracing::debug!(%error, "dialing failed");
                if matches!(error, DialError::WrongPeerId { .. }) {
                    self.count(Reason::WrongValidator);
                }
                if let Some(validator) = identity::validator(&peer) {
                    self.dialer.failed(&validator, Instant::now());
                }
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.handshakes.remove(&connection_id);
                self.on_connected(&peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, cause, .. } => {
                if cause.as_ref().is_some_and(crate::transport::is_over_quota) {
                    self.count(Reason::ByteQuota);
                }
                tracing::debug!(?cause, "a connection closed");
                self.on_disconnected(&peer_id, connection_id, num_established);
            }
            SwarmEvent::ListenerClosed { reason, .. } => {
                tracing::error!(?reason, "the p2p listener closed; others cannot dial us until a restart");
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "the p2p listener could not accept a connection");
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: &PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        let Some(validator) = identity::validator(peer) else { return };
        let Some(entry) = self.shared.allow.get(&validator) else {
            // It left the allow-list between its handshake and now.
            let _ = self.swarm.disconnect_peer_id(*peer);
            return;
        };
        entry.connected(socket_address(endpoint.get_remote_address()));
        let connections = self.connections.entry(validator).or_default();
        connections.push(connection);
        if connections.len() > MAX_CONNECTIONS {
            let oldest = connections.remove(0);
            self.swarm.close_connection(oldest);
        }
        self.dialer.connected(&validator, Instant::now());
        if self.connected.send_if_modified(|connected| connected.insert(validator)) {
            tracing::info!(%validator, "connected");
        }
    }

    fn on_disconnected(&mut self, peer: &PeerId, connection: ConnectionId, remaining: u32) {
        let Some(validator) = identity::validator(peer) else { return };
        if let Some(connections) = self.connections.get_mut(&validator) {
            connections.retain(|other| *other != connection);
        }
        if remaining > 0 {
            return;
        }
        self.connections.remove(&validator);
        self.probes.remove(&validator);
        if let Some(entry) = self.shared.allow.get(&validator) {
            entry.disconnected();
        }
        for chain in self.chains.values() {
            chain.set_reachable(validator, false);
        }
        self.dialer.disconnected(&validator, Instant::now());
        if self.connected.send_if_modified(|connected| connected.remove(&validator)) {
            tracing::info!(%validator, "disconnected");
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                let acceptance = match self.deliver(&propagation_source, message) {
                    Ok(true) => MessageAcceptance::Accept,
                    Ok(false) => MessageAcceptance::Ignore,
                    Err(reason) => {
                        self.count(reason);
                        MessageAcceptance::Reject
                    }
                };
                let gossipsub = self.swarm.behaviour_mut().gate.gossipsub();
                gossipsub.report_message_validation_result(&message_id, &propagation_source, acceptance);
            }
            gossipsub::Event::Subscribed { peer_id, topic } => {
                self.on_subscription(&peer_id, &topic, true);
            }
            gossipsub::Event::Unsubscribed { peer_id, topic } => {
                self.on_subscription(&peer_id, &topic, false);
            }
            gossipsub::Event::SlowPeer { peer_id, failed_messages } => {
                tracing::debug!(peer = ?identity::validator(&peer_id), ?failed_messages, "not read in time");
                if failed_messages.non_priority >= MAX_UNREAD {
                    self.count(Reason::SlowReader);
                    let _ = self.swarm.disconnect_peer_id(peer_id);
                }
            }
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                let _ = self.swarm.disconnect_peer_id(peer_id);
            }
        }
    }

    fn on_subscription(&mut self, peer: &PeerId, topic: &gossipsub::TopicHash, reachable: bool) {
        let genesis = self.swarm.behaviour().gate.genesis(topic);
        let chain = genesis.and_then(|genesis| self.chains.get(&genesis));
        if let (Some(chain), Some(validator)) = (chain, identity::validator(peer)) {
            chain.set_reachable(validator, reachable);
        }
    }

    /// Puts a message into its chain's inbox; whether to relay it.
    fn deliver(&mut self, source: &PeerId, message: gossipsub::Message) -> Result<bool, Reason> {
        let passed_on_by = identity::validator(source).ok_or(Reason::NotMember)?;
        let genesis = self.swarm.behaviour().gate.genesis(&message.topic).ok_or(Reason::UnknownChain)?;
        let chain = self.chains.get(&genesis).ok_or(Reason::UnknownChain)?;
        let envelope = Envelope::parse(message.data).ok_or(Reason::Malformed)?;
        if envelope.payload.len() > self.config.max_message_bytes {
            return Err(Reason::Malformed);
        }
        let from = envelope.author;
        if !chain.is_member(&from) {
            return Err(Reason::NotMember);
        }
        if self.newest.is_replay(genesis, from, envelope.stamp) {
            return Err(Reason::Replayed);
        }
        let now = Instant::now();
        if !envelope.verify(genesis) {
            let peer = self.shared.allow.get(&passed_on_by);
            if peer.is_some_and(|peer| !peer.charge(FORGED_COST, now)) {
                self.count(Reason::MessageQuota);
                let _ = self.swarm.disconnect_peer_id(*source);
            }
            return Err(Reason::Forged);
        }
        self.newest.note(genesis, from, envelope.stamp, self.shared.stamps.now());
        let size = u64::try_from(envelope.payload.len()).unwrap_or(u64::MAX);
        // A topic of everybody has members who are not connected with each other: there each message is relayed.
        let needed = self.common.contains(&genesis) || self.coins.throw(chain.members());
        let relay = needed && self.shared.allow.get(&from).is_some_and(|author| author.may_relay(size, now));
        // A relayed copy may come before the direct one, which then counts as a repetition: take it, relay or not.
        let bulk = chain.is_bulk(&envelope.payload);
        let space = chain.reserve(&from, envelope.payload.len(), bulk).ok_or(Reason::InboxFull)?;
        chain.deliver(Inbound::Gossip(Gossip { from, bytes: envelope.payload, _space: space }));
        Ok(relay)
    }

    fn on_sync(&mut self, event: request_response::Event<SyncRequest, SyncResponse>) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request { request, channel, .. } => {
                    self.on_request(&peer, request, channel);
                }
                request_response::Message::Response { request_id, response } => {
                    if let Some(reply) = self.requests.remove(&request_id) {
                        let _ = reply.send(response.ok_or(P2pError::Refused));
                    } else {
                        self.probes.retain(|_, (id, _)| *id != request_id);
                    }
                }
            },
            request_response::Event::OutboundFailure { connection_id, request_id, error, .. } => {
                self.on_request_failure(connection_id, request_id, &error);
            }
            request_response::Event::InboundFailure { error, .. } => {
                tracing::debug!(%error, "an incoming request failed");
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_request_failure(
        &mut self,
        connection: ConnectionId,
        id: OutboundRequestId,
        error: &request_response::OutboundFailure,
    ) {
        tracing::debug!(%error, "a request failed");
        if let Some(reply) = self.requests.remove(&id) {
            let _ = reply.send(Err(P2pError::NoResponse));
            return;
        }
        self.probes.retain(|_, (probe, _)| *probe != id);
        if matches!(error, request_response::OutboundFailure::Timeout) {
            // A probe: the connection is dead.
            self.count(Reason::Dead);
            self.swarm.close_connection(connection);
        }
    }

    fn on_request(&mut self, peer: &PeerId, request: SyncRequest, channel: ResponseChannel<SyncResponse>) {
        let Some(from) = identity::validator(peer) else { return };
        match self.admit(&from, &request) {
            Ok(None) => self.respond(&from, channel, Some(Vec::new())),
            Ok(Some(space)) => {
                let responder =
                    Responder { to: from, channel: Some(channel), commands: self.commands.clone() };
                if let Some(chain) = self.chains.get(&request.genesis) {
                    chain.deliver(Inbound::Request(Request { from, bytes: request.bytes, responder, space }));
                }
            }
            Err(reason) => {
                self.count(reason);
                self.respond(&from, channel, None);
                if reason == Reason::MessageQuota {
                    let _ = self.swarm.disconnect_peer_id(*peer);
                }
            }
        }
    }

    /// Whether a request may enter an inbox; `None` for a probe.
    fn admit(&self, from: &Validator, request: &SyncRequest) -> Result<Option<crate::inbox::Space>, Reason> {
        let entry = self.shared.allow.get(from).ok_or(Reason::NotAllowed)?;
        if !entry.received_messages(1, Instant::now()) {
            return Err(Reason::MessageQuota);
        }
        if request.genesis == PROBE {
            return Ok(None);
        }
        let chain = self.chains.get(&request.genesis).ok_or(Reason::UnknownChain)?;
        if !chain.is_member(from) {
            return Err(Reason::NotMember);
        }
        if !entry.may_ask(Instant::now()) {
            return Err(Reason::AnswerBudget);
        }
        chain.reserve(from, request.bytes.len(), false).ok_or(Reason::InboxFull).map(Some)
    }
}

pub(crate) fn multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}

/// The socket address in a multiaddress of TCP; the unspecified one if it is of another kind.
pub(crate) fn socket_address(address: &Multiaddr) -> SocketAddr {
    let mut ip = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    let mut port = 0;
    for part in address {
        match part {
            Protocol::Ip4(v4) => ip = v4.into(),
            Protocol::Ip6(v6) => ip = v6.into(),
            Protocol::Tcp(tcp) => port = tcp,
            _ => {}
        }
    }
    SocketAddr::new(ip, port)
}
