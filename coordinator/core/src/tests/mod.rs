#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]

mod base_chain;
mod cluster;
mod foreign_bytes;
mod musig;
mod payouts;
mod processor;
mod scenarios;
mod set;
