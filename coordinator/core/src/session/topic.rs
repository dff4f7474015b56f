//! What an agreement is about, and how far it has come.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::Key;
use processor_messages::{Attempt, BaseBlock, BatchId, TransactionId, TributaryBlock, sign::SigningId};

use super::set::MemberIndex;

/// What members exchange signing data about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, BorshSerialize, BorshDeserialize)]
pub enum Topic {
    /// The confirmation of the key pair. Always recognized.
    Confirmation,
    /// Something signed with the set's key. Recognized by a provided transaction.
    Signing(SigningId),
}

impl Key for Topic {
    fn encode_to(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Confirmation => bytes.push(0),
            Self::Signing(SigningId::Cosign(block)) => {
                bytes.push(1);
                block.encode_to(bytes);
            }
            Self::Signing(SigningId::Batch(id)) => {
                bytes.push(2);
                id.encode_to(bytes);
            }
            Self::Signing(SigningId::SlashReport) => bytes.push(3),
            Self::Signing(SigningId::Transaction(id)) => {
                bytes.push(4);
                id.encode_to(bytes);
            }
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let signing = match u8::decode(bytes)? {
            0 => return Some(Self::Confirmation),
            1 => SigningId::Cosign(BaseBlock::decode(bytes)?),
            2 => SigningId::Batch(BatchId::decode(bytes)?),
            3 => SigningId::SlashReport,
            4 => SigningId::Transaction(TransactionId::decode(bytes)?),
            _ => return None,
        };
        Some(Self::Signing(signing))
    }
}

/// What is agreed to be signed: members whose preprocesses name different ones sign nothing together.
///
/// Zero where the topic alone says it.
pub type Subject = [u8; 32];

/// One topic's current attempt. Replicated: the same at every member after the same block.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct TopicState {
    /// The current attempt.
    pub attempt: Attempt,
    /// The block at whose end the doubted may be selected, or the next attempt starts, if the topic is not closed by
    /// then.
    pub due: Option<TributaryBlock>,
    /// The block at whose end the next attempt starts, if nobody is selected by then.
    pub ends: Option<TributaryBlock>,
    /// Who sent a preprocess in this attempt, and about what, in order of arrival.
    pub arrived: Vec<(MemberIndex, Subject)>,
    /// The selected set of this attempt.
    pub selection: Option<Selection>,
    /// Members who failed a selection of this topic: not selected again while others suffice.
    pub failed: Vec<MemberIndex>,
    /// Nothing is left to sign.
    pub closed: bool,
}

/// The members whose preprocesses one attempt signs with.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Selection {
    /// About what.
    pub subject: Subject,
    /// The block which completed it.
    pub at: TributaryBlock,
    /// In set order.
    pub members: Vec<MemberIndex>,
    /// Those of them who sent their share, in order of arrival.
    pub shared: Vec<MemberIndex>,
    /// One of them was proved or reported wrong: whoever has not shared yet is right not to.
    pub spoiled: bool,
}

impl Selection {
    /// Whether every selected member sent its share.
    pub fn is_complete(&self) -> bool {
        self.shared.len() == self.members.len()
    }
}

impl TopicState {
    /// Attempt 0 of a topic which was just recognized.
    pub fn new() -> Self {
        Self {
            attempt: Attempt(0),
            due: None,
            ends: None,
            arrived: Vec::new(),
            selection: None,
            failed: Vec::new(),
            closed: false,
        }
    }
}

impl Default for TopicState {
    fn default() -> Self {
        Self::new()
    }
}
