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
//! # Mathematics
//!
//! Points of the curve sum to the identity exactly if they are the zeros, with multiplicities, of a function whose only pole is at
//! infinity. So Q = Σ nᵢ·Tᵢ for Tᵢ = 3^i·T and few digits nᵢ other than zero says: there is a function f = a(x) + y·b(x) with the zeros Tᵢ
//! (or −Tᵢ for negative digits) and −Q. The prover commits to the digits and to f's coefficients, the constant one being 1.
//!
//! To check f's zeros, take a line y = λx + μ that neither knew before. It meets the curve in A₀, A₁, A₂, and the product
//! f(A₀)·f(A₁)·f(A₂), as a function of μ, is a constant times Π (μ − z(P)) over the zeros P of f, with z(P) = y_P − λ·x_P. Its logarithmic
//! derivative is linear in multiplicities, and so in the committed digits:
//!
//! ```text
//! Σ_j ∂f(A_j)/f(A_j) = Σ_i n(i,+)/(μ − z(Tᵢ)) + n(i,−)/(μ − z(−Tᵢ)) + 1/(μ − z(−Q))
//! ```
//!
//! The left side takes three divisions in the circuit, the right side is a linear combination with public weights, but for a committed Q,
//! which takes one more division. Both sides are rational functions of low degree of the line: if they are not the same, then they
//! differ at all but few lines. The function itself is made by a tree: two functions with the sums S₁, S₂ of their points join by the
//! line through S₁ and S₂, divided by the verticals through them.
//!
//! # Use
//!
//! `examples/discrete_log.rs` proves that one secret stands behind a public and a committed point, from beginning to end.
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
