//! Provers that fill their commitments along the wrong generators, and are consistent about it (rules GBP-1, GBP-3).
//!
//! ```text
//! exponent       -1         0         1 ..= c     E + 2
//! honest in l    S_L        a_O       tape
//!        in r                                     y∘S_R
//! misplaced      y∘s′ in r  y∘o in r  y∘h_j in r  e in l
//! ```
//!
//! Whatever is misplaced belongs to `l` and `r`, so that the vectors' equation holds; all `T` are made for these polynomials. Some
//! coefficients have no `T`, and must vanish. `r` has each entry times a power of `y`, which is drawn later, so they vanish row by row or
//! not at all: those of `s′`, `o`, `h_j` do if tape, `a_O` and `S_L` are zero wherever these are not, which a prover can arrange
//! ([`Misplaced::fitting`]). Those of `e` do not: it meets `W_O − y`, which is zero in no row.

use ff::Field;
use rand_core::{CryptoRng, RngCore};

use crate::circuit::Circuit;
use crate::curve::{Element, ProofCurve};
use crate::error::Error;
use crate::generators::Generators;
use crate::layout::Layout;
use crate::polynomials::Polynomials;
use crate::proof::Proof;
use crate::prove::{CommittedTape, Message, prove_altering};
use crate::transcript::Transcript;

/// Components of commitments along generators which do not belong there: each vector has one entry a row, or is empty.
#[derive(Clone, Debug)]
pub struct Misplaced<C: ProofCurve> {
    /// Of each `C_j` along the generators of right factors: `h_j`.
    pub tape: Vec<Vec<C::Scalar>>,
    /// Of `A_O` along the generators of right factors: `o`.
    pub outputs: Vec<C::Scalar>,
    /// Of `S_L` along the generators of right factors: `s′`.
    pub blinding_left: Vec<C::Scalar>,
    /// Of `S_R` along the generators of left factors: `e`.
    pub blinding_right: Vec<C::Scalar>,
}

impl<C: ProofCurve> Misplaced<C> {
    /// Nothing, for a tape in so many commitments.
    pub fn nothing(commitments: usize) -> Self {
        let empty = Vec::new;
        Self {
            tape: vec![empty(); commitments],
            outputs: empty(),
            blinding_left: empty(),
            blinding_right: empty(),
        }
    }

    /// A vector for any of the places along the generators of right factors, after which no coefficient is left without a `T`: random
    /// in the rows where all of the tape's vectors and the outputs are zero, and zero elsewhere.
    pub fn fitting(
        generators: &Generators<C>,
        (tape, outputs): (&[C::Scalar], &[C::Scalar]),
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Vec<C::Scalar> {
        let mut vector = (0..generators.rows()).map(|_| C::random_scalar(rng)).collect::<Vec<_>>();
        tape.chunks(generators.rows()).chain([outputs]).for_each(|used| clear_where(&mut vector, used));
        vector
    }

    /// What stands along the generators of right factors.
    fn along_right(&self) -> impl Iterator<Item = &[C::Scalar]> {
        self.tape.iter().chain([&self.outputs, &self.blinding_left]).map(Vec::as_slice)
    }

    /// Adds it to the commitments of the rows.
    fn commit(&self, generators: &Generators<C>, [_, outputs, left, right]: &mut [Element<C>; 4]) {
        let add = |to: &mut Element<C>, sides: [&[C::Scalar]; 2]| {
            let misplaced = generators.commit(sides[0], sides[1], C::Scalar::ZERO);
            *to = Element::new(to.point() + misplaced.point());
        };
        add(outputs, [&[], &self.outputs]);
        add(left, [&[], &self.blinding_left]);
        add(right, [&self.blinding_right, &[]]);
    }

    /// Adds it to the polynomials, at the exponents of its commitments.
    pub(crate) fn place(&self, layout: Layout, polynomials: &mut Polynomials<C::Scalar>, y: C::Scalar) {
        let mut right = |exponent, vector: &[C::Scalar]| {
            polynomials.right.add(exponent, &times_powers(vector, y));
        };
        self.tape.iter().enumerate().for_each(|(j, vector)| right(layout.tape(j), vector));
        right(Layout::OUTPUTS, &self.outputs);
        right(Layout::BLINDING_LEFT, &self.blinding_left);
        polynomials.left.add(layout.blinding_right(), &self.blinding_right);
    }
}

impl<C: ProofCurve> CommittedTape<C> {
    /// Adds components along the generators of right factors, one vector for each commitment.
    #[must_use]
    pub fn misplacing(mut self, generators: &Generators<C>, misplaced: &Misplaced<C>) -> Self {
        for (element, vector) in self.elements.iter_mut().zip(&misplaced.tape) {
            let misplaced = generators.commit(&[], vector, C::Scalar::ZERO);
            *element = Element::new(element.point() + misplaced.point());
        }
        self
    }
}

/// As [`prove`](crate::prove()), with misplaced components; those of the tape are in its commitments already, by
/// [`CommittedTape::misplacing`].
///
/// # Errors
///
/// As [`prove`](crate::prove()).
pub fn prove_misplacing<C: ProofCurve>(
    generators: &Generators<C>,
    transcript: &mut Transcript,
    circuit: &Circuit<C::Scalar>,
    sides: (&CommittedTape<C>, &[C::Scalar]),
    rng: &mut (impl RngCore + CryptoRng),
    misplaced: &Misplaced<C>,
) -> Result<Proof<C>, Error> {
    let layout = Layout::new(circuit.tape_len, generators.rows());
    let alter = &mut |message: Message<'_, C>| match message {
        Message::Blinding(left) => misplaced.along_right().for_each(|used| clear_where(left, used)),
        Message::Rows(points) => misplaced.commit(generators, points),
        Message::Polynomials { polynomials, y } => misplaced.place(layout, polynomials, y),
        _ => {}
    };
    prove_altering(generators, transcript, circuit, sides, rng, 1, alter)
}

/// **y** ∘ vector.
fn times_powers<F: Field>(vector: &[F], y: F) -> Vec<F> {
    let powers = core::iter::successors(Some(F::ONE), |power| Some(*power * y));
    vector.iter().zip(powers).map(|(value, power)| *value * power).collect()
}

/// Makes a vector zero where another one, which may be shorter, is not.
fn clear_where<F: Field>(vector: &mut [F], used: &[F]) {
    let used = vector.iter_mut().zip(used).filter(|(_, used)| **used != F::ZERO);
    used.for_each(|(value, _)| *value = F::ZERO);
}
