//! The unique id of a message's purpose.

use borsh::BorshSerialize;

use crate::{
    Attempt, BaseBlock, BatchId, FromProcessor, Incarnation, Network, Participant, Session, ToProcessor,
    TransactionId, TributaryBlock, Validator, base_chain, coordinator, encode, key_gen,
    sign::{self, SigningId},
};

/// The unique id of a message's purpose: direction, network, kind and the kind's full scope, encoded.
///
/// Two messages of one purpose have one intent whatever else they hold; the first received counts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Intent {
    bytes: Vec<u8>,
    memory: Memory,
}

/// What must be remembered of a message, so that it is not taken twice (`MSG-7`). A function of the intent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Memory {
    /// Its intent, as long as this session is not over.
    Session(Session),
    /// The number of its block: they are said in their order within each life of the processor's disk.
    Block(Incarnation, BaseBlock),
    /// Nothing: who receives it knows which one is next, and ignores any before.
    Nothing,
    /// Its intent, for ever: there are a few for each session, or for each life of the processor's disk.
    Always,
}

impl Intent {
    /// The longest intent in bytes (`MSG-5`).
    pub const MAX_BYTES: usize = 128;

    /// The bytes of the intent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What must be remembered of its messages.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    fn new(network: Network, purpose: &Purpose) -> Self {
        Self { bytes: encode(&(network, purpose)), memory: purpose.memory(Incarnation(0)) }
    }
}

impl std::fmt::Debug for Intent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(&self.bytes))
    }
}

/// The variants are frozen by position: append only.
#[derive(BorshSerialize)]
enum Purpose {
    GenerateKey(Session, Incarnation),
    TributaryBlock(Session, Incarnation, TributaryBlock),
    Preprocesses(Session, SigningId, Attempt),
    Shares(Session, SigningId, Attempt),
    Reattempt(Session, SigningId, Attempt),
    CosignBlock(Session, BaseBlock),
    SignSlashReport(Session),
    SetKeys(Session),
    SlashesReported(Session),
    Block(BaseBlock),
    OwnParticipation(Session),
    GeneratedKeyPair(Session),
    Blame(Session, Validator),
    Failed(Session),
    Resend(Session, Incarnation),
    OwnPreprocesses(Session, SigningId, Attempt),
    OwnShares(Session, SigningId, Attempt),
    InvalidParticipant(Session, SigningId, Attempt, Participant),
    CosignedBlock(Session, BaseBlock),
    SignedBatch(Session, BatchId),
    SignedSlashReport(Session),
    BlockAcknowledged(BaseBlock),
    Batch(Session, BatchId),
    Again(Incarnation, Box<Purpose>),
    FromTheBeginning(Incarnation),
    TransactionCompleted(Session, TransactionId),
}

impl Purpose {
    fn memory(&self, life: Incarnation) -> Memory {
        match self {
            Self::GenerateKey(session, _)
            | Self::TributaryBlock(session, ..)
            | Self::Preprocesses(session, ..)
            | Self::Shares(session, ..)
            | Self::Reattempt(session, ..)
            | Self::CosignBlock(session, _)
            | Self::SignSlashReport(session)
            | Self::OwnParticipation(session)
            | Self::GeneratedKeyPair(session)
            | Self::Blame(session, _)
            | Self::Failed(session)
            | Self::OwnPreprocesses(session, ..)
            | Self::OwnShares(session, ..)
            | Self::InvalidParticipant(session, ..)
            | Self::CosignedBlock(session, _)
            | Self::SignedBatch(session, _)
            | Self::SignedSlashReport(session)
            | Self::TransactionCompleted(session, _) => Memory::Session(*session),
            Self::Block(number) | Self::BlockAcknowledged(number) => Memory::Block(life, *number),
            Self::Batch(..) => Memory::Nothing,
            // Said of ended sessions too, in every life.
            Self::SetKeys(_) | Self::SlashesReported(_) | Self::FromTheBeginning(_) | Self::Resend(..) => {
                Memory::Always
            }
            Self::Again(life, purpose) => purpose.memory(*life),
        }
    }
}

impl ToProcessor {
    /// The intent of this message to the processor of `network`.
    pub fn intent(&self, network: Network) -> Intent {
        Intent::new(network, &self.purpose())
    }

