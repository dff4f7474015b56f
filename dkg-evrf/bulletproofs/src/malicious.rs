//! Provers that lie: about the rows of their circuit, and in each message of the argument.
//!
//! ```text
//! Circuit::proving ── build ──▶ set_row, set_tape ──▶ prove, or prove_falsely ──▶ a proof which some equation objects to
//! ```
//!
//! For tests, benches and simulations: it exists with the feature `malicious` only. Each lie is told as well as it can be: everything
//! that is sent after it follows from a transcript that has absorbed it. [`prove_misplacing`] lies in no message: it fills parts of
//! commitments which an honest prover leaves empty, and stays consistent.

mod misplaced;

use ff::Field;
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroize;

use crate::circuit::Circuit;
use crate::curve::{Element, ProofCurve};
use crate::error::Error;
use crate::generators::Generators;
use crate::proof::Proof;
use crate::prove::{CommittedTape, Message, prove_altering};
use crate::transcript::Transcript;

pub use misplaced::{Misplaced, prove_misplacing};

/// What a witness does not satisfy. Each number counts from zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Objection {
    /// A row's output is not the product of its factors.
    Row(usize),
    /// A linear constraint is not zero.
    Constraint(usize),
}

/// A message of the argument that is not what it must be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lie {
    /// One of `A_I`, `A_O`, `S_L`, `S_R`, by its number, commits to something else than is used afterwards.
    Commitment(usize),
    /// A `T`, by its number, modulo how many there are.
    Coefficient(usize),
    /// `t` is what the polynomial identity demands of a false witness, and not the vectors' inner product.
    Product,
    /// `t` is off by one.
    ProductOffByOne,
    /// `tau` is off by one.
    Tau,
    /// `mu` is off by one.
    Mu,
    /// The `L` of a halving.
    Left(usize),
    /// The `R` of a halving.
    Right(usize),
    /// The last `a` is off by one.
    LastA,
    /// The last `b` is off by one.
    LastB,
}

impl<F: Field + Zeroize> Circuit<F> {
    /// Replaces a row's values: left factor, right factor, output.
    ///
    /// # Panics
    ///
    /// If there is no such row, or no witness.
    pub fn set_row(&mut self, row: usize, [left, right, output]: [F; 3]) {
        let witness = self.witness.as_mut().expect("a prover has a witness");
        (witness.left[row], witness.right[row], witness.output[row]) = (left, right, output);
    }

    /// A row's values: left factor, right factor, output.
    ///
    /// # Panics
    ///
    /// If there is no such row, or no witness.
    pub fn row(&self, row: usize) -> [F; 3] {
        let witness = self.witness.as_ref().expect("a prover has a witness");
        [witness.left[row], witness.right[row], witness.output[row]]
    }

    /// Replaces a scalar of the tape, whatever was committed to.
    ///
    /// # Panics
    ///
    /// If there is no such scalar, or no witness.
    pub fn set_tape(&mut self, position: usize, value: F) {
        self.witness.as_mut().expect("a prover has a witness").tape[position] = value;
    }

    /// The value of a constraint, which should be zero.
    ///
    /// # Panics
    ///
    /// If there is no such constraint, or no witness.
    pub fn residual(&self, constraint: usize) -> F {
        self.value(&self.constraints[constraint]).expect("a prover has a witness")
    }

    /// Everything which the witness does not satisfy.
    pub fn objections(&self) -> Vec<Objection> {
        let rows = (0..self.rows).filter(|row| self.row_residual(*row) != F::ZERO).map(Objection::Row);
        let constraints = (0..self.constraints.len()).filter(|q| self.residual(*q) != F::ZERO);
        rows.chain(constraints.map(Objection::Constraint)).collect()
    }

    fn row_residual(&self, row: usize) -> F {
        let [left, right, output] = self.row(row);
        (left * right) - output
    }

    /// What the checked coefficient has too much, under the challenges `y` and `z`.
    fn discrepancy(&self, y: F, z: F) -> F {
        let weighted = |residuals: &mut dyn Iterator<Item = F>, start: F, base: F| {
            residuals.fold((F::ZERO, start), |(sum, power), value| (sum + power * value, power * base)).0
        };
        let rows = weighted(&mut (0..self.rows).map(|row| self.row_residual(row)), F::ONE, y);
        rows + weighted(&mut (0..self.constraints.len()).map(|q| self.residual(q)), z, z)
    }
}

/// As [`prove`](crate::prove()), with a lie.
///
/// # Errors
///
/// As [`prove`](crate::prove()).
pub fn prove_falsely<C: ProofCurve>(
    generators: &Generators<C>,
    transcript: &mut Transcript,
    circuit: &Circuit<C::Scalar>,
    (tape, opening_blinds): (&CommittedTape<C>, &[C::Scalar]),
    rng: &mut (impl RngCore + CryptoRng),
    lie: Lie,
) -> Result<Proof<C>, Error> {
    let one = C::Scalar::ONE;
    let mut round = 0;
    let alter = &mut |message: Message<'_, C>| match (lie, message) {
        (Lie::Commitment(which), Message::Rows(points)) => shift(&mut points[which % 4]),
        (Lie::Coefficient(which), Message::Coefficients(points)) => shift(&mut points[which % points.len()]),
        (Lie::Product, Message::Evaluation { values: [product, ..], challenges: [y, z, at_target] }) => {
            *product -= at_target * circuit.discrepancy(y, z);
        }
        (Lie::ProductOffByOne, Message::Evaluation { values: [product, ..], .. }) => *product += one,
        (Lie::Tau, Message::Evaluation { values: [_, tau, _], .. }) => *tau += one,
        (Lie::Mu, Message::Evaluation { values: [_, _, mu], .. }) => *mu += one,
        (Lie::Left(which) | Lie::Right(which), Message::Round(left, right)) => {
            if round == which {
                shift(if matches!(lie, Lie::Left(_)) { left } else { right });
            }
            round += 1;
        }
        (Lie::LastA, Message::Last(a, _)) => *a += one,
        (Lie::LastB, Message::Last(_, b)) => *b += one,
        _ => {}
    };
    prove_altering(generators, transcript, circuit, (tape, opening_blinds), rng, 1, alter)
}

fn shift<C: ProofCurve>(element: &mut Element<C>) {
    *element = Element::new(element.point() + C::generator());
}
