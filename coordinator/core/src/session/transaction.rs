//! What the payloads of tributary transactions mean, and which slot each belongs into.
//!
//! ```text
//! provided   borsh(Provided)                       every member derives it; a queue for each order
//! signed     borsh(Signed)   in slot (order, nonce)   of its signer, who fills each slot once
//! ```
//!
//! The slot is a function of the payload (`SIGN-3`): a payload in another slot is a fault of its signer,
//! as it would let one validator speak twice.

use borsh::{BorshDeserialize, BorshSerialize};
use processor_messages::{
    Attempt, BaseBlock, BaseBlockHash, BatchId, DecodeError, KeyPair, List, MAX_INSTRUCTIONS, MAX_KEY_SHARES,
    Participant, TransactionId, Validator, decode, encode,
    key_gen::ParticipationBytes,
    sign::{OwnPieces, SigningId},
};

use tributary::Kind;

/// The largest payload of a transaction in bytes; a larger one is malformed.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;

/// Which of the two messages of a signing attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, BorshSerialize, BorshDeserialize)]
pub enum Round {
    /// The preprocess: commitments.
    Preprocess,
    /// The signature share.
    Share,
}

impl Round {
    /// The nonce of this round's transaction within its attempt's order.
    pub fn nonce(self) -> u32 {
        match self {
            Self::Preprocess => 0,
            Self::Share => 1,
        }
    }
}

/// A payload which a member signed.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Signed {
    /// The signer's participation in the key generation, opaque here.
    DkgParticipation(ParticipationBytes),
    /// The signer's processor found this validator's participation invalid.
    Blame {
        /// The culprit.
        validator: Validator,
    },
    /// First message of the confirmation: MuSig commitments for the key pair its author generated.
    ConfirmationNonces {
        /// The attempt.
        attempt: Attempt,
        /// Two compressed Ristretto points.
        commitments: [u8; 64],
        /// What the author's processor generated.
        key_pair: KeyPair,
    },
    /// Second message of the confirmation: a MuSig signature share.
    ConfirmationShare {
        /// The attempt.
        attempt: Attempt,
        /// A Ristretto scalar.
        share: [u8; 32],
    },
    /// One round of one attempt to sign something, for all key shares of the signer.
    SigningData {
        /// What is signed.
        id: SigningId,
        /// The attempt.
        attempt: Attempt,
        /// Which message.
        round: Round,
        /// One for each key share, in order.
        pieces: OwnPieces,
    },
    /// The signer's processor found a selected participant's data invalid.
    InvalidParticipant {
        /// What is signed.
        id: SigningId,
        /// The attempt.
        attempt: Attempt,
        /// The culprit.
        participant: Participant,
    },
    /// What the signer observed of the others besides the tributary, in slash points, in set order.
    SlashReport(List<u32, { MAX_KEY_SHARES as usize }>),
}

/// Where the transactions of a signer are counted. What waits is proposed in this order: what ends a vain attempt before the data
/// of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
enum Order {
    Dkg,
    Blame(Validator),
    Confirmation(Attempt),
    InvalidParticipant(SigningId, Attempt, Participant),
    SlashReport,
    Signing(SigningId, Attempt),
}

/// The place of a signed transaction: a signer fills each slot once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, BorshSerialize, BorshDeserialize)]
pub struct Slot {
    /// The nonce's domain: at most [`Slot::MAX_ORDER_BYTES`].
    pub order: Vec<u8>,
    /// Consecutive within the order, from 0.
    pub nonce: u32,
}

impl Slot {
    /// The longest order in bytes.
    pub const MAX_ORDER_BYTES: usize = 64;
}

