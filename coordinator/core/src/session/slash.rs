//! Misbehaviour, counted as a function of the tributary's blocks alone, so that every member counts alike.
//!
//! ```text
//! rule -> Fault { cause, topic and attempt } -> Record: points, fatal, how often, where the log shows it
//!                                                 └─ points end with the handover (`SIGN-16`)
//! ```

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Transaction};
use processor_messages::{Attempt, Genesis, TributaryBlock, Validator};
use tributary::chain;

use super::{
    Replicated, Session, accumulate, own, report,
    set::{MemberIndex, SetSpec},
    topic::Topic,
};
use crate::{Error, halt, notice::Event};

/// The places which are kept of each cause: the first ones.
pub const MAX_PLACES: usize = 4;

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
    /// Took no part in a whole window of blocks (`SIGN-17`).
    MissedVotes,
}

impl Cause {
    /// A fault in an attempt of a topic.
    pub(super) fn of(self, topic: Topic, attempt: Attempt) -> Fault {
        Fault { cause: self, at: Some((topic, attempt)) }
    }
}

/// A cause, and what it was about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    cause: Cause,
    at: Option<(Topic, Attempt)>,
}

impl From<Cause> for Fault {
    fn from(cause: Cause) -> Self {
        Self { cause, at: None }
    }
}

/// Where a tributary's log shows a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Place {
    /// What was done.
    pub cause: Cause,
    /// The block which made it certain.
    pub block: TributaryBlock,
    /// About what, if about anything.
    pub at: Option<(Topic, Attempt)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in block {}", self.cause, self.block)?;
        match &self.at {
            Some((topic, attempt)) => write!(f, ": {topic:?}, attempt {attempt}"),
            None => Ok(()),
        }
    }
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
            Self::MissedVotes => Severity::Points(1),
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
    /// How often each cause occurred, in the order in which they first did.
    pub counts: Vec<(Cause, u32)>,
    /// Where the log shows the first [`MAX_PLACES`] of each cause, in order.
    pub places: Vec<Place>,
}

impl Record {
    fn add(&mut self, Fault { cause, at }: Fault, block: TributaryBlock) {
        match self.counts.iter_mut().find(|(counted, _)| *counted == cause) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.counts.push((cause, 1)),
        }
        if self.places.iter().filter(|place| place.cause == cause).count() < MAX_PLACES {
            self.places.push(Place { cause, block, at });
        }
        match cause.severity() {
            Severity::Fatal => self.fatal = self.fatal.or(Some((cause, block))),
            Severity::Points(points) => self.points = self.points.saturating_add(points),
        }
    }
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

/// Counts a fault of a member. Points are counted until the handover (`SIGN-16`); what is fatal always is.
pub(super) fn slash(
    session: &mut Session<'_, '_>,
    index: MemberIndex,
    fault: impl Into<Fault>,
) -> Result<(), Error> {
    let (fault, block) = (fault.into(), session.block);
    let fatal = fault.cause.severity() == Severity::Fatal;
    let Some(validator) = session.spec.validator(index) else { return Ok(()) };
    if !fatal && report::has_begun(session.step.txn, session.spec.genesis)? {
        return Ok(());
    }
    let mut record = record(session.step.txn, session.spec.genesis, validator)?;
    let newly_fatal = fatal && record.fatal.is_none();
    record.add(fault, block);
    RECORDS.put(session, &(session.spec.genesis, validator), &record);
    session.notice(Event::Slashed { validator, cause: fault.cause, block });
    if fatal {
        // From this step on our tributary neither keeps nor proposes what it signs (`SIGN-21`).
        chain::slash(session.step.txn, session.spec.genesis, validator);
        check_threshold(session)?;
    }
    if newly_fatal {
        if fault.cause != Cause::Equivocation {
            // Of who equivocated the chain takes nothing since the evidence.
            own::provide_slash(session.step.txn, session.spec.genesis, validator)?;
        }
        accumulate::lost(session, index);
    }
    Ok(())
}

/// Forgets what was counted; true when nothing is left.
pub(super) fn prune(txn: &mut dyn Transaction, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    RECORDS.prune(txn, &genesis, limit)
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
