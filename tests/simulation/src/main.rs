//! Runs seeds of the simulation and reports what cannot be.
//!
//! ```sh
//! cargo run --release -p simulation -- --seeds 1000 --profile default
//! cargo run --release -p simulation -- --replay 17 --profile crash
//! ```

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use blake2::{Blake2b, Digest, digest::consts::U32};
use clap::Parser;
use serde::Serialize;
use simulation::{
    faults::Profile,
    run::{Outcome, run, traced},
    world::Counts,
};

/// Runs whole networks from seeds, with faults, and reports what must not be.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Which faults.
    #[arg(long, value_enum, default_value_t = Profile::Default)]
    profile: Profile,
    /// Runs this seed alone and prints all that is known of it.
    #[arg(long)]
    replay: Option<u64>,
    /// Prints one JSON object, at the end.
    #[arg(long)]
    json: bool,
}

/// All runs together.
#[derive(Serialize)]
struct Summary {
    profile: Profile,
    seeds: u64,
    violations: u64,
    failing_seeds: Vec<u64>,
    longest_recovery_seconds: f64,
    steps: u64,
    faults: Counts,
    hash: String,
    seconds: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.replay {
        let outcome = traced(arguments.profile, seed, true);
        show(&serde_json::to_string_pretty(&outcome).expect("plain data"));
        return if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let start = Instant::now();
    let outcomes = run_all(&arguments);
    let summary = summarize(&arguments, &outcomes, start.elapsed().as_secs_f64());
    if arguments.json {
        show(&serde_json::to_string_pretty(&summary).expect("plain data"));
    } else {
        tell(&arguments, &outcomes, &summary);
    }
    if summary.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all seeds on all cores; outcomes in the order of the seeds.
fn run_all(arguments: &Arguments) -> Vec<Outcome> {
    let next = AtomicU64::new(0);
    let done = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= arguments.seeds {
                        return;
                    }
                    let outcome = run(arguments.profile, arguments.from + index);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let mut outcomes = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| outcome.seed);
    outcomes
}

fn summarize(arguments: &Arguments, outcomes: &[Outcome], seconds: f64) -> Summary {
    let mut hash = Blake2b::<U32>::new();
    let (mut faults, mut violations, mut longest) = (Counts::default(), 0, 0.0_f64);
    for outcome in outcomes {
        hash.update(&outcome.hash);
        faults.add(&outcome.counts);
        violations += outcome.violations.len() as u64;
        longest = longest.max(outcome.recovery_seconds);
    }
    let failing = outcomes.iter().filter(|outcome| !outcome.violations.is_empty());
    Summary {
        profile: arguments.profile,
        seeds: arguments.seeds,
        violations,
        failing_seeds: failing.map(|outcome| outcome.seed).collect(),
        longest_recovery_seconds: longest,
        steps: faults.steps,
        faults,
        hash: hex::encode(hash.finalize()),
        seconds,
    }
}

fn tell(arguments: &Arguments, outcomes: &[Outcome], summary: &Summary) {
    for outcome in outcomes.iter().filter(|outcome| !outcome.violations.is_empty()) {
        for violation in &outcome.violations {
            show(&format!("seed {}: {violation}", outcome.seed));
        }
        let profile = serde_json::to_string(&arguments.profile).expect("plain data");
        show(&format!(
            "  again: cargo run --release -p simulation -- --profile {} --replay {}",
            profile.trim_matches('"'),
            outcome.seed
        ));
    }
    show(&format!(
        "{} seeds, {} steps, {} violations in {:.1} s; the longest recovery took {:.0} s of virtual time",
        summary.seeds, summary.steps, summary.violations, summary.seconds, summary.longest_recovery_seconds
    ));
    show(&format!("faults: {}", serde_json::to_string(&summary.faults).expect("plain data")));
    show(&format!("hash: {}", summary.hash));
}

#[allow(clippy::print_stdout, reason = "the command's result")]
fn show(text: &str) {
    println!("{text}");
}
