//! Applies one ordered block: the state transition of a session, in as many steps as it needs.
//!
//! ```text
//! block = next to apply -> operations: each transaction, each attempt which is due, the end of the block
//! operation             -> hash = H(hash of the former operation, its writes of replicated state)
//! written enough        -> the step ends, the next one goes on with the next operation
//! end                   -> votes, report, participations handed over; state hash = hash of the last operation
//! ```
//!
//! What an operation writes is bounded, what a block of them does is not: somebody may let hundreds of topics end with one
//! block. Where a step ends is no rule: members who write different things for their processors end steps elsewhere, and reach
//! the same state (`SIGN-26`).

use std::cmp::Ordering;

use blake2::{Blake2b, Digest, digest::consts::U32};
use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Advance, Counted, Cursor, Read, StoreError, Table, Transaction};
use processor_messages::{
    Attempt, Genesis, ToProcessor, TributaryBlock, Validator, ValidatorSet, coordinator, encode,
    sign::SigningId,
};
use tributary::Kind;

use super::{
    Life, MemberIndex, Replicated, SETS, Session, SetSpec,
    accumulate::{self, Due},
    confirmation, own, relay, report, signing,
    slash::{self, Cause},
    topic::Topic,
    transaction::{Ordered, OrderedBlock, Provided, Signed, Slot},
    votes,
};
use crate::{Error, Step, halt, notice::Event, outbox};

const CURSOR: Cursor<Genesis, TributaryBlock> = Cursor::new("session/applied", TributaryBlock(1));
const STATE_HASH: Table<Genesis, [u8; 32]> = Table::new("session/state_hash");
/// The block which is applied in part. Local.
const PARTS: Table<Genesis, Part> = Table::new("session/part");
/// Who voted that a participation is invalid.
const BLAMES: Replicated<(Genesis, MemberIndex), Vec<MemberIndex>> = Replicated::new("session/blames");

/// A block of which some operations are done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
struct Part {
    block: TributaryBlock,
    next: Operation,
    /// Of the replicated state after the operations before `next`.
    hash: [u8; 32],
}

/// What is done at once, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
enum Operation {
    /// The transaction of this number; of one which opens several topics, the opening of this number.
    Transaction(u32, u32),
    /// Attempts which wait for somebody fatally slashed end.
    Lost,
    /// So many topics which were due were taken; the next one is.
    Due(u32),
    /// What belongs to the whole block.
    End,
}

/// What became of a block which was offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applied {
    /// It was applied.
    Done,
    /// So much of it as a step takes was applied: it is to be offered again.
    InPart,
    /// It was applied before.
    Already,
    /// This block is due first.
    Due(TributaryBlock),
    /// The session is halted, dropped or retired: no block of it is applied.
    Ended,
}

/// The last applied block of a tributary; 0 if none is.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn applied_through(db: &(impl Read + ?Sized), genesis: Genesis) -> Result<TributaryBlock, StoreError> {
    Ok(TributaryBlock(CURSOR.next(db, &genesis)?.0.saturating_sub(1)))
}

/// The hash of the replicated state after [`applied_through`]: equal at every member (`SIGN-1`).
///
/// # Errors
/// [`StoreError`] of the store.
pub fn state_hash(db: &(impl Read + ?Sized), genesis: Genesis) -> Result<[u8; 32], StoreError> {
    Ok(STATE_HASH.get(db, &genesis)?.unwrap_or_default())
}

/// Applies a block of a set's tributary, if it is the next one, or goes on with it.
///
/// # Errors
/// [`Error`]; nothing of the step may be kept then.
pub fn apply(step: &mut Step<'_>, set: ValidatorSet, block: &OrderedBlock) -> Result<Applied, Error> {
    let Some(record) = SETS.get(step.txn, &set)?.filter(|r| r.life == Life::Active) else {
        return Ok(Applied::Ended);
    };
    if halt::of_session(step.txn, set)?.is_some() {
        return Ok(Applied::Ended);
    }
    let genesis = record.spec.genesis;
    let due = CURSOR.next(step.txn, &genesis)?;
    match block.number.cmp(&due) {
        Ordering::Less => return Ok(Applied::Already),
        Ordering::Greater => return Ok(Applied::Due(due)),
        Ordering::Equal => {}
    }
    let mut part = begun(step.txn, genesis, block.number)?;
    let enough = step.part_bytes;
    let Step { txn, me, randomness, now_unix_secs, notices, .. } = step;
    let mut txn = Counted::new(*txn);
    while part.next != Operation::End {
        let mut inner = Step::new(&mut txn, me, *randomness).at(*now_unix_secs);
        part = operate(&mut inner, &record.spec, block, part)?;
        notices.append(&mut inner.notices);
        if txn.bytes() >= enough {
            PARTS.put(&mut txn, &genesis, &part);
            return Ok(Applied::InPart);
        }
    }
    PARTS.delete(&mut txn, &genesis);
    let advance = CURSOR.advance(&mut txn, &genesis, (block.number, block), |txn, block| {
        let mut inner = Step::new(txn, me, *randomness).at(*now_unix_secs);
        let Part { hash, .. } = operate(&mut inner, &record.spec, block, part)?;
        notices.append(&mut inner.notices);
        STATE_HASH.put(txn, &genesis, &hash);
        Ok::<_, Error>(())
    })?;
    Ok(match advance {
        Advance::Done(()) => Applied::Done,
        Advance::Already => Applied::Already,
        Advance::Gap(due) => Applied::Due(due),
    })
}

