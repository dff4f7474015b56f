//! One run from one seed: faults for a while, then everything due must complete.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde::Serialize;

use crate::{
    faults::{Faults, Profile},
    setting::{Setting, Shape},
    time::{SECOND, Time},
    world::{Counts, World},
};

/// How long after the faults ended everything due must be complete.
pub const PATIENCE: Time = 120 * SECOND;
/// How many batches of each network must be executed after the faults ended.
const BATCHES: u32 = 2;

const SHAPES: [(&[u16], usize); 4] =
    [(&[1, 1, 1, 1], 1), (&[1, 1, 1, 1], 2), (&[3, 3, 2, 2], 1), (&[2, 1, 1, 1, 1], 1)];

/// What became of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The hash of everything that happened.
    pub hash: String,
    /// What cannot be.
    pub violations: Vec<String>,
    /// From the end of the faults until everything due was complete, in seconds.
    pub recovery_seconds: f64,
    /// What went wrong on purpose.
    pub counts: Counts,
    /// Key shares of the validators.
    pub weights: Vec<u16>,
    /// How many networks there were.
    pub networks: usize,
    /// Where everybody stood at a violation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<String>,
    /// What happened, if it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<String>,
    /// How the validators behaved.
    pub manners: Vec<crate::faults::Manner>,
}

/// Runs a seed.
pub fn run(profile: Profile, seed: u64) -> Outcome {
    traced(profile, seed, false)
}

/// Runs a seed, keeping what happened if `trace`.
pub fn traced(profile: Profile, seed: u64, trace: bool) -> Outcome {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let shape = usize::try_from(seed % SHAPES.len() as u64).unwrap_or_default();
    let (weights, networks) = SHAPES.get(shape).copied().unwrap_or((&[1, 1, 1, 1], 1));
    let faults = Faults::draw(profile, weights, &mut rng);
    run_with(&Shape { weights: weights.to_vec(), networks }, faults, seed, trace)
}

/// Runs given faults.
pub fn run_with(shape: &Shape, faults: Faults, seed: u64, trace: bool) -> Outcome {
    let setting = Setting::of(shape);
    let (until, manners) = (faults.until, faults.manners.clone());
    let mut world = World::new(setting, faults, seed);
    world.trace = trace.then(Vec::new);
    world.run(until);
    let goal: Vec<u32> = world.executed().iter().map(|batches| batches + BATCHES).collect();
    let complete = |world: &World| world.executed().iter().zip(&goal).all(|(now, goal)| now >= goal);
    while world.oracle.violations.is_empty() && !complete(&world) && world.now() < until + PATIENCE {
        let next = world.now() + SECOND;
        world.run(next);
    }
    if world.oracle.violations.is_empty() && !complete(&world) {
        let executed = world.executed();
        let what = format!(
            "not complete {} s after the faults ended: executed {executed:?} of {goal:?}, base chain at {}",
            PATIENCE / SECOND,
            world.finalized()
        );
        world.oracle.violations.push(what);
    }
    let recovery = world.now().saturating_sub(until);
    let state = if world.oracle.violations.is_empty() { Vec::new() } else { world.describe() };
    Outcome {
        trace: world.trace.take().unwrap_or_default(),
        state,
        seed,
        hash: hex::encode(world.hash()),
        violations: std::mem::take(&mut world.oracle.violations),
        recovery_seconds: std::time::Duration::from_micros(recovery).as_secs_f64(),
        counts: world.counts,
        weights: shape.weights.clone(),
        networks: shape.networks,
        manners,
    }
}
