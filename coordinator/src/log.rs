//! Logs as text or JSON, to standard error.

use coordinator_startup::Failure;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging for the whole process; later calls do nothing.
///
/// # Errors
/// [`Failure`] if the filter is not understood.
pub fn start(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| {
        Failure::config(
            format!("log.filter = {:?}: {error}", log.filter),
            "write directives such as \"info,coordinator=debug\"",
        )
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Somebody else's subscriber, such as a test's, stays.
    let _ = match log.format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}
