//! Runs a testnet: keys, configurations, processes.
//!
//! ```text
//! cli ──▶ plan ──▶ generate (or resume) ──▶ testnet: processes started, observed, stopped ──▶ summary
//!   └───▶ node: one process of a testnet, by role
//! ```
//!
//! Everything is a child process of one executable: `testnet up` starts it again with `node ROLE --config FILE`.
//! What is shown as reached was read from the base chain or a coordinator's status (`spec/testnet.md`).
//!
//! What it deliberately does not do: restart what died (it names it and shows the command), and anything beyond
//! loopback.

// Its own tests may.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod cli;
pub mod generate;
pub mod layout;
mod node;
pub mod observe;
pub mod plan;
pub mod ports;
pub mod process;
pub mod processor_log;
pub mod summary;
pub mod testnet;

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};
use coordinator_startup::Failure;

/// The whole program: parses the arguments of this process and runs them.
pub fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => match cli.command {
            cli::Command::Testnet(cli::TestnetCommand::Up(args)) => testnet::up(&args),
            cli::Command::Node(command) => node::run(&command),
        },
        Err(error) => refuse(&error),
    }
}

/// Shows the help that was asked for, or one line that says what is wrong with the options (`NET-7`).
fn refuse(error: &clap::Error) -> ExitCode {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::DisplayVersion
    );
    if asked {
        // A reader who closed the pipe has what it wants.
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1));
    }
    let text = error.to_string();
    // What follows the first paragraphs is usage, which `--help` shows.
    let what = text.split("\n\nUsage:").next().unwrap_or_default();
    let what = what.trim_end_matches("For more information, try '--help'.\n").trim();
    let what = what.strip_prefix("error: ").unwrap_or(what);
    Failure::config(what, "correct the option; --help shows all").report()
}
