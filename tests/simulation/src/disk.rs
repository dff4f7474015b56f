//! A process's disk: what a step decides leaves only once the step is durable, and a crash forgets the rest.

use coordinator_store::{MemoryStore, SyncMode};
use processor_messages::Genesis;
use tributary::Output;

use crate::coordinator::Task;

/// What a durable step lets happen.
#[derive(Debug)]
pub enum Effect {
    /// An output of the chain's node.
    Chain(Genesis, Output),
    /// The task which made the step may go on.
    Free(Task),
    /// A processor handled the message of this id.
    Handled(u64),
    /// A coordinator has a letter of this processor, sent in this life under this intent.
    Taken {
        /// Which processor.
        processor: usize,
        /// In which life it sent it.
        life: u64,
        /// Under which intent.
        intent: Vec<u8>,
    },
}

/// A store with what waits for its next sync.
pub struct Disk {
    /// The store; clones are handles of it.
    pub store: MemoryStore,
    /// How often the process crashed.
    pub life: u64,
    /// Whether the process runs.
    pub up: bool,
    /// Whether a sync is under way.
    pub syncing: bool,
    waiting: Vec<Effect>,
}

impl Default for Disk {
    fn default() -> Self {
        let store = MemoryStore::new(SyncMode::Manual);
        Self { store, life: 0, up: false, syncing: false, waiting: Vec::new() }
    }
}

impl Disk {
    /// Keeps effects until the steps made so far are durable. True if a sync is to be scheduled.
    pub fn submit(&mut self, effects: impl IntoIterator<Item = Effect>) -> bool {
        self.waiting.extend(effects);
        !std::mem::replace(&mut self.syncing, true)
    }

    /// Everything submitted is durable: what may happen now.
    pub fn sync(&mut self) -> Vec<Effect> {
        self.store.sync();
        self.syncing = false;
        std::mem::take(&mut self.waiting)
    }

    /// The process loses power; the disk may have taken the oldest `kept` of the steps which were not reported durable.
    pub fn crash(&mut self, kept: usize) {
        self.store = self.store.crash_keeping(kept);
        self.life += 1;
        self.up = false;
        self.syncing = false;
        self.waiting.clear();
    }

    /// The disk is lost.
    pub fn wipe(&mut self) {
        self.crash(0);
        self.store = MemoryStore::new(SyncMode::Manual);
    }
}
