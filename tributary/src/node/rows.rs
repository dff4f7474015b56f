//! The rows which say where a chain is, and why it stopped.

use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{Genesis, TributaryBlock};

use super::fetch;
use crate::{BlockHash, Certificate, DECIDED, Halt};

const HALTED: Table<Genesis, Halt> = Table::new("tributary/halted");
const TIP: Table<Genesis, u64> = Table::new("tributary/tip");

/// Records why a chain stopped, in a step of its own after the failed one. The first reason stays.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn record_halt(txn: &mut dyn Transaction, genesis: Genesis, halt: &Halt) -> Result<(), StoreError> {
    if HALTED.get(txn, &genesis)?.is_none() {
        HALTED.put(txn, &genesis, halt);
    }
    Ok(())
}

/// Why a chain stopped, if it did.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn halted(db: &dyn Read, genesis: Genesis) -> Result<Option<Halt>, StoreError> {
    HALTED.get(db, &genesis)
}

/// Lets a halted chain be opened again, once an operator removed the reason.
pub fn clear_halt(txn: &mut dyn Transaction, genesis: Genesis) {
    HALTED.delete(txn, &genesis);
}

/// The height of the latest decided block; 0 before the first.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn latest_decided(db: &dyn Read, genesis: Genesis) -> Result<TributaryBlock, StoreError> {
    Ok(TributaryBlock(TIP.get(db, &genesis)?.unwrap_or(0)))
}

/// Deletes the rows which say where a chain is.
pub(crate) fn forget(txn: &mut dyn Transaction, genesis: Genesis) {
    TIP.delete(txn, &genesis);
    fetch::forget(txn, genesis);
}

/// The latest decided block.
#[derive(Clone, Debug, Default)]
pub(super) struct Tip {
    pub(super) height: u64,
    pub(super) hash: BlockHash,
    pub(super) certificate: Option<Certificate>,
}

impl Tip {
    pub(super) fn load(db: &dyn Read, genesis: Genesis) -> Result<Self, Halt> {
        let Some(height) = TIP.get(db, &genesis)? else { return Ok(Self::default()) };
        let decided = DECIDED.get(db, &(genesis, TributaryBlock(height)))?;
        let decided = decided.ok_or_else(|| {
            Halt::new(format!("decided block {height} is missing; restore the data directory"))
        })?;
        let hash = decided.block.header.hash(genesis);
        Ok(Self { height, hash, certificate: Some(decided.certificate) })
    }

    pub(super) fn store(&self, txn: &mut dyn Transaction, genesis: Genesis) {
        TIP.put(txn, &genesis, &self.height);
    }
}
