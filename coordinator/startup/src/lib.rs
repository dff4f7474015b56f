//! From a configuration file to a running service, and what can go wrong there: the same for every service.
//!
//! ```text
//! file --ConfigFile--> T, checked --open_store--> store --run_to_signal--> service until SIGINT or SIGTERM
//!           |                         |                      |
//!           +-------------------------+----------------------+
//!           v
//!     Failure: one line with a reason code, what is wrong and what to do; then a fixed exit code
//! ```
//!
//! An operator sees `CONFIG_INVALID: coordinator.toml:7: unknown field `p2p_adress` …; correct it`, never a
//! backtrace. Values which may be secret are not shown.

mod config_file;
mod data_dir;
mod listen;
mod runtime;

pub use config_file::{ConfigFile, MAX_CONFIG_BYTES, load};
pub use data_dir::{open_store, store_failure};
pub use listen::{BoundedListener, Connection};
pub use runtime::{Shutdown, run_to_signal};

use std::{fmt, io, process::ExitCode};

/// What the operator can do about a failure decides the exit code (sysexits.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The configuration is wrong: exit code 78.
    Config,
    /// Something outside is not available, such as a port or an RPC server: exit code 69.
    Unavailable,
    /// The disk failed, is full, or holds another version's data: exit code 74.
    Disk,
    /// A fault of ours: exit code 70.
    Internal,
}

impl Kind {
    /// The exit code of a process which ends for this.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Config => 78,
            Self::Unavailable => 69,
            Self::Disk => 74,
            Self::Internal => 70,
        }
    }
}

/// Why a service does not start or had to stop: one line for the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Who must act, and so the exit code.
    pub kind: Kind,
    /// A stable reason code, such as `PORT_TAKEN`.
    pub code: &'static str,
    /// What is wrong, with the file, address or value concerned.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!("{}: {}; {}", self.code, self.what, self.remedy);
        // One line, whatever a library's message held.
        f.write_str(&line.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// A wrong configuration.
    pub fn config(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: Kind::Config, code: "CONFIG_INVALID", what: what.into(), remedy: remedy.into() }
    }

    /// An address which cannot be listened on.
    pub fn listen(purpose: &str, address: impl fmt::Display, error: &io::Error) -> Self {
        let (code, remedy) = match error.kind() {
            io::ErrorKind::AddrInUse => {
                ("PORT_TAKEN", "stop the program which uses it, or configure another address")
            }
            io::ErrorKind::AddrNotAvailable => ("ADDRESS_NOT_LOCAL", "configure an address of this machine"),
            io::ErrorKind::PermissionDenied => {
                ("PORT_FORBIDDEN", "configure a port above 1023, or grant the permission")
            }
            _ => ("LISTEN_FAILED", "check the address and the machine's network"),
        };
        Self {
            kind: Kind::Unavailable,
            code,
            what: format!("cannot listen on {address} for {purpose}: {error}"),
            remedy: remedy.to_owned(),
        }
    }

    /// Prints the line to standard error and yields the exit code.
    #[allow(clippy::print_stderr, reason = "the one place where a service tells why it ends")]
    pub fn report(&self) -> ExitCode {
        eprintln!("{self}");
        ExitCode::from(self.kind.exit_code())
    }
}

#[cfg(test)]
mod tests;
