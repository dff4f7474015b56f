//! Handles the messages of a network's processor, each in the step which acknowledges it.

use coordinator_core::{Error, Notice, Step, processor};
use coordinator_message_queue::{MessageQueue, NotConfigured, QueueError};
use coordinator_store::{Store, StoreError};
use processor_messages::Network;
use rand_core::OsRng;
use tokio::sync::watch;

use crate::{
    node::{Node, now_unix_secs},
    task::{Progress, Task, TaskError},
};

/// The task of one network.
pub struct Receive<S: Store> {
    node: Node<S>,
    queue: MessageQueue<S>,
    network: Network,
    received: watch::Receiver<u64>,
}

impl<S: Store> Receive<S> {
    /// Handles what the processor of `network` sends.
    ///
    /// # Errors
    /// [`NotConfigured`].
    pub fn new(node: Node<S>, queue: MessageQueue<S>, network: Network) -> Result<Self, NotConfigured> {
        let received = queue.received(network)?;
        Ok(Self { node, queue, network, received })
    }

    fn handle_next(&self) -> Result<Option<Handled<S>>, Failed> {
        self.queue.receive(self.network, |txn, message| {
            let mut randomness = OsRng;
            let mut step = Step::new(txn, &self.node.identity, &mut randomness).at(now_unix_secs());
            processor::apply(&mut step, self.network, message)?;
            Ok(step.notices)
        })
    }
}

/// What was decided, and when it is durable.
type Handled<S> = (Vec<Notice>, <S as Store>::Commit);

/// What keeps a message the next one.
enum Failed {
    Rule(Error),
    Queue(QueueError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Rule(error)
    }
}
impl From<QueueError> for Failed {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}
impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Rule(error.into())
    }
}

impl<S: Store> Task for Receive<S> {
    fn name(&self) -> String {
        format!("processor/receive/{}", self.network)
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        self.received.borrow_and_update();
        match self.handle_next() {
            Ok(Some((notices, commit))) => {
                commit.await?;
                self.node.tell(&notices);
                self.node.wake.all();
                Ok(Progress::Done)
            }
            Ok(None) => {
                // Woken by the queue's server, or by the runner's longest wait through this timeout.
                let _ = tokio::time::timeout(self.longest_wait(), self.received.changed()).await;
                Ok(Progress::Done)
            }
            // Its session is halted then and keeps it when it is offered again, or it waits for the end of a halt.
            Err(Failed::Rule(error)) => self.node.failed(error).await.map(|()| Progress::Done),
            Err(Failed::Queue(QueueError::Store(error))) => Err(error.into()),
            Err(Failed::Queue(error)) => Err(TaskError::Retry(error.to_string())),
        }
    }
}
