//! Transactions which wait to be ordered.
//!
//! ```text
//! known: cheap, under the pool's lock ─▶ judge: the rules, without it ─▶ admit: a place, under the lock
//! ```
//!
//! A transaction is admitted if it would be applied to the latest finalized state now, or is a call whose
//! nonce is a little ahead. A call whose nonce is the account's next one is *ready*; one whose nonces before it all
//! wait is *behind* them; any other has a *gap* before it. Of those with a gap few wait; at the bound what is nearer to
//! its turn takes the place of what is farther, and else further ones are refused. What waits too long is dropped.
//! All of it may be lost: whoever submitted it asks and submits again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
/// The most calls with a gap before them which wait.
pub const MAX_GAPPED: usize = 256;
/// The most of them of one account.
pub const MAX_GAPPED_OF_ACCOUNT: usize = 16;
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

/// A transaction which waits.
#[derive(Debug)]
pub struct Waiting {
    /// What waits.
    pub transaction: Transaction,
    /// It, encoded.
    pub bytes: Vec<u8>,
    since: BaseBlock,
}

/// How near to its turn something is; the nearer the smaller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Standing {
    /// A call with its account's next nonce, or what is no call.
    Ready,
    Behind,
    Gapped,
}

/// Transactions which wait, in the order of their arrival.
#[derive(Debug, Default)]
pub struct Pool {
    entries: BTreeMap<u64, Arc<Waiting>>,
    places: BTreeMap<TransactionHash, u64>,
    calls: BTreeMap<(Account, u64), u64>,
    /// The places of calls which are not ready.
    later: BTreeSet<(Standing, u64)>,
    /// Those submitted here, so that we tell others again until they are final.
    own: BTreeSet<u64>,
    next: u64,
    bytes: usize,
}

