//! Keeps the allow-list of the network, where the base chain says they are: the other validators of our sets, and those
//! of every set which is not over, as everybody's cosigns concern everybody.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use coordinator_base_chain::BaseChain;
use coordinator_core::{
    cosign,
    session::{self, Life},
};
use coordinator_p2p::Handle;
use coordinator_store::Store;
use processor_messages::Validator;
use tokio::time::Instant;

use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// Sets looked at.
const MAX_SETS: usize = 1_024;
/// How soon the base chain is asked again where a validator is who registered nothing; doubled each time.
const SOON: Duration = Duration::from_secs(1);
/// How often it is asked at least while there is such a validator.
const LATER: Duration = Duration::from_secs(10);
/// How often it is asked otherwise.
const AGAIN: Duration = Duration::from_secs(30);

/// The task.
pub struct Peers<S, C> {
    node: Node<S>,
    chain: C,
    network: Handle,
    last: Option<BTreeMap<Validator, Vec<String>>>,
    asked: Option<Instant>,
    pace: Duration,
}

impl<S: Store, C: BaseChain> Peers<S, C> {
    /// Keeps the allow-list of `network`.
    pub fn new(node: Node<S>, chain: C, network: Handle) -> Self {
        Self { node, chain, network, last: None, asked: None, pace: SOON }
    }

    fn wanted(&self) -> Result<BTreeSet<Validator>, TaskError> {
        let me = self.node.identity.validator();
        let sets = self.node.store.read(|db| session::all(db, MAX_SETS))?;
        let active = sets.iter().filter(|record| record.life == Life::Active);
        let members = active.flat_map(|record| {
            let spec = &record.spec;
            spec.indices().filter_map(|index| spec.validator(index)).collect::<Vec<_>>()
        });
        let everybody = self.node.store.read(|db| cosign::live_validators(db))?;
        Ok(members.chain(everybody).filter(|validator| *validator != me).collect())
    }
}

/// How soon the base chain is asked again, given how soon it was last.
fn pace(last: Duration, lacks: bool, changed: bool) -> Duration {
    match (lacks, changed) {
        (false, _) => AGAIN,
        (true, true) => SOON,
        (true, false) => LATER.min(last.saturating_mul(2)),
    }
}

impl<S: Store, C: BaseChain> Task for Peers<S, C> {
    fn name(&self) -> String {
        "session/peers".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let wanted = self.wanted()?;
        let same = self.last.as_ref().is_some_and(|last| last.keys().eq(wanted.iter()));
        if same && self.asked.is_some_and(|asked| asked.elapsed() < self.pace) {
            return Ok(Progress::Idle);
        }
        self.asked = Some(Instant::now());
        let known = self.chain.validators().await.map_err(|e| TaskError::Retry(e.to_string()))?;
        let mut peers: BTreeMap<Validator, Vec<String>> = wanted.iter().map(|v| (*v, Vec::new())).collect();
        for info in known {
            if let Some(addresses) = peers.get_mut(&info.validator) {
                // One validator's malformed address is that validator's problem alone.
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
                *addresses = info.addresses.iter().filter_map(|bytes| text(bytes)).collect();
            }
        }
        // A young set's members register their addresses about when it is declared.
        let lacks = peers.values().any(Vec::is_empty);
        let changed = self.last.as_ref() != Some(&peers);
        self.pace = pace(self.pace, lacks, changed);
        if changed {
            let list = peers.clone().into_iter().collect();
            self.network.set_peers(list).await.map_err(|e| TaskError::Retry(e.to_string()))?;
            tracing::info!(validators = peers.len(), "the allow-list of peers changed");
            self.last = Some(peers);
        }
        Ok(Progress::Idle)
    }

    fn longest_wait(&self) -> Duration {
        self.pace
    }
}
