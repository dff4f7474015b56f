//! Whose data directory this is, and whether it holds all that its validator ever signed.
//!
//! ```text
//! store: validator, chain, random id of the directory        marker beside the key file: the id
//! same id ─▶ current        no marker, new directory ─▶ current: a new validator
//! otherwise ─▶ another directory was used with this key: what it signed is unknown here
//! ```
//!
//! In the last case the tributaries of sets declared until now sign nothing before the network has gone on
//! without this node. *Until now* is by the clock and by the base chain's head, whichever is later: the node that
//! is asked may be as new as the directory, and know nothing yet of the sets which the other one served. A directory restored from an older backup of itself has the same id and is not
//! recognized: an operator deletes the marker's content then (spec/coordinator.md).

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_core::{Identity, session::SetRecord};
use coordinator_startup::{Failure, Kind};
use coordinator_store::{Store, Table};
use processor_messages::{BaseBlock, ChainGenesis, Validator};
use rand_core::{OsRng, RngCore};

#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Owner {
    validator: Validator,
    chain: ChainGenesis,
    directory: [u8; 16],
    untrusted: Option<Untrusted>,
}

/// How far clocks may differ, besides what a block's time may be ahead.
const CLOCKS_DIFFER_MS: u64 = 60_000;

/// Sets for which another directory may have signed: those declared until then, by either measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Untrusted {
    /// By the base chain as it was known then.
    pub through: BaseBlock,
    /// By the clock, in milliseconds since the Unix epoch.
    pub through_unix_ms: u64,
}

impl Untrusted {
    /// Whether another directory may have signed for this set.
    pub fn covers(&self, set: &SetRecord) -> bool {
        (set.spec.declared <= self.through) || (set.declared_unix_ms <= self.through_unix_ms)
    }
}

const OWNER: Table<(), Owner> = Table::new("service/owner");

fn marker_path(key_file: &Path) -> PathBuf {
    let mut name = key_file.as_os_str().to_owned();
    name.push(".directory");
    PathBuf::from(name)
}

fn refuse(code: &'static str, what: String, remedy: &str) -> Failure {
    Failure { kind: Kind::Config, code, what, remedy: remedy.to_owned() }
}

/// Takes the directory into use. Returns for which sets another directory may have signed, at `now`, the time and
/// the latest block of the base chain.
///
/// # Errors
/// [`Failure`] if the directory is another validator's or another chain's, or the disk fails.
pub(crate) async fn claim<S: Store>(
    store: &S,
    identity: &Identity,
    key_file: &Path,
    (now_unix_ms, head): (u64, BaseBlock),
) -> Result<Option<Untrusted>, Failure> {
    let through_unix_ms = now_unix_ms.saturating_add(CLOCKS_DIFFER_MS);
    let now = Untrusted { through: head, through_unix_ms };
    let marker = std::fs::read_to_string(marker_path(key_file)).ok();
    let marker = marker.map(|text| text.trim().to_owned());
    let disk = |error: coordinator_store::StoreError| coordinator_startup::store_failure(&error);
    let known = store.read(|db| OWNER.get(db, &())).map_err(disk)?;
    let owner = if let Some(owner) = known {
        check(&owner, identity)?;
        let same = marker.as_deref().is_none_or(|text| text == hex::encode(owner.directory));
        let untrusted = if same { owner.untrusted } else { Some(now) };
        Owner { untrusted, ..owner }
    } else {
        let mut directory = [0; 16];
        OsRng.fill_bytes(&mut directory);
        let untrusted = marker.as_ref().map(|_| now);
        Owner { validator: identity.validator(), chain: identity.chain, directory, untrusted }
    };
    let written = store.write(|txn| {
        OWNER.put(txn, &(), &owner);
        Ok::<_, coordinator_store::StoreError>(())
    });
    written.map_err(disk)?.1.await.map_err(disk)?;
    if marker.as_deref() != Some(hex::encode(owner.directory).as_str()) {
        note_marker(&marker_path(key_file), &owner.directory);
    }
    if let Some(untrusted) = owner.untrusted {
        tracing::warn!(through = %untrusted.through, "another data directory was used with this key; sets declared until then sign nothing before the network has gone on without this node");
    }
    Ok(owner.untrusted)
}

fn check(owner: &Owner, identity: &Identity) -> Result<(), Failure> {
    if owner.validator != identity.validator() {
        let what = format!(
            "the data directory is validator {}'s, the key file is validator {}'s",
            owner.validator,
            identity.validator()
        );
        return Err(refuse(
            "WRONG_KEY",
            what,
            "name the key file or the data directory that belong together",
        ));
    }
    if owner.chain != identity.chain {
        let what = format!(
            "the data directory is of chain {}, the configuration names {}",
            owner.chain, identity.chain
        );
        return Err(refuse("WRONG_CHAIN", what, "correct base_chain.chain, or name an empty data directory"));
    }
    Ok(())
}

/// Replaces the marker whole, so that a crash leaves the former or the new one.
fn write_marker(path: &Path, directory: &[u8; 16]) -> std::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = std::fs::File::create(&new)?;
    writeln!(file, "{}", hex::encode(directory))?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

fn note_marker(path: &Path, directory: &[u8; 16]) {
    if let Err(error) = write_marker(path, directory) {
        tracing::warn!(path = %path.display(), %error, "cannot note which data directory is in use; a lost one would not be recognized");
    }
}

#[cfg(test)]
mod tests;
