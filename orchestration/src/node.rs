//! One process of a testnet: a role of this executable.

use std::{future::Future, path::Path, process::ExitCode, sync::Arc};

use coordinator_startup::{Failure, Kind};

use crate::cli::{NodeArgs, NodeCommand};

/// Runs one process until it is asked to stop.
pub(crate) fn run(command: &NodeCommand) -> ExitCode {
    let (NodeCommand::BaseChain(args) | NodeCommand::Coordinator(args) | NodeCommand::Processor(args)) =
        command;
    let done = follow_parent(args).and_then(|()| match command {
        NodeCommand::BaseChain(args) => base_chain(&args.config),
        NodeCommand::Coordinator(args) => coordinator(&args.config),
        NodeCommand::Processor(args) => processor(&args.config),
    });
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
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
        .map_err(|error| internal(&error.into()))
}

fn internal(error: &std::io::Error) -> Failure {
    Failure {
        kind: Kind::Internal,
        code: "RUNTIME",
        what: error.to_string(),
        remedy: "raise the limits of threads and files".to_owned(),
    }
}

/// Runs a future on a small runtime with a shutdown that completes at SIGINT or SIGTERM.
fn block_on<F: Future<Output = Result<(), Failure>>>(
    run: impl FnOnce(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) -> F,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| internal(&error))?;
    let result = runtime.block_on(run(Box::pin(simulated_processor::cli::interrupted())));
    runtime.shutdown_background();
    result
}

fn base_chain(config: &Path) -> Result<(), Failure> {
    coordinator::log::start(&coordinator::config::Log::default())?;
    block_on(|shutdown| base_chain_node::run(config, shutdown))
}

fn coordinator(path: &Path) -> Result<(), Failure> {
    let config = coordinator::Config::load(path)?;
    coordinator::log::start(&config.log)?;
    block_on(|shutdown| coordinator::run(config, shutdown))
}

fn processor(config: &Path) -> Result<(), Failure> {
    coordinator::log::start(&coordinator::config::Log::default())?;
    block_on(async |shutdown| {
        let dkg = Arc::new(simulated_processor::dkg::Evrf::default());
        simulated_processor::start::run(config, dkg, shutdown).await.map_err(|error| {
            let kind = if error.exit_code() == 78 { Kind::Config } else { Kind::Unavailable };
            Failure {
                kind,
                code: "PROCESSOR",
                what: error.to_string(),
                remedy: "act as it says and start the processor again".to_owned(),
            }
        })
    })
}
