//! The tables of a tributary, all scoped by its genesis.

use coordinator_store::{Read, StoreError, Table, Transaction as Txn};
use processor_messages::{Genesis, Validator};

use crate::{Evidence, Order, Payload, SignedTransaction, prune::clear};

// Replicated: functions of the decided blocks alone.

/// The next nonce of (signer, order).
pub(super) const NONCES: Table<(Genesis, Validator, Vec<u8>), u32> = Table::new("tributary/nonces");
/// Heights at which unsigned transactions were included, by hash.
pub(super) const UNSIGNED: Table<(Genesis, [u8; 32]), u64> = Table::new("tributary/unsigned");
/// Heights at which evidence against validators was included.
pub(super) const EQUIVOCATED: Table<(Genesis, Validator), u64> = Table::new("tributary/equivocated");
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

/// The next nonce of a signer's order.
pub(super) fn nonce(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    signer: Validator,
    order: &Order,
) -> Result<u32, StoreError> {
    Ok(NONCES.get(db, &(genesis, signer, order.to_vec()))?.unwrap_or(0))
}

pub(super) fn prune(txn: &mut dyn Txn, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    let mut done = clear(&NONCES, txn, genesis, limit)?;
    done &= clear(&UNSIGNED, txn, genesis, limit)?;
    done &= clear(&EQUIVOCATED, txn, genesis, limit)?;
    done &= clear(&AGREED, txn, genesis, limit)?;
    done &= clear(&AGREED_COUNT, txn, genesis, limit)?;
    done &= clear(&LOCAL, txn, genesis, limit)?;
    done &= clear(&LOCAL_COUNT, txn, genesis, limit)?;
    done &= clear(&REQUIRES, txn, genesis, limit)?;
    done &= clear(&OWN, txn, genesis, limit)?;
    done &= clear(&OWN_NEXT, txn, genesis, limit)?;
    done &= clear(&EVIDENCE, txn, genesis, limit)?;
    STATE.delete(txn, &genesis);
    HANDLEABLE.delete(txn, &genesis);
    Ok(done)
}
