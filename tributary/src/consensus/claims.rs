//! What messages claim to be signed: gathered from all that arrived together, to be verified in one batch.
//!
//! Whether a claim is gathered changes no verdict; one that is not is verified alone when it is needed. So of what the
//! step will refuse for its form (other heights, far rounds, strangers, too little weight) nothing is gathered.

use malachitebft_core_consensus::MAX_FUTURE_ROUND_LOOKAHEAD;
use processor_messages::{Genesis, Validator};

use super::effects::proposal_message;
use crate::{
    Block, Certificate, Members, Step, signing,
    verified::Claims,
    wire::{Message, Polka, Proposal, RoundVotes, Vote},
};

/// Where a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// The height in progress or waited for.
    pub(crate) height: u64,
    /// Its consensus round, 0 before it began.
    pub(crate) round: u32,
}

impl Place {
    fn is_round_near(self, round: u32) -> bool {
        round <= self.round.saturating_add(MAX_FUTURE_ROUND_LOOKAHEAD)
    }

    /// Votes and proposals: what comes early for the next height is kept.
    fn is_near(self, height: u64, round: u32) -> bool {
        (height == self.height.saturating_add(1)) || self.is_here(height, round)
    }

    fn is_here(self, height: u64, round: u32) -> bool {
        (height == self.height) && self.is_round_near(round)
    }
}

pub(super) fn vote_message(genesis: Genesis, vote: &Vote) -> Vec<u8> {
    let message = match vote.step {
        Step::Prevote => signing::prevote,
        Step::Precommit => signing::precommit,
    };
    message(genesis, vote.height, vote.round, vote.value, vote.address)
}

/// Adds what a vote, a proposal or votes of many claim, if a node at this place may need it.
pub(crate) fn of_message<'a>(
    members: &'a Members,
    place: Place,
    message: &Message,
    from: Validator,
    claims: &mut Claims<'a>,
) {
    claims.begin(from);
    match message {
        Message::Vote(vote) if place.is_near(vote.height, vote.round) => of_vote(members, vote, claims),
        Message::Proposal(proposal) if place.is_near(proposal.height, proposal.round) => {
            of_proposal(members, proposal, claims);
        }
        Message::Polka(polka) if place.is_here(polka.height, polka.round) => {
            of_polka(members, polka, claims);
        }
        Message::Round(votes) if place.is_here(votes.height, votes.round) => {
            of_round(members, votes, claims);
        }
        _ => {}
    }
}

fn of_vote<'a>(members: &'a Members, vote: &Vote, claims: &mut Claims<'a>) {
    if let Some(member) = members.get(&vote.address) {
        claims.add(member, signing::CONSENSUS, vote_message(members.genesis(), vote), &vote.signature);
    }
}

fn of_proposal<'a>(members: &'a Members, proposal: &Proposal, claims: &mut Claims<'a>) {
    let proposer = members.proposer(proposal.height, proposal.round);
    if proposer.validator == proposal.address {
        let message = proposal_message(members.genesis(), proposal);
        claims.add(proposer, signing::CONSENSUS, message, &proposal.signature);
    }
}

fn of_polka<'a>(members: &'a Members, polka: &Polka, claims: &mut Claims<'a>) {
    if !polka.claims_quorum(members) {
        return;
    }
    for (address, signature) in &polka.signatures {
        let (step, value) = (Step::Prevote, Some(polka.value));
        let vote = Vote {
            step,
            height: polka.height,
            round: polka.round,
            value,
            address: *address,
            signature: *signature,
        };
        of_vote(members, &vote, claims);
    }
}

fn of_round<'a>(members: &'a Members, votes: &RoundVotes, claims: &mut Claims<'a>) {
    if !votes.claims_weight(members) {
        return;
    }
    for (step, value, address, signature) in &votes.signatures {
        let vote = Vote {
            step: *step,
            height: votes.height,
            round: votes.round,
            value: *value,
            address: *address,
            signature: *signature,
        };
        of_vote(members, &vote, claims);
    }
}

/// Adds what a block claims: its builder's signature, and the former certificate.
pub(crate) fn of_block<'a>(members: &'a Members, block: &Block, claims: &mut Claims<'a>) {
    let header = &block.header;
    let builder = members.proposer(header.height.0, header.round);
    if builder.validator == header.proposer {
        let message = header.hash(members.genesis()).0.to_vec();
        claims.add(builder, signing::BLOCK, message, &block.signature);
    }
    if let Some(former) = &block.former {
        of_certificate(members, former, claims);
    }
}

/// Adds what a commit certificate claims: each precommit, if it is by distinct members of enough weight.
pub(crate) fn of_certificate<'a>(members: &'a Members, certificate: &Certificate, claims: &mut Claims<'a>) {
    if !certificate.claims_quorum(members) {
        return;
    }
    for (address, signature) in &certificate.signatures {
        let vote = Vote {
            step: Step::Precommit,
            height: certificate.height.0,
            round: certificate.round,
            value: Some(certificate.block),
            address: *address,
            signature: *signature,
        };
        of_vote(members, &vote, claims);
    }
}
