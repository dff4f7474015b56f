//! Drives one chain's sans-IO node: inputs, one durable step, then outputs.
//!
//! ```text
//!  inbox (p2p) --+
//!  timers -------+--> a batch of inputs --> store.write(node.step ...) --> commit durable --> outputs
//!  responses ----+        one at least,           one transaction            one fsync      publish, request,
//!  commands -----+        what waits at most                                               respond, timers
//! ```
//!
//! [`Driver::open`] opens the node and joins the chain's topic; [`Driver::run`] is its task, which the
//! caller spawns; [`Handle`] submits, watches and stops. The coordinator runs one driver for each tributary,
//! the reference base chain one for itself: both are generic over the application and the store.
//!
//! A [`Halt`](tributary::Halt) ends this driver alone: its reason is recorded in a step of its own, shown in
//! the status, and the topic is left.
//!
//! What it deliberately does not do: decide anything, retry a failed store, restart a halted chain.
//!
//! What callers must uphold: one driver per (validator, genesis); spawn [`Driver::run`]; what must be atomic
//! with an input is done in [`Handle::transact`], not beside it.
//!
//! Bounds: [`MAX_COMMANDS`] commands wait, then callers do; [`MAX_BATCH`] inputs or [`MAX_BATCH_BYTES`] bytes
//! a batch, which is split over several steps once one wrote [`MAX_WRITTEN`] bytes; [`MAX_REQUESTS`] requests under
//! way, beyond which the node's own retry must do.
//!
//! Rules: `spec/p2p.md`, ids `P2P-n` from 20 on.

#![deny(clippy::indexing_slicing)]

mod driver;
mod handle;
mod questions;
mod timers;

pub use driver::{Driver, End, MAX_BATCH, MAX_BATCH_BYTES, MAX_COMMANDS, MAX_REQUESTS, MAX_WRITTEN};
pub use handle::{DriveError, Handle, Status};

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests;
