//! A processor with a real DKG, real FROST signing and a simulated external network.
//!
//! ```text
//! coordinator's queue --service::receive--> rules --letters--> service::send --> coordinator's queue
//!                                           ^ ^ ^  `-payments-> service::pay ------.
//!            service::work (dkg, seconds) --' | '-- service::watch <---- ledger <--'
//!                                             '-- service::scan (external_network, the time)
//! ```
//!
//! One process for each validator and network. It holds the embedded secrets and the secret shares; the coordinator
//! never sees either. It generates keys with the other processors of its network by `dkg-evrf`, makes batches of its
//! network's deposits, pays out what the base chain burns, and signs with both keys by FROST.
//!
//! What it deliberately does not do: it watches no real network (see [`external_network`] and [`ledger`]): there are no
//! forks, fees or balances, so a set has no coins to hand over to the next.
//!
//! What callers uphold: one process for each data directory and for each service key, and files of keys which are
//! backed up: without the embedded keys a lost disk cannot be recovered.
//!
//! Specification: `spec/processor.md` (PROC-n), `spec/messages.md`, `spec/message-queue.md`.

// Its own tests may.
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

pub mod cli;
pub mod config;
pub mod dkg;
pub mod external_network;
pub mod frost;
pub mod ledger;
pub mod processor;
pub mod rules;
pub mod secrets;
pub mod service;
pub mod start;
pub mod status;
pub mod vault;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use secrets::Bundle;
pub use start::init;
