//! The linear constraints, each times its own power of `z`, summed by variable.

use embedded_curves::field::SumOfProducts;
use ff::Field;
use zeroize::Zeroize;

use crate::circuit::Circuit;
use crate::linear::Variable;

/// Public weights of the variables; those of the tape are handed to a closure, since prover and verifier keep them differently.
pub(crate) struct Weights<F> {
    pub(crate) left: Vec<F>,
    pub(crate) right: Vec<F>,
    pub(crate) output: Vec<F>,
    pub(crate) openings: Vec<F>,
    pub(crate) constant: F,
}

impl<F: Field + Zeroize> Weights<F> {
    /// Sums constraint `q` times `z^(q+1)`. `tape(start, weights, scale)` gets what falls to the tape.
    pub(crate) fn sum(circuit: &Circuit<F>, z: F, mut tape: impl FnMut(usize, &[F], F)) -> Self {
        let row = || vec![F::ZERO; circuit.rows];
        let mut sums = Self {
            left: row(),
            right: row(),
            output: row(),
            openings: vec![F::ZERO; circuit.openings_len],
            constant: F::ZERO,
        };
        let mut power = F::ONE;
        for constraint in &circuit.constraints {
            power *= z;
            for (variable, weight) in &constraint.terms {
                let weight = *weight * power;
                match variable {
                    Variable::Left(i) => sums.left[*i] += weight,
                    Variable::Right(i) => sums.right[*i] += weight,
                    Variable::Output(i) => sums.output[*i] += weight,
                    Variable::Opening(i) => sums.openings[*i] += weight,
                    Variable::Committed(i) => tape(*i, &[F::ONE], weight),
                }
            }
            for block in &constraint.blocks {
                tape(block.start, &block.weights, block.scale * power);
            }
            sums.constant += constraint.constant * power;
        }
        sums
    }
}

/// Sums of the tape's weights at `position % rows`, each commitment's times its factor; reduced once.
pub(crate) struct Folded<'a, F: SumOfProducts> {
    sums: Vec<F::Sum>,
    factors: &'a [F],
}

impl<'a, F: SumOfProducts> Folded<'a, F> {
    /// For as many commitments as there are factors.
    pub(crate) fn new(rows: usize, factors: &'a [F]) -> Self {
        Self { sums: vec![F::Sum::default(); rows], factors }
    }

    /// Adds weights of consecutive scalars of the tape, times `scale`.
    pub(crate) fn add(&mut self, mut start: usize, mut weights: &[F], scale: F) {
        let rows = self.sums.len();
        while !weights.is_empty() {
            let (commitment, position) = (start / rows, start % rows);
            let (here, rest) = weights.split_at(weights.len().min(rows - position));
            let scale = scale * self.factors[commitment];
            for (sum, weight) in self.sums[position..].iter_mut().zip(here) {
                F::add_product(sum, weight, &scale);
            }
            start += here.len();
            weights = rest;
        }
    }

    /// The sums.
    pub(crate) fn reduce(&self) -> Vec<F> {
        self.sums.iter().map(F::reduce).collect()
    }
}

/// `1, x, x², …`
pub(crate) fn powers<F: Field>(x: F, len: usize) -> Vec<F> {
    core::iter::successors(Some(F::ONE), |power| Some(*power * x)).take(len).collect()
}
