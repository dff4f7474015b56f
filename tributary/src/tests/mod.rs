#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation)]

mod frozen;
mod junk;
mod network;
mod node;
mod recovery;
mod reference;
mod rules;
mod simulation;
mod together;
