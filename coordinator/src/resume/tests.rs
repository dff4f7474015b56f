use coordinator_core::{Identity, Step, halt::Reason};
use coordinator_keys::SecretKey;
use coordinator_store_disk::DiskStore;
use processor_messages::{ChainGenesis, Network, Session, ValidatorSet};
use rand_core::OsRng;

use super::*;

fn reason() -> Reason {
    Reason::CosignConflict { conflicting: Vec::new(), stake: 17, total: 100 }
}

async fn halted(path: &Path) -> DiskStore {
    let store = DiskStore::open(path).unwrap();
    let identity =
        Identity { key: SecretKey::random(&mut OsRng), chain: ChainGenesis([7; 32]), networks: Vec::new() };
    let ((), commit) = store
        .write(|txn| {
            let mut randomness = OsRng;
            let mut step = Step::new(txn, &identity, &mut randomness);
            halt::base_chain(&mut step, reason())?;
            halt::network(&mut step, Network::new("bitcoin").unwrap(), reason())
        })
        .unwrap();
    commit.await.unwrap();
    store
}

#[tokio::test]
async fn what_is_halted_is_lifted_for_good_and_nothing_else() {
    // COSIGN-9, COORD-19.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let network = Network::new("bitcoin").unwrap();
    let session = Scope::Session(ValidatorSet { network, session: Session(0) });

    let store = halted(&path).await;
    let running = resume(&path, Scope::BaseChain).await.unwrap_err();
    assert_eq!(running.code, "DATA_DIR_IN_USE");
    store.close().unwrap();

    let refused = resume(&path, session).await.unwrap_err();
    assert_eq!((refused.code, refused.kind.exit_code()), ("NOT_HALTED", 78));
    let line = refused.to_string();
    assert!(line.contains("session bitcoin/0 is not halted"), "{line}");
    assert!(line.contains("the base chain (COSIGN_CONFLICT), network bitcoin (COSIGN_CONFLICT)"), "{line}");

    let line = resume(&path, Scope::BaseChain).await.unwrap();
    assert!(line.starts_with("lifted the halt of the base chain: COSIGN_CONFLICT: "), "{line}");
    assert!(!line.contains('\n') && line.contains("stake: 17"), "{line}");
    assert_eq!(resume(&path, Scope::BaseChain).await.unwrap_err().code, "NOT_HALTED");
    resume(&path, Scope::Network(network)).await.unwrap();
    let line = resume(&path, Scope::Network(network)).await.unwrap_err().to_string();
    assert!(line.contains("halted: nothing is"), "{line}");
}

#[tokio::test]
async fn no_directory_is_made_for_a_coordinator_that_has_none() {
    // COORD-19.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("typo");
    assert_eq!(resume(&path, Scope::BaseChain).await.unwrap_err().code, "DATA_DIR_MISSING");
    assert!(!path.exists());
}
