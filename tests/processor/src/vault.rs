//! Secrets at rest: files encrypted under a passphrase, and values sealed under a key from such a file.
//!
//! ```text
//! passphrase file (0600) --argon2id(salt)--> key --XChaCha20-Poly1305--> key file (0600)
//! storage key, from the key file         --> Sealer --XChaCha20-Poly1305--> values in the store
//! ```
//!
//! The clear part of a file and a sealed value's place in the store are authenticated with it. Nonces are random, of
//! 192 bits.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use coordinator_startup::{Failure, Kind};
use rand_core::{CryptoRng, OsRng, RngCore};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The largest key file, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// The longest passphrase, in bytes.
const MAX_PASSPHRASE_BYTES: u64 = 1024;
const NONCE_BYTES: usize = 24;
/// Bounds on what a file may ask of argon2, so that a damaged one cannot take all memory.
const MAX_MEMORY_KIB: u32 = 1 << 20;
const MAX_PASSES: u32 = 64;

/// Why secrets cannot be read or written; the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read the file.
    #[error("{path}: mode {mode:o} lets others read a secret")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no usable passphrase.
    #[error("{0} holds no passphrase")]
    Passphrase(PathBuf),
    /// The file is none of ours.
    #[error("{path}: not a key file of this version ({reason})")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The passphrase does not open the file, or the file was changed.
    #[error("{0}: the passphrase does not open this file, or the file is damaged")]
    Locked(PathBuf),
    /// A value in the store does not open.
    #[error("a sealed value ({0}) does not open with this storage key")]
    Sealed(&'static str),
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        let (code, remedy) = match &error {
            VaultError::Io { .. } => {
                ("KEY_FILE", "name a file that this user can read; `init` makes the key files".to_owned())
            }
            VaultError::Mode { path, .. } => ("KEY_FILE_MODE", format!("run `chmod 600 {}`", path.display())),
            VaultError::Passphrase(_) => {
                ("PASSPHRASE", "write a passphrase of 1 to 1024 bytes on the first line".to_owned())
            }
            VaultError::Format { .. } => ("KEY_FILE", "restore it from its backup".to_owned()),
            VaultError::Locked(_) => {
                ("PASSPHRASE", "correct passphrase_file, or restore the file".to_owned())
            }
            VaultError::Sealed(_) => {
                ("WRONG_KEY", "restore the keys file which belongs to this data directory".to_owned())
            }
        };
        Self { kind: Kind::Config, code, what: error.to_string(), remedy }
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> VaultError + '_ {
    move |source| VaultError::Io { path: path.to_owned(), source }
}

/// Reads a file of at most `limit` bytes which only its owner may read.
fn read_private(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let file = fs::File::open(path).map_err(io_error(path))?;
    let mode = file.metadata().map_err(io_error(path))?.permissions().mode() & 0o777;
    if (mode & 0o077) != 0 {
        return Err(VaultError::Mode { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io_error(path))?;
    if bytes.len() as u64 > limit {
        let reason = format!("larger than {limit} bytes");
        return Err(VaultError::Format { path: path.to_owned(), reason });
    }
    Ok(bytes)
}

/// Writes a new file of mode 0600 and makes it durable; never overwrites.
///
/// # Errors
/// [`VaultError::Io`], also if the file exists.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io_error(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io_error(path))?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(parent).and_then(|dir| dir.sync_all()).map_err(io_error(path))
}

/// A passphrase; zeroized when dropped.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Reads the first line of a file of mode 0600.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn read(path: &Path) -> Result<Self, VaultError> {
        let bytes = read_private(path, MAX_PASSPHRASE_BYTES)?;
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        if line.is_empty() {
            return Err(VaultError::Passphrase(path.to_owned()));
        }
        Ok(Self(Zeroizing::new(line.to_vec())))
    }

    /// A fresh one, of 256 bits.
    pub fn random<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self(Zeroizing::new(hex::encode(bytes.as_ref()).into_bytes()))
    }

    /// Writes it to a new file of mode 0600.
    ///
    /// # Errors
    /// [`VaultError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), VaultError> {
        write_private(path, &self.0)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EncryptedFile<C> {
    version: u8,
    /// Readable without the passphrase; authenticated.
    public: C,
    kdf: Kdf,
    #[serde(with = "hex")]
    nonce: [u8; NONCE_BYTES],
    #[serde(with = "hex")]
    ciphertext: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    algorithm: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    #[serde(with = "hex")]
    salt: [u8; 16],
}

