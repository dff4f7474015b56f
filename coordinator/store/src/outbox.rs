//! Outboxes: what must leave the process, written by the step that decided it, until it is acknowledged.
//!
//! ```text
//! step: put(intent, value) -> durable -> task: list, send -> receiver acknowledges -> step: acknowledge(intent)
//!                                          ^------ again after a crash or a timeout ------|
//! ```
//!
//! An outbox delivers at least once; the receiver recognizes a repetition by the intent. What was put once
//! under an intent is what is sent, byte for byte, until it is acknowledged. The sending task reads with
//! [`crate::Store::read`], which shows durable rows only, so a listed row may leave at once.

use std::marker::PhantomData;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{Key, Read, StoreError, Table, Transaction};

/// An outbox of `V` for each scope `S`.
pub struct Outbox<S, V> {
    name: &'static str,
    capacity: u64,
    types: PhantomData<fn() -> (S, V)>,
}

/// What putting a row did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a full outbox takes nothing"]
pub enum Put {
    /// The row is there now.
    Added,
    /// The intent was there with the same value.
    Kept,
    /// The intent was there with another value, which stays: what may have been sent is sent again.
    Differs,
    /// The outbox is full; nothing was written.
    Full,
}

/// One row of an outbox.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Letter<V> {
    /// Place in the order of insertion; never used twice within a scope.
    pub index: u64,
    /// The id by which the receiver recognizes a repetition.
    pub intent: Vec<u8>,
    /// What to send.
    pub value: V,
}

#[derive(Clone, Copy, Default, BorshSerialize, BorshDeserialize)]
struct Counts {
    next: u64,
    rows: u64,
}

impl<S: Key + Clone, V: BorshSerialize + BorshDeserialize> Outbox<S, V> {
    /// Names an outbox whose every scope holds at most `capacity` rows; names are unique in a store.
    pub const fn new(name: &'static str, capacity: u64) -> Self {
        Self { name, capacity, types: PhantomData }
    }

    const fn counts(&self) -> Table<S, Counts> {
        Table::part(self.name, "/counts")
    }

    const fn letters(&self) -> Table<(S, u64), Letter<V>> {
        Table::part(self.name, "/letters")
    }

    const fn intents(&self) -> Table<(S, Vec<u8>), u64> {
        Table::part(self.name, "/intents")
    }

    /// Adds a row under an intent, once.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or a row does not decode.
    pub fn put(
        &self,
        txn: &mut (impl Transaction + ?Sized),
        scope: &S,
        intent: &[u8],
        value: V,
    ) -> Result<Put, StoreError> {
        if let Some(present) = self.get(txn, scope, intent)? {
            let same = encode(&present.value) == encode(&value);
            return Ok(if same { Put::Kept } else { Put::Differs });
        }
        let Counts { next, rows } = self.counts().get(txn, scope)?.unwrap_or_default();
        if rows >= self.capacity || next == u64::MAX {
            return Ok(Put::Full);
        }
        self.intents().put(txn, &(scope.clone(), intent.to_vec()), &next);
        let letter = Letter { index: next, intent: intent.to_vec(), value };
        self.letters().put(txn, &(scope.clone(), next), &letter);
        self.counts().put(txn, scope, &Counts { next: next + 1, rows: rows + 1 });
        Ok(Put::Added)
    }

    /// The row of an intent.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or the row does not decode.
    pub fn get(
        &self,
        db: &(impl Read + ?Sized),
        scope: &S,
        intent: &[u8],
    ) -> Result<Option<Letter<V>>, StoreError> {
        match self.intents().get(db, &(scope.clone(), intent.to_vec()))? {
            Some(index) => self.letters().get(db, &(scope.clone(), index)),
            None => Ok(None),
        }
    }

    /// Up to `limit` rows in the order of insertion, from the index `from` on.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or a row does not decode.
    pub fn list(
        &self,
        db: &(impl Read + ?Sized),
        scope: &S,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Letter<V>>, StoreError> {
        let from = (scope.clone(), from);
        let letters = self.letters().scan(db, scope, Some(&from), limit)?;
        Ok(letters.into_iter().map(|(_, letter)| letter).collect())
    }

    /// Removes the row of an intent; returns whether there was one. Acknowledging twice is harmless.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    pub fn acknowledge(
        &self,
        txn: &mut (impl Transaction + ?Sized),
        scope: &S,
        intent: &[u8],
    ) -> Result<bool, StoreError> {
        let key = (scope.clone(), intent.to_vec());
        let Some(index) = self.intents().get(txn, &key)? else { return Ok(false) };
        self.intents().delete(txn, &key);
        self.letters().delete(txn, &(scope.clone(), index));
        let Counts { next, rows } = self.counts().get(txn, scope)?.unwrap_or_default();
        self.counts().put(txn, scope, &Counts { next, rows: rows.saturating_sub(1) });
        Ok(true)
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    pub fn len(&self, db: &(impl Read + ?Sized), scope: &S) -> Result<u64, StoreError> {
        Ok(self.counts().get(db, scope)?.unwrap_or_default().rows)
    }

    /// Whether there is no row.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    pub fn is_empty(&self, db: &(impl Read + ?Sized), scope: &S) -> Result<bool, StoreError> {
        Ok(self.len(db, scope)? == 0)
    }

    /// Removes up to `limit` rows, for a scope that is pruned; returns whether more are left. The last call
    /// forgets the indices too.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or a row does not decode.
    pub fn prune(
        &self,
        txn: &mut (impl Transaction + ?Sized),
        scope: &S,
        limit: usize,
    ) -> Result<bool, StoreError> {
        let letters = self.list(txn, scope, 0, limit)?;
        for letter in &letters {
            self.acknowledge(txn, scope, &letter.intent)?;
        }
        let more = !self.is_empty(txn, scope)?;
        if !more {
            self.counts().delete(txn, scope);
        }
        Ok(more)
    }
}

fn encode(value: &impl BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to memory does not fail")
}
