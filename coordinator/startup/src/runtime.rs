//! The async runtime of a service, from its start to the signal that ends it.

use std::{future::Future, io, pin::Pin};

use tokio::signal::unix::{SignalKind, signal};

use crate::{Failure, Kind};

/// Completes when the process is asked to end: SIGINT or SIGTERM.
pub type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a service on a runtime of its own. Signals are caught before `run` begins, so none kills it half-way. What
/// still computes on a blocking thread when the service has ended is abandoned.
///
/// # Errors
/// What `run` says, or [`Failure`] of kind [`Kind::Internal`] if the system refuses threads or signals.
pub fn run_to_signal<T, F>(worker_threads: usize, run: impl FnOnce(Shutdown) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads)
        .enable_all()
        .build()
        .map_err(|error| refused(&error))?;
    let result = runtime.block_on(async { run(shutdown().map_err(|error| refused(&error))?).await });
    runtime.shutdown_background();
    result
}

fn shutdown() -> io::Result<Shutdown> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(Box::pin(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    }))
}

fn refused(error: &io::Error) -> Failure {
    Failure {
        kind: Kind::Internal,
        code: "RUNTIME",
        what: error.to_string(),
        remedy: "raise the limits of threads and files".to_owned(),
    }
}
