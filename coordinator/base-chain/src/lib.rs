//! What a coordinator needs of a base chain: the vocabulary, the exact bytes that signatures are over,
//! a trait, and its JSON-RPC client.
//!
//! ```text
//!   coordinator ──BaseChain──▶ RpcClient ──JSON-RPC 2.0/HTTP──▶ base-chain-node
//!        │                └──▶ MemoryChain (tests and simulation)
//!        └── transaction, event, query types, which both ends share
//! ```
//!
//! What this crate deliberately does not do: decide anything. The rules of the reference chain live in
//! `base-chain-node`; what a coordinator makes of the events lives in `coordinator-core`; retry and
//! backoff belong to the caller.
//!
//! What callers uphold: a block number is handled once, in order; a signature is verified with the
//! functions of [`signing`], never over other bytes. Spec: `spec/base-chain.md`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod block;
mod chain;
mod client;
mod event;
mod memory;
mod query;
mod refusal;
pub mod rpc;
pub mod signing;
mod transaction;

pub use block::{Block, Header, Inclusion, TransactionHash, merkle_path, merkle_root, verify_inclusion};
pub use chain::{BaseChain, ChainError};
pub use client::{ClientConfig, RpcClient};
pub use event::{Event, SetDeclaration, SetMember, UndeclaredReason};
pub use memory::MemoryChain;
pub use query::{
    AccountInfo, CosignParameters, Head, NetworkInfo, NetworkParameters, PendingSlashReport, SetInfo,
    SetState, TransactionStatus, TributaryParameters, ValidatorInfo,
};
pub use refusal::Refusal;
pub use transaction::{
    Addresses, Call, Coin, EmbeddedCurve, KeyProof, MAX_ADDRESS_BYTES, MAX_ADDRESSES, MAX_TRANSACTION_BYTES,
    NetworkCurve, SetKeys, SignedCall, Signers, SlashReportCall, Transaction,
};

#[cfg(test)]
mod tests;
