//! Proving: commit to the tape, later to the rows, then the polynomial identity and the inner product (rules GBP-2 to GBP-6).

use embedded_curves::field::SumOfProducts;
use ff::Field;
use rand_core::{CryptoRng, RngCore};
use zeroize::{Zeroize, Zeroizing};

use crate::circuit::{Circuit, Witness};
use crate::curve::{Element, ProofCurve};
use crate::error::Error;
use crate::generators::Generators;
use crate::inner_product::{self, Bases};
use crate::layout::{Layout, Point};
use crate::parallel;
use crate::polynomials::{BlindingVectors, Polynomials};
use crate::proof::Proof;
use crate::transcript::Transcript;
use crate::weights::powers;

/// The vector commitments to a tape, with their blinding.
pub struct CommittedTape<C: ProofCurve> {
    pub(crate) elements: Vec<Element<C>>,
    blinds: Zeroizing<Vec<C::Scalar>>,
}

impl<C: ProofCurve> CommittedTape<C> {
    /// Commits to a tape, one commitment for each `rows` scalars, on so many threads.
    pub fn new(
        generators: &Generators<C>,
        tape: &[C::Scalar],
        rng: &mut (impl RngCore + CryptoRng),
        threads: usize,
    ) -> Self {
        let commitments = tape.len().div_ceil(generators.rows());
        let blinds = random_scalars::<C>(commitments, rng);
        let chunks: Vec<_> = tape.chunks(generators.rows()).zip(blinds.iter()).collect();
        let elements =
            parallel::map(&chunks, threads, |(chunk, blind)| generators.commit(chunk, &[], **blind));
        Self { elements, blinds }
    }

    /// The commitments, to absorb and to send.
    pub fn elements(&self) -> &[Element<C>] {
        &self.elements
    }
}

impl<C: ProofCurve> Generators<C> {
    /// `⟨left, G⟩ + ⟨right, H⟩ + blind·h`, in constant time.
    pub(crate) fn commit(&self, left: &[C::Scalar], right: &[C::Scalar], blind: C::Scalar) -> Element<C> {
        let [g, h] = &self.prepared;
        let mut sum = C::mul(&blind, &self.h);
        for (points, scalars) in [(g, left), (h, right)] {
            if !scalars.is_empty() {
                sum += C::prepared_multiscalar_mul(points, scalars);
            }
        }
        Element::new(sum)
    }
}

fn random_scalars<C: ProofCurve>(
    len: usize,
    rng: &mut (impl RngCore + CryptoRng),
) -> Zeroizing<Vec<C::Scalar>> {
    Zeroizing::new((0..len).map(|_| C::random_scalar(rng)).collect())
}

/// The blinding of the rows' commitments.
struct Blinds<C: ProofCurve> {
    inputs: C::Scalar,
    outputs: C::Scalar,
    left: C::Scalar,
    right: C::Scalar,
    left_vector: Zeroizing<Vec<C::Scalar>>,
    right_vector: Zeroizing<Vec<C::Scalar>>,
}

impl<C: ProofCurve> Blinds<C> {
    fn random(rows: usize, used: usize, rng: &mut (impl RngCore + CryptoRng)) -> Self {
        Self {
            inputs: C::random_scalar(rng),
            outputs: C::random_scalar(rng),
            left: C::random_scalar(rng),
            right: C::random_scalar(rng),
            left_vector: random_scalars::<C>(rows, rng),
            right_vector: random_scalars::<C>(used, rng),
        }
    }

    /// The blinding of all vector commitments together, at the evaluation point.
    fn at(&self, point: &Point<C::Scalar>, tape: &[C::Scalar]) -> C::Scalar {
        let layout = point.layout;
        let rows = [
            (layout.factors(), &self.inputs),
            (Layout::OUTPUTS, &self.outputs),
            (Layout::BLINDING_LEFT, &self.left),
            (layout.blinding_right(), &self.right),
        ];
        let tape = tape.iter().enumerate().map(|(j, blind)| (layout.tape(j), blind));
        rows.into_iter()
            .chain(tape)
            .fold(C::Scalar::ZERO, |sum, (exponent, blind)| sum + point.at(exponent) * blind)
    }
}

