//! Moves what waits for a network's processor into the message queue, in one step with its removal here.

use coordinator_core::{Error, outbox, processor};
use coordinator_message_queue::{Direction, MessageQueue, QueueError, queue};
use coordinator_store::Store;
use processor_messages::Network;

use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// Messages moved in one step.
const MAX_MESSAGES: usize = 64;
/// Bytes after which a step moves no more messages: each is written once more, and removed.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The task of one network.
pub struct Send<S: Store> {
    node: Node<S>,
    queue: MessageQueue<S>,
    network: Network,
}

impl<S: Store> Send<S> {
    /// Sends to the processor of `network`.
    pub fn new(node: Node<S>, queue: MessageQueue<S>, network: Network) -> Self {
        Self { node, queue, network }
    }

    /// Hands over what was held back because the outbox was full or a step had no room.
    async fn gathered(&self) -> Result<Progress, TaskError> {
        let network = self.network;
        if !self.node.store.read(|db| processor::owes(db, network))? {
            return Ok(Progress::Idle);
        }
        let done = self.node.step(|step| processor::deliver(step, network)).await?;
        Ok(if done.is_some() { Progress::Done } else { Progress::Idle })
    }
}

fn error(error: QueueError) -> TaskError {
    match error {
        QueueError::Store(error) => TaskError::Store(error),
        other => TaskError::Retry(other.to_string()),
    }
}

impl From<Error> for TaskError {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => Self::Store(error),
            other => Self::Retry(other.to_string()),
        }
    }
}

impl<S: Store> Task for Send<S> {
    fn name(&self) -> String {
        format!("processor/send/{}", self.network)
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let network = self.network;
        if self.node.store.read(|db| outbox::messages(db, network))? == 0 {
            return self.gathered().await;
        }
        let (moved, commit) = self
            .node
            .store
            .write(|txn| {
                let (mut moved, mut length) = (0_usize, 0_usize);
                while (moved < MAX_MESSAGES) && (length < MAX_BYTES) {
                    let sent = outbox::move_message(txn, network, |txn, intent, bytes| {
                        length = length.saturating_add(bytes.len());
                        queue::push(txn, network, Direction::ToProcessor, intent, bytes).map(|_| ())
                    });
                    match sent {
                        Ok(true) => moved += 1,
                        Ok(false) => break,
                        // What was moved before stays moved; the rest waits for the processor.
                        Err(QueueError::Full { .. }) if moved > 0 => break,
                        Err(error) => return Err(error),
                    }
                }
                Ok::<_, QueueError>(moved)
            })
            .map_err(error)?;
        commit.await?;
        self.queue.wake(network);
        self.node.wake.all();
        Ok(if moved > 0 { Progress::Done } else { Progress::Idle })
    }
}
