//! Configuration files, and what can go wrong when a service starts: the same for every service.
//!
//! ```text
//! file --load--> T, checked --> service
//!        |
//!        v
//!     Failure: one line with a reason code, what is wrong and what to do; then a fixed exit code
//! ```
//!
//! An operator sees `CONFIG_INVALID: coordinator.toml:7: unknown field `p2p_adress` …; correct it`, never a
//! backtrace. Values which may be secret are not shown.

use std::{fmt, io, path::Path, process::ExitCode};

use serde::de::DeserializeOwned;

/// The largest configuration file, in bytes.
pub const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

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

/// Reads a TOML configuration file.
///
/// # Errors
/// [`Failure`] of kind [`Kind::Config`] with the file, the line, the value (unless it may be secret) and a
/// remedy, if the file is missing, too large, or not a `T`. `T` should `deny_unknown_fields`.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let unreadable = |error: io::Error| {
        Failure::config(
            format!("cannot read {}: {error}", path.display()),
            "give the path of a configuration file that this user may read",
        )
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_CONFIG_BYTES {
        return Err(Failure::config(
            format!("{} has {size} bytes, at most {MAX_CONFIG_BYTES} are read", path.display()),
            "give the path of a configuration file",
        ));
    }
    parse(&path.display().to_string(), &std::fs::read_to_string(path).map_err(unreadable)?)
}

/// Parses the text of a configuration file called `name`; see [`load`].
///
/// # Errors
/// As [`load`].
pub fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Failure> {
    toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
        let source = text.lines().nth(line - 1).unwrap_or_default().trim();
        let message =
            if is_secret(source) { redact_quoted(error.message()) } else { error.message().to_owned() };
        Failure::config(
            format!("{name}:{line}: {message}, in `{}`", redact(source)),
            "correct that line; the README names every setting",
        )
    })
}

/// Whether a line may hold a secret, by the name of its setting.
fn is_secret(line: &str) -> bool {
    let name = line.split('=').next().unwrap_or_default().to_ascii_lowercase();
    ["secret", "pass", "token", "private", "seed"].iter().any(|word| name.contains(word))
}

fn redact(line: &str) -> String {
    match line.split_once('=') {
        Some((name, _)) if is_secret(line) => format!("{name}= (redacted)"),
        _ => line.chars().take(120).collect(),
    }
}

/// Replaces what a parser's message quotes of the value.
fn redact_quoted(message: &str) -> String {
    let mut parts = message.split(['"', '`']);
    let mut text = parts.next().unwrap_or_default().to_owned();
    while let Some(_quoted) = parts.next() {
        text.push_str("(redacted)");
        text.push_str(parts.next().unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Config {
        listen: std::net::SocketAddr,
        passphrase: Option<u32>,
    }

    #[test]
    fn an_unknown_setting_names_file_line_and_remedy() {
        let failure = parse::<Config>("a.toml", "listen = \"127.0.0.1:1\"\nlissen = 3\n").unwrap_err();
        let text = failure.to_string();
        assert!(text.starts_with("CONFIG_INVALID: a.toml:2: unknown field `lissen`"), "{text}");
        assert!(text.contains("`lissen = 3`") && text.contains("correct that line"), "{text}");
        assert_eq!(failure.kind.exit_code(), 78);
    }

    #[test]
    fn a_wrong_value_is_shown_and_a_secret_one_is_not() {
        let text = parse::<Config>("a.toml", "listen = \"nowhere\"").unwrap_err().to_string();
        assert!(text.contains("a.toml:1") && text.contains("nowhere"), "{text}");
        let secret = "listen = \"127.0.0.1:1\"\npassphrase = \"hunter2\"";
        let text = parse::<Config>("a.toml", secret).unwrap_err().to_string();
        assert!(text.contains("a.toml:2") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_missing_setting_is_named() {
        let text = parse::<Config>("a.toml", "").unwrap_err().to_string();
        assert!(text.contains("missing field `listen`"), "{text}");
    }

    #[test]
    fn a_missing_or_oversized_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        assert!(load::<Config>(&path).unwrap_err().to_string().contains("cannot read"));
        std::fs::write(&path, " ".repeat(1024 * 1024 + 1)).unwrap();
        assert!(load::<Config>(&path).unwrap_err().to_string().contains("at most"));
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = std::net::TcpListener::bind(address).unwrap_err();
        let failure = Failure::listen("p2p", address, &error);
        assert_eq!((failure.code, failure.kind.exit_code()), ("PORT_TAKEN", 69));
        assert!(failure.to_string().contains(&address.to_string()));
    }
}
