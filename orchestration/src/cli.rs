//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use coordinator_cli::Resume;

use crate::plan::{LONG_EPOCH_BLOCKS, SHORT_EPOCH_BLOCKS};

/// Runs a Headwater testnet on this machine.
#[derive(Parser, Debug)]
#[command(name = "orchestration", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// A testnet on loopback: base chain, coordinators and processors as processes of this executable.
    #[command(subcommand)]
    Testnet(TestnetCommand),
    /// One process of a testnet, or one act on it, from its configuration file.
    #[command(subcommand)]
    Node(NodeCommand),
}

/// What to do with a testnet.
#[derive(Subcommand, Debug)]
pub enum TestnetCommand {
    /// Bring it up: make its keys, confirm them, execute batches. Resumes if the directory has one already.
    Up(UpArgs),
}

/// How far to go.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// Stop with exit code 0 once every network's first batch is executed.
    FirstBatch,
    /// Stop with exit code 0 once every network's first set handed over and is retired with its slash report, and its
    /// second set executed batches.
    Handover,
    /// Run until Ctrl-C.
    Forever,
}

/// Options of `testnet up`.
#[derive(Args, Clone, Debug)]
pub struct UpArgs {
    /// How many validators.
    #[arg(long, default_value_t = 4)]
    pub validators: usize,
    /// How many networks; each validator runs a processor for each.
    #[arg(long, default_value_t = 2)]
    pub networks: usize,
    /// Key shares of each validator, separated by commas; one each if not given.
    #[arg(long, value_delimiter = ',')]
    pub weights: Option<Vec<u16>>,
    /// Where everything lives; a new temporary directory if not given.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// The base chain's time between blocks, such as `1s` or `500ms`.
    #[arg(long, default_value = "1s", value_parser = parse_duration)]
    pub block_time: Duration,
    /// After how many base-chain blocks each network's next set is declared: 60 with `--until handover`, else 50000.
    #[arg(long)]
    pub epoch_blocks: Option<u64>,
    /// How far to go.
    #[arg(long, value_enum, default_value_t = Until::Forever)]
    pub until: Until,
    /// Print one JSON object at the end to standard output, and nothing else there.
    #[arg(long)]
    pub json: bool,
}

impl UpArgs {
    /// The epoch that was asked for, or one which lets `until` come about.
    pub fn epoch_blocks(&self) -> u64 {
        self.epoch_blocks.unwrap_or(match self.until {
            Until::Handover => SHORT_EPOCH_BLOCKS,
            Until::FirstBatch | Until::Forever => LONG_EPOCH_BLOCKS,
        })
    }
}

/// One process of a testnet, or one act on it.
#[derive(Subcommand, Debug)]
pub enum NodeCommand {
    /// A node of the reference base chain.
    BaseChain(NodeArgs),
    /// A coordinator.
    Coordinator(NodeArgs),
    /// A simulated processor.
    Processor(NodeArgs),
    /// A simulated network: what the accounts of its sessions paid.
    Network(NodeArgs),
    /// Lifts a halt which a coordinator recorded; that coordinator must be stopped.
    Resume(Resume),
}

/// Options of one process.
#[derive(Args, Clone, Debug)]
pub struct NodeArgs {
    /// Its configuration file.
    #[arg(long)]
    pub config: PathBuf,
    /// Stop when the parent process ends.
    #[arg(long, hide = true)]
    pub with_parent: bool,
}

/// Parses `1s`, `500ms` or `2m`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 =
        digits.parse().map_err(|_| format!("`{text}` is no duration; write 1s, 500ms or 2m"))?;
    match text.get(digits.len()..) {
        Some("ms") => Ok(Duration::from_millis(number)),
        Some("s") => Ok(Duration::from_secs(number)),
        Some("m") => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err(format!("`{text}` has no unit; write 1s, 500ms or 2m")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_mins(2)));
        assert!(
            parse_duration("5").is_err() && parse_duration("s").is_err() && parse_duration("-1s").is_err()
        );
    }

    #[test]
    fn the_documented_command_lines_parse() {
        let line = "orchestration testnet up --validators 7 --weights 3,2,2,1,1,1,1 --networks 3 --until first-batch --json";
        let Command::Testnet(TestnetCommand::Up(args)) = Cli::parse_from(line.split(' ')).command else {
            panic!("testnet up")
        };
        assert_eq!(args.weights.as_deref(), Some(&[3, 2, 2, 1, 1, 1, 1][..]));
        assert_eq!((args.validators, args.networks, args.until, args.json), (7, 3, Until::FirstBatch, true));
        assert_eq!(args.epoch_blocks(), LONG_EPOCH_BLOCKS);
        let line = "orchestration node resume --config c.toml --session bitcoin/0";
        assert!(matches!(Cli::parse_from(line.split(' ')).command, Command::Node(NodeCommand::Resume(_))));
        let line = "orchestration testnet up --until handover --json";
        let Command::Testnet(TestnetCommand::Up(args)) = Cli::parse_from(line.split(' ')).command else {
            panic!("testnet up")
        };
        assert_eq!((args.until, args.epoch_blocks()), (Until::Handover, SHORT_EPOCH_BLOCKS));
    }
}
