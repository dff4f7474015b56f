//! Generalized bulletproofs for arithmetic circuits over committed vectors, with batch verification.
//!
//! A circuit has multiplication rows and linear constraints over rows, over a *tape* of scalars that vector commitments cover, and
//! over the values inside scalar commitments. Because the tape is committed to before the circuit is known, the circuit may depend
//! on challenges drawn after the commitments.
//!
//! ```text
//! prover                                          verifier
//! CommittedTape::new(tape)                        elements from the message
//! transcript.vector_commitments(elements)         the same
//! challenges -> Circuit::proving -> build         challenges -> Circuit::verifying -> build
//! prove(...) -> Proof                             verify(...) -> Claims, two equations each -> Batch
//! ```
//!
//! It does not check a witness before proving, does not absorb the caller's statement, and does not bound what a caller builds.
//! Callers uphold: the statement and the scalar commitments are absorbed first; tape and openings are independent of the challenges
//! drawn after them; a proof's blinding is never drawn twice from the same state under different challenges.
//!
//! # Mathematics
//!
//! Commitments are ⟨left, **G**⟩ + ⟨right, **H**⟩ + blinding·H for generators between which nobody knows a relation. With challenges y, z
//! all rows a_L ∘ a_R = a_O and all linear constraints become one equation: the coefficient of X^E in an inner product ⟨l(X), r(X)⟩ of two
//! vector polynomials, whose coefficients are what the prover committed to on the one side, and public weights on the other. The
//! exponents are such that a commitment's component along the wrong generators never meets another one at X^E. The prover commits to all other
//! coefficients of the product, is asked for l(x) and r(x) at a random x, masked by random vectors at exponents of their own, and shows ⟨l(x), r(x)⟩
//! by halving: each round folds both vectors and both kinds of generators by a challenge, for two points. The verifier never
//! folds anything: the folded generators are one sum over all generators with products of challenges as scalars, and both equations of
//! a proof are sums of points that must be the identity. A batch adds them up, each times a random weight, in one multi-scalar multiplication.
//!
//! # Use
//!
//! `examples/committed_root.rs` proves knowledge of a root of a polynomial, from beginning to end.
//!
//! The relation, layout and arguments stand in `spec/bulletproofs.md` (rules GBP-n). Sources: Bünz and others, *Bulletproofs*
//! (2018), sections 3 and 5; the vector-commitment extension follows the idea of *Generalized Bulletproofs*, with a layout of our own.

mod batch;
mod circuit;
mod curve;
mod equation;
mod error;
mod generators;
mod inner_product;
mod layout;
mod linear;
#[cfg(any(test, feature = "malicious"))]
pub mod malicious;
pub mod parallel;
mod polynomials;
mod proof;
mod prove;
mod transcript;
mod verify;
mod weights;

#[cfg(test)]
mod tests;

pub use batch::{Batch, Continue, Member};
pub use circuit::{Circuit, Row};
pub use curve::{Element, ProofCurve, Ristretto, Secp256k1};
pub use equation::Equation;
pub use error::Error;
pub use generators::{GeneratorCache, Generators, MAX_ROWS};
pub use linear::{Block, LinearCombination, Variable};
pub use proof::Proof;
pub use prove::{CommittedTape, prove};
pub use transcript::Transcript;
pub use verify::{Claims, verify};
