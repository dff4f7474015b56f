//! The binary of a simulated processor.

use std::{process::ExitCode, sync::Arc};

use clap::Parser;
use simulated_processor::{cli, dkg::Evrf};

fn main() -> ExitCode {
    cli::main(cli::Arguments::parse(), Arc::new(Evrf::default()))
}
