//! What the engine orders: the role of the state machine above it.

use coordinator_store::{Read, Transaction};
use processor_messages::{Bytes, TributaryBlock, Validator};

use crate::{Block, DecidedBlock, Evidence, Halt, MAX_BODY_BYTES, Members};

/// For which block a body is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// The height.
    pub height: TributaryBlock,
    /// The consensus round; from 1 on, nothing that another member may lack belongs in a body.
    pub round: u32,
    /// The most bytes of the body.
    pub limit: usize,
}

/// What a proposer puts into a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Built {
    /// The body's bytes.
    pub body: Bytes<MAX_BODY_BYTES>,
    /// The root over the body, for the header.
    pub root: [u8; 32],
    /// The hash of the replicated state after the former block, for the header.
    pub state: [u8; 32],
}

/// What the application thinks of a proposed block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Vote for it.
    Valid,
    /// Something local is not there yet: no prevote for now, asked again after each of our own steps, and
    /// taken as valid once more than two thirds of the weight precommitted it.
    Missing(String),
    /// Never to be voted for. If it is decided all the same, the chain halts with this reason.
    Invalid(String),
}

/// What the application wants sent after its step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Say {
    /// To every member; arrives at [`Application::heard`].
    Gossip(Vec<u8>),
    /// An event for the driver, passed through as [`crate::Output::Event`].
    Event(String),
}

/// What a step will soon hand to [`Application::heard`], [`Application::check`] or [`Application::decided`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrived<'a> {
    /// Gossip of this member; anything.
    Gossip(Validator, &'a [u8]),
    /// The body of a block, for whose signatures this member answers: its builder, or who says that it is decided.
    Body(Validator, &'a Block),
}

/// A state machine over decided blocks. Its state lives in the store; what it keeps in memory must be
/// bounded and may be lost.
pub trait Application {
    /// What the driver tells it.
    type Input;

    /// Builds the body of a block on top of the latest decided one. Must pass [`Self::check`].
    ///
    /// # Errors
    /// [`Halt`] if this chain cannot go on.
    fn build(&mut self, db: &dyn Read, members: &Members, slot: Slot) -> Result<Built, Halt>;

    /// Judges a block on top of the latest decided one. The engine has checked the header's links, the
    /// builder, the size, and the former block's certificate; the application checks `root`, `state` and the
    /// body. The bytes are a peer's.
    ///
    /// # Errors
    /// [`Halt`] if this chain cannot go on.
    fn check(&mut self, db: &dyn Read, members: &Members, block: &Block) -> Result<Verdict, Halt>;

    /// Applies a decided block, in the transaction which stores it. More than two thirds of the weight
    /// decided it; if it is nevertheless invalid here, this must halt.
    ///
    /// # Errors
    /// [`Halt`] if this chain cannot go on.
    fn decided(
        &mut self,
        txn: &mut dyn Transaction,
        members: &Members,
        block: &DecidedBlock,
    ) -> Result<Vec<Say>, Halt>;

    /// Takes an input of the driver.
    ///
    /// # Errors
    /// [`Halt`] if this chain cannot go on.
    fn input(
        &mut self,
        txn: &mut dyn Transaction,
        members: &Members,
        input: Self::Input,
    ) -> Result<Vec<Say>, Halt>;

    /// Looks at what arrived before the step that takes it, without the store: to verify signatures together and to
    /// remember the verdicts. A hint: what the step does must not depend on it. Bodies are of authentic blocks.
    fn prepare(&mut self, members: &Members, arrived: &[Arrived<'_>]) {
        let _ = (members, arrived);
    }

    /// Takes gossip of a member's application. The bytes are a peer's: bounded in length, else anything.
    ///
    /// # Errors
    /// [`Halt`] if this chain cannot go on.
    fn heard(
        &mut self,
        txn: &mut dyn Transaction,
        members: &Members,
        from: Validator,
        bytes: &[u8],
    ) -> Result<Vec<Say>, Halt>;

    /// Takes evidence which the engine found. May be the same again after a restart.
    ///
    /// # Errors
    /// [`Halt`] if this chain cannot go on.
    fn equivocated(
        &mut self,
        txn: &mut dyn Transaction,
        members: &Members,
        evidence: Evidence,
    ) -> Result<Vec<Say>, Halt>;

    /// Repeats what may have been lost on the way; asked every `resend` interval. Bounded.
    ///
    /// # Errors
    /// [`Halt`] if this chain cannot go on.
    fn resend(&mut self, db: &dyn Read, members: &Members) -> Result<Vec<Say>, Halt>;

    /// Whether there is something to order, so that the next block is due after the interval and not only
    /// at the heartbeat.
    ///
    /// # Errors
    /// [`Halt`] if this chain cannot go on.
    fn due(&mut self, db: &dyn Read) -> Result<bool, Halt>;
}