    /// The intent of this message when sent again to a processor which lost its disk, for that life of the
    /// disk. Life 0 is the first: there it is [`ToProcessor::intent`].
    pub fn intent_in(&self, network: Network, incarnation: Incarnation) -> Intent {
        match incarnation {
            Incarnation(0) => self.intent(network),
            _ => Intent::new(network, &Purpose::Again(incarnation, Box::new(self.purpose()))),
        }
    }

    fn purpose(&self) -> Purpose {
        use Purpose as P;
        match self {
            Self::KeyGen(key_gen::ToProcessor::GenerateKey { session, incarnation, .. }) => {
                P::GenerateKey(*session, *incarnation)
            }
            Self::KeyGen(key_gen::ToProcessor::Block { session, incarnation, block, .. }) => {
                P::TributaryBlock(*session, *incarnation, *block)
            }
            Self::Sign(sign::ToProcessor::Preprocesses { id, .. }) => {
                P::Preprocesses(id.session, id.id, id.attempt)
            }
            Self::Sign(sign::ToProcessor::Shares { id, .. }) => P::Shares(id.session, id.id, id.attempt),
            Self::Sign(sign::ToProcessor::Reattempt { id }) => P::Reattempt(id.session, id.id, id.attempt),
            Self::Coordinator(coordinator::ToProcessor::CosignBlock { session, block, .. }) => {
                P::CosignBlock(*session, *block)
            }
            Self::Coordinator(coordinator::ToProcessor::SignSlashReport { session, .. }) => {
                P::SignSlashReport(*session)
            }
            Self::BaseChain(base_chain::ToProcessor::SetKeys { session, .. }) => P::SetKeys(*session),
            Self::BaseChain(base_chain::ToProcessor::SlashesReported { session }) => {
                P::SlashesReported(*session)
            }
            Self::BaseChain(base_chain::ToProcessor::Block { number, .. }) => P::Block(*number),
            Self::BaseChain(base_chain::ToProcessor::FromTheBeginning { incarnation, .. }) => {
                P::FromTheBeginning(*incarnation)
            }
        }
    }
}

impl FromProcessor {
    /// The intent of this message from the processor of `network`.
    pub fn intent(&self, network: Network) -> Intent {
        use Purpose as P;
        let purpose = match self {
            Self::KeyGen(key_gen::FromProcessor::Participation { session, .. }) => {
                P::OwnParticipation(*session)
            }
            Self::KeyGen(key_gen::FromProcessor::GeneratedKeyPair { session, .. }) => {
                P::GeneratedKeyPair(*session)
            }
            Self::KeyGen(key_gen::FromProcessor::Blame { session, validator }) => {
                P::Blame(*session, *validator)
            }
            Self::KeyGen(key_gen::FromProcessor::Failed { session, .. }) => P::Failed(*session),
            Self::KeyGen(key_gen::FromProcessor::Resend { session, incarnation }) => {
                P::Resend(*session, *incarnation)
            }
            Self::Sign(sign::FromProcessor::Preprocesses { id, .. }) => {
                P::OwnPreprocesses(id.session, id.id, id.attempt)
            }
            Self::Sign(sign::FromProcessor::Shares { id, .. }) => P::OwnShares(id.session, id.id, id.attempt),
            Self::Sign(sign::FromProcessor::InvalidParticipant { id, participant }) => {
                P::InvalidParticipant(id.session, id.id, id.attempt, *participant)
            }
            Self::Coordinator(coordinator::FromProcessor::CosignedBlock { session, block, .. }) => {
                P::CosignedBlock(*session, *block)
            }
            Self::Coordinator(coordinator::FromProcessor::SignedBatch { session, batch }) => {
                P::SignedBatch(*session, batch.batch.id)
            }
            Self::Coordinator(coordinator::FromProcessor::SignedSlashReport { session, .. }) => {
                P::SignedSlashReport(*session)
            }
            Self::BaseChain(base_chain::FromProcessor::BlockAcknowledged { block, .. }) => {
                P::BlockAcknowledged(*block)
            }
            Self::BaseChain(base_chain::FromProcessor::Batch { session, batch }) => {
                P::Batch(*session, batch.id)
            }
            Self::BaseChain(base_chain::FromProcessor::TransactionCompleted { session, id }) => {
                P::TransactionCompleted(*session, *id)
            }
        };
        Intent::new(network, &purpose)
    }
}
