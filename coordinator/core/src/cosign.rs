//! The gate of the base chain: we act on its blocks only up to the latest cosigned one.
//!
//! Stake counts for networks which have keys as of a block's parent. Where none has, nobody can cosign and
//! finalized counts as cosigned (`COSIGN-1`). Once some network has keys, blocks would wait for cosigns: the
//! protocol which makes them is not built yet, so the gate lets finalized blocks pass and says so
//! (`COSIGN-2`).

use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{BaseBlock, Network};

/// Networks which have keys, and since which block.
const KEYED: Table<Network, BaseBlock> = Table::new("cosign/keyed");

/// Why a block may be acted on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// No network has keys as of the parent: finalized counts as cosigned.
    Bootstrap,
    /// Networks have keys, and cosigns are not asked for: `COSIGN_NOT_ENFORCED`.
    NotEnforced,
}

impl Gate {
    /// The stable code for status.
    pub fn code(self) -> &'static str {
        match self {
            Self::Bootstrap => "COSIGN_BOOTSTRAP",
            Self::NotEnforced => "COSIGN_NOT_ENFORCED",
        }
    }
}

/// Whether, and why, a finalized block may be acted on. Every block before it has been.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn gate(db: &(impl Read + ?Sized)) -> Result<Gate, StoreError> {
    Ok(if KEYED.scan(db, &(), None, 1)?.is_empty() { Gate::Bootstrap } else { Gate::NotEnforced })
}

/// A network has keys from the end of this block on.
pub(crate) fn keyed(txn: &mut dyn Transaction, network: Network, block: BaseBlock) -> Result<(), StoreError> {
    if KEYED.get(txn, &network)?.is_none() {
        KEYED.put(txn, &network, &block);
    }
    Ok(())
}
