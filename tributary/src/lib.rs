//! An ordered, verifiable broadcast: one BFT chain per validator set, without I/O.
//!
//! ```text
//!   members' messages, timers, requests           inputs of the application
//!                 \                                 /
//!                  Node::step(txn, Input) -> Outputs        one step, one transaction
//!                 /            |            \
//!        consensus          sync           Application      chain (a validator set's tributary)
//!   (Malachite's core)   (certificates)                      or the reference base chain's state machine
//!                 \            |            /
//!                   rows of the same store: log of votes, bodies, decided blocks, state
//! ```
//!
//! # Using it
//!
//! A driver owns one [`Node`] per chain and does, for each thing that happens:
//!
//! ```text
//! let (outputs, commit) = store.write(|txn| node.step(txn, input))?;   // Err(Halt): see below
//! commit.await?;                                                       // durable
//! for output in outputs { perform(output) }                            // only now, in order
//! ```
//!
//! or, for all that waits, in one step, with what needs no store done before it:
//!
//! ```text
//! let inputs = node.prepare(inputs);                                   // decodes, verifies signatures together
//! let (outputs, commit) = store.write(|txn| {
//!   for input in inputs { node.take(txn, input)? }
//!   node.outputs()
//! })?;
//! ```
//!
//! * [`Node::open`]`(txn, members, key, application, Open { config, store_is_current })` at boot yields the
//!   node and its first outputs; the same rule: commit, wait, perform.
//! * If `step` returns [`Halt`], or the store does, the node refuses every further step. The driver records
//!   the reason in a new step with [`record_halt`]; [`halted`] reads it, and `open` refuses such a chain.
//! * `store_is_current: false` says that this data directory may be older than what this validator last
//!   signed (new on an existing key, restored from a backup). Such a node casts no vote and proposes nothing
//!   until a height above all that more than two thirds of the weight report was decided without it.
//! * Decided blocks are the rows of [`DECIDED`].
//!
//! A tributary is `Node<Chain>`: [`Chain`] gives blocks [`Transaction`]s. `coordinator-core` reads them with
//! [`chain::transactions`] up to [`chain::handleable`], and feeds [`ChainInput`]:
//!
//! * `Submit { order, payload }`: an own signed transaction; gets its nonce and is stored in this step, sent
//!   after it, repeated until included. A later one of an order waits for its predecessor's inclusion.
//! * `Provide { kind, payload }`: the next of what this validator derives of a kind.
//! * `Unsigned(payload)`, and `Busy(bool)`: whether blocks are due every interval.
//!
//! Another state machine implements [`Application`] over opaque bodies.
//!
//! ```text
//! impl<A: Application> Node<A> {
//!   fn open(txn: &mut dyn Transaction, members: Members, key: SecretKey, application: A, open: Open)
//!     -> Result<(Node<A>, Vec<Output>), Halt>;
//!   fn step(&mut self, txn: &mut dyn Transaction, input: Input<A::Input>) -> Result<Vec<Output>, Halt>;
//!   fn prepare(&mut self, inputs: Vec<Input<A::Input>>) -> Vec<Prepared<A::Input>>;
//!   fn take(&mut self, txn: &mut dyn Transaction, input: Prepared<A::Input>) -> Result<(), Halt>;
//!   fn outputs(&mut self) -> Result<Vec<Output>, Halt>;
//!   fn application(&self) -> &A;
//!   fn status(&self) -> Status;     // height, round, latest decided, recovering, peers' heights
//! }
//! fn record_halt(txn, genesis, &Halt);   fn halted(db, genesis) -> Option<Halt>;   fn clear_halt(txn, genesis);
//! fn prune(txn, genesis, limit) -> Result<bool, StoreError>;          // of a retired set; true when done
//! fn is_retired(db, genesis) -> Result<bool, StoreError>;             // such a chain is not opened again
//! chain::slash(txn, genesis, validator);                              // skip its transactions from now on
//! Chain::new(key: SecretKey, ChainConfig) -> Chain;                    // impl Application<Input = ChainInput>
//! chain::transactions(&Block) -> Result<Vec<Transaction>, DecodeError>;
//! chain::handleable(db, genesis) -> Result<TributaryBlock, StoreError>; // greatest height to handle
//! ```
//!
//! # What it deliberately does not do
//!
//! No clock, socket, file, thread, or random source; no meaning of payloads; no slashing.
//!
//! # What callers must uphold
//!
//! Outputs leave after the step is durable, never before; one process per (validator, genesis); `from` is
//! authenticated.
//!
//! Rules: `spec/tributary.md`, ids `TRIB-n`.

#![deny(clippy::indexing_slicing)]

/// Whether this build is broken in this way, for the simulation to notice; always false without the feature
/// `mutations`.
#[cfg(feature = "mutations")]
macro_rules! mutated {
    ($mutation:ident) => {
        mutation::is(mutation::Mutation::$mutation)
    };
}
#[cfg(not(feature = "mutations"))]
macro_rules! mutated {
    ($mutation:ident) => {
        false
    };
}

mod application;
mod block;
pub mod chain;
mod consensus;
mod evidence;
mod hash;
mod io;
mod log;
mod members;
mod merkle;
mod node;
mod prune;
mod signing;
mod spec;
mod transaction;
mod verified;
mod wire;
#[cfg(feature = "wiretap")]
pub mod wiretap;

pub use application::{Application, Arrived, Built, Say, Slot, Verdict};
pub use block::{Block, BlockHash, Certificate, DECIDED, DecidedBlock, Header};
pub use chain::{Chain, ChainConfig, ChainInput};
pub use consensus::ENGINE_LOG_TARGET;
pub use evidence::{Conflict, Evidence, Signed, Step};
pub use io::{Config, Halt, Input, Output, Timer};
pub use members::{
    Limits, MAX_BODY_BYTES, MAX_MEMBERS, MAX_TOTAL_WEIGHT, MAX_TRANSACTION_BYTES, Member, Members,
    MembersError,
};
pub use merkle::merkle_root;
pub use node::{Node, Open, Prepared, Status, clear_halt, halted, latest_decided, record_halt};
pub use prune::{is_retired, prune};
pub use spec::{Spec, SpecValidator};
pub use transaction::{
    Kind, MAX_ORDER_BYTES, Order, Payload, SignedTransaction, Transaction, TransactionHash,
};
pub use wire::is_bulk;

#[cfg(test)]
mod tests;
