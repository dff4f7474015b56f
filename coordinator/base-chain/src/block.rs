//! Blocks as the chain finalized them, and proofs of inclusion.
//!
//! ```text
//! header: number, parent, time, transactions root, events root, state root   -> hash
//!                                |                   |
//!                 Merkle tree of hashes   Merkle tree of events
//! ```
//!
//! A tree's leaf is `H(0 ‖ value)`, a node `H(1 ‖ left ‖ right)`; an odd node goes up unchanged; the
//! root commits to the number of leaves, so no tree is another's prefix (`BASE-4`).

use std::{fmt, str::FromStr};

use blake2::{Blake2b, Digest, digest::consts::U32};
use borsh::{BorshDeserialize, BorshSerialize};
use processor_messages::{BaseBlock, BaseBlockHash, ChainGenesis, DecodeError, encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::Event;

/// Blake2b-256 of a domain and parts, each with its length.
pub(crate) fn hash32(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Blake2b::<U32>::new();
    for part in std::iter::once(&domain.as_bytes()).chain(parts) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// Hash of a transaction of the base chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct TransactionHash(pub [u8; 32]);

impl fmt::Display for TransactionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TransactionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TransactionHash {
    type Err = DecodeError;
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|e| DecodeError::Malformed(e.to_string()))?;
        Ok(Self(bytes))
    }
}

impl Serialize for TransactionHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TransactionHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str> as Deserialize>::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// What a block commits to.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Header {
    /// Which chain this is.
    pub chain: ChainGenesis,
    /// Height; genesis is 0.
    pub number: BaseBlock,
    /// Hash of the block before; zero for genesis.
    pub parent: BaseBlockHash,
    /// The proposer's time, in milliseconds since the Unix epoch; greater than the parent's.
    pub time_unix_ms: u64,
    /// Root of the tree of transaction hashes.
    pub transactions_root: [u8; 32],
    /// Root of the tree of [`Event`]s.
    pub events_root: [u8; 32],
    /// Commits to the state after this block and to all before it.
    pub state_root: [u8; 32],
}

impl Header {
    /// The block's hash.
    pub fn hash(&self) -> BaseBlockHash {
        BaseBlockHash(hash32("headwater base chain header v1", &[&encode(self)]))
    }
}

/// A finalized block.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Block {
    /// What it commits to.
    pub header: Header,
    /// Its transactions, in order; each was applied.
    pub transactions: Vec<TransactionHash>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

impl Block {
    /// The block's hash.
    pub fn hash(&self) -> BaseBlockHash {
        self.header.hash()
    }

    /// The block's number.
    pub fn number(&self) -> BaseBlock {
        self.header.number
    }

    /// Whether the transactions and events are those which the header commits to.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        (merkle_root(&self.transactions) == self.header.transactions_root)
            && (merkle_root(&self.events) == self.header.events_root)
    }
}

/// A proof that a transaction is in a block.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Inclusion {
    /// The block's header.
    pub header: Header,
    /// The transaction.
    pub transaction: TransactionHash,
    /// Its place in the block, from 0.
    pub index: u32,
    /// The number of the block's transactions.
    pub count: u32,
    /// Siblings from the leaf up.
    pub path: Vec<[u8; 32]>,
}

fn leaf(value: &impl BorshSerialize) -> [u8; 32] {
    hash32("headwater merkle leaf v1", &[&encode(value)])
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    hash32("headwater merkle node v1", &[left, right])
}

fn root_of(count: u64, top: &[u8; 32]) -> [u8; 32] {
    hash32("headwater merkle root v1", &[&count.to_le_bytes(), top])
}

fn level_up(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let pair = |pair: &[[u8; 32]]| match pair {
        [left, right] => node(left, right),
        other => other.first().copied().unwrap_or_default(),
    };
    level.chunks(2).map(pair).collect()
}

/// The Merkle root of values.
pub fn merkle_root<T: BorshSerialize>(values: &[T]) -> [u8; 32] {
    let mut level: Vec<_> = values.iter().map(leaf).collect();
    while level.len() > 1 {
        level = level_up(&level);
    }
    root_of(values.len() as u64, &level.first().copied().unwrap_or_default())
}

/// The siblings, from the leaf up, which prove that the value at `index` is under the root.
pub fn merkle_path<T: BorshSerialize>(values: &[T], mut index: usize) -> Vec<[u8; 32]> {
    let mut level: Vec<_> = values.iter().map(leaf).collect();
    let mut path = Vec::new();
    while level.len() > 1 {
        path.extend(level.get(index ^ 1));
        level = level_up(&level);
        index /= 2;
    }
    path
}

/// Whether the transaction is in the block whose header hashes to `block`.
#[must_use]
pub fn verify_inclusion(block: BaseBlockHash, proof: &Inclusion) -> bool {
    let (mut index, mut width) = (proof.index, proof.count);
    if (proof.header.hash() != block) || (index >= width) {
        return false;
    }
    let mut top = leaf(&proof.transaction);
    let mut path = proof.path.iter();
    while width > 1 {
        if (index ^ 1) < width {
            let Some(sibling) = path.next() else { return false };
            top = if (index % 2) == 0 { node(&top, sibling) } else { node(sibling, &top) };
        }
        index /= 2;
        width = width.div_ceil(2);
    }
    path.next().is_none() && (root_of(proof.count.into(), &top) == proof.header.transactions_root)
}
