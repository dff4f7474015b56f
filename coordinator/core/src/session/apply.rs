//! Applies one ordered block: the state transition of a session.
//!
//! ```text
//! block = next to apply -> transactions in order -> attempts due -> votes, report -> participations handed over
//!                       -> state hash = H(former, block, every write)
//! ```

use blake2::{Blake2b, Digest, digest::consts::U32};
use coordinator_store::{Advance, Cursor, Read, StoreError, Transaction};
use processor_messages::{
    Attempt, Genesis, ToProcessor, TributaryBlock, Validator, ValidatorSet, coordinator, encode,
    key_gen::ParticipationBytes, sign::SigningId,
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
const STATE_HASH: coordinator_store::Table<Genesis, [u8; 32]> =
    coordinator_store::Table::new("session/state_hash");
/// Who voted that a participation is invalid.
const BLAMES: Replicated<(Genesis, MemberIndex), Vec<MemberIndex>> = Replicated::new("session/blames");

/// What became of a block which was offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applied {
    /// It was applied.
    Done,
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

/// Applies a block of a set's tributary, if it is the next one.
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
    let Step { txn, me, randomness, now_unix_secs, notices } = step;
    let genesis = record.spec.genesis;
    let advance = CURSOR.advance(*txn, &genesis, (block.number, block), |txn, block| {
        let mut inner = Step::new(txn, me, *randomness).at(*now_unix_secs);
        apply_next(&mut inner, &record.spec, block)?;
        notices.append(&mut inner.notices);
        Ok::<_, Error>(())
    })?;
    Ok(match advance {
        Advance::Done(()) => Applied::Done,
        Advance::Already => Applied::Already,
        Advance::Gap(due) => Applied::Due(due),
    })
}

fn apply_next(step: &mut Step<'_>, spec: &SetSpec, block: &OrderedBlock) -> Result<(), Error> {
    let former = state_hash(step.txn, spec.genesis)?;
    let digest = Blake2b::<U32>::new().chain_update(encode(&(former, block.number)));
    let mut session = Session { step, spec, block: block.number, digest };
    let mut participations = Vec::new();
    for transaction in &block.transactions {
        match transaction {
            Ordered::Provided { kind, payload } => provided(&mut session, *kind, payload)?,
            Ordered::Signed { signer, slot, payload } => {
                participations.extend(signed(&mut session, *signer, slot, payload)?);
            }
            Ordered::Equivocation { validator } => {
                if let Some(who) = session.spec.index_of(*validator) {
                    slash::slash(&mut session, who, Cause::Equivocation)?;
                }
            }
        }
    }
    accumulate::end_lost(&mut session)?;
    for due in accumulate::take_due(&mut session)? {
        match due {
            Due::Attempt(topic, attempt) => start_attempt(&mut session, topic, attempt)?,
            Due::Selected(Topic::Confirmation, state) => confirmation::send_share(&mut session, &state)?,
            Due::Selected(Topic::Signing(id), state) => signing::selected(&mut session, id, &state)?,
        }
    }
    votes::end_block(&mut session, block)?;
    report::end_block(&mut session)?;
    relay::end_block(&mut session, participations)?;
    let hash = session.digest.finalize().into();
    STATE_HASH.put(step.txn, &spec.genesis, &hash);
    Ok(())
}

/// A provided transaction. More than two thirds of the weight derived it, and so did we: if it means
/// nothing to us, our own derivation is broken.
fn provided(session: &mut Session<'_, '_>, kind: Kind, payload: &[u8]) -> Result<(), Error> {
    if kind == Kind::SLASHED {
        // What the log before it says; the chain's rules alone needed it.
        return Ok(());
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
            for id in transactions {
                signing::open(session, SigningId::Transaction(id))?;
            }
        }
        Provided::KeysSet => accumulate::close(session, Topic::Confirmation)?,
        Provided::BatchExecuted { id } => signing::close(session, SigningId::Batch(id))?,
        Provided::HandedOver { block } => report::handed_over(session, block)?,
        Provided::Cosigned { block } => signing::close(session, SigningId::Cosign(block))?,
        Provided::TransactionCompleted { id } => signing::close(session, SigningId::Transaction(id))?,
    }
    Ok(())
}

/// A signed transaction. Returns the participation in it which is to be handed over.
fn signed(
    session: &mut Session<'_, '_>,
    signer: Validator,
    slot: &Slot,
    payload: &[u8],
) -> Result<Option<(Validator, ParticipationBytes)>, Error> {
    let Some(who) = session.spec.index_of(signer) else {
        session.notice(Event::Ignored { what: "the signer is not in the set", validator: signer });
        return Ok(None);
    };
    if signer == session.step.me.validator() {
        own::ordered(session.step, session.spec.set(), session.spec.genesis, slot, payload)?;
    }
    if slash::is_fatal(session.step.txn, session.spec, who)? {
        session.notice(Event::Ignored { what: "the signer is fatally slashed", validator: signer });
        return Ok(None);
    }
    let Ok(payload) = Signed::from_bytes(payload) else {
        slash::slash(session, who, Cause::Malformed)?;
        return Ok(None);
    };
    if payload.slot() != *slot {
        slash::slash(session, who, Cause::WrongSlot)?;
        return Ok(None);
    }
    if let Signed::DkgParticipation(bytes) = payload {
        return Ok(relay::participation(session, who, bytes.len())?.then_some((signer, bytes)));
    }
    signed_by_member(session, who, payload)?;
    Ok(None)
}

fn signed_by_member(session: &mut Session<'_, '_>, who: MemberIndex, payload: Signed) -> Result<(), Error> {
    match payload {
        // Handed over by the caller.
        Signed::DkgParticipation(_) => Ok(()),
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
    STATE_HASH.delete(txn, &genesis);
    BLAMES.prune(txn, &genesis, limit)
}
