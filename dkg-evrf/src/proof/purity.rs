//! That no commitment of the dealing has a component along the blinding generator (rule EVRF-8).
//!
//! The argument proves of `A_0` and of each `Z_j` only that they have the form `v·G + g·H`. A dealer could add components along `H`
//! to its `A_k` which cancel in the shares' check, and leave a group key which nobody can sign for. So it proves knowledge of `w` with
//! `Σ r^k·A_k = w·G`, `r` drawn after everything which the `A_k` and `Z_j` follow from.

#![deny(clippy::indexing_slicing)]

use arithmetic_bulletproofs::{Equation, ProofCurve, Transcript};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::times_generator;
use crate::curves::{Element, Scalar, SigningCurve};
use crate::participation::{Dealing, Purity};
use crate::transcript;

/// Proves it with the polynomial. The nonce's randomness comes from a generator for the transcript after `r`.
pub(crate) fn prove<C: SigningCurve, R: RngCore + CryptoRng>(
    transcript: &mut Transcript,
    polynomial: &[Scalar<C>],
    generator: impl FnOnce(&Transcript) -> R,
) -> Purity<C> {
    let r = transcript::purity_combination::<C>(transcript);
    let w = polynomial.iter().rev().fold(Scalar::<C>::ZERO, |sum, a| (sum * r) + *a);
    let w = Zeroizing::new(w);
    let nonce_scalar = Zeroizing::new(C::Group::random_scalar(&mut generator(transcript)));
    let nonce = Element::<C>::new(times_generator::<C>(&nonce_scalar));
    let e = transcript::purity_challenge::<C>(transcript, &nonce);
    Purity { nonce, response: *nonce_scalar + (e * *w) }
}

/// `s·G - R - e·Σ r^k·A_k`
pub(crate) fn equation<C: SigningCurve>(
    transcript: &mut Transcript,
    dealing: &Dealing<C>,
    purity: &Purity<C>,
) -> Equation<C::Group> {
    let r = transcript::purity_combination::<C>(transcript);
    let e = transcript::purity_challenge::<C>(transcript, &purity.nonce);
    let mut equation = Equation::new();
    equation.add_generator(purity.response);
    equation.add(-Scalar::<C>::ONE, purity.nonce.point());
    let mut power = -e;
    for coefficient in &dealing.coefficients {
        equation.add(power, coefficient.point());
        power *= r;
    }
    equation
}
