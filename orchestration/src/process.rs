//! Child processes: started with a log file, stopped in order, named when they die.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// How long a child may take to stop after SIGTERM before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a log's end is read to find its last line.
const LAST_LINE_BYTES: u64 = 4096;

/// What to run: one role of this executable with one configuration file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// How the process is called in what the operator reads, such as `validator-2/coordinator`.
    pub name: String,
    /// The role's subcommand.
    pub role: &'static str,
    /// Its configuration file.
    pub config: PathBuf,
    /// Where its output goes, appended.
    pub log: PathBuf,
}

impl Program {
    /// The command line which starts it, as an operator would type it.
    pub fn command_line(&self, executable: &Path) -> String {
        format!("{} node {} --config {}", executable.display(), self.role, self.config.display())
    }
}

/// A running child.
#[derive(Debug)]
pub struct Process {
    /// What it runs.
    pub program: Program,
    child: Child,
}

impl Process {
    /// Starts a program in a process group of its own, so that a Ctrl-C reaches the parent alone, which then
    /// stops its children in order.
    ///
    /// # Errors
    /// What the system says of the log file or the executable.
    pub fn start(executable: &Path, program: Program) -> io::Result<Self> {
        if let Some(folder) = program.log.parent() {
            fs::create_dir_all(folder)?;
        }
        let log = File::options().create(true).append(true).open(&program.log)?;
        let child = Command::new(executable)
            .args(["node", program.role, "--with-parent", "--config"])
            .arg(&program.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        Ok(Self { program, child })
    }

    /// The system's number of the child.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the child ended, if it did.
    ///
    /// # Errors
    /// What the system says.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Ends the child at once, as a crash would.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Asks the child to stop; see [`stop_all`].
    fn terminate(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // A child which has ended already is what we want.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// The last line which the process logged, or a remark that it logged none.
    pub fn last_line(&self) -> String {
        last_line(&self.program.log).unwrap_or_else(|| "(it logged nothing)".to_owned())
    }
}

/// Asks all to stop, waits, and kills those which do not.
pub fn stop_all(processes: &mut [Process]) {
    for process in processes.iter_mut() {
        process.terminate();
    }
    let start = std::time::Instant::now();
    for process in processes {
        while matches!(process.ended(), Ok(None)) && (start.elapsed() < STOP_TIMEOUT) {
            std::thread::sleep(Duration::from_millis(20));
        }
        if !matches!(process.ended(), Ok(Some(_))) {
            // Nothing is left to try if even this fails.
            let _ = process.kill();
        }
    }
}

/// The last line of a file that is not blank.
fn last_line(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_LINE_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(LAST_LINE_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().rev().find(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_is_not_blank_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        assert_eq!(last_line(&path), None);
        fs::write(&path, "first\nsecond: the reason\n\n").unwrap();
        assert_eq!(last_line(&path).unwrap(), "second: the reason");
        fs::write(&path, "x".repeat(10_000)).unwrap();
        assert_eq!(last_line(&path).unwrap().len(), 4096);
    }

    #[test]
    fn a_program_shows_the_command_that_starts_it_again() {
        let program = Program {
            name: "validator-0/coordinator".into(),
            role: "coordinator",
            config: "/n/coordinator.toml".into(),
            log: "/n/log".into(),
        };
        assert_eq!(
            program.command_line(Path::new("/bin/orchestration")),
            "/bin/orchestration node coordinator --config /n/coordinator.toml"
        );
    }
}
