//! Synchronous transactions over ordered keys, and what is built on them: typed tables, durable queues,
//! an outbox, and cursors. No I/O: `coordinator-store-disk` keeps the same on disk.
//!
//! ```text
//! store.write(|txn| rule(txn, input))  ->  (outputs, Commit)
//!                                            | durable().await: the log holds it
//!                                            v
//!                                          outputs may leave the process
//! ```
//!
//! Steps are serialized: a step sees every step before it, durable or not. A reader sees durable state
//! only, so that what is read from an outbox may leave at once.

#![deny(clippy::indexing_slicing)]

/// Whether this build is broken in this way, for the simulation to notice.
#[cfg(feature = "mutations")]
macro_rules! mutated {
    ($mutation:ident) => {
        mutation::is(mutation::Mutation::$mutation)
    };
}

mod commit;
mod counted;
mod cursor;
mod key;
mod memory;
mod outbox;
mod overlay;
mod queue;
mod table;
#[cfg(test)]
mod tests;

pub use commit::{Commit, Completion, commit_pair};
pub use counted::Counted;
pub use cursor::{Advance, Cursor, Number};
pub use key::Key;
pub use memory::{MemoryStore, SyncMode};
pub use outbox::{Letter, Outbox, Put};
pub use overlay::{Overlay, Step, Writes, nested, scan_over};
pub use queue::{Push, Queue};
pub use table::Table;

/// The longest key of a step, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// The most bytes of keys and values one step may write.
pub const MAX_STEP_BYTES: usize = 16 * 1024 * 1024;

/// What went wrong in the store. Each is ours or the machine's, never a peer's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// A value does not decode: written by another version, or damaged.
    #[error(
        "table {table}: a value does not decode ({reason}); restore the data directory, or run the version that wrote it"
    )]
    Corrupt {
        /// The table's name.
        table: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// The disk failed; nothing was committed since.
    #[error("the disk failed: {0}")]
    Disk(String),
    /// A step wrote more than the bounds allow: [`MAX_STEP_BYTES`], [`MAX_KEY_BYTES`].
    #[error("a step writes {bytes} bytes of {what}, the bound is {bound}; split the step")]
    TooLarge {
        /// What is too large: a key, or all writes.
        what: &'static str,
        /// How many bytes there are.
        bytes: usize,
        /// How many may be.
        bound: usize,
    },
    /// An earlier failure stopped the store.
    #[error("the store stopped after an earlier failure: {0}")]
    Stopped(String),
}

/// Keys and values, pairs in scan order.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Reads of one consistent state.
pub trait Read {
    /// The value of a key.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Up to `limit` pairs whose keys begin with `prefix` and are at least `from`, ascending by key.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Pairs, StoreError>;
}

/// One step's reads, which see its own writes, and writes.
pub trait Transaction: Read {
    /// Sets the value of a key.
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>);
    /// Removes a key; nothing happens if it has no value.
    fn delete(&mut self, key: &[u8]);
}

/// Runs steps and makes them durable.
pub trait Store: Clone + Send + Sync + 'static {
    /// A promise of durability for one step.
    type Commit: Future<Output = Result<(), StoreError>> + Send + 'static;

    /// Runs one step. If it returns an error nothing of it is kept. Otherwise later steps see its writes at
    /// once, and readers when the returned commit completes. Steps of all threads run one after another, so
    /// a step does no I/O of its own.
    ///
    /// # Errors
    /// The step's own, or [`StoreError`] if the store has stopped.
    fn write<T, E: From<StoreError>>(
        &self,
        step: impl FnOnce(&mut dyn Transaction) -> Result<T, E>,
    ) -> Result<(T, Self::Commit), E>;

    /// Reads durable state.
    fn read<T>(&self, read: impl FnOnce(&dyn Read) -> T) -> T;
}
