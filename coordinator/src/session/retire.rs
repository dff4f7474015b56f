//! Archives what an auditor needs of an ended set, and then prunes its rows, some at a time.
//!
//! ```text
//! ended, its driver gone ─▶ .name.new, fsync, rename, fsync ─▶ tombstone ─▶ prune ─▶ prune ─▶ done
//! ```
//!
//! The archive is on disk, under its name, before the first row goes. Pages are read one after another, and no
//! lock is held while they are written: an ended set does not change.

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
    time::Duration,
};

use coordinator_core::{
    Error, Step,
    session::{
        SetRecord,
        archive::{self, Archive, ArchiveError, Position, Writer},
        retire::{self, Archived, Due},
    },
};
use coordinator_message_queue::queue;
use coordinator_store::{Store, StoreError};
use processor_messages::ValidatorSet;

use super::Sessions;
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// The directory of archives within the data directory.
pub const ARCHIVES: &str = "archive";

/// The task.
pub struct Retire<S> {
    node: Node<S>,
    sessions: Sessions,
    directory: PathBuf,
}

impl<S: Store> Retire<S> {
    /// Archives into `directory`, which is made when it is needed.
    pub fn new(node: Node<S>, sessions: Sessions, directory: PathBuf) -> Self {
        Self { node, sessions, directory }
    }

    async fn archive(&self, record: SetRecord) -> Result<(), TaskError> {
        let (store, directory) = (self.node.store.clone(), self.directory.clone());
        let written = tokio::task::spawn_blocking(move || {
            let archived = write_archive(&store, &record, &directory)?;
            Ok::<_, ArchiveFailure>((record, archived))
        });
        let written = written.await.map_err(|e| TaskError::Retry(e.to_string()))?;
        let (record, archived) = match written {
            Ok(written) => written,
            Err(ArchiveFailure::Store(error)) => return Err(error.into()),
            Err(ArchiveFailure::Archive(error)) => {
                let directory = self.directory.display();
                return Err(TaskError::Retry(format!(
                    "an archive cannot be written to {directory}: {error}"
                )));
            }
        };
        self.node.step(|step| retire::archived(step, &record, archived)).await?;
        Ok(())
    }
}

/// Why no archive was written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveFailure {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// The name of a set's archive within the directory.
fn file_name(set: ValidatorSet) -> String {
    format!("{}-{}.archive", set.network, set.session)
}

fn sync_directory(directory: &Path) -> Result<(), ArchiveError> {
    Ok(File::open(directory)?.sync_all()?)
}

/// Writes the archive of an ended set; returns once it is on disk under its name. An archive which is there
/// already, from before a crash, is replaced by the same bytes.
///
/// # Errors
/// Of the store, or of the file; a file of its name is then the former one, or none.
pub fn write_archive<S: Store>(
    store: &S,
    record: &SetRecord,
    directory: &Path,
) -> Result<Archived, ArchiveFailure> {
    let file = file_name(record.spec.set());
    let (path, new) = (directory.join(&file), directory.join(format!(".{file}.new")));
    if !directory.is_dir() {
        fs::create_dir_all(directory).map_err(ArchiveError::from)?;
        directory.parent().map_or(Ok(()), sync_directory)?;
    }
    let buffered = std::io::BufWriter::new(File::create(&new).map_err(ArchiveError::from)?);
    let mut writer = Writer::new(buffered)?;
    let mut position = Position::default();
    while position != Position::Done {
        let (entries, next) = store.read(|db| archive::page(db, record, position))?;
        entries.iter().try_for_each(|entry| writer.entry(entry))?;
        position = next;
    }
    let (buffered, bytes, hash) = writer.finish()?;
    let written = buffered.into_inner().map_err(|e| ArchiveError::from(e.into_error()))?;
    written.sync_all().map_err(ArchiveError::from)?;
    fs::rename(&new, &path).map_err(ArchiveError::from)?;
    sync_directory(directory)?;
    Ok(Archived { file, bytes, hash })
}

/// Reads an archive, and verifies what can be verified of it alone.
///
/// # Errors
/// [`ArchiveError`] if it cannot be read, is none, was changed, or contradicts itself.
pub fn read_archive(path: &Path) -> Result<Archive, ArchiveError> {
    let archive = Archive::read(BufReader::new(File::open(path)?))?;
    archive.verify()?;
    Ok(archive)
}

/// Forgets some of what was said of an ended set, then deletes some of its rows; the set's record goes last.
fn prune(step: &mut Step<'_>, set: ValidatorSet) -> Result<(), Error> {
    if queue::forget(step.txn, set.network, set.session, retire::MAX_ROWS)? {
        retire::prune(step, set)?;
    }
    Ok(())
}

impl<S: Store> Task for Retire<S> {
    fn name(&self) -> String {
        "session/retire".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        for due in self.node.store.read(|db| retire::next(db))? {
            match due {
                Due::Prune(set) => {
                    self.node.step(|step| prune(step, set)).await?;
                    return Ok(Progress::Done);
                }
                // Its driver may still write.
                Due::Archive(record) if self.sessions.runs(record.spec.set()) => {}
                Due::Archive(record) => {
                    self.archive(*record).await?;
                    return Ok(Progress::Done);
                }
            }
        }
        Ok(Progress::Idle)
    }

    fn longest_wait(&self) -> Duration {
        Duration::from_secs(5)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
