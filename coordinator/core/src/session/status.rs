//! What an operator sees of a session. Read-only.

use coordinator_store::{Read, StoreError};
use processor_messages::{Attempt, BaseBlock, Slash, TributaryBlock, Validator, ValidatorSet};
use serde::Serialize;

use super::{
    Life, MemberIndex, SetRecord, SetSpec, accumulate, apply, confirmation, failure, relay, report, retire,
    slash, standing,
    topic::{Selection, Topic, TopicState},
    votes,
};
use crate::{base_chain, halt, shelf};

/// At most this many open topics are shown.
const MAX_TOPICS: usize = 1_024;

/// Where a set's key generation stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Participations are ordered.
    Participations,
    /// Participations of the threshold's weight are ordered: the processors verify them.
    Generating,
    /// Validators commit to the confirmation.
    ConfirmationNonces,
    /// The selected validators sign the confirmation.
    ConfirmationShares,
    /// The confirmation is complete and on its way to the base chain.
    Publishing,
    /// The keys are on the base chain.
    KeysSet,
    /// Our processor says that it cannot complete.
    Failed,
    /// The base chain dropped the set.
    Dropped,
    /// The set's duty ended.
    Retired,
    /// A broken invariant stopped the session here.
    Halted,
}

/// One agreement in progress.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TopicStatus {
    /// What is agreed on.
    pub topic: String,
    /// The current attempt.
    pub attempt: Attempt,
    /// Weight of the preprocesses.
    pub preprocess_weight: u16,
    /// Weight of the shares.
    pub share_weight: u16,
    /// Weight of the selected set; absent before it is selected.
    pub selected_weight: Option<u16>,
    /// The tributary block at whose end the next attempt starts.
    pub next_attempt_at: Option<TributaryBlock>,
}

/// One session as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SessionStatus {
    /// `network/session`.
    pub set: String,
    /// The tributary's id.
    pub genesis: String,
    /// Where the key generation stands.
    pub stage: Stage,
    /// Validators in the set.
    pub validators: usize,
    /// Sum of the key shares.
    pub key_shares: u16,
    /// Weight which the current stage has.
    pub received_weight: u16,
    /// Weight which the current stage needs.
    pub needed_weight: u16,
    /// Validators whom the current stage misses.
    pub missing: Vec<Validator>,
    /// Ordered participations and their encoded size in bytes.
    pub participations: Vec<(Validator, u32)>,
    /// Key pairs which validators confirm in the current attempt; more than one is a divergence.
    pub key_pairs_seen: usize,
    /// The last tributary block whose meaning was applied.
    pub applied_block: TributaryBlock,
    /// Hash of the replicated state after it; equal at every member.
    pub state_hash: String,
    /// Agreements which are not over.
    pub topics: Vec<TopicStatus>,
    /// Validators with slash points or fatally slashed: what the slash report would say now, or says.
    pub slashed: Vec<SlashStatus>,
    /// Validators who made attempts fail lately, and the block from which on they are selected like others (`SIGN-25`).
    pub doubted: Vec<(Validator, TributaryBlock)>,
    /// Where the slash report stands.
    pub slash_report: ReportStatus,
    /// Blocks of the window in progress, and the validators who took no part in it so far.
    pub votes_window: (TributaryBlock, Vec<Validator>),
    /// Why it is halted.
    pub halted: Option<HaltStatus>,
    /// Messages of our processor which wait until the halt is lifted.
    pub kept_messages: u64,
    /// Why our processor could not complete the key generation.
    pub failure: Option<String>,
}

/// What is counted against a validator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SlashStatus {
    /// Whom.
    pub validator: Validator,
    /// Slash points which the report has, without those of a fatal slash.
    pub points: u32,
    /// The cause of the fatal slash.
    pub fatal: Option<String>,
    /// How often each cause was counted.
    pub counts: Vec<(String, u32)>,
    /// Where the log shows the first ones of each cause.
    pub places: Vec<String>,
}

/// Where a slash report stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportStage {
    /// Points are counted.
    Counting,
    /// The set handed over: members say what they observed.
    Reporting,
    /// It is fixed and being signed.
    Signing,
    /// It is signed and on its way to the base chain.
    Publishing,
    /// The base chain applied it.
    Applied,
}

/// Where a slash report stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReportStatus {
    /// Its stage.
    pub stage: ReportStage,
    /// The block of the base chain before which it is due.
    pub deadline: Option<BaseBlock>,
    /// How long that probably is from the last handled block, in seconds, by the chain's pace so far.
    pub deadline_secs: Option<u64>,
}

/// Why something is halted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HaltStatus {
    /// Stable code.
    pub code: &'static str,
    /// When, in seconds since the Unix epoch.
    pub at_unix_secs: u64,
    /// The evidence.
    pub detail: String,
    /// What to do.
    pub remedy: &'static str,
}

impl From<halt::Halted> for HaltStatus {
    fn from(halt::Halted { reason, at_unix_secs }: halt::Halted) -> Self {
        Self { code: reason.code(), at_unix_secs, detail: format!("{reason:?}"), remedy: reason.remedy() }
    }
}

