//! Deleting the rows of a retired set's chain, after its archive is written.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Key, Read, StoreError, Table, Transaction};
use processor_messages::Genesis;

use crate::{DECIDED, chain, log, node};

/// Chains whose rows are being deleted, or are deleted. Stays for ever: without its log a chain may not be opened.
const RETIRED: Table<Genesis, ()> = Table::new("tributary/retired");
/// Rows read at a time, as some hold a whole block.
const PAGE: usize = 4;

/// Whether the rows of this chain are being deleted, or are deleted; it is not opened again.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn is_retired(db: &dyn Read, genesis: Genesis) -> Result<bool, StoreError> {
    Ok(RETIRED.get(db, &genesis)?.is_some())
}

/// Deletes up to `limit` rows of a chain, of all its tables together, damaged ones too; call it in a step each until
/// it returns true (`TRIB-30`). The node of the chain must be gone: from the first call on, the chain cannot be opened.
/// The recorded reason of a halt and the mark of the retirement stay.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn prune(txn: &mut dyn Transaction, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    RETIRED.put(txn, &genesis, &());
    let mut pruning = Pruning { genesis, left: limit };
    pruning.clear(&DECIDED, txn)?;
    log::prune(txn, &mut pruning)?;
    chain::prune(txn, &mut pruning)?;
    let done = pruning.left > 0;
    if done {
        node::forget(txn, genesis);
    }
    Ok(done)
}

/// One call's share of the work.
pub(crate) struct Pruning {
    pub(crate) genesis: Genesis,
    left: usize,
}

impl Pruning {
    /// Deletes rows of one table, as many as this call still may.
    pub(crate) fn clear<K: Key, V: BorshSerialize + BorshDeserialize>(
        &mut self,
        table: &Table<K, V>,
        txn: &mut dyn Transaction,
    ) -> Result<(), StoreError> {
        while self.left > 0 {
            let page = self.left.min(PAGE);
            let gone = table.clear(txn, &self.genesis, page)?;
            self.left = self.left.saturating_sub(gone);
            if gone < page {
                break;
            }
        }
        Ok(())
    }
}
