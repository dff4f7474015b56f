#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]

mod away;
mod base_chain;
mod cluster;
mod cosign;
mod foreign_bytes;
mod halted;
mod handover;
mod musig;
mod payouts;
mod processor;
mod retire;
mod scenarios;
mod set;
mod slash;
mod standing;
