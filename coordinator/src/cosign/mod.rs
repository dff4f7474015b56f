//! Cosigns: asked for, told to everybody, heard, and asked for again where one is missing.
//!
//! ```text
//! request   finalized blocks ─▶ facts, and what our sets cosign
//! gossip    what our processors completed at once, the latest of every network each minute ─▶ everybody
//! intake    everybody ─▶ verified, kept; questions answered
//! ask       one peer after another, while we lack a cosign
//! ```

mod ask;
mod gossip;
mod intake;
mod request;

pub use ask::Ask;
pub use gossip::Gossip;
pub use intake::Intake;
pub use request::Request;

use coordinator_core::cosign::{self, Cosigns, MAX_MESSAGE_BYTES, Verdict};
use coordinator_p2p::Handle;
use coordinator_store::Store;
use processor_messages::{Validator, decode};

use crate::{node::Node, task::TaskError};

fn retry(error: impl std::fmt::Display) -> TaskError {
    TaskError::Retry(error.to_string())
}

/// Takes what a peer sent: how many of the cosigns were new. At the first one which is not valid the rest is left
/// unread, and whoever sent it is charged; nothing that changes nothing is written (`COSIGN-4`).
async fn absorb<S: Store>(
    node: &Node<S>,
    network: &Handle,
    from: Validator,
    bytes: &[u8],
) -> Result<usize, TaskError> {
    let Ok(cosigns) = decode::<Cosigns>(bytes, MAX_MESSAGE_BYTES) else {
        network.charge(from).await.map_err(retry)?;
        return Ok(0);
    };
    let mut new = 0;
    for cosign in cosigns {
        let chain = node.identity.chain;
        match node.store.read(|db| cosign::judge(db, chain, &cosign))? {
            Verdict::New | Verdict::Conflict => {
                let taken = node.step(|step| cosign::take(step, &cosign)).await?;
                new += usize::from(taken == Some(Verdict::New));
            }
            Verdict::Stale | Verdict::Unknown => {}
            Verdict::Invalid => {
                tracing::debug!(%from, set = %cosign.set, block = %cosign.block, "a peer sent an invalid cosign");
                network.charge(from).await.map_err(retry)?;
                break;
            }
        }
    }
    Ok(new)
}
