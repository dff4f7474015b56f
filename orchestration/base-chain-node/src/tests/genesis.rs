use coordinator_store::{MemoryStore, Store};
use processor_messages::{Amount, Bytes, Network, Validator};

use super::support::{TestChain, genesis};
use crate::{
    query,
    rules::{GenesisError, GenesisState, init},
};

fn problem(change: impl FnOnce(&mut GenesisState)) -> GenesisError {
    let mut genesis = genesis(&[1, 1, 1, 1]);
    change(&mut genesis);
    let store = MemoryStore::default();
    store.read(|db| init(db, &genesis).map(|_| ())).unwrap_err()
}

/// BASE-1
#[test]
fn every_fact_of_the_genesis_is_part_of_the_chains_identity() {
    let base = genesis(&[1, 1, 1, 1]);
    let changes: [fn(&mut GenesisState); 8] = [
        |g| g.chain_id.push('x'),
        |g| g.time_unix_ms += 1,
        |g| g.cosign_distance += 1,
        |g| g.networks[0].epoch_blocks += 1,
        |g| g.validators[0].free.0 += 1,
        |g| g.validators[0].stakes[0].1.0 += 1,
        |g| g.validators[0].consensus_weight += 1,
        |g| drop(g.validators[0].embedded_keys.pop()),
    ];
    for change in changes {
        let mut other = base.clone();
        change(&mut other);
        assert_ne!(other.hash(), base.hash());
    }
    let chain = TestChain::from_genesis(&base);
    let head = chain.read(query::head).unwrap().unwrap();
    assert_eq!((head.chain, head.chain_id), (base.hash(), base.chain_id));
}

/// BASE-1
#[test]
fn a_wrong_genesis_is_refused_with_the_place() {
    use GenesisError as E;
    assert!(matches!(problem(|g| g.chain_id = "Main Net".to_owned()), E::Chain(_)));
    assert!(matches!(problem(|g| g.validators.clear()), E::Chain(_)));
    assert!(matches!(problem(|g| g.validators.iter_mut().for_each(|v| v.consensus_weight = 0)), E::Chain(_)));
    assert!(matches!(problem(|g| g.networks.push(g.networks[0].clone())), E::Network(1, _)));
    assert!(matches!(problem(|g| g.networks[0].stake_per_share = Amount(0)), E::Network(0, _)));
    assert!(matches!(problem(|g| g.networks[0].epoch_blocks = 0), E::Network(0, _)));
    assert!(matches!(problem(|g| g.validators[2].validator = Validator([255; 32])), E::Validator(2, _)));
    assert!(matches!(problem(|g| g.validators[1] = g.validators[0].clone()), E::Validator(1, _)));
    assert!(matches!(problem(|g| g.validators[3].stakes[0].1 = Amount(99)), E::Validator(3, _)));
    assert!(matches!(
        problem(|g| g.validators[3].stakes[0].0 = Network::new("x").unwrap()),
        E::Validator(3, _)
    ));
    assert!(matches!(problem(|g| g.validators[3].free = Amount(u64::MAX)), E::Validator(3, _)));
    let spaced = || vec![Bytes::new(b"a b".to_vec()).unwrap()].try_into().unwrap();
    assert!(matches!(problem(|g| g.validators[0].addresses = spaced()), E::Validator(0, _)));
    let copied =
        |g: &mut GenesisState| g.validators[1].embedded_keys[0] = g.validators[0].embedded_keys[0].clone();
    assert!(matches!(problem(copied), E::Key(1, 0, _)));
    let twice =
        |g: &mut GenesisState| g.validators[1].embedded_keys[0] = g.validators[1].embedded_keys[1].clone();
    assert!(matches!(problem(twice), E::Key(1, 1, _)));
    // The proofs are bound to the chain's name.
    assert!(matches!(problem(|g| g.chain_id.push('x')), E::Key(0, 0, _)));
}
