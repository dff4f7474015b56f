//! A whole network: who runs, what is on its way, what goes wrong.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, atomic::Ordering},
};

use base_chain_node::application::BaseInput;
use blake2::{Blake2b, Digest, digest::consts::U32};
use coordinator_base_chain::Transaction;
use coordinator_core::session;
use coordinator_message_queue::{Direction, queue};
use coordinator_store::{MemoryStore, Store};
use processor_messages::{
    Amount, BaseBlock, Burn, FromProcessor, Genesis, Intent, KeyBytes, List, SigningPiece, ToProcessor,
    Validator, codec::MAX_MESSAGE_BYTES, decode, encode, key_gen, sign,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use simulated_processor::{
    dkg::{Context, KeyGenError, dealt},
    ledger::{self, SignedPayment},
    processor::Done,
};
use tributary::{ChainInput, DECIDED, Input, Output, Timer};

use crate::{
    base::Base,
    coordinator::{CoordinatorNode, Task},
    disk::{Disk, Effect},
    faults::{Faults, Manner},
    oracle::Oracle,
    processor::ProcessorNode,
    setting::{START_UNIX_MS, Setting},
    time::{MS, SECOND, Schedule, Time},
};

/// The longest that a task waits without being woken.
const TICK: Time = SECOND;
/// Looks at all tasks of a process without a pause.
const MAX_TURNS: usize = 8;
/// Messages kept for being sent again by somebody else.
const MAX_SEEN: usize = 256;

/// A process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// A base-chain node.
    Base(usize),
    /// A coordinator.
    Coordinator(usize),
    /// A processor.
    Processor(usize),
}

/// What arrives at a chain's node.
#[derive(Clone, Debug)]
enum Arrival {
    Message { from: Validator, bytes: Vec<u8> },
    Request { from: Validator, id: u64, bytes: Vec<u8> },
    Response { from: Validator, bytes: Vec<u8> },
}

enum What {
    Chain(Place, Genesis, Arrival),
    Timer(Place, Genesis, Timer),
    Synced(Place, u64),
    Start(Place),
    Wake(Place),
    Tick(Place),
    Computed(usize, u64, Box<Context>, Box<Result<Done, KeyGenError>>),
    Garbage(usize),
    Partition,
    Heal,
}

/// Faults that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Counts {
    /// Events.
    pub steps: u64,
    /// Messages lost.
    pub lost: u64,
    /// Messages delivered twice.
    pub duplicated: u64,
    /// Processes which lost power.
    pub crashes: u64,
    /// Disks lost.
    pub wiped: u64,
    /// Partitions.
    pub partitions: u64,
    /// Calls of a base-chain node or a queue which failed.
    pub calls: u64,
    /// Messages of liars.
    pub lies: u64,
}

impl Counts {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.crashes += other.crashes;
        self.wiped += other.wiped;
        self.partitions += other.partitions;
        self.calls += other.calls;
        self.lies += other.lies;
    }
}

/// A network in a run.
pub struct World {
    /// What is fixed.
    pub setting: Arc<Setting>,
    /// What goes wrong.
    pub faults: Faults,
    /// What went wrong.
    pub counts: Counts,
    /// What must hold.
    pub oracle: Oracle,
    /// What happened, line by line, if wanted.
    pub trace: Option<Vec<String>>,
    schedule: Schedule<What>,
    rng: ChaCha8Rng,
    bases: Vec<Base>,
    coordinators: Vec<CoordinatorNode>,
    processors: Vec<ProcessorNode>,
    /// What each network's accounts paid, by number.
    ledgers: Vec<MemoryStore>,
    questions: BTreeMap<u64, Place>,
    next_question: u64,
    apart: BTreeSet<usize>,
    seen: VecDeque<(Genesis, Vec<u8>)>,
    woken: BTreeSet<Place>,
    digest: Blake2b<U32>,
    finalized: BaseBlock,
}

