//! What one chain receives: a queue for each member, read in turns, bounded in bytes.
//!
//! What the chain calls bulk waits in a queue of its own: of what waits it is read last, and at least every eighth time,
//! so that neither keeps the other out. A quarter of a member's own room is never taken by its bulk.
//!
//! ```text
//! half of the bytes: divided among the members, so that nobody can take another's room
//! the other half:    for whoever comes, but no member holds more than a quarter of all
//! ```
//!
//! At the bound a message is dropped and counted, and a request is refused; the sender's own retries, and
//! sync, make up for it. Nothing that one chain leaves unread delays another chain.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use libp2p::request_response::ResponseChannel;
use processor_messages::Validator;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::{network::Command, sync::SyncResponse};

/// What an entry costs beyond its bytes; bounds the number of entries.
const ENTRY_BYTES: usize = 1_024;
/// The room of each member in an inbox of everybody, in bytes: nobody has any beyond it.
const COMMON_ROOM: usize = 32 << 10;

/// What a member sent.
#[derive(Debug)]
pub enum Inbound {
    /// A message to all members.
    Gossip(Gossip),
    /// A request to us.
    Request(Request),
}

impl Inbound {
    pub(crate) fn from(&self) -> Validator {
        match self {
            Self::Gossip(gossip) => gossip.from,
            Self::Request(request) => request.from,
        }
    }
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
    _own: OwnedSemaphorePermit,
    _bulk: Option<OwnedSemaphorePermit>,
    _beyond: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

/// So many others are read before something in bulk that waits.
const BEFORE_BULK: u8 = 7;

/// A queue for each member, and the members in the order of their turns.
#[derive(Debug, Default)]
struct Lane {
    queues: HashMap<Validator, VecDeque<Inbound>>,
    turns: VecDeque<Validator>,
}

impl Lane {
    fn push(&mut self, inbound: Inbound) {
        let from = inbound.from();
        let queue = self.queues.entry(from).or_default();
        if queue.is_empty() {
            self.turns.push_back(from);
        }
        queue.push_back(inbound);
    }

    fn pop(&mut self) -> Option<Inbound> {
        let from = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&from)?;
        let inbound = queue.pop_front();
        if !queue.is_empty() {
            self.turns.push_back(from);
        }
        inbound
    }
}

/// What waits.
#[derive(Debug, Default)]
struct Waiting {
    first: Lane,
    bulk: Lane,
    /// Which messages are bulk; none if nobody said.
    is_bulk: Option<fn(&[u8]) -> bool>,
    /// How many were read since something in bulk was.
    before_bulk: u8,
    closed: bool,
}

impl Waiting {
    fn push(&mut self, inbound: Inbound) {
        let bulk = match &inbound {
            Inbound::Gossip(gossip) => self.is_bulk.is_some_and(|is_bulk| is_bulk(&gossip.bytes)),
            Inbound::Request(_) => false,
        };
        if bulk { &mut self.bulk } else { &mut self.first }.push(inbound);
    }

    fn pop(&mut self) -> Option<Inbound> {
        if self.before_bulk < BEFORE_BULK
            && let Some(inbound) = self.first.pop()
        {
            self.before_bulk += 1;
            return Some(inbound);
        }
        self.before_bulk = 0;
        self.bulk.pop().or_else(|| self.first.pop())
    }
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is put in any more; what waits may still be read.
    fn close(&self) {
        self.waiting().closed = true;
        self.arrived.notify_one();
    }
}

/// The receiving end of one open chain. Dropping it drops what arrives; close the chain as well.
#[derive(Debug)]
pub struct Inbox {
    queue: Arc<Queue>,
    reachable: watch::Receiver<BTreeSet<Validator>>,
}

impl Inbox {
    /// The next message or request; `None` once the chain is closed or the network has stopped.
    pub async fn recv(&mut self) -> Option<Inbound> {
        loop {
            {
                let mut waiting = self.queue.waiting();
                let inbound = waiting.pop();
                if inbound.is_some() || waiting.closed {
                    return inbound;
                }
            }
            self.queue.arrived.notified().await;
        }
    }

    /// From now on, messages of which `is_bulk` holds wait for others (`P2P-27`).
    pub fn read_last(&self, is_bulk: fn(&[u8]) -> bool) {
        self.queue.waiting().is_bulk = Some(is_bulk);
    }

    /// The next one, if there is one already.
    pub fn try_recv(&mut self) -> Option<Inbound> {
        self.queue.waiting().pop()
    }

