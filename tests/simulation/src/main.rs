//! Runs seeds of the simulation and reports what cannot be.
//!
//! ```sh
//! cargo run --release -p simulation -- --seeds 1000 --profile default
//! cargo run --release -p simulation -- --replay 17 --profile crash
//! cargo run --release -p simulation --features mutations -- --mutations
//! ```

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use blake2::{Blake2b, Digest, digest::consts::U32};
use clap::Parser;
use serde::Serialize;
use simulation::{
    faults::{Counts, Kind, Profile},
    run::{Options, Outcome, run},
    setting::KeyGeneration,
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
    /// Faults of these kinds alone.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// No faults of these kinds.
    #[arg(long, value_enum, value_delimiter = ',')]
    without: Vec<Kind>,
    /// Keys by the eVRF DKG instead of dealt ones: slow.
    #[arg(long)]
    real_dkg: bool,
    /// Runs this seed alone and prints all that is known of it.
    #[arg(long)]
    replay: Option<u64>,
    /// Prints one JSON object, at the end.
    #[arg(long)]
    json: bool,
    /// Breaks the build in this way.
    #[cfg(feature = "mutations")]
    #[arg(long)]
    mutate: Option<String>,
    /// Breaks the build in every way, one after the other, each until a seed catches it.
    #[cfg(feature = "mutations")]
    #[arg(long)]
    mutations: bool,
}

impl Arguments {
    fn options(&self) -> Options {
        let key_generation = if self.real_dkg { KeyGeneration::Real } else { KeyGeneration::Dealt };
        let (only, without) = (self.only.clone(), self.without.clone());
        Options { profile: self.profile, only, without, key_generation, trace: false }
    }

    /// The command which runs a seed again.
    fn again(&self, seed: u64) -> String {
        let mut words = vec![format!("--profile {} --replay {seed}", self.profile.name())];
        for (flag, kinds) in [("only", &self.only), ("without", &self.without)] {
            if !kinds.is_empty() {
                let names: Vec<_> = kinds.iter().copied().map(name_of).collect();
                words.push(format!("--{flag} {}", names.join(",")));
            }
        }
        if self.real_dkg {
            words.push("--real-dkg".to_owned());
        }
        format!("cargo run --release -p simulation -- {}", words.join(" "))
    }
}

fn name_of(kind: Kind) -> String {
    serde_json::to_string(&kind).unwrap_or_default().trim_matches('"').to_owned()
}

/// All runs together. `violations` is the one number which must be zero.
#[derive(Serialize)]
struct Summary {
    profile: Profile,
    seeds: u64,
    violations: u64,
    failing_seeds: Vec<u64>,
    longest_recovery_blocks: u64,
    longest_recovery_ms: u64,
    steps: u64,
    faults: Counts,
    hash: String,
    ms: u64,
    seeds_a_minute: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(feature = "mutations")]
    if let Some(code) = mutations(&arguments) {
        return code;
    }
    let start = Instant::now();
    let outcomes = match arguments.replay {
        Some(seed) => vec![run(&arguments.options().traced(), seed)],
        None => run_all(&arguments.options(), arguments.from, arguments.seeds, false),
    };
    let ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let summary = summarize(&arguments, &outcomes, ms);
    if arguments.json {
        show(&serde_json::to_string_pretty(&summary).expect("plain data"));
    } else {
        if arguments.replay.is_some() {
            outcomes.iter().for_each(tell_all);
        }
        tell(&arguments, &outcomes, &summary);
    }
    if summary.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs seeds on all cores, up to the first violation if `first`; outcomes in the order of the seeds.
fn run_all(options: &Options, from: u64, seeds: u64, first: bool) -> Vec<Outcome> {
    let next = AtomicU64::new(0);
    let found = AtomicBool::new(false);
    let done = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !(first && found.load(Ordering::Relaxed)) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= seeds {
                        return;
                    }
                    let outcome = run(options, from + index);
                    found.fetch_or(!outcome.violations.is_empty(), Ordering::Relaxed);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let mut outcomes = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| outcome.seed);
    outcomes
}

