//! The prover's vector polynomials `l` and `r` (rule GBP-3).

use embedded_curves::field::SumOfProducts;
use zeroize::{Zeroize, Zeroizing};

use crate::circuit::{Circuit, Witness};
use crate::layout::{Layout, Point};
use crate::weights::{Weights, powers};

/// A polynomial whose coefficients are vectors, by exponent.
pub(crate) struct VectorPolynomial<F: Zeroize>(Vec<(i64, Zeroizing<Vec<F>>)>);

impl<F: SumOfProducts + Zeroize> VectorPolynomial<F> {
    /// The coefficients of `⟨self, other⟩`, for the given exponents.
    pub(crate) fn inner_product(
        &self,
        other: &Self,
        exponents: impl Iterator<Item = i64>,
    ) -> Zeroizing<Vec<F>> {
        let coefficient = |exponent: i64| {
            let mut sum = F::ZERO;
            for (a_exponent, a) in &self.0 {
                for (b_exponent, b) in &other.0 {
                    if (a_exponent + b_exponent) == exponent {
                        sum += F::inner_product(a, b);
                    }
                }
            }
            sum
        };
        Zeroizing::new(exponents.map(coefficient).collect())
    }

    /// Adds a vector at an exponent, where something may stand already.
    #[cfg(any(test, feature = "malicious"))]
    pub(crate) fn add(&mut self, exponent: i64, vector: &[F]) {
        self.0.push((exponent, Zeroizing::new(vector.to_vec())));
    }

    /// The vector at the evaluation point.
    pub(crate) fn evaluate(&self, rows: usize, point: &Point<F>) -> Vec<F> {
        let mut sum = vec![F::ZERO; rows];
        for (exponent, vector) in &self.0 {
            let x = point.at(*exponent);
            for (sum, value) in sum.iter_mut().zip(vector.iter()) {
                *sum += *value * x;
            }
        }
        sum
    }
}

/// What blinds the rows of both polynomials.
pub(crate) struct BlindingVectors<'a, F> {
    pub(crate) left: &'a [F],
    pub(crate) right: &'a [F],
}

/// Both polynomials, and the weights of the openings.
pub(crate) struct Polynomials<F: Zeroize> {
    pub(crate) left: VectorPolynomial<F>,
    pub(crate) right: VectorPolynomial<F>,
    pub(crate) openings: Vec<F>,
}

/// A vector and zeros behind it.
fn pad<F: SumOfProducts + Zeroize>(values: &[F], rows: usize) -> Zeroizing<Vec<F>> {
    let mut padded = Zeroizing::new(Vec::with_capacity(rows));
    padded.extend_from_slice(values);
    padded.resize(rows, F::ZERO);
    padded
}

impl<F: SumOfProducts + Zeroize> Polynomials<F> {
    /// The polynomials under the challenges `y`, with its inverse's powers, and `z`.
    pub(crate) fn new(
        circuit: &Circuit<F>,
        witness: &Witness<F>,
        blinding: BlindingVectors<'_, F>,
        rows: usize,
        (y, y_inverses, z): (F, &[F], F),
    ) -> Self {
        let layout = Layout::new(circuit.tape_len, rows);
        let mut tape = vec![F::ZERO; layout.commitments() * rows];
        let weights = Weights::sum(circuit, z, |start, weights, scale| {
            tape[start..].iter_mut().zip(weights).for_each(|(sum, weight)| *sum += *weight * scale);
        });
        let left = Self::left(layout, witness, blinding.left, &weights, y_inverses);
        let right = Self::right(layout, witness, blinding.right, &weights, &powers(y, rows), &tape);
        Self { left, right, openings: weights.openings }
    }

    fn left(
        layout: Layout,
        witness: &Witness<F>,
        blinding: &[F],
        weights: &Weights<F>,
        y_inverses: &[F],
    ) -> VectorPolynomial<F> {
        let rows = y_inverses.len();
        let mut factors = pad(&witness.left, rows);
        for ((sum, weight), y) in factors.iter_mut().zip(&weights.right).zip(y_inverses) {
            *sum += *weight * y;
        }
        let mut left = vec![
            (Layout::BLINDING_LEFT, pad(blinding, rows)),
            (Layout::OUTPUTS, pad(&witness.output, rows)),
            (layout.factors(), factors),
        ];
        let tape = witness.tape.chunks(rows).enumerate();
        left.extend(tape.map(|(j, chunk)| (layout.tape(j), pad(chunk, rows))));
        VectorPolynomial(left)
    }

    fn right(
        layout: Layout,
        witness: &Witness<F>,
        blinding: &[F],
        weights: &Weights<F>,
        y: &[F],
        tape: &[F],
    ) -> VectorPolynomial<F> {
        let rows = y.len();
        let mut factors = pad(&weights.left, rows);
        for ((sum, value), y) in factors.iter_mut().zip(&witness.right).zip(y) {
            *sum += *value * y;
        }
        let mut outputs = pad(&weights.output, rows);
        outputs.iter_mut().zip(y).for_each(|(sum, y)| *sum -= y);
        let mut blinding = pad(blinding, rows);
        blinding.iter_mut().zip(y).for_each(|(value, y)| *value *= y);
        let mut right = vec![
            (layout.factors(), factors),
            (layout.target(), outputs),
            (layout.blinding_right(), blinding),
        ];
        let tape = tape.chunks(rows).enumerate();
        right.extend(tape.map(|(j, chunk)| (layout.tape_weights(j), pad(chunk, rows))));
        VectorPolynomial(right)
    }
}
