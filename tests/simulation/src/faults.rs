//! What goes wrong in a run, drawn from its seed within a profile.
//!
//! ```text
//! seed, profile ──▶ draw: each kind in about half of the runs ──▶ only/without: kinds taken away ──▶ Faults
//! ```

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use rand_chacha::ChaCha8Rng;
use rand_core::RngCore;
use serde::Serialize;

use crate::{
    manner::Manner,
    setting::Shape,
    time::{MS, SECOND, Time},
};

/// Which faults a run may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Some of each, rarely all.
    Default,
    /// Validators who lie, besides a rough network.
    Byzantine,
    /// Many crashes, with lost disks.
    Crash,
    /// Two rotations in a row, with validators who leave and join, besides some faults.
    Rotation,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Default, Self::Byzantine, Self::Crash, Self::Rotation];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Byzantine => "byzantine",
            Self::Crash => "crash",
            Self::Rotation => "rotation",
        }
    }
}

/// One kind of fault, to be switched on and off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Messages are lost.
    Loss,
    /// Messages take longer.
    Delay,
    /// Messages overtake each other.
    Reordering,
    /// Messages arrive twice.
    Duplication,
    /// Some validators hear and are heard by each other only.
    Partition,
    /// Some validators hear the others and are not heard.
    OneWay,
    /// One link takes seconds.
    SlowLink,
    /// A process loses power, and what was not synced.
    Crash,
    /// At a crash the last write is torn: what is whole of it stays.
    TornTail,
    /// A processor's disk is lost.
    LostDisk,
    /// A disk is full for a while: steps fail.
    FullDisk,
    /// Clocks are off, and timers run at different speeds.
    Skew,
    /// A processor does nothing for a while.
    Hang,
    /// A base-chain node does not answer.
    Unreachable,
    /// A base-chain node answers with old blocks only.
    Lag,
    /// A base-chain node tells of blocks which are not the chain's, or takes what it does not pass on.
    Lie,
    /// A message queue does not answer, or its answer is lost.
    Queue,
    /// A validator, below a third of the weight, misbehaves; or a stranger does.
    Liar,
}

/// What happened, by kind.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// Events.
    pub steps: u64,
    /// Faults of each kind.
    pub faults: BTreeMap<Kind, u64>,
    /// Messages, or other acts, of each kind of liar.
    pub lies: BTreeMap<Manner, u64>,
}

impl Counts {
    /// Counts a fault.
    pub fn fault(&mut self, kind: Kind) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Counts what a liar did.
    pub fn lie(&mut self, manner: Manner) {
        *self.lies.entry(manner).or_default() += 1;
        self.fault(Kind::Liar);
    }

    /// How many faults of a kind there were.
    pub fn of(&self, kind: Kind) -> u64 {
        self.faults.get(&kind).copied().unwrap_or_default()
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        for (manner, count) in &other.lies {
            *self.lies.entry(*manner).or_default() += count;
        }
    }
}

/// The faults of one run.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Messages lost, in a thousand.
    pub loss: u64,
    /// Messages delivered twice, in a thousand.
    pub duplicated: u64,
    /// The longest delay of a message.
    pub delay: Time,
    /// Whether messages of one link may overtake each other.
    pub reordering: bool,
    /// The longest time until a step is durable.
    pub sync: Time,
    /// From one change of the links to the next; 0 for none.
    pub links: Time,
    /// What such a change may bring.
    pub cuts: BTreeSet<Kind>,
    /// Crashes, of a hundred thousand steps or outputs.
    pub crash: u64,
    /// Whether a crash may leave a torn write.
    pub torn: bool,
    /// Crashes which lose a processor's disk, of a thousand.
    pub wipe: u64,
    /// Disks which become full, of a hundred thousand steps.
    pub full: u64,
    /// Processors which hang, of ten thousand looks at their work.
    pub hang: u64,
    /// Base-chain nodes which do not answer, of a thousand calls.
    pub rpc: u64,
    /// The most blocks by which a base-chain node's answers lag.
    pub lag: u64,
    /// Lies of base-chain nodes, of a thousand calls.
    pub lie: u64,
    /// Calls of a queue which fail, of a thousand; half of them after they took effect.
    pub http: u64,
    /// The farthest that a clock is off, in milliseconds.
    pub skew_ms: u64,
    /// The least time from one crash of a validator's processes to the next: its restarts are benign if an attempt outlasts
    /// one of them (`SIGN-14`); 0 for none.
    pub rest: Time,
    /// When all of this ends.
    pub until: Time,
    /// When liars stop: with the rest, or never, and what is due completes nevertheless.
    pub lies_until: Time,
    /// Each validator's manner.
    pub manners: Vec<Manner>,
    /// Whether a stranger, who is no validator, takes part.
    pub stranger: bool,
}

fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    rng.next_u64() % bound.max(1)
}

impl Faults {
    /// None at all.
    pub fn none(validators: usize) -> Self {
        Self {
            loss: 0,
            duplicated: 0,
            delay: 20 * MS,
            reordering: false,
            sync: 2 * MS,
            links: 0,
            cuts: BTreeSet::new(),
            crash: 0,
            torn: false,
            wipe: 0,
            full: 0,
            hang: 0,
            rpc: 0,
            lag: 0,
            lie: 0,
            http: 0,
            skew_ms: 0,
            rest: 0,
            until: 0,
            lies_until: 0,
            manners: vec![Manner::Honest; validators],
            stranger: false,
        }
    }

    /// Draws the faults of a run: most kinds are there in about half of the runs, changes of links in a third. What belongs
    /// to sixteen seeds in a row, in which each liar is there once, is not drawn but counted.
    pub fn draw(profile: Profile, shape: &Shape, seed: u64, rng: &mut ChaCha8Rng) -> Self {
        let mut some = |most: u64| if rng.next_u64().is_multiple_of(2) { below(rng, most) } else { 0 };
        let crash = if profile == Profile::Crash { 100 + some(400) } else { some(60) };
        let mut faults = Self {
            loss: some(100),
            duplicated: some(100),
            delay: 5 * MS + some(200 * MS),
            reordering: some(4) > 0,
            sync: MS + some(50 * MS),
            links: some(4) * 2 * SECOND,
            cuts: BTreeSet::new(),
            crash,
            torn: some(2) > 0 || profile == Profile::Crash,
            wipe: if profile == Profile::Crash { 300 } else { some(60) },
            full: some(8) + if profile == Profile::Crash { 4 } else { 0 },
            hang: some(40),
            rpc: some(200),
            lag: some(6),
            lie: some(200),
            http: some(200),
            skew_ms: some(2_000),
            rest: 0,
            until: 25 * SECOND,
            lies_until: 0,
            manners: vec![Manner::Honest; shape.weights.len()],
            stranger: false,
        };
        for kind in [Kind::Partition, Kind::OneWay, Kind::SlowLink] {
            if below(rng, 2) == 0 {
                faults.cuts.insert(kind);
            }
        }
        if profile == Profile::Rotation {
            let lengths = Self::ROTATION;
            let which = usize::try_from(below(rng, lengths.len() as u64)).unwrap_or_default();
            faults = faults.over(lengths.get(which).copied().unwrap_or(SECOND));
        }
        if (seed / Self::ROW) % 7 == 3 {
            faults = faults.benign(profile);
        }
        let any = below(rng, Self::ROW);
        let lies = (profile == Profile::Byzantine) || below(rng, 4) == 0;
        let which = if profile == Profile::Byzantine { seed % Self::ROW } else { any };
        if !lies {
            return faults;
        }
        faults = faults.with_liar(shape, which, rng);
        let goes_on = (seed / Self::ROW) % 2 == 1;
        faults.lies_until = if goes_on { Time::MAX } else { faults.until };
        let another = below(rng, Self::ROW);
        if shape.weights == Shape::TWO_LIARS { faults.with_liar(shape, another, rng) } else { faults }
    }

    /// Seeds in a row among which each liar is there once.
    pub const ROW: u64 = Manner::LIARS.len() as u64;

    /// Those alone for which nobody honest may get points: under crashes a validator's processes restart one at a time.
    fn benign(mut self, profile: Profile) -> Self {
        use Kind::{
            FullDisk, Hang, Lag, Lie, Loss, LostDisk, OneWay, Partition, Queue, SlowLink, Unreachable,
        };
        self.rest = 15 * SECOND;
        let harmful =
            [Loss, Partition, OneWay, SlowLink, FullDisk, LostDisk, Hang, Unreachable, Lag, Lie, Queue];
        let quiet = self.without(&harmful);
        if profile == Profile::Crash { quiet } else { quiet.without(&[Kind::Crash]) }
    }

