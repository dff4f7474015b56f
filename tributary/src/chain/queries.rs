//! What the rules above a tributary, and its operator, ask of the rows.

use coordinator_store::{Read, StoreError};
use processor_messages::{DecodeError, Genesis, List, TributaryBlock, Validator, decode};

use super::{Body, MOST_OWN, provided, rows};
use crate::{Block, Kind, MAX_BODY_BYTES, Order, Transaction};

/// The transactions of a block of a tributary.
///
/// # Errors
/// [`DecodeError`] if the body is none of a tributary; a decided one always is.
pub fn transactions(block: &Block) -> Result<Vec<Transaction>, DecodeError> {
    decode::<Body>(&block.body, MAX_BODY_BYTES).map(List::into_inner)
}

/// The greatest height up to which everything provided was derived here too; handle no block beyond it.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn handleable(db: &dyn Read, genesis: Genesis) -> Result<TributaryBlock, StoreError> {
    Ok(TributaryBlock(rows::HANDLEABLE.get(db, &genesis)?.unwrap_or(0)))
}

/// The hash of the replicated state after the latest decided block.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn state_hash(db: &dyn Read, genesis: Genesis) -> Result<[u8; 32], StoreError> {
    Ok(rows::STATE.get(db, &genesis)?.unwrap_or_default())
}

/// Whether evidence against a validator is on the chain; its later transactions are never included.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn has_equivocated(db: &dyn Read, genesis: Genesis, validator: Validator) -> Result<bool, StoreError> {
    Ok(rows::EQUIVOCATED.get(db, &(genesis, validator))?.is_some())
}

/// Whether [`slash`](super::slash) was called for a validator here.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn is_slashed(db: &dyn Read, genesis: Genesis, validator: Validator) -> Result<bool, StoreError> {
    Ok(rows::SLASHED.get(db, &(genesis, validator))?.is_some())
}

/// How many of a kind were provided here; the next has this ordinal.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn provided_count(db: &dyn Read, genesis: Genesis, kind: Kind) -> Result<u32, StoreError> {
    Ok(rows::LOCAL_COUNT.get(db, &(genesis, kind.0))?.unwrap_or(0))
}

/// How many of a kind are agreed on this chain.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn agreed_count(db: &dyn Read, genesis: Genesis, kind: Kind) -> Result<u32, StoreError> {
    provided::agreed_count(db, genesis, kind)
}

/// The nonce which the next own transaction of an order gets: a caller whose transactions have places of
/// their own compares it before it submits, in the same step.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn own_next(db: &dyn Read, genesis: Genesis, me: Validator, order: &Order) -> Result<u32, StoreError> {
    let agreed = rows::nonce(db, genesis, me, order)?;
    let submitted = rows::OWN_NEXT.get(db, &(genesis, order.to_vec()))?.unwrap_or(0);
    Ok(submitted.max(agreed))
}

/// How many own signed transactions wait for inclusion; counts up to 4,096.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn own_waiting(db: &dyn Read, genesis: Genesis) -> Result<usize, StoreError> {
    Ok(rows::OWN.scan(db, &genesis, None, MOST_OWN)?.len())
}
