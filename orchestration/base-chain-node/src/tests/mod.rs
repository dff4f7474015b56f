#![allow(clippy::unwrap_used, reason = "tests")]

mod accounts;
mod application;
mod batches;
mod genesis;
mod genesis_file;
mod node;
mod pool;
mod registration;
mod rpc;
mod sets;
mod shares;
mod slashes;
mod stake;
mod start;
mod support;
mod testnet;
