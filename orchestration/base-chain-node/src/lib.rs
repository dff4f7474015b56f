//! The reference base chain: rules, BFT node, JSON-RPC server.
//!
//! ```text
//!   JSON-RPC ──▶ server ──▶ pool ──▶ application (engine: tributary) ──▶ rules ──▶ store
//!                  ▲                                                              │
//!                  └───────────────────── query ◀─────────────────────────────────┘
//! ```
//!
//! [`run`] runs a node from its configuration file until told to stop; [`Node`] is the same, held in
//! hand. [`rules`] are pure: with a store in memory they are the chain of a test or a simulation.
//! [`genesis_file`] reads and writes what all nodes of a chain share.
//!
//! What this crate deliberately does not do: authenticate JSON-RPC (serve it on loopback or a private network),
//! charge fees, change its own validators, prune.
//!
//! What callers uphold: one node for each validator and chain; the same genesis file on every node. Spec:
//! `spec/base-chain.md`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

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

pub mod application;
pub mod config;
pub mod genesis_file;
mod node;
pub mod pool;
pub mod query;
pub mod rules;
pub mod server;

pub use node::{Node, run};

#[cfg(test)]
mod tests;
