//! The coordinator's command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use coordinator::{Config, Failure, resume::Scope};
use processor_messages::{Network, Session, ValidatorSet};

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
    Resume {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        #[command(flatten)]
        halted: Halted,
    },
    /// Checks a configuration file and says what is wrong with it.
    CheckConfig {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

/// What is halted.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Halted {
    /// Acting on blocks of the base chain, after conflicting cosigns.
    #[arg(long)]
    base_chain: bool,
    /// A network with all its sessions.
    #[arg(long)]
    network: Option<Network>,
    /// One session, as network/number.
    #[arg(long, value_parser = session)]
    session: Option<ValidatorSet>,
}

fn session(text: &str) -> Result<ValidatorSet, String> {
    let wrong = || format!("`{text}` is no session; write it as network/number");
    let (network, session) = text.split_once('/').ok_or_else(wrong)?;
    let session = session.parse().map(Session).map_err(|_| wrong())?;
    Ok(ValidatorSet { network: network.parse().map_err(|_| wrong())?, session })
}

impl Halted {
    fn scope(self) -> Scope {
        match (self.network, self.session) {
            (Some(network), _) => Scope::Network(network),
            (None, Some(set)) => Scope::Session(set),
            (None, None) => Scope::BaseChain,
        }
    }
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run { config } => run(&config),
        Command::Resume { config, halted } => resume(&config, halted.scope()),
        Command::CheckConfig { config } => Config::load(&config).map(|_| ()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(path: &std::path::Path) -> Result<(), Failure> {
    let config = Config::load(path)?;
    coordinator::log::start(&config.log)?;
    coordinator::service::run_to_signal(config)
}

#[allow(clippy::print_stdout, reason = "its answer")]
fn resume(path: &std::path::Path, scope: Scope) -> Result<(), Failure> {
    let config = Config::load(path)?;
    println!("{}", coordinator::resume::run(&config, scope)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(arguments: &[&str]) -> Option<Scope> {
        let line = ["coordinator", "resume", "--config", "c.toml"].iter().chain(arguments);
        match Arguments::try_parse_from(line).ok()?.command {
            Command::Resume { halted, .. } => Some(halted.scope()),
            _ => None,
        }
    }

    #[test]
    fn exactly_one_thing_is_resumed() {
        // COORD-19.
        let network: Network = "bitcoin".parse().unwrap();
        let set = ValidatorSet { network, session: Session(3) };
        assert_eq!(scope(&["--base-chain"]), Some(Scope::BaseChain));
        assert_eq!(scope(&["--network", "bitcoin"]), Some(Scope::Network(network)));
        assert_eq!(scope(&["--session", "bitcoin/3"]), Some(Scope::Session(set)));
        for wrong in [&[][..], &["--base-chain", "--network", "bitcoin"], &["--session", "bitcoin"]] {
            assert_eq!(scope(wrong), None, "{wrong:?}");
        }
        for wrong in ["bitcoin/", "/3", "bitcoin/-1", "bitcoin/3/4", "Bit Coin/3"] {
            assert_eq!(scope(&["--session", wrong]), None, "{wrong}");
        }
    }
}