/// How far this block is applied.
fn begun(db: &(impl Read + ?Sized), genesis: Genesis, block: TributaryBlock) -> Result<Part, StoreError> {
    if let Some(part) = PARTS.get(db, &genesis)?.filter(|part| part.block == block) {
        return Ok(part);
    }
    let hash = Blake2b::<U32>::digest(encode(&(state_hash(db, genesis)?, block))).into();
    Ok(Part { block, next: Operation::Transaction(0, 0), hash })
}

/// Does one operation.
fn operate(step: &mut Step<'_>, spec: &SetSpec, block: &OrderedBlock, part: Part) -> Result<Part, Error> {
    let digest = Blake2b::<U32>::new().chain_update(part.hash);
    let mut session = Session { step, spec, block: block.number, digest };
    let next = match part.next {
        Operation::Transaction(number, opening) => match block.transactions.get(number as usize) {
            Some(transaction) if ordered(&mut session, transaction, opening as usize)? => {
                Operation::Transaction(number, opening.saturating_add(1))
            }
            Some(_) => Operation::Transaction(number.saturating_add(1), 0),
            None => Operation::Lost,
        },
        Operation::Lost => {
            accumulate::end_lost(&mut session)?;
            Operation::Due(0)
        }
        Operation::Due(taken) => match accumulate::take_due(&mut session, taken as usize)? {
            Some(due) => {
                end_of_time(&mut session, due)?;
                Operation::Due(taken.saturating_add(1))
            }
            None => Operation::End,
        },
        Operation::End => {
            votes::end_block(&mut session, block)?;
            report::end_block(&mut session)?;
            relay::end_block(&mut session)?;
            Operation::End
        }
    };
    Ok(Part { next, hash: session.digest.finalize().into(), ..part })
}

/// A transaction; of one which opens several topics, this opening. True if there are further ones.
fn ordered(session: &mut Session<'_, '_>, transaction: &Ordered, opening: usize) -> Result<bool, Error> {
    match transaction {
        Ordered::Provided { kind, payload } => return provided(session, *kind, payload, opening),
        Ordered::Signed { signer, slot, payload } => signed(session, *signer, slot, payload)?,
        Ordered::Equivocation { validator } => {
            if let Some(who) = session.spec.index_of(*validator) {
                slash::slash(session, who, Cause::Equivocation)?;
            }
        }
    }
    Ok(false)
}

/// A topic whose time, or grace, is over.
fn end_of_time(session: &mut Session<'_, '_>, due: Due) -> Result<(), Error> {
    match due {
        Due::Nothing => Ok(()),
        Due::Attempt(topic, attempt) => start_attempt(session, topic, attempt),
        Due::Selected(Topic::Confirmation, state) => confirmation::send_share(session, &state),
        Due::Selected(Topic::Signing(id), state) => signing::selected(session, id, &state),
    }
}

