//! The slash report of a retiring set: agreed on, signed by its key, kept for the base chain.
//!
//! ```text
//! base chain: HandoverAccepted ─▶ Provided::HandedOver ordered: points end; each member says what it observed
//! everybody who may has reported, or attempt_blocks later ─▶ fixed, a function of the log (`SIGN-18`)
//! fixed ─▶ topic opens, SignSlashReport ─▶ processors ─▶ attempts as any topic ─▶ SignedSlashReport
//! it is ours and verifies ─▶ outbox ─▶ base chain: SetRetired, or its deadline
//! ```
//!
//! Only the retiring set makes it: the fact is derived by its members, the topic is on its tributary, and the
//! signature is verified under its key. Nothing here waits: without a quorum the base chain's deadline ends it.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::{SlashReportCall, signing as signatures};
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{
    BaseBlock, BaseSignature, Genesis, Incarnation, List, MAX_KEY_SHARES, Slash, SlashReport, ToProcessor,
    TributaryBlock, Validator, coordinator, sign::SigningId,
};

use super::{
    MemberIndex, Replicated, Session, SetSpec, observed, own, signing,
    slash::{self, Cause},
    transaction::Signed,
};
use crate::{Error, Notice, Step, base_chain, notice::Event, outbox};

/// How far a retiring set's report is.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Reporting {
    /// The block of the base chain which accepted the handover.
    pub handed_over: BaseBlock,
    /// The block of the tributary which ordered that: points were counted up to here.
    pub since: TributaryBlock,
    /// The block at whose end the report is fixed at the latest.
    pub due: TributaryBlock,
    /// At whose end it was fixed, and what it is.
    pub fixed: Option<(TributaryBlock, SlashReport)>,
}

const REPORTING: Replicated<Genesis, Reporting> = Replicated::new("session/reporting");
const OBSERVED: Replicated<(Genesis, MemberIndex), Observations> = Replicated::new("session/observed");
/// What our processor signed. Local.
const SIGNED: Table<Genesis, SlashReportCall> = Table::new("session/signed_report");

type Observations = List<u32, { MAX_KEY_SHARES as usize }>;

/// How far the report of a set is; `None` before its handover.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn reporting(db: &(impl Read + ?Sized), genesis: Genesis) -> Result<Option<Reporting>, StoreError> {
    REPORTING.get(db, &genesis)
}

/// The report with our processor's signature, which this node accepted.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn signed(db: &(impl Read + ?Sized), genesis: Genesis) -> Result<Option<SlashReportCall>, StoreError> {
    SIGNED.get(db, &genesis)
}

/// Whether the set's points are final.
pub(super) fn has_begun(db: &(impl Read + ?Sized), genesis: Genesis) -> Result<bool, StoreError> {
    Ok(REPORTING.get(db, &genesis)?.is_some())
}

/// Whether members still report.
pub(super) fn is_awaited(db: &(impl Read + ?Sized), genesis: Genesis) -> Result<bool, StoreError> {
    Ok(REPORTING.get(db, &genesis)?.is_some_and(|reporting| reporting.fixed.is_none()))
}

/// The report if it was fixed now; the fixed one once it is (`SIGN-18`, `SIGN-19`).
///
/// # Errors
/// [`StoreError`] of the store.
pub fn preview(db: &(impl Read + ?Sized), spec: &SetSpec) -> Result<SlashReport, StoreError> {
    if let Some((_, report)) = reporting(db, spec.genesis)?.and_then(|reporting| reporting.fixed) {
        return Ok(report);
    }
    let mut entries = Vec::new();
    for (validator, observed) in members(spec).zip(observations(db, spec)?) {
        let record = slash::record(db, spec.genesis, validator)?;
        let slash = match record.fatal {
            Some(_) => Slash::Fatal,
            None => Slash::Points(record.points.saturating_add(observed)),
        };
        if slash != Slash::Points(0) {
            entries.push((validator, slash));
        }
    }
    // A set has at most as many members as key shares.
    Ok(List::new(entries).unwrap_or_default())
}

fn members(spec: &SetSpec) -> impl Iterator<Item = Validator> + '_ {
    spec.indices().filter_map(|index| spec.validator(index))
}

/// The points which the reports of members who are not fatally slashed amount to, in set order.
fn observations(db: &(impl Read + ?Sized), spec: &SetSpec) -> Result<Vec<u32>, StoreError> {
    let mut reports = Vec::new();
    for ((_, who), observed) in OBSERVED.scan(db, &spec.genesis, spec.count())? {
        if !slash::is_fatal(db, spec, who)? {
            reports.push((usize::from(who), observed));
        }
    }
    let reports: Vec<observed::Report<'_>> = reports.iter().map(|(who, says)| (*who, &says[..])).collect();
    let weights: Vec<u16> = spec.indices().map(|index| spec.weight(index)).collect();
    Ok(observed::points(&weights, spec.t().0, &reports))
}

