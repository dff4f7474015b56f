//! The vocabulary between a coordinator and its processors, and the primitive types which both share
//! with the base chain.
//!
//! ```text
//! coordinator --ToProcessor--> processor        key_gen · sign · coordinator · base_chain
//! coordinator <--FromProcessor-- processor
//! ```
//!
//! Every message has an [`Intent`]: the unique id of its purpose, with its full scope. A receiver
//! handles one intent once, so a sender may repeat a message for as long as it likes.
//!
//! This crate deliberately knows no cryptography and no transport: keys and signatures are bounded
//! bytes here. Decoding never allocates more than the input's own length, and refuses trailing bytes
//! (`MSG-1`, `MSG-2`).

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod base_chain;
pub mod codec;
pub mod coordinator;
mod intent;
pub mod key_gen;
mod primitives;
pub mod sign;

use borsh::{BorshDeserialize, BorshSerialize};

pub use codec::{Bytes, DecodeError, List, decode, encode};
pub use intent::{Intent, Memory};
pub use primitives::*;

/// A message from the coordinator to the processor of one network.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum ToProcessor {
    /// Key generation.
    KeyGen(key_gen::ToProcessor),
    /// The exchange of signing data, the same for every signing id.
    Sign(sign::ToProcessor),
    /// Signing which the coordinator starts.
    Coordinator(coordinator::ToProcessor),
    /// What happened on the base chain.
    BaseChain(base_chain::ToProcessor),
}

/// A message from the processor of one network to its coordinator.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum FromProcessor {
    /// Key generation.
    KeyGen(key_gen::FromProcessor),
    /// The exchange of signing data, the same for every signing id.
    Sign(sign::FromProcessor),
    /// Signatures over what the base chain takes or the coordinators gossip.
    Coordinator(coordinator::FromProcessor),
    /// What the network did, and what of the base chain was handled.
    BaseChain(base_chain::FromProcessor),
}
