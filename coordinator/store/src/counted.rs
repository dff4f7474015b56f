//! A transaction that counts what is written through it.

use crate::{Pairs, Read, StoreError, Transaction};

/// Counts bytes of keys and values as the bound on a step does, but each write of a key anew: who ends a step in time
/// never meets [`crate::StoreError::TooLarge`].
pub struct Counted<'a> {
    txn: &'a mut dyn Transaction,
    bytes: usize,
}

impl<'a> Counted<'a> {
    /// Counts from zero.
    pub fn new(txn: &'a mut dyn Transaction) -> Self {
        Self { txn, bytes: 0 }
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl Read for Counted<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.txn.get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        self.txn.scan(prefix, from, limit)
    }
}

impl Transaction for Counted<'_> {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.count(key.len().saturating_add(value.len()));
        self.txn.put(key, value);
    }

    fn delete(&mut self, key: &[u8]) {
        self.count(key.len());
        self.txn.delete(key);
    }
}
