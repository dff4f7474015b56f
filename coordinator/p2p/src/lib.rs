//! One authenticated libp2p swarm for all tributaries of a coordinator.
//!
//! ```text
//!                Handle  (clone; publish, request, set_peers, open_chain, close_chain, connected, counters)
//!                  | commands                     Inbox of each chain (gossip, requests)
//!                  v                                        ^
//!   allow-list  Network task: gate -> gossipsub, sync -> membership, quotas
//!        |         |
//!   TCP -> noise -> proofs by both validators' keys -> metered bytes -> yamux
//! ```
//!
//! * [`start`] listens; nobody can connect until [`Handle::set_peers`] names validators and their addresses.
//! * [`Handle::open_chain`] joins the topic of a chain, with its members; its [`Inbox`] yields what they say.
//! * [`Handle::open_common`] joins a topic of everybody on the allow-list.
//! * An author is proven: by the connection and, as relays exist, by a signature on each gossip message.
//!
//! What it deliberately does not do: judge payloads, order or store anything, promise delivery. A message may
//! be lost or arrive twice; chains repeat and synchronize.
//!
//! What callers must uphold: read the inboxes; publish only what is durable; set the peers again whenever the
//! base chain's validators or their addresses change.
//!
//! Bounds: each is stated where it is set, in [`Config`] or as a constant, with what happens there.
//!
//! Rules: `spec/p2p.md`, ids `P2P-n`.

#![deny(clippy::indexing_slicing)]

mod config;
mod counters;
mod dial;
mod door;
mod envelope;
mod error;
mod gossip;
mod handle;
mod handshake;
mod identity;
mod inbox;
mod meter;
mod network;
mod peers;
mod quota;
mod relay;
mod sync;
mod transport;

pub use config::{Config, Quota};
pub use counters::{Counters, Reason};
pub use error::{P2pError, StartError};
pub use handle::Handle;
pub use inbox::{Gossip, Inbound, Inbox, Request, Responder};
pub use peers::PeerInfo;
pub use transport::start;

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests;
