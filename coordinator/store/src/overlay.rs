//! Writes which lie over a state: a step's own, or steps which are not durable yet.

use std::{collections::BTreeMap, ops::Bound};

use crate::{MAX_KEY_BYTES, MAX_STEP_BYTES, Pairs, Read, StoreError, Transaction};

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
        let from = from.max(prefix);
        let writes = self.writes.range::<[u8], _>((Bound::Included(from), Bound::Unbounded));
        let writes = writes.take_while(|(key, _)| key.starts_with(prefix));
        scan_over(self.base, writes.map(|(key, value)| (key, value.as_deref())), prefix, from, limit)
    }
}

/// Scans `base` with `writes` done to it, which are ascending, begin with `prefix` and are at least `from`.
///
/// # Errors
/// [`StoreError`] if the base's scan fails.
pub fn scan_over<'a>(
    base: &dyn Read,
    writes: impl Iterator<Item = (&'a Vec<u8>, Option<&'a [u8]>)>,
    prefix: &[u8],
    from: &[u8],
    limit: usize,
) -> Result<Pairs, StoreError> {
    let mut writes = writes.peekable();
    let mut from = from.to_vec();
    let mut pairs = Pairs::new();
    while pairs.len() < limit {
        let wanted = limit - pairs.len();
        let page = base.scan(prefix, &from, wanted)?;
        // Beyond the last key of a full page the base may hold more, so only that far can be merged.
        let full = page.len() >= wanted;
        for (key, value) in page {
            while let Some((key, value)) = writes.next_if(|(written, _)| **written < key) {
                pairs.extend(value.map(|value| (key.clone(), value.to_vec())));
            }
            match writes.next_if(|(written, _)| **written == key) {
                Some((_, written)) => pairs.extend(written.map(|value| (key.clone(), value.to_vec()))),
                None => pairs.push((key.clone(), value)),
            }
            from = successor(key);
        }
        if !full {
            let rest = writes.by_ref().filter_map(|(key, value)| Some((key.clone(), value?.to_vec())));
            pairs.extend(rest.take(limit.saturating_sub(pairs.len())));
            break;
        }
    }
    pairs.truncate(limit);
    Ok(pairs)
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
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn finish(self) -> Result<Writes, StoreError> {
        let mut total = 0_usize;
        for (key, value) in &self.writes {
            within("a key", key.len(), MAX_KEY_BYTES)?;
            total = total.saturating_add(key.len()).saturating_add(value.as_ref().map_or(0, Vec::len));
        }
        within("keys and values", total, MAX_STEP_BYTES)?;
        Ok(self.writes)
    }
}

fn within(what: &'static str, bytes: usize, bound: usize) -> Result<(), StoreError> {
    if bytes > bound {
        return Err(StoreError::TooLarge { what, bytes, bound });
    }
    Ok(())
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

/// Runs `inner` as a step within a step: if it returns an error nothing of it is kept, even if the outer step
/// goes on.
///
/// # Errors
/// The inner step's own.
pub fn nested<T, E>(
    txn: &mut dyn Transaction,
    inner: impl FnOnce(&mut dyn Transaction) -> Result<T, E>,
) -> Result<T, E> {
    let mut step = Step::new(&*txn);
    let value = inner(&mut step)?;
    for (key, value) in step.writes {
        match value {
            Some(value) => txn.put(key, value),
            None => txn.delete(&key),
        }
    }
    Ok(value)
}
