//! A whole network: who runs, what is on its way, what goes wrong.
//!
//! ```text
//! Schedule ──event──▶ World ──▶ a process's rules ──step──▶ Disk ──sync──▶ outputs ──Links──▶ Schedule
//!                       │  between any two: power lost, disk full, links cut      │
//!                       └──────────────────── Oracle ◀────────────────────────────┘
//! ```
//!
//! * `chains`: nodes of chains and what they say; * `coordinators`, `processors`: their tasks;
//! * `liars`: who misbehaves; * `calls`: what accounts ask of the base chain; * `watch`: bounds, completion, status.

mod calls;
mod chains;
mod coordinators;
mod cosigns;
mod liars;
mod payments;
mod processors;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use blake2::{Blake2b, Digest, digest::consts::U32};
use coordinator_store::MemoryStore;
use processor_messages::{BaseBlock, Genesis, Validator};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use simulated_processor::{
    dkg::{Context, KeyGenError},
    processor::Done,
};
use tributary::Timer;

use crate::{
    base::Base,
    coordinator::CoordinatorNode,
    disk::{Disk, Effect},
    faults::{Counts, Faults, Kind},
    liar::Ear,
    links::Links,
    manner::Manner,
    oracle::Oracle,
    processor::ProcessorNode,
    setting::{START_UNIX_MS, Setting},
    time::{MS, SECOND, Schedule, Time},
};
use calls::Calls;
pub use watch::Goal;

/// The longest that a task waits without being woken.
const TICK: Time = SECOND;
/// Looks at all tasks of a process without a pause.
const MAX_TURNS: usize = 8;
/// From one act of a liar to the next.
const ACT: Time = 200 * MS;

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
    Message { from: Validator, bytes: Arc<[u8]> },
    Request { from: Validator, id: u64, bytes: Arc<[u8]> },
    Response { from: Validator, bytes: Arc<[u8]> },
}

enum What {
    Chain(Place, Genesis, Arrival),
    Timer(Place, Genesis, Timer),
    Synced(Place, u64),
    Start(Place),
    Wake(Place),
    Tick(Place),
    Computed(usize, u64, Box<Context>, Box<Result<Done, KeyGenError>>),
    Act(Actor),
    Links,
    Heal,
    Calls,
}

/// Who acts by itself to harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Actor {
    Validator(usize),
    Stranger,
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
    links: Links,
    ear: Ear,
    calls: Calls,
    woken: BTreeSet<Place>,
    digest: Blake2b<U32>,
    finalized: BaseBlock,
    /// Timers of each validator run at this speed, in thousandths.
    speeds: Vec<u64>,
    /// When a process of each validator may crash again.
    rests: BTreeMap<usize, Time>,
}

impl World {
    /// A network which is about to start.
    pub fn new(setting: Arc<Setting>, faults: Faults, seed: u64) -> Self {
        let honest = (0..setting.keys.len())
            .filter(|index| faults.manners.get(*index) == Some(&Manner::Honest))
            .map(|index| setting.validator(index))
            .collect();
        let deciders = setting.deciders.iter().enumerate();
        let mut world = Self {
            faults,
            counts: Counts::default(),
            oracle: Oracle::of(setting.clone(), honest),
            trace: None,
            schedule: Schedule::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            bases: deciders.map(|(index, validator)| Base::new(index, *validator)).collect(),
            coordinators: Vec::new(),
            processors: Vec::new(),
            ledgers: setting.networks.iter().map(|_| MemoryStore::default()).collect(),
            questions: BTreeMap::new(),
            next_question: 0,
            links: Links::default(),
            ear: Ear::default(),
            calls: Calls::of(&setting),
            woken: BTreeSet::new(),
            digest: Blake2b::new(),
            finalized: BaseBlock(0),
            speeds: Vec::new(),
            rests: BTreeMap::new(),
            setting,
        };
        if world.faults.explain_points() {
            world.setting.keys.iter().for_each(|key| world.oracle.excuse(Validator(key.public().to_bytes())));
        }
        world.populate();
        world.begin();
        world
    }

    fn populate(&mut self) {
        let setting = self.setting.clone();
        let networks = setting.networks.clone();
        for index in 0..setting.keys.len() {
            let seed = self.rng.next_u64();
            self.coordinators.push(CoordinatorNode::new(&setting, index, networks.clone(), seed));
            for network in 0..networks.len() {
                let seed = self.rng.next_u64();
                self.processors.push(ProcessorNode::new(index, network, seed));
            }
        }
        for index in 0..setting.keys.len() {
            if self.manner(index) == Manner::Equivocator {
                let seed = self.rng.next_u64();
                self.coordinators.push(CoordinatorNode::new(&setting, index, Vec::new(), seed));
            }
        }
    }

