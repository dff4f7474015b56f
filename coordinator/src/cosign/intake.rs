//! Hears cosigns from everybody, and answers questions for them.

use std::time::Duration;

use coordinator_core::cosign;
use coordinator_p2p::{Handle, Inbound, Inbox};
use coordinator_store::Store;
use processor_messages::encode;

use super::{absorb, retry};
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// The longest that one look into the inbox lasts.
const LOOK: Duration = Duration::from_secs(10);

/// The task.
pub struct Intake<S> {
    node: Node<S>,
    network: Handle,
    inbox: Option<Inbox>,
}

impl<S: Store> Intake<S> {
    /// Hears the peers of `network`.
    pub fn new(node: Node<S>, network: Handle) -> Self {
        Self { node, network, inbox: None }
    }

    async fn handle(&self, inbound: Inbound) -> Result<(), TaskError> {
        match inbound {
            Inbound::Gossip(message) => {
                absorb(&self.node, &self.network, message.from, &message.bytes).await?;
            }
            Inbound::Request(request) => {
                let (from, bytes, responder) = request.into_parts();
                let Some(block) = cosign::question(&bytes) else {
                    return self.network.charge(from).await.map_err(retry);
                };
                responder.respond(encode(&self.node.store.read(|db| cosign::since(db, block))?));
            }
        }
        Ok(())
    }
}

impl<S: Store> Task for Intake<S> {
    fn name(&self) -> String {
        "cosign/intake".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let inbox = match &mut self.inbox {
            Some(inbox) => inbox,
            none => {
                let topic = cosign::topic(self.node.identity.chain);
                none.insert(self.network.open_common(topic).await.map_err(retry)?)
            }
        };
        match tokio::time::timeout(LOOK, inbox.recv()).await {
            Ok(Some(inbound)) => self.handle(inbound).await.map(|()| Progress::Done),
            // The network has stopped, and so does the service.
            Ok(None) => Err(retry("the network of peers has stopped")),
            Err(_) => Ok(Progress::Idle),
        }
    }

    fn is_woken(&self) -> bool {
        false
    }

    fn longest_wait(&self) -> Duration {
        Duration::from_millis(1)
    }
}
