//! What members send each other, and what the log of a height keeps. Bounded before it is decoded.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_keys::Signature;
use processor_messages::{Bytes, DecodeError, List, Validator, decode, encode};

use crate::{
    Block, BlockHash, Certificate, DecidedBlock, Limits, MAX_MEMBERS, MAX_TRANSACTION_BYTES, Members, Step,
};

/// Room for headers, certificates and framing beside a body or a transaction.
const OVERHEAD: usize = 64 * 1024;
/// The most decided blocks of one answer.
pub(crate) const MAX_BLOCKS: usize = 32;

/// The most messages of the application in one broadcast.
pub(crate) const MOST_TOGETHER: usize = 1_024;
/// Bytes that they take at most.
pub(crate) const TOGETHER_BYTES: usize = 64 * 1024;

/// A message of the application.
pub(crate) type Said = Bytes<{ MAX_TRANSACTION_BYTES + OVERHEAD }>;

/// A signed vote.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Vote {
    pub(crate) step: Step,
    pub(crate) height: u64,
    pub(crate) round: u32,
    pub(crate) value: Option<BlockHash>,
    pub(crate) address: Validator,
    pub(crate) signature: Signature,
}

/// A signed proposal.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Proposal {
    pub(crate) height: u64,
    pub(crate) round: u32,
    pub(crate) value: BlockHash,
    pub(crate) valid_round: Option<u32>,
    pub(crate) address: Validator,
    pub(crate) signature: Signature,
}

/// Prevotes of a quorum for one block.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Polka {
    pub(crate) height: u64,
    pub(crate) round: u32,
    pub(crate) value: BlockHash,
    pub(crate) signatures: List<(Validator, Signature), MAX_MEMBERS>,
}

/// Votes which justify a consensus round.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct RoundVotes {
    pub(crate) height: u64,
    pub(crate) round: u32,
    /// Precommits of a quorum, else any votes of more than a third.
    pub(crate) precommits: bool,
    pub(crate) signatures: List<(Step, Option<BlockHash>, Validator, Signature), MAX_MEMBERS>,
}

impl Polka {
    /// Whether it is by distinct members of enough weight, if all have signed.
    pub(crate) fn claims_quorum(&self, members: &Members) -> bool {
        let weight = members.distinct_weight(self.signatures.iter().map(|(validator, _)| validator));
        weight.is_some_and(|weight| members.is_quorum(weight))
    }
}

impl RoundVotes {
    /// Whether it is by distinct members of enough weight, and of the right kind, if all have signed.
    pub(crate) fn claims_weight(&self, members: &Members) -> bool {
        let weight = members.distinct_weight(self.signatures.iter().map(|(_, _, validator, _)| validator));
        let Some(weight) = weight else { return false };
        if self.precommits {
            let all = self.signatures.iter().all(|(step, ..)| *step == Step::Precommit);
            return all && members.is_quorum(weight);
        }
        weight.saturating_mul(3) > members.total()
    }
}

/// A broadcast.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum Message {
    Vote(Vote),
    Proposal(Proposal),
    Polka(Polka),
    Round(RoundVotes),
    Block(Box<Block>),
    /// The sender's latest decided height; only a hint whom to ask.
    Height(u64),
    Application(Said),
    /// What the application says in one step, so that it costs one broadcast.
    Applications(List<Said, MOST_TOGETHER>),
}

/// Whether a broadcast is what the application says, of which a flood may come, and not consensus, which it must not hold
/// up.
#[must_use]
pub fn is_bulk(message: &[u8]) -> bool {
    matches!(message.first(), Some(6 | 7))
}

impl Message {
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes within the bound of the message's kind, which its first byte names.
    pub(crate) fn decode(bytes: &[u8], limits: Limits) -> Result<Self, DecodeError> {
        let limit = match bytes.first() {
            Some(0 | 1 | 5) => 512,
            Some(2 | 3) => OVERHEAD,
            Some(4) => limits.body().saturating_add(OVERHEAD),
            Some(6) => limits.transaction().saturating_add(OVERHEAD),
            Some(7) => TOGETHER_BYTES.saturating_add(OVERHEAD),
            _ => return Err(DecodeError::Malformed("no such kind of message".to_owned())),
        };
        decode(bytes, limit)
    }
}

/// A question to one member.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum Ask {
    /// The certificate of your latest decided block.
    Status,
    /// Decided blocks from this height on.
    Blocks(u64),
    /// The block of this height and hash, which need not be decided.
    Body(u64, BlockHash),
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum Answer {
    Status(Option<Certificate>),
    Blocks(List<DecidedBlock, MAX_BLOCKS>),
    Body(Box<Block>),
}

impl Ask {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, 64)
    }
}

impl Answer {
    /// The bound of an answer: one full block and its certificate, or several smaller ones.
    pub(crate) fn limit(limits: Limits) -> usize {
        limits.body().saturating_add(OVERHEAD * 2)
    }

    pub(crate) fn decode(bytes: &[u8], limits: Limits) -> Result<Self, DecodeError> {
        decode(bytes, Self::limit(limits))
    }
}

/// Which timeout elapsed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum TimeoutStep {
    Propose,
    Prevote,
    Precommit,
}

/// An entry of a height's log: an input of the core, in the order in which it took them.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum Entry {
    Vote(Vote),
    Proposal(Proposal),
    Polka(Polka),
    Timeout { step: TimeoutStep, round: u32 },
    Value { round: u32, proposer: Validator, value: BlockHash, valid: bool },
}
