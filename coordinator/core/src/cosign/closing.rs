//! When nothing is left to cosign: every member derives `Cosigned` for each intended block of its set, in their
//! order, as soon as it knows a cosign of the set that covers it (`COSIGN-3`).
//!
//! The order of the intended blocks is a fact of the base chain, and each waits for those before it, so the queue is
//! the same at every member, however cosigns arrived. A cosign beyond the era does not count: the notable block at
//! an era's end needs its own. However long that takes: what was observed of an open block is kept until it closes, so
//! that a cosign which comes late is still known for one.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{BaseBlock, Genesis, ValidatorSet};

use super::{exchange::cosign_of, facts};
use crate::{
    Error, Step,
    session::{own, transaction::Provided},
};

#[derive(Clone, Copy, BorshSerialize, BorshDeserialize)]
struct Open {
    genesis: Genesis,
    era: BaseBlock,
}

const OPEN: Table<(ValidatorSet, BaseBlock), Open> = Table::new("cosign/open");
/// Rows looked at, or removed, at once.
const AT_ONCE: usize = 64;

/// A block is intended for a set of ours.
pub(super) fn expect(
    step: &mut Step<'_>,
    set: ValidatorSet,
    (block, era): (BaseBlock, BaseBlock),
    genesis: Genesis,
) -> Result<(), Error> {
    OPEN.put(step.txn, &(set, block), &Open { genesis, era });
    settle(step, set)
}

/// Derives what can be derived for a set.
pub(super) fn settle(step: &mut Step<'_>, set: ValidatorSet) -> Result<(), Error> {
    loop {
        let rows = OPEN.scan(step.txn, &set, None, AT_ONCE)?;
        let full = rows.len() == AT_ONCE;
        for ((_, block), Open { genesis, era }) in rows {
            let cosign = cosign_of(step.txn, era, set.network)?;
            if cosign.is_none_or(|cosign| cosign.block < block) {
                return Ok(());
            }
            closed(step.txn, set, block)?;
            own::provide(step, genesis, &Provided::Cosigned { block })?;
        }
        if !full {
            return Ok(());
        }
    }
}

fn closed(txn: &mut dyn Transaction, set: ValidatorSet, block: BaseBlock) -> Result<(), StoreError> {
    OPEN.delete(txn, &(set, block));
    facts::prune_closed(txn, block)
}

/// Whether the tributary of a set of ours waits for a cosign of this block.
pub(super) fn is_open(
    db: &(impl Read + ?Sized),
    set: ValidatorSet,
    block: BaseBlock,
) -> Result<bool, StoreError> {
    Ok(OPEN.get(db, &(set, block))?.is_some())
}

/// Whether we know that nothing is left to cosign of an intended block.
pub(crate) fn is_over(
    db: &(impl Read + ?Sized),
    set: ValidatorSet,
    block: BaseBlock,
) -> Result<bool, StoreError> {
    Ok((block < facts::next_block(db)?) && !is_open(db, set, block)?)
}

/// The first of our intended blocks without a cosign that we know.
pub(super) fn first_open(db: &(impl Read + ?Sized)) -> Result<Option<BaseBlock>, StoreError> {
    let rows = OPEN.scan(db, &(), None, AT_ONCE)?;
    Ok(rows.into_iter().map(|((_, block), _)| block).min())
}

/// The tributary of a set ended.
pub(crate) fn ended(txn: &mut dyn Transaction, set: ValidatorSet) -> Result<(), StoreError> {
    loop {
        let rows = OPEN.scan(txn, &set, None, AT_ONCE)?;
        for ((_, block), _) in &rows {
            closed(txn, set, *block)?;
        }
        if rows.len() < AT_ONCE {
            return Ok(());
        }
    }
}
