//! Handles finalized blocks in order, as far as the cosign gate lets them pass.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use coordinator_base_chain::{BaseChain, Block};
use coordinator_core::{
    base_chain,
    base_chain::Handled,
    cosign::{self, Gate, Hold},
};
use coordinator_store::Store;
use processor_messages::BaseBlock;
use tokio::time::Instant;

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
    /// Why it is not handled though it is final, and since when.
    pub held: Option<(Hold, Instant)>,
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
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.next, seen.held) = (block.next(), None);
    }

    fn note_held(&self, block: BaseBlock, hold: Hold) {
        self.note_head(block);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = seen.held.filter(|_| seen.next == block).map_or_else(Instant::now, |(_, since)| since);
        (seen.next, seen.held) = (block, Some((hold, since)));
    }
}

/// The task.
pub struct Follow<S, C> {
    node: Node<S>,
    chain: C,
    state: FollowState,
    /// A final block which the gate holds.
    held: Option<Block>,
}

impl<S: Store, C: BaseChain> Follow<S, C> {
    /// Follows `chain`.
    pub fn new(node: Node<S>, chain: C, state: FollowState) -> Self {
        Self { node, chain, state, held: None }
    }
}

impl<S: Store, C: BaseChain> Task for Follow<S, C> {
    fn name(&self) -> String {
        "base_chain/follow".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let next = self.node.store.read(|db| base_chain::next_block(db))?;
        let block = match self.held.take().filter(|block| block.number() == next) {
            Some(block) => block,
            None => match self.chain.wait_block(next, LONG_POLL).await.map_err(|e| retry(&e))? {
                Some(block) => block,
                // A node which does not hold the question until then is not asked in a tight loop.
                None => return Ok(Progress::Idle),
            },
        };
        // Read first: a step wakes everybody, us as well.
        match self.node.store.read(|db| cosign::gate(db, &block)) {
            Ok(Gate::Held(hold)) => {
                self.state.note_held(next, hold);
                self.held = Some(block);
                return Ok(Progress::Idle);
            }
            Ok(Gate::Bootstrap | Gate::Nothing | Gate::Cosigned) => {}
            Err(error) => return self.node.failed(error).await.map(|()| Progress::Idle),
        }
        match self.node.step(|step| base_chain::follow(step, &block)).await? {
            Some(Handled::Done) => {
                self.state.note_handled(next);
                Ok(Progress::Done)
            }
            Some(Handled::Already | Handled::Due(_)) => Ok(Progress::Done),
            // It was halted since we looked.
            Some(Handled::Held(_)) => Ok(Progress::Idle),
            None => Err(TaskError::Retry(format!("block {next} of the base chain cannot be handled"))),
        }
    }

    fn is_woken(&self) -> bool {
        // What opens the gate is a step.
        self.held.is_some()
    }

    fn longest_wait(&self) -> Duration {
        if self.held.is_some() { LONG_POLL } else { PAUSE }
    }
}
