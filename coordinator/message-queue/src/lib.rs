//! The durable queue between a coordinator and its processors, over HTTP.
//!
//! ```text
//! coordinator's step -- send(txn) --> [messages] --HTTP, long-poll--> Client::next -> rule -> Client::acknowledge
//! coordinator's step <-- receive ---- [messages] <------HTTP--------- Client::send
//! ```
//!
//! Each processor and the coordinator have one queue in each direction, with consecutive ids from 0. A message
//! is queued once for each intent (`MQ-1`), is delivered only once durable (`MQ-3`), and stays until the
//! receiver acknowledges it after its own commit (`MQ-4`). Both sides sign with service keys (`MQ-6`).
//!
//! [`queue`] is the durable state, without I/O; [`MessageQueue`] is the coordinator's end inside its process and
//! the HTTP server; [`Client`] is a processor's end; [`wire`] is what both sign.
//!
//! What this crate deliberately does not do: it does not encrypt (bind it to loopback or a private network), and
//! it does not interpret messages, beyond decoding them.
//!
//! What callers uphold: a receiver handles an intent once (the coordinator by [`MessageQueue::receive`], a
//! processor by a record of its own), and one process at a time uses a service key.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod client;
mod coordinator;
pub mod queue;
mod server;
pub mod wire;

pub use client::{Client, ClientError};
pub use coordinator::{MessageQueue, NotConfigured};
pub use queue::{Direction, Pushed, QueueError};
pub use wire::PATH;