    /// The members that listen to the chain right now.
    #[must_use]
    pub fn reachable(&self) -> watch::Receiver<BTreeSet<Validator>> {
        self.reachable.clone()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        *waiting = Waiting { closed: true, ..Waiting::default() };
    }
}

/// A member's room in an inbox.
#[derive(Debug)]
struct Room {
    /// Nobody else can take this.
    own: Arc<Semaphore>,
    /// What its bulk may take of it.
    bulk: Arc<Semaphore>,
    /// What it may take of the room for whoever comes.
    beyond: Arc<Semaphore>,
}

impl Room {
    fn new(own: usize, beyond: usize) -> Self {
        let bytes = |bytes| Arc::new(Semaphore::new(bytes));
        Self { own: bytes(own), bulk: bytes(own - own / 4), beyond: bytes(beyond) }
    }
}

/// The sending end, held by the network task. The queues themselves are unbounded; entries hold [`Space`].
pub(crate) struct InboxSender {
    queue: Arc<Queue>,
    common: Arc<Semaphore>,
    members: HashMap<Validator, Room>,
    reachable: watch::Sender<BTreeSet<Validator>>,
}

/// The inbox of a topic whose members change: each has the same room, however many there are.
pub(crate) fn common_inbox(members: &HashSet<Validator>) -> (InboxSender, Inbox) {
    let (mut sender, inbox) = inbox(0, &HashSet::new());
    sender.set_members(members);
    (sender, inbox)
}

pub(crate) fn inbox(bytes: usize, members: &HashSet<Validator>) -> (InboxSender, Inbox) {
    let queue = Arc::new(Queue::default());
    let (watched, reachable) = watch::channel(BTreeSet::new());
    let most = bytes / 4;
    let own = (bytes / 2).checked_div(members.len()).unwrap_or(0).min(most);
    let members = members.iter().map(|member| (*member, Room::new(own, most - own))).collect();
    let common = Arc::new(Semaphore::new(bytes / 2));
    let sender = InboxSender { queue: queue.clone(), common, members, reachable: watched };
    (sender, Inbox { queue, reachable })
}

impl InboxSender {
    /// Replaces the members of an inbox of everybody; those who stay keep their room.
    pub(crate) fn set_members(&mut self, members: &HashSet<Validator>) {
        self.members.retain(|member, _| members.contains(member));
        for member in members {
            self.members.entry(*member).or_insert_with(|| Room::new(COMMON_ROOM, 0));
        }
    }

    pub(crate) fn is_member(&self, validator: &Validator) -> bool {
        self.members.contains_key(validator)
    }

    /// How many may speak.
    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }

    /// Whether a message is read last.
    pub(crate) fn is_bulk(&self, message: &[u8]) -> bool {
        self.queue.waiting().is_bulk.is_some_and(|is_bulk| is_bulk(message))
    }

    /// Room for `bytes` of a member; `None` at the bound. Called by one task, so that what is available stays so.
    pub(crate) fn reserve(&self, from: &Validator, bytes: usize, bulk: bool) -> Option<Space> {
        let cost = u32::try_from(bytes.checked_add(ENTRY_BYTES)?).ok()?;
        let room = self.members.get(from)?;
        let available = |room: &Semaphore| u32::try_from(room.available_permits()).unwrap_or(u32::MAX);
        let most = if bulk { available(&room.own).min(available(&room.bulk)) } else { available(&room.own) };
        let own = cost.min(most);
        let beyond = match cost - own {
            0 => None,
            rest => {
                let member = room.beyond.clone().try_acquire_many_owned(rest).ok()?;
                Some((member, self.common.clone().try_acquire_many_owned(rest).ok()?))
            }
        };
        let bulk = if bulk { Some(room.bulk.clone().try_acquire_many_owned(own).ok()?) } else { None };
        Some(Space { _own: room.own.clone().try_acquire_many_owned(own).ok()?, _bulk: bulk, _beyond: beyond })
    }

    pub(crate) fn deliver(&self, inbound: Inbound) {
        let mut waiting = self.queue.waiting();
        if waiting.closed {
            tracing::debug!("an inbox was dropped before its chain was closed");
            return;
        }
        waiting.push(inbound);
        drop(waiting);
        self.queue.arrived.notify_one();
    }

    pub(crate) fn set_reachable(&self, validator: Validator, reachable: bool) {
        self.reachable.send_if_modified(|members| {
            if reachable { members.insert(validator) } else { members.remove(&validator) }
        });
    }
}

impl Drop for InboxSender {
    fn drop(&mut self) {
        self.queue.close();
    }
}
