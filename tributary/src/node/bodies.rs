//! Bodies of blocks in progress that were lost on the way.
//!
//! ```text
//! a block is needed and not held --quarter of the proposal time--> ask one who signed for it --again--> the next
//! ```
//!
//! What comes back is taken as any block is: if its builder signed it and it is admitted. A body of another height is
//! not given out; who asks learns our height and synchronizes instead.

use std::time::Duration;

use coordinator_store::Read;

use super::{Core, Phase};
use crate::{
    Application, BlockHash, Halt, Output, Timer, log,
    wire::{Answer, Ask, Message},
};
use processor_messages::encode;

/// The most bodies asked for at a time.
const MOST_ASKED: usize = 2;

/// Whom to ask.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    armed: bool,
    turn: usize,
}

impl<A: Application> Core<A> {
    fn lacking(&self) -> Vec<BlockHash> {
        if self.phase != Phase::Running {
            return Vec::new();
        }
        let needs = self.consensus.needs().into_iter();
        needs.filter(|hash| !self.held.contains_key(hash)).take(MOST_ASKED).collect()
    }

    /// Asks a little later if a body is missing: as a rule it is on its way.
    pub(super) fn pursue_bodies(&mut self) {
        if !self.bodies.armed && !self.lacking().is_empty() {
            self.bodies.armed = true;
            let after = (self.config.propose / 4).max(Duration::from_millis(1));
            self.outputs.push(Output::SetTimer { timer: Timer::Body, after });
        }
    }

    /// The timer `Body`: asks one of those who signed for each missing body, another one each time.
    pub(super) fn ask_bodies(&mut self) {
        self.bodies.armed = false;
        let turn = self.bodies.turn;
        self.bodies.turn = turn.wrapping_add(1);
        for hash in self.lacking() {
            let mut holders = self.consensus.holders(hash);
            holders.remove(&self.me);
            let at = turn.checked_rem(holders.len()).unwrap_or(0);
            if let Some(to) = holders.into_iter().nth(at) {
                let bytes = encode(&Ask::Body(self.next(), hash));
                self.outputs.push(Output::Request { to, bytes });
            }
        }
    }

    /// Says our proposal again, without its body: who lacks that will ask for it.
    pub(super) fn repeat_proposal(&mut self) {
        if let Some(proposal) = self.consensus.proposed().cloned() {
            self.broadcast(&Message::Proposal(proposal));
        }
    }

    /// The body of a block in progress, for a member that asks.
    pub(super) fn body_for(
        &self,
        db: &dyn Read,
        height: u64,
        hash: BlockHash,
    ) -> Result<Option<Answer>, Halt> {
        if height != self.next() {
            return Ok(None);
        }
        let block = log::body(db, self.members.genesis(), height, hash)?;
        Ok(block.map(|block| Answer::Body(Box::new(block))))
    }
}
