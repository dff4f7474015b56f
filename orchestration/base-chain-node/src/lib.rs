//! The reference base chain: rules, BFT node, JSON-RPC server.
//!
//! ```text
//!   JSON-RPC ──▶ server ──▶ pool ──▶ application (engine: tributary) ──▶ rules ──▶ store
//!                  ▲                                                              │
//!                  └───────────────────── queries ◀───────────────────────────────┘
//! ```

pub mod rules;
