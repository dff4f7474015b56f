//! Key files: one line of hex, readable by their owner alone.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{KeyError, SecretKey};

/// Why a key file cannot be used; each says what the operator does about it.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read the file.
    #[error("{path}: mode {mode:o} lets others read a secret key; run `chmod 600 {path}`")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no key.
    #[error("{path}: not 64 hexadecimal digits; restore the key file from its backup")]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The file holds digits which are no key.
    #[error("{path}: {source}")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: KeyError,
    },
}

/// Reads a secret key.
///
/// # Errors
/// [`KeyFileError`] if the file is missing, readable by others, or holds no key.
pub fn read_key_file(path: &Path) -> Result<SecretKey, KeyFileError> {
    let io_error = |source| KeyFileError::Io { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(io_error)?;
    let mode = file.metadata().map_err(io_error)?.permissions().mode() & 0o777;
    if (mode & 0o077) != 0 {
        return Err(KeyFileError::Mode { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(80));
    file.take(80).read_to_string(&mut text).map_err(io_error)?;
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), bytes.as_mut())
        .map_err(|_| KeyFileError::Format { path: path.to_owned() })?;
    SecretKey::from_bytes(&bytes).map_err(|source| KeyFileError::Key { path: path.to_owned(), source })
}

/// Writes a secret key to a new file of mode 0600; never overwrites.
///
/// # Errors
/// [`KeyFileError::Io`], also if the file exists.
pub fn write_key_file(path: &Path, key: &SecretKey) -> Result<(), KeyFileError> {
    let io_error = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io_error)?;
    let text = Zeroizing::new(hex::encode(key.to_bytes().as_ref()));
    file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(io_error)?;
    file.sync_all().map_err(io_error)
}
