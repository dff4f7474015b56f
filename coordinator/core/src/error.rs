//! What can go wrong in a rule.

use coordinator_store::StoreError;
use processor_messages::{BaseBlock, Network, ValidatorSet};

/// Why a step was not committed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store: the machine must act.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An invariant of ours does not hold: the shell records it with [`crate::halt::session`] and leaves
    /// this session alone; others continue.
    #[error("{set}: {what}")]
    Broken {
        /// The session it happened to.
        set: ValidatorSet,
        /// What does not hold.
        what: String,
    },
    /// The processor of a network takes no messages: tried again until it does.
    #[error("the messages for the processor of {network} are at their bound; start the processor")]
    Full {
        /// Which network.
        network: Network,
    },
    /// What the processor of a network said cannot be handled while something is halted: it stays the next message.
    #[error("{what}; what the processor of {network} says waits until an operator lifts the halt")]
    Halted {
        /// Which network.
        network: Network,
        /// What is halted.
        what: &'static str,
    },
    /// The base chain contradicts itself: nothing of it is handled until a human decides.
    #[error("the base chain's block {block} {what}; connect to an honest, fully synchronized node")]
    BaseChain {
        /// At which block.
        block: BaseBlock,
        /// What is wrong.
        what: &'static str,
    },
}

impl Error {
    pub(crate) fn broken(set: ValidatorSet, what: impl Into<String>) -> Self {
        Self::Broken { set, what: what.into() }
    }
}
