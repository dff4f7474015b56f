//! What goes wrong in a run, drawn from its seed within a profile.

use clap::ValueEnum;
use rand_chacha::ChaCha8Rng;
use rand_core::RngCore;
use serde::Serialize;

use crate::time::{MS, SECOND, Time};

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
}

/// How a validator misbehaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Runs as it should.
    Honest,
    /// Never starts.
    Silent,
    /// Its coordinator runs twice with one key.
    Twin,
    /// Sends rubbish, and others' messages again, instead of taking part.
    Garbage,
    /// Its processor deals a participation which is invalid.
    BadDealer,
    /// Its processor sends preprocesses which are none.
    BadPreprocess,
    /// Its processor sends shares which are none.
    BadShare,
    /// Its processor sends no shares.
    Withholder,
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
    /// The longest time until a step is durable.
    pub sync: Time,
    /// Crashes, of a hundred thousand steps or outputs.
    pub crash: u64,
    /// Crashes which lose a processor's disk, of a thousand.
    pub wipe: u64,
    /// From one partition to the next; 0 for none.
    pub partition: Time,
    /// Base-chain nodes which do not answer, of a thousand calls.
    pub rpc: u64,
    /// Calls of a queue which fail, of a thousand; half of them after they took effect.
    pub http: u64,
    /// The farthest that a clock is off, in milliseconds.
    pub skew_ms: u64,
    /// When all of this ends.
    pub until: Time,
    /// Each validator's manner.
    pub manners: Vec<Manner>,
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
            sync: 2 * MS,
            crash: 0,
            wipe: 0,
            partition: 0,
            rpc: 0,
            http: 0,
            skew_ms: 0,
            until: 0,
            manners: vec![Manner::Honest; validators],
        }
    }

    /// Draws the faults of a run; each kind is there in about half of the runs.
    pub fn draw(profile: Profile, weights: &[u16], rng: &mut ChaCha8Rng) -> Self {
        let mut some = |most: u64| if rng.next_u64().is_multiple_of(2) { below(rng, most) } else { 0 };
        let crash = if profile == Profile::Crash { 100 + some(400) } else { some(60) };
        let faults = Self {
            loss: some(100),
            duplicated: some(100),
            delay: 5 * MS + some(200 * MS),
            sync: MS + some(50 * MS),
            crash,
            wipe: if profile == Profile::Crash { 100 } else { some(60) },
            partition: some(2) * 6 * SECOND,
            rpc: some(200),
            http: some(200),
            skew_ms: some(2_000),
            until: 25 * SECOND,
            manners: vec![Manner::Honest; weights.len()],
        };
        let lies = (profile == Profile::Byzantine) || below(rng, 4) == 0;
        if lies { faults.with_liar(weights, rng) } else { faults }
    }

    /// One validator, of less than a third of the weight of every chain, misbehaves.
    fn with_liar(mut self, weights: &[u16], rng: &mut ChaCha8Rng) -> Self {
        const MANNERS: [Manner; 7] = [
            Manner::Silent,
            Manner::Twin,
            Manner::Garbage,
            Manner::BadDealer,
            Manner::BadPreprocess,
            Manner::BadShare,
            Manner::Withholder,
        ];
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let liar = usize::try_from(below(rng, weights.len() as u64)).unwrap_or_default();
        let weight = weights.get(liar).copied().map_or(0, u64::from);
        let enough = (weight * 3 < total) && (weights.len() > 3);
        let manner = usize::try_from(below(rng, MANNERS.len() as u64)).unwrap_or_default();
        if let (true, Some(to), Some(from)) = (enough, self.manners.get_mut(liar), MANNERS.get(manner)) {
            *to = *from;
        }
        self
    }
}
