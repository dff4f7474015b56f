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

use clap::Parser;
use simulation::{
    faults::{Kind, Profile},
    report::{self, Summary},
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
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(feature = "mutations")]
    if let Some(code) = mutations(&arguments) {
        return code;
    }
    let options = arguments.options();
    let start = Instant::now();
    let outcomes = match arguments.replay {
        Some(seed) => vec![run(&options.clone().traced(), seed)],
        None => run_all(&options, arguments.from, arguments.seeds, false),
    };
    let summary = Summary::of(&options, &outcomes, start.elapsed());
    if arguments.json {
        show(&serde_json::to_string_pretty(&summary).expect("plain data"));
        tell(&arguments, &options, &outcomes, show_aside);
    } else {
        tell(&arguments, &options, &outcomes, show);
        summary.lines().iter().for_each(|line| show(line));
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

/// All of a run that was asked for; else what the failing ones violated, and the trace's end of the first.
fn tell(arguments: &Arguments, options: &Options, outcomes: &[Outcome], show: fn(&str)) {
    let mut lines = Vec::new();
    let failing: Vec<_> = report::failing(outcomes).collect();
    if arguments.replay.is_some() && !arguments.json {
        lines.extend(outcomes.iter().flat_map(report::whole));
    } else if let Some(first) = failing.first() {
        lines.extend(report::end(&run(&options.clone().traced(), first.seed)));
    }
    lines.extend(failing.iter().flat_map(|outcome| report::violations(options, outcome)));
    for line in &lines {
        show(line);
    }
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

/// Beside the result, where that is for programs.
#[allow(clippy::print_stderr, reason = "what is to be read besides the command's result")]
fn show_aside(text: &str) {
    eprintln!("{text}");
}
