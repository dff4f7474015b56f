//! Real processes: testnets brought up, hurt, and checked.
//!
//! ```text
//! Net::up ──▶ until(what, condition) ──▶ kill / start / wipe ──▶ until ──▶ stop ──▶ read the stores
//! ```
//!
//! A test waits for a condition that it reads from the base chain or a coordinator's status, never for a time.
//! If the condition does not come, it fails with what was reached and the last line of every process.

#![allow(clippy::expect_used, clippy::panic, clippy::missing_panics_doc, reason = "a harness of tests")]

pub mod burns;
pub mod history;
pub mod programs;
pub mod staking;
pub mod stores;
pub mod threshold;

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use orchestration::{
    layout::{Layout, Service},
    observe::{CoordinatorStatus, Observer, SetStatus},
    plan::{LONG_EPOCH_BLOCKS, Plan},
    testnet::Testnet,
};
use processor_messages::{Genesis, Network};

/// How long a condition may take. Generous: a machine under load is slow, and a broken testnet waits for ever.
const PATIENCE: Duration = Duration::from_mins(4);
/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// One testnet at a time: they are heavy.
static ONE: Mutex<()> = Mutex::new(());

/// A running testnet in a directory of its own.
pub struct Net {
    /// The testnet.
    pub testnet: Testnet,
    /// What was read of it.
    pub observer: Observer,
    runtime: tokio::runtime::Runtime,
    history: Vec<String>,
    _dir: tempfile::TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Net {
    /// Brings up a testnet of validators with these key shares; `executable` is this package's binary.
    pub fn up(executable: &str, weights: &[u16], networks: usize) -> Self {
        Self::up_without(executable, weights, networks, &[])
    }

    /// As [`Net::up`], but never starts the validators in `silent`.
    pub fn up_without(executable: &str, weights: &[u16], networks: usize, silent: &[usize]) -> Self {
        let mut net = Self::prepare(executable, weights, networks);
        let services = net.testnet.manifest.services();
        let except: Vec<_> = services.into_iter().filter(|(v, _)| silent.contains(v)).collect();
        net.testnet.start_all(&except).expect("the processes start");
        net
    }

    /// Makes a testnet's directory; starts nothing.
    pub fn prepare(executable: &str, weights: &[u16], networks: usize) -> Self {
        Self::prepare_epochs(executable, weights, networks, LONG_EPOCH_BLOCKS)
    }

    /// As [`Net::prepare`], of a testnet that declares each network's next set after so many blocks.
    pub fn prepare_epochs(executable: &str, weights: &[u16], networks: usize, epoch_blocks: u64) -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().expect("a directory");
        let block_time = Duration::from_millis(500);
        let path = dir.path().join("net");
        let plan = Plan::new(weights.len(), networks, Some(weights.to_vec()), block_time, path);
        let plan = plan.and_then(|plan| plan.with_epoch(epoch_blocks)).expect("a plan of a test");
        let testnet = Testnet::prepare(&plan, PathBuf::from(executable)).expect("a testnet's directory");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let observer = Observer::new(&testnet.manifest).expect("clients");
        Self { testnet, observer, runtime, history: Vec::new(), _dir: dir, _one: one }
    }

    /// Waits until the condition holds after a look.
    pub fn until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        loop {
            self.look();
            if condition(self) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}\n{}", self.report());
            self.runtime.block_on(async { tokio::time::sleep(LOOK_INTERVAL).await });
        }
    }

    fn look(&mut self) {
        let ended = self.testnet.take_ended();
        assert!(ended.is_empty(), "processes ended unasked:\n{}\n{}", ended.join("\n"), self.report());
        self.runtime.block_on(self.observer.poll(self.testnet.running_for()));
        self.history.extend(self.observer.take_lines());
    }

    /// What was reached, and every process's last line.
    fn report(&self) -> String {
        let mut text = self.history.join("\n");
        for (validator, service) in self.testnet.manifest.services() {
            let log =
                std::fs::read_to_string(self.testnet.layout.log(validator, service)).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(3).collect();
            text.extend(["\n-- ", &Layout::name(validator, service), "\n"]);
            text.push_str(&tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
        text
    }

    /// Runs something asynchronous beside the testnet.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The networks in order.
    pub fn networks(&self) -> Vec<Network> {
        self.testnet.manifest.networks.clone()
    }

    /// How many validators there are.
    pub fn validators(&self) -> usize {
        self.testnet.manifest.validators.len()
    }

    /// How many batches of a network were executed.
    pub fn batches(&self, network: Network) -> usize {
        self.observer.networks.get(&network).map_or(0, |progress| progress.batches.len())
    }

    /// Whether every network has keys on the base chain.
    pub fn have_keys(&self) -> bool {
        self.observer.networks.values().all(|progress| progress.keys.is_some())
    }

    /// Waits until every network executed `more` further batches.
    pub fn until_more_batches(&mut self, more: usize) {
        self.look();
        let goals: Vec<_> = self.networks().into_iter().map(|n| (n, self.batches(n) + more)).collect();
        self.until("further batches", |net| goals.iter().all(|(n, goal)| net.batches(*n) >= *goal));
    }

    /// A coordinator's status now; `None` if it does not answer.
    pub fn status(&self, validator: usize) -> Option<CoordinatorStatus> {
        self.runtime.block_on(self.observer.coordinator(validator))
    }

    /// A coordinator's status now, as it gives it; `None` if it does not answer.
    pub fn raw_status(&self, validator: usize) -> Option<serde_json::Value> {
        self.runtime.block_on(self.observer.raw_status(validator))
    }

    /// A coordinator's view of a network's first set; `None` if it has none.
    pub fn set(&self, validator: usize, network: Network) -> Option<SetStatus> {
        let name = format!("{network}/0");
        self.status(validator)?.sets.into_iter().find(|set| set.set == name)
    }

    /// The id of the tributary of a network's first set; `None` if no coordinator shows it.
    pub fn genesis(&self, network: Network) -> Option<Genesis> {
        let name = format!("{network}/0");
        (0..self.validators()).find_map(|validator| {
            let status = self.raw_status(validator)?;
            let set = status["sets"].as_array()?.iter().find(|set| set["set"] == name.as_str())?.clone();
            set["genesis"].as_str()?.parse().ok()
        })
    }

    /// All services of a validator.
    pub fn services_of(&self, validator: usize) -> Vec<Service> {
        let services = self.testnet.manifest.services();
        services.into_iter().filter(|(v, _)| *v == validator).map(|(_, service)| service).collect()
    }

    /// Kills every process of a validator with SIGKILL.
    pub fn kill_validator(&mut self, validator: usize) {
        for service in self.services_of(validator) {
            self.testnet.kill(validator, service).expect("a process is killed");
        }
    }

    /// Starts every process of a validator again.
    pub fn start_validator(&mut self, validator: usize) {
        for service in self.services_of(validator) {
            self.testnet.start(validator, service).expect("a process starts");
        }
    }
}
