//! A store's directory: who uses it, and which format it has.
//!
//! ```text
//! LOCK     locked by the process that uses the directory; says its id
//! FORMAT   the format's name and version; written before anything else, by rename
//! log/     segments of the log            tables/  the table store
//! ```

use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{error::OpenError, tables::sync};

const LOCK: &str = "LOCK";
const FORMAT: &str = "FORMAT";
const NEW_FORMAT: &str = "FORMAT.new";
const CURRENT: &str = "headwater store 1\n";
/// A marker longer than this is another program's.
const MAX_MARKER_BYTES: u64 = 256;

/// A directory in exclusive use. Dropping it lets go.
pub(crate) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Creates the directory if need be, locks it, and checks its format.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        fs::create_dir_all(path).map_err(OpenError::io("create", path))?;
        let lock = lock(path)?;
        let marker = path.join(FORMAT);
        if marker.exists() {
            check_format(&marker)?;
        } else {
            create(path)?;
        }
        let log = path.join("log");
        if !log.exists() {
            fs::create_dir(&log).map_err(OpenError::io("create", &log))?;
            sync(path)?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    pub(crate) fn tables(&self) -> PathBuf {
        self.path.join("tables")
    }
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let name = path.join(LOCK);
    let options = File::options().read(true).write(true).create(true).truncate(false).clone();
    let mut file = options.open(&name).map_err(OpenError::io("open", &name))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = holder(&file);
            return Err(OpenError::Locked { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(OpenError::io("lock", name)(error)),
    }
    file.set_len(0)
        .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()))
        .map_err(OpenError::io("write", name))?;
    Ok(file)
}

fn holder(file: &File) -> String {
    let mut text = String::new();
    match file.take(20).read_to_string(&mut text) {
        Ok(_) if text.parse::<u32>().is_ok() => format!("process {text}"),
        _ => "another process".to_owned(),
    }
}

fn check_format(marker: &Path) -> Result<(), OpenError> {
    let mut found = Vec::new();
    File::open(marker)
        .and_then(|file| file.take(MAX_MARKER_BYTES).read_to_end(&mut found))
        .map_err(OpenError::io("read", marker))?;
    if found != CURRENT.as_bytes() {
        let found = String::from_utf8_lossy(&found).trim_end().to_owned();
        return Err(OpenError::Version { path: marker.to_owned(), found, expected: CURRENT.trim_end() });
    }
    Ok(())
}

/// Makes an empty directory ours.
fn create(path: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(path).map_err(OpenError::io("list", path))? {
        let name = entry.map_err(OpenError::io("list", path))?.file_name();
        if name != LOCK && name != NEW_FORMAT {
            return Err(OpenError::NotAStore { path: path.to_owned(), marker: FORMAT });
        }
    }
    let new = path.join(NEW_FORMAT);
    fs::write(&new, CURRENT).map_err(OpenError::io("write", &new))?;
    sync(&new)?;
    fs::rename(&new, path.join(FORMAT)).map_err(OpenError::io("rename", &new))?;
    sync(path)?;
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync)
}
