//! The node: one chain of one validator, as a function of inputs and rows.
//!
//! ```text
//!  Waiting --interval over and (due or a valid message of the next height) | heartbeat--> Running
//!     ^      | valid messages of the next height by more than a third of the weight          |
//!     +------------ decided by the core, or fetched with its certificate <-------------------+
//! ```
//!
//! * `blocks`: building, judging, deciding, applying;
//! * `bodies`: asking for the body of a block in progress that was lost on the way;
//! * `prepare`: decoding and verifying what arrived, before the step;
//! * `messages`: which height a message is for, and what happens to it;
//! * `fetch`: finding out that we are behind, fetching blocks, and the recovery of a store that may be old.

mod blocks;
mod bodies;
mod fetch;
mod messages;
mod prepare;
mod rows;

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use coordinator_keys::SecretKey;
use coordinator_store::{Read, Transaction};
use processor_messages::{Bytes, List, TributaryBlock, Validator};

use crate::{
    Application, BlockHash, Config, Halt, Input, Members, Output, Say, Timer,
    consensus::{Act, Consensus},
    is_retired,
    log::{self, Log},
    wire::{MOST_TOGETHER, Message, Said, TOGETHER_BYTES},
};
use blocks::Held;
use bodies::Bodies;
use fetch::{Peers, Recovery};
use prepare::{LookedAt, Ready};
use rows::Tip;

pub use prepare::Prepared;
pub(crate) use rows::forget;
pub use rows::{clear_halt, halted, latest_decided, record_halt};

/// How a node is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Open {
    /// Timing.
    pub config: Config,
    /// Whether this data directory surely holds all that this validator ever signed.
    pub store_is_current: bool,
}

/// What an operator sees of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The latest decided height.
    pub decided: TributaryBlock,
    /// The height and consensus round in progress, if one is.
    pub running: Option<(TributaryBlock, u32)>,
    /// Why a proposed block is not voted for, if something local is missing.
    pub missing: Vec<String>,
    /// Whether this node does not sign yet, as its store may be old.
    pub recovering: bool,
    /// Latest decided heights as members claimed them.
    pub peers: BTreeMap<Validator, u64>,
    /// Why it stopped.
    pub halted: Option<Halt>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Waiting { interval_over: bool },
    Running,
}

/// One validator's part in one chain.
pub struct Node<A: Application> {
    core: Core<A>,
    halted: Option<Halt>,
}

struct Core<A: Application> {
    members: Arc<Members>,
    me: Validator,
    key: SecretKey,
    config: Config,
    application: A,
    consensus: Consensus,
    tip: Tip,
    phase: Phase,
    /// Undecided blocks of the height in progress whose bodies are stored.
    held: BTreeMap<BlockHash, Held>,
    /// Whether the application's state changed so that missing things may be there.
    rejudge: bool,
    /// Verified messages of the next height by signer, kept while this one lasts.
    early: BTreeMap<Validator, Vec<Message>>,
    peers: Peers,
    bodies: Bodies,
    recovery: Option<Recovery>,
    looked_at: LookedAt,
    /// Bytes that fetched blocks wrote in this step.
    written: usize,
    /// What the application says in this step.
    said: Vec<Said>,
    outputs: Vec<Output>,
}

