//! What goes into a node and what comes out of it.

use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::StoreError;
use processor_messages::{TributaryBlock, Validator};

/// Something that happened to a node. All bytes are a peer's and may be anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input<I> {
    /// A broadcast of a member arrived. `from` is whom the transport authenticated as its author.
    Message {
        /// The author.
        from: Validator,
        /// As in [`Output::Broadcast`].
        bytes: Vec<u8>,
    },
    /// A member asks; answered with [`Output::Respond`] of the same `id`, or not at all.
    Request {
        /// Who asks, authenticated by the connection.
        from: Validator,
        /// The driver's name for the open request.
        id: u64,
        /// As in [`Output::Request`].
        bytes: Vec<u8>,
    },
    /// A member answered an [`Output::Request`]. A request without answer needs no input: timers retry.
    Response {
        /// Who answers, authenticated by the connection.
        from: Validator,
        /// As in [`Output::Respond`].
        bytes: Vec<u8>,
    },
    /// A timer set by [`Output::SetTimer`] fired.
    Fired(Timer),
    /// For the application.
    Application(I),
}

/// What a node asks its driver to do once the step is durable, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send to every other member (gossip). May be lost.
    Broadcast(Vec<u8>),
    /// Ask one member over its connection. May be lost.
    Request {
        /// Whom.
        to: Validator,
        /// The question.
        bytes: Vec<u8>,
    },
    /// Answer an [`Input::Request`].
    Respond {
        /// The driver's name of the request.
        id: u64,
        /// The answer.
        bytes: Vec<u8>,
    },
    /// Fire this timer after the delay; replaces an earlier setting of the same timer.
    SetTimer {
        /// Which.
        timer: Timer,
        /// From now.
        after: Duration,
    },
    /// Forget this timer; harmless if it is not set.
    CancelTimer(Timer),
    /// A block is decided and stored.
    Decided(TributaryBlock),
    /// The application's word for the driver and the log.
    Event(String),
}

/// Names of timers. At most one of each is set at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// No proposal in time.
    Propose {
        /// At this height.
        height: u64,
        /// In this consensus round.
        round: u32,
    },
    /// Prevotes do not agree.
    Prevote {
        /// At this height.
        height: u64,
        /// In this consensus round.
        round: u32,
    },
    /// Precommits do not agree.
    Precommit {
        /// At this height.
        height: u64,
        /// In this consensus round.
        round: u32,
    },
    /// Send our last votes again.
    Rebroadcast {
        /// At this height.
        height: u64,
        /// In this consensus round.
        round: u32,
    },
    /// The block interval is over.
    Interval,
    /// A block without content is due.
    Heartbeat,
    /// Ask for blocks, or for status, again.
    Sync,
    /// Ask for the body of a block which was proposed or voted for.
    Body,
    /// Repeat what may have been lost.
    Resend,
}

/// A chain stopped, and why. The others of the process go on.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, thiserror::Error)]
#[error("tributary halted: {reason}")]
pub struct Halt {
    /// For an operator: what happened and what to do.
    pub reason: String,
}

impl Halt {
    /// Halts with a reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self { reason: error.to_string() }
    }
}

/// Local timing of a node; members may differ in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// From a decision to the earliest start of the next height while blocks are due.
    pub interval: Duration,
    /// From a decision to the start of the next height when nothing is due.
    pub heartbeat: Duration,
    /// How long a proposal may take in round 0; each later round adds half of it.
    pub propose: Duration,
    /// How long to wait for agreeing votes in round 0; each later round adds half of it.
    pub vote: Duration,
    /// The longest timeout of any round.
    pub max_timeout: Duration,
    /// How often to repeat our last votes while a round lasts.
    pub rebroadcast: Duration,
    /// How often to retry synchronization.
    pub sync: Duration,
    /// How often to repeat own transactions and announcements.
    pub resend: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(3),
            heartbeat: Duration::from_mins(1),
            propose: Duration::from_secs(3),
            vote: Duration::from_secs(1),
            max_timeout: Duration::from_mins(1),
            rebroadcast: Duration::from_secs(5),
            sync: Duration::from_secs(2),
            resend: Duration::from_secs(5),
        }
    }
}
