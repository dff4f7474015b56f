use coordinator_keys::SecretKey;
use coordinator_store::MemoryStore;

use super::*;

fn identity(key: u8, chain: u8) -> Identity {
    let key = SecretKey::from_bytes(&std::array::from_fn(|i| if i == 0 { key } else { 0 })).unwrap();
    Identity { key, chain: ChainGenesis([chain; 32]), networks: Vec::new() }
}

#[tokio::test]
async fn a_new_validators_directory_is_current_and_stays_so() {
    // COORD-12.
    let (dir, store) = (tempfile::tempdir().unwrap(), MemoryStore::default());
    let key = dir.path().join("key");
    for head in [0, 9] {
        assert_eq!(claim(&store, &identity(1, 1), &key, BaseBlock(head)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn another_directory_with_a_known_key_is_not_trusted_for_the_sets_declared_before() {
    // COORD-12.
    let (dir, store) = (tempfile::tempdir().unwrap(), MemoryStore::default());
    let key = dir.path().join("key");
    claim(&store, &identity(1, 1), &key, BaseBlock(0)).await.unwrap();
    let other = MemoryStore::default();
    assert_eq!(claim(&other, &identity(1, 1), &key, BaseBlock(7)).await.unwrap(), Some(BaseBlock(7)));
    assert_eq!(claim(&other, &identity(1, 1), &key, BaseBlock(9)).await.unwrap(), Some(BaseBlock(7)));
    // Back to the first: what the second signed since is unknown to it.
    assert_eq!(claim(&store, &identity(1, 1), &key, BaseBlock(9)).await.unwrap(), Some(BaseBlock(9)));
}

#[tokio::test]
async fn a_directory_of_another_validator_or_chain_is_refused_in_one_line() {
    // COORD-20.
    let (dir, store) = (tempfile::tempdir().unwrap(), MemoryStore::default());
    let key = dir.path().join("key");
    claim(&store, &identity(1, 1), &key, BaseBlock(0)).await.unwrap();
    let wrong_key = claim(&store, &identity(2, 1), &key, BaseBlock(0)).await.unwrap_err();
    let wrong_chain = claim(&store, &identity(1, 2), &key, BaseBlock(0)).await.unwrap_err();
    assert_eq!((wrong_key.code, wrong_chain.code), ("WRONG_KEY", "WRONG_CHAIN"));
    assert_eq!(wrong_key.kind.exit_code(), 78);
}