impl<C: ProofCurve> Drop for Blinds<C> {
    fn drop(&mut self) {
        self.inputs.zeroize();
        self.outputs.zeroize();
        self.left.zeroize();
        self.right.zeroize();
    }
}

/// Proves that the circuit's constraints hold for its rows, the committed tape and the openings.
///
/// The transcript has absorbed the statement, the scalar commitments, and `tape` by
/// [`Transcript::vector_commitments`]; `opening_blinds` are the blinding of the scalar commitments. The work is done on so many threads.
///
/// # Errors
///
/// [`Error::CircuitTooLarge`], [`Error::Mismatch`], [`Error::NoWitness`] for a wrong call;
/// [`Error::ZeroChallenge`] with negligible probability.
pub fn prove<C: ProofCurve>(
    generators: &Generators<C>,
    transcript: &mut Transcript,
    circuit: &Circuit<C::Scalar>,
    tape: &CommittedTape<C>,
    opening_blinds: &[C::Scalar],
    rng: &mut (impl RngCore + CryptoRng),
    threads: usize,
) -> Result<Proof<C>, Error> {
    prove_altering(generators, transcript, circuit, (tape, opening_blinds), rng, threads, &mut |_| ())
}

/// What a prover is about to send, before the transcript has it. An honest one sends it as it is.
#[cfg_attr(
    not(any(test, feature = "malicious")),
    allow(dead_code, reason = "the honest prover looks at nothing")
)]
pub(crate) enum Message<'a, C: ProofCurve> {
    /// The vector `S_L`, not committed to yet.
    Blinding(&'a mut [C::Scalar]),
    /// `A_I`, `A_O`, `S_L`, `S_R`.
    Rows(&'a mut [Element<C>; 4]),
    /// `l` and `r`, and the challenge `y`: nothing that is sent, but what all later messages follow from.
    Polynomials { polynomials: &'a mut Polynomials<C::Scalar>, y: C::Scalar },
    /// All `T`.
    Coefficients(&'a mut [Element<C>]),
    /// `t`, `tau` and `mu`; with the challenges `y`, `z` and the power of `x` at the checked coefficient.
    Evaluation { values: [&'a mut C::Scalar; 3], challenges: [C::Scalar; 3] },
    /// `L` and `R`.
    Round(&'a mut Element<C>, &'a mut Element<C>),
    /// `a` and `b`.
    Last(&'a mut C::Scalar, &'a mut C::Scalar),
}

/// Sees each message of a prover, and may change it.
pub(crate) type Alter<'a, C> = &'a mut dyn FnMut(Message<'_, C>);

/// As [`prove`], by a prover that changes its messages.
pub(crate) fn prove_altering<C: ProofCurve>(
    generators: &Generators<C>,
    transcript: &mut Transcript,
    circuit: &Circuit<C::Scalar>,
    (tape, opening_blinds): (&CommittedTape<C>, &[C::Scalar]),
    rng: &mut (impl RngCore + CryptoRng),
    threads: usize,
    alter: Alter<'_, C>,
) -> Result<Proof<C>, Error> {
    let rows = generators.rows();
    let layout = layout(circuit, rows, tape, opening_blinds)?;
    let witness = circuit.witness.as_ref().ok_or(Error::NoWitness)?;
    let mut blinds = Blinds::<C>::random(rows, circuit.rows, rng);
    alter(Message::Blinding(&mut blinds.left_vector));
    let mut row_commitments = commit_rows(generators, witness, &blinds, threads);
    alter(Message::Rows(&mut row_commitments));
    let [inputs, outputs, blinding_left, blinding_right] = row_commitments;
    let (y, z) = transcript.row_commitments([&inputs, &outputs, &blinding_left, &blinding_right]);
    let y_inverse = invert(y)?;
    let y_inverses = powers(y_inverse, rows);

    let vectors = BlindingVectors { left: &blinds.left_vector, right: &blinds.right_vector };
    let mut polynomials = Polynomials::new(circuit, witness, vectors, rows, (y, &y_inverses, z));
    alter(Message::Polynomials { polynomials: &mut polynomials, y });
    let Polynomials { left, right, openings } = polynomials;
    let t = left.inner_product(&right, layout.coefficients());
    let taus = random_scalars::<C>(t.len(), rng);
    let values: Vec<_> = t.iter().zip(taus.iter()).collect();
    let mut coefficients = parallel::map(&values, threads, |(t, tau)| generators.commit_value(**t, **tau));
    alter(Message::Coefficients(&mut coefficients));
    let x = transcript.coefficients(&coefficients);
    let point = Point { x, x_inverse: invert(x)?, layout };

    let (l, r) = (left.evaluate(rows, &point), right.evaluate(rows, &point));
    let mut product = C::Scalar::inner_product(&l, &r);
    let opened = C::Scalar::inner_product(&openings, opening_blinds) * point.at(layout.target());
    let mut tau =
        layout.coefficients().zip(taus.iter()).fold(-opened, |sum, (e, tau)| sum + point.at(e) * tau);
    let mut mu = blinds.at(&point, &tape.blinds);
    let challenges = [y, z, point.at(layout.target())];
    alter(Message::Evaluation { values: [&mut product, &mut tau, &mut mu], challenges });
    let w = transcript.evaluation::<C>(&product, &tau, &mu);
    let bases = Bases { g: &generators.g_bold, h: &generators.h_bold, h_factors: y_inverses };
    let mut inner_product =
        inner_product::prove(transcript, bases, (w, generators.g), (l, r), threads, alter)?;
    alter(Message::Last(&mut inner_product.a, &mut inner_product.b));
    transcript.inner_product_end::<C>(&inner_product.a, &inner_product.b);
    Ok(Proof {
        inputs,
        outputs,
        blinding_left,
        blinding_right,
        coefficients,
        product,
        tau,
        mu,
        inner_product,
    })
}

/// The layout for what is to be proved, if all its parts fit each other.
fn layout<C: ProofCurve>(
    circuit: &Circuit<C::Scalar>,
    rows: usize,
    tape: &CommittedTape<C>,
    opening_blinds: &[C::Scalar],
) -> Result<Layout, Error> {
    let layout = Layout::new(circuit.tape_len, rows);
    if circuit.rows > rows {
        return Err(Error::CircuitTooLarge { needed: circuit.rows, rows });
    }
    if (tape.elements.len() != layout.commitments()) || (opening_blinds.len() != circuit.openings_len) {
        return Err(Error::Mismatch);
    }
    Ok(layout)
}

fn invert<F: Field>(challenge: F) -> Result<F, Error> {
    Option::from(challenge.invert()).ok_or(Error::ZeroChallenge)
}

impl<C: ProofCurve> Generators<C> {
    /// `value·G + blind·h`, in constant time.
    fn commit_value(&self, value: C::Scalar, blind: C::Scalar) -> Element<C> {
        Element::new(C::mul(&value, &self.g) + C::mul(&blind, &self.h))
    }
}

fn commit_rows<C: ProofCurve>(
    generators: &Generators<C>,
    witness: &Witness<C::Scalar>,
    blinds: &Blinds<C>,
    threads: usize,
) -> [Element<C>; 4] {
    let rows: [(&[_], &[_], _); 4] = [
        (&witness.left, &witness.right, &blinds.inputs),
        (&witness.output, &[], &blinds.outputs),
        (&blinds.left_vector, &[], &blinds.left),
        (&[], &blinds.right_vector, &blinds.right),
    ];
    let commit = |(left, right, blind): &(&[C::Scalar], &[C::Scalar], &C::Scalar)| {
        generators.commit(left, right, **blind)
    };
    parallel::map(&rows, threads, commit).try_into().expect("as many as there are rows")
}