    fn begin(&mut self) {
        let places = (0..self.bases.len()).map(Place::Base);
        let places = places.chain((0..self.coordinators.len()).map(Place::Coordinator));
        let places: Vec<_> = places.chain((0..self.processors.len()).map(Place::Processor)).collect();
        for place in places {
            // With rotations others who have no base-chain node ask that one too.
            let is_asked = matches!(place, Place::Base(_)) && !self.setting.shape.changes.is_empty();
            if (self.manner(self.validator_of(place)) == Manner::Silent) && !is_asked {
                continue;
            }
            let after = self.below(300 * MS);
            self.schedule.after(after, What::Start(place));
            self.schedule.after(after, What::Tick(place));
        }
        self.set_skews();
        let validators = 0..self.setting.keys.len();
        let liars = validators.filter(|index| self.manner(*index).acts()).map(Actor::Validator);
        let stranger = self.faults.stranger.then_some(Actor::Stranger);
        for actor in liars.chain(stranger).collect::<Vec<_>>() {
            self.schedule.after(SECOND, What::Act(actor));
        }
        if self.faults.links > 0 && !self.faults.cuts.is_empty() {
            self.schedule.after(self.faults.links, What::Links);
        }
        self.schedule.after(SECOND, What::Calls);
        self.schedule.after(self.faults.until, What::Heal);
    }

    /// Clocks are off by up to the most that the faults allow, either way; timers run up to a twentieth slower or faster.
    fn set_skews(&mut self) {
        let most = self.faults.skew_ms;
        for index in 0..self.bases.len() {
            let skew = self.below(2 * most + 1);
            self.bases[index].skew_ms = i64::try_from(skew).unwrap_or(0) - i64::try_from(most).unwrap_or(0);
        }
        for _ in 0..self.setting.keys.len() {
            let speed = if most > 0 { 950 + self.below(101) } else { 1_000 };
            self.speeds.push(speed);
            if most > 0 {
                self.counts.fault(Kind::Skew);
            }
        }
        self.set_clocks();
    }

    fn manner(&self, validator: usize) -> Manner {
        self.faults.manners.get(validator).copied().unwrap_or(Manner::Honest)
    }