impl World {
    /// A network which is about to start.
    pub fn new(setting: Arc<Setting>, faults: Faults, seed: u64) -> Self {
        let networks = setting.networks.clone();
        let honest = (0..setting.keys.len())
            .filter(|index| faults.manners.get(*index) == Some(&Manner::Honest))
            .map(|index| setting.validator(index))
            .collect();
        let mut world = Self {
            faults,
            counts: Counts::default(),
            oracle: Oracle::of(honest),
            trace: None,
            schedule: Schedule::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            bases: (0..setting.keys.len()).map(Base::new).collect(),
            coordinators: Vec::new(),
            processors: Vec::new(),
            ledgers: networks.iter().map(|_| MemoryStore::default()).collect(),
            questions: BTreeMap::new(),
            next_question: 0,
            apart: BTreeSet::new(),
            seen: VecDeque::new(),
            woken: BTreeSet::new(),
            digest: Blake2b::new(),
            finalized: BaseBlock(0),
            setting: setting.clone(),
        };
        for index in 0..setting.keys.len() {
            let seed = world.rng.next_u64();
            world.coordinators.push(CoordinatorNode::new(&setting, index, networks.clone(), seed));
            for network in 0..networks.len() {
                let seed = world.rng.next_u64();
                world.processors.push(ProcessorNode::new(index, network, seed));
            }
        }
        for index in 0..setting.keys.len() {
            if world.manner(index) == Manner::Twin {
                let seed = world.rng.next_u64();
                world.coordinators.push(CoordinatorNode::new(&setting, index, Vec::new(), seed));
            }
        }
        world.begin();
        world
    }

    fn begin(&mut self) {
        let skews: Vec<u64> = self.bases.iter().map(|_| self.rng.next_u64()).collect();
        let places = (0..self.bases.len()).map(Place::Base);
        let places = places.chain((0..self.coordinators.len()).map(Place::Coordinator));
        let places: Vec<_> = places.chain((0..self.processors.len()).map(Place::Processor)).collect();
        for place in places {
            match self.manner(self.validator_of(place)) {
                Manner::Silent => continue,
                Manner::Garbage if !matches!(place, Place::Base(_)) => continue,
                _ => {}
            }
            let after = self.below(300 * MS);
            self.schedule.after(after, What::Start(place));
            self.schedule.after(after, What::Tick(place));
        }
        for (base, skew) in self.bases.iter().zip(skews) {
            let skew = skew % (self.faults.skew_ms + 1);
            base.clock.store(START_UNIX_MS + skew, Ordering::Relaxed);
        }
        for index in 0..self.coordinators.len() {
            if self.manner(index) == Manner::Garbage {
                self.schedule.after(SECOND, What::Garbage(index));
            }
        }
        if self.faults.partition > 0 {
            self.schedule.after(self.faults.partition, What::Partition);
        }
        self.schedule.after(self.faults.until, What::Heal);
    }

