//! Generalized bulletproofs for arithmetic circuits over committed vectors, with batch verification.

mod circuit;
mod linear;

pub use circuit::{Circuit, Row};
pub use linear::{Block, LinearCombination, Variable};
