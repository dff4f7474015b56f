//! Who takes no part in a tributary for long (`SIGN-17`).
//!
//! ```text
//! block: proposer, voters of the former one, signers of transactions -> present in the window
//! window long enough, and its proposers include an honest one -> who was never present gets points
//! ```
//!
//! A proposer chooses whose votes it includes, so what proposers who may all be faulty left out is no fault of
//! anybody; and who votes late, in every honest proposer's certificate too late, is present by what it proposes
//! itself. A window is long: whoever is restarted, or moves to another machine, is present before and after.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{StoreError, Transaction};
use processor_messages::{Genesis, TributaryBlock, Validator};

use super::{
    MemberIndex, Replicated, Session, SetSpec, report,
    slash::{self, Cause},
    transaction::{Ordered, OrderedBlock},
};
use crate::Error;

/// Attempts of the shortest length which a window lasts at least.
pub const WINDOW_ATTEMPTS: u64 = 20;

/// The window in progress.
#[derive(Clone, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
struct Window {
    /// Its blocks so far.
    blocks: u64,
    /// Who was present, ascending.
    present: Vec<MemberIndex>,
    /// Who proposed, ascending.
    proposers: Vec<MemberIndex>,
}

const WINDOWS: Replicated<Genesis, Window> = Replicated::new("session/votes");

/// How many blocks a window has at least: so many that each member's turn to propose comes in it, twice.
pub(super) fn window_blocks(spec: &SetSpec) -> u64 {
    let attempts = WINDOW_ATTEMPTS.saturating_mul(u64::from(spec.parameters.attempt_blocks));
    attempts.max(u64::from(spec.n().0).saturating_mul(2))
}

fn note(members: &mut Vec<MemberIndex>, spec: &SetSpec, validator: Validator) {
    let Some(index) = spec.index_of(validator) else { return };
    if let Err(place) = members.binary_search(&index) {
        members.insert(place, index);
    }
}

/// Ends a block: notes who took part, and ends the window if it is over.
pub(super) fn end_block(session: &mut Session<'_, '_>, block: &OrderedBlock) -> Result<(), Error> {
    let (spec, genesis) = (session.spec, session.genesis());
    if report::has_begun(session.step.txn, genesis)? {
        return Ok(());
    }
    let mut window = WINDOWS.get(session.step.txn, &genesis)?.unwrap_or_default();
    window.blocks = window.blocks.saturating_add(1);
    note(&mut window.proposers, spec, block.proposer);
    note(&mut window.present, spec, block.proposer);
    for voter in &block.voters {
        note(&mut window.present, spec, *voter);
    }
    for transaction in &block.transactions {
        if let Ordered::Signed { signer, .. } = transaction {
            note(&mut window.present, spec, *signer);
        }
    }
    // More than a third of the weight proposed: one of them at least is honest.
    let witnessed = spec.weight_of(window.proposers.iter().copied()) > spec.n().0 / 3;
    if witnessed && (window.blocks >= window_blocks(spec)) {
        for index in spec.indices().filter(|index| !window.present.contains(index)) {
            slash::slash(session, index, Cause::MissedVotes)?;
        }
        window = Window::default();
    }
    WINDOWS.put(session, &genesis, &window);
    Ok(())
}

/// How far the window in progress is: its blocks so far, and who was not present in them yet.
pub(super) fn progress(
    db: &(impl coordinator_store::Read + ?Sized),
    spec: &SetSpec,
) -> Result<(TributaryBlock, Vec<MemberIndex>), StoreError> {
    let window = WINDOWS.get(db, &spec.genesis)?.unwrap_or_default();
    let absent = spec.indices().filter(|index| !window.present.contains(index)).collect();
    Ok((TributaryBlock(window.blocks), absent))
}

/// Forgets everything of an ended set; true when nothing is left.
pub(super) fn prune(txn: &mut dyn Transaction, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    WINDOWS.prune(txn, &genesis, limit)
}
