//! The durable state of the queues: pure functions of a store's transaction.
//!
//! ```text
//! push:        intent known? -> its id      forgotten and past? -> past      else id = next, next += 1
//! head:        the message of id `first`
//! acknowledge: id == first -> removed, first += 1;  id < first -> already;  id > first -> refused
//! forget:      a session is over: its intents go, and every message of it is past
//! ```

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Key, Read, StoreError, Table, Transaction};
use processor_messages::{BaseBlock, Incarnation, Intent, Memory, Network, Session};

/// The most messages which wait in one direction of one pair (`MQ-5`).
pub const MAX_MESSAGES: u64 = 16_384;
/// The most bytes which wait in one direction of one pair, unless a single message waits (`MQ-5`).
pub const MAX_BYTES: u64 = 128 * 1024 * 1024;

/// Which way a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Direction {
    /// From the coordinator to a processor.
    ToProcessor,
    /// From a processor to the coordinator.
    FromProcessor,
}

impl Key for Direction {
    fn encode_to(&self, bytes: &mut Vec<u8>) {
        bytes.push(match self {
            Self::ToProcessor => 0,
            Self::FromProcessor => 1,
        });
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match u8::decode(bytes)? {
            0 => Some(Self::ToProcessor),
            1 => Some(Self::FromProcessor),
            _ => None,
        }
    }
}

/// What went wrong with a queue.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QueueError {
    /// The queue is at its bound. Temporary: the receiver has to run and acknowledge.
    #[error(
        "the queue {direction:?} of {network} is full ({messages} messages, {bytes} bytes): {}",
        match direction {
            Direction::ToProcessor => "start its processor, which has to take messages before more are queued",
            Direction::FromProcessor => "the coordinator has to handle messages first; the processor retries",
        }
    )]
    Full {
        /// Whose queue.
        network: Network,
        /// Which way.
        direction: Direction,
        /// Messages waiting.
        messages: u64,
        /// Bytes waiting.
        bytes: u64,
    },
    /// An id was acknowledged which was never delivered. The receiver's fault.
    #[error("message {id} of {network} was acknowledged but not delivered; ask for the next message first")]
    NotDelivered {
        /// Whose queue.
        network: Network,
        /// The id.
        id: u64,
    },
    /// A message is larger than the receiver would take. Ours.
    #[error("a message of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// Bytes of the message.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The coordinator was not configured with this network.
    #[error("network {0} has no processor here; add it to the coordinator's configuration")]
    UnknownNetwork(Network),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Pushed {
    /// Queued under this id.
    Queued(u64),
    /// Its intent had been queued before, under this id: ignored.
    Duplicate(u64),
    /// Its session is over, or its block is not after the last one: ignored, whether or not it had been queued
    /// before (`MQ-10`).
    Past,
}

/// One direction of one pair: ids `first..next` wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Depth {
    /// The lowest id not acknowledged.
    pub first: u64,
    /// The id of the next message to be queued.
    pub next: u64,
    /// Bytes waiting.
    pub bytes: u64,
}

impl Depth {
    /// Messages waiting.
    pub fn messages(&self) -> u64 {
        self.next.saturating_sub(self.first)
    }
}

const DEPTHS: Table<(Network, Direction), Depth> = Table::new("queue/depth");
const MESSAGES: Table<(Network, Direction, u64), Vec<u8>> = Table::new("queue/message");
/// Intents which are kept for ever.
const INTENTS: Table<(Network, Direction, Vec<u8>), u64> = Table::new("queue/intent");
/// Intents of sessions which are not forgotten.
const OF_SESSIONS: Table<(Network, Session, Direction, Vec<u8>), u64> = Table::new("queue/intent_of_session");
/// Sessions which are forgotten.
const OVER: Table<(Network, Session), ()> = Table::new("queue/over");
/// The last of the base chain's blocks, by the life of the processor's disk and its number.
const BLOCKS: Table<(Network, Direction), (Incarnation, BaseBlock)> = Table::new("queue/block");

/// What waits.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn depth(db: &(impl Read + ?Sized), network: Network, direction: Direction) -> Result<Depth, StoreError> {
    Ok(DEPTHS.get(db, &(network, direction))?.unwrap_or_default())
}

