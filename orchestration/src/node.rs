//! One process of a testnet: a role of this executable. And the lifting of a coordinator's halt, for who has no other.

use std::{path::Path, process::ExitCode, sync::Arc};

use coordinator_startup::{Failure, Kind, run_to_signal};

use crate::cli::{NodeArgs, NodeCommand};

/// Of each process; two dozen of them share a machine.
const WORKER_THREADS: usize = 2;

/// Runs one process until it is asked to stop, or lifts a halt.
pub(crate) fn run(command: &NodeCommand) -> ExitCode {
    let done = match command {
        NodeCommand::BaseChain(args) => follow_parent(args).and_then(|()| base_chain(&args.config)),
        NodeCommand::Coordinator(args) => follow_parent(args).and_then(|()| coordinator(&args.config)),
        NodeCommand::Processor(args) => follow_parent(args).and_then(|()| processor(&args.config)),
        NodeCommand::Network(args) => follow_parent(args).and_then(|()| network(&args.config)),
        NodeCommand::Resume(options) => coordinator_cli::resume(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Stops this process when its parent ends, also by a crash.
fn follow_parent(args: &NodeArgs) -> Result<(), Failure> {
    if !args.with_parent {
        return Ok(());
    }
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM)).map_err(|error| {
        Failure {
            kind: Kind::Internal,
            code: "RUNTIME",
            what: error.to_string(),
            remedy: "start it without --with-parent".to_owned(),
        }
    })
}

fn base_chain(config: &Path) -> Result<(), Failure> {
    coordinator::log::start(&coordinator::config::Log::default())?;
    run_to_signal(WORKER_THREADS, |shutdown| base_chain_node::run(config, shutdown))
}

fn coordinator(path: &Path) -> Result<(), Failure> {
    let config = coordinator::Config::load(path)?;
    coordinator::log::start(&config.log)?;
    run_to_signal(WORKER_THREADS, |shutdown| coordinator::run(config, shutdown))
}

fn processor(config: &Path) -> Result<(), Failure> {
    coordinator::log::start(&coordinator::config::Log::default())?;
    let dkg = Arc::new(simulated_processor::dkg::Evrf::default());
    run_to_signal(WORKER_THREADS, |shutdown| simulated_processor::start::run(config, dkg, shutdown))
}

fn network(config: &Path) -> Result<(), Failure> {
    coordinator::log::start(&coordinator::config::Log::default())?;
    run_to_signal(1, |shutdown| simulated_processor::ledger::server::run(config, shutdown))
}
