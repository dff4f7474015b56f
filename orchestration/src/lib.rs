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

pub mod cli;
pub mod generate;
pub mod layout;
mod node;
pub mod observe;
pub mod plan;
pub mod ports;
pub mod process;
pub mod summary;
pub mod testnet;

use std::process::ExitCode;

use clap::Parser;

/// The whole program: parses the arguments of this process and runs them.
pub fn main() -> ExitCode {
    match cli::Cli::parse().command {
        cli::Command::Testnet(cli::TestnetCommand::Up(args)) => testnet::up(&args),
        cli::Command::Node(command) => node::run(&command),
    }
}
