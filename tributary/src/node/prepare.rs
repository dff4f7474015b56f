//! What arrived, looked at before the step that takes it: decoded once, signatures verified together.
//!
//! ```text
//! inputs --decode--> messages --claims--> one batch            no store, no lock
//!                        \--gossip, bodies--> Application::prepare
//! store.write: take each --> outputs
//! ```
//!
//! Nothing that is decided depends on it: a step verifies what it does not find verified. So it looks only at what
//! the step will most likely need, never at more bodies than the step would judge, and at no body before the signatures
//! around it are found valid.

use std::sync::Arc;

use super::{Core, Phase, blocks::UNNAMED_PER_ROUND};
use crate::{
    Application, Arrived, Block, BlockHash, DecidedBlock, Input, Members,
    consensus::claims::{self, Place},
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

/// What was found in the inputs of a step.
#[derive(Default)]
struct Seen<'a, 'm> {
    claims: Claims<'m>,
    gossip: Vec<Arrived<'a>>,
    /// By their builders, but for the former certificate.
    proposed: Vec<&'a Block>,
    decided: Vec<(Validator, Vec<&'a DecidedBlock>)>,
}

/// Who built a block answers for its body.
fn proposed(block: &Block) -> Arrived<'_> {
    Arrived::Body(block.header.proposer, block)
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

    /// Verifies together what arrived, then shows the application what may be worth its look.
    fn verify(&mut self, ready: &[Ready<A::Input>]) {
        let members = Arc::clone(&self.members);
        let mut seen = Seen::default();
        for input in ready {
            match input {
                Ready::Message(from, message) => self.look_at(&members, *from, message, &mut seen),
                Ready::Answer(from, Some(answer)) => self.look_at_answer(&members, *from, answer, &mut seen),
                Ready::Answer(_, None) | Ready::Input(_) | Ready::Dropped => {}
            }
        }
        self.consensus.verify_all(seen.claims);
        let mut arrived = seen.gossip;
        arrived.extend(seen.proposed.into_iter().filter(|block| self.is_former_signed(block)).map(proposed));
        for (from, blocks) in seen.decided {
            let proven = blocks.into_iter().take_while(|decided| self.is_proven(decided));
            arrived.extend(proven.map(|decided| Arrived::Body(from, &decided.block)));
        }
        self.application.prepare(&members, &arrived);
    }

    fn is_former_signed(&mut self, block: &Block) -> bool {
        block.former.as_ref().is_none_or(|former| self.consensus.check_certificate(former))
    }

    fn is_proven(&mut self, decided: &DecidedBlock) -> bool {
        self.is_former_signed(&decided.block)
            && self.consensus.check_block(&decided.block)
            && self.consensus.check_certificate(&decided.certificate)
    }

    fn place(&self) -> Place {
        let round = match self.phase {
            Phase::Running => self.consensus.round(),
            Phase::Waiting { .. } => 0,
        };
        Place { height: self.next(), round }
    }

    fn look_at<'a, 'm>(
        &mut self,
        members: &'m Members,
        from: Validator,
        message: &'a Message,
        seen: &mut Seen<'a, 'm>,
    ) {
        match message {
            Message::Application(bytes) => seen.gossip.push(Arrived::Gossip(from, bytes)),
            Message::Applications(list) => {
                seen.gossip.extend(list.iter().map(|bytes| Arrived::Gossip(from, bytes)));
            }
            Message::Block(block) => {
                if (block.header.height.0 == self.next()) && self.may_judge(block) {
                    seen.claims.begin(block.header.proposer);
                    claims::of_block(members, block, &mut seen.claims);
                    seen.proposed.push(block);
                }
            }
            message => claims::of_message(members, self.place(), message, from, &mut seen.claims),
        }
    }

    /// Whether the step may judge this block. As there, no proposer has more than two judged a round that nobody named.
    fn may_judge(&mut self, block: &Block) -> bool {
        let hash = block.header.hash(self.members.genesis());
        let (round, ours) = (block.header.round, self.place().round);
        let near = (ours..=ours.saturating_add(1)).contains(&round);
        let same = self.looked_at.iter().filter(|(of, _)| *of == round).count();
        let admitted = (near && (same < UNNAMED_PER_ROUND))
            && !self.held.contains_key(&hash)
            && !self.looked_at.contains(&(round, hash))
            && block.follows(&self.members, self.tip.height, self.tip.hash)
            && self.consensus.check_block(block);
        if admitted {
            self.looked_at.insert((round, hash));
        }
        admitted
    }

    fn look_at_answer<'a, 'm>(
        &self,
        members: &'m Members,
        from: Validator,
        answer: &'a Answer,
        seen: &mut Seen<'a, 'm>,
    ) {
        seen.claims.begin(from);
        match answer {
            Answer::Status(Some(certificate)) => {
                claims::of_certificate(members, certificate, &mut seen.claims);
            }
            Answer::Blocks(blocks) if self.peers.owes(&from) => {
                let next = self.next();
                let new = blocks.iter().filter(|decided| decided.height().0 >= next);
                let fitting: Vec<_> = (next..)
                    .zip(new)
                    .take_while(|(height, decided)| decided.claims_to_be(members, *height))
                    .map(|(_, decided)| decided)
                    .collect();
                for decided in &fitting {
                    claims::of_block(members, &decided.block, &mut seen.claims);
                    claims::of_certificate(members, &decided.certificate, &mut seen.claims);
                }
                seen.decided.push((from, fitting));
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
