//! The data directory: opened, or why it cannot be used.

use std::{io, path::Path};

use coordinator_store::StoreError;
use coordinator_store_disk::{DiskStore, OpenError};

use crate::{Failure, Kind};

/// Opens a data directory.
///
/// # Errors
/// [`Failure`] of kind [`Kind::Disk`].
pub fn open_store(path: &Path) -> Result<DiskStore, Failure> {
    DiskStore::open(path).map_err(|error| {
        let code = match &error {
            OpenError::NotAStore { .. } => "DATA_DIR_FOREIGN",
            OpenError::Locked { .. } => "DATA_DIR_IN_USE",
            OpenError::Version { .. } => "DATA_DIR_VERSION",
            OpenError::CorruptLog { .. } | OpenError::Tables { .. } => "DATA_DIR_DAMAGED",
            OpenError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => "DISK_FULL",
            OpenError::Io { .. } => "DATA_DIR_UNUSABLE",
        };
        let remedy = "nothing was changed".to_owned();
        Failure { kind: Kind::Disk, code, what: error.to_string(), remedy }
    })
}

/// A store which failed while the service ran.
pub fn store_failure(error: &StoreError) -> Failure {
    let full = error.to_string().contains("No space left");
    let (code, remedy) = if full {
        ("DISK_FULL", "make room on the disk of data_dir and start again; nothing durable was lost")
    } else {
        ("STORE_FAILED", "check the disk of data_dir and start again; nothing durable was lost")
    };
    Failure { kind: Kind::Disk, code, what: error.to_string(), remedy: remedy.to_owned() }
}
