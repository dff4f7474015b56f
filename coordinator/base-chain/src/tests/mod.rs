#![allow(clippy::unwrap_used, reason = "tests")]

mod block;
mod client;
mod memory;
mod rpc;
mod signing;
mod transaction;

use coordinator_keys::SecretKey;
use processor_messages::{
    Amount, BatchId, Bytes, ChainGenesis, KeyPair, Network, NetworkBlockHash, Session, ValidatorSet,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

pub(crate) const CHAIN: ChainGenesis = ChainGenesis([9; 32]);

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn key(seed: u64) -> SecretKey {
    SecretKey::random(&mut rng(seed))
}

pub(crate) fn network() -> Network {
    Network::new("bitcoin").unwrap()
}

pub(crate) fn set(session: u32) -> ValidatorSet {
    ValidatorSet { network: network(), session: Session(session) }
}

pub(crate) fn key_pair() -> KeyPair {
    KeyPair { base: key(77).public().to_bytes(), network: Bytes::new(vec![2; 33]).unwrap() }
}

pub(crate) fn batch(id: u32) -> processor_messages::Batch {
    let to = processor_messages::Account(key(5).public().to_bytes());
    let mint = processor_messages::Instruction::Mint { to, amount: Amount(7) };
    processor_messages::Batch {
        network: network(),
        id: BatchId(id),
        block: NetworkBlockHash([4; 32]),
        instructions: vec![mint].try_into().unwrap(),
    }
}
