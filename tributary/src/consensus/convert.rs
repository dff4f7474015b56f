//! Between Malachite's messages and ours on the wire and in the log.

use malachitebft_core_consensus::{Input, ProposedValue, SignedConsensusMsg};
use malachitebft_core_types::{
    CommitCertificate, NilOrVal, PolkaCertificate, PolkaSignature, Round, RoundCertificate,
    RoundCertificateType, RoundSignature, SignedMessage, SignedProposal, SignedVote, Timeout, TimeoutKind,
    Validity, ValueOrigin, VoteType,
};
use processor_messages::{List, TributaryBlock};

use super::context::{Address, Ctx, Height, Proposal, Vote};
use crate::{
    BlockHash, Certificate, Conflict, Evidence, Halt, Step,
    wire::{self, Entry, Message, TimeoutStep},
};

fn round(round: Round) -> u32 {
    round.as_u32().unwrap_or(0)
}

fn option(value: &NilOrVal<BlockHash>) -> Option<BlockHash> {
    match value {
        NilOrVal::Nil => None,
        NilOrVal::Val(value) => Some(*value),
    }
}

fn nil_or(value: Option<BlockHash>) -> NilOrVal<BlockHash> {
    value.map_or(NilOrVal::Nil, NilOrVal::Val)
}

fn step(kind: VoteType) -> Step {
    match kind {
        VoteType::Prevote => Step::Prevote,
        VoteType::Precommit => Step::Precommit,
    }
}

fn kind(step: Step) -> VoteType {
    match step {
        Step::Prevote => VoteType::Prevote,
        Step::Precommit => VoteType::Precommit,
    }
}

/// The block of a vote, if it is for one.
pub(super) fn value_of(vote: &SignedVote<Ctx>) -> Option<BlockHash> {
    option(&vote.message.value)
}

pub(super) fn vote_out(vote: &SignedVote<Ctx>) -> wire::Vote {
    wire::Vote {
        step: step(vote.message.kind),
        height: vote.message.height.0,
        round: round(vote.message.round),
        value: option(&vote.message.value),
        address: vote.message.address.0,
        signature: vote.signature,
    }
}

pub(super) fn vote_in(vote: &wire::Vote) -> SignedVote<Ctx> {
    let message = Vote {
        kind: kind(vote.step),
        height: Height(vote.height),
        round: Round::new(vote.round),
        value: nil_or(vote.value),
        address: Address(vote.address),
    };
    SignedMessage::new(message, vote.signature)
}

pub(super) fn proposal_out(proposal: &SignedProposal<Ctx>) -> wire::Proposal {
    wire::Proposal {
        height: proposal.message.height.0,
        round: round(proposal.message.round),
        value: proposal.message.value,
        valid_round: proposal.message.pol_round.as_u32(),
        address: proposal.message.address.0,
        signature: proposal.signature,
    }
}

pub(super) fn proposal_in(proposal: &wire::Proposal) -> SignedProposal<Ctx> {
    let message = Proposal {
        height: Height(proposal.height),
        round: Round::new(proposal.round),
        value: proposal.value,
        pol_round: proposal.valid_round.map_or(Round::Nil, Round::new),
        address: Address(proposal.address),
    };
    SignedMessage::new(message, proposal.signature)
}

pub(super) fn polka_out(polka: &PolkaCertificate<Ctx>) -> wire::Polka {
    let signatures = polka.polka_signatures.iter().map(|s| (s.address.0, s.signature)).collect();
    wire::Polka {
        height: polka.height.0,
        round: round(polka.round),
        value: polka.value_id,
        signatures: list(signatures),
    }
}

pub(super) fn polka_in(polka: &wire::Polka) -> PolkaCertificate<Ctx> {
    PolkaCertificate {
        height: Height(polka.height),
        round: Round::new(polka.round),
        value_id: polka.value,
        polka_signatures: polka
            .signatures
            .iter()
            .map(|(address, signature)| PolkaSignature::new(Address(*address), *signature))
            .collect(),
    }
}

pub(super) fn round_out(votes: &RoundCertificate<Ctx>) -> wire::RoundVotes {
    let signature =
        |s: &RoundSignature<Ctx>| (step(s.vote_type), option(&s.value_id), s.address.0, s.signature);
    wire::RoundVotes {
        height: votes.height.0,
        round: round(votes.round),
        precommits: votes.cert_type == RoundCertificateType::Precommit,
        signatures: list(votes.round_signatures.iter().map(signature).collect()),
    }
}