/// Whether the rules would apply a transaction now, or, if it is a call, once those before it are. Verifies signatures,
/// some of which take milliseconds, and needs no pool.
///
/// # Errors
/// [`StoreError`] if the state does not read.
pub fn judge(db: &dyn Read, transaction: &Transaction) -> Result<Result<(), Refusal>, StoreError> {
    match BlockBuilder::begin(db, 0)?.push(transaction)? {
        Err(Refusal::NonceAhead { nonce, next }) if nonce.saturating_sub(next) < MAX_NONCE_AHEAD => {
            // Keys cost nothing: whoever holds nothing could fill all places with calls that never apply.
            Ok(if holds_anything(db, transaction)? { Ok(()) } else { Err(Refusal::InsufficientFunds) })
        }
        verdict => Ok(verdict),
    }
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

    /// What can be said of a submission without judging it.
    ///
    /// # Errors
    /// [`StoreError`] if the state does not read.
    pub fn known(
        &mut self,
        db: &dyn Read,
        transaction: &Transaction,
        own: bool,
    ) -> Result<Option<Result<Admission, Refusal>>, StoreError> {
        let hash = transaction.hash();
        if query::included(db, hash)?.is_some() {
            return Ok(Some(Ok(Admission::Final)));
        }
        if let Some(place) = self.places.get(&hash) {
            if own {
                self.own.insert(*place);
            }
            return Ok(Some(Ok(Admission::Waits)));
        }
        if encode(transaction).len() > coordinator_base_chain::MAX_TRANSACTION_BYTES {
            return Ok(Some(Err(Refusal::Malformed)));
        }
        let waits = call_of(transaction).filter(|call| self.calls.contains_key(call));
        Ok(waits.map(|(_, nonce)| Err(Refusal::NonceWaiting { nonce })))
    }

    /// Admits a transaction which was [judged](judge) well, if there is a place for it.
    ///
    /// # Errors
    /// [`StoreError`] if the state does not read.
    pub fn admit(
        &mut self,
        db: &dyn Read,
        transaction: Transaction,
        own: bool,
    ) -> Result<Result<Admission, Refusal>, StoreError> {
        // It may have come twice, or a block in between.
        if let Some(known) = self.known(db, &transaction, own)? {
            return Ok(known);
        }
        let call = call_of(&transaction);
        let mut standing = Standing::Ready;
        if let Some((account, nonce)) = call {
            let next = query::account(db, account)?.nonce;
            if nonce < next {
                return Ok(Err(Refusal::NonceUsed { nonce, next }));
            }
            standing = self.standing(account, nonce, next);
            if self.exceeds_its_share(account, standing) {
                return Ok(Err(Refusal::MempoolFull));
            }
        }
        let bytes = encode(&transaction);
        if !self.make_room(db, call.is_some(), standing, bytes.len())? {
            return Ok(Err(Refusal::MempoolFull));
        }
        let since = BaseBlock(query::head(db)?.map_or(0, |head| head.number.0.saturating_add(1)));
        self.insert(Waiting { transaction, bytes, since }, own);
        if let Some((account, _)) = call {
            self.rank(db, account)?;
        }
        Ok(Ok(Admission::Admitted))
    }

    fn insert(&mut self, waiting: Waiting, own: bool) {
        let place = self.next;
        self.next += 1;
        self.bytes += waiting.bytes.len();
        self.calls.extend(call_of(&waiting.transaction).map(|call| (call, place)));
        self.places.insert(waiting.transaction.hash(), place);
        if own {
            self.own.insert(place);
        }
        self.entries.insert(place, Arc::new(waiting));
    }

    /// The waiting calls of an account, by nonce, with their places.
    fn of_account(&self, account: Account) -> impl Iterator<Item = (u64, u64)> {
        self.calls.range((account, 0)..=(account, u64::MAX)).map(|((_, nonce), place)| (*nonce, *place))
    }

    fn standing(&self, account: Account, nonce: u64, next: u64) -> Standing {
        let before = self.of_account(account).filter(|(waits, _)| (next..nonce).contains(waits)).count();
        match nonce.saturating_sub(next) {
            0 => Standing::Ready,
            needed if before as u64 == needed => Standing::Behind,
            _ => Standing::Gapped,
        }
    }

    fn exceeds_its_share(&self, account: Account, standing: Standing) -> bool {
        let gapped = |place| self.later.contains(&(Standing::Gapped, place));
        let is_gapped = standing == Standing::Gapped;
        let all_gapped = self.later.range((Standing::Gapped, 0)..).count();
        let own_gapped = self.of_account(account).filter(|(_, place)| gapped(*place)).count();
        (self.of_account(account).count() >= MAX_WAITING_OF_ACCOUNT)
            || (is_gapped && ((all_gapped >= MAX_GAPPED) || (own_gapped >= MAX_GAPPED_OF_ACCOUNT)))
    }

    /// Takes places from what is farther from its turn, the youngest first, until there is room; false if there is not.
    fn make_room(
        &mut self,
        db: &dyn Read,
        is_call: bool,
        standing: Standing,
        bytes: usize,
    ) -> Result<bool, StoreError> {
        let (places, room) = if is_call {
            (MAX_WAITING - RESERVED, MAX_WAITING_BYTES - RESERVED_BYTES)
        } else {
            (MAX_WAITING, MAX_WAITING_BYTES)
        };
        while (self.entries.len() >= places) || ((self.bytes + bytes) > room) {
            match self.later.last().copied() {
                Some((farther, place)) if farther > standing => {
                    let account = self.remove(place);
                    account.map_or(Ok(()), |account| self.rank(db, account))?;
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Notes how near to their turn the calls of an account are.
    fn rank(&mut self, db: &dyn Read, account: Account) -> Result<(), StoreError> {
        let next = query::account(db, account)?.nonce;
        let mut due = next;
        for (nonce, place) in self.of_account(account).collect::<Vec<_>>() {
            self.later.remove(&(Standing::Behind, place));
            self.later.remove(&(Standing::Gapped, place));
            if nonce != due {
                self.later.insert((Standing::Gapped, place));
                continue;
            }
            due = due.saturating_add(1);
            if nonce != next {
                self.later.insert((Standing::Behind, place));
            }
        }
        Ok(())
    }

    /// What waits in the order in which to try it: what carries its own authority first, then calls by
    /// nonce, so that an account's calls come in their order.
    pub fn candidates(&self) -> Vec<Arc<Waiting>> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(place, entry)| (call_of(&entry.transaction).map(|(_, nonce)| nonce), **place));
        entries.into_iter().map(|(_, entry)| entry.clone()).collect()
    }

    /// What was submitted here and still waits, oldest first.
    pub fn own(&self) -> impl Iterator<Item = &[u8]> {
        self.own.iter().filter_map(|place| self.entries.get(place)).map(|entry| entry.bytes.as_slice())
    }

    /// Drops what a new block decided, what can no longer be applied, and what waited too long.
    ///
    /// # Errors
    /// [`StoreError`] if the state does not read.
    pub fn settle(&mut self, db: &dyn Read, number: BaseBlock) -> Result<(), StoreError> {
        let accounts: BTreeSet<Account> = self.calls.keys().map(|(account, _)| *account).collect();
        let mut nexts = BTreeMap::new();
        for account in &accounts {
            nexts.insert(*account, query::account(db, *account)?.nonce);
        }
        let mut gone = Vec::new();
        for (place, entry) in &self.entries {
            let too_old = number.0.saturating_sub(entry.since.0) > MAX_BLOCKS_WAITING;
            let used = match call_of(&entry.transaction) {
                Some((account, nonce)) => nexts.get(&account).is_some_and(|next| nonce < *next),
                None => judge(db, &entry.transaction)?.is_err(),
            };
            if too_old || used {
                gone.push(*place);
            }
        }
        for place in gone {
            self.remove(place);
        }
        accounts.into_iter().try_for_each(|account| self.rank(db, account))
    }

    /// Removes what waits in a place; the account whose call it was.
    fn remove(&mut self, place: u64) -> Option<Account> {
        let entry = self.entries.remove(&place)?;
        self.bytes = self.bytes.saturating_sub(entry.bytes.len());
        self.places.remove(&entry.transaction.hash());
        self.own.remove(&place);
        self.later.remove(&(Standing::Behind, place));
        self.later.remove(&(Standing::Gapped, place));
        let call = call_of(&entry.transaction)?;
        self.calls.remove(&call);
        Some(call.0)
    }
}

/// Whether the account of a call holds any coins, of whatever kind.
fn holds_anything(db: &dyn Read, transaction: &Transaction) -> Result<bool, StoreError> {
    match call_of(transaction) {
        Some((account, _)) => query::holds_anything(db, account),
        None => Ok(true),
    }
}

fn call_of(transaction: &Transaction) -> Option<(Account, u64)> {
    match transaction {
        Transaction::Call(call) => Some((call.account, call.nonce)),
        Transaction::SetKeys(_) | Transaction::ExecuteBatch(_) | Transaction::ReportSlashes(_) => None,
    }
}
