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

use coordinator_base_chain::{BaseChain, ChainError, Refusal, Transaction, TransactionHash};
use tokio::time::{Instant, timeout};

use crate::task::TaskError;

/// How long a submitted transaction is given before it is submitted again.
const RESUBMIT: Duration = Duration::from_secs(10);
/// How soon a transaction is submitted again which was refused only for now.
const RESUBMIT_REFUSED: Duration = Duration::from_secs(1);
/// How long the base chain may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the base chain says of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sent {
    /// It waits, or is in a block.
    Taken,
    /// What it asks for was done.
    Past,
    /// It may be taken later.
    RefusedForNow,
    /// It is never taken.
    Refused,
}

/// Submits transactions, each again after a while as long as it stays wanted.
#[derive(Debug, Default)]
struct Submitter {
    /// The last one, what was said of it, and when it is due again.
    last: Option<(TransactionHash, Sent, Instant)>,
}

impl Submitter {
    /// Submits if it is due; what was said of it, now or the last time. A refusal for good is logged once: what removes the
    /// row is the base chain's event.
    async fn submit(
        &mut self,
        chain: &impl BaseChain,
        transaction: &Transaction,
        what: &str,
    ) -> Result<Sent, TaskError> {
        let hash = transaction.hash();
        let last = self.last.filter(|(last, ..)| *last == hash);
        if let Some((_, sent, due)) = last
            && (Instant::now() < due)
        {
            return Ok(sent);
        }
        let repeated = last.is_some();
        let Ok(answer) = timeout(PATIENCE, chain.submit(transaction)).await else {
            self.last = None;
            return Err(TaskError::Retry(format!("the base chain does not answer within {PATIENCE:?}")));
        };
        let sent = match answer {
            Ok(_) => {
                tracing::info!(what, %hash, repeated, "submitted to the base chain");
                Sent::Taken
            }
            Err(ChainError::Refused(refusal)) => {
                if !repeated {
                    tracing::info!(what, %hash, reason = %refusal, "the base chain refused for now or for good");
                }
                match refusal {
                    Refusal::BatchStale { .. } => Sent::Past,
                    refusal if refusal.is_temporary() => Sent::RefusedForNow,
                    _ => Sent::Refused,
                }
            }
            Err(error) => {
                self.last = None;
                return Err(retry(&error));
            }
        };
        let after = if sent == Sent::RefusedForNow { RESUBMIT_REFUSED } else { RESUBMIT };
        self.last = Some((hash, sent, Instant::now() + after));
        Ok(sent)
    }
}

fn retry(error: &ChainError) -> TaskError {
    TaskError::Retry(error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests;
