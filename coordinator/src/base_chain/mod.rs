//! The base chain: what it finalizes comes in, what we confirmed and signed goes out.

mod announce;
mod follow;
mod publish_batches;
mod publish_keys;

pub use announce::Announce;
pub use follow::{Follow, FollowState};
pub use publish_batches::PublishBatches;
pub use publish_keys::PublishKeys;

use std::time::{Duration, Instant};

use coordinator_base_chain::{BaseChain, ChainError, Transaction, TransactionHash};

use crate::task::TaskError;

/// How long a submitted transaction is given before it is submitted again.
const RESUBMIT: Duration = Duration::from_secs(10);

/// Submits transactions, each again after [`RESUBMIT`] while it stays wanted.
#[derive(Debug, Default)]
struct Submitter {
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
        if repeated && self.last.is_some_and(|(_, at)| at.elapsed() < RESUBMIT) {
            return Ok(false);
        }
        let answer = chain.submit(transaction).await;
        self.last = Some((hash, Instant::now()));
        match answer {
            Ok(_) => {
                tracing::info!(what, %hash, repeated, "submitted to the base chain");
                Ok(true)
            }
            Err(ChainError::Refused(refusal)) => {
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