impl Kdf {
    fn new() -> Self {
        let mut salt = [0; 16];
        OsRng.fill_bytes(&mut salt);
        // The parameters which OWASP recommends for argon2id.
        Self { algorithm: "argon2id".to_owned(), memory_kib: 19 * 1024, passes: 2, lanes: 1, salt }
    }

    fn key(&self, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, String> {
        if (self.algorithm != "argon2id") || (self.memory_kib > MAX_MEMORY_KIB) || (self.passes > MAX_PASSES)
        {
            return Err("an unknown key derivation".to_owned());
        }
        let params =
            Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(|e| e.to_string())?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(&passphrase.0, &self.salt, key.as_mut())
            .map_err(|e| e.to_string())?;
        Ok(key)
    }
}

fn authenticated(version: u8, public: &impl Serialize) -> Vec<u8> {
    let public = serde_json::to_vec(public).expect("the clear part is plain data");
    [b"headwater key file".as_slice(), &[version], &public].concat()
}

/// Writes a new key file: `public` in the clear, `secret` encrypted.
///
/// # Errors
/// [`VaultError::Io`], also if the file exists.
pub fn write_encrypted(
    path: &Path,
    passphrase: &Passphrase,
    public: &impl Serialize,
    secret: &[u8],
) -> Result<(), VaultError> {
    let format = |reason: String| VaultError::Format { path: path.to_owned(), reason };
    let kdf = Kdf::new();
    let key = kdf.key(passphrase).map_err(format)?;
    let mut nonce = [0; NONCE_BYTES];
    OsRng.fill_bytes(&mut nonce);
    let aad = authenticated(1, public);
    let ciphertext = XChaCha20Poly1305::new(key.as_ref().into())
        .encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: &aad })
        .map_err(|_| format("encryption failed".to_owned()))?;
    let file = EncryptedFile { version: 1, public, kdf, nonce, ciphertext };
    let json = serde_json::to_string_pretty(&file).expect("plain data");
    write_private(path, json.as_bytes())
}

/// Reads a key file: its clear part, and its secret.
///
/// # Errors
/// [`VaultError`].
pub fn read_encrypted<C: Serialize + for<'de> Deserialize<'de>>(
    path: &Path,
    passphrase: &Passphrase,
) -> Result<(C, Zeroizing<Vec<u8>>), VaultError> {
    let format = |reason: String| VaultError::Format { path: path.to_owned(), reason };
    let bytes = read_private(path, MAX_FILE_BYTES)?;
    let file: EncryptedFile<C> = serde_json::from_slice(&bytes).map_err(|e| format(e.to_string()))?;
    if file.version != 1 {
        return Err(format(format!("version {}", file.version)));
    }
    let key = file.kdf.key(passphrase).map_err(format)?;
    let aad = authenticated(file.version, &file.public);
    let secret = XChaCha20Poly1305::new(key.as_ref().into())
        .decrypt(&XNonce::from(file.nonce), Payload { msg: &file.ciphertext, aad: &aad })
        .map_err(|_| VaultError::Locked(path.to_owned()))?;
    Ok((file.public, Zeroizing::new(secret)))
}

/// Seals values under the storage key, each bound to its place.
pub struct Sealer(XChaCha20Poly1305);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(redacted)")
    }
}

impl Sealer {
    /// Seals with this storage key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// Seals a value for the place `(kind, key)`.
    ///
    /// # Panics
    /// Never: a value is far smaller than the cipher's limit.
    pub fn seal<R: RngCore + CryptoRng + ?Sized>(
        &self,
        rng: &mut R,
        kind: &str,
        key: &[u8],
        value: &[u8],
    ) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let payload = Payload { msg: value, aad: &place(kind, key) };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).expect("below the cipher's limit");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn open(
        &self,
        kind: &'static str,
        key: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Sealed(kind))?;
        let payload = Payload { msg: sealed, aad: &place(kind, key) };
        let value = self.0.decrypt(&XNonce::from(*nonce), payload);
        value.map(Zeroizing::new).map_err(|_| VaultError::Sealed(kind))
    }
}

fn place(kind: &str, key: &[u8]) -> Vec<u8> {
    [kind.as_bytes(), &[0], key].concat()
}

#[cfg(test)]
mod tests;
