//! One program run to its end, with what it printed.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// How long a program may take to end, or to print a line that a test waits for.
const PATIENCE: Duration = Duration::from_secs(150);

/// A running program whose lines are read as they come. Dropping it kills it.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    stdout: Option<thread::JoinHandle<String>>,
    seen: Vec<String>,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// All of standard output.
    pub stdout: String,
    /// The lines of standard error.
    pub stderr: Vec<String>,
}

impl Program {
    /// Starts it.
    pub fn start(executable: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(executable)
            .args(arguments)
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut stdout = child.stdout.take().expect("a pipe");
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("text on standard output");
            text
        });
        Self { child, lines, stdout: Some(stdout), seen: Vec::new() }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on standard error which holds all of `parts`.
    pub fn line(&mut self, parts: &[&str]) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no line with {parts:?}; there were:\n{}", self.seen.join("\n"));
            };
            self.seen.push(line.clone());
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
        }
    }

    /// Waits until it ends by itself.
    pub fn end(mut self) -> Ended {
        use std::sync::mpsc::RecvTimeoutError::Timeout;
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(Timeout) => panic!("it goes on; its lines:\n{}", self.seen.join("\n")),
                Err(_) => break,
            }
        }
        let stdout = self.stdout.take().expect("taken here alone").join().expect("standard output is read");
        let code = self.child.wait().expect("an ended child").code();
        Ended { code, stdout, stderr: std::mem::take(&mut self.seen) }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs one role with a configuration file, which is to be refused.
pub fn run_node(executable: &str, role: &str, config: &Path) -> Ended {
    Program::start(executable, &["node", role, "--config", &config.display().to_string()]).end()
}

impl Ended {
    /// The reason: the last line of standard error, which holds all of `parts`; nothing panicked.
    pub fn reason(&self, code: i32, parts: &[&str]) -> String {
        let line = self.stderr.last().expect("a reason").clone();
        assert_eq!(self.code, Some(code), "{self:#?}");
        for part in parts {
            assert!(line.contains(part), "`{part}` is not in: {line}");
        }
        for of_panic in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
            assert!(self.stderr.iter().all(|line| !line.contains(of_panic)), "{self:#?}");
        }
        assert_eq!(self.stdout, "", "standard output is for results");
        line
    }

    /// As [`Ended::reason`], and there is no other line: what is wrong was found before anything began.
    pub fn only_line(&self, code: i32, parts: &[&str]) -> String {
        assert_eq!(self.stderr.len(), 1, "{self:#?}");
        self.reason(code, parts)
    }
}
