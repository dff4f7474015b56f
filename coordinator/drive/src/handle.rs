//! What the rest of the process holds of a driver.

use coordinator_store::{StoreError, Transaction};
use processor_messages::TributaryBlock;
use tokio::sync::{mpsc, oneshot, watch};

use crate::driver::End;

/// Reads and writes in the step's own transaction, and yields inputs for the node in the same step.
pub(crate) type Act<I> = Box<dyn FnOnce(&mut dyn Transaction) -> Result<Vec<I>, StoreError> + Send>;

pub(crate) struct Command<I> {
    pub(crate) act: Act<I>,
    pub(crate) reply: oneshot::Sender<()>,
}

/// The driver has ended; its [`Status`] says why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the chain's driver has ended; its status says why")]
pub struct DriveError;

/// What an operator sees of a driven chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The node's own view, as of the latest durable step.
    pub node: tributary::Status,
    /// Why the driver ended, if it did.
    pub end: Option<End>,
}

/// Talks to a driver. Cheap to clone; dropping every handle does not stop the driver.
pub struct Handle<I> {
    pub(crate) commands: mpsc::Sender<Command<I>>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) decided: watch::Receiver<TributaryBlock>,
}

impl<I> Clone for Handle<I> {
    fn clone(&self) -> Self {
        Self {
            commands: self.commands.clone(),
            stop: self.stop.clone(),
            status: self.status.clone(),
            decided: self.decided.clone(),
        }
    }
}

impl<I: Send + 'static> Handle<I> {
    /// Gives the node an input; returns once the step that took it is durable.
    ///
    /// # Errors
    /// [`DriveError`] if the driver ended before; the input may or may not have been taken.
    pub async fn input(&self, input: I) -> Result<(), DriveError> {
        self.transact(move |_| Ok(vec![input])).await
    }

    /// Runs `act` in the transaction of a step, then gives the node the inputs that it yields: both become
    /// durable together, or neither. So an item leaves a queue in the step that submits it. Returns once
    /// that is durable. `act` does no I/O and does not use the store otherwise.
    ///
    /// # Errors
    /// [`DriveError`] if the driver ended before; the act may or may not have been kept.
    pub async fn transact(
        &self,
        act: impl FnOnce(&mut dyn Transaction) -> Result<Vec<I>, StoreError> + Send + 'static,
    ) -> Result<(), DriveError> {
        let (reply, done) = oneshot::channel();
        self.commands.send(Command { act: Box::new(act), reply }).await.map_err(|_| DriveError)?;
        done.await.map_err(|_| DriveError)
    }
}

impl<I> Handle<I> {
    /// The status, to read or to wait for changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The latest decided height; changes only after it is durable.
    #[must_use]
    pub fn decided(&self) -> watch::Receiver<TributaryBlock> {
        self.decided.clone()
    }

    /// Ends the driver after the step in progress, and waits until it has ended.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        self.commands.closed().await;
    }
}
