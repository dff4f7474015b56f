//! The tables of a tributary, all scoped by its genesis.

use coordinator_store::{Read, StoreError, Table, Transaction as Txn};
use processor_messages::{Genesis, Validator};

use crate::{Evidence, Order, Payload, SignedTransaction, prune::Pruning};

// Replicated: functions of the decided blocks alone.

/// The next nonce of (signer, order).
pub(super) const NONCES: Table<(Genesis, Validator, Vec<u8>), u32> = Table::new("tributary/nonces");
/// Heights at which unsigned transactions were included, by hash.
pub(super) const UNSIGNED: Table<(Genesis, [u8; 32]), u64> = Table::new("tributary/unsigned");
/// Heights at which evidence against validators was included.
pub(super) const EQUIVOCATED: Table<(Genesis, Validator), u64> = Table::new("tributary/equivocated");
/// Heights at which it was agreed that validators are slashed ([`Kind::SLASHED`](crate::Kind::SLASHED)).
pub(super) const EXCLUDED: Table<(Genesis, Validator), u64> = Table::new("tributary/excluded");
/// Hashes of agreed provided transactions by kind and ordinal.
pub(super) const AGREED: Table<(Genesis, u8, u32), [u8; 32]> = Table::new("tributary/agreed");
/// How many of a kind are agreed.
pub(super) const AGREED_COUNT: Table<(Genesis, u8), u32> = Table::new("tributary/agreed-count");
/// The hash over all changes so far.
pub(super) const STATE: Table<Genesis, [u8; 32]> = Table::new("tributary/state");

// Local.

/// Provided here and not agreed yet.
pub(super) const LOCAL: Table<(Genesis, u8, u32), Payload> = Table::new("tributary/local");
/// How many of a kind were provided here.
pub(super) const LOCAL_COUNT: Table<(Genesis, u8), u32> = Table::new("tributary/local-count");
/// What must be provided before a block is handled: counts by kind. Gone once they are.
pub(super) const REQUIRES: Table<(Genesis, u64), Vec<(u8, u32)>> = Table::new("tributary/requires");
/// The greatest height that may be handled.
pub(super) const HANDLEABLE: Table<Genesis, u64> = Table::new("tributary/handleable");
/// Own signed transactions not included yet.
pub(super) const OWN: Table<(Genesis, Vec<u8>, u32), SignedTransaction> = Table::new("tributary/own");
/// The next nonce to give to an own transaction of an order.
pub(super) const OWN_NEXT: Table<(Genesis, Vec<u8>), u32> = Table::new("tributary/own-next");
/// Evidence of ours not included yet.
pub(super) const EVIDENCE: Table<(Genesis, Validator), Evidence> = Table::new("tributary/evidence");

/// Whom the rules above the chain have slashed fatally.
pub(super) const SLASHED: Table<(Genesis, Validator), ()> = Table::new("tributary/slashed");

/// The next nonce of a signer's order.
pub(super) fn nonce(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    signer: Validator,
    order: &Order,
) -> Result<u32, StoreError> {
    Ok(NONCES.get(db, &(genesis, signer, order.to_vec()))?.unwrap_or(0))
}

/// Whether blocks with what this validator signs are invalid from now on.
pub(super) fn is_excluded(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    validator: Validator,
) -> Result<bool, StoreError> {
    let key = (genesis, validator);
    Ok(EQUIVOCATED.get(db, &key)?.is_some() || EXCLUDED.get(db, &key)?.is_some())
}

/// Whether nothing of this validator's is to be proposed, or kept until somebody does.
pub(super) fn is_barred(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    validator: Validator,
) -> Result<bool, StoreError> {
    Ok(is_excluded(db, genesis, validator)? || SLASHED.get(db, &(genesis, validator))?.is_some())
}

pub(super) fn prune(txn: &mut dyn Txn, pruning: &mut Pruning) -> Result<(), StoreError> {
    pruning.clear(&NONCES, txn)?;
    pruning.clear(&UNSIGNED, txn)?;
    pruning.clear(&EQUIVOCATED, txn)?;
    pruning.clear(&EXCLUDED, txn)?;
    pruning.clear(&AGREED, txn)?;
    pruning.clear(&AGREED_COUNT, txn)?;
    pruning.clear(&STATE, txn)?;
    pruning.clear(&LOCAL, txn)?;
    pruning.clear(&LOCAL_COUNT, txn)?;
    pruning.clear(&REQUIRES, txn)?;
    pruning.clear(&HANDLEABLE, txn)?;
    pruning.clear(&OWN, txn)?;
    pruning.clear(&OWN_NEXT, txn)?;
    pruning.clear(&EVIDENCE, txn)?;
    pruning.clear(&SLASHED, txn)
}
