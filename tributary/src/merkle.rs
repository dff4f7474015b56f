//! The Merkle root over a block's transactions.
//!
//! Leaves and branches have different domains and the count is bound, so neither a branch nor a padded
//! list passes for another list.

use crate::{TransactionHash, hash::hash};

/// The root over `leaves`; an odd node is paired with zeros.
pub fn merkle_root(leaves: &[TransactionHash]) -> [u8; 32] {
    let mut level: Vec<[u8; 32]> = leaves.iter().map(|leaf| hash("tributary leaf", &[&leaf.0])).collect();
    while level.len() > 1 {
        let pair = |pair: &[[u8; 32]]| match pair {
            [left, right] => hash("tributary branch", &[left, right]),
            [left] => hash("tributary branch", &[left, &[0; 32]]),
            _ => [0; 32],
        };
        level = level.chunks(2).map(pair).collect();
    }
    let count = (leaves.len() as u64).to_le_bytes();
    hash("tributary root", &[&count, level.first().unwrap_or(&[0; 32])])
}
