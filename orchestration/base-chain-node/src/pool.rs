//! Transactions which wait to be ordered.
//!
//! A transaction is admitted if it would be applied to the latest finalized state now, or is a call whose
//! nonce is a little ahead. At the bound further ones are refused; what waits too long is dropped. All of
//! it may be lost: whoever submitted it asks and submits again.

use std::collections::{BTreeMap, BTreeSet};

use coordinator_base_chain::{Refusal, Transaction, TransactionHash};
use coordinator_store::{Read, StoreError};
use processor_messages::{Account, BaseBlock, encode};

use crate::{
    query,
    rules::{BlockBuilder, MAX_NONCE_AHEAD},
};

/// The most transactions which wait.
pub const MAX_WAITING: usize = 4_096;
/// The most bytes which wait.
pub const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;
/// Places which calls leave to what carries its own authority: set keys, batches, slash reports.
pub const RESERVED: usize = 256;
/// Bytes which calls leave to it.
pub const RESERVED_BYTES: usize = 1024 * 1024;
/// The most calls of one account which wait.
pub const MAX_WAITING_OF_ACCOUNT: usize = 64;
/// After so many blocks a transaction is dropped.
pub const MAX_BLOCKS_WAITING: u64 = 256;

/// What became of a submission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// New here: others are to be told.
    Admitted,
    /// It waits already.
    Waits,
    /// A finalized block holds it.
    Final,
}

#[derive(Debug)]
struct Entry {
    transaction: Transaction,
    bytes: Vec<u8>,
    since: BaseBlock,
    /// Submitted here, so that we tell others again until it is final.
    own: bool,
}

/// Transactions which wait, in the order of their arrival.
#[derive(Debug, Default)]
pub struct Pool {
    entries: BTreeMap<u64, Entry>,
    places: BTreeMap<TransactionHash, u64>,
    calls: BTreeSet<(Account, u64)>,
    next: u64,
    bytes: usize,
}

impl Pool {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether this transaction waits.
    pub fn contains(&self, hash: TransactionHash) -> bool {
        self.places.contains_key(&hash)
    }

    /// Admits a transaction, or says why not.
    ///
    /// # Errors
    /// [`StoreError`] if the state does not read.
    pub fn submit(
        &mut self,
        db: &dyn Read,
        transaction: Transaction,
        own: bool,
    ) -> Result<Result<Admission, Refusal>, StoreError> {
        let hash = transaction.hash();
        if query::included(db, hash)?.is_some() {
            return Ok(Ok(Admission::Final));
        }
        if let Some(entry) = self.places.get(&hash).and_then(|place| self.entries.get_mut(place)) {
            entry.own |= own;
            return Ok(Ok(Admission::Waits));
        }
        let bytes = encode(&transaction);
        if let Err(refusal) = self.room_for(&transaction, bytes.len()) {
            return Ok(Err(refusal));
        }
        let mut trial = BlockBuilder::begin(db, 0)?;
        match trial.push(&transaction)? {
            Err(Refusal::NonceAhead { nonce, next }) if nonce.saturating_sub(next) < MAX_NONCE_AHEAD => {
                // Keys cost nothing: whoever holds nothing could fill all places with calls that never apply.
                if !holds_anything(db, &transaction)? {
                    return Ok(Err(Refusal::InsufficientFunds));
                }
            }
            Err(refusal) => return Ok(Err(refusal)),
            Ok(()) => {}
        }
        self.bytes += bytes.len();
        self.calls.extend(call_of(&transaction));
        self.places.insert(hash, self.next);
        self.entries.insert(self.next, Entry { transaction, bytes, since: trial.number(), own });
        self.next += 1;
        Ok(Ok(Admission::Admitted))
    }

    fn room_for(&self, transaction: &Transaction, bytes: usize) -> Result<(), Refusal> {
        if bytes > coordinator_base_chain::MAX_TRANSACTION_BYTES {
            return Err(Refusal::Malformed);
        }
        let call = call_of(transaction);
        let (places, room) = match call {
            Some(_) => (MAX_WAITING - RESERVED, MAX_WAITING_BYTES - RESERVED_BYTES),
            None => (MAX_WAITING, MAX_WAITING_BYTES),
        };
        if (self.entries.len() >= places) || ((self.bytes + bytes) > room) {
            return Err(Refusal::MempoolFull);
        }
        if let Some((account, nonce)) = call {
            if self.calls.contains(&(account, nonce)) {
                return Err(Refusal::NonceWaiting { nonce });
            }
            if self.calls.range((account, 0)..=(account, u64::MAX)).count() >= MAX_WAITING_OF_ACCOUNT {
                return Err(Refusal::MempoolFull);
            }
        }
        Ok(())
    }

    /// What waits in the order in which to try it: what carries its own authority first, then calls by
    /// nonce, so that an account's calls come in their order.
    pub fn candidates(&self) -> Vec<(&Transaction, &[u8])> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(place, entry)| (call_of(&entry.transaction).map(|(_, nonce)| nonce), **place));
        entries.into_iter().map(|(_, entry)| (&entry.transaction, entry.bytes.as_slice())).collect()
    }

    /// What was submitted here and still waits, oldest first.
    pub fn own(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.values().filter(|entry| entry.own).map(|entry| entry.bytes.as_slice())
    }

    /// Drops what a new block decided, what can no longer be applied, and what waited too long.
    ///
    /// # Errors
    /// [`StoreError`] if the state does not read.
    pub fn settle(&mut self, db: &dyn Read, number: BaseBlock) -> Result<(), StoreError> {
        let mut gone = Vec::new();
        for (place, entry) in &self.entries {
            let too_old = number.0.saturating_sub(entry.since.0) > MAX_BLOCKS_WAITING;
            let used = match call_of(&entry.transaction) {
                Some((account, nonce)) => nonce < query::account(db, account)?.nonce,
                None => !is_applicable(db, &entry.transaction)?,
            };
            if too_old || used {
                gone.push(*place);
            }
        }
        for place in gone {
            self.remove(place);
        }
        Ok(())
    }

    fn remove(&mut self, place: u64) {
        if let Some(entry) = self.entries.remove(&place) {
            self.bytes = self.bytes.saturating_sub(entry.bytes.len());
            self.places.remove(&entry.transaction.hash());
            if let Some(call) = call_of(&entry.transaction) {
                self.calls.remove(&call);
            }
        }
    }
}

/// Whether the account of a call holds any coins, of whatever kind.
fn holds_anything(db: &dyn Read, transaction: &Transaction) -> Result<bool, StoreError> {
    match call_of(transaction) {
        Some((account, _)) => query::holds_anything(db, account),
        None => Ok(true),
    }
}

fn is_applicable(db: &dyn Read, transaction: &Transaction) -> Result<bool, StoreError> {
    Ok(BlockBuilder::begin(db, 0)?.push(transaction)?.is_ok())
}

fn call_of(transaction: &Transaction) -> Option<(Account, u64)> {
    match transaction {
        Transaction::Call(call) => Some((call.account, call.nonce)),
        Transaction::SetKeys(_) | Transaction::ExecuteBatch(_) | Transaction::ReportSlashes(_) => None,
    }
}
