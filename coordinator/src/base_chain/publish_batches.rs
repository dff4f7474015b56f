//! Submits a network's signed batches in order: those which the base chain takes next.
//!
//! We see that one was executed only once its block is cosigned; the next one is submitted meanwhile.

use std::{collections::BTreeMap, time::Duration};

use coordinator_base_chain::{BaseChain, Transaction};
use coordinator_core::batch;
use coordinator_store::Store;
use processor_messages::{BatchId, Network};

use super::{RESUBMIT_REFUSED, Sent, Submitter};
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// The task of one network.
pub struct PublishBatches<S, C> {
    node: Node<S>,
    chain: C,
    network: Network,
    submitters: BTreeMap<BatchId, Submitter>,
    /// One was refused for now.
    held_up: bool,
}

impl<S: Store, C: BaseChain> PublishBatches<S, C> {
    /// Submits the batches of `network` to `chain`.
    pub fn new(node: Node<S>, chain: C, network: Network) -> Self {
        Self { node, chain, network, submitters: BTreeMap::new(), held_up: false }
    }
}

impl<S: Store, C: BaseChain> Task for PublishBatches<S, C> {
    fn name(&self) -> String {
        format!("base_chain/publish_batches/{}", self.network)
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        self.held_up = false;
        let mut last = None;
        for _ in 0..batch::MAX_AHEAD {
            // Read each time: a halt ends the submissions under way.
            let waiting = self.node.store.read(|db| batch::to_submit(db, self.network))?;
            self.submitters.retain(|id, _| waiting.iter().any(|signed| signed.batch.id == *id));
            let next = waiting.into_iter().find(|signed| Some(signed.batch.id) > last);
            let Some(signed) = next else { break };
            last = Some(signed.batch.id);
            let submitter = self.submitters.entry(signed.batch.id).or_default();
            let sent = submitter.submit(&self.chain, &Transaction::ExecuteBatch(signed), "batch").await?;
            self.held_up = sent == Sent::RefusedForNow;
            if matches!(sent, Sent::RefusedForNow | Sent::Refused) {
                // Those after it would be too.
                break;
            }
        }
        Ok(Progress::Idle)
    }

    fn longest_wait(&self) -> Duration {
        if self.held_up { RESUBMIT_REFUSED } else { Duration::from_secs(5) }
    }
}
