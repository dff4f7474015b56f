//! Discrete-logarithm claims inside an arithmetic circuit, by elliptic-curve divisors.
//!
//! A claim is Q = k·T for a public point T of an embedded curve. k is committed as digits, which any number of claims may share;
//! Q is public, or committed, so that the circuit can use its x-coordinate.
//!
//! ```text
//! dealer    Digits::new(k) ─┐
//! both      Claims: scalars, tables, claims ─┬─ witness ──▶ tape ──▶ commitments ──▶ seed
//!                                            ├─ challenge(seed)
//!                                            └─ constrain(circuit, challenge)
//! ```
//!
//! A claim costs [`DivisorCurve::POLES`] scalars of the tape and three rows; a committed Q two scalars and one row more. A vector
//! of digits costs twice [`DivisorCurve::DIGITS`] scalars and no row.
//!
//! Callers uphold: the tape is committed to, and with the whole statement absorbed, before the seed is drawn from the transcript;
//! tables are of points fixed before that too. Then whoever satisfies the circuit knows one integer for each vector of digits that
//! is the logarithm in all of its claims. That it is the canonical scalar is not proven.
//!
//! What is not claimed: digits are not 0 or 1 by constraint, and need not be. Time: everything that meets a scalar
//! (`digits`, `divisor`, the prover's side of `gadget`) has no branch and no index that depends on it; what depends on tables and
//! challenges alone is variable time, and public.
//!
//! The equation and its soundness argument stand in `spec/divisor-gadget.md` (rules GADGET-n). Sources: L. Eagen, *Zero knowledge
//! proofs of elliptic curve inner products from principal divisors and Weil reciprocity* (2022); A. Bassa, *Soundness proof for an
//! interactive protocol for the discrete logarithm relation* (2025). The argument relied upon is written out in the specification.

mod challenge;
mod digits;
mod divisor;
mod error;
mod gadget;
mod parameters;
mod polynomial;
mod table;

#[cfg(test)]
mod tests;

pub use challenge::Challenge;
pub use digits::Digits;
pub use error::Error;
pub use gadget::{Claims, Output, ScalarIndex, TableIndex, Witness};
pub use parameters::DivisorCurve;
pub use table::Table;
