//! Coordinators: their tasks, what their base-chain node tells them, what they decided.

use blake2::Digest as _;
use coordinator_base_chain::Block;
use coordinator_core::session;
use coordinator_store::{Store, StoreError};
use processor_messages::{BaseBlock, ValidatorSet};

use super::{MAX_TURNS, Place, World};
use crate::{coordinator::Task, faults::Kind, rpc, rpc::Answers};

impl World {
    pub(super) fn wake_coordinator(&mut self, index: usize) {
        for _ in 0..MAX_TURNS {
            let mut idle = true;
            let mut tasks = self.coordinators[index].tasks();
            let first = usize::try_from(self.below(tasks.len() as u64)).unwrap_or_default();
            tasks.rotate_left(first);
            let life = self.coordinators[index].disk.life;
            for task in tasks {
                idle &= !self.run_task(index, task);
                if self.coordinators[index].disk.life != life {
                    return;
                }
            }
            if idle {
                return;
            }
        }
    }

    /// Lets a task do one thing; whether it did.
    fn run_task(&mut self, index: usize, task: Task) -> bool {
        let place = Place::Coordinator(index);
        let base = self.setting.base_of(self.coordinators[index].validator);
        let answers = if task.asks_base() { self.answers(base) } else { Answers::Truly };
        let next = match task {
            Task::Observe => self.coordinators[index].next_observed().ok(),
            Task::Follow => self.coordinators[index].next_base_block().ok(),
            _ => None,
        };
        let block = next.and_then(|next| self.block_for(next, base, answers));
        let now = self.schedule.now();
        let falsely = matches!(answers, Answers::Falsely(_));
        self.coordinators[index].base_drops = falsely;
        if falsely && next.is_none() {
            self.counts.fault(Kind::Lie);
        }
        let node = self.bases.get_mut(base).filter(|node| node.disk.up && answers != Answers::Never);
        let did = match self.coordinators[index].run(task, (node, block), now) {
            Ok((effects, of_base)) => {
                if !of_base.is_empty() {
                    self.settle(Place::Base(base), of_base);
                    self.maybe_crash(place);
                }
                let did = effects.is_some();
                if let Some(effects) = effects {
                    self.settle(place, effects);
                }
                did
            }
            Err(error) => {
                self.failed(place, &format!("failed: {error}"));
                false
            }
        };
        self.take_notices(index);
        did
    }

    /// How a base-chain node answers now.
    fn answers(&mut self, base: usize) -> Answers {
        if self.chance(self.faults.rpc, 1_000) {
            self.counts.fault(Kind::Unreachable);
            return Answers::Never;
        }
        if self.chance(self.faults.lie, 1_000) {
            let which = self.below(64);
            return Answers::Falsely(which);
        }
        if self.faulty() && self.faults.lag > 0 {
            // It lags for some seconds, then not for some.
            let now = self.now() / (4 * crate::time::SECOND) + (base as u64);
            let late = if now.is_multiple_of(2) { self.faults.lag } else { 0 };
            return Answers::Late(late);
        }
        Answers::Truly
    }

    /// What the base-chain node gives a coordinator as the next block.
    fn block_for(&mut self, next: BaseBlock, base: usize, answers: Answers) -> Option<Block> {
        let node = self.bases.get(base).filter(|node| node.disk.up)?;
        let block = node.block(next).ok().flatten()?;
        match answers {
            Answers::Truly => Some(block),
            Answers::Never => None,
            Answers::Late(by) => {
                let head = node.head().ok()?;
                let late = head.0 < next.0.saturating_add(by);
                if late {
                    self.counts.fault(Kind::Lag);
                }
                (!late).then_some(block)
            }
            Answers::Falsely(which) => {
                self.counts.fault(Kind::Lie);
                Some(rpc::falsified(block, which, &mut self.rng))
            }
        }
    }

    pub(super) fn take_notices(&mut self, index: usize) {
        let notices = std::mem::take(&mut self.coordinators[index].notices);
        let accepted = self.coordinators[index].accepted.take();
        if !self.is_honest(Place::Coordinator(index)) {
            return;
        }
        let of = self.setting.validator(self.coordinators[index].validator);
        if let Some(block) = accepted {
            self.oracle.accepted(of, &block);
        }
        for notice in notices {
            self.trace(|now| format!("{now}  coordinator {index}: {:?}", notice.event));
            self.oracle.notice(of, &notice);
        }
    }

    pub(super) fn freed(&mut self, index: usize, task: Task) {
        self.coordinators[index].free(task);
        match task {
            Task::Scan(set) => self.look_at_state(index, set),
            Task::Send(_) => {
                let validator = self.coordinators[index].validator;
                for processor in 0..self.processors.len() {
                    if self.processors[processor].validator == validator {
                        self.wake_soon(Place::Processor(processor));
                    }
                }
            }
            _ => {}
        }
    }

    fn look_at_state(&mut self, index: usize, set: ValidatorSet) {
        if !self.is_honest(Place::Coordinator(index)) {
            return;
        }
        let seen = self.coordinators[index].disk.store.read(|db| {
            let Some(record) = session::get(db, set)? else { return Ok(None) };
            let genesis = record.spec.genesis;
            let state = session::state_hash(db, genesis)?;
            Ok::<_, StoreError>(Some((genesis, session::applied_through(db, genesis)?, state)))
        });
        if let Ok(Some((genesis, through, state))) = seen {
            self.digest.update(state);
            self.oracle.state(genesis, through, state);
        }
    }
}
