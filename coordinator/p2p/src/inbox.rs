//! What one chain receives: a queue bounded in bytes, of which one member may fill a quarter.
//!
//! At the bound a message is dropped and counted, and a request is refused; the sender's own retries, and
//! sync, make up for it. Nothing that one chain leaves unread delays another chain.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use libp2p::request_response::ResponseChannel;
use processor_messages::Validator;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::{network::Command, sync::SyncResponse};

/// What an entry costs beyond its bytes; bounds the number of entries.
const ENTRY_BYTES: usize = 1_024;

/// What a member sent.
#[derive(Debug)]
pub enum Inbound {
    /// A message to all members.
    Gossip(Gossip),
    /// A request to us.
    Request(Request),
}

/// A gossip message.
#[derive(Debug)]
pub struct Gossip {
    /// Its author: proven by its signature, whoever passed it on.
    pub from: Validator,
    /// The bytes as published.
    pub bytes: Vec<u8>,
    pub(crate) _space: Space,
}

/// A request; dropping it refuses.
#[derive(Debug)]
pub struct Request {
    /// The member that asks.
    pub from: Validator,
    /// The bytes as sent.
    pub bytes: Vec<u8>,
    pub(crate) responder: Responder,
    pub(crate) space: Space,
}

impl Request {
    /// Separates the question from the means to answer it.
    #[must_use]
    pub fn into_parts(self) -> (Validator, Vec<u8>, Responder) {
        drop(self.space);
        (self.from, self.bytes, self.responder)
    }
}

/// Answers one request; dropping it refuses.
#[derive(Debug)]
pub struct Responder {
    pub(crate) to: Validator,
    pub(crate) channel: Option<ResponseChannel<SyncResponse>>,
    pub(crate) commands: mpsc::WeakSender<Command>,
}

impl Responder {
    /// Sends the response. It is dropped if it exceeds the bound, the peer has gone, or under load.
    pub fn respond(mut self, bytes: Vec<u8>) {
        self.send(Some(bytes));
    }

    fn send(&mut self, response: SyncResponse) {
        let Some(channel) = self.channel.take() else { return };
        let command = Command::Respond { to: self.to, channel, response };
        if self.commands.upgrade().is_none_or(|commands| commands.try_send(command).is_err()) {
            tracing::debug!("a response was dropped under load");
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.send(None);
    }
}

/// Room which an entry holds until it is dropped.
#[derive(Debug)]
pub(crate) struct Space {
    _chain: OwnedSemaphorePermit,
    _member: OwnedSemaphorePermit,
}

/// The receiving end of one open chain. Dropping it drops what arrives; close the chain as well.
#[derive(Debug)]
pub struct Inbox {
    received: mpsc::UnboundedReceiver<Inbound>,
    reachable: watch::Receiver<BTreeSet<Validator>>,
}

impl Inbox {
    /// The next message or request; `None` once the chain is closed or the network has stopped.
    pub async fn recv(&mut self) -> Option<Inbound> {
        self.received.recv().await
    }

    /// The next one, if there is one already.
    pub fn try_recv(&mut self) -> Option<Inbound> {
        self.received.try_recv().ok()
    }

    /// The members that listen to the chain right now.
    #[must_use]
    pub fn reachable(&self) -> watch::Receiver<BTreeSet<Validator>> {
        self.reachable.clone()
    }
}

/// The sending end, held by the network task. The channel itself is unbounded; entries hold [`Space`].
pub(crate) struct InboxSender {
    sender: mpsc::UnboundedSender<Inbound>,
    space: Arc<Semaphore>,
    members: HashMap<Validator, Arc<Semaphore>>,
    reachable: watch::Sender<BTreeSet<Validator>>,
}

pub(crate) fn inbox(bytes: usize, members: &HashSet<Validator>) -> (InboxSender, Inbox) {
    let (sender, received) = mpsc::unbounded_channel();
    let (watched, reachable) = watch::channel(BTreeSet::new());
    let members = members.iter().map(|member| (*member, Arc::new(Semaphore::new(bytes / 4)))).collect();
    let sender = InboxSender { sender, space: Arc::new(Semaphore::new(bytes)), members, reachable: watched };
    (sender, Inbox { received, reachable })
}

impl InboxSender {
    pub(crate) fn is_member(&self, validator: &Validator) -> bool {
        self.members.contains_key(validator)
    }

    /// Room for `bytes` of a member; `None` at the bound.
    pub(crate) fn reserve(&self, from: &Validator, bytes: usize) -> Option<Space> {
        let cost = u32::try_from(bytes + ENTRY_BYTES).ok()?;
        let member = self.members.get(from)?.clone().try_acquire_many_owned(cost).ok()?;
        let chain = self.space.clone().try_acquire_many_owned(cost).ok()?;
        Some(Space { _chain: chain, _member: member })
    }

    pub(crate) fn deliver(&self, inbound: Inbound) {
        if self.sender.send(inbound).is_err() {
            tracing::debug!("an inbox was dropped before its chain was closed");
        }
    }

    pub(crate) fn set_reachable(&self, validator: Validator, reachable: bool) {
        self.reachable.send_if_modified(|members| {
            if reachable { members.insert(validator) } else { members.remove(&validator) }
        });
    }
}
