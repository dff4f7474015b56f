//! Keys and batches of undisturbed testnets.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use coordinator_base_chain::BaseChain as _;
use e2e::{Net, stores::processor_keys, threshold::random_subset_signs};
use modular_frost::curve::{
    Ed25519, IetfEd25519Hram, IetfRistrettoHram, IetfSecp256k1Hram, Ristretto, Secp256k1,
};
use orchestration::{cli::Until, layout::Service};
use processor_messages::{Account, Network};
use simulated_processor::{Config, dkg::NetworkKeys, external_network::ExternalNetwork};

const NODE: &str = env!("CARGO_BIN_EXE_e2e-node");

/// The key pair on the chain is every processor's, and random subsets of their shares sign with it.
fn check_keys(net: &mut Net, network: Network) {
    let (on_chain, _) = net.observer.networks[&network].keys.clone().unwrap();
    net.testnet.stop();
    let mut base = Vec::new();
    let mut of_network = Vec::new();
    let mut on_ed25519 = Vec::new();
    for validator in 0..net.validators() {
        let (pair, keys) = processor_keys(&net.testnet.layout, validator, network).unwrap();
        assert_eq!(pair, on_chain, "validator {validator} of {network}");
        let shares = usize::from(net.testnet.manifest.validators[validator].shares.0);
        assert_eq!((keys.base.len(), keys.network.len()), (shares, shares));
        base.extend(keys.base);
        match keys.network {
            NetworkKeys::Secp256k1(keys) => of_network.extend(keys),
            NetworkKeys::Ed25519(keys) => on_ed25519.extend(keys),
        }
    }
    assert!(random_subset_signs::<Ristretto, IetfRistrettoHram>(&base, b"base"));
    if on_ed25519.is_empty() {
        assert!(random_subset_signs::<Secp256k1, IetfSecp256k1Hram>(&of_network, b"network"));
    } else {
        assert!(random_subset_signs::<Ed25519, IetfEd25519Hram>(&on_ed25519, b"network"));
    }
}

/// What the first batch minted is on the accounts which the network's deposits named.
fn check_minted(net: &Net, network: Network) {
    let path = net.testnet.layout.config(0, Service::Processor(network));
    let config = Config::read(&path).unwrap();
    let external = ExternalNetwork::new(config.chain.unwrap(), network, config.pace);
    let node = net.observer.node(1).unwrap();
    let minted = (0..200u64).any(|block| {
        let account = Account(external.account_key(block, 0).public().to_bytes());
        let info = net.block_on(node.account(account)).unwrap();
        info.coins.iter().any(|(of, amount)| (*of == network) && (amount.0 > 0))
    });
    assert!(minted, "no account of {network} holds what its first batch minted");
}

/// `NET-1`, `NET-2`: every file with a secret is its owner's alone.
fn check_files_are_private(net: &Net) {
    use std::os::unix::fs::PermissionsExt;
    for validator in 0..net.validators() {
        let folder = net.testnet.layout.validator(validator);
        for name in ["validator.key", "passphrase", "embedded.keys", "coordinator/service.key"] {
            let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name} of validator {validator}");
        }
    }
}

/// `NET-6`: a stopped testnet goes on in its directory.
fn check_it_resumes(net: &mut Net) {
    net.testnet.stop();
    net.testnet.start_all(&[]).unwrap();
    net.until_more_batches(1);
}

#[test]
fn equal_validators_generate_one_key_and_its_first_batch_is_executed() {
    // The third network's keys are on Ed25519.
    let mut net = Net::up(NODE, &[1, 1, 1, 1], 3);
    check_files_are_private(&net);
    net.until("the first batch of all networks", |net| net.observer.has_reached(Until::FirstBatch));
    for network in net.networks() {
        check_minted(&net, network);
    }
    check_it_resumes(&mut net);
    let summary = net.testnet.summary(&net.observer, Until::FirstBatch);
    assert!(summary.complete && summary.networks.iter().all(|n| n.signers.len() >= 3));
    assert!(summary.networks.iter().all(|n| n.participation_bytes.len() == 4));
    for network in net.networks() {
        check_keys(&mut net, network);
    }
}

#[test]
fn ref_08_validators_with_several_key_shares_generate_one_key() {
    let mut net = Net::up(NODE, &[3, 3, 2, 2], 1);
    net.until("the first batch", |net| net.observer.has_reached(Until::FirstBatch));
    let network = net.networks()[0];
    check_keys(&mut net, network);
}
