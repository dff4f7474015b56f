//! The coordinator service: tasks around the rules of coordinator-core.
//!
//! ```text
//! config -> service ─┬─ base_chain/{follow, publish_keys, publish_batches, publish_slash_report, announce}
//!                    ├─ cosign/{request, intake, gossip, ask}    what blocks may be acted on
//!                    ├─ session/{open, publish, scan, peers}     one tributary for each set we are in
//!                    ├─ session/retire                           archives and prunes those which ended
//!                    ├─ processor/{send, receive}                one of each for each network
//!                    └─ api: operators        queue: processors
//! ```
//!
//! The rules decide; a task reads an input, runs a rule as one step, waits until it is durable, and acts.
//! `service` alone spawns; `task` owns sleep, retry and wake-ups.
//!
//! What this crate deliberately does not do: decide anything a rule can decide, or hold a transaction across
//! network I/O. Spec: `spec/coordinator.md`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod api;
pub mod base_chain;
pub mod config;
pub mod cosign;
mod directory;
pub mod log;
mod node;
pub mod processor;
pub mod resume;
pub mod service;
pub mod session;
pub mod task;

pub use config::Config;
pub use coordinator_startup::Failure;
pub use service::{Service, run};