/// A provided transaction. More than two thirds of the weight derived it, and so did we: if it means
/// nothing to us, our own derivation is broken.
fn provided(
    session: &mut Session<'_, '_>,
    kind: Kind,
    payload: &[u8],
    opening: usize,
) -> Result<bool, Error> {
    if kind == Kind::SLASHED {
        // What the log before it says; the chain's rules alone needed it.
        return Ok(false);
    }
    let set = session.spec.set();
    let payload = Provided::from_bytes(payload).ok().filter(|p| p.kind() == kind);
    let Some(payload) = payload else {
        return Err(Error::broken(set, "a provided transaction does not decode"));
    };
    match payload {
        Provided::Batch { id, .. } => {
            signing::open(session, SigningId::Batch(id))?;
        }
        Provided::Cosign { block, hash } => {
            if signing::open(session, SigningId::Cosign(block))? {
                let message = coordinator::ToProcessor::CosignBlock { session: set.session, block, hash };
                outbox::to_processor(session.step, set.network, &ToProcessor::Coordinator(message))?;
            }
        }
        Provided::BaseBlock { transactions, .. } => {
            if let Some(id) = transactions.get(opening) {
                signing::open(session, SigningId::Transaction(*id))?;
            }
            return Ok(opening.saturating_add(1) < transactions.len());
        }
        Provided::KeysSet => accumulate::close(session, Topic::Confirmation)?,
        Provided::BatchExecuted { id } => signing::close(session, SigningId::Batch(id))?,
        Provided::HandedOver { block } => report::handed_over(session, block)?,
        Provided::Cosigned { block } => signing::close(session, SigningId::Cosign(block))?,
        Provided::TransactionCompleted { id } => signing::close(session, SigningId::Transaction(id))?,
    }
    Ok(false)
}

/// A signed transaction.
fn signed(
    session: &mut Session<'_, '_>,
    signer: Validator,
    slot: &Slot,
    payload: &[u8],
) -> Result<(), Error> {
    let Some(who) = session.spec.index_of(signer) else {
        session.notice(Event::Ignored { what: "the signer is not in the set", validator: signer });
        return Ok(());
    };
    if signer == session.step.me.validator() {
        own::ordered(session.step, session.spec.set(), session.spec.genesis, slot, payload)?;
    }
    if slash::is_fatal(session.step.txn, session.spec, who)? {
        session.notice(Event::Ignored { what: "the signer is fatally slashed", validator: signer });
        return Ok(());
    }
    let Ok(payload) = Signed::from_bytes(payload) else {
        slash::slash(session, who, Cause::Malformed)?;
        return Ok(());
    };
    if payload.slot() != *slot {
        slash::slash(session, who, Cause::WrongSlot)?;
        return Ok(());
    }
    signed_by_member(session, who, payload)
}

fn signed_by_member(session: &mut Session<'_, '_>, who: MemberIndex, payload: Signed) -> Result<(), Error> {
    match payload {
        Signed::DkgParticipation(bytes) => relay::participation(session, who, bytes),
        Signed::SlashReport(observations) => report::said(session, who, &observations),
        Signed::Blame { validator } => blame(session, who, validator),
        Signed::ConfirmationNonces { attempt, commitments, key_pair } => {
            confirmation::nonces(session, who, (attempt, commitments), &key_pair)
        }
        Signed::ConfirmationShare { attempt, share } => confirmation::share(session, who, attempt, share),
        Signed::SigningData { id, attempt, round, pieces } => {
            signing::data(session, who, (id, attempt, round), &pieces)
        }
        Signed::InvalidParticipant { id, attempt, participant } => {
            signing::invalid(session, who, (id, attempt), participant)
        }
    }
}

/// Votes that a participation is invalid: t weight of them slashes its author fatally (`SIGN-12`).
fn blame(session: &mut Session<'_, '_>, who: MemberIndex, validator: Validator) -> Result<(), Error> {
    let Some(culprit) = session.spec.index_of(validator) else {
        return slash::slash(session, who, Cause::NotAMember);
    };
    let key = (session.genesis(), culprit);
    let mut voters = BLAMES.get(session.step.txn, &key)?.unwrap_or_default();
    if voters.contains(&who) {
        return slash::slash(session, who, Cause::Duplicate);
    }
    let reached_before = session.spec.reaches_threshold(voters.iter().copied());
    voters.push(who);
    BLAMES.put(session, &key, &voters);
    let weight = session.spec.weight_of(voters.iter().copied());
    session.notice(Event::BlameVoted { validator, weight });
    if session.spec.reaches_threshold(voters) && !reached_before {
        slash::slash(session, culprit, Cause::InvalidParticipation)?;
    }
    Ok(())
}

fn start_attempt(session: &mut Session<'_, '_>, topic: Topic, attempt: Attempt) -> Result<(), Error> {
    let former = Attempt(attempt.0.saturating_sub(1));
    own::withdraw(session.step, session.genesis(), topic, former)?;
    match topic {
        Topic::Confirmation => confirmation::send_nonces(session.step, session.spec, attempt),
        Topic::Signing(id) => signing::reattempt(session, id, attempt),
    }
}

/// Forgets how far an ended set was applied, and everything of it that stands here; true when nothing is left.
pub(super) fn prune(txn: &mut dyn Transaction, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    CURSOR.prune(txn, &genesis);
    PARTS.delete(txn, &genesis);
    STATE_HASH.delete(txn, &genesis);
    BLAMES.prune(txn, &genesis, limit)
}
