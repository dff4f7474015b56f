//! Moves what waits for a network's processor into the message queue, in one step with its removal here.

use coordinator_core::{Error, feed, outbox};
use coordinator_message_queue::{Direction, MessageQueue, QueueError, queue};
use coordinator_store::{Store, StoreError};
use processor_messages::Network;

use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// Messages moved in one step.
const MAX_MESSAGES: usize = 64;

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

    /// Hands over what the base chain's feed holds back only because the outbox was full.
    async fn feed(&self) -> Result<(), TaskError> {
        let waiting = self.node.store.read(|db| {
            let (entries, _) = feed::waiting(db, self.network)?;
            Ok::<_, StoreError>(entries > 0 && outbox::messages(db, self.network)? == 0)
        })?;
        if waiting {
            let network = self.network;
            self.node.step(|step| feed::deliver(step, network)).await?;
        }
        Ok(())
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
            self.feed().await?;
            return Ok(Progress::Idle);
        }
        let (moved, commit) = self
            .node
            .store
            .write(|txn| {
                let mut moved = 0_usize;
                while moved < MAX_MESSAGES {
                    let sent = outbox::move_message(txn, network, |txn, intent, bytes| {
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
