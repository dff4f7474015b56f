//! Transactions with their hash and size, and bodies with their transactions: decoded, encoded and hashed once.

use std::{collections::VecDeque, sync::Arc};

use processor_messages::{Bytes, DecodeError, List, decode, encode};

use super::Body;
use crate::{Block, MAX_BODY_BYTES, Members, SignedTransaction, Transaction, TransactionHash, merkle_root};

/// The most bodies kept; their bytes are at most two of the body limit and one more body.
const MOST_PARSED: usize = 64;

/// A transaction with what is asked of it again and again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) transaction: Transaction,
    pub(super) hash: TransactionHash,
    /// Bytes of its encoding.
    pub(super) size: usize,
}

impl Entry {
    pub(super) fn of(transaction: Transaction) -> Self {
        let bytes = encode(&transaction);
        Self { transaction, hash: TransactionHash::of(&bytes), size: bytes.len() }
    }

    pub(super) fn signed(&self) -> Option<&SignedTransaction> {
        match &self.transaction {
            Transaction::Signed(signed) => Some(signed),
            Transaction::Provided { .. } | Transaction::Evidence(_) | Transaction::Unsigned(_) => None,
        }
    }
}

/// A body and its transactions.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) body: Bytes<MAX_BODY_BYTES>,
    pub(super) entries: Vec<Arc<Entry>>,
    pub(super) root: [u8; 32],
}

impl Parsed {
    /// The body that holds these transactions.
    pub(super) fn build(entries: Vec<Arc<Entry>>) -> Result<Self, DecodeError> {
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let mut bytes = encode(&count);
        for entry in &entries {
            bytes.extend(encode(&entry.transaction));
        }
        Ok(Self::new(Bytes::new(bytes)?, entries))
    }

    fn new(body: Bytes<MAX_BODY_BYTES>, entries: Vec<Arc<Entry>>) -> Self {
        let hashes: Vec<_> = entries.iter().map(|entry| entry.hash).collect();
        Self { body, root: merkle_root(&hashes), entries }
    }

    fn of(body: &Bytes<MAX_BODY_BYTES>) -> Result<Self, DecodeError> {
        let transactions = decode::<Body>(body, MAX_BODY_BYTES).map(List::into_inner)?;
        let entries = transactions.into_iter().map(|transaction| Arc::new(Entry::of(transaction))).collect();
        Ok(Self::new(body.clone(), entries))
    }
}

/// The bodies seen latest: one is looked at when it arrives, when it is judged, and when it is decided.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    kept: VecDeque<Arc<Parsed>>,
    bytes: usize,
}

impl Bodies {
    /// The transactions of a block, whose body may be anything.
    pub(super) fn get(&mut self, members: &Members, block: &Block) -> Result<Arc<Parsed>, DecodeError> {
        let same = |kept: &&Arc<Parsed>| (kept.root == block.header.root) && (kept.body == block.body);
        if let Some(found) = self.kept.iter().rev().find(same) {
            return Ok(found.clone());
        }
        let parsed = Arc::new(Parsed::of(&block.body)?);
        self.keep(members, parsed.clone());
        Ok(parsed)
    }

    pub(super) fn keep(&mut self, members: &Members, parsed: Arc<Parsed>) {
        let most = members.limits().body().saturating_mul(2);
        self.bytes = self.bytes.saturating_add(parsed.body.len());
        self.kept.push_back(parsed);
        while ((self.bytes > most) || (self.kept.len() > MOST_PARSED)) && (self.kept.len() > 1) {
            let gone = self.kept.pop_front().map_or(0, |gone| gone.body.len());
            self.bytes = self.bytes.saturating_sub(gone);
        }
    }
}
