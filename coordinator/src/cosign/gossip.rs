//! Tells everybody the latest cosigns: at once what our processors completed, and all of them each minute.

use std::time::Duration;

use coordinator_core::cosign;
use coordinator_p2p::{Handle, P2pError};
use coordinator_store::Store;
use processor_messages::{BaseBlock, Network, encode};
use tokio::time::Instant;

use super::retry;
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// How often what everybody may have heard is told again.
const AGAIN: Duration = Duration::from_mins(1);

/// The task.
pub struct Gossip<S> {
    node: Node<S>,
    network: Handle,
    told: Vec<(Network, BaseBlock)>,
    last: Option<Instant>,
}

impl<S: Store> Gossip<S> {
    /// Tells the peers of `network`. [`super::Intake`] opens the topic.
    pub fn new(node: Node<S>, network: Handle) -> Self {
        Self { node, network, told: Vec::new(), last: None }
    }
}

impl<S: Store> Task for Gossip<S> {
    fn name(&self) -> String {
        "cosign/gossip".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let own = self.node.store.read(|db| cosign::own(db))?;
        let due = self.last.is_none_or(|last| last.elapsed() >= AGAIN);
        if (own == self.told) && !due {
            return Ok(Progress::Idle);
        }
        let latest = self.node.store.read(|db| cosign::latest(db))?;
        if !latest.is_empty() {
            let topic = cosign::topic(self.node.identity.chain);
            match self.network.publish(topic, encode(&latest)).await {
                // Who connects later asks.
                Ok(()) | Err(P2pError::NoPeers) => {}
                Err(error) => return Err(retry(error)),
            }
        }
        (self.told, self.last) = (own, Some(Instant::now()));
        Ok(Progress::Idle)
    }

    fn longest_wait(&self) -> Duration {
        Duration::from_secs(5)
    }
}
