//! The store on disk: an fsynced log with group commit, and parity-db tables behind it.
//!
//! ```text
//! write(step) -> overlay -> log thread: append, one fsync for all waiting steps -> Commit completes
//!                              |  every few MiB              at the log's bound, and at boot
//!                              +-> table store (parity-db)   checkpoint: reopen it, empty the log
//! ```
//!
//! A step is durable when the log holds it; the table store only keeps the log short. At boot the log is
//! replayed from the position the table store reports. One thread and, while steps come one after another,
//! one fsync a step; steps which come together share one.
//!
//! Bounds (see [`Config`]): steps which wait for the disk, beyond which [`Store::write`] blocks its caller; the
//! overlay of durable steps; the log, at which the store pauses for a checkpoint. One step writes at most
//! [`coordinator_store::MAX_STEP_BYTES`].
//!
//! It does not: encrypt, compress, repair damage, share a directory between processes, or retry after a
//! failed write or fsync, since nobody knows what a disk holds after one. It stops, and says so to every later
//! step; durable state stays readable.
//!
//! Callers uphold: a step or a read must not use the store it runs in (it would wait for itself), and an
//! async task which writes accepts to be blocked for a moment while the disk is behind.
//!
//! Sources: `spec/store.md`.

#![deny(clippy::indexing_slicing)]

mod directory;
mod engine;
mod error;
mod fs;
mod levels;
mod log;
mod record;
mod tables;
#[cfg(test)]
mod tests;
pub mod torn;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use coordinator_store::{Commit, Read, Store, StoreError, Transaction};

pub use crate::{engine::Status, error::OpenError};

use crate::{
    directory::Directory,
    engine::{Shared, Worker},
    fs::RealFs,
    tables::{ParityFiles, ParityTables},
};

/// The bounds of a store. The default suits a coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Bytes of submitted steps which wait for the disk; beyond it writers wait.
    pub max_pending_bytes: usize,
    /// Bytes of steps which share one write and fsync, rounded up to whole steps.
    pub max_batch_bytes: usize,
    /// Bytes of durable steps held in memory before they go to the table store.
    pub handover_bytes: usize,
    /// Bytes of one file of the log, rounded up to a whole batch.
    pub segment_bytes: u64,
    /// Bytes of the log, rounded up to a whole batch; then a checkpoint empties it.
    pub max_log_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_pending_bytes: 32 << 20,
            max_batch_bytes: 8 << 20,
            handover_bytes: 4 << 20,
            segment_bytes: 64 << 20,
            max_log_bytes: 256 << 20,
        }
    }
}

/// A store in a directory. Clones are handles of the same store; when the last is dropped, everything
/// submitted is made durable and the directory is let go.
#[derive(Clone)]
pub struct DiskStore(Arc<Handle>);

struct Handle {
    shared: Arc<Shared<ParityTables>>,
    thread: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
}

impl DiskStore {
    /// Opens the store of a directory, which is created if it is not there.
    ///
    /// # Errors
    /// [`OpenError`]: what to do is said in each.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, Config::default())
    }

    /// As [`DiskStore::open`], with bounds.
    ///
    /// # Errors
    /// [`OpenError`]: what to do is said in each.
    pub fn open_with(path: impl AsRef<Path>, config: Config) -> Result<Self, OpenError> {
        let directory = Directory::open(path.as_ref())?;
        let worker = engine::open(RealFs(directory.log()), ParityFiles(directory.tables()), config)?;
        let shared = worker.shared().clone();
        let thread = thread::Builder::new()
            .name("store log".to_owned())
            .spawn(move || run(worker, directory))
            .map_err(OpenError::io("start the log thread for", path.as_ref()))?;
        Ok(Self(Arc::new(Handle { shared, thread: Mutex::new(Some(thread)) })))
    }

    /// How the store is doing, for status and metrics.
    pub fn status(&self) -> Status {
        self.0.shared.status()
    }

    /// Makes everything submitted durable, and lets the directory go. Later steps and reads are refused, in
    /// other handles too.
    ///
    /// # Errors
    /// [`StoreError`] if the disk failed, now or before. A store that is closed already gives `Ok`.
    pub fn close(&self) -> Result<(), StoreError> {
        self.0.close()
    }
}

/// The log thread.
fn run(mut worker: Worker<RealFs, ParityFiles>, directory: Directory) -> Result<(), StoreError> {
    let shared = worker.shared().clone();
    let _guard = AbandonOnPanic(shared.clone());
    while shared.wait_for_work() {
        // An error stops the store: it has told everyone, and gets no more work.
        let _ = worker.run_once();
    }
    let outcome = worker.finish();
    drop(directory);
    outcome
}

/// Tells everyone if the log thread panics.
struct AbandonOnPanic(Arc<Shared<ParityTables>>);

impl Drop for AbandonOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            tracing::error!(
                "the log thread panicked; the store stops, and what was reported durable is safe"
            );
            self.0.abandon("its log thread panicked");
        }
    }
}

impl Handle {
    fn close(&self) -> Result<(), StoreError> {
        self.shared.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A commit's waker may drop the last handle on the log thread itself, which cannot wait for itself.
        let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) else {
            return Ok(());
        };
        thread.join().unwrap_or_else(|_| Err(StoreError::Stopped("the log thread panicked".to_owned())))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the store did not close cleanly; what was reported durable is safe");
        }
    }
}

impl Store for DiskStore {
    type Commit = Commit;

    fn write<T, E: From<StoreError>>(
        &self,
        step: impl FnOnce(&mut dyn Transaction) -> Result<T, E>,
    ) -> Result<(T, Commit), E> {
        self.0.shared.write(step)
    }

    fn read<T>(&self, read: impl FnOnce(&dyn Read) -> T) -> T {
        self.0.shared.read(read)
    }
}
