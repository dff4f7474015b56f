//! Cursors over numbered sequences which are kept elsewhere: blocks, batches.
//!
//! ```text
//! advance(number, item, process):  number == next -> process, next += 1, in one step
//!                                  number <  next -> Already      number > next -> Gap
//! ```
//!
//! Nothing but [`Cursor::advance`] moves a cursor, and it moves only by processing, so an item is neither
//! forgotten nor processed twice. For items which the store holds itself, see [`crate::Queue::advance`].

use std::marker::PhantomData;

use borsh::{BorshDeserialize, BorshSerialize};
use processor_messages::{BaseBlock, BatchId, TributaryBlock};

use crate::{Key, Read, StoreError, Table, Transaction, nested};

/// A number of a sequence without gaps.
pub trait Number: Copy + Ord + BorshSerialize + BorshDeserialize {
    /// The number after this one; `None` at the greatest.
    fn successor(self) -> Option<Self>;
}

impl Number for u64 {
    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}

macro_rules! newtype {
  ($($type:ident)*) => {
    $(impl Number for $type {
      fn successor(self) -> Option<Self> {
        self.0.checked_add(1).map($type)
      }
    })*
  };
}
newtype!(BaseBlock TributaryBlock BatchId);

/// For each scope `S`, the number of the next item to process.
pub struct Cursor<S, N> {
    name: &'static str,
    first: N,
    types: PhantomData<fn() -> S>,
}

/// What became of an item that was offered to a cursor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "an item that is not next was not processed"]
pub enum Advance<T, N> {
    /// It was processed in this step.
    Done(T),
    /// It was processed before.
    Already,
    /// Items before it are missing, beginning with this one.
    Gap(N),
}

impl<S: Key, N: Number> Cursor<S, N> {
    /// Names a cursor; `first` is the number of each sequence's first item. Names are unique in a store.
    pub const fn new(name: &'static str, first: N) -> Self {
        Self { name, first, types: PhantomData }
    }

    const fn table(&self) -> Table<S, N> {
        Table::new(self.name)
    }

    /// The number of the next item to process.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    pub fn next(&self, db: &(impl Read + ?Sized), scope: &S) -> Result<N, StoreError> {
        Ok(self.table().get(db, scope)?.unwrap_or(self.first))
    }

    /// Lets a scope's sequence begin at `first`; does nothing if the scope has begun. Returns where it is.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    pub fn begin(&self, txn: &mut (impl Transaction + ?Sized), scope: &S, first: N) -> Result<N, StoreError> {
        if let Some(next) = self.table().get(txn, scope)? {
            return Ok(next);
        }
        self.table().put(txn, scope, &first);
        Ok(first)
    }

    /// Processes the item with this number if it is next, and advances in the same step. If `process` errs
    /// nothing of it is kept, and the cursor stays.
    ///
    /// # Errors
    /// That of `process`, or [`StoreError`].
    pub fn advance<I, T, E: From<StoreError>>(
        &self,
        txn: &mut dyn Transaction,
        scope: &S,
        (number, item): (N, I),
        process: impl FnOnce(&mut dyn Transaction, I) -> Result<T, E>,
    ) -> Result<Advance<T, N>, E> {
        let next = self.next(txn, scope)?;
        if number != next {
            return Ok(if number < next { Advance::Already } else { Advance::Gap(next) });
        }
        let reason = "the sequence is at its greatest number".to_owned();
        let successor = next.successor().ok_or(StoreError::Corrupt { table: self.name, reason })?;
        nested(txn, |txn| {
            self.table().put(txn, scope, &successor);
            process(txn, item).map(Advance::Done)
        })
    }

    /// Forgets a scope which is pruned.
    pub fn prune(&self, txn: &mut (impl Transaction + ?Sized), scope: &S) {
        self.table().delete(txn, scope);
    }
}
