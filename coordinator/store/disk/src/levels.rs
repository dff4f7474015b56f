//! The states a store shows, each as writes over the one before.
//!
//! ```text
//! submitted = pending over durable           what steps see
//! durable   = fresh over frozen over tables  what readers see
//! ```
//!
//! `pending` is written but not on disk. `fresh` is in the log and not yet handed to the table store; `frozen`
//! is being handed over. A write stays in one level until it is in the next, so no state ever jumps back.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use coordinator_store::{Pairs, Read, StoreError, scan_over};

use crate::record::{Operations, Value};

/// The last write of each key; `None` removes it.
pub(crate) type Map = BTreeMap<Vec<u8>, Option<Value>>;

/// All levels over the table store `T`, which is absent once the store is closed.
pub(crate) struct Levels<T> {
    pending: BTreeMap<Vec<u8>, Pending>,
    fresh: Map,
    fresh_bytes: usize,
    frozen: Arc<Map>,
    pub(crate) tables: Option<Arc<T>>,
    /// The last durable sequence.
    pub(crate) durable: u64,
}

struct Pending {
    sequence: u64,
    value: Option<Value>,
}

/// What an entry of fresh costs beside its bytes, roughly.
const ENTRY_BYTES: usize = 64;

impl<T> Levels<T> {
    pub(crate) fn new(tables: T, durable: u64) -> Self {
        Self {
            pending: BTreeMap::new(),
            fresh: Map::new(),
            fresh_bytes: 0,
            frozen: Arc::default(),
            tables: Some(Arc::new(tables)),
            durable,
        }
    }

    /// A step was submitted.
    pub(crate) fn submit(&mut self, sequence: u64, operations: &Operations) {
        for (key, value) in operations {
            self.pending.insert(key.clone(), Pending { sequence, value: value.clone() });
        }
    }

    /// A submitted step is durable now.
    pub(crate) fn publish(&mut self, sequence: u64, operations: &Operations) {
        self.durable = sequence;
        for (key, value) in operations {
            if self.pending.get(key).is_some_and(|pending| pending.sequence == sequence) {
                self.pending.remove(key);
            }
            self.fresh_bytes = self.fresh_bytes.saturating_add(cost(key, value.as_ref()));
            if let Some(former) = self.fresh.insert(key.clone(), value.clone()) {
                self.fresh_bytes = self.fresh_bytes.saturating_sub(cost(key, former.as_ref()));
            }
        }
    }

    /// Bytes that wait to be handed to the table store.
    pub(crate) fn fresh_bytes(&self) -> usize {
        self.fresh_bytes
    }

    /// Begins handing fresh writes over: what to commit, and up to where.
    pub(crate) fn freeze(&mut self) -> (Arc<Map>, u64) {
        self.frozen = Arc::new(std::mem::take(&mut self.fresh));
        self.fresh_bytes = 0;
        (self.frozen.clone(), self.durable)
    }

    /// The frozen writes are in the table store.
    pub(crate) fn thaw(&mut self) {
        self.frozen = Arc::default();
    }
}

fn cost(key: &[u8], value: Option<&Value>) -> usize {
    key.len().saturating_add(value.map_or(0, |value| value.len())).saturating_add(ENTRY_BYTES)
}

/// The state with everything submitted.
pub(crate) struct Submitted<'a, T>(pub(crate) &'a Levels<T>);

/// The state with what is durable only.
pub(crate) struct Durable<'a, T>(pub(crate) &'a Levels<T>);

impl<T: Read> Read for Submitted<'_, T> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.0.pending.get(key) {
            Some(Pending { value, .. }) => Ok(value.as_deref().cloned()),
            None => Durable(self.0).get(key),
        }
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        let from = from.max(prefix);
        let writes = range(&self.0.pending, prefix, from, |pending| pending.value.as_ref());
        scan_over(&Durable(self.0), writes, prefix, from, limit)
    }
}

impl<T: Read> Read for Durable<'_, T> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(value) = self.0.fresh.get(key).or_else(|| self.0.frozen.get(key)) {
            return Ok(value.as_deref().cloned());
        }
        self.0.tables()?.get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        let from = from.max(prefix);
        let tables = self.0.tables()?;
        let frozen = Layer { base: tables, writes: &self.0.frozen };
        let fresh = range(&self.0.fresh, prefix, from, Option::as_ref);
        scan_over(&frozen, fresh, prefix, from, limit)
    }
}

impl<T> Levels<T> {
    fn tables(&self) -> Result<&T, StoreError> {
        self.tables.as_deref().ok_or_else(|| StoreError::Stopped("it is closed".to_owned()))
    }
}

/// One map over a state.
struct Layer<'a> {
    base: &'a dyn Read,
    writes: &'a Map,
}

impl Read for Layer<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.writes.get(key) {
            Some(value) => Ok(value.as_deref().cloned()),
            None => self.base.get(key),
        }
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        let from = from.max(prefix);
        scan_over(self.base, range(self.writes, prefix, from, Option::as_ref), prefix, from, limit)
    }
}

fn range<'a, V>(
    map: &'a BTreeMap<Vec<u8>, V>,
    prefix: &[u8],
    from: &[u8],
    value: impl Fn(&'a V) -> Option<&'a Value>,
) -> impl Iterator<Item = (&'a Vec<u8>, Option<&'a [u8]>)> {
    map.range::<[u8], _>((Bound::Included(from), Bound::Unbounded))
        .take_while(move |(key, _)| key.starts_with(prefix))
        .map(move |(key, slot)| (key, value(slot).map(|value| value.as_slice())))
}
