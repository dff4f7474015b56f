//! Which blocks are to be cosigned: a function of the finalized blocks alone (`COSIGN-2`).
//!
//! ```text
//! notable                                        always
//! outside the window: the first with events, or its first block if one with events was passed over inside
//! inside the window of `distance` blocks that begins with the last intended one: nothing else
//! ```

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::Event;
use processor_messages::BaseBlock;

/// What a block means for cosigning; a later one includes the former.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// We act on nothing in it.
    Nothing,
    /// It holds something that we act on.
    Events,
    /// Keys are set or taken over: who cosigns may change.
    Notable,
}

impl Class {
    /// The class of a block with these events.
    pub fn of(events: &[Event]) -> Self {
        events.iter().map(Self::of_event).max().unwrap_or(Self::Nothing)
    }

    fn of_event(event: &Event) -> Self {
        match event {
            Event::KeysSet { .. } | Event::HandoverAccepted { .. } => Self::Notable,
            Event::SetDeclared(_)
            | Event::SetDropped { .. }
            | Event::BatchExecuted { .. }
            | Event::Burn { .. }
            | Event::SlashesReported { .. }
            | Event::SetRetired { .. } => Self::Events,
            Event::SetNotDeclared { .. } | Event::AddressesChanged { .. } | Event::StakeChanged { .. } => {
                Self::Nothing
            }
        }
    }
}

/// What of the blocks so far decides whether the next is intended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Window {
    /// The last intended block.
    pub last: Option<BaseBlock>,
    /// Whether a block with events was passed over since.
    pub passed_over: bool,
}

impl Window {
    /// Takes the next block; whether it is intended.
    pub fn admit(&mut self, block: BaseBlock, class: Class, distance: u32) -> bool {
        let ends = |last: BaseBlock| last.0.saturating_add(distance.into());
        let inside = self.last.is_some_and(|last| block.0 < ends(last));
        let intended = match class {
            Class::Notable => true,
            Class::Events => !inside,
            Class::Nothing => !inside && self.passed_over,
        };
        if intended {
            *self = Self { last: Some(block), passed_over: false };
        } else {
            self.passed_over |= class == Class::Events;
        }
        intended
    }
}