    fn is_honest(&self, place: Place) -> bool {
        self.manner(self.validator_of(place)) == Manner::Honest
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

    fn unix_ms(&self) -> u64 {
        START_UNIX_MS + (self.schedule.now() / MS)
    }

    fn set_clocks(&mut self) {
        let now = self.unix_ms();
        self.bases.iter().for_each(|base| base.set_clock(now));
    }

    fn happen(&mut self, number: u64, what: What) {
        match what {
            What::Chain(place, genesis, arrival) => match self.is_cosign_topic(place, genesis) {
                Some(index) => self.hear_cosigns(index, genesis, arrival),
                None => self.arrive(place, genesis, arrival),
            },
            What::Timer(place, genesis, timer) => self.fire(place, genesis, timer, number),
            What::Synced(place, life) => self.synced(place, life),
            What::Start(place) => self.start(place),
            What::Wake(place) => {
                self.woken.remove(&place);
                self.wake(place);
            }
            What::Tick(place) => {
                self.schedule.after(TICK, What::Tick(place));
                self.watch(place);
                self.wake(place);
                if let Place::Coordinator(index) = place {
                    self.say_cosigns(index);
                }
            }
            What::Computed(processor, life, context, done) => self.computed(processor, life, context, done),
            What::Act(actor) => self.act(actor),
            What::Links => self.change_links(),
            What::Heal => self.links.heal(),
            What::Calls => self.call(),
        }
    }

    fn change_links(&mut self) {
        if !self.faulty() {
            return;
        }
        let validators = self.setting.keys.len();
        self.links.change(&self.faults, validators, &mut self.rng, &mut self.counts);
        let after = SECOND + self.below(self.faults.links);
        self.schedule.after(after, What::Links);
    }

    // Processes.

    fn validator_of(&self, place: Place) -> usize {
        match place {
            Place::Base(index) => self.bases.get(index).map_or(index, |node| node.validator),
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
        let now = self.schedule.now();
        if self.disk(place).full_until.is_some_and(|until| until > now) {
            // The first step of a start fails, and whoever watches the process starts it again.
            self.schedule.after(SECOND, What::Start(place));
            return;
        }
        self.disk(place).full_until = None;
        self.trace(|now| format!("{now}  {place:?} starts"));
        match place {
            Place::Base(index) => match self.bases[index].start(&self.setting) {
                Ok(effects) => self.settle(place, effects),
                Err(error) => self.failed(place, &format!("does not start: {error:?}")),
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
                Err(error) => self.failed(place, &format!("does not start: {error}")),
            },
        }
    }

    /// A process's step failed. It ends if its disk did; anything else cannot be.
    fn failed(&mut self, place: Place, what: &str) {
        if self.disk(place).has_failed() {
            self.lose_power(place);
        } else if self.is_honest(place) {
            self.oracle.violated(format!("{place:?} {what}"));
        } else {
            // A node rightly signs nothing more once it hears a vote of its own key that it did not make.
            self.trace(|now| format!("{now}  the liar's {place:?} {what}"));
            self.cut_power(place, false);
        }
    }

    /// A step was submitted: it becomes durable later, unless the process loses power or its disk is full before.
    fn settle(&mut self, place: Place, effects: Vec<Effect>) {
        let delay = self.below(self.faults.sync) + 1;
        let disk = self.disk(place);
        let life = disk.life;
        if disk.submit(effects) {
            self.schedule.after(delay, What::Synced(place, life));
        }
        #[cfg(feature = "mutations")]
        if mutation::is(mutation::Mutation::OutputBeforeCommit) {
            let early = self.disk(place).leak();
            self.perform_all(place, life, early);
        }
        if self.chance(self.faults.full, 100_000) && self.disk(place).up && !self.disk(place).has_failed() {
            self.counts.fault(Kind::FullDisk);
            self.trace(|now| format!("{now}  the disk of {place:?} is full"));
            let until = self.now() + SECOND + self.below(4 * SECOND);
            self.disk(place).fill(until);
        }
        self.watch(place);
        self.maybe_crash(place);
    }

    fn maybe_crash(&mut self, place: Place) {
        if !self.chance(self.faults.crash, 100_000) || !self.disk(place).up {
            return;
        }
        let (validator, now) = (self.validator_of(place), self.now());
        if self.rests.get(&validator).is_some_and(|until| *until > now) {
            return;
        }
        self.rests.insert(validator, now + self.faults.rest);
        self.counts.fault(Kind::Crash);
        let wipe = matches!(place, Place::Processor(_)) && self.chance(self.faults.wipe, 1_000);
        if wipe {
            self.counts.fault(Kind::LostDisk);
            self.disk(place).wipe();
            if let Place::Processor(index) = place {
                self.processors[index].wiped = true;
            }
        }
        self.lose_power(place);
    }

    fn lose_power(&mut self, place: Place) {
        let torn = self.faulty() && self.faults.torn && self.disk(place).store.pending() > 0;
        if torn {
            self.counts.fault(Kind::TornTail);
        }
        self.trace(|now| {
            format!("{now}  {place:?} loses power{}", if torn { ", its write torn" } else { "" })
        });
        self.cut_power(place, torn);
        let after = 100 * MS + self.below(3 * SECOND);
        self.schedule.after(after, What::Start(place));
    }

    /// A process ends as if it lost power; what its validator misses is no surprise.
    pub(crate) fn end(&mut self, place: Place) {
        let validator = self.setting.validator(self.validator_of(place));
        self.oracle.excuse(validator);
        self.cut_power(place, false);
    }

    /// A process which ended starts.
    pub(crate) fn begin_again(&mut self, place: Place) {
        self.schedule.after(MS, What::Start(place));
    }

    /// A coordinator, by number.
    pub(crate) fn coordinator(&self, index: usize) -> Option<&CoordinatorNode> {
        self.coordinators.get(index)
    }

    fn cut_power(&mut self, place: Place, torn: bool) {
        let rng = &mut self.rng;
        match place {
            Place::Base(index) => {
                self.bases[index].disk.crash(torn, rng);
                self.bases[index].engine = None;
            }
            Place::Coordinator(index) => {
                self.coordinators[index].disk.crash(torn, rng);
                self.coordinators[index].tributaries.clear();
            }
            Place::Processor(index) => {
                self.processors[index].disk.crash(torn, rng);
                self.processors[index].processor = None;
            }
        }
    }

    fn synced(&mut self, place: Place, life: u64) {
        let disk = self.disk(place);
        if disk.life != life || !disk.up {
            return;
        }
        if disk.has_failed() {
            return self.lose_power(place);
        }
        let effects = disk.sync();
        self.perform_all(place, life, effects);
        self.wake_soon(place);
    }

    fn perform_all(&mut self, place: Place, life: u64, effects: Vec<crate::disk::Decided>) {
        for decided in effects {
            if self.disk(place).life != life {
                return;
            }
            let durable = self.disk(place).durable();
            self.oracle.leaves(&place, decided.step, durable);
            self.perform(place, decided.effect);
            self.maybe_crash(place);
        }
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

    /// Keeps a line for a reader, if one asked for it.
    fn trace(&mut self, line: impl FnOnce(&str) -> String) {
        if let Some(trace) = &mut self.trace {
            let now = self.schedule.now() / MS;
            trace.push(line(&format!("{:>6}.{:03} s", now / 1_000, now % 1_000)));
        }
    }
}