impl Signed {
    /// The slot of this payload.
    pub fn slot(&self) -> Slot {
        let (order, nonce) = match self {
            Self::DkgParticipation(_) => (Order::Dkg, 0),
            Self::Blame { validator } => (Order::Blame(*validator), 0),
            Self::ConfirmationNonces { attempt, .. } => (Order::Confirmation(*attempt), 0),
            Self::ConfirmationShare { attempt, .. } => (Order::Confirmation(*attempt), 1),
            Self::SigningData { id, attempt, round, .. } => (Order::Signing(*id, *attempt), round.nonce()),
            Self::InvalidParticipant { id, attempt, participant } => {
                (Order::InvalidParticipant(*id, *attempt, *participant), 0)
            }
            Self::SlashReport(_) => (Order::SlashReport, 0),
        };
        Slot { order: encode(&order), nonce }
    }

    /// The payload's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes a payload.
    ///
    /// # Errors
    /// [`DecodeError`] if it is too long, malformed, or has trailing bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, MAX_PAYLOAD_BYTES)
    }
}

/// A payload which every member derives for itself.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Provided {
    /// The processors made this batch: sign it.
    Batch {
        /// Its number.
        id: BatchId,
        /// Blake2b-256 of the encoded batch.
        hash: [u8; 32],
    },
    /// Cosign this block of the base chain.
    Cosign {
        /// The block.
        block: BaseBlock,
        /// Its hash.
        hash: BaseBlockHash,
    },
    /// The processors handled a block of the base chain and it made these transactions to sign.
    BaseBlock {
        /// The block.
        block: BaseBlock,
        /// What to sign, in order.
        transactions: List<TransactionId, MAX_INSTRUCTIONS>,
    },
    /// The set's keys are on the base chain: its key generation and confirmation are over.
    KeysSet,
    /// The base chain executed this batch: nobody needs its signature any more.
    BatchExecuted {
        /// Its number.
        id: BatchId,
    },
    /// The base chain accepted the handover to the next set: this one's slash points are counted up to here,
    /// and it reports them.
    HandedOver {
        /// The block of the base chain.
        block: BaseBlock,
    },
    /// The set cosigned this block of the base chain, or a later one of its era: nobody needs the cosign any more.
    Cosigned {
        /// The block.
        block: BaseBlock,
    },
    /// The network has this transaction of the set: nobody needs its signature any more.
    TransactionCompleted {
        /// Which.
        id: TransactionId,
    },
}

impl Provided {
    /// The queue of this payload: within one, every member derives the same in the same order.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Batch { .. } => Kind(0),
            Self::Cosign { .. } => Kind(1),
            Self::BaseBlock { .. } => Kind(2),
            Self::KeysSet | Self::BatchExecuted { .. } | Self::HandedOver { .. } => Kind(3),
            Self::Cosigned { .. } => Kind(4),
            // In the order in which the network has the set's transactions.
            Self::TransactionCompleted { .. } => Kind(5),
        }
    }

    /// The payload's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes a payload.
    ///
    /// # Errors
    /// [`DecodeError`] if it is too long, malformed, or has trailing bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, MAX_PAYLOAD_BYTES)
    }
}

/// The queues of provided transactions: those of [`Provided`], and who is slashed.
pub const PROVIDED_KINDS: [Kind; 7] = [Kind(0), Kind(1), Kind(2), Kind(3), Kind(4), Kind(5), Kind::SLASHED];

/// One transaction of an ordered block, as this crate reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ordered {
    /// Derived and agreed.
    Provided {
        /// Its queue.
        kind: Kind,
        /// Undecoded.
        payload: Vec<u8>,
    },
    /// Signed by an account; whether it is a member is checked again here.
    Signed {
        /// The author.
        signer: Validator,
        /// Where it counts.
        slot: Slot,
        /// Undecoded.
        payload: Vec<u8>,
    },
    /// Verified evidence of a consensus fault.
    Equivocation {
        /// The culprit.
        validator: Validator,
    },
}

/// One block of a tributary whose provided transactions were all derived here as well.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OrderedBlock {
    /// Consecutive from 1.
    pub number: processor_messages::TributaryBlock,
    /// Who built it.
    pub proposer: Validator,
    /// Who precommitted the former block, by the certificate which this one carries; empty for the first.
    pub voters: Vec<Validator>,
    /// In order.
    pub transactions: Vec<Ordered>,
}
