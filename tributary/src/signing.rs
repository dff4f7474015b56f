//! Every message this crate signs, and its domain.
//!
//! Consensus messages bind `(genesis, type, height, round, value, address)` (`TRIB-2`).

use processor_messages::{Genesis, Validator, encode};

use crate::BlockHash;

/// Domain of votes and proposals.
pub(crate) const CONSENSUS: &str = "headwater tributary consensus v1";
/// Domain of a builder's signature over a block's hash.
pub(crate) const BLOCK: &str = "headwater tributary block v1";
/// Domain of signed transactions.
pub(crate) const TRANSACTION: &str = "headwater tributary transaction v1";

pub(crate) fn prevote(
    genesis: Genesis,
    height: u64,
    round: u32,
    value: Option<BlockHash>,
    address: Validator,
) -> Vec<u8> {
    encode(&(genesis, 0u8, height, round, value, address))
}

pub(crate) fn precommit(
    genesis: Genesis,
    height: u64,
    round: u32,
    value: Option<BlockHash>,
    address: Validator,
) -> Vec<u8> {
    encode(&(genesis, 1u8, height, round, value, address))
}

pub(crate) fn proposal(
    genesis: Genesis,
    height: u64,
    round: u32,
    value: BlockHash,
    valid_round: Option<u32>,
    address: Validator,
) -> Vec<u8> {
    encode(&(genesis, 2u8, height, round, value, valid_round, address))
}
