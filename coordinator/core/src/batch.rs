//! Batches: what our processor expects, what is offered for signing, what the base chain executed.
//!
//! ```text
//! processor: Batch ─▶ expected ─┬─▶ provided to the tributary of its session, in order of ids
//! base chain: executed ─────────┴─▶ verified: equal ─▶ the feed of the network moves on
//!                                   not expected yet ─▶ waits, status says so
//!                                   different ─▶ the network halts with both hashes
//! processor: SignedBatch ─▶ verified ─▶ outbox
//! ```
//!
//! A new set's first batch is offered only once every batch before it is verified, and its further ones
//! only once that first one is: what a new set signs accepts the handover (`COORD-7`).

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::signing;
use coordinator_store::{Read, StoreError, Table};
use processor_messages::{
    Batch, BatchId, Genesis, MAX_BATCH_BYTES, Network, NetworkBlockHash, Session, SignedBatch, ValidatorSet,
    base_chain::ExecutedBatch, encode,
};

use crate::{
    Error, Notice, Step, base_chain, feed, halt,
    notice::Event,
    outbox,
    session::{self, Life, own, transaction::Provided},
};

/// Signed batches which are submitted at a time: that one was executed is seen only once its block is cosigned.
pub const MAX_AHEAD: usize = 8;

/// What our processor made of the network.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
struct Expected {
    session: Session,
    /// Of the encoded batch.
    hash: [u8; 32],
    instructions: [u8; 32],
    block: NetworkBlockHash,
}

const EXPECTED: Table<(Network, BatchId), Expected> = Table::new("batch/expected");
const EXECUTED: Table<(Network, BatchId), ExecutedBatch> = Table::new("batch/executed");
const PROGRESS: Table<Network, Progress> = Table::new("batch/progress");
const FIRST_OF: Table<ValidatorSet, BatchId> = Table::new("batch/first");
/// Batches which came before the one that is due, and halted the network: at most one for each halt which an operator
/// lifted. Said once, they are needed as soon as what is missing is there.
const EARLY: Table<(Network, BatchId), (Session, Batch)> = Table::new("batch/early");
/// The session of our processor's latest batch: sessions follow each other.
const LAST_SESSION: Table<Network, Session> = Table::new("batch/session");

/// How far a network's batches are; each names the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Progress {
    /// The next batch our processor is to make.
    pub expected: BatchId,
    /// The next batch to be offered for signing.
    pub offered: BatchId,
    /// The next batch the base chain is to execute.
    pub executed: BatchId,
    /// The next executed batch to be compared with what our processor made.
    pub verified: BatchId,
    /// The next batch whose rows are to be forgotten: offered, executed and verified.
    pub forgotten: BatchId,
}

/// Why a batch is not offered for signing yet (`COORD-7`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blocked {
    /// It would take over from the former set, of whose batches this is the next to be verified.
    FormerBatches {
        /// The batch which is awaited.
        awaited: BatchId,
    },
    /// The first batch of its set is not verified, so the handover may not have happened as we know it.
    Handover {
        /// The batch which takes over.
        first: BatchId,
    },
}

impl Blocked {
    /// The stable code of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::FormerBatches { .. } => "FORMER_BATCHES_UNVERIFIED",
            Self::Handover { .. } => "HANDOVER_UNVERIFIED",
        }
    }

    /// The batch whose verification is awaited.
    pub fn awaited(&self) -> BatchId {
        match self {
            Self::FormerBatches { awaited } => *awaited,
            Self::Handover { first } => *first,
        }
    }
}

/// A batch which our processor made and which is not offered for signing yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockedBatch {
    /// The batch.
    pub batch: BatchId,
    /// The session whose key is to sign it.
    pub session: Session,
    /// What it waits for.
    pub reason: Blocked,
}

/// How far a network's batches are.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn progress(db: &(impl Read + ?Sized), network: Network) -> Result<Progress, StoreError> {
    Ok(PROGRESS.get(db, &network)?.unwrap_or_default())
}

/// Our processor made a batch.
pub(crate) fn expected(
    step: &mut Step<'_>,
    network: Network,
    session: Session,
    batch: &Batch,
) -> Result<(), Error> {
    let encoded = encode(batch);
    if (batch.network != network) || (encoded.len() > MAX_BATCH_BYTES) {
        let what = "a batch of another network, or over the base chain's limit";
        step.notice(Notice::of_network(network, Event::MessageDropped { what }));
        return Ok(());
    }
    let due = progress(step.txn, network)?.expected;
    if batch.id < due {
        return Ok(());
    }
    if batch.id > due {
        EARLY.put(step.txn, &(network, batch.id), &(session, batch.clone()));
        let reason = halt::Reason::BatchGap { due, came: batch.id };
        return Ok(halt::network(step, network, reason)?);
    }
    take(step, network, session, batch)?;
    take_early(step, network)?;
    move_on(step, network)
}

