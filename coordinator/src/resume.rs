//! Lifts a halt, on the data directory of a coordinator which is stopped (`COSIGN-9`, `COORD-19`).
//!
//! A halt records that something was not as it must be; only a human who has looked may decide to go on. Whatever is
//! still wrong halts again, with a reason of its own.

use std::path::Path;

use coordinator_core::halt;
pub use coordinator_core::halt::Scope;
use coordinator_startup::{Failure, Kind, open_store, store_failure};
use coordinator_store::{Store, StoreError};

use crate::Config;

/// Halts shown at once.
const MAX_SHOWN: usize = 64;

fn name(scope: Scope) -> String {
    match scope {
        Scope::BaseChain => "the base chain".to_owned(),
        Scope::Network(network) => format!("network {network}"),
        Scope::Session(set) => format!("session {set}"),
    }
}

fn refuse(code: &'static str, what: String, remedy: String) -> Failure {
    Failure { kind: Kind::Config, code, what, remedy }
}

/// As [`resume`], of the coordinator with this configuration.
///
/// # Errors
/// As [`resume`].
pub fn run(config: &Config, scope: Scope) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure {
        kind: Kind::Internal,
        code: "RUNTIME",
        what: error.to_string(),
        remedy: "nothing was changed".to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
    runtime.block_on(resume(&config.data_dir, scope))
}

/// Lifts what is halted at `scope` in a data directory, durably. Returns a line which says what was lifted.
///
/// # Errors
/// [`Failure`] in one line: `NOT_HALTED` if nothing is halted there, with what is; those of opening the directory,
/// among them `DATA_DIR_IN_USE` while the coordinator runs.
pub async fn resume(data_dir: &Path, scope: Scope) -> Result<String, Failure> {
    if !data_dir.exists() {
        let what = format!("there is no data directory {}", data_dir.display());
        return Err(refuse("DATA_DIR_MISSING", what, "correct data_dir in the configuration".to_owned()));
    }
    let store = open_store(data_dir)?;
    let disk = |error: StoreError| store_failure(&error);
    let (lifted, commit) = store.write(|txn| halt::lift(txn, scope)).map_err(disk)?;
    commit.await.map_err(disk)?;
    let halted = store.read(|db| halt::all(db, MAX_SHOWN)).map_err(disk)?;
    store.close().map_err(disk)?;
    let Some(reason) = lifted else {
        let others: Vec<_> = halted
            .into_iter()
            .map(|(scope, reason)| format!("{} ({})", name(scope), reason.code()))
            .collect();
        let others = if others.is_empty() { "nothing is".to_owned() } else { others.join(", ") };
        let what = format!("{} is not halted", name(scope));
        return Err(refuse("NOT_HALTED", what, format!("halted: {others}")));
    };
    Ok(format!("lifted the halt of {}: {}: {reason:?}", name(scope), reason.code()))
}

#[cfg(test)]
mod tests;