impl<A: Application> Node<A> {
    /// Opens the chain: replays the log of the height in progress, and says again what was said.
    ///
    /// # Errors
    /// [`Halt`] if the chain halted before, it is retired, its rows are damaged, or `key` is not a member's.
    pub fn open(
        txn: &mut dyn Transaction,
        members: Members,
        key: SecretKey,
        application: A,
        open: Open,
    ) -> Result<(Self, Vec<Output>), Halt> {
        if let Some(halt) = halted(txn, members.genesis())? {
            return Err(halt);
        }
        if is_retired(txn, members.genesis())? {
            return Err(Halt::new(
                "this tributary is retired and its rows are deleted; nothing is to be done, it is not opened again",
            ));
        }
        let me = Validator(key.public().to_bytes());
        if members.get(&me).is_none() {
            return Err(Halt::new(format!(
                "{me} is no member of this tributary; open only tributaries of its own"
            )));
        }
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let mut core = Core::new(txn, members, key, me, application, open)?;
            core.boot(txn)?;
            Ok(core)
        }));
        let mut core = opened.unwrap_or_else(|panic| Err(panicked(&panic)))?;
        let outputs = core.take_outputs();
        Ok((Self { core, halted: None }, outputs))
    }

    /// Takes one input in a step of its own: [`Node::prepare`], [`Node::take`] and [`Node::outputs`] in one. On
    /// success the driver commits the transaction, waits until that is durable, and performs the outputs in order.
    /// After an error the node takes nothing more; nothing of the failed step may be committed. The same holds if the
    /// commit fails: drop the node then.
    ///
    /// # Errors
    /// [`Halt`] with the reason, also one of an earlier step.
    pub fn step(&mut self, txn: &mut dyn Transaction, input: Input<A::Input>) -> Result<Vec<Output>, Halt> {
        for prepared in self.prepare(vec![input]) {
            self.take(txn, prepared)?;
        }
        self.outputs()
    }

    /// Looks at inputs which one step will take, before that step and without its store: decodes them, and verifies
    /// their signatures together (`TRIB-32`). Returns them in order; nothing after an error, which the step returns.
    pub fn prepare(&mut self, inputs: Vec<Input<A::Input>>) -> Vec<Prepared<A::Input>> {
        let prepared = self.guarded(|core| Ok(core.prepare(inputs)));
        prepared.unwrap_or_default()
    }

    /// Takes one input as a part of a step, which ends with [`Node::outputs`].
    ///
    /// # Errors
    /// As [`Node::step`].
    pub fn take(&mut self, txn: &mut dyn Transaction, input: Prepared<A::Input>) -> Result<(), Halt> {
        self.guarded(|core| core.step(txn, input))
    }

    /// The outputs of a step, of all inputs together, to be performed once it is durable.
    ///
    /// # Errors
    /// As [`Node::step`].
    pub fn outputs(&mut self) -> Result<Vec<Output>, Halt> {
        self.guarded(|core| Ok(core.take_outputs()))
    }

    /// After an error, and a panic is one, there is nothing but that error.
    fn guarded<T>(&mut self, act: impl FnOnce(&mut Core<A>) -> Result<T, Halt>) -> Result<T, Halt> {
        if let Some(halt) = &self.halted {
            return Err(halt.clone());
        }
        let acted = catch_unwind(AssertUnwindSafe(|| act(&mut self.core)));
        let result = acted.unwrap_or_else(|panic| Err(panicked(&panic)));
        if let Err(halt) = &result {
            self.halted = Some(halt.clone());
        }
        result
    }

    /// The application.
    pub fn application(&self) -> &A {
        &self.core.application
    }

    /// Messages kept for later heights.
    #[cfg(test)]
    pub(crate) fn kept_early(&self) -> usize {
        self.core.early.values().map(Vec::len).sum()
    }

    /// How many signatures of consensus were verified.
    #[cfg(test)]
    pub(crate) fn verified(&self) -> usize {
        self.core.consensus.verified()
    }

    /// The chain's members.
    pub fn members(&self) -> &Members {
        &self.core.members
    }

    /// What an operator sees.
    pub fn status(&self) -> Status {
        let mut status = self.core.status();
        status.halted.clone_from(&self.halted);
        status
    }
}

fn panicked(panic: &Box<dyn Any + Send>) -> Halt {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    Halt::new(format!("a check inside the node failed ({text}); keep the data directory and report this"))
}

impl<A: Application> Core<A> {
    fn new(
        txn: &mut dyn Transaction,
        members: Members,
        key: SecretKey,
        me: Validator,
        application: A,
        open: Open,
    ) -> Result<Self, Halt> {
        let members = Arc::new(members);
        let tip = Tip::load(txn, members.genesis())?;
        let recovery = Recovery::open(txn, members.genesis(), open.store_is_current)?;
        Ok(Self {
            consensus: Consensus::new(&members, key.clone(), open.config),
            members,
            me,
            key,
            config: open.config,
            application,
            tip,
            phase: Phase::Waiting { interval_over: false },
            held: BTreeMap::new(),
            rejudge: false,
            early: BTreeMap::new(),
            peers: Peers::default(),
            bodies: Bodies::default(),
            recovery,
            looked_at: LookedAt::new(),
            written: 0,
            said: Vec::new(),
            outputs: Vec::new(),
        })
    }

