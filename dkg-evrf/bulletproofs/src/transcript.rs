//! The Fiat-Shamir transcript, and every label of this crate.
//!
//! A transcript is one running Blake2b-512. Each message is absorbed as kind, label and data, the last two behind their lengths; a
//! challenge is the hash of everything before it and of its own label. Order is the caller's duty: everything that a challenge must
//! depend on comes before it.

use blake2::{Blake2b512, Digest};
use ff::PrimeField;

use crate::curve::{Element, ProofCurve};

const DOMAIN: &[u8] = b"headwater transcript v1";
const MESSAGE: u8 = 0;
const CHALLENGE: u8 = 1;

/// The state of a Fiat-Shamir transcript.
#[derive(Clone)]
pub struct Transcript(Blake2b512);

impl Transcript {
    /// A transcript of the protocol `name`.
    pub fn new(name: &'static [u8]) -> Self {
        let mut transcript = Self(Blake2b512::new());
        transcript.append(DOMAIN, name);
        transcript
    }

    /// Absorbs labelled data.
    pub fn append(&mut self, label: &'static [u8], data: &[u8]) {
        self.absorb(MESSAGE, label, data);
    }

    /// 64 uniform bytes that depend on everything absorbed so far.
    pub fn challenge(&mut self, label: &'static [u8]) -> [u8; 64] {
        self.absorb(CHALLENGE, label, &[]);
        self.0.clone().finalize().into()
    }

    fn absorb(&mut self, kind: u8, label: &[u8], data: &[u8]) {
        self.0.update([kind]);
        self.0.update((label.len() as u64).to_le_bytes());
        self.0.update(label);
        self.0.update((data.len() as u64).to_le_bytes());
        self.0.update(data);
    }
}

/// Everything that an argument absorbs and draws, in this order.
impl Transcript {
    /// The shape of the circuit's commitments, and the vector commitments themselves. Before any challenge that shapes the circuit.
    pub fn vector_commitments<C: ProofCurve>(&mut self, rows: usize, points: &[Element<C>]) {
        self.append(b"argument", C::ID.as_bytes());
        self.append(b"rows", &(rows as u64).to_le_bytes());
        self.append(b"commitments", &(points.len() as u64).to_le_bytes());
        for point in points {
            self.append(b"C", point.bytes());
        }
    }

    /// The rows' commitments, then the challenges `y` and `z` which combine rows and constraints.
    pub(crate) fn row_commitments<C: ProofCurve>(
        &mut self,
        points: [&Element<C>; 4],
    ) -> (C::Scalar, C::Scalar) {
        let [inputs, outputs, blinding_left, blinding_right] = points;
        self.append(b"A_I", inputs.bytes());
        self.append(b"A_O", outputs.bytes());
        self.append(b"S_L", blinding_left.bytes());
        self.append(b"S_R", blinding_right.bytes());
        (self.scalar_challenge::<C>(b"y"), self.scalar_challenge::<C>(b"z"))
    }

    /// The coefficients' commitments, then the challenge `x` at which the polynomials are evaluated.
    pub(crate) fn coefficients<C: ProofCurve>(&mut self, points: &[Element<C>]) -> C::Scalar {
        for point in points {
            self.append(b"T", point.bytes());
        }
        self.scalar_challenge::<C>(b"x")
    }

    /// The evaluation, its blinding and the vectors' blinding; then the challenge that scales the product's generator.
    pub(crate) fn evaluation<C: ProofCurve>(
        &mut self,
        product: &C::Scalar,
        tau: &C::Scalar,
        mu: &C::Scalar,
    ) -> C::Scalar {
        self.append(b"t", product.to_repr().as_ref());
        self.append(b"tau", tau.to_repr().as_ref());
        self.append(b"mu", mu.to_repr().as_ref());
        self.scalar_challenge::<C>(b"w")
    }

    /// One halving of the inner-product argument, then its challenge.
    pub(crate) fn inner_product_round<C: ProofCurve>(
        &mut self,
        left: &Element<C>,
        right: &Element<C>,
    ) -> C::Scalar {
        self.append(b"L", left.bytes());
        self.append(b"R", right.bytes());
        self.scalar_challenge::<C>(b"u")
    }

    /// The last message, so that whatever follows on this transcript depends on the whole argument.
    pub(crate) fn inner_product_end<C: ProofCurve>(&mut self, a: &C::Scalar, b: &C::Scalar) {
        self.append(b"a", a.to_repr().as_ref());
        self.append(b"b", b.to_repr().as_ref());
    }

    fn scalar_challenge<C: ProofCurve>(&mut self, label: &'static [u8]) -> C::Scalar {
        C::scalar_from_wide(&self.challenge(label))
    }
}