/// Reads the status of a set we are in.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn read(db: &(impl Read + ?Sized), record: &SetRecord) -> Result<SessionStatus, StoreError> {
    let spec = &record.spec;
    let confirmation = accumulate::topic(db, spec.genesis, Topic::Confirmation)?.unwrap_or_default();
    let participated = relay::participated(db, spec)?;
    let halted = halt::record(db, halt::Scope::Session(spec.set()))?;
    let stage = stage(db, record, &participated, &confirmation)?;
    let (having, expected) = present(spec, stage, &participated, &confirmation);
    let missing = expected.iter().filter(|i| !having.contains(i)).filter_map(|i| spec.validator(*i));
    let needed =
        if stage == Stage::ConfirmationShares { spec.weight_of(expected.clone()) } else { spec.t().0 };
    let mut pairs: Vec<_> = confirmation.arrived.iter().map(|(_, subject)| *subject).collect();
    pairs.sort_unstable();
    pairs.dedup();
    Ok(SessionStatus {
        set: spec.set().to_string(),
        genesis: spec.genesis.to_string(),
        stage: if halted.is_some() { Stage::Halted } else { stage },
        validators: spec.count(),
        key_shares: spec.n().0,
        received_weight: spec.weight_of(having.iter().copied()),
        needed_weight: needed,
        missing: missing.collect(),
        participations: relay::sizes(db, spec)?,
        key_pairs_seen: pairs.len(),
        applied_block: apply::applied_through(db, spec.genesis)?,
        state_hash: hex::encode(apply::state_hash(db, spec.genesis)?),
        topics: topics(db, spec)?,
        slashed: slashed(db, spec)?,
        doubted: doubted(db, spec)?,
        slash_report: slash_report(db, record)?,
        votes_window: votes_window(db, spec)?,
        halted: halted.map(HaltStatus::from),
        kept_messages: shelf::len(db, spec.set())?,
        failure: failure::get(db, spec.set())?.map(|(reason, culprits)| format!("{reason:?} {culprits:?}")),
    })
}

fn stage(
    db: &(impl Read + ?Sized),
    record: &SetRecord,
    participated: &[MemberIndex],
    confirmation: &TopicState,
) -> Result<Stage, StoreError> {
    let spec = &record.spec;
    let selection = confirmation.selection.as_ref();
    Ok(match record.life {
        Life::Dropped => Stage::Dropped,
        Life::Retired => Stage::Retired,
        Life::Active if base_chain::keys(db, spec.set())?.is_some() => Stage::KeysSet,
        Life::Active if selection.is_some_and(Selection::is_complete) => Stage::Publishing,
        Life::Active if selection.is_some() => Stage::ConfirmationShares,
        Life::Active if !confirmation.arrived.is_empty() || confirmation.attempt.0 > 0 => {
            Stage::ConfirmationNonces
        }
        Life::Active if failure::get(db, spec.set())?.is_some() => Stage::Failed,
        Life::Active if confirmation::own_key_pair(db, spec.set())?.is_some() => Stage::ConfirmationNonces,
        Life::Active if spec.reaches_threshold(participated.iter().copied()) => Stage::Generating,
        Life::Active => Stage::Participations,
    })
}

/// Who is there and who is expected in a stage.
fn present(
    spec: &SetSpec,
    stage: Stage,
    participated: &[MemberIndex],
    confirmation: &TopicState,
) -> (Vec<MemberIndex>, Vec<MemberIndex>) {
    let all: Vec<MemberIndex> = spec.indices().collect();
    let selection = confirmation.selection.as_ref();
    match stage {
        Stage::ConfirmationNonces => (confirmation.arrived.iter().map(|(index, _)| *index).collect(), all),
        Stage::ConfirmationShares | Stage::Publishing => (
            selection.map(|s| s.shared.clone()).unwrap_or_default(),
            selection.map_or(all, |s| s.members.clone()),
        ),
        Stage::KeysSet | Stage::Dropped | Stage::Retired => (all.clone(), all),
        Stage::Participations | Stage::Generating | Stage::Failed | Stage::Halted => {
            (participated.to_vec(), all)
        }
    }
}

fn topics(db: &(impl Read + ?Sized), spec: &SetSpec) -> Result<Vec<TopicStatus>, StoreError> {
    let open = accumulate::open_topics(db, spec.genesis, MAX_TOPICS)?;
    let status = |(topic, state): (Topic, TopicState)| TopicStatus {
        topic: format!("{topic:?}"),
        attempt: state.attempt,
        preprocess_weight: spec.weight_of(state.arrived.iter().map(|(index, _)| *index)),
        share_weight: spec.weight_of(state.selection.iter().flat_map(|s| s.shared.iter().copied())),
        selected_weight: state.selection.as_ref().map(|s| spec.weight_of(s.members.iter().copied())),
        next_attempt_at: state.due,
    };
    Ok(open.into_iter().map(status).collect())
}

