//! Whole networks in one process and one virtual clock, from one seed, with faults and oracles.
//!
//! ```text
//! seed ──▶ shape, faults ──▶ World: base-chain nodes, coordinators, processors; each a disk and its rules
//!                              │  events in virtual time: arrivals, timers, syncs, crashes, restarts
//!                              └─▶ Oracle: what must hold after every step ──▶ Outcome
//! ```
//!
//! Rules, chains, stores and messages are the real ones. Replaced are what waits (sockets, clocks, tasks), the disk
//! (a memory that loses what was not synced), and the key generation (keys are dealt; everything around it is real).
//!
//! What this crate deliberately does not do: run the service's own tasks, sockets or files. `tests/e2e` does.

pub mod base;
pub mod catch_up;
pub mod coordinator;
pub mod cosign;
pub mod disk;
pub mod engine;
pub mod faults;
pub mod liar;
pub mod links;
pub mod manner;
#[cfg(feature = "mutations")]
pub mod mutations;
pub mod oracle;
pub mod processor;
pub mod report;
pub mod rpc;
pub mod run;
pub mod setting;
pub mod time;
pub mod world;

#[cfg(test)]
mod tests;
