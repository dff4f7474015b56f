//! What must leave the process: written by the step that decided it, sent by a task of the shell.
//!
//! | Row | Sent to | Removed when |
//! |---|---|---|
//! | message of a network's processor, in order | message queue | moved there, in one step |
//! | set keys of a set | base chain | its keys are on the base chain, or the set is dropped |
//! | signed batch of a network | base chain | the base chain executed it |
//! | signed slash report of a set | base chain | the set is retired |
//!
//! Bound: [`MAX_MESSAGES`] messages for each processor; at the bound the step that wants to add one fails
//! with [`Error::Full`] and is tried again, so whatever feeds a dead processor waits for it. A network has at
//! most as many signed batches as its set signed and the base chain has not executed.

use coordinator_base_chain::{SetKeys, SlashReportCall};
use coordinator_store::{Push, Queue, Read, StoreError, Table, Transaction};
use processor_messages::{
    BatchId, Incarnation, Intent, Network, SignedBatch, ToProcessor, ValidatorSet, codec::MAX_MESSAGE_BYTES,
    decode, encode,
};

use crate::{Error, Step, halt};

/// The most messages which wait for one processor here, besides those in the message queue.
pub const MAX_MESSAGES: u64 = 65_536;

const TO_PROCESSOR: Queue<Network, (Incarnation, Vec<u8>)> = Queue::new("outbox/to_processor", MAX_MESSAGES);
const SET_KEYS: Table<ValidatorSet, Vec<u8>> = Table::new("outbox/set_keys");
const SLASH_REPORTS: Table<ValidatorSet, SlashReportCall> = Table::new("outbox/slash_report");
const BATCHES: Table<(Network, BatchId), SignedBatch> = Table::new("outbox/batch");

/// Leaves a message for a network's processor. Nothing happens if none is configured.
pub(crate) fn to_processor(
    step: &mut Step<'_>,
    network: Network,
    message: &ToProcessor,
) -> Result<(), Error> {
    replay(step, network, Incarnation(0), message)
}

/// As [`to_processor`], for a life of the processor's disk: an intent of its own for each.
pub(crate) fn replay(
    step: &mut Step<'_>,
    network: Network,
    incarnation: Incarnation,
    message: &ToProcessor,
) -> Result<(), Error> {
    if !step.me.networks.contains(&network) {
        return Ok(());
    }
    match TO_PROCESSOR.push(step.txn, &network, &(incarnation, encode(message)))? {
        Push::Queued(_) => Ok(()),
        Push::Full => Err(Error::Full { network }),
    }
}

/// What one step leaves for a processor at most, when it hands over what has gathered: keeps the step far below
/// the store's bound ([`coordinator_store::MAX_STEP_BYTES`]). The last message may exceed the bytes.
pub(crate) struct Room {
    messages: usize,
    bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { messages: 256, bytes: 4 * 1024 * 1024 }
    }
}

impl Room {
    /// Leaves a message; false if there is no room in this step or in the outbox: another step goes on.
    pub(crate) fn send(
        &mut self,
        step: &mut Step<'_>,
        network: Network,
        incarnation: Incarnation,
        message: &ToProcessor,
    ) -> Result<bool, Error> {
        if (self.messages == 0) || (self.bytes == 0) {
            return Ok(false);
        }
        match replay(step, network, incarnation, message) {
            Err(Error::Full { .. }) => return Ok(false),
            other => other?,
        }
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(encode(message).len());
        Ok(true)
    }
}

/// Moves the first waiting message of a network into what `send` writes to; false if none waits.
///
/// # Errors
/// That of `send`, in which case the message stays first; [`StoreError`].
pub fn move_message<E: From<StoreError>>(
    txn: &mut dyn Transaction,
    network: Network,
    send: impl FnOnce(&mut dyn Transaction, &Intent, Vec<u8>) -> Result<(), E>,
) -> Result<bool, E> {
    let moved = TO_PROCESSOR.advance(txn, &network, |txn, _, (incarnation, bytes)| {
        let message: ToProcessor = decode(&bytes, MAX_MESSAGE_BYTES)
            .map_err(|e| StoreError::Corrupt { table: "outbox/to_processor", reason: e.to_string() })?;
        let incarnation = if mutated!(IgnoreIncarnation) { Incarnation(0) } else { incarnation };
        send(txn, &message.intent_in(network, incarnation), bytes)
    })?;
    Ok(moved.is_some())
}

/// How many messages wait for a network's processor.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn messages(db: &(impl Read + ?Sized), network: Network) -> Result<u64, StoreError> {
    TO_PROCESSOR.len(db, &network)
}

pub(crate) fn put_set_keys(txn: &mut dyn Transaction, keys: &SetKeys) {
    SET_KEYS.put(txn, &keys.set, &encode(keys));
}

pub(crate) fn remove_set_keys(txn: &mut dyn Transaction, set: ValidatorSet) {
    SET_KEYS.delete(txn, &set);
}

/// Confirmed keys which the base chain does not have yet, of sets which are not halted (`COORD-9`); at most
/// `limit` sets are looked at.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn set_keys(db: &(impl Read + ?Sized), limit: usize) -> Result<Vec<SetKeys>, StoreError> {
    let decode = |(_, bytes): (ValidatorSet, Vec<u8>)| {
        borsh::from_slice(&bytes)
            .map_err(|e| StoreError::Corrupt { table: "outbox/set_keys", reason: e.to_string() })
    };
    let mut waiting = Vec::new();
    for row in SET_KEYS.scan(db, &(), None, limit)? {
        if halt::of_session(db, row.0)?.is_none() {
            waiting.push(decode(row)?);
        }
    }
    Ok(waiting)
}

pub(crate) fn put_slash_report(txn: &mut dyn Transaction, report: &SlashReportCall) {
    SLASH_REPORTS.put(txn, &report.set, report);
}

pub(crate) fn remove_slash_report(txn: &mut dyn Transaction, set: ValidatorSet) {
    SLASH_REPORTS.delete(txn, &set);
}

/// Signed slash reports of sets which the base chain has not retired yet and which are not halted (`COORD-9`); at
/// most `limit` sets are looked at.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn slash_reports(db: &(impl Read + ?Sized), limit: usize) -> Result<Vec<SlashReportCall>, StoreError> {
    let mut waiting = Vec::new();
    for (set, report) in SLASH_REPORTS.scan(db, &(), None, limit)? {
        if halt::of_session(db, set)?.is_none() {
            waiting.push(report);
        }
    }
    Ok(waiting)
}

pub(crate) fn put_batch(txn: &mut dyn Transaction, batch: &SignedBatch) {
    BATCHES.put(txn, &(batch.batch.network, batch.batch.id), batch);
}

pub(crate) fn remove_batch(txn: &mut dyn Transaction, network: Network, id: BatchId) {
    BATCHES.delete(txn, &(network, id));
}

/// A signed batch which the base chain has not executed yet.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn batch(
    db: &(impl Read + ?Sized),
    network: Network,
    id: BatchId,
) -> Result<Option<SignedBatch>, StoreError> {
    if mutated!(PublishAhead)
        && let Some(ahead) = BATCHES.get(db, &(network, id.next()))?
    {
        return Ok(Some(ahead));
    }
    BATCHES.get(db, &(network, id))
}

/// Ids of signed batches which wait, ascending, at most `limit`.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn batches(
    db: &(impl Read + ?Sized),
    network: Network,
    limit: usize,
) -> Result<Vec<BatchId>, StoreError> {
    Ok(BATCHES.scan(db, &network, None, limit)?.into_iter().map(|((_, id), _)| id).collect())
}
