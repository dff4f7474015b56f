//! The coordinator's end, inside its process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use coordinator_keys::{PublicKey, SecretKey};
use coordinator_store::{Store, StoreError, Transaction};
use processor_messages::{
    FromProcessor, Intent, Network, ToProcessor, codec::MAX_MESSAGE_BYTES, decode, encode,
};
use rand_core::{OsRng, RngCore};
use tokio::sync::{Semaphore, watch};

use crate::{
    Direction, Pushed, QueueError,
    queue::{self, Depth},
    wire::{Boot, Lane},
};

/// Bodies read at the same time: with 2 MiB each, what bounds the memory of all uploads together.
const MAX_BODIES: usize = 32;

/// A network was asked for which this coordinator has no processor for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("network {0} has no processor here; add it to the coordinator's configuration")]
pub struct NotConfigured(pub Network);

impl From<NotConfigured> for QueueError {
    fn from(NotConfigured(network): NotConfigured) -> Self {
        Self::UnknownNetwork(network)
    }
}

/// The queues of one coordinator and all its processors. Clones are handles of the same queues.
pub struct MessageQueue<S: Store>(pub(crate) Arc<Inner<S>>);

impl<S: Store> Clone for MessageQueue<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

pub(crate) struct Inner<S> {
    pub(crate) store: S,
    pub(crate) key: SecretKey,
    pub(crate) boot: Boot,
    pub(crate) bodies: Semaphore,
    peers: BTreeMap<Network, Peer>,
}

/// What the process remembers of one processor; nothing of it outlives the boot.
pub(crate) struct Peer {
    pub(crate) key: PublicKey,
    pub(crate) to_processor: watch::Sender<u64>,
    pub(crate) from_processor: watch::Sender<u64>,
    state: Mutex<PeerState>,
}

#[derive(Default)]
pub(crate) struct PeerState {
    receive: u64,
    send: u64,
    /// The id of the message handed out last.
    pub(crate) delivered: Option<u64>,
}

impl PeerState {
    pub(crate) fn last(&mut self, lane: Lane) -> &mut u64 {
        match lane {
            Lane::Receive => &mut self.receive,
            Lane::Send => &mut self.send,
        }
    }
}

impl Peer {
    /// A panicking holder leaves whole numbers behind, so poison means nothing here.
    pub(crate) fn state(&self) -> MutexGuard<'_, PeerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn wake(changed: &watch::Sender<u64>) {
    changed.send_modify(|changes| *changes = changes.wrapping_add(1));
}

impl<S: Store> MessageQueue<S> {
    /// Opens the queues kept in `store`. `key` is the coordinator's service key, and `processors` gives the public
    /// service key of each network's processor.
    pub fn new(store: S, key: SecretKey, processors: impl IntoIterator<Item = (Network, PublicKey)>) -> Self {
        let mut boot = [0; 16];
        OsRng.fill_bytes(&mut boot);
        let peers = processors.into_iter().map(|(network, key)| (network, Peer::new(key))).collect();
        Self(Arc::new(Inner { store, key, boot, bodies: Semaphore::new(MAX_BODIES), peers }))
    }

    /// The networks which have a processor here.
    pub fn networks(&self) -> impl Iterator<Item = Network> + '_ {
        self.0.peers.keys().copied()
    }

    /// The store in which the queues are kept.
    pub fn store(&self) -> &S {
        &self.0.store
    }

    pub(crate) fn peer(&self, network: Network) -> Result<&Peer, NotConfigured> {
        self.0.peers.get(&network).ok_or(NotConfigured(network))
    }

    /// Queues a message to a network's processor, as part of the caller's step.
    ///
    /// Call [`MessageQueue::wake`] once the step is durable; without it the processor learns of the message
    /// when its current long-poll ends.
    ///
    /// # Errors
    /// [`QueueError::Full`] at the bound: the step fails and is to be retried, so the network's tasks wait for its
    /// processor. [`QueueError::UnknownNetwork`], [`QueueError::TooLong`], [`QueueError::Store`].
    pub fn send(
        &self,
        txn: &mut dyn Transaction,
        network: Network,
        message: &ToProcessor,
    ) -> Result<Pushed, QueueError> {
        self.send_as(txn, network, &message.intent(network), encode(message))
    }

    /// As [`MessageQueue::send`], of an encoded message with the intent which the caller gives it:
    /// [`ToProcessor::intent_in`] if it is sent again to a processor which lost its disk.
    ///
    /// # Errors
    /// As [`MessageQueue::send`].
    pub fn send_as(
        &self,
        txn: &mut dyn Transaction,
        network: Network,
        intent: &Intent,
        bytes: Vec<u8>,
    ) -> Result<Pushed, QueueError> {
        self.peer(network)?;
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(QueueError::TooLong { length: bytes.len(), limit: MAX_MESSAGE_BYTES });
        }
        queue::push(txn, network, Direction::ToProcessor, intent, bytes)
    }

    /// Ends the processor's current wait, as a message for it has become durable.
    pub fn wake(&self, network: Network) {
        if let Ok(peer) = self.peer(network) {
            wake(&peer.to_processor);
        }
    }

    /// Hands the next message of a network's processor to `rule` and acknowledges it, in one step (`MQ-4`). `None`
    /// if nothing waits.
    ///
    /// # Errors
    /// The rule's own, in which case the message stays the next one; [`QueueError`].
    pub fn receive<T, E: From<QueueError> + From<StoreError>>(
        &self,
        network: Network,
        rule: impl FnOnce(&mut dyn Transaction, FromProcessor) -> Result<T, E>,
    ) -> Result<Option<(T, S::Commit)>, E> {
        self.peer(network).map_err(QueueError::from)?;
        let waits = self.0.store.read(|db| queue::head(db, network, Direction::FromProcessor))?;
        if waits.is_none() {
            return Ok(None);
        }
        let (handled, commit) = self.0.store.write(|txn| {
            let Some((id, bytes)) = queue::head(txn, network, Direction::FromProcessor)? else {
                return Ok(None);
            };
            let message = decode(&bytes, MAX_MESSAGE_BYTES)
                .map_err(|e| StoreError::Corrupt { table: "queue/message", reason: e.to_string() })?;
            let handled = rule(txn, message)?;
            queue::acknowledge(txn, network, Direction::FromProcessor, id)?;
            Ok::<_, E>(Some(handled))
        })?;
        Ok(handled.map(|handled| (handled, commit)))
    }

    /// Changes whenever a message of the network's processor becomes durable. Subscribe before a call of
    /// [`MessageQueue::receive`], and wait after one which found nothing.
    ///
    /// # Errors
    /// [`NotConfigured`].
    pub fn received(&self, network: Network) -> Result<watch::Receiver<u64>, NotConfigured> {
        Ok(self.peer(network)?.from_processor.subscribe())
    }

    /// What waits, durably.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub fn depth(&self, network: Network, direction: Direction) -> Result<Depth, StoreError> {
        self.0.store.read(|db| queue::depth(db, network, direction))
    }
}

impl Peer {
    fn new(key: PublicKey) -> Self {
        Self {
            key,
            to_processor: watch::Sender::new(0),
            from_processor: watch::Sender::new(0),
            state: Mutex::default(),
        }
    }
}
