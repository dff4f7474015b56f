//! What a step decided, for logs and metrics. Rules never read notices.

use processor_messages::{
    Attempt, BaseBlock, BaseBlockHash, BatchId, Network, Participant, TransactionId, TributaryBlock,
    Validator, ValidatorSet,
};

use crate::{
    halt::Reason,
    session::{slash::Cause, topic::Topic},
};

/// One decision: where, and what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The network it concerns.
    pub network: Option<Network>,
    /// The set it concerns.
    pub set: Option<ValidatorSet>,
    /// What was decided.
    pub event: Event,
}

impl Notice {
    /// A decision about the base chain.
    pub fn of_chain(event: Event) -> Self {
        Self { network: None, set: None, event }
    }

    /// A decision about a set.
    pub fn of_set(set: ValidatorSet, event: Event) -> Self {
        Self { network: Some(set.network), set: Some(set), event }
    }

    /// A decision about a network.
    pub fn of_network(network: Network, event: Event) -> Self {
        Self { network: Some(network), set: None, event }
    }
}

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the sentence of each is in `sentence`")]
pub enum Event {
    SetOpened { members: usize, key_shares: u16, threshold: u16 },
    SetNotOurs,
    SetUnusable { reason: String },
    SetDropped,
    SetRetired,
    Retiring { deadline: BaseBlock },
    HandedOver { block: BaseBlock },
    SlashReportFixed { slashed: usize },
    SlashReportSigned,
    SlashReportDiffers,
    Archived { bytes: u64 },
    Pruned,
    KeysSet { ours: bool },
    BatchExecuted { batch: BatchId, verified: bool },
    BatchExpected { batch: BatchId },
    BatchSigned { batch: BatchId },
    BurnsRelayed { block: BaseBlock, burns: usize },
    TransactionCompleted { id: TransactionId },
    Participation { validator: Validator, weight: u16, needed: u16 },
    KeyPairGenerated,
    KeyGenerationFailed { reason: String },
    Resending { messages: u64 },
    TopicOpened { topic: Topic },
    TopicClosed { topic: Topic },
    AttemptStarted { topic: Topic, attempt: Attempt },
    Selected { topic: Topic, attempt: Attempt, members: usize, own: bool },
    SharesComplete { topic: Topic, attempt: Attempt },
    ConfirmationRefused { attempt: Attempt, reason: &'static str },
    KeyPairsConflict { attempt: Attempt },
    Confirmed { signers: usize },
    Slashed { validator: Validator, cause: Cause, block: TributaryBlock },
    Ignored { what: &'static str, validator: Validator },
    BlameVoted { validator: Validator, weight: u16 },
    InvalidParticipantVoted { participant: Participant, weight: u16 },
    OwnSlotConflict,
    MessageDropped { what: &'static str },
    MessageKept,
    CosignIntended { block: BaseBlock },
    Cosigned { block: BaseBlock },
    CosignConflict { block: BaseBlock, ours: BaseBlockHash, theirs: BaseBlockHash },
    Halted { reason: Reason },
}

impl Event {
    /// The constant sentence of this kind of decision.
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::SetOpened { .. } => "opened the tributary of a set we are in",
            Self::SetNotOurs => "a set was declared without us",
            Self::SetUnusable { .. } => "a declared set cannot run a tributary",
            Self::SetDropped => "the base chain dropped a set without keys",
            Self::SetRetired => "a set is retired",
            Self::Retiring { .. } => "the next set took over; this one's slash report is due",
            Self::HandedOver { .. } => "a set agreed that it handed over: its slash points are final",
            Self::SlashReportFixed { .. } => "a slash report is fixed",
            Self::SlashReportSigned => "a slash report is signed",
            Self::SlashReportDiffers => {
                "the base chain applied another slash report than this node agreed on"
            }
            Self::Archived { .. } => "the archive of an ended set is on disk",
            Self::Pruned => "an ended set is pruned",
            Self::KeysSet { .. } => "a set's keys are on the base chain",
            Self::BatchExecuted { .. } => "the base chain executed a batch",
            Self::BatchExpected { .. } => "our processor made a batch",
            Self::BatchSigned { .. } => "a batch is signed",
            Self::BurnsRelayed { .. } => "burns were handed to the processor",
            Self::TransactionCompleted { .. } => "the network has a transaction of the set",
            Self::Participation { .. } => "a participation was ordered",
            Self::KeyPairGenerated => "our processor generated the key pair",
            Self::KeyGenerationFailed { .. } => "our processor could not complete the key generation",
            Self::Resending { .. } => "sending again to a processor which lost its disk",
            Self::TopicOpened { .. } => "agreed on something to sign",
            Self::TopicClosed { .. } => "nothing is left to sign",
            Self::AttemptStarted { .. } => "an attempt starts",
            Self::Selected { .. } => "a signing set is selected",
            Self::SharesComplete { .. } => "all shares of a signing set are here",
            Self::ConfirmationRefused { .. } => "refused to take part in an attempt of the confirmation",
            Self::KeyPairsConflict { .. } => "validators generated different key pairs",
            Self::Confirmed { .. } => "the key pair is confirmed",
            Self::Slashed { .. } => "a validator is slashed",
            Self::Ignored { .. } => "a transaction was ignored",
            Self::BlameVoted { .. } => "a participation was reported invalid",
            Self::InvalidParticipantVoted { .. } => "signing data was reported invalid",
            Self::OwnSlotConflict => {
                "the tributary holds something of ours which our store does not: restored from a backup?"
            }
            Self::MessageDropped { .. } => "dropped a message of our processor",
            Self::MessageKept => "a message of our processor waits until its session's halt is lifted",
            Self::CosignIntended { .. } => "a block of the base chain is to be cosigned by our set",
            Self::Cosigned { .. } => "a set cosigned a block of the base chain",
            Self::CosignConflict { .. } => "a set cosigned another block of the base chain than ours",
            Self::Halted { .. } => "halted",
        }
    }
}
