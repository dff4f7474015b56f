//! What the command says of its runs, and how each failing one is run again.
//!
//! ```text
//! outcomes ──▶ Summary ──▶ one JSON object, or lines: counts, the longest recovery, the hash
//!   each that failed ──▶ its violations, and the command which runs it again
//!   the first of them, run again with the trace ──▶ the trace's end, and where everybody stood
//! ```

use std::time::Duration;

use blake2::{Blake2b, Digest, digest::consts::U32};
use serde::Serialize;

use crate::{
    faults::{Counts, Profile},
    run::{Options, Outcome},
    setting::KeyGeneration,
};

/// The most lines of a trace which are shown unasked: its end.
pub const TRACE_LINES: usize = 200;

/// All runs together. `violations` is the one number which must be zero.
#[derive(Serialize)]
pub struct Summary {
    /// Which faults.
    pub profile: Profile,
    /// How many seeds ran.
    pub seeds: u64,
    /// What cannot be, in all runs.
    pub violations: u64,
    /// The seeds of the runs with violations.
    pub failing_seeds: Vec<u64>,
    /// For each of them the command which runs it again, with its trace.
    pub replay_commands: Vec<String>,
    /// The longest time until everything due was complete, in blocks of the base chain.
    pub longest_recovery_blocks: u64,
    /// The same in milliseconds of virtual time.
    pub longest_recovery_ms: u64,
    /// Events.
    pub steps: u64,
    /// What went wrong on purpose.
    pub faults: Counts,
    /// The hash of everything that happened in all runs.
    pub hash: String,
    /// How long the runs took.
    pub ms: u64,
    /// How many seeds a minute that is.
    pub seeds_a_minute: u64,
}

impl Summary {
    /// Of runs with these options, in the order of their seeds.
    pub fn of(options: &Options, outcomes: &[Outcome], took: Duration) -> Self {
        let mut hash = Blake2b::<U32>::new();
        let (mut faults, mut violations) = (Counts::default(), 0);
        for outcome in outcomes {
            hash.update(&outcome.hash);
            faults.add(&outcome.counts);
            violations += outcome.violations.len() as u64;
        }
        let failing_seeds: Vec<_> = failing(outcomes).map(|outcome| outcome.seed).collect();
        let seeds = outcomes.len() as u64;
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self {
            profile: options.profile,
            seeds,
            violations,
            replay_commands: failing_seeds.iter().map(|seed| replay_command(options, *seed)).collect(),
            failing_seeds,
            longest_recovery_blocks: outcomes.iter().map(|o| o.recovery_blocks).max().unwrap_or_default(),
            longest_recovery_ms: outcomes.iter().map(|o| o.recovery_ms).max().unwrap_or_default(),
            steps: faults.steps,
            faults,
            hash: hex::encode(hash.finalize()),
            ms,
            seeds_a_minute: (seeds * 60_000).checked_div(ms).unwrap_or_default(),
        }
    }

    /// For reading.
    pub fn lines(&self) -> Vec<String> {
        let (seeds, violations, pace) = (self.seeds, self.violations, self.seeds_a_minute);
        let (blocks, ms) = (self.longest_recovery_blocks, self.longest_recovery_ms);
        let mut lines = vec![
            format!("{seeds} seeds, {} steps, {violations} violations; {pace} seeds a minute", self.steps),
            format!("the longest recovery took {blocks} blocks of the base chain, {ms} ms of virtual time"),
        ];
        let faults = self.faults.faults.iter();
        lines.extend(faults.map(|(kind, count)| format!("  {:<12} {count}", name_of(kind))));
        let lies = self.faults.lies.iter();
        lines.extend(lies.map(|(manner, count)| format!("  liar: {:<20} {count}", name_of(manner))));
        lines.push(format!("hash: {}", self.hash));
        lines
    }
}

/// The runs in which something happened that cannot be.
pub fn failing(outcomes: &[Outcome]) -> impl Iterator<Item = &Outcome> {
    outcomes.iter().filter(|outcome| !outcome.violations.is_empty())
}

/// What cannot be in a run, and the command which runs it again.
pub fn violations(options: &Options, outcome: &Outcome) -> Vec<String> {
    let told = |violation| format!("seed {}: {violation}", outcome.seed);
    let again = format!("  again: {}", replay_command(options, outcome.seed));
    outcome.violations.iter().map(told).chain([again]).collect()
}

/// All that is known of a run which kept its trace.
pub fn whole(outcome: &Outcome) -> Vec<String> {
    let setting = [
        format!("weights {:?}, networks {}", outcome.weights, outcome.networks),
        format!("manners {:?}", outcome.manners),
    ];
    outcome.trace.iter().chain(&outcome.state).cloned().chain(setting).collect()
}

/// The last [`TRACE_LINES`] lines of the trace of a run which kept it, and where everybody stood.
pub fn end(outcome: &Outcome) -> Vec<String> {
    let (seed, before) = (outcome.seed, outcome.trace.len().saturating_sub(TRACE_LINES));
    let trace: Vec<_> = outcome.trace.iter().skip(before).cloned().collect();
    let head =
        format!("the trace of seed {seed}: {} lines, of which {before} are left out", outcome.trace.len());
    let last = whole(&Outcome { trace, ..outcome.clone() });
    [head].into_iter().chain(last).collect()
}

/// The command which runs a seed again, and prints all that is known of it.
pub fn replay_command(options: &Options, seed: u64) -> String {
    let mut words = vec!["cargo run --release -p simulation".to_owned()];
    let mutation = mutation();
    if mutation.is_some() {
        words.push("--features mutations".to_owned());
    }
    words.push(format!("-- --profile {} --replay {seed}", options.profile.name()));
    for (flag, kinds) in [("only", &options.only), ("without", &options.without)] {
        if !kinds.is_empty() {
            let names: Vec<_> = kinds.iter().map(name_of).collect();
            words.push(format!("--{flag} {}", names.join(",")));
        }
    }
    if options.key_generation == KeyGeneration::Real {
        words.push("--real-dkg".to_owned());
    }
    words.extend(mutation.map(|name| format!("--mutate {name}")));
    words.join(" ")
}

/// The deliberate fault which is in force.
#[cfg(feature = "mutations")]
fn mutation() -> Option<&'static str> {
    let all = mutation::Mutation::ALL.iter();
    all.copied().find(|mutation| mutation::is(*mutation)).map(mutation::Mutation::name)
}

#[cfg(not(feature = "mutations"))]
fn mutation() -> Option<&'static str> {
    None
}

/// The name of a plain variant, as options and JSON have it.
fn name_of(variant: &impl Serialize) -> String {
    serde_json::to_string(variant).unwrap_or_default().trim_matches('"').to_owned()
}
