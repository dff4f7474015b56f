//! Gossipsub behind a gate: for each chain, only its members exist.
//!
//! ```text
//! handler event of a peer
//!   | over its message quota?          -> close the connection
//!   | subscription: open chain and member? pass; otherwise keep it until the chain opens
//!   | message:      open chain and member? pass; otherwise drop and count
//!   v
//! gossipsub (mesh, relay, message ids)
//! ```
//!
//! A peer whose subscription never passed is in no mesh, receives nothing, and its grafts are ignored, so
//! the chain's topic consists of members alone.
//!
//! Memory: of each peer at most [`MAX_SUBSCRIPTIONS`] subscriptions are kept.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    mem::take,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use blake2::{Blake2b, Digest, digest::consts::U32};
use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    gossipsub::{self, TopicHash},
    swarm::{
        CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
};
use processor_messages::{Genesis, Validator};

use crate::{Config, Counters, Reason, envelope::HEADER_BYTES, identity, peers::AllowList};

/// The most subscriptions kept of one peer; further ones are dropped and counted.
const MAX_SUBSCRIPTIONS: usize = 4_096;

/// Up to this many members get a message from its author directly; beyond, it takes a hop or two.
pub(crate) const MESH: usize = 12;

type HandlerEvent = THandlerOutEvent<gossipsub::Behaviour>;

const TOPIC_PREFIX: &str = "/headwater/";
const TOPIC_BYTES: usize = TOPIC_PREFIX.len() + 64;

/// The topic of a chain.
pub(crate) fn topic(genesis: Genesis) -> gossipsub::IdentTopic {
    gossipsub::IdentTopic::new(format!("{TOPIC_PREFIX}{genesis}"))
}

struct OpenChain {
    genesis: Genesis,
    members: HashSet<Validator>,
}

/// Gossipsub, reduced to the members of each chain.
pub(crate) struct Gate {
    inner: gossipsub::Behaviour,
    allow: Arc<AllowList>,
    counters: Arc<Counters>,
    chains: HashMap<TopicHash, OpenChain>,
    /// Subscriptions as the peers announced them, to be passed on when a chain opens.
    announced: HashMap<PeerId, BTreeMap<TopicHash, (ConnectionId, HandlerEvent)>>,
    over_quota: VecDeque<PeerId>,
}

impl Gate {
    pub(crate) fn new(config: &Config, allow: Arc<AllowList>, counters: Arc<Counters>) -> Self {
        let settings = settings(config).expect("the settings are constant up to the message size");
        let inner = gossipsub::Behaviour::new(gossipsub::MessageAuthenticity::Anonymous, settings);
        let inner = inner.expect("anonymous messages are not validated by author");
        Self {
            inner,
            allow,
            counters,
            chains: HashMap::new(),
            announced: HashMap::new(),
            over_quota: VecDeque::new(),
        }
    }

    pub(crate) fn open(&mut self, genesis: Genesis, members: HashSet<Validator>) {
        let topic = topic(genesis);
        let hash = topic.hash();
        let is_member = |peer: &PeerId| identity::validator(peer).is_some_and(|v| members.contains(&v));
        let known: Vec<_> = self.announced.iter().filter(|(peer, _)| is_member(peer)).collect();
        let replay: Vec<_> = known
            .into_iter()
            .filter_map(|(peer, topics)| {
                let (connection, event) = topics.get(&hash)?;
                copy(event).map(|event| (*peer, *connection, event))
            })
            .collect();
        self.chains.insert(hash, OpenChain { genesis, members });
        for (peer, connection, event) in replay {
            self.inner.on_connection_handler_event(peer, connection, event);
        }
        if self.inner.subscribe(&topic).is_err() {
            tracing::error!(%genesis, "gossipsub refused a subscription of ours");
        }
    }

    /// Replaces the members of an open topic. Who joins is not connected yet, and who leaves no longer.
    pub(crate) fn set_members(&mut self, genesis: Genesis, members: HashSet<Validator>) {
        if let Some(chain) = self.chains.get_mut(&topic(genesis).hash()) {
            chain.members = members;
        }
    }

    pub(crate) fn close(&mut self, genesis: Genesis) {
        let topic = topic(genesis);
        self.inner.unsubscribe(&topic);
        self.chains.remove(&topic.hash());
    }

    pub(crate) fn genesis(&self, topic: &TopicHash) -> Option<Genesis> {
        self.chains.get(topic).map(|chain| chain.genesis)
    }

    pub(crate) fn gossipsub(&mut self) -> &mut gossipsub::Behaviour {
        &mut self.inner
    }

