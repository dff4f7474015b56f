use std::path::PathBuf;

use coordinator_base_chain::signing::registration_chain;
use embedded_curves::registration::verify;

use super::*;
use crate::{external_network::Pace, vault::write_private};

fn config(dir: &Path, network: &str) -> Config {
    let file = |name: &str| -> PathBuf { dir.join(name) };
    Config {
        network: network.parse().unwrap(),
        curve: NetworkCurve::Secp256k1,
        validator: Validator([3; 32]),
        chain_id: "testnet".to_owned(),
        chain: None,
        data_dir: file(&format!("{network}.data")),
        embedded_keys_file: file("embedded.keys"),
        service_keys_file: file(&format!("{network}.keys")),
        passphrase_file: file("passphrase"),
        coordinator_url: "http://127.0.0.1:1".to_owned(),
        coordinator_key: None,
        network_url: String::new(),
        pace: Pace { start_unix_ms: 0, block_interval_ms: 1, blocks_between_deposits: 1, deposits: 1 },
    }
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_private(&dir.path().join("passphrase"), b"correct horse\n").unwrap();
    dir
}

/// `PROC-2`.
#[test]
fn a_bundle_proves_both_embedded_keys_to_the_chain_for_the_validator() {
    let dir = directory();
    let bundle = init(&config(dir.path(), "bitcoin")).unwrap();
    let (chain, other) = (registration_chain("testnet"), registration_chain("other"));
    for (key, id) in bundle.embedded.iter().zip(CURVES) {
        assert_eq!(key.curve, curve(id));
        verify(id, &chain.0, &[3; 32], &key.key, &key.proof).unwrap();
        assert!(verify(id, &other.0, &[3; 32], &key.key, &key.proof).is_err());
        assert!(verify(id, &chain.0, &[4; 32], &key.key, &key.proof).is_err());
    }
}

#[test]
fn processors_of_one_validator_share_embedded_keys_and_have_their_own_service_keys() {
    let dir = directory();
    let (a, b) =
        (init(&config(dir.path(), "bitcoin")).unwrap(), init(&config(dir.path(), "ethereum")).unwrap());
    assert_eq!(a.embedded, b.embedded);
    assert_ne!(a.service_key, b.service_key);
}

#[test]
fn a_bundle_is_the_same_again_and_its_keys_are_those_which_run() {
    let dir = directory();
    let config = config(dir.path(), "bitcoin");
    let first = init(&config).unwrap();
    assert_eq!(init(&config).unwrap(), first);
    let (secrets, bundle) = open(&config).unwrap();
    assert_eq!(bundle, first);
    assert_eq!(secrets.service.public(), first.service_key().unwrap());
    assert_eq!(secrets.embedded.public(NetworkCurve::Secp256k1).base, first.embedded[0].key);
    assert_eq!(secrets.embedded.public(NetworkCurve::Secp256k1).network, first.embedded[1].key);
}

#[test]
fn keys_of_another_validator_chain_or_network_are_refused_by_name() {
    let dir = directory();
    let right = config(dir.path(), "bitcoin");
    init(&right).unwrap();
    let mut wrong = right.clone();
    wrong.validator = Validator([4; 32]);
    assert!(open(&wrong).err().unwrap().to_string().contains("made for validator"));
    let mut wrong = right.clone();
    wrong.chain_id = "other".to_owned();
    assert!(open(&wrong).err().unwrap().to_string().contains("of chain testnet"));
    let mut wrong = right;
    wrong.network = "monero".parse().unwrap();
    assert!(open(&wrong).err().unwrap().to_string().contains("made for network bitcoin"));
}

#[test]
fn nothing_secret_is_printed() {
    let dir = directory();
    let config = config(dir.path(), "bitcoin");
    init(&config).unwrap();
    let (secrets, _) = open(&config).unwrap();
    let printed = format!("{secrets:?}");
    let forbidden =
        [secrets.embedded.base.to_bytes(), secrets.embedded.secq256k1.to_bytes(), secrets.service.to_bytes()];
    for secret in forbidden {
        assert!(!printed.contains(&hex::encode(secret.as_ref())));
    }
    assert!(printed.contains("redacted"));
}
