//! Durable queues: facts which one task leaves for another, in order, within a scope.
//!
//! ```text
//! push -> | head .. tail | -> advance (process and remove in one step), or peek and later pop
//! ```
//!
//! Indices count up from 0 and are never used twice, so an index names an item for ever. A queue is bounded:
//! when full, [`Queue::push`] writes nothing and says so, and the caller decides (leave its own input
//! unprocessed, refuse the request). In-memory channels may wake the consumer; the fact is here.

use std::marker::PhantomData;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{Key, Read, StoreError, Table, Transaction, nested};

/// A durable queue of `V` for each scope `S`.
pub struct Queue<S, V> {
    name: &'static str,
    capacity: u64,
    types: PhantomData<fn() -> (S, V)>,
}

/// Whether an item was queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a full queue takes nothing"]
pub enum Push {
    /// It has this index.
    Queued(u64),
    /// The queue is full; nothing was written.
    Full,
}

/// Indices of the first item and of the next to come.
#[derive(Clone, Copy, Default, BorshSerialize, BorshDeserialize)]
struct Ends {
    head: u64,
    tail: u64,
}

impl<S: Key + Clone, V: BorshSerialize + BorshDeserialize> Queue<S, V> {
    /// Names a queue whose every scope holds at most `capacity` items; names are unique in a store.
    pub const fn new(name: &'static str, capacity: u64) -> Self {
        Self { name, capacity, types: PhantomData }
    }

    const fn ends(&self) -> Table<S, Ends> {
        Table::part(self.name, "/ends")
    }

    const fn items(&self) -> Table<(S, u64), V> {
        Table::part(self.name, "/items")
    }

    fn read_ends(&self, db: &(impl Read + ?Sized), scope: &S) -> Result<Ends, StoreError> {
        Ok(self.ends().get(db, scope)?.unwrap_or_default())
    }

    /// Appends an item.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    pub fn push(
        &self,
        txn: &mut (impl Transaction + ?Sized),
        scope: &S,
        item: &V,
    ) -> Result<Push, StoreError> {
        let Ends { head, tail } = self.read_ends(txn, scope)?;
        if tail.saturating_sub(head) >= self.capacity || tail == u64::MAX {
            return Ok(Push::Full);
        }
        self.items().put(txn, &(scope.clone(), tail), item);
        self.ends().put(txn, scope, &Ends { head, tail: tail + 1 });
        Ok(Push::Queued(tail))
    }

    /// The first item and its index.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or the item does not decode.
    pub fn peek(&self, db: &(impl Read + ?Sized), scope: &S) -> Result<Option<(u64, V)>, StoreError> {
        let Ends { head, tail } = self.read_ends(db, scope)?;
        if head >= tail {
            return Ok(None);
        }
        let item = self.items().get(db, &(scope.clone(), head))?;
        let reason = "an item is missing".to_owned();
        let item = item.ok_or(StoreError::Corrupt { table: self.name, reason })?;
        Ok(Some((head, item)))
    }

    /// Up to `limit` items with their indices, in order, from the index `from` on.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or an item does not decode.
    pub fn list(
        &self,
        db: &(impl Read + ?Sized),
        scope: &S,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, V)>, StoreError> {
        let from = (scope.clone(), from);
        let items = self.items().scan(db, scope, Some(&from), limit)?;
        Ok(items.into_iter().map(|((_, index), item)| (index, item)).collect())
    }

    /// Removes the first item and returns it. Whoever processes it here uses [`Queue::advance`]; this is for
    /// an item which was processed elsewhere, and acknowledged.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or the item does not decode.
    pub fn pop(
        &self,
        txn: &mut (impl Transaction + ?Sized),
        scope: &S,
    ) -> Result<Option<(u64, V)>, StoreError> {
        let Some((head, item)) = self.peek(txn, scope)? else { return Ok(None) };
        let tail = self.read_ends(txn, scope)?.tail;
        self.items().delete(txn, &(scope.clone(), head));
        self.ends().put(txn, scope, &Ends { head: head + 1, tail });
        Ok(Some((head, item)))
    }

    /// Processes the first item, if there is one, and removes it in the same step. If `process` errs nothing
    /// of it is kept, and the item stays.
    ///
    /// # Errors
    /// That of `process`, or [`StoreError`].
    pub fn advance<T, E: From<StoreError>>(
        &self,
        txn: &mut dyn Transaction,
        scope: &S,
        process: impl FnOnce(&mut dyn Transaction, u64, V) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        nested(txn, |txn| match self.pop(txn, scope)? {
            Some((index, item)) => process(txn, index, item).map(Some),
            None => Ok(None),
        })
    }

    /// How many items there are.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    pub fn len(&self, db: &(impl Read + ?Sized), scope: &S) -> Result<u64, StoreError> {
        let Ends { head, tail } = self.read_ends(db, scope)?;
        Ok(tail.saturating_sub(head))
    }

    /// Whether there is no item.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    pub fn is_empty(&self, db: &(impl Read + ?Sized), scope: &S) -> Result<bool, StoreError> {
        Ok(self.len(db, scope)? == 0)
    }

    /// Removes up to `limit` items, for a scope that is pruned; returns whether more are left. The last call
    /// forgets the indices too.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    pub fn prune(
        &self,
        txn: &mut (impl Transaction + ?Sized),
        scope: &S,
        limit: usize,
    ) -> Result<bool, StoreError> {
        for _ in 0..limit {
            if self.pop(txn, scope)?.is_none() {
                self.ends().delete(txn, scope);
                return Ok(false);
            }
        }
        Ok(true)
    }
}
