//! Submits a network's confirmed key pairs until the base chain has them.

use coordinator_base_chain::{BaseChain, Transaction};
use coordinator_core::outbox;
use coordinator_store::Store;
use processor_messages::{Network, ValidatorSet};
use std::collections::BTreeMap;

use super::Submitter;
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// Sets looked at in one call, of all networks together.
const MAX_SETS: usize = 1_024;

/// The task of one network.
pub struct PublishKeys<S, C> {
    node: Node<S>,
    chain: C,
    network: Network,
    submitters: BTreeMap<ValidatorSet, Submitter>,
}

impl<S: Store, C: BaseChain> PublishKeys<S, C> {
    /// Submits those of `network` to `chain`.
    pub fn new(node: Node<S>, chain: C, network: Network) -> Self {
        Self { node, chain, network, submitters: BTreeMap::new() }
    }
}

impl<S: Store, C: BaseChain> Task for PublishKeys<S, C> {
    fn name(&self) -> String {
        format!("base_chain/publish_keys/{}", self.network)
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let mut waiting = self.node.store.read(|db| outbox::set_keys(db, MAX_SETS))?;
        waiting.retain(|keys| keys.set.network == self.network);
        self.submitters.retain(|set, _| waiting.iter().any(|keys| keys.set == *set));
        for keys in waiting {
            let submitter = self.submitters.entry(keys.set).or_default();
            submitter.submit(&self.chain, &Transaction::SetKeys(keys), "set keys").await?;
        }
        Ok(Progress::Idle)
    }
}
