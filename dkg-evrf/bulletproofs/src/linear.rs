//! Linear combinations of a circuit's variables.

use core::ops::{Add, Mul, Neg, Sub};
use std::sync::Arc;

use ff::Field;

/// A variable of a circuit. Each number counts from zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Variable {
    /// The left factor of a multiplication row.
    Left(usize),
    /// The right factor of a multiplication row.
    Right(usize),
    /// The product of a multiplication row.
    Output(usize),
    /// A scalar of the tape, which the vector commitments cover: it is fixed before the circuit is known.
    Committed(usize),
    /// The value inside a scalar commitment `v·G + γ·H` of the statement.
    Opening(usize),
}

/// Consecutive scalars of the tape with shared public weights: `scale · Σ weights[i] · Committed(start + i)`.
///
/// Weights that many constraints share (powers, tables of multiples) are held once.
#[derive(Clone, Debug)]
pub struct Block<F> {
    /// The first scalar of the tape.
    pub start: usize,
    /// One weight for each consecutive scalar.
    pub weights: Arc<[F]>,
    /// Factor of the whole block.
    pub scale: F,
}

/// A linear combination of variables, blocks of the tape, and a constant.
#[derive(Clone, Debug)]
pub struct LinearCombination<F> {
    pub(crate) terms: Vec<(Variable, F)>,
    pub(crate) blocks: Vec<Block<F>>,
    pub(crate) constant: F,
}

impl<F: Field> LinearCombination<F> {
    /// Zero.
    pub fn zero() -> Self {
        Self { terms: Vec::new(), blocks: Vec::new(), constant: F::ZERO }
    }

    /// A public constant.
    pub fn constant(value: F) -> Self {
        Self { constant: value, ..Self::zero() }
    }

    /// Adds `weight · variable`.
    pub fn term(mut self, variable: Variable, weight: F) -> Self {
        self.terms.push((variable, weight));
        self
    }

    /// Adds `scale · Σ weights[i] · Committed(start + i)`.
    pub fn block(mut self, start: usize, weights: &Arc<[F]>, scale: F) -> Self {
        self.blocks.push(Block { start, weights: Arc::clone(weights), scale });
        self
    }

    /// Adds a public constant.
    pub fn plus(mut self, value: F) -> Self {
        self.constant += value;
        self
    }

    /// Multiplies everything by a public factor.
    pub fn scale(mut self, factor: F) -> Self {
        for (_, weight) in &mut self.terms {
            *weight *= factor;
        }
        for block in &mut self.blocks {
            block.scale *= factor;
        }
        self.constant *= factor;
        self
    }
}

impl<F: Field> From<Variable> for LinearCombination<F> {
    fn from(variable: Variable) -> Self {
        Self::zero().term(variable, F::ONE)
    }
}

impl<F: Field> Add for LinearCombination<F> {
    type Output = Self;
    fn add(mut self, mut other: Self) -> Self {
        self.terms.append(&mut other.terms);
        self.blocks.append(&mut other.blocks);
        self.constant += other.constant;
        self
    }
}

impl<F: Field> Neg for LinearCombination<F> {
    type Output = Self;
    fn neg(self) -> Self {
        self.scale(-F::ONE)
    }
}

impl<F: Field> Sub for LinearCombination<F> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + (-other)
    }
}

impl<F: Field> Mul<F> for LinearCombination<F> {
    type Output = Self;
    fn mul(self, factor: F) -> Self {
        self.scale(factor)
    }
}
