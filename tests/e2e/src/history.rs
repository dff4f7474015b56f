//! What happened on the base chain, in the order in which it did.

use coordinator_base_chain::{BaseChain, Event, SetDeclaration};
use processor_messages::{BaseBlock, BatchId, Session, SlashReport, Validator, ValidatorSet};

use crate::Net;

/// The events of a testnet's final blocks. A testnet of one network, for what is asked by session.
#[derive(Default)]
pub struct History {
    next: BaseBlock,
    events: Vec<(BaseBlock, Event)>,
}

impl History {
    /// Reads the blocks that are final and were not read before.
    pub fn read(&mut self, net: &Net) -> &Self {
        let node = net.observer.node(0).expect("a node");
        while let Ok(Some(block)) = net.block_on(node.block(self.next)) {
            self.events.extend(block.events.into_iter().map(|event| (self.next, event)));
            self.next = self.next.next();
        }
        self
    }

    /// The last block with such an event; `None` if there is none.
    pub fn last_with(&self, is_such: impl Fn(&Event) -> bool) -> Option<BaseBlock> {
        self.events.iter().rev().find(|(_, event)| is_such(event)).map(|(block, _)| *block)
    }

    /// A session's declaration; `None` before it.
    pub fn declared(&self, session: Session) -> Option<&SetDeclaration> {
        self.events.iter().find_map(|(_, event)| match event {
            Event::SetDeclared(declaration) if declaration.set.session == session => Some(declaration),
            _ => None,
        })
    }

    /// The last stake which the chain told of a validator; `None` if it told of none.
    pub fn stake(&self, of: Validator) -> Option<u64> {
        self.events.iter().rev().find_map(|(_, event)| match event {
            Event::StakeChanged { validator, stake, .. } if *validator == of => Some(stake.0),
            _ => None,
        })
    }

    /// The executed batches in their order, with the session that signed each.
    pub fn batches(&self) -> Vec<(BatchId, Session)> {
        let executed = |(_, event): &(BaseBlock, Event)| match event {
            Event::BatchExecuted { batch, .. } => Some((batch.id, batch.publisher)),
            _ => None,
        };
        self.events.iter().filter_map(executed).collect()
    }

    /// How many batches of a session were executed.
    pub fn batches_of(&self, session: Session) -> usize {
        self.batches().iter().filter(|(_, publisher)| *publisher == session).count()
    }

    /// The slash report of a session which the chain applied, if it retired the set with it; `None` before that.
    pub fn retired_with(&self, session: Session) -> Option<&SlashReport> {
        let of = |set: &ValidatorSet| set.session == session;
        let reported = self.events.iter().find_map(|(_, event)| match event {
            Event::SlashesReported { set, report } if of(set) => Some(report),
            _ => None,
        });
        reported.filter(|_| self.last_with(|event| is_end_with_report(event, of)).is_some())
    }
}

fn is_end_with_report(event: &Event, of: impl Fn(&ValidatorSet) -> bool) -> bool {
    matches!(event, Event::SetRetired { set, reported: true } if of(set))
}