    fn boot(&mut self, txn: &mut dyn Transaction) -> Result<(), Halt> {
        let (genesis, height) = (self.members.genesis(), self.next());
        let (log, mut entries) = Log::open(txn, genesis, height)?;
        if mutated!(SkipReplay) {
            entries.clear();
        }
        let bodies = log::bodies(txn, genesis, height)?;
        self.held = blocks::held_again(&bodies, &entries);
        self.rejudge = true;
        if entries.is_empty() && bodies.is_empty() {
            self.wait();
        } else {
            self.consensus.start(txn, log, height, &entries, self.recovery.is_none())?;
            self.phase = Phase::Running;
        }
        self.outputs.push(Output::SetTimer { timer: Timer::Resend, after: self.config.resend });
        let says = self.application.resend(txn, &self.members)?;
        self.say(says);
        self.broadcast(&Message::Height(self.tip.height));
        if self.recovery.is_some() {
            self.ask_status();
        }
        self.settle(txn)
    }

    fn step(&mut self, txn: &mut dyn Transaction, input: Prepared<A::Input>) -> Result<(), Halt> {
        match input.0 {
            Ready::Message(from, message) => self.message(txn, from, message)?,
            Ready::Answer(from, answer) => self.answered(txn, from, answer)?,
            Ready::Input(Input::Request { from, id, bytes }) => self.asked(txn, from, id, &bytes)?,
            Ready::Input(Input::Fired(timer)) => self.fired(txn, timer)?,
            Ready::Input(Input::Application(input)) => {
                let members = Arc::clone(&self.members);
                let says = self.application.input(txn, &members, input)?;
                self.rejudge = true;
                self.say(says);
            }
            Ready::Input(Input::Message { .. } | Input::Response { .. }) | Ready::Dropped => return Ok(()),
        }
        self.settle(txn)
    }

    fn fired(&mut self, txn: &mut dyn Transaction, timer: Timer) -> Result<(), Halt> {
        match (timer, self.phase) {
            (Timer::Interval, Phase::Waiting { .. }) => self.phase = Phase::Waiting { interval_over: true },
            (Timer::Heartbeat, Phase::Waiting { .. }) => self.start(txn)?,
            (Timer::Interval | Timer::Heartbeat, Phase::Running) => {}
            (Timer::Resend, _) => {
                let says = self.application.resend(txn, &self.members)?;
                self.say(says);
                self.broadcast(&Message::Height(self.tip.height));
                self.outputs.push(Output::SetTimer { timer, after: self.config.resend });
            }
            (Timer::Sync, _) => self.fetch_again(),
            (Timer::Body, _) => self.ask_bodies(),
            (_, Phase::Running) => {
                self.consensus.fired(txn, timer)?;
                if matches!(timer, Timer::Rebroadcast { .. }) {
                    self.repeat_proposal();
                }
            }
            (_, Phase::Waiting { .. }) => {}
        }
        Ok(())
    }

    /// Does what the core asks for until nothing is left, then starts the next height if it is due.
    fn settle(&mut self, txn: &mut dyn Transaction) -> Result<(), Halt> {
        loop {
            let acts = self.consensus.take_acts();
            if !acts.is_empty() {
                for act in acts {
                    self.act(txn, act)?;
                }
            } else if self.judge_missing(txn)? {
            } else if self.is_start_due(txn)? {
                self.start(txn)?;
            } else {
                break;
            }
        }
        self.pursue();
        self.pursue_bodies();
        Ok(())
    }

    fn act(&mut self, txn: &mut dyn Transaction, act: Act) -> Result<(), Halt> {
        match act {
            Act::Send(message) => {
                if let Message::Proposal(proposal) = &message {
                    self.send_body(txn, proposal.value)?;
                }
                self.broadcast(&message);
                Ok(())
            }
            Act::SetTimer(timer, after) => {
                self.outputs.push(Output::SetTimer { timer, after });
                Ok(())
            }
            Act::CancelTimer(timer) => {
                self.outputs.push(Output::CancelTimer(timer));
                Ok(())
            }
            Act::Build(round) => self.build(txn, round),
            Act::Decided(certificate) => self.decide(txn, certificate),
        }
    }