    fn manner(&self, validator: usize) -> Manner {
        self.faults.manners.get(validator).copied().unwrap_or(Manner::Honest)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    fn faulty(&self) -> bool {
        self.schedule.now() < self.faults.until
    }

    /// Happens with this chance while there are faults.
    fn chance(&mut self, of: u64, among: u64) -> bool {
        self.faulty() && of > 0 && self.below(among) < of
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.schedule.now()
    }

    /// The hash of everything that happened.
    pub fn hash(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }

    /// Runs until a time; ends early at a violation.
    pub fn run(&mut self, until: Time) {
        while self.oracle.violations.is_empty() {
            let Some((number, what)) = self.schedule.next(until) else { return };
            self.counts.steps += 1;
            self.digest.update(number.to_le_bytes());
            self.digest.update(self.schedule.now().to_le_bytes());
            self.set_clocks();
            self.happen(number, what);
        }
    }

    fn set_clocks(&mut self) {
        let now = START_UNIX_MS + (self.schedule.now() / MS);
        for base in &self.bases {
            base.clock.fetch_max(now, Ordering::Relaxed);
        }
    }

    fn happen(&mut self, number: u64, what: What) {
        match what {
            What::Chain(Place::Coordinator(index), genesis, arrival)
                if genesis == self.coordinators[index].cosign_topic() =>
            {
                self.hear_cosigns(index, genesis, arrival);
            }
            What::Chain(place, genesis, arrival) => {
                let input = match arrival {
                    Arrival::Message { from, bytes } => Given::Message { from, bytes },
                    Arrival::Request { from, id, bytes } => Given::Request { from, id, bytes },
                    Arrival::Response { from, bytes } => Given::Response { from, bytes },
                };
                self.chain(place, genesis, input);
            }
            What::Timer(place, genesis, timer) => {
                if self.take_timer(place, genesis, timer, number) {
                    self.chain(place, genesis, Given::Fired(timer));
                }
            }
            What::Synced(place, life) => self.synced(place, life),
            What::Start(place) => self.start(place),
            What::Wake(place) => {
                self.woken.remove(&place);
                self.wake(place);
            }
            What::Tick(place) => {
                self.schedule.after(TICK, What::Tick(place));
                self.wake(place);
                if let Place::Coordinator(index) = place {
                    self.say_cosigns(index);
                }
            }
            What::Computed(processor, life, context, done) => self.computed(processor, life, &context, *done),
            What::Garbage(index) => self.garbage(index),
            What::Partition => self.partition(),
            What::Heal => self.apart.clear(),
        }
    }

    fn partition(&mut self) {
        if !self.faulty() {
            return;
        }
        self.counts.partitions += 1;
        let sides = self.rng.next_u64();
        let half = self.below(2) == 0;
        self.apart = (0..self.bases.len()).filter(|index| half && (sides >> (index % 64)) & 1 == 1).collect();
        let after = SECOND + self.below(self.faults.partition);
        self.schedule.after(after, What::Partition);
    }

    // Processes.

    fn validator_of(&self, place: Place) -> usize {
        match place {
            Place::Base(index) => index,
            Place::Coordinator(index) => self.coordinators.get(index).map_or(index, |node| node.validator),
            Place::Processor(index) => self.processors.get(index).map_or(index, |node| node.validator),
        }
    }

    fn disk(&mut self, place: Place) -> &mut Disk {
        match place {
            Place::Base(index) => &mut self.bases[index].disk,
            Place::Coordinator(index) => &mut self.coordinators[index].disk,
            Place::Processor(index) => &mut self.processors[index].disk,
        }
    }

    fn start(&mut self, place: Place) {
        self.trace(|now| format!("{now:>9.3} s  {place:?} starts"));
        let now = self.schedule.now();
        match place {
            Place::Base(index) => match self.bases[index].start(&self.setting) {
                Ok(effects) => self.settle(place, effects),
                Err(error) => self.oracle.violations.push(format!("{place:?} does not start: {error:?}")),
            },
            Place::Coordinator(index) => {
                self.coordinators[index].start();
                self.wake_soon(place);
            }
            Place::Processor(index) => match self.processors[index].start(&self.setting, now) {
                Ok(()) => {
                    self.settle(place, Vec::new());
                    self.wake_soon(place);
                }
                Err(error) => self.oracle.violations.push(format!("{place:?} does not start: {error}")),
            },
        }
    }

    /// A step was submitted: it becomes durable later, unless the process loses power before.
    fn settle(&mut self, place: Place, effects: Vec<Effect>) {
        let delay = self.below(self.faults.sync) + 1;
        let disk = self.disk(place);
        let life = disk.life;
        if disk.submit(effects) {
            self.schedule.after(delay, What::Synced(place, life));
        }
        self.maybe_crash(place);
    }

    fn maybe_crash(&mut self, place: Place) {
        if !self.chance(self.faults.crash, 100_000) || !self.disk(place).up {
            return;
        }
        self.counts.crashes += 1;
        self.trace(|now| format!("{now:>9.3} s  {place:?} loses power"));
        let kept = usize::try_from(self.below(4)).unwrap_or_default();
        let wipe = matches!(place, Place::Processor(_)) && self.chance(self.faults.wipe, 1_000);
        if wipe {
            self.counts.wiped += 1;
            self.disk(place).wipe();
        } else {
            self.disk(place).crash(kept);
        }
        match place {
            Place::Base(index) => self.bases[index].engine = None,
            Place::Coordinator(index) => self.coordinators[index].tributaries.clear(),
            Place::Processor(index) => {
                self.processors[index].processor = None;
                self.processors[index].wiped |= wipe;
            }
        }
        let after = 100 * MS + self.below(3 * SECOND);
        self.schedule.after(after, What::Start(place));
    }

    fn synced(&mut self, place: Place, life: u64) {
        let disk = self.disk(place);
        if disk.life != life || !disk.up {
            return;
        }
        for effect in disk.sync() {
            if self.disk(place).life != life {
                return;
            }
            self.perform(place, effect);
            self.maybe_crash(place);
        }
        self.wake_soon(place);
    }

    fn wake_soon(&mut self, place: Place) {
        if self.woken.insert(place) {
            self.schedule.after(1, What::Wake(place));
        }
    }

    fn wake(&mut self, place: Place) {
        if !self.disk(place).up {
            return;
        }
        match place {
            Place::Base(_) => {}
            Place::Coordinator(index) => self.wake_coordinator(index),
            Place::Processor(index) => self.wake_processor(index),
        }
    }

    // Chains.

    fn take_timer(&mut self, place: Place, genesis: Genesis, timer: Timer, number: u64) -> bool {
        let timers = match place {
            Place::Base(index) => self.bases[index].engine.as_mut().map(|engine| &mut engine.timers),
            Place::Coordinator(index) => {
                self.coordinators[index].tributaries.get_mut(&genesis).map(|t| &mut t.engine.timers)
            }
            Place::Processor(_) => None,
        };
        let Some(timers) = timers else { return false };
        let is_set = timers.get(&timer) == Some(&number);
        if is_set {
            timers.remove(&timer);
        }
        is_set
    }

    fn chain(&mut self, place: Place, genesis: Genesis, given: Given) {
        if !self.disk(place).up {
            return;
        }
        match place {
            Place::Base(index) => {
                let base = &mut self.bases[index];
                let Some(engine) = base.engine.as_mut() else { return };
                match engine.step(&base.disk.store, given.input::<BaseInput>()) {
                    Ok(effects) => self.settle(place, effects),
                    Err(error) => self.oracle.violations.push(format!("{place:?} halted: {error:?}")),
                }
            }
            Place::Coordinator(index) => {
                match self.coordinators[index].chain(genesis, given.input::<ChainInput>()) {
                    Ok(effects) => self.settle(place, effects),
                    Err(error) => self.oracle.violations.push(format!("{place:?} failed: {error}")),
                }
                self.take_notices(index);
            }
            Place::Processor(_) => {}
        }
    }

    /// Where the other members' nodes of a chain are.
    fn others(&self, place: Place) -> Vec<Place> {
        let me = self.validator_of(place);
        match place {
            Place::Base(_) => (0..self.bases.len()).filter(|index| *index != me).map(Place::Base).collect(),
            Place::Coordinator(_) => (0..self.coordinators.len())
                .map(Place::Coordinator)
                .filter(|other| self.validator_of(*other) != me)
                .collect(),
            Place::Processor(_) => Vec::new(),
        }
    }

    fn deliver(&mut self, from: Place, to: Place, genesis: Genesis, arrival: Arrival) {
        let (a, b) = (self.validator_of(from), self.validator_of(to));
        if self.faulty() && (self.apart.contains(&a) != self.apart.contains(&b)) {
            self.counts.lost += 1;
            return;
        }
        if self.chance(self.faults.loss, 1_000) {
            self.counts.lost += 1;
            return;
        }
        if self.chance(self.faults.duplicated, 1_000) {
            self.counts.duplicated += 1;
            let after = MS + self.below(self.faults.delay * 4);
            self.schedule.after(after, What::Chain(to, genesis, arrival.clone()));
        }
        let delay = if self.faulty() { self.faults.delay } else { 20 * MS };
        let after = MS + self.below(delay);
        self.schedule.after(after, What::Chain(to, genesis, arrival));
    }

    fn perform(&mut self, place: Place, effect: Effect) {
        match effect {
            Effect::Chain(genesis, output) => self.output(place, genesis, output),
            Effect::Free(task) => {
                if let Place::Coordinator(index) = place {
                    self.freed(index, task);
                }
            }
            Effect::Handled(id) => {
                if let Place::Processor(index) = place {
                    self.acknowledge(index, id);
                }
            }
            Effect::Taken { processor, life, intent } => self.taken(processor, life, &intent),
        }
    }

    fn output(&mut self, place: Place, genesis: Genesis, output: Output) {
        let from = self.setting.validator(self.validator_of(place));
        match output {
            Output::Broadcast(bytes) => {
                self.seen.push_back((genesis, bytes.clone()));
                if self.seen.len() > MAX_SEEN {
                    self.seen.pop_front();
                }
                for to in self.others(place) {
                    self.deliver(place, to, genesis, Arrival::Message { from, bytes: bytes.clone() });
                }
            }
            Output::Request { to, bytes } => {
                let id = self.next_question;
                self.next_question += 1;
                self.questions.insert(id, place);
                let to = self.setting.index_of(to);
                for other in self.others(place) {
                    if Some(self.validator_of(other)) == to {
                        let bytes = bytes.clone();
                        self.deliver(place, other, genesis, Arrival::Request { from, id, bytes });
                    }
                }
            }
            Output::Respond { id, bytes } => {
                if let Some(to) = self.questions.remove(&id) {
                    self.deliver(place, to, genesis, Arrival::Response { from, bytes });
                }
            }
            Output::SetTimer { timer, after } => {
                let after = Time::try_from(after.as_micros()).unwrap_or(Time::MAX);
                let number = self.schedule.after(after, What::Timer(place, genesis, timer));
                self.timers(place, genesis, |timers| {
                    timers.insert(timer, number);
                });
            }
            Output::CancelTimer(timer) => self.timers(place, genesis, |timers| {
                timers.remove(&timer);
            }),
            Output::Decided(height) => self.decided(place, genesis, height),
            Output::Event(_) => {}
        }
    }

    fn timers(&mut self, place: Place, genesis: Genesis, change: impl FnOnce(&mut BTreeMap<Timer, u64>)) {
        match place {
            Place::Base(index) => {
                if let Some(engine) = self.bases[index].engine.as_mut() {
                    change(&mut engine.timers);
                }
            }
            Place::Coordinator(index) => {
                if let Some(tributary) = self.coordinators[index].tributaries.get_mut(&genesis) {
                    change(&mut tributary.engine.timers);
                }
            }
            Place::Processor(_) => {}
        }
    }

    fn decided(&mut self, place: Place, genesis: Genesis, height: processor_messages::TributaryBlock) {
        self.digest.update(height.0.to_le_bytes());
        let decided = self.disk(place).store.read(|db| DECIDED.get(db, &(genesis, height)));
        match decided {
            Ok(Some(decided)) => self.oracle.decided(genesis, &decided.block),
            other => self.oracle.violations.push(format!("{place:?} decided {height} and has {other:?}")),
        }
        if let Place::Base(index) = place {
            let number = BaseBlock(height.0);
            if let Ok(Some(block)) = self.bases[index].block(number) {
                self.finalized = self.finalized.max(number);
                self.oracle.base_block(&block);
            }
            for other in 0..self.coordinators.len() {
                if self.coordinators[other].validator == index {
                    self.wake_soon(Place::Coordinator(other));
                }
            }
        }
    }

    fn garbage(&mut self, index: usize) {
        let validator = self.validator_of(Place::Coordinator(index));
        let from = self.setting.validator(validator);
        let place = Place::Coordinator(index);
        let known = self.below(self.seen.len() as u64);
        let known = self.seen.get(usize::try_from(known).unwrap_or_default()).cloned();
        if let Some((genesis, mut bytes)) = known {
            if self.below(2) == 0 {
                let at = self.below(bytes.len() as u64);
                if let Some(byte) = bytes.get_mut(usize::try_from(at).unwrap_or_default()) {
                    *byte ^= 1 << (at % 8);
                }
            }
            for to in self.others(place) {
                self.counts.lies += 1;
                let id = self.next_question;
                let arrival = match self.below(3) {
                    0 => Arrival::Request { from, id, bytes: bytes.clone() },
                    1 => Arrival::Response { from, bytes: bytes.clone() },
                    _ => Arrival::Message { from, bytes: bytes.clone() },
                };
                self.next_question += 1;
                self.deliver(place, to, genesis, arrival);
            }
        }
        self.schedule.after(200 * MS, What::Garbage(index));
    }

    // Coordinators.

    fn wake_coordinator(&mut self, index: usize) {
        let place = Place::Coordinator(index);
        let validator = self.coordinators[index].validator;
        for _ in 0..MAX_TURNS {
            let mut idle = true;
            let mut tasks = self.coordinators[index].tasks();
            let first = usize::try_from(self.below(tasks.len() as u64)).unwrap_or_default();
            tasks.rotate_left(first);
            for task in tasks {
                let asks_base = matches!(task, Task::Observe | Task::Follow | Task::Keys | Task::Batches(_));
                let unreachable = asks_base && self.chance(self.faults.rpc, 1_000);
                if unreachable {
                    self.counts.calls += 1;
                }
                let now = self.schedule.now();
                let base = self.bases.get_mut(validator).filter(|base| base.disk.up && !unreachable);
                let life = self.coordinators[index].disk.life;
                match self.coordinators[index].run(task, base, now) {
                    Ok((effects, of_base)) => {
                        if !of_base.is_empty() {
                            self.settle(Place::Base(validator), of_base);
                        }
                        if let Some(effects) = effects {
                            idle = false;
                            self.settle(place, effects);
                        }
                    }
                    Err(error) => self.oracle.violations.push(format!("{place:?} failed: {error}")),
                }
                self.take_notices(index);
                if self.coordinators[index].disk.life != life {
                    return;
                }
            }
            if idle {
                return;
            }
        }
    }

    fn say_cosigns(&mut self, index: usize) {
        let (place, now) = (Place::Coordinator(index), self.schedule.now());
        let node = &mut self.coordinators[index];
        if !node.disk.up {
            return;
        }
        let (topic, said) = (node.cosign_topic(), node.cosigns_to_say(now));
        let said = match said {
            Ok(said) => said,
            Err(error) => return self.oracle.violations.push(format!("{place:?} failed: {error}")),
        };
        if let Some(bytes) = said.told {
            self.output(place, topic, Output::Broadcast(bytes));
        }
        let others = self.others(place);
        if let Some((turn, bytes)) = said.asked
            && let Some(to) = others.get(turn % others.len().max(1))
        {
            let to = self.setting.validator(self.validator_of(*to));
            self.output(place, topic, Output::Request { to, bytes });
        }
    }

    fn hear_cosigns(&mut self, index: usize, topic: Genesis, arrival: Arrival) {
        let place = Place::Coordinator(index);
        if !self.coordinators[index].disk.up {
            return;
        }
        let heard = match arrival {
            Arrival::Message { bytes, .. } | Arrival::Response { bytes, .. } => {
                self.coordinators[index].hear_cosigns(&bytes)
            }
            Arrival::Request { id, bytes, .. } => {
                self.coordinators[index].answer_cosigns(&bytes).map(|answer| {
                    if let Some(bytes) = answer {
                        self.output(place, topic, Output::Respond { id, bytes });
                    }
                    false
                })
            }
        };
        match heard {
            Ok(true) => self.settle(place, Vec::new()),
            Ok(false) => {}
            Err(error) => self.oracle.violations.push(format!("{place:?} failed: {error}")),
        }
        self.take_notices(index);
    }

    fn take_notices(&mut self, index: usize) {
        let notices = std::mem::take(&mut self.coordinators[index].notices);
        let validator = self.coordinators[index].validator;
        if self.manner(validator) != Manner::Honest {
            return;
        }
        let of = self.setting.validator(validator);
        for notice in notices {
            self.trace(|now| format!("{now:>9.3} s  coordinator {index}: {:?}", notice.event));
            self.oracle.notice(of, &notice);
        }
    }

    /// Keeps a line for a reader, if one asked for it.
    fn trace(&mut self, line: impl FnOnce(f64) -> String) {
        if let Some(trace) = &mut self.trace {
            let now = std::time::Duration::from_micros(self.schedule.now()).as_secs_f64();
            trace.push(line(now));
        }
    }

    fn freed(&mut self, index: usize, task: Task) {
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

    fn look_at_state(&mut self, index: usize, set: processor_messages::ValidatorSet) {
        let node = &self.coordinators[index];
        if self.manner(node.validator) != Manner::Honest {
            return;
        }
        let seen = node.disk.store.read(|db| {
            let Some(record) = session::get(db, set)? else { return Ok(None) };
            let genesis = record.spec.genesis;
            let state = session::state_hash(db, genesis)?;
            Ok::<_, coordinator_store::StoreError>(Some((
                genesis,
                session::applied_through(db, genesis)?,
                state,
            )))
        });
        if let Ok(Some((genesis, through, state))) = seen {
            self.digest.update(state);
            self.oracle.state(genesis, through, state);
        }
    }

    // Processors.

    /// The coordinator whose queue a processor uses, if it answers.
    fn queue_of(&mut self, processor: usize) -> Option<usize> {
        let validator = self.processors[processor].validator;
        let up = self.coordinators.get(validator).is_some_and(|node| node.disk.up);
        if up && !self.chance(self.faults.http, 2_000) {
            return Some(validator);
        }
        self.counts.calls += u64::from(up);
        None
    }

    fn wake_processor(&mut self, index: usize) {
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

    fn processor_failed(&mut self, index: usize, error: &impl std::fmt::Display) {
        self.oracle.violations.push(format!("processor {index} failed: {error}"));
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
        match processor.handle(message) {
            Ok(commit) => {
                drop(commit);
                self.settle(Place::Processor(index), vec![Effect::Handled(id)]);
            }
            Err(error) => self.processor_failed(index, &error),
        }
    }

    fn acknowledge(&mut self, index: usize, id: u64) {
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
        let Some(said) = say(manner, bytes.clone()) else {
            self.counts.lies += 1;
            return self.taken(index, life, &intent);
        };
        self.counts.lies += u64::from(said != bytes);
        let store = self.coordinators[coordinator].disk.store.clone();
        let Ok(message) = decode::<FromProcessor>(&said, MAX_MESSAGE_BYTES) else { return };
        let named: Intent = message.intent(network);
        let pushed = store.write(|txn| queue::push(txn, network, Direction::FromProcessor, &named, said));
        match pushed {
            Ok(_) => {
                let taken = Effect::Taken { processor: index, life, intent };
                self.settle(Place::Coordinator(coordinator), vec![taken]);
            }
            Err(error) => self.processor_failed(index, &error),
        }
    }

    /// The coordinator's answer arrives, unless it is lost.
    fn taken(&mut self, index: usize, life: u64, intent: &[u8]) {
        let node = &self.processors[index];
        let Some(processor) = node.processor.as_ref().filter(|_| node.disk.life == life) else { return };
        let processor = processor.clone();
        if self.chance(self.faults.http, 2_000) {
            self.counts.calls += 1;
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

    fn computed(&mut self, index: usize, life: u64, context: &Context, done: Result<Done, KeyGenError>) {
        let node = &mut self.processors[index];
        if node.disk.life != life {
            return;
        }
        node.computing = false;
        let Some(processor) = node.processor.as_ref() else { return };
        match processor.record(context, done) {
            Ok(commit) => {
                drop(commit);
                self.settle(Place::Processor(index), Vec::new());
            }
            Err(error) => self.processor_failed(index, &error),
        }
    }

    fn scan_network(&mut self, index: usize) {
        let now = START_UNIX_MS + (self.schedule.now() / MS);
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

    /// Hands the network a payment which a processor's set signed; the answer may be lost.
    fn pay(&mut self, index: usize) {
        let node = &self.processors[index];
        let Some(processor) = node.processor.clone().filter(|_| !node.disk.syncing) else { return };
        let Ok(payments) = processor.payments(1) else { return };
        let Some(signed) = payments.first() else { return };
        if self.chance(self.faults.http, 1_000) {
            self.counts.calls += 1;
            return;
        }
        let ledger = processor.ledger();
        let taken = self.ledgers[self.processors[index].network].write(|txn| ledger.submit(txn, signed));
        match taken {
            Ok((Ok(_), _)) => {}
            Ok((Err(refusal), _)) => return self.processor_failed(index, &refusal),
            Err(error) => return self.processor_failed(index, &error),
        }
        if self.chance(self.faults.http, 1_000) {
            self.counts.calls += 1;
            return;
        }
        match processor.taken(&signed.payment) {
            Ok(commit) => {
                drop(commit);
                self.settle(Place::Processor(index), Vec::new());
            }
            Err(error) => self.processor_failed(index, &error),
        }
    }

    /// A processor looks at what its network's accounts paid.
    fn watch_accounts(&mut self, index: usize) {
        let node = &self.processors[index];
        let Some(processor) = node.processor.clone().filter(|_| !node.disk.syncing) else { return };
        let Ok(accounts) = processor.accounts() else { return };
        let ledger = self.ledgers[node.network].clone();
        for (session, account) in accounts {
            let paid = ledger.read(|db| ledger::of_account(db, &account.key, account.next, 16));
            let Some(paid) = paid.ok().filter(|paid| !paid.is_empty()) else { continue };
            match processor.seen(session, account.next, &paid) {
                Ok((_, commit)) => {
                    drop(commit);
                    return self.settle(Place::Processor(index), Vec::new());
                }
                Err(error) => return self.processor_failed(index, &error),
            }
        }
    }

    /// A burn of what the deposit `(block, index)` of a network minted, to be given to the base chain, and the burn as
    /// it is to be paid; `None` if there is no such network or deposit.
    ///
    /// `nonce` is how often the deposit's account burnt before; the deposit's batch must have been executed, and the
    /// account must hold `amount`.
    pub fn burn(
        &self,
        network: usize,
        (block, index): (u64, u16),
        nonce: u64,
        (amount, destination): (Amount, KeyBytes),
    ) -> Option<(Transaction, Burn)> {
        let external = self.setting.external(network)?;
        external.deposit(block, index)?;
        Some(external.burn(self.setting.chain, (block, index), nonce, (amount, destination)))
    }

    /// What a network's accounts paid from a number on, in order; at most [`ledger::MAX_LISTED`].
    pub fn paid(&self, network: usize, from: u64) -> Vec<SignedPayment> {
        let ledger = self.ledgers.get(network);
        ledger
            .and_then(|store| store.read(|db| ledger::all(db, from, ledger::MAX_LISTED)).ok())
            .unwrap_or_default()
    }

    /// How many batches each network has executed, in the order of the networks.
    pub fn executed(&self) -> Vec<u32> {
        let executed = |network| self.oracle.executed.get(network).copied().unwrap_or_default();
        self.setting.networks.iter().map(executed).collect()
    }

    /// Where everybody stands, for a reader of a failed run.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for base in &self.bases {
            let status = base.engine.as_ref().map(|engine| engine.node.status());
            lines.push(format!("base-chain node {}: up {}, {status:?}", base.index, base.disk.up));
        }
        for (index, node) in self.coordinators.iter().enumerate() {
            lines.push(format!("coordinator {index} of validator {}: up {}", node.validator, node.disk.up));
            lines.extend(node.describe().into_iter().map(|line| format!("  {line}")));
        }
        for (index, node) in self.processors.iter().enumerate() {
            lines.push(format!("processor {index} of validator {}: up {}", node.validator, node.disk.up));
            lines.extend(node.describe().into_iter().map(|line| format!("  {line}")));
        }
        lines
    }

    /// The latest finalized block of the base chain.
    pub fn finalized(&self) -> BaseBlock {
        self.finalized
    }
}

/// What a processor of this manner says instead of what its rules decided; `None` if it keeps silent.
fn say(manner: Manner, bytes: Vec<u8>) -> Option<Vec<u8>> {
    let Ok(message) = decode::<FromProcessor>(&bytes, MAX_MESSAGE_BYTES) else { return Some(bytes) };
    let rubbish = |pieces: usize| {
        let piece = SigningPiece::new(vec![7; 32]).expect("short");
        List::new(vec![piece; pieces]).unwrap_or_default()
    };
    let said = match (manner, message) {
        (Manner::BadDealer, FromProcessor::KeyGen(key_gen::FromProcessor::Participation { session, .. })) => {
            let participation = dealt::participation(u16::MAX);
            FromProcessor::KeyGen(key_gen::FromProcessor::Participation { session, participation })
        }
        (
            Manner::BadPreprocess,
            FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses }),
        ) => {
            let preprocesses = rubbish(preprocesses.len());
            FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses })
        }
        (Manner::BadShare, FromProcessor::Sign(sign::FromProcessor::Shares { id, shares })) => {
            FromProcessor::Sign(sign::FromProcessor::Shares { id, shares: rubbish(shares.len()) })
        }
        (Manner::Withholder, FromProcessor::Sign(sign::FromProcessor::Shares { .. })) => return None,
        _ => return Some(bytes),
    };
    Some(encode(&said))
}

/// As [`Input`], for whichever application.
enum Given {
    Message { from: Validator, bytes: Vec<u8> },
    Request { from: Validator, id: u64, bytes: Vec<u8> },
    Response { from: Validator, bytes: Vec<u8> },
    Fired(Timer),
}

impl Given {
    fn input<I>(self) -> Input<I> {
        match self {
            Self::Message { from, bytes } => Input::Message { from, bytes },
            Self::Request { from, id, bytes } => Input::Request { from, id, bytes },
            Self::Response { from, bytes } => Input::Response { from, bytes },
            Self::Fired(timer) => Input::Fired(timer),
        }
    }
}
