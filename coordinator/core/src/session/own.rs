//! What this coordinator itself puts on a tributary, kept until the tributary keeps it.
//!
//! A slot is filled once, for ever: the row that says what is in it stays after the transaction was
//! ordered, so nothing else can be sent for the same slot whatever happens (`SIGN-4`).

use blake2::{Blake2b, Digest, digest::consts::U32};
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{Attempt, Genesis, Validator, ValidatorSet};
use tributary::Kind;

use super::{
    SetSpec, signing, slash,
    topic::Topic,
    transaction::{Provided, Signed, Slot},
};
use crate::{Notice, Step, notice::Event};

const SLOTS: Table<(Genesis, Vec<u8>, u32), [u8; 32]> = Table::new("own/slot");
const PENDING: Table<(Genesis, Vec<u8>, u32), Vec<u8>> = Table::new("own/pending");
const PROVIDED: Table<(Genesis, u8, u64), Vec<u8>> = Table::new("own/provided");
const PROVIDED_COUNT: Table<(Genesis, u8), u64> = Table::new("own/provided_count");

fn key(genesis: Genesis, slot: &Slot) -> (Genesis, Vec<u8>, u32) {
    (genesis, slot.order.clone(), slot.nonce)
}

fn hash(payload: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(payload).into()
}

/// Keeps a payload for the tributary; false if something else is in its slot, which stays, or if we are fatally
/// slashed (`SIGN-21`).
pub(crate) fn publish(step: &mut Step<'_>, spec: &SetSpec, payload: &Signed) -> Result<bool, StoreError> {
    if slash::record(step.txn, spec.genesis, step.me.validator())?.fatal.is_some() {
        // It would be ignored for ever, and fill blocks.
        return Ok(false);
    }
    let key = key(spec.genesis, &payload.slot());
    let bytes = payload.to_bytes();
    if let Some(former) = SLOTS.get(step.txn, &key)? {
        let same = former == hash(&bytes);
        if !same {
            step.notice(Notice::of_set(spec.set(), Event::OwnSlotConflict));
        }
        return Ok(same);
    }
    SLOTS.put(step.txn, &key, &hash(&bytes));
    PENDING.put(step.txn, &key, &bytes);
    Ok(true)
}

/// Takes note of a transaction of our own which the tributary ordered.
pub(crate) fn ordered(
    step: &mut Step<'_>,
    set: ValidatorSet,
    genesis: Genesis,
    slot: &Slot,
    payload: &[u8],
) -> Result<(), StoreError> {
    let key = key(genesis, slot);
    PENDING.delete(step.txn, &key);
    if SLOTS.get(step.txn, &key)?.is_none_or(|ours| ours != hash(payload)) {
        step.notice(Notice::of_set(set, Event::OwnSlotConflict));
        SLOTS.put(step.txn, &key, &hash(payload));
    }
    Ok(())
}

/// Withdraws what waits of an attempt, because nobody needs it any more.
pub(super) fn withdraw(
    step: &mut Step<'_>,
    genesis: Genesis,
    topic: Topic,
    attempt: Attempt,
) -> Result<(), StoreError> {
    // The order of a share is that of its preprocess too.
    let order = match topic {
        Topic::Confirmation => Signed::ConfirmationShare { attempt, share: [0; 32] }.slot().order,
        Topic::Signing(id) => signing::share_slot(id, attempt).order,
    };
    for (key, _) in PENDING.scan(step.txn, &(genesis, order), None, 2)? {
        PENDING.delete(step.txn, &key);
    }
    Ok(())
}

/// A transaction was handed to the tributary, which keeps it until it is ordered: no longer ours to keep.
///
/// The caller hands it over in the same step, as the transaction of exactly this slot.
pub fn handed_over(txn: &mut dyn Transaction, genesis: Genesis, slot: &Slot) {
    PENDING.delete(txn, &key(genesis, slot));
}

/// What waits to be handed to the tributary, at most `limit`, lower nonces first within an order.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn pending(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    limit: usize,
) -> Result<Vec<(Slot, Vec<u8>)>, StoreError> {
    let rows = PENDING.scan(db, &genesis, None, limit)?;
    Ok(rows.into_iter().map(|((_, order, nonce), payload)| (Slot { order, nonce }, payload)).collect())
}

/// Derives a provided transaction.
pub(crate) fn provide(step: &mut Step<'_>, genesis: Genesis, payload: &Provided) -> Result<(), StoreError> {
    provide_bytes(step.txn, genesis, payload.kind(), payload.to_bytes())
}

/// Derives that a member is slashed, in the order of the log, so that the chain takes nothing of it any more (`SIGN-21`).
pub(super) fn provide_slash(
    txn: &mut dyn Transaction,
    genesis: Genesis,
    validator: Validator,
) -> Result<(), StoreError> {
    provide_bytes(txn, genesis, Kind::SLASHED, validator.0.to_vec())
}

fn provide_bytes(
    txn: &mut dyn Transaction,
    genesis: Genesis,
    Kind(kind): Kind,
    payload: Vec<u8>,
) -> Result<(), StoreError> {
    let ordinal = PROVIDED_COUNT.get(txn, &(genesis, kind))?.unwrap_or(0);
    PROVIDED.put(txn, &(genesis, kind, ordinal), &payload);
    PROVIDED_COUNT.put(txn, &(genesis, kind), &ordinal.saturating_add(1));
    Ok(())
}

/// What we derived of a kind from an ordinal on, in order, at most `limit`.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn provided(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    Kind(kind): Kind,
    from: u64,
    limit: usize,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows = PROVIDED.scan(db, &(genesis, kind), Some(&(genesis, kind, from)), limit)?;
    Ok(rows.into_iter().map(|(_, payload)| payload).collect())
}

/// Forgets everything of an ended set; true when nothing is left.
pub(super) fn prune(txn: &mut dyn Transaction, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    let mut done = SLOTS.clear(txn, &genesis, limit)? < limit;
    done &= PENDING.clear(txn, &genesis, limit)? < limit;
    done &= PROVIDED.clear(txn, &genesis, limit)? < limit;
    done &= PROVIDED_COUNT.clear(txn, &genesis, limit)? < limit;
    Ok(done)
}
