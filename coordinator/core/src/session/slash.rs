//! Misbehaviour, counted as a function of the tributary's blocks alone, so that every member counts alike.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError};
use processor_messages::{Genesis, TributaryBlock, Validator};

use super::{
    Replicated, Session,
    set::{MemberIndex, SetSpec},
};
use crate::{Error, halt, notice::Event};

/// What a validator did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, BorshSerialize, BorshDeserialize)]
pub enum Cause {
    /// Signed a payload which is none.
    Malformed,
    /// Put a payload into a slot which is not its own.
    WrongSlot,
    /// Sent data of a topic nobody agreed on, or of an attempt which has not begun.
    Premature,
    /// Spoke twice.
    Duplicate,
    /// Sent as many pieces as it does not have key shares.
    WrongCount,
    /// Sent a share without being selected.
    NotSelected,
    /// Sent a share of the confirmation which does not verify.
    InvalidShare,
    /// Was selected and sent no share while the attempt lasted.
    MissedShare,
    /// Sent a participation which t weight of processors found invalid.
    InvalidParticipation,
    /// Sent signing data which t weight of processors found invalid.
    InvalidSigningData,
    /// Voted against somebody who is no member.
    NotAMember,
    /// Signed two conflicting consensus messages.
    Equivocation,
}

/// How much a cause counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// Proved misbehaviour: everything the validator signs later is ignored.
    Fatal,
    /// Slash points.
    Points(u32),
}

impl Cause {
    /// The table of spec/signing.md, "Slash points" (`SIGN-14`).
    pub fn severity(self) -> Severity {
        match self {
            Self::Malformed
            | Self::WrongSlot
            | Self::Premature
            | Self::Duplicate
            | Self::WrongCount
            | Self::InvalidShare
            | Self::InvalidParticipation
            | Self::InvalidSigningData
            | Self::NotAMember
            | Self::Equivocation => Severity::Fatal,
            Self::NotSelected => Severity::Points(100),
            Self::MissedShare => Severity::Points(10),
        }
    }
}

/// What is counted against one validator.
#[derive(Clone, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Record {
    /// Sum of the points; saturates.
    pub points: u32,
    /// Why and since when it is fatally slashed.
    pub fatal: Option<(Cause, TributaryBlock)>,
    /// How often each cause occurred, by cause.
    pub counts: Vec<(Cause, u32)>,
}

const RECORDS: Replicated<(Genesis, Validator), Record> = Replicated::new("session/slash");

/// What is counted against a validator of a tributary.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn record(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    validator: Validator,
) -> Result<Record, StoreError> {
    Ok(RECORDS.get(db, &(genesis, validator))?.unwrap_or_default())
}

/// Whether a member is fatally slashed.
pub(super) fn is_fatal(
    db: &(impl Read + ?Sized),
    spec: &SetSpec,
    index: MemberIndex,
) -> Result<bool, StoreError> {
    let Some(validator) = spec.validator(index) else { return Ok(false) };
    Ok(record(db, spec.genesis, validator)?.fatal.is_some())
}

/// Counts a cause against a member.
pub(super) fn slash(session: &mut Session<'_, '_>, index: MemberIndex, cause: Cause) -> Result<(), Error> {
    let Some(validator) = session.spec.validator(index) else { return Ok(()) };
    let key = (session.spec.genesis, validator);
    let mut record = record(session.step.txn, session.spec.genesis, validator)?;
    match record.counts.iter_mut().find(|(counted, _)| *counted == cause) {
        Some((_, count)) => *count = count.saturating_add(1),
        None => record.counts.push((cause, 1)),
    }
    let block = session.block;
    match cause.severity() {
        Severity::Fatal => record.fatal = record.fatal.or(Some((cause, block))),
        Severity::Points(points) => record.points = record.points.saturating_add(points),
    }
    RECORDS.put(session, &key, &record);
    session.notice(Event::Slashed { validator, cause, block });
    if matches!(cause.severity(), Severity::Fatal) {
        check_threshold(session)?;
    }
    Ok(())
}

/// Halts the session once those who are left cannot sign any more.
fn check_threshold(session: &mut Session<'_, '_>) -> Result<(), Error> {
    let mut remaining = 0_u16;
    for index in session.spec.indices() {
        if !is_fatal(session.step.txn, session.spec, index)? {
            remaining = remaining.saturating_add(session.spec.weight(index));
        }
    }
    let needed = session.spec.t().0;
    if remaining < needed {
        let reason = halt::Reason::ThresholdLost { remaining, needed };
        halt::session(session.step, session.spec.set(), reason)?;
    }
    Ok(())
}
