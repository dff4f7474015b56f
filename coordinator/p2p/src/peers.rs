//! The allow-list, and what is known of each validator on it. Shared by the handshake, which asks before it
//! verifies anything, the streams, which count, and the network task, which writes.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use processor_messages::Validator;

use crate::{config::Quota, quota::Bucket};

/// Of its quota, an author may have this fraction relayed by each of the others. Relays thus stay within the
/// quota of whoever relays, unless about this many authors flood at once.
const RELAY_SHARE: u64 = 8;

/// What status shows of a connected validator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerInfo {
    /// Its key.
    pub validator: Validator,
    /// The remote end of the latest connection.
    pub address: SocketAddr,
    /// When it became connected.
    pub since: SystemTime,
    /// Bytes received since our start, over all connections.
    pub bytes_in: u64,
    /// Bytes sent since our start, over all connections.
    pub bytes_out: u64,
    /// Messages received since our start: gossip, its control messages, requests.
    pub messages_in: u64,
}

/// One validator on the allow-list.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) validator: Validator,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    messages_in: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    cooldown: Duration,
    bytes: Bucket,
    messages: Bucket,
    relayed_bytes: Bucket,
    relayed_messages: Bucket,
    answers: Bucket,
    refused_until: Option<Instant>,
    connection: Option<(SocketAddr, SystemTime)>,
}

impl State {
    fn cool_down_unless(&mut self, within: bool, now: Instant) -> bool {
        if !within {
            self.refused_until = Some(now + self.cooldown);
        }
        within
    }
}

impl Peer {
    fn new(validator: Validator, quota: &Quota, now: Instant) -> Self {
        let share = |burst: u64, rate: u64| {
            Bucket::full((burst / RELAY_SHARE).max(1), (rate / RELAY_SHARE).max(1), now)
        };
        Self {
            validator,
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            messages_in: AtomicU64::new(0),
            state: Mutex::new(State {
                cooldown: quota.cooldown,
                bytes: Bucket::full(quota.burst_bytes, quota.bytes_per_second, now),
                messages: Bucket::full(quota.burst_messages, quota.messages_per_second, now),
                relayed_bytes: share(quota.burst_bytes, quota.bytes_per_second),
                relayed_messages: share(quota.burst_messages, quota.messages_per_second),
                answers: Bucket::full(quota.burst_bytes, quota.bytes_per_second, now),
                refused_until: None,
                connection: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts received bytes; false, and refused for a while, if they exceed the quota.
    pub(crate) fn received(&self, bytes: u64, now: Instant) -> bool {
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
        let mut state = self.state();
        let within = state.bytes.take(bytes, now);
        state.cool_down_unless(within, now)
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts received messages; false, and refused for a while, if they exceed the quota.
    pub(crate) fn received_messages(&self, count: u64, now: Instant) -> bool {
        self.messages_in.fetch_add(count, Ordering::Relaxed);
        self.charge(count, now)
    }

    /// Charges messages without counting them; false, and refused for a while, if they exceed the quota.
    pub(crate) fn charge(&self, count: u64, now: Instant) -> bool {
        let mut state = self.state();
        let within = state.messages.take(count, now);
        state.cool_down_unless(within, now)
    }

    /// Whether a message of this author may still be relayed by us.
    pub(crate) fn may_relay(&self, bytes: u64, now: Instant) -> bool {
        let mut state = self.state();
        state.relayed_messages.take(1, now) && state.relayed_bytes.take(bytes, now)
    }

    /// Whether it may ask for more: what we send it in answers is bounded as what it sends us.
    pub(crate) fn may_ask(&self, now: Instant) -> bool {
        self.state().answers.take(1, now)
    }

    pub(crate) fn answered(&self, bytes: u64, now: Instant) {
        self.state().answers.spend(bytes, now);
    }

    pub(crate) fn is_refused(&self, now: Instant) -> bool {
        self.state().refused_until.is_some_and(|until| now < until)
    }

    pub(crate) fn connected(&self, address: SocketAddr) {
        let mut state = self.state();
        let since = state.connection.map_or_else(SystemTime::now, |(_, since)| since);
        state.connection = Some((address, since));
    }

    pub(crate) fn disconnected(&self) {
        self.state().connection = None;
    }

    fn info(&self) -> Option<PeerInfo> {
        let (address, since) = self.state().connection?;
        Some(PeerInfo {
            validator: self.validator,
            address,
            since,
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            messages_in: self.messages_in.load(Ordering::Relaxed),
        })
    }
}

/// The validators we talk to.
#[derive(Debug, Default)]
pub(crate) struct AllowList {
    peers: RwLock<HashMap<Validator, Arc<Peer>>>,
}

impl AllowList {
    pub(crate) fn get(&self, validator: &Validator) -> Option<Arc<Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).get(validator).cloned()
    }

    /// Everybody on the list.
    pub(crate) fn validators(&self) -> HashSet<Validator> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Replaces the list; those who stay keep their counts. Returns who left.
    pub(crate) fn set(&self, validators: &[Validator], quota: &Quota, now: Instant) -> Vec<Validator> {
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = HashMap::with_capacity(validators.len());
        for validator in validators {
            let peer = peers.remove(validator);
            let peer = peer.unwrap_or_else(|| Arc::new(Peer::new(*validator, quota, now)));
            next.insert(*validator, peer);
        }
        let left = peers.keys().copied().filter(|validator| !next.contains_key(validator)).collect();
        *peers = next;
        left
    }

    pub(crate) fn connected(&self) -> Vec<PeerInfo> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        let mut infos: Vec<_> = peers.values().filter_map(|peer| peer.info()).collect();
        infos.sort_by_key(|info| info.validator);
        infos
    }
}
