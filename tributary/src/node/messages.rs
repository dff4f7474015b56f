//! Broadcasts of members: which height they are for, and what happens to them.
//!
//! A message of the height in progress goes to the core, one of the next height is kept if its signature is
//! valid, and any later one only says that its author is ahead. Non-members and malformed bytes were dropped before.

use std::sync::Arc;

use coordinator_store::Transaction;
use processor_messages::Validator;

use super::{Core, Phase};
use crate::{Application, Halt, wire::Message};

/// The most messages kept of one signer for the next height.
const MOST_EARLY: usize = 8;

impl Message {
    /// The height a consensus message is for.
    pub(crate) fn height(&self) -> Option<u64> {
        match self {
            Self::Vote(vote) => Some(vote.height),
            Self::Proposal(proposal) => Some(proposal.height),
            Self::Polka(polka) => Some(polka.height),
            Self::Round(votes) => Some(votes.height),
            Self::Block(block) => Some(block.header.height.0),
            Self::Height(_) | Self::Application(_) | Self::Applications(_) => None,
        }
    }
}

impl<A: Application> Core<A> {
    pub(super) fn message(
        &mut self,
        txn: &mut dyn Transaction,
        from: Validator,
        message: Message,
    ) -> Result<(), Halt> {
        match message {
            Message::Height(height) => {
                self.peers.saw(from, height);
                Ok(())
            }
            Message::Application(bytes) => self.heard(txn, from, &bytes),
            Message::Applications(list) => list.iter().try_for_each(|bytes| self.heard(txn, from, bytes)),
            message => self.consensus_message(txn, from, message),
        }
    }

    fn heard(&mut self, txn: &mut dyn Transaction, from: Validator, bytes: &[u8]) -> Result<(), Halt> {
        let members = Arc::clone(&self.members);
        let says = self.application.heard(txn, &members, from, bytes)?;
        self.say(says);
        Ok(())
    }

    fn consensus_message(
        &mut self,
        txn: &mut dyn Transaction,
        from: Validator,
        message: Message,
    ) -> Result<(), Halt> {
        let (next, Some(height)) = (self.next(), message.height()) else { return Ok(()) };
        if height > next {
            // Who works on a height has decided the one before it.
            self.peers.saw(from, height.saturating_sub(1));
        }
        match self.phase {
            Phase::Running if height == next => self.feed(txn, message),
            Phase::Waiting { .. } if height == next => {
                self.keep_early(message);
                Ok(())
            }
            _ => {
                if height == next.saturating_add(1) {
                    self.keep_early(message);
                }
                Ok(())
            }
        }
    }

    /// Keeps a message whose signature is valid; of blocks only the one of round 0.
    fn keep_early(&mut self, message: Message) {
        let signer = match &message {
            Message::Vote(vote) => vote.address,
            Message::Proposal(proposal) => proposal.address,
            Message::Block(block) if block.header.round == 0 => block.header.proposer,
            _ => return,
        };
        if self.members.get(&signer).is_none() {
            return;
        }
        let kept = self.early.get(&signer);
        let is_block = |message: &Message| matches!(message, Message::Block(_));
        let full = kept.is_some_and(|kept| {
            (kept.len() >= MOST_EARLY)
                || kept.contains(&message)
                || (is_block(&message) && kept.iter().any(is_block))
        });
        let valid = !full
            && match &message {
                Message::Vote(vote) => self.consensus.check_vote(vote),
                Message::Proposal(proposal) => self.consensus.check_proposal(proposal),
                Message::Block(block) => self.consensus.check_block(block),
                _ => false,
            };
        if valid {
            self.early.entry(signer).or_default().push(message);
        }
    }

    /// Gives a message of the height in progress to the core.
    pub(super) fn feed(&mut self, txn: &mut dyn Transaction, message: Message) -> Result<(), Halt> {
        match message {
            Message::Vote(vote) => self.consensus.vote(txn, &vote),
            Message::Proposal(proposal) => self.consensus.proposal(txn, &proposal),
            Message::Polka(polka) => self.consensus.polka(txn, &polka),
            Message::Round(votes) => self.consensus.round_votes(txn, &votes),
            Message::Block(block) => self.take_block(txn, &block),
            Message::Height(_) | Message::Application(_) | Message::Applications(_) => Ok(()),
        }
    }
}
