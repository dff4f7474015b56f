//! The coordinator's command line.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use coordinator::{Config, Failure};
use coordinator_cli::{Resume, resume};

/// Runs a validator's part in threshold keys: agreement, relay and publication.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the coordinator until it is interrupted.
    Run {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Lifts a halt which the coordinator recorded; the coordinator must be stopped.
    Resume(Resume),
    /// Checks a configuration file and says what is wrong with it.
    CheckConfig {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run { config } => run(&config),
        Command::Resume(options) => resume(&options),
        Command::CheckConfig { config } => Config::load(&config).map(|_| ()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(path: &Path) -> Result<(), Failure> {
    let config = Config::load(path)?;
    coordinator::log::start(&config.log)?;
    coordinator::service::run_to_signal(config)
}
