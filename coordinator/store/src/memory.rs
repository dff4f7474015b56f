//! A store in memory, for tests and the simulator, which can lose what a power loss may take.
//!
//! ```text
//! write -> submitted --sync()--> durable        crash(): what is durable, as a new store
//!            ^ steps see this      ^ readers see this
//! ```
//!
//! In [`SyncMode::Manual`] nothing is durable until [`MemoryStore::sync`]. It holds no clock and no randomness:
//! the same calls give the same states. It does not bound what is pending; the simulator syncs.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    Commit, Completion, Pairs, Read, Store, StoreError, Transaction,
    commit::commit_pair,
    overlay::{Step, Writes},
};

/// When a step becomes durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SyncMode {
    /// At once: its commit is complete when `write` returns.
    #[default]
    Automatic,
    /// When [`MemoryStore::sync`] says so.
    Manual,
}

/// A store in memory. Clones are handles of the same store.
#[derive(Clone, Debug)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    sync: SyncMode,
    submitted: Map,
    durable: Map,
    pending: VecDeque<(Writes, Completion)>,
    steps: u64,
    changes: u64,
    steps_left: Option<u64>,
    stopped: Option<String>,
    #[cfg(feature = "mutations")]
    unsynced: Unsynced,
}

/// What a disk holds which takes a while although it said that it was done.
#[cfg(feature = "mutations")]
#[derive(Debug, Default)]
struct Unsynced {
    on_disk: Map,
    waiting: VecDeque<Writes>,
}

#[cfg(feature = "mutations")]
impl Unsynced {
    /// The most steps which are not on disk yet.
    const LATE: usize = 8;

    fn apply(&mut self, writes: &Writes) {
        if !mutated!(SkipFsync) {
            return;
        }
        self.waiting.push_back(writes.clone());
        if self.waiting.len() > Self::LATE
            && let Some(writes) = self.waiting.pop_front()
        {
            self.on_disk.apply(writes);
        }
    }

    fn durable<'a>(&'a self, durable: &'a Map) -> &'a Map {
        if mutated!(SkipFsync) { &self.on_disk } else { durable }
    }
}