    /// How long the faults of a run with rotations last: until the first set has keys, until it hands over, or until the
    /// last one does. What must hold once they are over can be seen of the rotations which are left.
    const ROTATION: [Time; 3] = [25 * SECOND, 75 * SECOND, 150 * SECOND];

    /// Whether somebody honest may miss a share or a window of votes, and get points for it (`SIGN-14`): it is down or cut
    /// off, or what it calls does not answer, or not with what there is. Late, doubled and overtaking messages and clocks
    /// which are off explain none, as an attempt lasts ten blocks at least; nor do liars, nor a restart which is benign.
    pub fn explain_points(&self) -> bool {
        let crash = if self.rest > 0 { 0 } else { self.crash };
        let rare = [self.loss, crash, self.full, self.hang, self.rpc, self.lag, self.lie, self.http];
        let cuts = self.links > 0 && !self.cuts.is_empty();
        self.until > 0 && (cuts || rare.iter().any(|rare| *rare > 0))
    }

    /// The same number of rare faults over a longer time.
    fn over(self, until: Time) -> Self {
        let times = (until / self.until.max(1)).max(1);
        Self { until, crash: self.crash / times, full: self.full / times, hang: self.hang / times, ..self }
    }

    /// One more validator, all of less than a third of the weight of every chain, misbehaves; or a stranger.
    fn with_liar(mut self, shape: &Shape, which: u64, rng: &mut ChaCha8Rng) -> Self {
        let fit: Vec<_> =
            (0..shape.weights.len()).filter(|validator| self.is_fit(shape, *validator)).collect();
        let liar = usize::try_from(below(rng, fit.len() as u64)).unwrap_or_default();
        let liar = fit.get(liar).copied().unwrap_or(usize::MAX);
        let manner = Manner::LIARS.get(usize::try_from(which).unwrap_or_default());
        match manner {
            Some(Manner::NonMember) => self.stranger = true,
            Some(manner) => {
                if let Some(to) = self.manners.get_mut(liar) {
                    *to = *manner;
                }
            }
            None => {}
        }
        self
    }

    /// Whether this validator too may lie.
    fn is_fit(&self, shape: &Shape, validator: usize) -> bool {
        let liars = self.manners.iter().enumerate().filter(|(_, manner)| **manner != Manner::Honest);
        let mut all: Vec<_> = liars.map(|(liar, _)| liar).collect();
        all.push(validator);
        self.manners.get(validator) == Some(&Manner::Honest) && shape.tolerates(&all)
    }

    /// Without the faults of these kinds.
    pub fn without(mut self, kinds: &[Kind]) -> Self {
        let quiet = Self::none(self.manners.len());
        for kind in kinds {
            match kind {
                Kind::Loss => self.loss = 0,
                Kind::Delay => self.delay = quiet.delay,
                Kind::Reordering => self.reordering = false,
                Kind::Duplication => self.duplicated = 0,
                Kind::Partition | Kind::OneWay | Kind::SlowLink => drop(self.cuts.remove(kind)),
                Kind::Crash => self.crash = 0,
                Kind::TornTail => self.torn = false,
                Kind::LostDisk => self.wipe = 0,
                Kind::FullDisk => self.full = 0,
                Kind::Skew => self.skew_ms = 0,
                Kind::Hang => self.hang = 0,
                Kind::Unreachable => self.rpc = 0,
                Kind::Lag => self.lag = 0,
                Kind::Lie => self.lie = 0,
                Kind::Queue => self.http = 0,
                Kind::Liar => {
                    self.manners.clone_from(&quiet.manners);
                    self.stranger = false;
                }
            }
        }
        self
    }

    /// With the faults of these kinds alone.
    pub fn only(self, kinds: &[Kind]) -> Self {
        let others: Vec<_> =
            Kind::value_variants().iter().copied().filter(|kind| !kinds.contains(kind)).collect();
        self.without(&others)
    }
}
