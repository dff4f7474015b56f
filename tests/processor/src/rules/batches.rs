//! Which blocks of the network become which batches, and under whose duty.
//!
//! ```text
//! SetKeys(session, time)  -> the session is in charge of network blocks made from time + ACTIVATION_MS on
//! block with deposits     -> Batch { id: next } expected of the base chain; if we hold a share: attempt 0
//! batch executed          -> next id and block continue after it, if that is ahead
//! ```
//!
//! All of it is a function of base-chain facts and of the network's blocks, so every processor makes the same
//! batches, member of the set or not.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table};
use processor_messages::{BatchId, FromProcessor, Incarnation, Session, base_chain};

use super::{
    Error, Step,
    signing::{self, Subject},
};
use crate::status::Notice;

/// How long after its keys were set a session takes charge of the network's blocks.
pub const ACTIVATION_MS: u64 = 2_000;
/// How many batches may be made beyond what the base chain has executed; then the network's blocks wait.
pub const WINDOW: u32 = 16;
/// The most blocks looked at in one step.
pub const MAX_BLOCKS: u64 = 256;

const SCAN: Table<(), Scan> = Table::new("batches/scan");
const ACTIVATIONS: Table<Session, u64> = Table::new("batches/activation");
/// The most sessions looked at; a retired one is forgotten.
const MAX_SESSIONS: usize = 1_024;

/// Where the scan of the network is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Scan {
    /// The next block to look at.
    pub block: u64,
    /// The id of the next batch.
    pub next: BatchId,
    /// The id after the last batch which the base chain executed.
    pub executed: BatchId,
}

/// Where the scan is; `None` before any session had keys.
///
/// # Errors
/// [`StoreError`].
pub fn scan_state(db: &(impl Read + ?Sized)) -> Result<Option<Scan>, StoreError> {
    SCAN.get(db, &())
}

/// A session's keys are on the base chain since this time.
///
/// # Errors
/// [`Error`].
pub fn keys_set(step: &mut Step<'_>, session: Session, time_unix_secs: u64) -> Result<(), Error> {
    let time = time_unix_secs.saturating_mul(1_000).saturating_add(ACTIVATION_MS);
    let block = step.me.external.first_from(time);
    ACTIVATIONS.put(step.txn, &session, &block);
    // A life of the disk which is not the first has not seen whether there were earlier keys.
    let first = (step.me.incarnation == Incarnation(0)) || (session == Session(0));
    if SCAN.get(step.txn, &())?.is_none() && first {
        SCAN.put(step.txn, &(), &Scan { block, next: BatchId(0), executed: BatchId(0) });
    }
    Ok(())
}

/// The base chain executed a batch.
///
/// # Errors
/// [`Error`].
pub fn executed(step: &mut Step<'_>, batch: &base_chain::ExecutedBatch) -> Result<(), Error> {
    let Some(block) = step.me.external.number(&batch.block) else {
        step.notice(Notice::UnknownBlock { batch: batch.id, block: batch.block });
        return Ok(());
    };
    if ACTIVATIONS.get(step.txn, &batch.publisher)?.is_none() {
        // Seen by a new life of the disk: the session is in charge at least from here on.
        ACTIVATIONS.put(step.txn, &batch.publisher, &block);
    }
    let after = Scan { block: block.saturating_add(1), next: batch.id.next(), executed: batch.id.next() };
    let scan = match SCAN.get(step.txn, &())? {
        Some(scan) if scan.next >= after.next => Scan { executed: scan.executed.max(after.next), ..scan },
        _ => after,
    };
    SCAN.put(step.txn, &(), &scan);
    step.notice(Notice::BatchExecuted { batch: batch.id });
    Ok(())
}

/// The session is retired: its successor is in charge of every block that is left.
pub fn retire(step: &mut Step<'_>, session: Session) {
    ACTIVATIONS.delete(step.txn, &session);
}

/// The session in charge of a block: the latest one which was active by then.
fn in_charge(step: &Step<'_>, block: u64) -> Result<Option<Session>, StoreError> {
    let sessions = ACTIVATIONS.scan(step.txn, &(), None, MAX_SESSIONS)?;
    Ok(sessions.into_iter().filter(|(_, from)| *from <= block).map(|(session, _)| session).max())
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
    while (scan.block <= last) && (scan.next.0 < scan.executed.0.saturating_add(WINDOW)) {
        if let Some(session) = in_charge(step, scan.block)? {
            scan.next = make(step, session, scan)?;
        }
        scan.block += 1;
    }
    SCAN.put(step.txn, &(), &scan);
    Ok(scan != before)
}

/// Makes a block's batch, if it has one; returns the id of the next batch.
fn make(step: &mut Step<'_>, session: Session, scan: Scan) -> Result<BatchId, Error> {
    let Some(batch) = step.me.external.batch(scan.block, scan.next) else { return Ok(scan.next) };
    step.notice(Notice::BatchMade { session, batch: batch.id, instructions: batch.instructions.len() });
    let expected = base_chain::FromProcessor::Batch { session, batch: batch.clone() };
    step.say(&FromProcessor::BaseChain(expected))?;
    let subject = Subject::Batch(batch);
    if former_life_may_have_begun(step, scan.block) {
        signing::expect(step, session, subject)?;
    } else {
        signing::start(step, session, subject)?;
    }
    Ok(scan.next.next())
}

/// A former life of the disk may have begun attempt 0 for a block made before this life (`PROC-8`).
fn former_life_may_have_begun(step: &Step<'_>, block: u64) -> bool {
    step.me.external.time_unix_ms(block) <= step.me.incarnation.0
}

#[cfg(test)]
mod tests;