    /// Takes what the peer may not say out of `event`; `None` closes the connection.
    fn filter(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: HandlerEvent,
    ) -> Option<HandlerEvent> {
        let HandlerEvent::Message { mut rpc, invalid_messages } = event else {
            return Some(event);
        };
        let validator = identity::validator(&peer)?;
        let parts = rpc.messages.len() + rpc.subscriptions.len() + rpc.control_msgs.len();
        let count = u64::try_from(parts + invalid_messages.len()).unwrap_or(u64::MAX);
        if !self.allow.get(&validator)?.received_messages(count, Instant::now()) {
            return None;
        }
        for _ in &invalid_messages {
            self.counters.count(Reason::Malformed);
        }
        let (mut messages, control) = (take(&mut rpc.messages), take(&mut rpc.control_msgs));
        let mut subscriptions = take(&mut rpc.subscriptions);
        for subscription in &subscriptions {
            let mut alone = rpc.clone();
            alone.subscriptions.push(subscription.clone());
            let alone = HandlerEvent::Message { rpc: alone, invalid_messages: Vec::new() };
            self.remember(peer, connection, &subscription.topic_hash, alone);
        }
        subscriptions.retain(|subscription| self.may_speak(&validator, &subscription.topic_hash).is_ok());
        messages.retain(|message| match self.may_speak(&validator, &message.topic) {
            Ok(()) => true,
            Err(reason) => {
                self.counters.count(reason);
                false
            }
        });
        (rpc.messages, rpc.control_msgs, rpc.subscriptions) = (messages, control, subscriptions);
        Some(HandlerEvent::Message { rpc, invalid_messages })
    }

    fn may_speak(&self, validator: &Validator, topic: &TopicHash) -> Result<(), Reason> {
        match self.chains.get(topic) {
            None => Err(Reason::UnknownChain),
            Some(chain) if chain.members.contains(validator) => Ok(()),
            Some(_) => Err(Reason::NotMember),
        }
    }

    /// Keeps a subscription for when its chain opens.
    fn remember(&mut self, peer: PeerId, connection: ConnectionId, topic: &TopicHash, alone: HandlerEvent) {
        if topic.as_str().len() != TOPIC_BYTES {
            self.counters.count(Reason::Malformed);
            return;
        }
        let announced = self.announced.entry(peer).or_default();
        if announced.contains_key(topic) || (announced.len() < MAX_SUBSCRIPTIONS) {
            announced.insert(topic.clone(), (connection, alone));
        } else {
            self.counters.count(Reason::TooManySubscriptions);
        }
    }
}

fn copy(event: &HandlerEvent) -> Option<HandlerEvent> {
    match event {
        HandlerEvent::Message { rpc, .. } => {
            Some(HandlerEvent::Message { rpc: rpc.clone(), invalid_messages: Vec::new() })
        }
        _ => None,
    }
}

fn settings(config: &Config) -> Result<gossipsub::Config, gossipsub::ConfigBuilderError> {
    gossipsub::ConfigBuilder::default()
        .protocol_id_prefix("/headwater/gossip/1")
        .max_transmit_size(config.max_message_bytes + HEADER_BYTES + 1_024)
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(message_id)
        .flood_publish(false)
        .mesh_n(MESH)
        .mesh_n_low(MESH - 4)
        .mesh_n_high(MESH + 4)
        .mesh_outbound_min(0)
        .gossip_lazy(4)
        .heartbeat_initial_delay(std::time::Duration::from_millis(100))
        .heartbeat_interval(std::time::Duration::from_millis(700))
        .prune_backoff(std::time::Duration::from_secs(5))
        .unsubscribe_backoff(std::time::Duration::from_secs(1))
        .connection_handler_queue_len(512)
        .publish_queue_duration(std::time::Duration::from_secs(10))
        .forward_queue_duration(std::time::Duration::from_secs(5))
        .idontwant_on_publish(true)
        .build()
}

fn message_id(message: &gossipsub::Message) -> gossipsub::MessageId {
    let mut hash = Blake2b::<U32>::new();
    hash.update((message.topic.as_str().len() as u64).to_le_bytes());
    hash.update(message.topic.as_str());
    hash.update(&message.data);
    gossipsub::MessageId::new(&hash.finalize())
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = THandler<gossipsub::Behaviour>;
    type ToSwarm = gossipsub::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        if let FromSwarm::ConnectionClosed(closed) = &event
            && (closed.remaining_established == 0)
        {
            self.announced.remove(&closed.peer_id);
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match self.filter(peer, connection, event) {
            Some(event) => self.inner.on_connection_handler_event(peer, connection, event),
            None if self.over_quota.contains(&peer) => {}
            None => self.over_quota.push_back(peer),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(peer_id) = self.over_quota.pop_front() {
            self.counters.count(Reason::MessageQuota);
            return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::All });
        }
        self.inner.poll(cx)
    }
}
