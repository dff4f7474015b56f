//! The rules of one validator set's tributary: what its ordered blocks mean.
//!
//! ```text
//! block -> apply -> provided: topics open and close
//!                   signed:   participations -> relay -> processor
//!                             preprocesses, shares -> accumulate -> selection -> processor, confirmation
//!                   due:      next attempts
//! handover -> report -> signed by the set's key -> base chain: retired -> archive -> pruned
//! ```
//!
//! Replicated state lives in `Replicated` tables and is a function of the blocks and the set's
//! declaration only; every write to it is absorbed into the state's hash (`SIGN-1`). What a rule does
//! for this coordinator alone (messages to its processor, transactions of its own) is written to plain
//! tables and never read by a replicated rule.

pub(crate) mod accumulate;
mod apply;
pub mod archive;
pub mod confirmation;
pub mod failure;
pub mod musig;
mod observed;
pub mod own;
pub mod relay;
pub mod report;
pub mod retire;
pub mod set;
mod signing;
pub mod slash;
pub(crate) mod standing;
pub mod status;
pub mod topic;
pub mod transaction;
pub mod votes;

use blake2::{Blake2b, Digest, digest::consts::U32};
use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Key, Read, StoreError, Table, Transaction};
use processor_messages::{Genesis, TributaryBlock, ValidatorSet, encode};

pub use accumulate::open_topics;
pub use apply::{Applied, applied_through, apply, state_hash};
pub use set::{MemberIndex, SetSpec};
pub(crate) use signing::{completed, own_preprocesses, own_shares, report_invalid};

use crate::{Notice, Step, notice::Event};

/// What this coordinator keeps of a set it is in.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct SetRecord {
    /// The set.
    pub spec: SetSpec,
    /// The time of the block which declared it, in milliseconds since the Unix epoch.
    pub declared_unix_ms: u64,
    /// Whether its tributary still runs.
    pub life: Life,
}

/// Where a set we are in stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Life {
    /// Its tributary runs.
    Active,
    /// The base chain dropped it before it had keys.
    Dropped,
    /// Its duty ended.
    Retired,
}

pub(crate) const SETS: Table<ValidatorSet, SetRecord> = Table::new("session/set");

/// A set we are in.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn get(db: &(impl Read + ?Sized), set: ValidatorSet) -> Result<Option<SetRecord>, StoreError> {
    SETS.get(db, &set)
}

/// All sets we are in, by network and session; at most `limit`.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn all(db: &(impl Read + ?Sized), limit: usize) -> Result<Vec<SetRecord>, StoreError> {
    Ok(SETS.scan(db, &(), None, limit)?.into_iter().map(|(_, record)| record).collect())
}

/// The step of one set's block.
pub(crate) struct Session<'s, 'a> {
    pub(crate) step: &'s mut Step<'a>,
    pub(crate) spec: &'s SetSpec,
    pub(crate) block: TributaryBlock,
    digest: Blake2b<U32>,
}

impl Session<'_, '_> {
    pub(crate) fn notice(&mut self, event: Event) {
        self.step.notice(Notice::of_set(self.spec.set(), event));
    }

    pub(crate) fn genesis(&self) -> Genesis {
        self.spec.genesis
    }

    /// Our own place in the set; `None` if we are not in it.
    pub(crate) fn own_index(&self) -> Option<MemberIndex> {
        self.spec.index_of(self.step.me.validator())
    }

    fn absorb(&mut self, table: &'static str, key: &impl Key, value: Option<&[u8]>) {
        let mut key_bytes = Vec::new();
        key.encode_to(&mut key_bytes);
        self.digest.update(encode(&(table, key_bytes, value)));
    }
}

/// A table of replicated state: written through the session's step, so that its hash covers every write.
pub(crate) struct Replicated<K, V> {
    name: &'static str,
    table: Table<K, V>,
}

impl<K: Key, V: BorshSerialize + BorshDeserialize> Replicated<K, V> {
    const fn new(name: &'static str) -> Self {
        Self { name, table: Table::new(name) }
    }

    fn get(&self, db: &(impl Read + ?Sized), key: &K) -> Result<Option<V>, StoreError> {
        self.table.get(db, key)
    }

    fn scan(
        &self,
        db: &(impl Read + ?Sized),
        scope: &impl Key,
        limit: usize,
    ) -> Result<Vec<(K, V)>, StoreError> {
        self.table.scan(db, scope, None, limit)
    }

    fn put(&self, session: &mut Session<'_, '_>, key: &K, value: &V) {
        session.absorb(self.name, key, Some(&encode(value)));
        self.table.put(session.step.txn as &mut dyn Transaction, key, value);
    }

    /// Deletes up to `limit` rows of an ended set, whose state has no hash any more; true when none is left.
    fn prune(&self, txn: &mut dyn Transaction, scope: &impl Key, limit: usize) -> Result<bool, StoreError> {
        Ok(self.table.clear(txn, scope, limit)? < limit)
    }

    fn delete(&self, session: &mut Session<'_, '_>, key: &K) {
        session.absorb(self.name, key, None);
        self.table.delete(session.step.txn as &mut dyn Transaction, key);
    }
}