fn slashed(db: &(impl Read + ?Sized), spec: &SetSpec) -> Result<Vec<SlashStatus>, StoreError> {
    let mut slashed = Vec::new();
    for (validator, slash) in report::preview(db, spec)? {
        let record = slash::record(db, spec.genesis, validator)?;
        let points = if let Slash::Points(points) = slash { points } else { record.points };
        slashed.push(SlashStatus {
            validator,
            points,
            fatal: record.fatal.map(|(cause, block)| format!("{cause:?} in block {block}")),
            counts: record.counts.iter().map(|(cause, count)| (format!("{cause:?}"), *count)).collect(),
            places: record.places.iter().map(ToString::to_string).collect(),
        });
    }
    Ok(slashed)
}

fn doubted(
    db: &(impl Read + ?Sized),
    spec: &SetSpec,
) -> Result<Vec<(Validator, TributaryBlock)>, StoreError> {
    let next = TributaryBlock(apply::applied_through(db, spec.genesis)?.0.saturating_add(1));
    let doubted = standing::doubted(db, spec.genesis, next)?;
    Ok(doubted.into_iter().filter_map(|(who, until)| Some((spec.validator(who)?, until))).collect())
}

fn slash_report(db: &(impl Read + ?Sized), record: &SetRecord) -> Result<ReportStatus, StoreError> {
    let spec = &record.spec;
    let retirement = retire::retirement(db, spec.set())?;
    let stage = match report::reporting(db, spec.genesis)? {
        _ if retirement.applied.is_some() => ReportStage::Applied,
        None => ReportStage::Counting,
        Some(reporting) if reporting.fixed.is_none() => ReportStage::Reporting,
        Some(_) if report::signed(db, spec.genesis)?.is_none() => ReportStage::Signing,
        Some(_) => ReportStage::Publishing,
    };
    let deadline = retirement.deadline.filter(|_| record.life == Life::Active);
    let deadline_secs = deadline.map(|deadline| seconds_until(db, record, deadline)).transpose()?;
    Ok(ReportStatus { stage, deadline, deadline_secs })
}

/// By the mean time between blocks since the set's declaration.
fn seconds_until(db: &(impl Read + ?Sized), record: &SetRecord, block: BaseBlock) -> Result<u64, StoreError> {
    let next = base_chain::next_block(db)?;
    let blocks = next.0.saturating_sub(1).saturating_sub(record.spec.declared.0);
    let millis = base_chain::last_time_unix_ms(db)?.saturating_sub(record.declared_unix_ms);
    let left = block.0.saturating_sub(next.0.saturating_sub(1));
    Ok(millis.saturating_mul(left).checked_div(blocks).unwrap_or(0) / 1000)
}

fn votes_window(
    db: &(impl Read + ?Sized),
    spec: &SetSpec,
) -> Result<(TributaryBlock, Vec<Validator>), StoreError> {
    let (blocks, absent) = votes::progress(db, spec)?;
    Ok((blocks, absent.into_iter().filter_map(|index| spec.validator(index)).collect()))
}

/// What is left of an ended set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RetiredStatus {
    /// `network/session`.
    pub set: String,
    /// The tributary's id.
    pub genesis: String,
    /// Whether it was retired or dropped.
    pub stage: Stage,
    /// The block of the base chain which ended it.
    pub ended_at: BaseBlock,
    /// Whether its slash report was applied.
    pub reported: bool,
    /// The last block of its tributary which was applied here.
    pub applied_block: TributaryBlock,
    /// Hash of the replicated state after it.
    pub state_hash: String,
    /// The file which holds it, in the directory of archives.
    pub archive: String,
    /// The file's length in bytes.
    pub archive_bytes: u64,
    /// Whether nothing else is left of it.
    pub pruned: bool,
}

impl From<(ValidatorSet, retire::Tombstone)> for RetiredStatus {
    fn from((set, tombstone): (ValidatorSet, retire::Tombstone)) -> Self {
        Self {
            set: set.to_string(),
            genesis: tombstone.genesis.to_string(),
            stage: if tombstone.life == Life::Dropped { Stage::Dropped } else { Stage::Retired },
            ended_at: tombstone.ended.block,
            reported: tombstone.ended.reported,
            applied_block: tombstone.applied,
            state_hash: hex::encode(tombstone.state_hash),
            archive: tombstone.archived.file,
            archive_bytes: tombstone.archived.bytes,
            pruned: tombstone.pruned,
        }
    }
}

/// Whether blocks of the tributary are due at every interval: a key generation is unclosed, a topic is open,
/// members report what they observed, or an attempt is scheduled (`COORD-8`).
///
/// # Errors
/// [`StoreError`] of the store.
pub fn is_busy(db: &(impl Read + ?Sized), record: &SetRecord) -> Result<bool, StoreError> {
    let spec = &record.spec;
    if record.life != Life::Active {
        return Ok(false);
    }
    let confirmed = accumulate::topic(db, spec.genesis, Topic::Confirmation)?.is_some_and(|s| s.closed);
    let open = !accumulate::open_topics(db, spec.genesis, 1)?.is_empty();
    let scheduled = accumulate::is_scheduled(db, spec.genesis)? || report::is_awaited(db, spec.genesis)?;
    Ok(!confirmed || open || scheduled)
}
