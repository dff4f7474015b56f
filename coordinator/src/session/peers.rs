//! Keeps the allow-list of the network, where the base chain says they are: the other validators of our sets, and those
//! of every set which is not over, as everybody's cosigns concern everybody.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use coordinator_base_chain::BaseChain;
use coordinator_core::{
    cosign,
    session::{self, Life},
};
use coordinator_p2p::Handle;
use coordinator_store::Store;
use processor_messages::Validator;

use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// Sets looked at.
const MAX_SETS: usize = 1_024;

/// The task.
pub struct Peers<S, C> {
    node: Node<S>,
    chain: C,
    network: Handle,
    last: Option<BTreeMap<Validator, Vec<String>>>,
    asked: Option<Instant>,
}

impl<S: Store, C: BaseChain> Peers<S, C> {
    /// Keeps the allow-list of `network`.
    pub fn new(node: Node<S>, chain: C, network: Handle) -> Self {
        Self { node, chain, network, last: None, asked: None }
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

impl<S: Store, C: BaseChain> Task for Peers<S, C> {
    fn name(&self) -> String {
        "session/peers".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let wanted = self.wanted()?;
        let same = self.last.as_ref().is_some_and(|last| last.keys().eq(wanted.iter()));
        if same && self.asked.is_some_and(|asked| asked.elapsed() < self.longest_wait()) {
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
        if self.last.as_ref() != Some(&peers) {
            let list = peers.clone().into_iter().collect();
            self.network.set_peers(list).await.map_err(|e| TaskError::Retry(e.to_string()))?;
            tracing::info!(validators = peers.len(), "the allow-list of peers changed");
            self.last = Some(peers);
        }
        Ok(Progress::Idle)
    }

    fn longest_wait(&self) -> Duration {
        // A young set's members register their addresses about when it is declared.
        let all = self.last.as_ref().is_some_and(|l| !l.is_empty() && l.values().all(|a| !a.is_empty()));
        Duration::from_secs(if all { 30 } else { 1 })
    }
}