fn summarize(arguments: &Arguments, outcomes: &[Outcome], ms: u64) -> Summary {
    let mut hash = Blake2b::<U32>::new();
    let (mut faults, mut violations) = (Counts::default(), 0);
    for outcome in outcomes {
        hash.update(&outcome.hash);
        faults.add(&outcome.counts);
        violations += outcome.violations.len() as u64;
    }
    let failing = outcomes.iter().filter(|outcome| !outcome.violations.is_empty());
    let seeds = outcomes.len() as u64;
    Summary {
        profile: arguments.profile,
        seeds,
        violations,
        failing_seeds: failing.map(|outcome| outcome.seed).collect(),
        longest_recovery_blocks: outcomes.iter().map(|o| o.recovery_blocks).max().unwrap_or_default(),
        longest_recovery_ms: outcomes.iter().map(|o| o.recovery_ms).max().unwrap_or_default(),
        steps: faults.steps,
        faults,
        hash: hex::encode(hash.finalize()),
        ms,
        seeds_a_minute: (seeds * 60_000).checked_div(ms).unwrap_or_default(),
    }
}

/// All that is known of one run.
fn tell_all(outcome: &Outcome) {
    outcome.trace.iter().chain(&outcome.state).for_each(|line| show(line));
    show(&format!("weights {:?}, networks {}", outcome.weights, outcome.networks));
    show(&format!("manners {:?}", outcome.manners));
}

fn tell(arguments: &Arguments, outcomes: &[Outcome], summary: &Summary) {
    for outcome in outcomes.iter().filter(|outcome| !outcome.violations.is_empty()) {
        for violation in &outcome.violations {
            show(&format!("seed {}: {violation}", outcome.seed));
        }
        show(&format!("  again: {}", arguments.again(outcome.seed)));
    }
    show(&format!(
        "{} seeds, {} steps, {} violations; {} seeds a minute",
        summary.seeds, summary.steps, summary.violations, summary.seeds_a_minute
    ));
    show(&format!(
        "the longest recovery took {} blocks of the base chain, {} ms of virtual time",
        summary.longest_recovery_blocks, summary.longest_recovery_ms
    ));
    for (kind, count) in &summary.faults.faults {
        show(&format!("  {:<12} {count}", name_of(*kind)));
    }
    for (manner, count) in &summary.faults.lies {
        let name = serde_json::to_string(manner).unwrap_or_default();
        show(&format!("  liar: {:<20} {count}", name.trim_matches('"')));
    }
    show(&format!("hash: {}", summary.hash));
}

/// What the mutations of the arguments ask for, if they name any.
#[cfg(feature = "mutations")]
fn mutations(arguments: &Arguments) -> Option<ExitCode> {
    use mutation::Mutation;
    if let Some(name) = &arguments.mutate {
        let Some(mutation) = Mutation::ALL.iter().find(|mutation| mutation.name() == name) else {
            let names: Vec<_> = Mutation::ALL.iter().map(|mutation| mutation.name()).collect();
            show(&format!("no mutation is called {name}; there are {}", names.join(", ")));
            return Some(ExitCode::FAILURE);
        };
        mutation::set(Some(*mutation));
        return None;
    }
    if !arguments.mutations {
        return None;
    }
    show("| mutation | profile | seed | what was seen |\n|---|---|---|---|");
    let mut caught = true;
    for mutation in Mutation::ALL {
        mutation::set(Some(*mutation));
        let found = simulation::mutations::catch(*mutation, arguments.seeds.max(200), |profile, count| {
            run_all(&Options::of(profile), arguments.from, count, true)
        });
        caught &= found.is_some();
        show(&found.unwrap_or_else(|| format!("| {} | – | – | **not caught** |", mutation.name())));
    }
    mutation::set(None);
    Some(if caught { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[allow(clippy::print_stdout, reason = "the command's result")]
fn show(text: &str) {
    println!("{text}");
}
