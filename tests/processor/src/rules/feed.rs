//! How far the base chain is known, in order and from its beginning.
//!
//! ```text
//! first life of the disk                 -> the feed is whole: it began with it
//! a later life                           -> of the middle: ignored, since what came before is not known
//! FromTheBeginning of this life          -> whole from here on; everything follows again
//! ```
//!
//! Batches, paying sessions and plans are functions of the feed's order, and must be the same at every processor; a
//! part of it would give others (`PROC-13`).

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table};
use processor_messages::{BaseBlock, Incarnation, ToProcessor, base_chain};

use super::{Error, Step};
use crate::status::Notice;

const FEED: Table<(), Feed> = Table::new("feed");

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
struct Feed {
    whole: bool,
    /// The last block which may have reached a former life of the disk.
    former: Option<BaseBlock>,
    /// The last block which reached this one.
    last: Option<BaseBlock>,
}

fn feed(db: &(impl Read + ?Sized)) -> Result<Feed, StoreError> {
    Ok(FEED.get(db, &())?.unwrap_or_default())
}

/// Whether the base chain is known from its beginning.
pub(super) fn is_whole(step: &Step<'_>) -> Result<bool, StoreError> {
    Ok((step.me.incarnation == Incarnation(0)) || feed(step.txn)?.whole)
}

/// Whether a message is handled now; one of the base chain only in a whole feed.
pub(super) fn takes(step: &mut Step<'_>, message: &ToProcessor) -> Result<bool, Error> {
    let ToProcessor::BaseChain(message) = message else { return Ok(true) };
    if matches!(message, base_chain::ToProcessor::FromTheBeginning { .. }) || is_whole(step)? {
        return Ok(true);
    }
    step.notice(Notice::OfTheMiddle);
    Ok(false)
}

/// Everything of the base chain follows again. Another life's is of the past.
pub(super) fn begin(step: &mut Step<'_>, incarnation: Incarnation, through: BaseBlock) {
    if incarnation == step.me.incarnation {
        FEED.put(step.txn, &(), &Feed { whole: true, former: Some(through), last: None });
        step.notice(Notice::FromTheBeginning { through });
    }
}

/// A block came.
pub(super) fn reached(step: &mut Step<'_>, block: BaseBlock) -> Result<(), Error> {
    let feed = feed(step.txn)?;
    FEED.put(step.txn, &(), &Feed { last: feed.last.max(Some(block)), ..feed });
    Ok(())
}

/// Whether a block, if it concerned this network, has come.
pub(super) fn has_passed(step: &Step<'_>, block: BaseBlock) -> Result<bool, Error> {
    Ok(feed(step.txn)?.last.is_some_and(|last| last >= block))
}

/// Whether a former life of the disk may have handled a block.
pub(super) fn former_life_may_have_seen(step: &Step<'_>, block: BaseBlock) -> Result<bool, Error> {
    Ok(feed(step.txn)?.former.is_some_and(|former| former >= block))
}
