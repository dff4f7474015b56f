//! The circuit builder that prover and verifier share.
//!
//! ```text
//! prover:   fill the tape -> commit to it -> draw challenges -> Circuit::proving(tape, openings)  -> build -> prove
//! verifier: read the commitments          -> draw challenges -> Circuit::verifying(sizes)         -> build -> verify
//! ```
//!
//! The *tape* is one flat list of scalars, which the vector commitments cover: with `N` rows, scalar `i` stands at position `i % N`
//! of commitment `i / N`. Whoever lays out the tape need not know `N`. The circuit itself may depend on challenges drawn after the
//! tape was committed to, and its rows are committed to after that.
//!
//! `build` is one function for both sides: it gets a `&mut Circuit<F>` and adds rows and constraints; values are computed by the
//! circuit when it has a witness, and are absent otherwise. A row's factors are either linear combinations
//! ([`Circuit::multiply`]) or advice of the prover ([`Circuit::advise`]), which means nothing until it is constrained.
//!
//! It does not check that the witness satisfies the constraints, apart from [`Circuit::unsatisfied`]: a prover verifies its own proof.

use ff::Field;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::linear::{LinearCombination, Variable};

/// A multiplication row: `left · right = output`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The left factor.
    pub left: Variable,
    /// The right factor.
    pub right: Variable,
    /// The product.
    pub output: Variable,
}

/// The values of a prover.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Witness<F: Zeroize> {
    pub(crate) tape: Vec<F>,
    pub(crate) openings: Vec<F>,
    pub(crate) left: Vec<F>,
    pub(crate) right: Vec<F>,
    pub(crate) output: Vec<F>,
}

/// Rows and linear constraints over them, the tape and the openings; with their values on the prover's side.
pub struct Circuit<F: Field + Zeroize> {
    pub(crate) tape_len: usize,
    pub(crate) openings_len: usize,
    pub(crate) rows: usize,
    pub(crate) constraints: Vec<LinearCombination<F>>,
    pub(crate) witness: Option<Witness<F>>,
}

impl<F: Field + Zeroize> Circuit<F> {
    /// The verifier's circuit, over a tape of `tape_len` scalars and `openings_len` scalar commitments.
    pub fn verifying(tape_len: usize, openings_len: usize) -> Self {
        Self { tape_len, openings_len, rows: 0, constraints: Vec::new(), witness: None }
    }

    /// The prover's circuit, with the scalars of the tape and the values inside the scalar commitments.
    pub fn proving(tape: Vec<F>, openings: Vec<F>) -> Self {
        let mut circuit = Self::verifying(tape.len(), openings.len());
        circuit.witness =
            Some(Witness { tape, openings, left: Vec::new(), right: Vec::new(), output: Vec::new() });
        circuit
    }

    /// The number of rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of linear constraints so far.
    pub fn constraints(&self) -> usize {
        self.constraints.len()
    }

    /// Whether the circuit knows its values.
    pub fn is_proving(&self) -> bool {
        self.witness.is_some()
    }

    /// Adds a row whose factors are the given linear combinations.
    pub fn multiply(&mut self, left: LinearCombination<F>, right: LinearCombination<F>) -> Row {
        let values = self.value(&left).zip(self.value(&right));
        let row = self.advise(values);
        self.constrain(left.term(row.left, -F::ONE));
        self.constrain(right.term(row.right, -F::ONE));
        row
    }

    /// Adds a row whose factors the prover chooses; `values` is ignored on the verifier's side and required on the prover's.
    ///
    /// # Panics
    ///
    /// If the circuit has a witness and `values` is `None`.
    pub fn advise(&mut self, values: Option<(F, F)>) -> Row {
        if let Some(witness) = &mut self.witness {
            let (left, right) = values.expect("a prover has the values of its rows");
            push_secret(&mut witness.left, left);
            push_secret(&mut witness.right, right);
            push_secret(&mut witness.output, left * right);
        }
        let row = self.rows;
        self.rows += 1;
        Row { left: Variable::Left(row), right: Variable::Right(row), output: Variable::Output(row) }
    }

    /// Demands that a linear combination be zero.
    pub fn constrain(&mut self, zero: LinearCombination<F>) {
        self.constraints.push(zero);
    }

    /// The value of a linear combination, if the circuit has a witness.
    ///
    /// # Panics
    ///
    /// If a variable does not exist.
    pub fn value(&self, combination: &LinearCombination<F>) -> Option<F> {
        let witness = self.witness.as_ref()?;
        let mut sum = combination.constant;
        for (variable, weight) in &combination.terms {
            sum += witness.get(*variable) * weight;
        }
        for block in &combination.blocks {
            let scalars = &witness.tape[block.start..block.start + block.weights.len()];
            let inner = scalars.iter().zip(block.weights.iter()).fold(F::ZERO, |sum, (s, w)| sum + *s * w);
            sum += inner * block.scale;
        }
        Some(sum)
    }

    /// The first constraint that the witness does not satisfy: for tests, and for naming a mistake in a circuit.
    pub fn unsatisfied(&self) -> Option<usize> {
        self.constraints.iter().position(|c| self.value(c).is_some_and(|value| !bool::from(value.is_zero())))
    }
}

/// Appends a value; where the vector must move, it leaves nothing behind.
fn push_secret<F: Copy + Zeroize>(values: &mut Vec<F>, value: F) {
    if values.len() == values.capacity() {
        let mut moved = Vec::with_capacity(2 * values.len().max(32));
        moved.extend_from_slice(values);
        values.zeroize();
        *values = moved;
    }
    values.push(value);
}

impl<F: Field + Zeroize> Witness<F> {
    fn get(&self, variable: Variable) -> F {
        match variable {
            Variable::Left(i) => self.left[i],
            Variable::Right(i) => self.right[i],
            Variable::Output(i) => self.output[i],
            Variable::Committed(i) => self.tape[i],
            Variable::Opening(i) => self.openings[i],
        }
    }
}