/// What became of a message if it is not to be queued (`MQ-1`, `MQ-10`).
fn known(
    db: &(impl Read + ?Sized),
    network: Network,
    direction: Direction,
    intent: &Intent,
) -> Result<Option<Pushed>, StoreError> {
    let bytes = intent.as_bytes().to_vec();
    Ok(match intent.memory() {
        Memory::Session(session) if OVER.get(db, &(network, session))?.is_some() => Some(Pushed::Past),
        Memory::Session(session) => {
            OF_SESSIONS.get(db, &(network, session, direction, bytes))?.map(Pushed::Duplicate)
        }
        Memory::Block(life, number) => {
            let last = BLOCKS.get(db, &(network, direction))?;
            last.filter(|last| (life, number) <= *last).map(|_| Pushed::Past)
        }
        Memory::Nothing => None,
        Memory::Always => INTENTS.get(db, &(network, direction, bytes))?.map(Pushed::Duplicate),
    })
}

fn remember(txn: &mut dyn Transaction, (network, direction): (Network, Direction), intent: &Intent, id: u64) {
    let bytes = intent.as_bytes().to_vec();
    match intent.memory() {
        Memory::Session(session) => OF_SESSIONS.put(txn, &(network, session, direction, bytes), &id),
        Memory::Block(life, number) => BLOCKS.put(txn, &(network, direction), &(life, number)),
        Memory::Nothing => {}
        Memory::Always => INTENTS.put(txn, &(network, direction, bytes), &id),
    }
}

/// A session is over: forgets up to `limit` of its intents, and takes no message of it any more (`MQ-10`). Returns
/// whether nothing is left to forget; what waits stays.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn forget(
    txn: &mut dyn Transaction,
    network: Network,
    session: Session,
    limit: usize,
) -> Result<bool, StoreError> {
    OVER.put(txn, &(network, session), &());
    let rows = OF_SESSIONS.scan(txn, &(network, session), None, limit)?;
    for (intent, _) in &rows {
        OF_SESSIONS.delete(txn, intent);
    }
    Ok(rows.len() < limit)
}

/// Queues a message unless its intent was queued before, or is past (`MQ-1`, `MQ-2`, `MQ-10`).
///
/// # Errors
/// [`QueueError::Full`] at the bound, [`QueueError::Store`].
pub fn push(
    txn: &mut dyn Transaction,
    network: Network,
    direction: Direction,
    intent: &Intent,
    message: Vec<u8>,
) -> Result<Pushed, QueueError> {
    if let Some(known) = known(txn, network, direction, intent)? {
        return Ok(known);
    }
    let mut depth = depth(txn, network, direction)?;
    let (messages, length) = (depth.messages(), message.len() as u64);
    let bytes = depth.bytes.saturating_add(length);
    if (messages >= MAX_MESSAGES) || ((messages > 0) && (bytes > MAX_BYTES)) {
        return Err(QueueError::Full { network, direction, messages, bytes: depth.bytes });
    }
    let id = depth.next;
    MESSAGES.put(txn, &(network, direction, id), &message);
    remember(txn, (network, direction), intent, id);
    depth.next += 1;
    depth.bytes = bytes;
    DEPTHS.put(txn, &(network, direction), &depth);
    Ok(Pushed::Queued(id))
}

/// The message which is next to be delivered, with its id.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn head(
    db: &(impl Read + ?Sized),
    network: Network,
    direction: Direction,
) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let id = depth(db, network, direction)?.first;
    Ok(MESSAGES.get(db, &(network, direction, id))?.map(|message| (id, message)))
}

/// Removes the head, whose id is `id`; an id acknowledged before is ignored (`MQ-4`).
///
/// # Errors
/// [`QueueError::NotDelivered`] for an id after the head, [`QueueError::Store`].
pub fn acknowledge(
    txn: &mut dyn Transaction,
    network: Network,
    direction: Direction,
    id: u64,
) -> Result<(), QueueError> {
    let mut depth = depth(txn, network, direction)?;
    if id < depth.first {
        return Ok(());
    }
    let message = MESSAGES.get(txn, &(network, direction, id))?;
    let Some(message) = message.filter(|_| id == depth.first) else {
        return Err(QueueError::NotDelivered { network, id });
    };
    MESSAGES.delete(txn, &(network, direction, id));
    depth.first += 1;
    depth.bytes = depth.bytes.saturating_sub(message.len() as u64);
    DEPTHS.put(txn, &(network, direction), &depth);
    Ok(())
}

#[cfg(test)]
mod tests;
