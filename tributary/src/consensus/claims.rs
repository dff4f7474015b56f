//! What messages claim to be signed: gathered from all that arrived together, to be verified in one batch.
//!
//! Whether a claim is gathered changes no verdict; one that is not is verified alone when it is needed.

use processor_messages::Genesis;

use super::effects::proposal_message;
use crate::{
    Block, Certificate, Members, Step, signing,
    verified::Claims,
    wire::{Message, Polka, Proposal, RoundVotes, Vote},
};

pub(super) fn vote_message(genesis: Genesis, vote: &Vote) -> Vec<u8> {
    let message = match vote.step {
        Step::Prevote => signing::prevote,
        Step::Precommit => signing::precommit,
    };
    message(genesis, vote.height, vote.round, vote.value, vote.address)
}

/// The claims of a message, bodies left aside.
pub(crate) fn of_message<'a>(members: &'a Members, message: &Message, claims: &mut Claims<'a>) {
    match message {
        Message::Vote(vote) => of_vote(members, vote, claims),
        Message::Proposal(proposal) => of_proposal(members, proposal, claims),
        Message::Polka(polka) => of_polka(members, polka, claims),
        Message::Round(votes) => of_round(members, votes, claims),
        Message::Block(block) => of_block(members, block, claims),
        Message::Height(_) | Message::Application(_) | Message::Applications(_) => {}
    }
}

fn of_vote<'a>(members: &'a Members, vote: &Vote, claims: &mut Claims<'a>) {
    if let Some(member) = members.get(&vote.address) {
        claims.add(member, signing::CONSENSUS, vote_message(members.genesis(), vote), &vote.signature);
    }
}

fn of_proposal<'a>(members: &'a Members, proposal: &Proposal, claims: &mut Claims<'a>) {
    if let Some(member) = members.get(&proposal.address) {
        let message = proposal_message(members.genesis(), proposal);
        claims.add(member, signing::CONSENSUS, message, &proposal.signature);
    }
}

fn of_polka<'a>(members: &'a Members, polka: &Polka, claims: &mut Claims<'a>) {
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

/// Of a block: its builder's signature, and the former certificate.
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

/// Of a commit certificate: each precommit.
pub(crate) fn of_certificate<'a>(members: &'a Members, certificate: &Certificate, claims: &mut Claims<'a>) {
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
