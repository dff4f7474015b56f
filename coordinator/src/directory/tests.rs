use coordinator_base_chain::{CosignParameters, NetworkCurve, SetDeclaration, TributaryParameters};
use coordinator_core::session::{Life, SetSpec};
use coordinator_keys::SecretKey;
use coordinator_store::MemoryStore;
use processor_messages::{BaseBlockHash, KeyShares, Network, Session, ValidatorSet};

use super::*;

fn identity(key: u8, chain: u8) -> Identity {
    let key = SecretKey::from_bytes(&std::array::from_fn(|i| if i == 0 { key } else { 0 })).unwrap();
    Identity { key, chain: ChainGenesis([chain; 32]), networks: Vec::new() }
}

/// What a claim at the time 1 s and this head does not trust.
fn until(head: u64) -> Untrusted {
    Untrusted { through: BaseBlock(head), through_unix_ms: 1_000 + CLOCKS_DIFFER_MS }
}

#[test]
fn a_base_chain_node_which_lags_does_not_make_a_new_directory_trusted() {
    // COORD-12: a machine is lost with its node; both begin anew, the node at block 0, and the set was declared
    // long ago at block 120.
    let declared = |number: u64, declared_unix_ms: u64| SetRecord {
        spec: SetSpec::new(
            ChainGenesis([1; 32]),
            BaseBlock(number),
            BaseBlockHash::default(),
            &SetDeclaration {
                set: ValidatorSet { network: Network::new("bitcoin").unwrap(), session: Session(0) },
                curve: NetworkCurve::Secp256k1,
                members: Vec::new(),
                threshold: KeyShares(1),
                key_gen_deadline: BaseBlock(1_000),
                tributary: TributaryParameters::default(),
                cosign: CosignParameters::default(),
            },
        )
        .unwrap(),
        declared_unix_ms,
        life: Life::Active,
    };
    assert!(until(0).covers(&declared(120, 900)));
    assert!(until(130).covers(&declared(120, 1_000_000)), "a wrong clock is not enough either");
    assert!(!until(100).covers(&declared(120, 1_001 + CLOCKS_DIFFER_MS)), "declared since");
}

#[tokio::test]
async fn a_new_validators_directory_is_current_and_stays_so() {
    // COORD-12.
    let (dir, store) = (tempfile::tempdir().unwrap(), MemoryStore::default());
    let key = dir.path().join("key");
    for head in [0, 9] {
        assert_eq!(claim(&store, &identity(1, 1), &key, (1_000, BaseBlock(head))).await.unwrap(), None);
    }
}

#[tokio::test]
async fn another_directory_with_a_known_key_is_not_trusted_for_the_sets_declared_before() {
    // COORD-12.
    let (dir, store) = (tempfile::tempdir().unwrap(), MemoryStore::default());
    let key = dir.path().join("key");
    claim(&store, &identity(1, 1), &key, (1_000, BaseBlock(0))).await.unwrap();
    let other = MemoryStore::default();
    assert_eq!(claim(&other, &identity(1, 1), &key, (1_000, BaseBlock(7))).await.unwrap(), Some(until(7)));
    assert_eq!(claim(&other, &identity(1, 1), &key, (1_000, BaseBlock(9))).await.unwrap(), Some(until(7)));
    // Back to the first: what the second signed since is unknown to it.
    assert_eq!(claim(&store, &identity(1, 1), &key, (1_000, BaseBlock(9))).await.unwrap(), Some(until(9)));
}

#[tokio::test]
async fn a_directory_of_another_validator_or_chain_is_refused_in_one_line() {
    // COORD-20.
    let (dir, store) = (tempfile::tempdir().unwrap(), MemoryStore::default());
    let key = dir.path().join("key");
    claim(&store, &identity(1, 1), &key, (1_000, BaseBlock(0))).await.unwrap();
    let wrong_key = claim(&store, &identity(2, 1), &key, (1_000, BaseBlock(0))).await.unwrap_err();
    let wrong_chain = claim(&store, &identity(1, 2), &key, (1_000, BaseBlock(0))).await.unwrap_err();
    assert_eq!((wrong_key.code, wrong_chain.code), ("WRONG_KEY", "WRONG_CHAIN"));
    assert_eq!(wrong_key.kind.exit_code(), 78);
}
