//! What becomes of an ended set: archived, pruned in bounded steps, remembered by one row (`SIGN-22`).
//!
//! ```text
//! SetRetired, SetDropped ─▶ Ended: its tributary stops
//!   stopped ─▶ archive written and on disk ─▶ Tombstone { pruned: false }
//!   ─▶ prune, prune, … ─▶ the set's record goes last: Tombstone { pruned: true }
//! ```
//!
//! Each arrow is a step: after a crash the next one is found in the store. What remains is the tombstone (at
//! most 512 bytes), the set's keys and first batch (about 200 bytes), the mark that its tributary is not opened
//! again (about 50), and the reason of a halt until it is lifted.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{BaseBlock, Genesis, SlashReport, TributaryBlock, ValidatorSet};

use super::{
    Life, SETS, SetRecord, accumulate, apply, confirmation, failure, own, relay, report, signing, slash,
    standing, votes,
};
use crate::{Error, Notice, Step, notice::Event, shelf};

/// Rows of each of our tables, and of all of the tributary's together, which a step deletes at most.
pub const MAX_ROWS: usize = 256;
/// Ended sets looked at.
const MAX_SETS: usize = 1_024;

/// How the end of a set goes on the base chain.
#[derive(Clone, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Retirement {
    /// The first block at which it is retired without a report, once it retires.
    pub deadline: Option<BaseBlock>,
    /// The report which the base chain applied.
    pub applied: Option<SlashReport>,
    /// Set when it ended.
    pub ended: Option<Ended>,
}

/// How a set ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Ended {
    /// The block of the base chain which ended it.
    pub block: BaseBlock,
    /// Whether its slash report was applied.
    pub reported: bool,
}

/// The file which holds an ended set.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Archived {
    /// Its name within the directory of archives.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Blake2b-256 of everything before it in the file.
    pub hash: [u8; 32],
}

/// What is remembered of a set whose archive is on disk.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Tombstone {
    /// Its tributary's id.
    pub genesis: Genesis,
    /// Whether it was retired or dropped.
    pub life: Life,
    /// By which block, and whether with its report.
    pub ended: Ended,
    /// The last block of its tributary which was applied here.
    pub applied: TributaryBlock,
    /// Hash of the replicated state after it.
    pub state_hash: [u8; 32],
    /// Its archive.
    pub archived: Archived,
    /// Whether nothing else is left of it.
    pub pruned: bool,
}

const RETIREMENTS: Table<ValidatorSet, Retirement> = Table::new("session/retirement");
const TOMBSTONES: Table<ValidatorSet, Tombstone> = Table::new("session/tombstone");

/// How the end of a set goes.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn retirement(db: &(impl Read + ?Sized), set: ValidatorSet) -> Result<Retirement, StoreError> {
    Ok(RETIREMENTS.get(db, &set)?.unwrap_or_default())
}

fn update(
    txn: &mut dyn Transaction,
    set: ValidatorSet,
    change: impl FnOnce(&mut Retirement),
) -> Result<(), StoreError> {
    let mut retirement = retirement(txn, set)?;
    change(&mut retirement);
    RETIREMENTS.put(txn, &set, &retirement);
    Ok(())
}

/// The set retires: its report is due before this block.
pub(crate) fn due(
    txn: &mut dyn Transaction,
    set: ValidatorSet,
    deadline: BaseBlock,
) -> Result<(), StoreError> {
    update(txn, set, |retirement| retirement.deadline = Some(deadline))
}

/// The base chain applied the set's report.
pub(crate) fn applied(
    txn: &mut dyn Transaction,
    set: ValidatorSet,
    report: &SlashReport,
) -> Result<(), StoreError> {
    update(txn, set, |retirement| retirement.applied = Some(report.clone()))
}

/// The set ended.
pub(crate) fn ended(txn: &mut dyn Transaction, set: ValidatorSet, ended: Ended) -> Result<(), StoreError> {
    update(txn, set, |retirement| retirement.ended = Some(ended))
}

/// What is remembered of a set; `None` before its archive is on disk.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn tombstone(db: &(impl Read + ?Sized), set: ValidatorSet) -> Result<Option<Tombstone>, StoreError> {
    TOMBSTONES.get(db, &set)
}

/// The sets which are remembered, by network and session; at most `limit`.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn tombstones(
    db: &(impl Read + ?Sized),
    limit: usize,
) -> Result<Vec<(ValidatorSet, Tombstone)>, StoreError> {
    TOMBSTONES.scan(db, &(), None, limit)
}

/// What an ended set needs next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Due {
    /// Its archive is to be written, and then [`archived`] called.
    Archive(Box<SetRecord>),
    /// [`prune`] is to be called.
    Prune(ValidatorSet),
}

/// What the ended sets need next, first those whose archive is on disk.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn next(db: &(impl Read + ?Sized)) -> Result<Vec<Due>, StoreError> {
    let mut due = Vec::new();
    for (set, record) in SETS.scan(db, &(), None, MAX_SETS)? {
        if record.life == Life::Active {
            continue;
        }
        match tombstone(db, set)? {
            Some(_) => due.insert(0, Due::Prune(set)),
            None => due.push(Due::Archive(Box::new(record))),
        }
    }
    Ok(due)
}

/// The archive of an ended set is on disk.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn archived(step: &mut Step<'_>, record: &SetRecord, archived: Archived) -> Result<(), Error> {
    let (set, genesis) = (record.spec.set(), record.spec.genesis);
    let tombstone = Tombstone {
        genesis,
        life: record.life,
        ended: retirement(step.txn, set)?.ended.unwrap_or_default(),
        applied: apply::applied_through(step.txn, genesis)?,
        state_hash: apply::state_hash(step.txn, genesis)?,
        archived,
        pruned: false,
    };
    step.notice(Notice::of_set(set, Event::Archived { bytes: tombstone.archived.bytes }));
    TOMBSTONES.put(step.txn, &set, &tombstone);
    Ok(())
}

/// Deletes some of the rows of an ended set whose archive is on disk; true when nothing is left to delete.
///
/// The node of its tributary must be gone.
///
/// # Errors
/// [`Error`]; nothing of the step may be kept then.
pub fn prune(step: &mut Step<'_>, set: ValidatorSet) -> Result<bool, Error> {
    let (Some(record), Some(tombstone)) = (SETS.get(step.txn, &set)?, tombstone(step.txn, set)?) else {
        return Ok(true);
    };
    let genesis = record.spec.genesis;
    let txn = &mut *step.txn;
    // Every table is visited in every step.
    let mut done = tributary::prune(txn, genesis, MAX_ROWS)?;
    for prune in [
        apply::prune,
        accumulate::prune,
        slash::prune,
        standing::prune,
        votes::prune,
        report::prune,
        relay::prune,
        signing::prune,
        own::prune,
    ] {
        done &= prune(txn, genesis, MAX_ROWS)?;
    }
    done &= confirmation::prune(txn, &record.spec, MAX_ROWS)?;
    done &= shelf::prune(txn, set, MAX_ROWS)?;
    if done {
        failure::prune(txn, set);
        tributary::clear_halt(txn, genesis);
        RETIREMENTS.delete(txn, &set);
        SETS.delete(txn, &set);
        TOMBSTONES.put(txn, &set, &Tombstone { pruned: true, ..tombstone });
        step.notice(Notice::of_set(set, Event::Pruned));
    }
    Ok(done)
}
