//! The command line.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand, ValueEnum};
use coordinator_startup::{Failure, run_to_signal};

use crate::{Config, dkg::KeyGeneration, ledger, secrets, start};

/// A processor with a real DKG, real FROST signing and a simulated external network.
#[derive(Parser, Debug)]
#[command(version)]
pub struct Arguments {
    /// How the log is written, to standard error.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make the keys which are missing, and print the public bundle to register as JSON.
    Init {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Run.
    Run {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Run a simulated network: what the accounts of its sessions paid.
    Network {
        /// The network's configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Check the configuration and the keys, and print the public bundle.
    Check {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

/// Runs a command with the key generation to use; the process's exit code.
pub fn main(arguments: Arguments, dkg: Arc<dyn KeyGeneration>) -> ExitCode {
    init_log(arguments.log_format);
    let done = match arguments.command {
        Command::Init { config } => Config::read(&config).and_then(|c| start::init(&c)).map(|b| print(&b)),
        Command::Check { config } => Config::read(&config).and_then(|c| check(&c)).map(|b| print(&b)),
        Command::Network { config } => run_to_signal(1, |shutdown| ledger::server::run(&config, shutdown)),
        Command::Run { config } => run_to_signal(1, |shutdown| start::run(&config, dkg, shutdown)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn check(config: &Config) -> Result<crate::Bundle, Failure> {
    Ok(secrets::open(config)?.1)
}

fn init_log(format: LogFormat) {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An embedding process may have a log already.
    let _ = match format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}

#[allow(clippy::print_stdout, reason = "the command's result")]
fn print(bundle: &crate::Bundle) {
    println!("{}", serde_json::to_string_pretty(bundle).expect("plain data"));
}
