//! Whose data directory this is, and whether it holds all that its validator ever signed.
//!
//! ```text
//! store: validator, chain, random id of the directory        marker beside the key file: the id
//! same id ─▶ current        no marker, new directory ─▶ current: a new validator
//! otherwise ─▶ another directory was used with this key: what it signed is unknown here
//! ```
//!
//! In the last case the tributaries of sets declared until now sign nothing before the network has gone on
//! without this node. A directory restored from an older backup of itself has the same id and is not
//! recognized: an operator deletes the marker's content then (spec/coordinator.md).

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_core::Identity;
use coordinator_startup::{Failure, Kind};
use coordinator_store::{Store, Table};
use processor_messages::{BaseBlock, ChainGenesis, Validator};
use rand_core::{OsRng, RngCore};

#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Owner {
    validator: Validator,
    chain: ChainGenesis,
    directory: [u8; 16],
    untrusted_through: Option<BaseBlock>,
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

/// Takes the directory into use. Returns the base chain's block up to which another directory may have
/// signed; `head` is the base chain's latest block.
///
/// # Errors
/// [`Failure`] if the directory is another validator's or another chain's, or the disk fails.
pub(crate) async fn claim<S: Store>(
    store: &S,
    identity: &Identity,
    key_file: &Path,
    head: BaseBlock,
) -> Result<Option<BaseBlock>, Failure> {
    let marker = std::fs::read_to_string(marker_path(key_file)).ok();
    let marker = marker.map(|text| text.trim().to_owned());
    let disk = |error: coordinator_store::StoreError| coordinator_startup::store_failure(&error);
    let known = store.read(|db| OWNER.get(db, &())).map_err(disk)?;
    let owner = if let Some(owner) = known {
        check(&owner, identity)?;
        let same = marker.as_deref().is_none_or(|text| text == hex::encode(owner.directory));
        let through = if same { owner.untrusted_through } else { Some(head) };
        Owner { untrusted_through: through, ..owner }
    } else {
        let mut directory = [0; 16];
        OsRng.fill_bytes(&mut directory);
        let untrusted_through = marker.map(|_| head);
        Owner { validator: identity.validator(), chain: identity.chain, directory, untrusted_through }
    };
    let written = store.write(|txn| {
        OWNER.put(txn, &(), &owner);
        Ok::<_, coordinator_store::StoreError>(())
    });
    written.map_err(disk)?.1.await.map_err(disk)?;
    write_marker(&marker_path(key_file), &owner.directory);
    if let Some(through) = owner.untrusted_through {
        tracing::warn!(%through, "another data directory was used with this key; sets declared until then sign nothing before the network has gone on without this node");
    }
    Ok(owner.untrusted_through)
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

fn write_marker(path: &Path, directory: &[u8; 16]) {
    let written = std::fs::File::create(path)
        .and_then(|mut file| writeln!(file, "{}", hex::encode(directory)).and_then(|()| file.sync_all()));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "cannot note which data directory is in use; a lost one would not be recognized");
    }
}

#[cfg(test)]
mod tests;
