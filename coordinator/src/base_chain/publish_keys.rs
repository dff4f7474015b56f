//! Submits confirmed key pairs until the base chain has them.

use coordinator_base_chain::{BaseChain, Transaction};
use coordinator_core::outbox;
use coordinator_store::Store;
use processor_messages::ValidatorSet;
use std::collections::BTreeMap;

use super::Submitter;
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// Sets looked at in one call.
const MAX_SETS: usize = 64;

/// The task.
pub struct PublishKeys<S, C> {
    node: Node<S>,
    chain: C,
    submitters: BTreeMap<ValidatorSet, Submitter>,
}

impl<S: Store, C: BaseChain> PublishKeys<S, C> {
    /// Submits to `chain`.
    pub fn new(node: Node<S>, chain: C) -> Self {
        Self { node, chain, submitters: BTreeMap::new() }
    }
}

impl<S: Store, C: BaseChain> Task for PublishKeys<S, C> {
    fn name(&self) -> String {
        "base_chain/publish_keys".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let waiting = self.node.store.read(|db| outbox::set_keys(db, MAX_SETS))?;
        self.submitters.retain(|set, _| waiting.iter().any(|keys| keys.set == *set));
        for keys in waiting {
            let submitter = self.submitters.entry(keys.set).or_default();
            submitter.submit(&self.chain, &Transaction::SetKeys(keys), "set keys").await?;
        }
        Ok(Progress::Idle)
    }
}
