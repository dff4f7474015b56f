//! Opens the tributary of every active set we are in, also at boot, and closes those which ended.
//!
//! ```text
//! sets in the store ─┬─ active, not running ─▶ driver opened ─▶ the service spawns its tasks
//!                    ├─ over, running       ─▶ stopped
//!                    ├─ halted, running     ─▶ stopped (COORD-9)
//!                    └─ its driver halted   ─▶ the session is halted, with the driver's reason
//! ```

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use coordinator_core::{
    halt::{self, Reason},
    session::{self, Life, SetRecord},
};
use coordinator_drive::{Driver, End, Handle};
use coordinator_store::Store;
use processor_messages::ValidatorSet;
use tokio::sync::{mpsc, watch};
use tributary::{Chain, ChainConfig, ChainInput};

use super::{Publish, Scan};
use crate::{
    directory::Untrusted,
    node::Node,
    task::{Progress, Task, TaskError},
};

/// Sets looked at.
const MAX_SETS: usize = 1_024;

/// What the service spawns for a set.
pub struct Opened<S: Store> {
    /// Runs the chain.
    pub driver: Driver<S, Chain>,
    /// Feeds it.
    pub publish: Publish<S>,
    /// Reads it.
    pub scan: Scan<S>,
    /// Becomes true when the set is over.
    pub stop: watch::Receiver<bool>,
}

/// A set whose tasks run.
#[derive(Clone)]
pub(super) struct Running {
    /// Its driver.
    pub drive: Handle<ChainInput>,
    stop: watch::Sender<bool>,
}

/// All sets whose tasks run; at most as many as there are active sets.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    running: BTreeMap<ValidatorSet, Running>,
    /// Whose driver is being opened.
    opening: Option<ValidatorSet>,
}

/// A set counts as running while this lives.
pub(super) struct Opening<'a>(&'a Sessions);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.lock().opening = None;
    }
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a set's driver is being opened, runs, or has been told to stop and may still be in a step.
    pub(crate) fn runs(&self, set: ValidatorSet) -> bool {
        let known = self.lock();
        known.running.contains_key(&set) || (known.opening == Some(set))
    }

    /// A set counts as running from here on, until what is returned is dropped.
    pub(super) fn opening(&self, set: ValidatorSet) -> Opening<'_> {
        self.lock().opening = Some(set);
        Opening(self)
    }

    /// The driver's status of a running set.
    pub fn status(&self, set: ValidatorSet) -> Option<coordinator_drive::Status> {
        let status = self.lock().running.get(&set)?.drive.status();
        let status = status.borrow().clone();
        Some(status)
    }

    /// Ends every set's tasks.
    pub async fn stop_all(&self) {
        let running: Vec<Running> = self.lock().running.values().cloned().collect();
        for running in running {
            running.stop.send_replace(true);
            running.drive.stop().await;
        }
        self.lock().running.clear();
    }
}

/// How tributaries are opened.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Of each node.
    pub config: tributary::Config,
    /// Sets for which another data directory may have signed.
    pub untrusted: Option<Untrusted>,
}

/// The task.
pub struct Open<S: Store> {
    node: Node<S>,
    network: coordinator_p2p::Handle,
    sessions: Sessions,
    timing: Timing,
    spawn: mpsc::Sender<Opened<S>>,
}

impl<S: Store> Open<S> {
    /// Opens tributaries over `network`, and leaves their tasks to whoever receives from `spawn`.
    pub fn new(
        node: Node<S>,
        network: coordinator_p2p::Handle,
        sessions: Sessions,
        timing: Timing,
        spawn: mpsc::Sender<Opened<S>>,
    ) -> Self {
        Self { node, network, sessions, timing, spawn }
    }

    async fn open(&self, record: &SetRecord) -> Result<Progress, TaskError> {
        let (spec, set) = (&record.spec, record.spec.set());
        // From here on nobody prunes it; so it must not have ended before.
        let _opening = self.sessions.opening(set);
        let record_now = self.node.store.read(|db| session::get(db, set))?;
        if record_now.is_none_or(|now| now.life != Life::Active) {
            return Ok(Progress::Idle);
        }
        let members = match spec.tributary.members() {
            Ok(members) => members,
            Err(error) => {
                return Ok(self.halt(set, Reason::Internal { what: error.to_string() }).await?);
            }
        };
        let untrusted = self.timing.untrusted.is_some_and(|untrusted| untrusted.covers(record));
        let open = tributary::Open { config: self.timing.config, store_is_current: !untrusted };
        let key = self.node.identity.key.clone();
        let chain = Chain::new(key.clone(), ChainConfig::default());
        let (store, network) = (self.node.store.clone(), self.network.clone());
        let (driver, drive) = match Driver::open(store, network, members, key, chain, open).await {
            Ok(opened) => opened,
            Err(End::Halted(halt)) => {
                return Ok(self.halt(set, Reason::TributaryHalted { what: halt.reason }).await?);
            }
            Err(End::Store(error)) => return Err(error.into()),
            Err(other) => return Err(TaskError::Retry(format!("tributary of {set}: {other}"))),
        };
        let (stop, stopped) = watch::channel(false);
        let publish = Publish::new(self.node.clone(), spec.clone(), drive.clone());
        let scan = Scan::new(self.node.clone(), spec.clone());
        self.sessions.lock().running.insert(set, Running { drive, stop });
        let ending = |_| TaskError::Retry("the service is ending".to_owned());
        self.spawn.send(Opened { driver, publish, scan, stop: stopped }).await.map_err(ending)?;
        tracing::info!(%set, genesis = %spec.genesis, "runs the tributary of a set");
        Ok(Progress::Done)
    }

    async fn halt(
        &self,
        set: ValidatorSet,
        reason: Reason,
    ) -> Result<Progress, coordinator_store::StoreError> {
        self.node.halt(set, reason).await?;
        Ok(Progress::Done)
    }

    async fn close(&self, set: ValidatorSet) -> Progress {
        let Some(running) = self.sessions.lock().running.get(&set).cloned() else { return Progress::Idle };
        running.stop.send_replace(true);
        running.drive.stop().await;
        // Only now: what runs is neither archived nor pruned.
        self.sessions.lock().running.remove(&set);
        Progress::Done
    }

    /// Records the reason of a driver which stopped itself.
    async fn check(&self, set: ValidatorSet) -> Result<Progress, TaskError> {
        let end = self.sessions.status(set).and_then(|status| status.end);
        match end {
            Some(End::Halted(halt)) => {
                Ok(self.halt(set, Reason::TributaryHalted { what: halt.reason }).await?)
            }
            Some(End::Store(error)) => Err(error.into()),
            _ => Ok(Progress::Idle),
        }
    }
}

impl<S: Store> Task for Open<S> {
    fn name(&self) -> String {
        "session/open".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        for record in self.node.store.read(|db| session::all(db, MAX_SETS))? {
            let set = record.spec.set();
            let running = self.sessions.lock().running.contains_key(&set);
            let halted = self.node.store.read(|db| halt::of_session(db, set))?.is_some();
            let done = match (record.life, running) {
                (Life::Active, false) if !halted => self.open(&record).await?,
                (Life::Active, true) if !halted => self.check(set).await?,
                (Life::Active, false) => Progress::Idle,
                // Halted, or over.
                (Life::Active, true) | (Life::Dropped | Life::Retired, _) => self.close(set).await,
            };
            if done == Progress::Done {
                return Ok(Progress::Done);
            }
        }
        Ok(Progress::Idle)
    }

    fn longest_wait(&self) -> Duration {
        Duration::from_secs(2)
    }
}
