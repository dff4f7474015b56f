//! One signing protocol for everything a set signs.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    Attempt, BaseBlock, BatchId, List, MAX_KEY_SHARES, MAX_VALIDATOR_SHARES, Participant, Session,
    SigningPiece, TransactionId,
};

/// What is signed.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub enum SigningId {
    /// A finalized block of the base chain.
    Cosign(BaseBlock),
    /// A batch of the processor's network.
    Batch(BatchId),
    /// The slash report of the session.
    SlashReport,
    /// A transaction on the network.
    Transaction(TransactionId),
}

/// One attempt to sign one thing with one session's key.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct SignId {
    /// Whose key signs.
    pub session: Session,
    /// What is signed.
    pub id: SigningId,
    /// Which attempt, from 0.
    pub attempt: Attempt,
}

/// Signing data by participant, ascending.
pub type Pieces = List<(Participant, SigningPiece), { MAX_KEY_SHARES as usize }>;
/// One validator's signing data, one piece for each of its key shares, in the order of their indices.
pub type OwnPieces = List<SigningPiece, { MAX_VALIDATOR_SHARES as usize }>;

/// From the coordinator.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum ToProcessor {
    /// The preprocesses of the selected set, our own among them: a processor whose own differ from what it
    /// holds refuses the attempt.
    Preprocesses {
        /// The attempt.
        id: SignId,
        /// Of exactly the selected participants.
        preprocesses: Pieces,
    },
    /// The signature shares of the selected set, our own among them.
    Shares {
        /// The attempt.
        id: SignId,
        /// Of exactly the selected participants.
        shares: Pieces,
    },
    /// Start this attempt.
    Reattempt {
        /// The attempt to start.
        id: SignId,
    },
}

/// From the processor.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum FromProcessor {
    /// Our preprocesses.
    Preprocesses {
        /// The attempt.
        id: SignId,
        /// One for each own key share.
        preprocesses: OwnPieces,
    },
    /// Our signature shares.
    Shares {
        /// The attempt.
        id: SignId,
        /// One for each own key share.
        shares: OwnPieces,
    },
    /// A selected participant's data was invalid.
    InvalidParticipant {
        /// The attempt.
        id: SignId,
        /// The culprit.
        participant: Participant,
    },
}
