//! The size of a claim on each curve.

use embedded_curves::{EmbeddedCurve, Embedwards25519, Secq256k1};

/// A scalar k stands for the integers k + j·q with −J ≤ j < J. One of them, with few digits other than zero in balanced ternary, is
/// used. That none of the 2J = 512 integers has at most [`DivisorCurve::POLES`] has a probability below 2^-128 by an estimate, as if they
/// were independent; rule GADGET-7 counts on 2^-120 for all that an honest prover can fail by.
pub(crate) const HALF_REPRESENTATIONS: u32 = 256;

/// How an embedded curve's claims are sized.
pub trait DivisorCurve: EmbeddedCurve {
    /// Balanced ternary digits of an integer: the least number that holds everything up to J·q.
    const DIGITS: usize;
    /// The most digits other than zero, which is the degree of a claim's divisor apart from its output.
    const POLES: usize;
}

impl DivisorCurve for Embedwards25519 {
    const DIGITS: usize = 165;
    const POLES: usize = 105;
}

impl DivisorCurve for Secq256k1 {
    const DIGITS: usize = 168;
    const POLES: usize = 107;
}