#[derive(Clone, Debug, Default)]
struct Map(BTreeMap<Vec<u8>, Vec<u8>>);

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(SyncMode::Automatic)
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new(sync: SyncMode) -> Self {
        Self::with(sync, Map::default())
    }

    fn with(sync: SyncMode, map: Map) -> Self {
        #[cfg(feature = "mutations")]
        let unsynced = Unsynced { on_disk: map.clone(), waiting: VecDeque::new() };
        let state = State {
            sync,
            submitted: map.clone(),
            durable: map,
            #[cfg(feature = "mutations")]
            unsynced,
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Changes when steps become durable. To [`SyncMode::Automatic`], everything pending becomes durable now.
    pub fn set_sync(&self, sync: SyncMode) {
        self.lock().sync = sync;
        if sync == SyncMode::Automatic {
            self.sync();
        }
    }

    /// Makes every pending step durable and completes its commit.
    pub fn sync(&self) {
        self.sync_steps(usize::MAX);
    }

    /// Makes the oldest `steps` pending steps durable and completes their commits.
    pub fn sync_steps(&self, steps: usize) {
        let completions = self.lock().sync_steps(steps);
        for completion in completions {
            completion.complete(Ok(()));
        }
    }

    /// How many steps are submitted and not durable.
    pub fn pending(&self) -> usize {
        self.lock().pending.len()
    }

    /// What the steps write which are submitted and not durable, oldest first.
    pub fn pending_writes(&self) -> Vec<Writes> {
        self.lock().pending.iter().map(|(writes, _)| writes.clone()).collect()
    }

    /// Why the store stopped, if it did.
    pub fn stopped(&self) -> Option<String> {
        self.lock().stopped.clone()
    }

    /// How many steps were submitted since this store was made.
    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// How many steps became durable since this store was made which wrote anything: while it stays, readers read the same.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Lets `steps` more steps pass; the one after them stops the store. This puts a crash between two
    /// steps of one task; [`MemoryStore::crash`] then gives what is left.
    pub fn stop_after(&self, steps: u64) {
        self.lock().steps_left = Some(steps);
    }

    /// Stops this store as a failing disk does: later steps and pending commits err. Durable state stays
    /// readable.
    pub fn stop(&self, reason: &str) {
        let pending = self.lock().stop(reason);
        fail(pending, reason);
    }

    /// Loses power with nothing pending kept: stops this store and returns what a restart finds.
    pub fn crash(&self) -> Self {
        self.crash_keeping(0)
    }

    /// Loses power with the oldest `steps` pending steps kept, which the disk may have taken without having
    /// said so: stops this store, the commits of all pending steps err, and what a restart finds is returned.
    pub fn crash_keeping(&self, steps: usize) -> Self {
        let mut state = self.lock();
        let completions = state.sync_steps(steps);
        let pending = state.stop(POWER_LOSS);
        #[cfg(feature = "mutations")]
        let durable = state.unsynced.durable(&state.durable);
        #[cfg(not(feature = "mutations"))]
        let durable = &state.durable;
        let after = Self::with(state.sync, durable.clone());
        drop(state);
        fail(completions, POWER_LOSS);
        fail(pending, POWER_LOSS);
        after
    }

    /// A panicking step has written nothing yet, so poison means nothing here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const POWER_LOSS: &str = "it lost power";

fn fail(completions: Vec<Completion>, reason: &str) {
    for completion in completions {
        completion.complete(Err(StoreError::Stopped(reason.to_owned())));
    }
}

impl State {
    fn sync_steps(&mut self, steps: usize) -> Vec<Completion> {
        let steps = steps.min(self.pending.len());
        let mut completions = Vec::with_capacity(steps);
        for (writes, completion) in self.pending.drain(..steps) {
            #[cfg(feature = "mutations")]
            self.unsynced.apply(&writes);
            self.changes += u64::from(!writes.is_empty());
            self.durable.apply(writes);
            completions.push(completion);
        }
        completions
    }

    fn stop(&mut self, reason: &str) -> Vec<Completion> {
        self.stopped.get_or_insert_with(|| reason.to_owned());
        self.pending.drain(..).map(|(_, completion)| completion).collect()
    }

    /// Refuses a step if the store stopped, or stops now.
    fn admit(&mut self) -> Result<(), StoreError> {
        if let Some(reason) = &self.stopped {
            return Err(StoreError::Stopped(reason.clone()));
        }
        match &mut self.steps_left {
            // Pending steps stay: `crash_keeping` says which of them the disk took.
            Some(0) => {
                self.stopped = Some(POWER_LOSS.to_owned());
                Err(StoreError::Stopped(POWER_LOSS.to_owned()))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Map {
    fn apply(&mut self, writes: Writes) {
        for (key, value) in writes {
            match value {
                Some(value) => self.0.insert(key, value),
                None => self.0.remove(&key),
            };
        }
    }
}

impl Read for Map {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        let range = self.0.range::<[u8], _>((Bound::Included(from.max(prefix)), Bound::Unbounded));
        let pairs = range.take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        Ok(pairs.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

impl Store for MemoryStore {
    type Commit = Commit;

    fn write<T, E: From<StoreError>>(
        &self,
        step: impl FnOnce(&mut dyn Transaction) -> Result<T, E>,
    ) -> Result<(T, Commit), E> {
        let mut state = self.lock();
        state.admit()?;
        let mut txn = Step::new(&state.submitted);
        let value = step(&mut txn)?;
        let writes = txn.finish()?;
        let (completion, commit) = commit_pair();
        state.submitted.apply(writes.clone());
        state.pending.push_back((writes, completion));
        state.steps += 1;
        let automatic = state.sync == SyncMode::Automatic;
        drop(state);
        if automatic {
            self.sync();
        }
        Ok((value, commit))
    }

    fn read<T>(&self, read: impl FnOnce(&dyn Read) -> T) -> T {
        read(&self.lock().durable)
    }
}
