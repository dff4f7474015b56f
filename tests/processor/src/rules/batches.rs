//! Which blocks of the network become which batches, and under whose duty.
//!
//! ```text
//! first session's SetKeys(time) -> in charge of the blocks made from time + ACTIVATION_MS on
//! a later session's SetKeys     -> in charge from the first block which nobody has looked at: that of the last executed
//!                                  batch, and WINDOW
//! block with deposits           -> Batch { id: next } expected of the base chain; if we hold a share: attempt 0
//! first block of a later session, or HEARTBEAT blocks without a batch -> a batch without instructions
//! batch executed                -> the window moves; next id and block continue after it, if that is ahead
//! ```
//!
//! All of it is a function of the base chain's feed and of the network's blocks, so every processor makes the same
//! batches for the same sessions, member of the set or not. A later session's start must not depend on the time at
//! which its keys become known: a processor may be ahead of that in the network's blocks. But nobody is ahead of the
//! window, whose place is a fact of the feed, and the heartbeat keeps it moving (`PROC-10`).
//!
//! A later session's first batch takes over from the former: it is made once the network has everything that the former
//! sessions pay (`PROC-17`). That delays it, and changes nothing of it.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table};
use processor_messages::{BatchId, FromProcessor, Session, base_chain};

use super::{
    Error, Step, payments,
    signing::{self, Subject},
};
use crate::status::Notice;

/// How long after its keys were set a network's first session takes charge of the network's blocks.
pub const ACTIVATION_MS: u64 = 2_000;
/// A block is looked at only if it is less than so many after that of the last batch which the base chain executed.
pub const WINDOW: u64 = 32;
/// After so many blocks without a batch the next is one without instructions; less than [`WINDOW`], which otherwise
/// would end.
pub const HEARTBEAT: u64 = 16;
/// The most blocks looked at in one step.
pub const MAX_BLOCKS: u64 = 256;

const SCAN: Table<(), Scan> = Table::new("batches/scan");
/// The first block in charge of a session.
const ACTIVATIONS: Table<Session, u64> = Table::new("batches/activation");
/// The most sessions looked at; a retired one is forgotten.
const MAX_SESSIONS: usize = 1_024;

/// Where the scan of the network is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Scan {
    /// The network's first session with keys, which takes over from nobody.
    pub first: Session,
    /// The next block to look at.
    pub block: u64,
    /// The id of the next batch.
    pub next: BatchId,
    /// The block of the last batch; the one before the first block if there is none.
    pub last: u64,
    /// The block of the last batch which the base chain executed; the one before the first block if there is none.
    pub executed: u64,
}

/// Where the scan is; `None` before any session had keys.
///
/// # Errors
/// [`StoreError`].
pub fn scan_state(db: &(impl Read + ?Sized)) -> Result<Option<Scan>, StoreError> {
    SCAN.get(db, &())
}

/// The first block in charge of a session; `None` if it has no keys or is retired.
///
/// # Errors
/// [`StoreError`].
pub fn activation(db: &(impl Read + ?Sized), session: Session) -> Result<Option<u64>, StoreError> {
    ACTIVATIONS.get(db, &session)
}

/// A session's keys are on the base chain since this time.
///
/// # Errors
/// [`Error`].
pub fn keys_set(step: &mut Step<'_>, session: Session, time_unix_secs: u64) -> Result<(), Error> {
    let block = if let Some(scan) = SCAN.get(step.txn, &())? {
        scan.executed.saturating_add(WINDOW)
    } else {
        let time = time_unix_secs.saturating_mul(1_000).saturating_add(ACTIVATION_MS);
        let block = step.me.external.first_from(time).max(1);
        let before = block - 1;
        let scan = Scan { first: session, block, next: BatchId(0), last: before, executed: before };
        SCAN.put(step.txn, &(), &scan);
        block
    };
    ACTIVATIONS.put(step.txn, &session, &block);
    step.notice(Notice::Activation { session, block });
    Ok(())
}

/// The base chain executed a batch.
///
/// # Errors
/// [`Error`].
pub fn executed(step: &mut Step<'_>, batch: &base_chain::ExecutedBatch) -> Result<(), Error> {
    let (block, scan) = (step.me.external.number(&batch.block), SCAN.get(step.txn, &())?);
    let (Some(block), Some(mut scan)) = (block, scan) else {
        step.notice(Notice::UnknownBlock { batch: batch.id, block: batch.block });
        return Ok(());
    };
    scan.executed = scan.executed.max(block);
    if batch.id >= scan.next {
        // A life of the disk which is not the first: it was made before.
        (scan.block, scan.next, scan.last) = (block.saturating_add(1), batch.id.next(), block);
    }
    SCAN.put(step.txn, &(), &scan);
    step.notice(Notice::BatchExecuted { batch: batch.id });
    Ok(())
}

/// The session is retired: its successor is in charge of every block that is left.
pub fn retire(step: &mut Step<'_>, session: Session) {
    ACTIVATIONS.delete(step.txn, &session);
}

/// The session in charge of a block, and the first block of its charge: the latest one which was active by then.
fn in_charge(step: &Step<'_>, block: u64) -> Result<Option<(Session, u64)>, StoreError> {
    let sessions = ACTIVATIONS.scan(step.txn, &(), None, MAX_SESSIONS)?;
    Ok(sessions.into_iter().rfind(|(_, from)| *from <= block))
}

/// Looks at the network's blocks up to the newest one; false if there was nothing to look at.
///
/// # Errors
/// [`Error`].
pub fn scan(step: &mut Step<'_>, now_unix_ms: u64) -> Result<bool, Error> {
    let Some(mut scan) = SCAN.get(step.txn, &())? else { return Ok(false) };
    let Some(tip) = step.me.external.tip(now_unix_ms).filter(|tip| *tip >= scan.block) else {
        return Ok(false);
    };
    let before = scan;
    let last = tip.min(scan.block.saturating_add(MAX_BLOCKS - 1));
    while (scan.block <= last) && (scan.block < scan.executed.saturating_add(WINDOW)) {
        if let Some((session, from)) = in_charge(step, scan.block)? {
            let takes_over = (session != scan.first) && (from == scan.block);
            if takes_over && !payments::are_settled_before(step.txn, session)? {
                break;
            }
            make(step, session, &mut scan, takes_over)?;
        }
        scan.block += 1;
    }
    SCAN.put(step.txn, &(), &scan);
    Ok(scan != before)
}

/// Makes the batch of the block which is looked at, if it has one.
fn make(step: &mut Step<'_>, session: Session, scan: &mut Scan, takes_over: bool) -> Result<(), Error> {
    let batch = step.me.external.batch(scan.block, scan.next);
    let due = takes_over || (scan.block >= scan.last.saturating_add(HEARTBEAT));
    if batch.instructions.is_empty() && !due {
        return Ok(());
    }
    (scan.last, scan.next) = (scan.block, scan.next.next());
    step.notice(Notice::BatchMade { session, batch: batch.id, instructions: batch.instructions.len() });
    let expected = base_chain::FromProcessor::Batch { session, batch: batch.clone() };
    step.say(&FromProcessor::BaseChain(expected))?;
    let subject = Subject::Batch(batch);
    if former_life_may_have_begun(step, scan.block) {
        signing::expect(step, session, subject)?;
    } else {
        signing::start(step, session, subject)?;
    }
    Ok(())
}

/// A former life of the disk may have begun attempt 0 for a block made before this life (`PROC-8`).
fn former_life_may_have_begun(step: &Step<'_>, block: u64) -> bool {
    step.me.external.time_unix_ms(block) <= step.me.incarnation.0
}

#[cfg(test)]
mod tests;
