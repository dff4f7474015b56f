//! Disks for tests: power may fail at any operation, and takes what no fsync covers.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use coordinator_store::{Pairs, Read, StoreError};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use crate::{
    OpenError,
    fs::{LogFile, LogFs},
    levels::Map,
    tables::{TableFiles, Tables},
};

/// A random number below `bound`.
pub(super) fn below(rng: &mut impl RngCore, bound: usize) -> usize {
    usize::try_from(rng.next_u64() % u64::try_from(bound.max(1)).unwrap()).unwrap()
}

/// Which of the log's fsyncs do what they say.
#[derive(Clone, Copy)]
pub(super) struct Fsync {
    pub(super) file: bool,
    pub(super) directory: bool,
}

/// A machine's disk: the log's files and the table store. Clones are the same disk.
#[derive(Clone)]
pub(super) struct SimDisk(Arc<Mutex<State>>);

struct State {
    fsync: Fsync,
    rng: ChaCha8Rng,
    /// Operations until power fails; counted for the log and the tables together.
    operations_left: Option<usize>,
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Names created (with their file) and removed since the directory's last fsync.
    renames: Vec<(String, Option<usize>)>,
    tables: (BTreeMap<Vec<u8>, Vec<u8>>, u64),
    /// Commits which the table store took and did not make durable.
    commits: Vec<(Map, u64)>,
    removals: usize,
}

#[derive(Clone, Default)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
}

impl SimDisk {
    pub(super) fn new(seed: u64, fsync: Fsync) -> Self {
        Self(Arc::new(Mutex::new(State {
            fsync,
            rng: ChaCha8Rng::seed_from_u64(seed),
            operations_left: None,
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            renames: Vec::new(),
            tables: (BTreeMap::new(), 0),
            commits: Vec::new(),
            removals: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn fail_after(&self, operations: usize) {
        self.lock().operations_left = Some(operations);
    }

    /// Whether power has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.lock().operations_left == Some(0)
    }

    /// How often the log was emptied or a segment of it removed.
    pub(super) fn removals(&self) -> usize {
        self.lock().removals
    }

    /// Cuts power: what no fsync covers is dropped, torn and reordered. Then power is back.
    pub(super) fn crash(&self) {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.operations_left = None;
        let mut names = std::mem::take(&mut state.durable_names);
        for (name, inode) in state.renames.drain(..) {
            match inode {
                _ if state.rng.next_u32().is_multiple_of(2) => {}
                Some(inode) => drop(names.insert(name, inode)),
                None => drop(names.remove(&name)),
            }
        }
        for inode in &mut state.inodes {
            inode.bytes = tear(&mut state.rng, inode);
            inode.durable = inode.bytes.clone();
        }
        state.names = names.clone();
        state.durable_names = names;
        let kept = below(&mut state.rng, state.commits.len() + 1);
        state.flush(kept);
        state.commits.clear();
    }

    /// Flips a byte of a file; for damage that no crash explains.
    pub(super) fn damage(&self, name: &str, offset: usize) {
        let mut state = self.lock();
        let inode = state.names[name];
        state.inodes[inode].bytes[offset] ^= 1;
    }

    /// Removes a file as an operator might.
    pub(super) fn lose(&self, name: &str) {
        self.lock().names.remove(name);
    }

    /// The bytes of a file, as they read now.
    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.lock();
        state.inodes[state.names[name]].bytes.clone()
    }

    /// Replaces a file's bytes.
    pub(super) fn set_bytes(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.lock();
        let inode = state.names[name];
        state.inodes[inode].bytes = bytes;
    }
}

/// What a crash leaves of a file: any length between, and of each unsynced sector the new bytes, the old,
/// a beginning of the new, or noise.
fn tear(rng: &mut ChaCha8Rng, Inode { bytes, durable }: &Inode) -> Vec<u8> {
    const SECTOR: usize = 64;
    if bytes == durable {
        return bytes.clone();
    }
    let (short, long) = (bytes.len().min(durable.len()), bytes.len().max(durable.len()));
    let length = short + below(rng, long - short + 1);
    let mut left = vec![0; length];
    for (index, sector) in left.chunks_mut(SECTOR).enumerate() {
        let choice = rng.next_u32() % 6;
        let torn_at = below(rng, SECTOR);
        for (offset, byte) in sector.iter_mut().enumerate() {
            let position = index * SECTOR + offset;
            let (new, old) = (bytes.get(position).copied(), durable.get(position).copied());
            *byte = match choice {
                _ if new == old => old.unwrap_or(0),
                0 | 1 => new.or(old).unwrap_or(0),
                2 | 3 => old.unwrap_or(0),
                4 if offset < torn_at => new.or(old).unwrap_or(0),
                4 => old.unwrap_or(0),
                _ => u8::try_from(rng.next_u32() & 0xff).unwrap(),
            };
        }
    }
    left
}

impl State {
    /// Counts one operation; an error if power is gone. The operation at which it goes may still happen.
    fn operate(&mut self) -> io::Result<bool> {
        match &mut self.operations_left {
            None => Ok(true),
            Some(0) => Err(io::Error::other("no power")),
            Some(left) => {
                *left -= 1;
                Ok(*left > 0)
            }
        }
    }

    /// Does the first `count` pending commits of the table store durably.
    fn flush(&mut self, count: usize) {
        for (writes, position) in self.commits.drain(..count) {
            for (key, value) in writes {
                match value {
                    Some(value) => drop(self.tables.0.insert(key, value.to_vec())),
                    None => drop(self.tables.0.remove(&key)),
                }
            }
            self.tables.1 = position;
        }
    }
}

/// Power went during this operation.
fn gone<T>() -> io::Result<T> {
    Err(io::Error::other("power fails"))
}

pub(super) struct SimFile {
    disk: SimDisk,
    inode: usize,
}

impl LogFs for SimDisk {
    type File = SimFile;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.lock();
        let inode = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.inodes[inode].bytes.clone())
    }

    fn create(&self, name: &str) -> io::Result<SimFile> {
        let mut state = self.lock();
        let alive = state.operate()?;
        let inode = if let Some(inode) = state.names.get(name).copied() {
            state.inodes[inode].bytes.clear();
            inode
        } else {
            state.inodes.push(Inode::default());
            let inode = state.inodes.len() - 1;
            state.names.insert(name.to_owned(), inode);
            state.renames.push((name.to_owned(), Some(inode)));
            inode
        };
        if alive { Ok(SimFile { disk: self.clone(), inode }) } else { gone() }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        let alive = state.operate()?;
        state.removals += 1;
        state.names.remove(name);
        state.renames.push((name.to_owned(), None));
        if alive { Ok(()) } else { gone() }
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.lock();
        if !state.operate()? {
            return gone();
        }
        if state.fsync.directory {
            state.renames.clear();
            state.durable_names = state.names.clone();
        }
        Ok(())
    }

    fn salt(&self) -> u64 {
        self.lock().rng.next_u64()
    }
}

impl LogFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.lock();
        let alive = state.operate()?;
        let written = if alive { bytes.len() } else { below(&mut state.rng, bytes.len() + 1) };
        state.inodes[self.inode].bytes.extend(&bytes[..written]);
        if alive { Ok(()) } else { gone() }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.lock();
        if !state.operate()? {
            return gone();
        }
        if state.fsync.file {
            let inode = &mut state.inodes[self.inode];
            inode.durable = inode.bytes.clone();
        }
        Ok(())
    }
}

