//! The coordinator's rules, as pure functions over a transaction.
//!
//! ```text
//! finalized block      -> cosign::observe ───┐
//! cosigned block       -> base_chain::follow ┤
//! processor's message  -> processor::apply  ─┼─▶ tables, outboxes, notices      one step, one commit
//! tributary's block    -> session::apply    ─┘
//! ```
//!
//! A rule holds no clock, socket, task, lock or random source. Time is a block's number; randomness and
//! the transaction are in the [`Step`]. What must leave the process is a row: messages for processors and
//! what goes to the base chain in [`outbox`], transactions for a tributary in [`session::own`].
//!
//! What this crate deliberately does not do: order (the crate `tributary`), send, or wait.
//!
//! What callers uphold: a step whose rule failed is not kept; outboxes are read only once durable; blocks
//! and messages are offered in order, each until it was taken. Spec: `spec/coordinator.md`,
//! `spec/confirmation.md`, `spec/signing.md`, `spec/cosign.md`.

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

pub mod base_chain;
pub mod batch;
pub mod cosign;
mod error;
pub mod feed;
pub mod halt;
pub mod notice;
pub mod outbox;
pub mod processor;
pub mod session;
mod shelf;
mod step;

pub use error::Error;
pub use notice::Notice;
pub use step::{Identity, Randomness, Step};

#[cfg(test)]
mod tests;
