//! Asks one peer after another for cosigns while we lack any: after a start, after a message was lost, or when we
//! were behind when it came.

use std::time::Duration;

use coordinator_core::cosign;
use coordinator_p2p::{Handle, P2pError};
use coordinator_store::Store;
use processor_messages::{Validator, encode};
use tokio::time::Instant;

use super::{absorb, retry};
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// Between a question whose answer had nothing new and the next.
const PAUSE: Duration = Duration::from_secs(5);

/// The task.
pub struct Ask<S> {
    node: Node<S>,
    network: Handle,
    last: Option<(Validator, Instant)>,
}

impl<S: Store> Ask<S> {
    /// Asks the peers of `network`.
    pub fn new(node: Node<S>, network: Handle) -> Self {
        Self { node, network, last: None }
    }

    /// The connected peer after the one who was asked last.
    fn next_peer(&self) -> Option<Validator> {
        let connected = self.network.watch_connected();
        let connected = connected.borrow();
        let last = self.last.map(|(last, _)| last);
        let after = last.and_then(|last| connected.iter().find(|peer| **peer > last));
        after.or_else(|| connected.first()).copied()
    }
}

impl<S: Store> Task for Ask<S> {
    fn name(&self) -> String {
        "cosign/ask".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        if self.last.is_some_and(|(_, at)| at.elapsed() < PAUSE) {
            return Ok(Progress::Idle);
        }
        let Some(from) = self.node.store.read(|db| cosign::wanted(db))? else { return Ok(Progress::Idle) };
        let Some(peer) = self.next_peer() else { return Ok(Progress::Idle) };
        let topic = cosign::topic(self.node.identity.chain);
        let answer = self.network.request(peer, topic, encode(&from)).await;
        self.last = Some((peer, Instant::now()));
        match answer {
            Ok(bytes) => {
                if absorb(&self.node, &self.network, peer, &bytes).await? == 0 {
                    return Ok(Progress::Idle);
                }
                // It took us forward: what follows is asked for at once.
                self.last = None;
                Ok(Progress::Done)
            }
            Err(P2pError::Stopped) => Err(retry(P2pError::Stopped)),
            // The next peer is asked after a while.
            Err(_) => Ok(Progress::Idle),
        }
    }

    fn longest_wait(&self) -> Duration {
        PAUSE
    }
}
