//! Why a store does not open.

use std::{io, path::PathBuf};

use coordinator_store::StoreError;

/// Why a data directory does not open. An operator must act on each of these.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file operation failed.
    #[error("{action} {path}: {source}; check that the disk works, has room, and belongs to this user")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process uses the directory.
    #[error("{path} is in use by {holder}; stop that process, or give this one a directory of its own")]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// Who holds it, as far as known.
        holder: String,
    },
    /// The directory holds something else.
    #[error(
        "{path} is not empty and has no file {marker}: it is no store; name an empty directory, or restore the store's"
    )]
    NotAStore {
        /// The data directory.
        path: PathBuf,
        /// The missing marker's name.
        marker: &'static str,
    },
    /// The directory is of another version.
    #[error("{path} has format {found:?}, this program reads {expected:?}; run the version that wrote it")]
    Version {
        /// The marker file.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// The log is damaged where it was known to be whole.
    #[error(
        "{file} is damaged at byte {offset} ({reason}), and what follows was on disk before. Nothing was changed. \
         Restore the whole data directory from a backup, or start this validator with a new one; deleting \
         the log alone would forget votes and nonces that were used"
    )]
    CorruptLog {
        /// The segment.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The table store does not open or lacks what it had.
    #[error(
        "the table store in {path} failed: {reason}. Nothing was deleted; restore the whole data directory from a backup"
    )]
    Tables {
        /// Its directory.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
}

impl OpenError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        Self::Disk(error.to_string())
    }
}