    fn is_start_due(&mut self, db: &dyn Read) -> Result<bool, Halt> {
        let Phase::Waiting { interval_over } = self.phase else { return Ok(false) };
        let next = self.next();
        let early = |kept: &Vec<Message>| kept.iter().any(|message| message.height() == Some(next));
        let signers = self.early.iter().filter(|(_, kept)| early(kept)).map(|(signer, _)| signer);
        let weight = self.members.weight_of(signers);
        if interval_over {
            return Ok((weight > 0) || self.application.due(db)?);
        }
        // Some of them is honest, so the interval is over elsewhere; one alone must not quicken the chain.
        Ok(weight.saturating_mul(3) > self.members.total())
    }

    /// Starts the next height, and takes what came early for it.
    fn start(&mut self, txn: &mut dyn Transaction) -> Result<(), Halt> {
        let height = self.next();
        let log = Log::new(self.members.genesis(), height);
        self.consensus.start(txn, log, height, &[], self.recovery.is_none())?;
        self.phase = Phase::Running;
        self.outputs.push(Output::CancelTimer(Timer::Interval));
        self.outputs.push(Output::CancelTimer(Timer::Heartbeat));
        for (signer, messages) in std::mem::take(&mut self.early) {
            for message in messages {
                match message.height() {
                    Some(at) if at == height => self.feed(txn, message)?,
                    Some(at) if at > height => self.early.entry(signer).or_default().push(message),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Waits for the next height to be due.
    fn wait(&mut self) {
        self.phase = Phase::Waiting { interval_over: false };
        let after = self.config.interval;
        self.outputs.push(Output::SetTimer { timer: Timer::Interval, after });
        let after = self.config.heartbeat;
        self.outputs.push(Output::SetTimer { timer: Timer::Heartbeat, after });
    }

    /// The height in progress or waited for.
    fn next(&self) -> u64 {
        self.tip.height.saturating_add(1)
    }

    fn broadcast(&mut self, message: &Message) {
        self.outputs.push(Output::Broadcast(message.encode()));
    }

    /// Ends a step: the outputs so far, and what the application said, in as few broadcasts as hold it.
    fn take_outputs(&mut self) -> Vec<Output> {
        self.written = 0;
        let mut together: Vec<Said> = Vec::new();
        let mut bytes = 0usize;
        for said in std::mem::take(&mut self.said) {
            // Four bytes for its length.
            let size = said.len().saturating_add(4);
            bytes = bytes.saturating_add(size);
            if (bytes > TOGETHER_BYTES) || (together.len() >= MOST_TOGETHER) {
                self.broadcast_said(std::mem::take(&mut together));
                bytes = size;
            }
            together.push(said);
        }
        self.broadcast_said(together);
        std::mem::take(&mut self.outputs)
    }

    fn broadcast_said(&mut self, mut together: Vec<Said>) {
        if together.len() > 1 {
            // The caller holds the bound.
            if let Ok(list) = List::new(together) {
                self.broadcast(&Message::Applications(list));
            }
        } else if let Some(alone) = together.pop() {
            self.broadcast(&Message::Application(alone));
        }
    }

    fn say(&mut self, says: Vec<Say>) {
        for say in says {
            match say {
                Say::Gossip(bytes) => match Bytes::new(bytes) {
                    Ok(bytes) => self.said.push(bytes),
                    Err(e) => self.outputs.push(Output::Event(format!("gossip not sent: {e}"))),
                },
                Say::Event(event) => self.outputs.push(Output::Event(event)),
            }
        }
    }

    fn status(&self) -> Status {
        let running = (self.phase == Phase::Running)
            .then(|| (TributaryBlock(self.consensus.height()), self.consensus.round()));
        Status {
            decided: TributaryBlock(self.tip.height),
            running,
            missing: self.held.values().filter_map(Held::missing).collect(),
            recovering: self.recovery.is_some(),
            peers: self.peers.heights().clone(),
            halted: None,
        }
    }
}
