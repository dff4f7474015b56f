//! Handles finalized blocks in order, as far as the cosign gate lets them pass.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use coordinator_base_chain::BaseChain;
use coordinator_core::{base_chain, base_chain::Handled, cosign};
use coordinator_store::Store;
use processor_messages::BaseBlock;

use super::retry;
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

const LONG_POLL: Duration = Duration::from_secs(10);
/// Between a question without an answer and the next.
const PAUSE: Duration = Duration::from_millis(250);

/// What an operator sees of it.
#[derive(Clone, Debug, Default)]
pub struct FollowState(Arc<Mutex<Seen>>);

/// Latest observations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// The latest block which the base chain reported as final.
    pub head: BaseBlock,
    /// The next block to handle.
    pub next: BaseBlock,
}

impl FollowState {
    /// Latest observations.
    pub fn get(&self) -> Seen {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the base chain's head.
    pub fn note_head(&self, head: BaseBlock) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.head = seen.head.max(head);
    }

    fn note_handled(&self, block: BaseBlock) {
        self.note_head(block);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next = block.next();
    }
}

/// The task.
pub struct Follow<S, C> {
    node: Node<S>,
    chain: C,
    state: FollowState,
}

impl<S: Store, C: BaseChain> Follow<S, C> {
    /// Follows `chain`.
    pub fn new(node: Node<S>, chain: C, state: FollowState) -> Self {
        Self { node, chain, state }
    }
}

impl<S: Store, C: BaseChain> Task for Follow<S, C> {
    fn name(&self) -> String {
        "base_chain/follow".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let next = self.node.store.read(|db| base_chain::next_block(db))?;
        let block = self.chain.wait_block(next, LONG_POLL).await.map_err(|e| retry(&e))?;
        // A node which does not hold the question until then is not asked in a tight loop.
        let Some(block) = block else { return Ok(Progress::Idle) };
        let gate = self.node.store.read(|db| cosign::gate(db))?;
        match gate {
            // Each lets a finalized block pass; see the rule for why.
            cosign::Gate::Bootstrap | cosign::Gate::NotEnforced => {}
        }
        match self.node.step(|step| base_chain::apply(step, &block)).await? {
            Some(Handled::Done) => {
                self.state.note_handled(next);
                Ok(Progress::Done)
            }
            Some(Handled::Already | Handled::Due(_)) => Ok(Progress::Done),
            None => Err(TaskError::Retry(format!("block {next} of the base chain cannot be handled"))),
        }
    }

    fn is_woken(&self) -> bool {
        false
    }

    fn longest_wait(&self) -> Duration {
        PAUSE
    }
}
