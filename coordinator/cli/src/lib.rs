//! What the coordinator's command line shares with other executables which run a coordinator: what a halt is lifted
//! from, and how (`COORD-19`).
//!
//! Deliberately not here: running a coordinator, which is [`coordinator::run`] for everybody.

use std::path::PathBuf;

use coordinator::{Config, Failure, resume::Scope};
use processor_messages::{Network, Session, ValidatorSet};

/// Options of `resume`.
#[derive(clap::Args, Clone, Debug)]
pub struct Resume {
    /// The configuration file.
    #[arg(long)]
    pub config: PathBuf,
    /// What is halted.
    #[command(flatten)]
    pub halted: Halted,
}

/// What is halted: exactly one of them.
#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct Halted {
    /// Acting on blocks of the base chain, after conflicting cosigns.
    #[arg(long)]
    pub base_chain: bool,
    /// A network with all its sessions.
    #[arg(long)]
    pub network: Option<Network>,
    /// One session, as network/number.
    #[arg(long, value_parser = session)]
    pub session: Option<ValidatorSet>,
}

fn session(text: &str) -> Result<ValidatorSet, String> {
    let wrong = || format!("`{text}` is no session; write it as network/number");
    let (network, session) = text.split_once('/').ok_or_else(wrong)?;
    let session = session.parse().map(Session).map_err(|_| wrong())?;
    Ok(ValidatorSet { network: network.parse().map_err(|_| wrong())?, session })
}

impl Halted {
    fn scope(&self) -> Scope {
        match (self.network, self.session) {
            (Some(network), _) => Scope::Network(network),
            (None, Some(set)) => Scope::Session(set),
            (None, None) => Scope::BaseChain,
        }
    }
}

/// Lifts the halt of a coordinator which is stopped, and prints one line that says what was lifted.
///
/// # Errors
/// Those of the configuration, and of [`coordinator::resume::run`].
#[allow(clippy::print_stdout, reason = "its answer")]
pub fn resume(Resume { config, halted }: &Resume) -> Result<(), Failure> {
    let config = Config::load(config)?;
    println!("{}", coordinator::resume::run(&config, halted.scope())?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        resume: Resume,
    }

    fn scope(arguments: &[&str]) -> Option<Scope> {
        let line = ["resume", "--config", "c.toml"].iter().chain(arguments);
        Some(Line::try_parse_from(line).ok()?.resume.halted.scope())
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
