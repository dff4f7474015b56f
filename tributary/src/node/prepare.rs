//! What arrived, looked at before the step that takes it: decoded once, signatures verified together.
//!
//! ```text
//! inputs --decode--> messages --claims--> one batch            no store, no lock
//!                        \--gossip, bodies--> Application::prepare
//! store.write: take each --> outputs
//! ```
//!
//! Nothing that is decided depends on it: a step verifies what it does not find verified. So it looks only at what
//! the step will most likely need, and never at more bodies than the step would judge.

use std::sync::Arc;

use super::{Core, Phase, blocks::UNNAMED_PER_ROUND};
use crate::{
    Application, Arrived, Block, BlockHash, Input,
    consensus::claims,
    verified::Claims,
    wire::{Answer, Message},
};
use processor_messages::Validator;

/// An input that [`Node::prepare`](super::Node::prepare) looked at.
pub struct Prepared<I>(pub(super) Ready<I>);

pub(super) enum Ready<I> {
    /// A message of a member.
    Message(Validator, Message),
    /// A member's answer; `None` if it is none.
    Answer(Validator, Option<Answer>),
    /// Anything else that is taken as it is.
    Input(Input<I>),
    /// Nothing is to be done.
    Dropped,
}

impl<I> Prepared<I> {
    /// An input for the application, which needs no look.
    pub fn application(input: I) -> Self {
        Self(Ready::Input(Input::Application(input)))
    }
}

impl<A: Application> Core<A> {
    pub(super) fn prepare(&mut self, inputs: Vec<Input<A::Input>>) -> Vec<Prepared<A::Input>> {
        let ready: Vec<_> = inputs.into_iter().map(|input| self.decode(input)).collect();
        self.verify(&ready);
        ready.into_iter().map(Prepared).collect()
    }

    /// Non-members, malformed bytes and what exceeds a bound end here.
    fn decode(&self, input: Input<A::Input>) -> Ready<A::Input> {
        let is_other = |from: &Validator| {
            (*from != self.me) && (self.members.get(from).is_some() || mutated!(TakeStrangers))
        };
        match input {
            Input::Message { from, bytes } if is_other(&from) => {
                let message = Message::decode(&bytes, self.members.limits());
                message.map_or(Ready::Dropped, |message| Ready::Message(from, message))
            }
            Input::Response { from, bytes } if self.members.get(&from).is_some() => {
                Ready::Answer(from, Answer::decode(&bytes, self.members.limits()).ok())
            }
            Input::Message { .. } | Input::Response { .. } => Ready::Dropped,
            input @ (Input::Request { .. } | Input::Fired(_) | Input::Application(_)) => Ready::Input(input),
        }
    }

    fn verify(&mut self, ready: &[Ready<A::Input>]) {
        let members = Arc::clone(&self.members);
        let mut gathered = Claims::default();
        let mut arrived = Vec::new();
        for input in ready {
            match input {
                Ready::Message(_, message) => self.look_at(&members, message, &mut gathered, &mut arrived),
                Ready::Answer(from, Some(answer)) => {
                    self.look_at_answer(&members, *from, answer, &mut gathered, &mut arrived);
                }
                Ready::Answer(_, None) | Ready::Input(_) | Ready::Dropped => {}
            }
        }
        self.consensus.verify_all(gathered);
        self.application.prepare(&members, &arrived);
    }

    fn look_at<'a, 'm>(
        &mut self,
        members: &'m crate::Members,
        message: &'a Message,
        gathered: &mut Claims<'m>,
        arrived: &mut Vec<Arrived<'a>>,
    ) {
        match message {
            Message::Application(bytes) => arrived.push(Arrived::Gossip(bytes)),
            Message::Applications(list) => arrived.extend(list.iter().map(|bytes| Arrived::Gossip(bytes))),
            message => {
                let Some(height) = message.height() else { return };
                // Of other heights nothing is kept.
                if (self.next()..=self.next().saturating_add(1)).contains(&height) {
                    claims::of_message(members, message, gathered);
                }
                if let Message::Block(block) = message
                    && (height == self.next())
                    && self.may_judge(block)
                {
                    arrived.push(Arrived::Body(block));
                }
            }
        }
    }

    /// Whether the step may judge this block. As there, no proposer has more than two judged a round that nobody named.
    fn may_judge(&mut self, block: &Block) -> bool {
        let hash = block.header.hash(self.members.genesis());
        let (round, ours) = match self.phase {
            Phase::Running => (block.header.round, self.consensus.round()),
            Phase::Waiting { .. } => (block.header.round, 0),
        };
        let near = (ours..=ours.saturating_add(1)).contains(&round);
        let same = self.looked_at.iter().filter(|(of, _)| *of == round).count();
        let admitted = (near && (same < UNNAMED_PER_ROUND))
            && !self.held.contains_key(&hash)
            && !self.looked_at.contains(&(round, hash))
            && self.consensus.check_block(block);
        if admitted {
            self.looked_at.insert((round, hash));
        }
        admitted
    }

    fn look_at_answer<'a, 'm>(
        &self,
        members: &'m crate::Members,
        from: Validator,
        answer: &'a Answer,
        gathered: &mut Claims<'m>,
        arrived: &mut Vec<Arrived<'a>>,
    ) {
        match answer {
            Answer::Status(Some(certificate)) => claims::of_certificate(members, certificate, gathered),
            Answer::Blocks(blocks) if self.peers.owes(&from) => {
                for decided in blocks.iter().filter(|decided| decided.height().0 > self.tip.height) {
                    claims::of_block(members, &decided.block, gathered);
                    claims::of_certificate(members, &decided.certificate, gathered);
                    if decided.block.is_bound(members) {
                        arrived.push(Arrived::Body(&decided.block));
                    }
                }
            }
            Answer::Status(None) | Answer::Blocks(_) | Answer::Body(_) => {}
        }
    }

    /// Forgets which bodies of the height that is over were looked at.
    pub(super) fn forget_looked_at(&mut self) {
        self.looked_at.clear();
    }
}

/// Undecided blocks that were looked at, by round.
pub(super) type LookedAt = std::collections::BTreeSet<(u32, BlockHash)>;
