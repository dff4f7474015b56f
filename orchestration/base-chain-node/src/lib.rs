//! The reference base chain: rules, BFT node, JSON-RPC server.
//!
//! ```text
//!   JSON-RPC ──▶ server ──▶ pool ──▶ application (engine: tributary) ──▶ rules ──▶ store
//!                  ▲                                                              │
//!                  └───────────────────── query ◀─────────────────────────────────┘
//! ```

pub mod application;
pub mod config;
pub mod genesis_file;
mod listen;
mod node;
pub mod pool;
pub mod query;
pub mod rules;
pub mod server;

pub use node::{Node, run};

#[cfg(test)]
mod tests;