/// The handover is agreed on: points end here, and we say what we observed, which is nothing yet (`SIGN-16`).
pub(super) fn handed_over(session: &mut Session<'_, '_>, handed_over: BaseBlock) -> Result<(), Error> {
    let genesis = session.genesis();
    if has_begun(session.step.txn, genesis)? {
        return Err(Error::broken(session.spec.set(), "the base chain accepted one handover twice"));
    }
    let since = session.block;
    let due = TributaryBlock(since.0.saturating_add(u64::from(session.spec.parameters.attempt_blocks)));
    REPORTING.put(session, &genesis, &Reporting { handed_over, since, due, fixed: None });
    session.notice(Event::HandedOver { block: handed_over });
    let Some(own) = session.own_index() else { return Ok(()) };
    if !slash::is_fatal(session.step.txn, session.spec, own)? {
        let nothing = List::new(vec![0; session.spec.count()])
            .map_err(|e| Error::broken(session.spec.set(), e.to_string()))?;
        own::publish(session.step, session.spec, &Signed::SlashReport(nothing))?;
    }
    Ok(())
}

/// A member said what it observed.
pub(super) fn said(
    session: &mut Session<'_, '_>,
    who: MemberIndex,
    observations: &Observations,
) -> Result<(), Error> {
    let key = (session.genesis(), who);
    let Some(reporting) = reporting(session.step.txn, session.genesis())? else {
        return slash::slash(session, who, Cause::Premature);
    };
    if observations.len() != session.spec.count() {
        return slash::slash(session, who, Cause::Malformed);
    }
    if OBSERVED.get(session.step.txn, &key)?.is_some() {
        return slash::slash(session, who, Cause::Duplicate);
    }
    if reporting.fixed.is_none() {
        OBSERVED.put(session, &key, observations);
    }
    Ok(())
}

/// Ends a block: fixes the report once nobody is waited for any more.
pub(super) fn end_block(session: &mut Session<'_, '_>) -> Result<(), Error> {
    let genesis = session.genesis();
    let Some(mut reporting) = reporting(session.step.txn, genesis)?.filter(|r| r.fixed.is_none()) else {
        return Ok(());
    };
    if (session.block < reporting.due) && !everybody_reported(session)? {
        return Ok(());
    }
    let report = preview(session.step.txn, session.spec)?;
    let (block, slashed) = (session.block, report.len());
    reporting.fixed = Some((block, report.clone()));
    REPORTING.put(session, &genesis, &reporting);
    session.notice(Event::SlashReportFixed { slashed });
    signing::open(session, SigningId::SlashReport)?;
    let set = session.spec.set();
    let message = ToProcessor::Coordinator(request(set.session, report));
    outbox::to_processor(session.step, set.network, &message)
}

fn request(session: processor_messages::Session, report: SlashReport) -> coordinator::ToProcessor {
    coordinator::ToProcessor::SignSlashReport { session, report }
}

fn everybody_reported(session: &Session<'_, '_>) -> Result<bool, StoreError> {
    for who in session.spec.indices() {
        let reported = OBSERVED.get(session.step.txn, &(session.genesis(), who))?.is_some();
        if !reported && !slash::is_fatal(session.step.txn, session.spec, who)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Asks our processor again, which lost its disk.
pub(crate) fn resend(step: &mut Step<'_>, spec: &SetSpec, incarnation: Incarnation) -> Result<(), Error> {
    let fixed = reporting(step.txn, spec.genesis)?.and_then(|reporting| reporting.fixed);
    let Some((_, report)) = fixed else { return Ok(()) };
    let message = ToProcessor::Coordinator(request(spec.set().session, report));
    outbox::replay(step, spec.set().network, incarnation, &message)
}

/// Our processor signed a report: kept for the base chain if it is the agreed one, and the set's key signed it
/// (`SIGN-20`).
pub(crate) fn signed_by_processor(
    step: &mut Step<'_>,
    spec: &SetSpec,
    report: SlashReport,
    signature: BaseSignature,
) -> Result<(), Error> {
    let set = spec.set();
    let agreed = reporting(step.txn, spec.genesis)?.and_then(|reporting| reporting.fixed);
    let message = signatures::slash_report_message(step.me.chain, set, &report);
    let problem = match base_chain::keys(step.txn, set)? {
        _ if agreed.is_none_or(|(_, agreed)| agreed != report) => Some("a slash report other than agreed"),
        Some(keys) if signatures::verify(&keys.base, &message, &signature) => None,
        _ => Some("a slash report whose signature does not verify"),
    };
    if let Some(what) = problem {
        step.notice(Notice::of_set(set, Event::MessageDropped { what }));
        return Ok(());
    }
    let call = SlashReportCall { set, report, signature };
    SIGNED.put(step.txn, &spec.genesis, &call);
    outbox::put_slash_report(step.txn, &call);
    step.notice(Notice::of_set(set, Event::SlashReportSigned));
    Ok(())
}

/// Forgets everything of an ended set; true when nothing is left.
pub(super) fn prune(txn: &mut dyn Transaction, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    SIGNED.delete(txn, &genesis);
    let done = REPORTING.prune(txn, &genesis, limit)?;
    Ok(OBSERVED.prune(txn, &genesis, limit)? && done)
}
