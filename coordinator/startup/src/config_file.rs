//! TOML files: parsed once, and every complaint names file, line, value and remedy.

use std::{fmt, fs, io, path::Path};

use serde::de::DeserializeOwned;

use crate::Failure;

/// The largest configuration file, in bytes.
pub const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// The text of a configuration file, kept so that whoever finds a value wrong can say where it stands.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    name: String,
    text: String,
}

/// Reads a TOML configuration file.
///
/// # Errors
/// As [`ConfigFile::read`] and [`ConfigFile::parse`].
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    ConfigFile::read(path)?.parse()
}

impl ConfigFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Failure`] of kind [`Config`](crate::Kind::Config) if the file is missing, too large, or no text.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let unreadable = |error: io::Error| {
            Failure::config(
                format!("cannot read {}: {error}", path.display()),
                "give the path of a configuration file that this user may read",
            )
        };
        let size = fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_CONFIG_BYTES {
            return Err(Failure::config(
                format!("{} has {size} bytes, at most {MAX_CONFIG_BYTES} are read", path.display()),
                "give the path of a configuration file",
            ));
        }
        Ok(Self::new(path.display(), fs::read_to_string(path).map_err(unreadable)?))
    }

    /// A text as if read from a file called `name`.
    pub fn new(name: impl fmt::Display, text: impl Into<String>) -> Self {
        Self { name: name.to_string(), text: text.into() }
    }

    /// Its value. `T` should `deny_unknown_fields`.
    ///
    /// # Errors
    /// [`Failure`] of kind [`Config`](crate::Kind::Config) with the file, the line, the value (unless it may be
    /// secret) and a remedy.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        toml::from_str(&self.text).map_err(|error| {
            let start = error.span().unwrap_or(0..0).start;
            let index = self.text.get(..start).map_or(0, |before| before.matches('\n').count());
            let source = self.text.lines().nth(index).unwrap_or_default();
            let message = if is_secret(source) || source.contains('@') {
                redact_quoted(error.message())
            } else {
                error.message().to_owned()
            };
            self.complain(index, &message, "correct that line")
        })
    }

    /// What to say of a setting whose value parses and cannot work. `setting` is `key` or `table.key`; in an array of
    /// tables the first is named.
    pub fn wrong(&self, setting: &str, remedy: impl Into<String>) -> Failure {
        self.complain(self.find(setting), &format!("{setting} cannot work"), remedy)
    }

    fn complain(&self, index: usize, message: &str, remedy: impl Into<String>) -> Failure {
        let source = self.text.lines().nth(index).unwrap_or_default();
        let line = index.saturating_add(1);
        Failure::config(format!("{}:{line}: {message}, in `{}`", self.name, redact(source.trim())), remedy)
    }

    /// The index of the line which gives a setting, or 0.
    fn find(&self, setting: &str) -> usize {
        let mut table = String::new();
        let found = self.text.lines().position(|line| {
            let line = line.trim();
            if let Some(header) = line.strip_prefix('[') {
                let name = header.trim_start_matches('[').split(']').next().unwrap_or_default();
                table = format!("{}.", name.trim());
                return false;
            }
            let key = line.split('=').next().unwrap_or_default().trim();
            setting.strip_prefix(table.as_str()) == Some(key)
        });
        found.unwrap_or_default()
    }
}

/// Whether a line may hold a secret, by the name of its setting. The name of a file is none.
fn is_secret(line: &str) -> bool {
    let name = line.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
    let secret = ["secret", "pass", "token", "private", "seed"].iter().any(|word| name.contains(word));
    secret && !name.ends_with("_file")
}

/// A line without the value if it may be a secret, or without the user information of a URL.
fn redact(line: &str) -> String {
    if let Some((name, _)) = line.split_once('=').filter(|_| is_secret(line)) {
        return format!("{name}= (redacted)");
    }
    let shown: String =
        match line.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
            Some((scheme, (_, host))) => format!("{scheme}://(redacted)@{host}"),
            None => line.to_owned(),
        };
    shown.chars().take(120).collect()
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
