//! Tables: a name, a key type, a value type.

use std::marker::PhantomData;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{Key, Read, StoreError, Transaction};

/// Most keys are no longer after their table's name.
const KEY_BYTES: usize = 64;

/// A typed table. The stored key is the name, a zero byte, and the order-preserving encoding of `K`.
///
/// The parts of a queue or an outbox are tables too: their keys have a part's name, which begins with `/`,
/// between the name and the zero byte. So a table's name holds neither `/` nor a zero byte.
pub struct Table<K, V> {
    name: &'static str,
    part: &'static str,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: BorshSerialize + BorshDeserialize> Table<K, V> {
    /// Names a table; names are unique in a store and never change.
    pub const fn new(name: &'static str) -> Self {
        Self::part(name, "")
    }

    /// A part of what is named `name`.
    pub(crate) const fn part(name: &'static str, part: &'static str) -> Self {
        Self { name, part, types: PhantomData }
    }

    fn key(&self, key: &K) -> Vec<u8> {
        let mut bytes = self.prefix();
        key.encode_to(&mut bytes);
        bytes
    }

    /// With room for the keys there are.
    fn prefix(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.name.len() + self.part.len() + 1 + KEY_BYTES);
        bytes.extend_from_slice(self.name.as_bytes());
        bytes.extend_from_slice(self.part.as_bytes());
        bytes.push(0);
        bytes
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, StoreError> {
        borsh::from_slice(bytes).map_err(|e| StoreError::Corrupt { table: self.name, reason: e.to_string() })
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or the value does not decode.
    pub fn get(&self, db: &(impl Read + ?Sized), key: &K) -> Result<Option<V>, StoreError> {
        db.get(&self.key(key))?.map(|bytes| self.decode(&bytes)).transpose()
    }

    /// Sets the value of `key`.
    pub fn put(&self, txn: &mut (impl Transaction + ?Sized), key: &K, value: &V) {
        txn.put(self.key(key), borsh::to_vec(value).expect("writing to memory does not fail"));
    }

    /// Removes `key`.
    pub fn delete(&self, txn: &mut (impl Transaction + ?Sized), key: &K) {
        txn.delete(&self.key(key));
    }

    /// Up to `limit` entries whose keys begin with the leading parts `scope`, ascending, from `from` on.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails or an entry does not decode.
    pub fn scan(
        &self,
        db: &(impl Read + ?Sized),
        scope: &impl Key,
        from: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, StoreError> {
        let mut prefix = self.prefix();
        let name_length = prefix.len();
        scope.encode_to(&mut prefix);
        let from = from.map_or_else(|| prefix.clone(), |key| self.key(key));
        let mut entries = Vec::new();
        for (key, value) in db.scan(&prefix, &from, limit)? {
            let key =
                key.get(name_length..).and_then(|mut key| K::decode(&mut key).filter(|_| key.is_empty()));
            let key = key.ok_or(StoreError::Corrupt { table: self.name, reason: "key".to_owned() })?;
            entries.push((key, self.decode(&value)?));
        }
        Ok(entries)
    }

    /// Removes up to `limit` entries whose keys begin with the leading parts `scope`, whether they decode or not;
    /// returns how many.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    pub fn clear(
        &self,
        txn: &mut (impl Transaction + ?Sized),
        scope: &impl Key,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut prefix = self.prefix();
        scope.encode_to(&mut prefix);
        let entries = txn.scan(&prefix, &prefix, limit)?;
        for (key, _) in &entries {
            txn.delete(key);
        }
        Ok(entries.len())
    }
}
