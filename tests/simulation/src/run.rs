//! One run from one seed: faults for a while, then everything due must complete.

use processor_messages::BaseBlock;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde::Serialize;

use crate::{
    faults::{Counts, Faults, Kind, Profile},
    manner::Manner,
    setting::{KeyGeneration, Setting, Shape},
    time::{MS, SECOND, Time},
    world::World,
};

/// Within so many blocks of the base chain after the faults ended everything due must be complete.
pub const RECOVERY_BLOCKS: u64 = 90;
/// If the base chain itself does not go on: after so long.
const PATIENCE: Time = 240 * SECOND;
/// How many batches of each network must be executed after the faults ended.
const BATCHES: u32 = 2;

/// What a run is made from, besides its seed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which faults.
    pub profile: Profile,
    /// These kinds alone, if any are named.
    pub only: Vec<Kind>,
    /// Not these kinds.
    pub without: Vec<Kind>,
    /// How processors generate keys.
    pub key_generation: KeyGeneration,
    /// Whether to keep what happened.
    pub trace: bool,
}

impl Options {
    /// Every fault of a profile, with dealt keys.
    pub fn of(profile: Profile) -> Self {
        let (only, without) = (Vec::new(), Vec::new());
        Self { profile, only, without, key_generation: KeyGeneration::Dealt, trace: false }
    }

    /// The same, keeping what happened.
    pub fn traced(self) -> Self {
        Self { trace: true, ..self }
    }

    fn shape(&self, seed: u64) -> Shape {
        let shapes: [(&[u16], usize); 4] =
            [(&[1, 1, 1, 1], 1), (&[1, 1, 1, 1], 2), (&[3, 3, 2, 2], 1), (&[2, 1, 1, 1, 1], 1)];
        // Each liar meets each shape: in one row of seeds one, in the next row another.
        let row = seed / Faults::ROW;
        let index = usize::try_from((seed + row) % shapes.len() as u64).unwrap_or_default();
        let of_four_or_five = shapes.get(index).copied().unwrap_or((&[1, 1, 1, 1], 1));
        let (weights, networks) = if row % 9 == 8 { (&Shape::TWO_LIARS[..], 1) } else { of_four_or_five };
        match (self.profile, self.key_generation) {
            (Profile::Rotation, _) if seed % 3 == 2 => Shape::rotating_weighted(networks),
            (Profile::Rotation, _) => Shape::rotating(networks),
            // Proofs of many shares take long: some, in the place of more.
            (_, KeyGeneration::Real) if weights.len() == 4 && weights != [1; 4] => {
                Shape::lasting(&[2, 2, 2, 1], 1)
            }
            (_, KeyGeneration::Real) => Shape::lasting(&[1, 1, 1, 1], 1),
            _ => Shape::lasting(weights, networks),
        }
    }

    fn draw(&self, shape: &Shape, seed: u64) -> Faults {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let faults = Faults::draw(self.profile, shape, seed, &mut rng).without(&self.without);
        if self.only.is_empty() { faults } else { faults.only(&self.only) }
    }
}

/// What became of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The hash of everything that happened.
    pub hash: String,
    /// What cannot be.
    #[serde(rename = "found")]
    pub violations: Vec<String>,
    /// From the end of the faults until everything due was complete, in milliseconds of virtual time.
    pub recovery_ms: u64,
    /// The same in blocks of the base chain.
    pub recovery_blocks: u64,
    /// How many retired sets' slash reports were applied.
    pub reports: usize,
    /// What went wrong on purpose.
    pub counts: Counts,
    /// Key shares of the validators at the beginning.
    pub weights: Vec<u16>,
    /// How many networks there were.
    pub networks: usize,
    /// How the validators behaved.
    pub manners: Vec<Manner>,
    /// Where everybody stood at a violation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<String>,
    /// What happened, if it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<String>,
}

/// Runs a seed.
pub fn run(options: &Options, seed: u64) -> Outcome {
    let shape = options.shape(seed);
    let faults = options.draw(&shape, seed);
    run_with(options, &shape, faults, seed)
}

/// Runs given faults.
pub fn run_with(options: &Options, shape: &Shape, faults: Faults, seed: u64) -> Outcome {
    let setting = Setting::of(shape, options.key_generation);
    let until = faults.until;
    let mut manners = faults.manners.clone();
    manners.extend(faults.stranger.then_some(Manner::NonMember));
    let mut world = World::new(setting, faults, seed);
    world.trace = options.trace.then(Vec::new);
    world.run(until);
    let healed = world.finalized();
    let recovery_blocks = recover(&mut world, until);
    for set in world.oracle.unreported_after(BaseBlock(healed.0 + RECOVERY_BLOCKS)) {
        world.oracle.violated(format!("{set} retired without a slash report, which nothing prevented"));
    }
    let state = if world.oracle.violations.is_empty() { Vec::new() } else { world.describe() };
    Outcome {
        seed,
        hash: hex::encode(world.hash()),
        recovery_ms: world.now().saturating_sub(until) / MS,
        recovery_blocks,
        trace: world.trace.take().unwrap_or_default(),
        state,
        violations: std::mem::take(&mut world.oracle.violations),
        reports: world.oracle.reported(),
        counts: world.counts,
        weights: shape.weights.clone(),
        networks: shape.networks,
        manners,
    }
}

/// The faults are over: everything due completes within [`RECOVERY_BLOCKS`], and the epochs which are left. Returns after how many it did.
fn recover(world: &mut World, until: Time) -> u64 {
    let goal = world.goal(BATCHES);
    // Rotations come when epochs end, whenever faults did.
    let epochs = world.setting.shape.rotation_blocks();
    let (bound, patience) = (RECOVERY_BLOCKS + epochs, PATIENCE + 2 * epochs * SECOND);
    let from = world.finalized().0;
    let passed = |world: &World| world.finalized().0.saturating_sub(from);
    loop {
        let missing = world.missing(&goal);
        if missing.is_empty() || !world.oracle.violations.is_empty() {
            return passed(world);
        }
        if (passed(world) >= bound) || (world.now() >= until + patience) {
            let (blocks, first) = (passed(world), missing.first().cloned().unwrap_or_default());
            let others = missing.len() - 1;
            let what = format!("not complete {blocks} blocks after the faults ended: {first}, {others} more");
            world.oracle.violated(what);
            return blocks;
        }
        let next = world.now() + SECOND;
        world.run(next);
    }
}
