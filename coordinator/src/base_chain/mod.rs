//! The base chain: what it finalizes comes in, what we confirmed and signed goes out.

mod announce;
mod follow;
mod publish_batches;
mod publish_keys;
mod publish_slash_report;

pub use announce::Announce;
pub use follow::{Follow, FollowState};
pub use publish_batches::PublishBatches;
pub use publish_keys::PublishKeys;
pub use publish_slash_report::PublishSlashReports;

use std::time::Duration;

use coordinator_base_chain::{BaseChain, ChainError, Transaction, TransactionHash};
use tokio::time::{Instant, timeout};

use crate::task::TaskError;

/// How long a submitted transaction is given before it is submitted again.
const RESUBMIT: Duration = Duration::from_secs(10);
/// How soon a transaction is submitted again which was refused only for now.
const RESUBMIT_REFUSED: Duration = Duration::from_secs(1);
/// How long the base chain may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Submits transactions, each again after a while as long as it stays wanted.
#[derive(Debug, Default)]
struct Submitter {
    /// The last one, and when it is due again.
    last: Option<(TransactionHash, Instant)>,
}

impl Submitter {
    /// Submits if it is due. A refusal for good is logged once: what removes the row is the base chain's event.
    async fn submit(
        &mut self,
        chain: &impl BaseChain,
        transaction: &Transaction,
        what: &str,
    ) -> Result<bool, TaskError> {
        let hash = transaction.hash();
        let repeated = self.last.is_some_and(|(last, _)| last == hash);
        if repeated && self.last.is_some_and(|(_, due)| Instant::now() < due) {
            return Ok(false);
        }
        let Ok(answer) = timeout(PATIENCE, chain.submit(transaction)).await else {
            self.last = None;
            return Err(TaskError::Retry(format!("the base chain does not answer within {PATIENCE:?}")));
        };
        self.last = Some((hash, Instant::now() + RESUBMIT));
        match answer {
            Ok(_) => {
                tracing::info!(what, %hash, repeated, "submitted to the base chain");
                Ok(true)
            }
            Err(ChainError::Refused(refusal)) => {
                if refusal.is_temporary() {
                    self.last = Some((hash, Instant::now() + RESUBMIT_REFUSED));
                }
                if !repeated {
                    tracing::info!(what, %hash, reason = %refusal, "the base chain refused for now or for good");
                }
                Ok(false)
            }
            Err(error) => {
                self.last = None;
                Err(retry(&error))
            }
        }
    }
}

fn retry(error: &ChainError) -> TaskError {
    TaskError::Retry(error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests;
