//! Processors: what they take from their queue, make, compute and say; and how they hang.

use coordinator_message_queue::{Direction, QueueError, queue};
use coordinator_store::Store;
use processor_messages::{FromProcessor, Intent, ToProcessor, codec::MAX_MESSAGE_BYTES, decode};
use simulated_processor::{
    dkg::{Context, KeyGenError},
    processor::Done,
};

use super::{Place, What, World};
use crate::{
    disk::Effect,
    faults::Kind,
    liar,
    manner::Manner,
    time::{MS, SECOND},
};

impl World {
    /// The coordinator whose queue a processor uses, if it answers.
    fn queue_of(&mut self, processor: usize) -> Option<usize> {
        let validator = self.processors[processor].validator;
        let up = self.coordinators.get(validator).is_some_and(|node| node.disk.up && !node.disk.has_failed());
        if up && !self.chance(self.faults.http, 2_000) {
            return Some(validator);
        }
        if up {
            self.counts.fault(Kind::Queue);
        }
        None
    }

    fn hangs(&mut self, index: usize) -> bool {
        let now = self.now();
        if self.processors[index].hangs_until > now {
            return true;
        }
        if self.chance(self.faults.hang, 10_000) {
            self.counts.fault(Kind::Hang);
            let until = now + 2 * SECOND + self.below(8 * SECOND);
            self.trace(|now| format!("{now}  processor {index} hangs"));
            self.processors[index].hangs_until = until;
            return true;
        }
        false
    }

    pub(super) fn wake_processor(&mut self, index: usize) {
        if self.hangs(index) {
            return;
        }
        let life = self.processors[index].disk.life;
        let turns: [fn(&mut Self, usize); 6] = [
            Self::deliver_message,
            Self::send_letter,
            Self::begin_job,
            Self::scan_network,
            Self::pay,
            Self::watch_accounts,
        ];
        for turn in turns {
            turn(self, index);
            if self.processors[index].disk.life != life {
                return;
            }
        }
    }

    pub(super) fn processor_failed(&mut self, index: usize, error: &impl std::fmt::Display) {
        self.failed(Place::Processor(index), &format!("failed: {error}"));
    }

    fn deliver_message(&mut self, index: usize) {
        let network = self.processors[index].name(&self.setting);
        let Some(coordinator) = self.queue_of(index) else { return };
        let store = self.coordinators[coordinator].disk.store.clone();
        let Ok(Some((id, bytes))) = store.read(|db| queue::head(db, network, Direction::ToProcessor)) else {
            return;
        };
        let Ok(message) = decode::<ToProcessor>(&bytes, MAX_MESSAGE_BYTES) else { return };
        let node = &self.processors[index];
        let Some(processor) = node.processor.as_ref().filter(|_| !node.disk.syncing) else { return };
        let processor = processor.clone();
        if self.is_honest(Place::Processor(index)) {
            self.oracle.handed(index, &message);
        }
        match processor.handle(message) {
            Ok(commit) => {
                drop(commit);
                self.settle(Place::Processor(index), vec![Effect::Handled(id)]);
            }
            Err(error) => self.processor_failed(index, &error),
        }
    }

    pub(super) fn acknowledge(&mut self, index: usize, id: u64) {
        let network = self.processors[index].name(&self.setting);
        let Some(coordinator) = self.queue_of(index) else { return };
        let store = self.coordinators[coordinator].disk.store.clone();
        let acknowledged =
            store.write(|txn| queue::acknowledge(txn, network, Direction::ToProcessor, id)).is_ok();
        if acknowledged {
            self.settle(Place::Coordinator(coordinator), Vec::new());
        }
    }

    fn send_letter(&mut self, index: usize) {
        let node = &self.processors[index];
        let (network, life, validator) = (node.name(&self.setting), node.disk.life, node.validator);
        let Some(processor) = node.processor.as_ref().filter(|_| !node.disk.syncing) else { return };
        let Ok(letters) = processor.letters(1) else { return };
        let Some((intent, bytes)) = letters.into_iter().next() else { return };
        let manner = self.manner(validator);
        if manner == Manner::Honest {
            self.oracle.letter(index, network, &intent, &bytes);
        }
        let Some(coordinator) = self.queue_of(index) else { return };
        let Some(said) = liar::say(manner, bytes.clone()) else {
            self.counts.lie(manner);
            return self.taken(index, life, &intent);
        };
        if said != bytes {
            self.counts.lie(manner);
        }
        let store = self.coordinators[coordinator].disk.store.clone();
        let Ok(message) = decode::<FromProcessor>(&said, MAX_MESSAGE_BYTES) else { return };
        let named: Intent = message.intent(network);
        match store.write(|txn| queue::push(txn, network, Direction::FromProcessor, &named, said)) {
            Ok(_) => {
                let taken = Effect::Taken { processor: index, life, intent };
                self.settle(Place::Coordinator(coordinator), vec![taken]);
            }
            // Its disk is full; the processor asks again.
            Err(QueueError::Store(_)) => {}
            Err(error) => self.processor_failed(index, &error),
        }
    }

    /// The coordinator's answer arrives, unless it is lost.
    pub(super) fn taken(&mut self, index: usize, life: u64, intent: &[u8]) {
        let node = &self.processors[index];
        let Some(processor) = node.processor.as_ref().filter(|_| node.disk.life == life) else { return };
        let processor = processor.clone();
        if self.chance(self.faults.http, 2_000) {
            self.counts.fault(Kind::Queue);
            return;
        }
        match processor.sent(intent) {
            Ok(commit) => {
                drop(commit);
                self.settle(Place::Processor(index), Vec::new());
            }
            Err(error) => self.processor_failed(index, &error),
        }
    }

    fn begin_job(&mut self, index: usize) {
        match self.processors[index].next_job() {
            Ok(Some((job, done))) => {
                let after = 50 * MS + self.below(2 * SECOND);
                let life = self.processors[index].disk.life;
                let done = What::Computed(index, life, Box::new(job.context), Box::new(done));
                self.schedule.after(after, done);
            }
            Ok(None) => {}
            Err(error) => self.processor_failed(index, &error),
        }
    }

    pub(super) fn computed(
        &mut self,
        index: usize,
        life: u64,
        context: Box<Context>,
        done: Box<Result<Done, KeyGenError>>,
    ) {
        let now = self.now();
        let node = &mut self.processors[index];
        if node.disk.life != life {
            return;
        }
        if node.hangs_until > now {
            let after = node.hangs_until - now;
            self.schedule.after(after, What::Computed(index, life, context, done));
            return;
        }
        node.computing = false;
        let Some(processor) = node.processor.as_ref() else { return };
        match processor.record(&context, *done) {
            Ok(commit) => {
                drop(commit);
                self.settle(Place::Processor(index), Vec::new());
            }
            Err(error) => self.processor_failed(index, &error),
        }
    }

    fn scan_network(&mut self, index: usize) {
        let base = self.setting.base_of(self.processors[index].validator);
        let skew = self.bases.get(base).map_or(0, |base| base.skew_ms);
        let now = self.unix_ms().saturating_add_signed(skew);
        let Some(processor) = self.processors[index].processor.as_ref() else { return };
        match processor.scan(now) {
            Ok((true, commit)) => {
                drop(commit);
                self.settle(Place::Processor(index), Vec::new());
            }
            Ok((false, commit)) => drop(commit),
            Err(error) => self.processor_failed(index, &error),
        }
    }
}