/// Takes the batches which came too early and follow now.
fn take_early(step: &mut Step<'_>, network: Network) -> Result<(), Error> {
    loop {
        let key = (network, progress(step.txn, network)?.expected);
        let Some((session, batch)) = EARLY.get(step.txn, &key)? else { return Ok(()) };
        EARLY.delete(step.txn, &key);
        take(step, network, session, &batch)?;
    }
}

/// Takes the batch which is due, unless it goes back to a former session.
fn take(step: &mut Step<'_>, network: Network, session: Session, batch: &Batch) -> Result<(), Error> {
    if let Some(former) = LAST_SESSION.get(step.txn, &network)?.filter(|former| session < *former) {
        let reason = halt::Reason::BatchSession { batch: batch.id, former, came: session };
        return Ok(halt::network(step, network, reason)?);
    }
    LAST_SESSION.put(step.txn, &network, &session);
    let hash = hash_of(&encode(batch));
    let instructions = signing::instructions_hash(batch);
    let expected = Expected { session, hash, instructions, block: batch.block };
    EXPECTED.put(step.txn, &(network, batch.id), &expected);
    let set = ValidatorSet { network, session };
    if FIRST_OF.get(step.txn, &set)?.is_none() {
        FIRST_OF.put(step.txn, &set, &batch.id);
    }
    let progress = Progress { expected: batch.id.next(), ..progress(step.txn, network)? };
    PROGRESS.put(step.txn, &network, &progress);
    step.notice(Notice::of_network(network, Event::BatchExpected { batch: batch.id }));
    Ok(())
}

/// The base chain executed a batch; its block is handled now.
pub(crate) fn executed(step: &mut Step<'_>, network: Network, batch: &ExecutedBatch) -> Result<(), Error> {
    let mut progress = progress(step.txn, network)?;
    EXECUTED.put(step.txn, &(network, batch.id), batch);
    progress.executed = batch.id.next();
    PROGRESS.put(step.txn, &network, &progress);
    outbox::remove_batch(step.txn, network, batch.id);
    let set = ValidatorSet { network, session: batch.publisher };
    if let Some(genesis) = active(step.txn, set)? {
        own::provide(step, genesis, &Provided::BatchExecuted { id: batch.id })?;
    }
    Ok(())
}

/// Verifies, offers and feeds whatever can be now.
pub(crate) fn move_on(step: &mut Step<'_>, network: Network) -> Result<(), Error> {
    if halt::of_network(step.txn, network)?.is_none() {
        verify(step, network)?;
    }
    if halt::of_network(step.txn, network)?.is_none() {
        offer(step, network)?;
        forget(step, network)?;
        feed::deliver(step, network)?;
    }
    Ok(())
}

fn verify(step: &mut Step<'_>, network: Network) -> Result<(), Error> {
    loop {
        let mut progress = progress(step.txn, network)?;
        let id = progress.verified;
        let executed = EXECUTED.get(step.txn, &(network, id))?;
        let expected = EXPECTED.get(step.txn, &(network, id))?;
        let (Some(executed), Some(expected)) = (executed, expected) else { return Ok(()) };
        let same =
            (executed.instructions_hash == expected.instructions) && (executed.block == expected.block);
        if !same {
            let (expected, executed) = (expected.instructions, executed.instructions_hash);
            let reason = halt::Reason::BatchMismatch { batch: id, expected, executed };
            return Ok(halt::network(step, network, reason)?);
        }
        progress.verified = id.next();
        PROGRESS.put(step.txn, &network, &progress);
        step.notice(Notice::of_network(network, Event::BatchExecuted { batch: id, verified: true }));
    }
}

/// The tributary of a set which we are in and which is not over.
fn active(db: &(impl Read + ?Sized), set: ValidatorSet) -> Result<Option<Genesis>, StoreError> {
    let record = session::get(db, set)?.filter(|record| record.life == Life::Active);
    Ok(record.map(|record| record.spec.genesis))
}

/// What a batch of a session waits for before it may be offered; `None` if nothing.
fn blocked(
    db: &(impl Read + ?Sized),
    set: ValidatorSet,
    (id, verified): (BatchId, BatchId),
) -> Result<Option<Blocked>, StoreError> {
    let first = FIRST_OF.get(db, &set)?.unwrap_or(id);
    Ok(if first == BatchId(0) {
        // Nobody to take over from.
        None
    } else if id == first {
        (verified < first).then_some(Blocked::FormerBatches { awaited: verified })
    } else {
        (verified <= first).then_some(Blocked::Handover { first })
    })
}

