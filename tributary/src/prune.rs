//! Deleting the rows of a retired set's chain, after its archive is written.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Key, StoreError, Table, Transaction};
use processor_messages::Genesis;

use crate::{DECIDED, chain, log, node};

/// Deletes up to `limit` rows of each table of a chain; call it in a step each until it returns true. The
/// node of the chain must be gone. The recorded reason of a halt stays.
///
/// # Errors
/// [`StoreError`] if the store fails or a row is damaged.
pub fn prune(txn: &mut dyn Transaction, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    // Every table is visited in every call.
    let mut done = clear(&DECIDED, txn, genesis, limit)?;
    done &= log::prune(txn, genesis, limit)?;
    done &= chain::prune(txn, genesis, limit)?;
    if done {
        node::forget(txn, genesis);
    }
    Ok(done)
}

/// Deletes up to `limit` rows of one table; whether none is left.
pub(crate) fn clear<K: Key, V: BorshSerialize + BorshDeserialize>(
    table: &Table<K, V>,
    txn: &mut dyn Transaction,
    genesis: Genesis,
    limit: usize,
) -> Result<bool, StoreError> {
    let rows = table.scan(txn, &genesis, None, limit)?;
    let done = rows.len() < limit;
    for (key, _) in rows {
        table.delete(txn, &key);
    }
    Ok(done)
}
