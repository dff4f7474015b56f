//! Observes finalized blocks in order: what is to be cosigned, by whom, and what the gate needs to know of them.

use std::time::Duration;

use coordinator_base_chain::BaseChain;
use coordinator_core::cosign::{self, Observed};
use coordinator_store::Store;

use super::retry;
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

const LONG_POLL: Duration = Duration::from_secs(10);
/// Between a question without an answer and the next.
const PAUSE: Duration = Duration::from_millis(250);

/// The task.
pub struct Request<S, C> {
    node: Node<S>,
    chain: C,
}

impl<S: Store, C: BaseChain> Request<S, C> {
    /// Observes `chain`.
    pub fn new(node: Node<S>, chain: C) -> Self {
        Self { node, chain }
    }
}

impl<S: Store, C: BaseChain> Task for Request<S, C> {
    fn name(&self) -> String {
        "cosign/request".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let next = self.node.store.read(|db| cosign::next_block(db))?;
        let block = self.chain.wait_block(next, LONG_POLL).await.map_err(retry)?;
        let Some(block) = block else { return Ok(Progress::Idle) };
        match self.node.step(|step| cosign::observe(step, &block)).await? {
            Some(Observed::Done | Observed::Already | Observed::Due(_)) => Ok(Progress::Done),
            // The gate is far behind; see its status.
            Some(Observed::Ahead) => Ok(Progress::Idle),
            None => Err(TaskError::Retry(format!("block {next} of the base chain cannot be observed"))),
        }
    }

    fn is_woken(&self) -> bool {
        false
    }

    fn longest_wait(&self) -> Duration {
        PAUSE
    }
}
