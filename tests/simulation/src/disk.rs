//! A process's disk: what a step decides leaves only once the step is durable, and a crash forgets the rest.
//!
//! ```text
//! step -> submit(effects) --sync--> effects happen
//!            |  crash: the oldest pending steps may be kept; the write under way may be torn (the log's own codec
//!            |         says which of its steps are whole); the rest is lost, and its effects never happen
//!            +- full: steps err until there is room and the process was started again
//! ```

use coordinator_store::{MemoryStore, SyncMode};
use coordinator_store_disk::torn;
use processor_messages::Genesis;
use rand_chacha::ChaCha8Rng;
use rand_core::RngCore;
use tributary::Output;

use crate::{coordinator::Task, time::Time};

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

/// An effect, and the number of the step which decided it.
#[derive(Debug)]
pub struct Decided {
    /// How many steps the store had taken when it was decided.
    pub step: u64,
    /// What is to happen.
    pub effect: Effect,
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
    /// Until when the disk is full.
    pub full_until: Option<Time>,
    /// How many changes were durable when an oracle looked at it last.
    pub watched: Option<u64>,
    waiting: Vec<Decided>,
}

impl Default for Disk {
    fn default() -> Self {
        let store = MemoryStore::new(SyncMode::Manual);
        Self {
            store,
            life: 0,
            up: false,
            syncing: false,
            full_until: None,
            watched: None,
            waiting: Vec::new(),
        }
    }
}

impl Disk {
    /// Keeps effects until the steps made so far are durable. True if a sync is to be scheduled.
    pub fn submit(&mut self, effects: impl IntoIterator<Item = Effect>) -> bool {
        let step = self.store.steps();
        self.waiting.extend(effects.into_iter().map(|effect| Decided { step, effect }));
        !std::mem::replace(&mut self.syncing, true)
    }

    /// Takes what waits without its being durable: what a broken driver does.
    pub fn leak(&mut self) -> Vec<Decided> {
        std::mem::take(&mut self.waiting)
    }

    /// Everything submitted is durable: what may happen now. Nothing if the disk failed meanwhile.
    pub fn sync(&mut self) -> Vec<Decided> {
        if self.has_failed() {
            return Vec::new();
        }
        self.store.sync();
        self.syncing = false;
        std::mem::take(&mut self.waiting)
    }

    /// How many steps are durable.
    pub fn durable(&self) -> u64 {
        self.store.steps().saturating_sub(self.store.pending() as u64)
    }

    /// The disk has no room until a time: every step errs, and what was not durable never will be.
    pub fn fill(&mut self, until: Time) {
        self.full_until = Some(until);
        self.store.stop("no space left on the device");
    }

    /// Whether steps err.
    pub fn has_failed(&self) -> bool {
        self.store.stopped().is_some()
    }

    /// The process loses power. Of the steps which were not reported durable the disk may have taken the oldest; with
    /// `torn`, what is whole of a batch of which it took some bytes, one of them possibly wrong.
    pub fn crash(&mut self, torn: bool, rng: &mut ChaCha8Rng) {
        let kept = if torn { kept_of_torn(&self.store, rng) } else { below(rng, 4) };
        self.store = self.store.crash_keeping(kept);
        self.forget();
    }

    /// The disk is lost.
    pub fn wipe(&mut self) {
        drop(self.store.crash_keeping(0));
        self.store = MemoryStore::new(SyncMode::Manual);
        self.forget();
    }

    fn forget(&mut self) {
        self.life += 1;
        self.up = false;
        self.syncing = false;
        self.watched = None;
        self.waiting.clear();
    }
}

fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    usize::try_from(rng.next_u64() % (bound.max(1) as u64)).unwrap_or_default()
}

fn kept_of_torn(store: &MemoryStore, rng: &mut ChaCha8Rng) -> usize {
    let pending = store.pending_writes();
    let taken = below(rng, torn::batch_bytes(&pending) + 1);
    let damaged = (below(rng, 4) == 0).then(|| below(rng, taken));
    torn::whole_steps(&pending, taken, damaged)
}