/// The table store of a [`SimDisk`]: what it took is durable once it was closed, and not sooner.
pub(super) struct SimTables(SimDisk);

impl TableFiles for SimDisk {
    type Tables = SimTables;

    fn open(&self) -> Result<SimTables, OpenError> {
        self.lock().operate().map_err(OpenError::io("open", "tables"))?;
        Ok(SimTables(self.clone()))
    }

    fn close(&self, tables: SimTables) -> Result<(), OpenError> {
        drop(tables);
        let mut state = self.lock();
        if !state.operate().map_err(OpenError::io("close", "tables"))? {
            return gone().map_err(OpenError::io("close", "tables"));
        }
        let all = state.commits.len();
        state.flush(all);
        Ok(())
    }
}

impl SimTables {
    fn live(&self) -> (BTreeMap<Vec<u8>, Vec<u8>>, u64) {
        let state = self.0.lock();
        let (mut pairs, mut position) = state.tables.clone();
        for (writes, at) in &state.commits {
            for (key, value) in writes {
                match value {
                    Some(value) => drop(pairs.insert(key.clone(), value.to_vec())),
                    None => drop(pairs.remove(key)),
                }
            }
            position = *at;
        }
        (pairs, position)
    }
}

impl Tables for SimTables {
    fn position(&self) -> Result<u64, StoreError> {
        Ok(self.live().1)
    }

    fn commit(&self, writes: &Map, position: u64) -> Result<(), StoreError> {
        let mut state = self.0.lock();
        let alive = state.operate().map_err(|error| StoreError::Disk(error.to_string()))?;
        state.commits.push((writes.clone(), position));
        if alive { Ok(()) } else { Err(StoreError::Disk("power fails".to_owned())) }
    }
}

impl Read for SimTables {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.live().0.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        let (pairs, _) = self.live();
        let from = from.max(prefix).to_vec();
        let pairs = pairs.into_iter().filter(|(key, _)| key.starts_with(prefix) && *key >= from);
        Ok(pairs.take(limit).collect())
    }
}
