//! Submits a network's signed batches in order: the one which the base chain takes next.

use coordinator_base_chain::{BaseChain, Transaction};
use coordinator_core::batch;
use coordinator_store::Store;
use processor_messages::Network;

use super::Submitter;
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// The task of one network.
pub struct PublishBatches<S, C> {
    node: Node<S>,
    chain: C,
    network: Network,
    submitter: Submitter,
}

impl<S: Store, C: BaseChain> PublishBatches<S, C> {
    /// Submits the batches of `network` to `chain`.
    pub fn new(node: Node<S>, chain: C, network: Network) -> Self {
        Self { node, chain, network, submitter: Submitter::default() }
    }
}

impl<S: Store, C: BaseChain> Task for PublishBatches<S, C> {
    fn name(&self) -> String {
        format!("base_chain/publish_batches/{}", self.network)
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let next = self.node.store.read(|db| batch::to_submit(db, self.network))?;
        if let Some(signed) = next {
            self.submitter.submit(&self.chain, &Transaction::ExecuteBatch(signed), "batch").await?;
        }
        Ok(Progress::Idle)
    }
}
