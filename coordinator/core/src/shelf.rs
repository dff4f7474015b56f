//! What a processor said of a halted session, kept in order until an operator lifts the halt (`COORD-24`).
//!
//! ```text
//! halted: said ─▶ shelf                    lifted: shelf ─▶ handled, one message in a step, in order
//!                                                  said meanwhile ─▶ behind what is on the shelf
//! ```
//!
//! A processor says everything once, so nothing may be dropped; and it has one queue for all sessions of its network,
//! so what is said of a halted one may not stay first in it. Bound: [`MAX_MESSAGES`] of each session; at the bound the
//! step that wants to add one fails, and the queue waits after all.

use coordinator_store::{Push, Queue, Read, StoreError, Transaction};
use processor_messages::{FromProcessor, ValidatorSet, codec::MAX_MESSAGE_BYTES, decode, encode};

use crate::{Error, Notice, Step, halt, notice::Event};

/// The most messages which wait for one session.
pub(crate) const MAX_MESSAGES: u64 = 4_096;

const SHELF: Queue<ValidatorSet, Vec<u8>> = Queue::new("processor/shelf", MAX_MESSAGES);

/// How many messages wait for a session.
pub(crate) fn len(db: &(impl Read + ?Sized), set: ValidatorSet) -> Result<u64, StoreError> {
    SHELF.len(db, &set)
}

/// Whether what is said of a session has to wait: it is halted, or what was said before waits.
pub(crate) fn takes(db: &(impl Read + ?Sized), set: ValidatorSet) -> Result<bool, StoreError> {
    Ok((len(db, set)? > 0) || halt::of_session(db, set)?.is_some())
}

/// Keeps a message.
///
/// # Errors
/// [`Error::Halted`] if as many wait as may; [`Error`] of the store.
pub(crate) fn put(step: &mut Step<'_>, set: ValidatorSet, message: &FromProcessor) -> Result<(), Error> {
    match SHELF.push(step.txn, &set, &encode(message))? {
        Push::Queued(_) => {
            step.notice(Notice::of_set(set, Event::MessageKept));
            Ok(())
        }
        Push::Full => {
            let what = "a session is halted, and as many messages wait for it as may";
            Err(Error::Halted { network: set.network, what })
        }
    }
}

/// Takes the first message from the shelf.
pub(crate) fn pop(txn: &mut dyn Transaction, set: ValidatorSet) -> Result<Option<FromProcessor>, StoreError> {
    let Some((_, bytes)) = SHELF.pop(txn, &set)? else { return Ok(None) };
    decode(&bytes, MAX_MESSAGE_BYTES)
        .map(Some)
        .map_err(|e| StoreError::Corrupt { table: "processor/shelf", reason: e.to_string() })
}

/// Forgets what waits for an ended set; true when nothing is left.
pub(crate) fn prune(txn: &mut dyn Transaction, set: ValidatorSet, limit: usize) -> Result<bool, StoreError> {
    Ok(!SHELF.prune(txn, &set, limit)?)
}
