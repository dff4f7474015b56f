//! Writes which lie over a state: a step's own, or steps which are not durable yet.

use std::{collections::BTreeMap, ops::Bound};

use crate::{Pairs, Read, StoreError, Transaction};

/// The last write of each key; `None` removes it.
pub type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A state as it reads with `writes` done to it.
pub struct Overlay<'a> {
    base: &'a dyn Read,
    writes: &'a Writes,
}

impl<'a> Overlay<'a> {
    /// Lays `writes` over `base`.
    pub fn new(base: &'a dyn Read, writes: &'a Writes) -> Self {
        Self { base, writes }
    }
}

impl Read for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.writes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(key),
        }
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        let mut from = from.max(prefix).to_vec();
        let mut pairs = Pairs::new();
        loop {
            let wanted = limit.saturating_sub(pairs.len());
            if wanted == 0 {
                return Ok(pairs);
            }
            let page = self.base.scan(prefix, &from, wanted)?;
            // Beyond the last key of a full page the base may hold more, so only that far can be merged.
            let last = if page.len() < wanted { None } else { page.last().map(|(key, _)| key.clone()) };
            pairs.extend(self.merge(prefix, &from, last.as_deref(), page).take(wanted));
            match last {
                None => return Ok(pairs),
                Some(last) => from = successor(last),
            }
        }
    }
}

impl Overlay<'_> {
    /// The pairs of `page` with the writes from `from` to `last` done to them.
    fn merge(
        &self,
        prefix: &[u8],
        from: &[u8],
        last: Option<&[u8]>,
        page: Pairs,
    ) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let mut merged: Writes = page.into_iter().map(|(key, value)| (key, Some(value))).collect();
        let end = last.map_or(Bound::Unbounded, Bound::Included);
        // The base may end a page before `from` only if it is empty, so the range is never inverted.
        let range = self.writes.range::<[u8], _>((Bound::Included(from), end));
        for (key, value) in range.take_while(|(key, _)| key.starts_with(prefix)) {
            merged.insert(key.clone(), value.clone());
        }
        merged.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }
}

/// The least key greater than `key`.
fn successor(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// One step over a state: collects writes, and reads see them.
pub struct Step<'a> {
    base: &'a dyn Read,
    writes: Writes,
}

impl<'a> Step<'a> {
    /// Begins a step over `base`.
    pub fn new(base: &'a dyn Read) -> Self {
        Self { base, writes: Writes::new() }
    }

    /// What the step wrote.
    pub fn into_writes(self) -> Writes {
        self.writes
    }
}

impl Read for Step<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Overlay::new(self.base, &self.writes).get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        Overlay::new(self.base, &self.writes).scan(prefix, from, limit)
    }
}

impl Transaction for Step<'_> {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.insert(key, Some(value));
    }

    fn delete(&mut self, key: &[u8]) {
        self.writes.insert(key.to_vec(), None);
    }
}