pub(super) fn round_in(votes: &wire::RoundVotes) -> RoundCertificate<Ctx> {
    RoundCertificate {
        height: Height(votes.height),
        round: Round::new(votes.round),
        cert_type: if votes.precommits {
            RoundCertificateType::Precommit
        } else {
            RoundCertificateType::Skip
        },
        round_signatures: votes
            .signatures
            .iter()
            .map(|(step, value, address, signature)| {
                RoundSignature::new(kind(*step), nil_or(*value), Address(*address), *signature)
            })
            .collect(),
    }
}

/// At most one signature a member, so the list's bound holds.
fn list<T, const MAX: usize>(values: Vec<T>) -> List<T, MAX> {
    List::new(values).expect("the core keeps one signature per member")
}

pub(super) fn consensus_out(message: &SignedConsensusMsg<Ctx>) -> Message {
    match message {
        SignedConsensusMsg::Vote(vote) => Message::Vote(vote_out(vote)),
        SignedConsensusMsg::Proposal(proposal) => Message::Proposal(proposal_out(proposal)),
    }
}

pub(super) fn certificate_out(certificate: &CommitCertificate<Ctx>) -> Certificate {
    let mut signatures: Vec<_> =
        certificate.commit_signatures.iter().map(|s| (s.address.0, s.signature)).collect();
    signatures.sort_unstable_by_key(|(address, _)| *address);
    Certificate {
        height: TributaryBlock(certificate.height.0),
        round: round(certificate.round),
        block: certificate.value_id,
        signatures: list(signatures),
    }
}

/// What the core asks to log.
pub(super) fn entry_out(input: &Input<Ctx>) -> Result<Entry, Halt> {
    Ok(match input {
        Input::Vote(vote) => Entry::Vote(vote_out(vote)),
        Input::Proposal(proposal) => Entry::Proposal(proposal_out(proposal)),
        Input::PolkaCertificate(polka) => Entry::Polka(polka_out(polka)),
        Input::TimeoutElapsed(timeout) => Entry::Timeout {
            step: match timeout.kind {
                TimeoutKind::Propose => TimeoutStep::Propose,
                TimeoutKind::Prevote => TimeoutStep::Prevote,
                TimeoutKind::Precommit => TimeoutStep::Precommit,
                other => return Err(unexpected(&other)),
            },
            round: round(timeout.round),
        },
        Input::ProposedValue(value, _) => Entry::Value {
            round: round(value.round),
            proposer: value.proposer.0,
            value: value.value,
            valid: value.validity.is_valid(),
        },
        other => return Err(unexpected(other)),
    })
}

fn unexpected(what: &dyn std::fmt::Debug) -> Halt {
    Halt::new(format!("the consensus core asked to log an input of no logged kind ({what:?}); report this"))
}

pub(super) fn entry_in(height: u64, entry: &Entry) -> Input<Ctx> {
    match entry {
        Entry::Vote(vote) => Input::Vote(vote_in(vote)),
        Entry::Proposal(proposal) => Input::Proposal(proposal_in(proposal)),
        Entry::Polka(polka) => Input::PolkaCertificate(polka_in(polka)),
        Entry::Timeout { step, round } => Input::TimeoutElapsed(timeout_in(*step, *round)),
        Entry::Value { round, proposer, value, valid } => {
            value_in(height, *round, Address(*proposer), *value, *valid)
        }
    }
}

pub(super) fn timeout_in(step: TimeoutStep, round: u32) -> Timeout {
    let round = Round::new(round);
    match step {
        TimeoutStep::Propose => Timeout::propose(round),
        TimeoutStep::Prevote => Timeout::prevote(round),
        TimeoutStep::Precommit => Timeout::precommit(round),
    }
}

pub(super) fn value_in(
    height: u64,
    round: u32,
    proposer: Address,
    value: BlockHash,
    valid: bool,
) -> Input<Ctx> {
    let value = ProposedValue {
        height: Height(height),
        round: Round::new(round),
        valid_round: Round::Nil,
        proposer,
        value,
        validity: Validity::from_bool(valid),
    };
    Input::ProposedValue(value, ValueOrigin::Consensus)
}

pub(super) fn double_vote(first: &SignedVote<Ctx>, second: &SignedVote<Ctx>) -> Evidence {
    let signed = |vote: &SignedVote<Ctx>| (option(&vote.message.value), vote.signature);
    Evidence {
        validator: first.message.address.0,
        height: first.message.height.0,
        round: round(first.message.round),
        conflict: Conflict::Votes(step(first.message.kind), signed(first), signed(second)),
    }
}

pub(super) fn double_proposal(first: &SignedProposal<Ctx>, second: &SignedProposal<Ctx>) -> Evidence {
    let signed = |p: &SignedProposal<Ctx>| ((p.message.value, p.message.pol_round.as_u32()), p.signature);
    Evidence {
        validator: first.message.address.0,
        height: first.message.height.0,
        round: round(first.message.round),
        conflict: Conflict::Proposals(signed(first), signed(second)),
    }
}
