//! The table store behind the log: ordered pairs and the log position up to which they are complete.
//!
//! ```text
//! commit(writes, position): queue -> parity-db's own log, fsync -> tables (mapped files), fsync -> log emptied
//! ```
//!
//! parity-db's `commit` returns before anything is durable, and a live read cannot tell. Here its background
//! threads are off (feature `instrumentation`) and each commit is driven through all stages by the caller's
//! thread, so no thread waits idle and a commit that returned is durable. The log is deleted all the same only
//! after the store was closed, opened again and reports the position: that is proof, not inference.
//!
//! Its files are mapped: a write to one when the disk is full would kill the process. So a commit first asks
//! for free space, and refuses.

use std::{
    fs::{self, File},
    mem,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use coordinator_store::{Pairs, Read, StoreError};
use parity_db::{ColumnOptions, Db, Operation, Options};

use crate::{error::OpenError, levels::Map};

/// What the engine needs of a table store.
pub(crate) trait Tables: Read + Send + Sync + 'static {
    /// The sequence of the last step the pairs contain.
    fn position(&self) -> Result<u64, StoreError>;
    /// Does writes and moves the position, in one atomic commit.
    fn commit(&self, writes: &Map, position: u64) -> Result<(), StoreError>;
}

/// Opens and closes the table store of one directory.
pub(crate) trait TableFiles: Send + 'static {
    /// The open table store.
    type Tables: Tables;
    /// Opens it, and creates it if it is not there.
    fn open(&self) -> Result<Self::Tables, OpenError>;
    /// Closes it; everything committed is durable then.
    fn close(&self, tables: Self::Tables) -> Result<(), OpenError>;
}

/// A parity-db in a directory.
pub(crate) struct ParityFiles(pub(crate) PathBuf);

/// An open parity-db. After a failed commit it is never written again, not even by closing.
pub(crate) struct ParityTables {
    /// Always there until dropped.
    db: Option<Db>,
    path: PathBuf,
    failed: AtomicBool,
}

const PAIRS: u8 = 0;
const POSITION: u8 = 1;
/// Free space that is always left, and how many times its size a commit may take on the way.
const SPARE_BYTES: u64 = 64 * 1024 * 1024;
const COMMIT_FACTOR: u64 = 4;

impl TableFiles for ParityFiles {
    type Tables = ParityTables;

    fn open(&self) -> Result<ParityTables, OpenError> {
        if !self.0.exists() {
            self.create()?;
        }
        let db = Db::open(&options(&self.0)).map_err(self.failed("opening"))?;
        Ok(ParityTables { db: Some(db), path: self.0.clone(), failed: AtomicBool::new(false) })
    }

    fn close(&self, tables: ParityTables) -> Result<(), OpenError> {
        // Closing fsyncs what parity-db's files hold; their names are ours to make durable.
        drop(tables);
        sync(&self.0)
    }
}

impl ParityFiles {
    /// Creates an empty store under another name first, so that a crash leaves none or a whole one.
    fn create(&self) -> Result<(), OpenError> {
        let new = self.0.with_extension("new");
        if new.exists() {
            fs::remove_dir_all(&new).map_err(OpenError::io("remove", &new))?;
        }
        drop(Db::open_or_create(&options(&new)).map_err(self.failed("creating"))?);
        sync_tree(&new)?;
        fs::rename(&new, &self.0).map_err(OpenError::io("rename", &new))?;
        self.0.parent().map_or(Ok(()), sync)
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(parity_db::Error) -> OpenError {
        let path = self.0.clone();
        move |error| OpenError::Tables { path, reason: format!("{action}: {error}") }
    }
}

fn options(path: &Path) -> Options {
    let mut options = Options::with_columns(path, 2);
    let column = ColumnOptions { btree_index: true, ..ColumnOptions::default() };
    options.columns.fill(column);
    options.sync_wal = true;
    options.sync_data = true;
    options.always_flush = true;
    options.with_background_thread = false;
    options.stats = false;
    options
}

/// fsyncs every file of a flat directory, and the directory.
fn sync_tree(path: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(path).map_err(OpenError::io("list", path))? {
        sync(&entry.map_err(OpenError::io("list", path))?.path())?;
    }
    sync(path)
}

pub(crate) fn sync(path: &Path) -> Result<(), OpenError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(OpenError::io("sync", path))
}

impl ParityTables {
    fn db(&self) -> &Db {
        self.db.as_ref().expect("it is taken on drop only")
    }

    /// Refuses a commit that may not fit.
    fn check_space(&self, bytes: u64) -> Result<(), StoreError> {
        let disk = rustix::fs::statvfs(&self.path).map_err(|error| disk("asking for free space", error))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let needed = bytes.saturating_mul(COMMIT_FACTOR).saturating_add(SPARE_BYTES);
        if free < needed {
            let (free, needed) = (free >> 20, needed >> 20);
            let path = self.path.display();
            return Err(StoreError::Disk(format!(
                "{path} has {free} MiB free and needs {needed} MiB; make room and start again, nothing is lost"
            )));
        }
        Ok(())
    }

    fn commit_now(&self, writes: &Map, position: u64) -> parity_db::Result<()> {
        let pairs = writes.iter().map(|(key, value)| {
            let key = key.clone();
            let operation = match value {
                Some(value) => Operation::Set(key, value.to_vec()),
                None => Operation::Dereference(key),
            };
            (PAIRS, operation)
        });
        let position = Operation::Set(b"position".to_vec(), position.to_be_bytes().to_vec());
        self.db().commit_changes(pairs.chain([(POSITION, position)]))?;
        self.db().process_commits()?;
        self.db().flush_logs()?;
        self.db().enact_logs()?;
        // Tables that this commit created have durable names before parity-db's log lets go of their content.
        File::open(&self.path).and_then(|dir| dir.sync_all()).map_err(parity_db::Error::Io)?;
        self.db().clean_logs()
    }
}

impl Tables for ParityTables {
    fn position(&self) -> Result<u64, StoreError> {
        let bytes =
            self.db().get(POSITION, b"position").map_err(|error| disk("reading the position", error))?;
        let Some(bytes) = bytes else { return Ok(0) };
        let bytes = bytes.try_into().map_err(|_| disk("reading the position", "it has not 8 bytes"))?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn commit(&self, writes: &Map, position: u64) -> Result<(), StoreError> {
        let bytes: usize =
            writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, |v| v.len())).sum();
        self.check_space(u64::try_from(bytes).unwrap_or(u64::MAX))?;
        self.commit_now(writes, position).map_err(|error| {
            self.failed.store(true, Ordering::Relaxed);
            disk("committing to the table store", error)
        })
    }
}

impl Read for ParityTables {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db().get(PAIRS, key).map_err(|error| disk("reading the table store", error))
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        let failed = |error| disk("scanning the table store", error);
        let mut pairs = Pairs::new();
        if limit == 0 {
            return Ok(pairs);
        }
        let mut iterator = self.db().iter(PAIRS).map_err(failed)?;
        iterator.seek(from.max(prefix)).map_err(failed)?;
        while let Some((key, value)) = iterator.next().map_err(failed)? {
            if !key.starts_with(prefix) {
                break;
            }
            pairs.push((key, value));
            if pairs.len() >= limit {
                break;
            }
        }
        Ok(pairs)
    }
}

impl Drop for ParityTables {
    fn drop(&mut self) {
        if *self.failed.get_mut() {
            mem::forget(self.db.take());
        }
    }
}

fn disk(action: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Disk(format!("{action}: {error}"))
}