/// The batches which our processor made and which are not offered yet, in order; at most `limit`.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn waiting(
    db: &(impl Read + ?Sized),
    network: Network,
    limit: usize,
) -> Result<Vec<BlockedBatch>, StoreError> {
    let Progress { offered, verified, .. } = progress(db, network)?;
    let mut waiting = Vec::new();
    for ((_, batch), expected) in EXPECTED.scan(db, &network, Some(&(network, offered)), limit)? {
        let session = expected.session;
        let reason = blocked(db, ValidatorSet { network, session }, (batch, verified))?;
        waiting.extend(reason.map(|reason| BlockedBatch { batch, session, reason }));
    }
    Ok(waiting)
}

/// Offers every batch which may be, in order (`COORD-7`). Where we are not in its set there is nobody to offer it
/// to, and it counts as offered all the same: later sets' batches wait for its verification, not for us.
fn offer(step: &mut Step<'_>, network: Network) -> Result<(), Error> {
    loop {
        let mut progress = progress(step.txn, network)?;
        let id = progress.offered;
        let Some(expected) = EXPECTED.get(step.txn, &(network, id))? else { return Ok(()) };
        let set = ValidatorSet { network, session: expected.session };
        let blocked = blocked(step.txn, set, (id, progress.verified))?;
        if blocked.is_some() && !mutated!(DropHandoverRule) {
            return Ok(());
        }
        if let Some(genesis) = active(step.txn, set)? {
            own::provide(step, genesis, &Provided::Batch { id, hash: expected.hash })?;
        }
        progress.offered = id.next();
        PROGRESS.put(step.txn, &network, &progress);
    }
}

/// Forgets batches which are offered, executed and verified: nothing asks for them again.
fn forget(step: &mut Step<'_>, network: Network) -> Result<(), StoreError> {
    let mut progress = progress(step.txn, network)?;
    while progress.forgotten < progress.offered.min(progress.verified) {
        let key = (network, progress.forgotten);
        EXPECTED.delete(step.txn, &key);
        EXECUTED.delete(step.txn, &key);
        progress.forgotten = progress.forgotten.next();
    }
    PROGRESS.put(step.txn, &network, &progress);
    Ok(())
}

/// Our processor holds the signature of a batch (`COORD-6`).
pub(crate) fn signed(
    step: &mut Step<'_>,
    network: Network,
    session: Session,
    signed: &SignedBatch,
) -> Result<(), Error> {
    let set = ValidatorSet { network, session };
    if signed.batch.id < progress(step.txn, network)?.executed {
        return Ok(());
    }
    if let Err(what) = check_signed(step, set, signed)? {
        step.notice(Notice::of_set(set, Event::MessageDropped { what }));
        return Ok(());
    }
    outbox::put_batch(step.txn, signed);
    step.notice(Notice::of_set(set, Event::BatchSigned { batch: signed.batch.id }));
    Ok(())
}

fn check_signed(
    step: &Step<'_>,
    set: ValidatorSet,
    signed: &SignedBatch,
) -> Result<Result<(), &'static str>, StoreError> {
    let batch = &signed.batch;
    if halt::of_session(step.txn, set)?.is_some() {
        return Ok(Err("a signed batch of a halted session"));
    }
    let Some(keys) = base_chain::keys(step.txn, set)? else {
        return Ok(Err("a signed batch of a session without keys"));
    };
    let expected = EXPECTED.get(step.txn, &(set.network, batch.id))?;
    if expected.is_none_or(|e| (e.session != set.session) || (e.hash != hash_of(&encode(batch)))) {
        return Ok(Err("a signed batch which the processor did not make"));
    }
    let message = signing::batch_message(step.me.chain, batch);
    if !signing::verify(&keys.base, &message, &signed.signature) {
        return Ok(Err("a signed batch whose signature does not verify"));
    }
    Ok(Ok(()))
}

/// The signed batches which the base chain takes next, in their order, at most [`MAX_AHEAD`]; none of a session or a
/// network that is halted, nor what comes after it (`COORD-6`, `COORD-9`).
///
/// # Errors
/// [`StoreError`] of the store.
pub fn to_submit(db: &(impl Read + ?Sized), network: Network) -> Result<Vec<SignedBatch>, StoreError> {
    let mut batches = Vec::new();
    let mut next = progress(db, network)?.executed;
    while batches.len() < MAX_AHEAD
        && let Some(signed) = outbox::batch(db, network, next)?
        // What was not executed is not forgotten either.
        && let Some(expected) = EXPECTED.get(db, &(network, signed.batch.id))?
        && halt::of_session(db, ValidatorSet { network, session: expected.session })?.is_none()
    {
        next = signed.batch.id.next();
        batches.push(signed);
    }
    Ok(batches)
}

/// Blake2b-256 of an encoded batch.
fn hash_of(encoded: &[u8]) -> [u8; 32] {
    use blake2::{Blake2b, Digest, digest::consts::U32};
    Blake2b::<U32>::digest(encoded).into()
}
