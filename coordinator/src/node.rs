//! What every task holds: the store, who we are, and how a rule's step is run.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use coordinator_core::{Error, Identity, Notice, Step, halt};
use coordinator_store::{Store, StoreError};
use processor_messages::ValidatorSet;
use rand_core::OsRng;

use crate::{
    api::metrics::Metrics,
    task::{Health, TaskError, Wake},
};

/// What the clock says, in seconds since the Unix epoch.
pub(crate) fn now_unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Handles shared by all tasks; clones are of the same.
#[derive(Clone)]
pub struct Node<S> {
    /// Tables, queues, outboxes.
    pub store: S,
    /// Who we are.
    pub identity: Arc<Identity>,
    /// Tells tasks that something durable changed.
    pub wake: Wake,
    /// How the tasks are.
    pub health: Health,
    /// Counters for scrapes.
    pub metrics: Metrics,
}

impl<S: Store> Node<S> {
    /// Runs a rule as one step and waits until it is durable; then logs what was decided and wakes everyone.
    /// A broken invariant halts its session, in a step of its own, and is reported as `None`.
    ///
    /// # Errors
    /// [`TaskError`].
    pub async fn step<T: Send>(
        &self,
        rule: impl FnOnce(&mut Step<'_>) -> Result<T, Error> + Send,
    ) -> Result<Option<T>, TaskError> {
        match self.keep(rule).await? {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.failed(error).await.map(|()| None),
        }
    }

    /// Makes the step durable, logs and wakes; or says why the rule did not.
    async fn keep<T: Send>(
        &self,
        rule: impl FnOnce(&mut Step<'_>) -> Result<T, Error> + Send,
    ) -> Result<Result<T, Error>, TaskError> {
        let outcome = self.store.write(|txn| {
            let mut randomness = OsRng;
            let mut step = Step::new(txn, &self.identity, &mut randomness).at(now_unix_secs());
            let value = rule(&mut step)?;
            Ok::<_, Error>((value, step.notices))
        });
        match outcome {
            Ok(((value, notices), commit)) => {
                commit.await?;
                self.tell(&notices);
                self.wake.all();
                Ok(Ok(value))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// As [`Self::step`], of a rule which concerns one session alone: what it writes beyond the bound of a step would be the same at
    /// the next try, so that halts the session too.
    ///
    /// # Errors
    /// [`TaskError`].
    pub async fn step_of<T: Send>(
        &self,
        set: ValidatorSet,
        rule: impl FnOnce(&mut Step<'_>) -> Result<T, Error> + Send,
    ) -> Result<Option<T>, TaskError> {
        match self.keep(rule).await? {
            Ok(value) => Ok(Some(value)),
            Err(Error::Store(error @ StoreError::TooLarge { .. })) => {
                self.failed(Error::Broken { set, what: error.to_string() }).await.map(|()| None)
            }
            Err(error) => self.failed(error).await.map(|()| None),
        }
    }

    /// Deals with a step which was not kept: halts the session whose invariant is broken.
    ///
    /// # Errors
    /// [`TaskError`] for everything else.
    pub async fn failed(&self, error: Error) -> Result<(), TaskError> {
        match error {
            Error::Store(error) => Err(error.into()),
            Error::Broken { set, what } => Ok(self.halt(set, halt::Reason::Internal { what }).await?),
            other @ (Error::Full { .. } | Error::Halted { .. } | Error::BaseChain { .. }) => {
                Err(TaskError::Retry(other.to_string()))
            }
        }
    }

    /// Records that a session is halted.
    ///
    /// # Errors
    /// [`StoreError`] of the store.
    pub async fn halt(&self, set: ValidatorSet, reason: halt::Reason) -> Result<(), StoreError> {
        let (notices, commit) = self.store.write(|txn| {
            let mut randomness = OsRng;
            let mut step = Step::new(txn, &self.identity, &mut randomness).at(now_unix_secs());
            halt::session(&mut step, set, reason)?;
            Ok::<_, StoreError>(step.notices)
        })?;
        commit.await?;
        self.tell(&notices);
        self.wake.all();
        Ok(())
    }

    /// Logs and counts decisions.
    pub fn tell(&self, notices: &[Notice]) {
        for Notice { network, set, event } in notices {
            self.metrics.count(event);
            let network = network.map(|n| n.to_string()).unwrap_or_default();
            let session = set.map(|s| s.session.0);
            let sentence = event.sentence();
            if matches!(event, coordinator_core::notice::Event::Halted { .. }) {
                tracing::error!(network, session, detail = ?event, "{sentence}");
            } else {
                tracing::info!(network, session, detail = ?event, "{sentence}");
            }
        }
    }
}
