//! Proving: commit to the tape, later to the rows, then the polynomial identity and the inner product (rules GBP-2 to GBP-6).

use ff::Field;
use rand_core::{CryptoRng, RngCore};
use zeroize::{Zeroize, Zeroizing};

use crate::circuit::{Circuit, Witness};
use crate::curve::{Element, ProofCurve};
use crate::error::Error;
use crate::generators::Generators;
use crate::inner_product;
use crate::layout::Layout;
use crate::proof::Proof;
use crate::transcript::Transcript;
use crate::weights::{Weights, inner_product as dot, power, powers};

/// The vector commitments to a tape, with their blinding.
pub struct CommittedTape<C: ProofCurve> {
    elements: Vec<Element<C>>,
    blinds: Zeroizing<Vec<C::Scalar>>,
}

impl<C: ProofCurve> CommittedTape<C> {
    /// Commits to a tape, one commitment for each `rows` scalars.
    pub fn new(generators: &Generators<C>, tape: &[C::Scalar], rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let commitments = tape.len().div_ceil(generators.rows());
        let blinds = random_scalars::<C>(commitments, rng);
        let elements = tape
            .chunks(generators.rows())
            .zip(blinds.iter())
            .map(|(chunk, blind)| generators.commit(chunk, &[], *blind))
            .collect();
        Self { elements, blinds }
    }

    /// The commitments, to absorb and to send.
    pub fn elements(&self) -> &[Element<C>] {
        &self.elements
    }
}

impl<C: ProofCurve> Generators<C> {
    /// `⟨left, G⟩ + ⟨right, H⟩ + blind·h`, in constant time.
    fn commit(&self, left: &[C::Scalar], right: &[C::Scalar], blind: C::Scalar) -> Element<C> {
        let mut scalars = Zeroizing::new(Vec::with_capacity(left.len() + right.len() + 1));
        scalars.push(blind);
        scalars.extend_from_slice(left);
        scalars.extend_from_slice(right);
        let mut points = Vec::with_capacity(scalars.len());
        points.push(self.h);
        points.extend_from_slice(&self.g_bold[..left.len()]);
        points.extend_from_slice(&self.h_bold[..right.len()]);
        Element::new(C::multiscalar_mul(&scalars, &points))
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
}

impl<C: ProofCurve> Drop for Blinds<C> {
    fn drop(&mut self) {
        self.inputs.zeroize();
        self.outputs.zeroize();
        self.left.zeroize();
        self.right.zeroize();
    }
}

/// A polynomial whose coefficients are vectors, by exponent.
struct VectorPolynomial<F: Zeroize>(Vec<(i64, Zeroizing<Vec<F>>)>);

impl<F: Field + Zeroize> VectorPolynomial<F> {
    /// The coefficients of `⟨self, other⟩`, for the given exponents.
    fn inner_product(&self, other: &Self, exponents: impl Iterator<Item = i64>) -> Zeroizing<Vec<F>> {
        let coefficient = |exponent: i64| {
            let mut sum = F::ZERO;
            for (a_exponent, a) in &self.0 {
                for (b_exponent, b) in &other.0 {
                    if (a_exponent + b_exponent) == exponent {
                        sum += dot(a, b);
                    }
                }
            }
            sum
        };
        Zeroizing::new(exponents.map(coefficient).collect())
    }

    fn evaluate(&self, rows: usize, x: F, inverse: F) -> Vec<F> {
        let mut sum = vec![F::ZERO; rows];
        for (exponent, vector) in &self.0 {
            let x = power(x, inverse, *exponent);
            for (sum, value) in sum.iter_mut().zip(vector.iter()) {
                *sum += *value * x;
            }
        }
        sum
    }
}

/// Proves that the circuit's constraints hold for its rows, the committed tape and the openings.
///
/// The transcript has absorbed the statement, the scalar commitments, and `tape` by
/// [`Transcript::vector_commitments`]; `opening_blinds` are the blinding of the scalar commitments.
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
) -> Result<Proof<C>, Error> {
    let rows = generators.rows();
    let layout = Layout::new(circuit.tape_len, rows);
    if circuit.rows > rows {
        return Err(Error::CircuitTooLarge { needed: circuit.rows, rows });
    }
    if (tape.elements.len() != layout.commitments()) || (opening_blinds.len() != circuit.openings_len) {
        return Err(Error::Mismatch);
    }
    let witness = circuit.witness.as_ref().ok_or(Error::NoWitness)?;
    let blinds = Blinds::<C>::random(rows, circuit.rows, rng);
    let [inputs, outputs, blinding_left, blinding_right] = commit_rows(generators, witness, &blinds);
    let (y, z) = transcript.row_commitments([&inputs, &outputs, &blinding_left, &blinding_right]);
    let y_inverse = Option::<C::Scalar>::from(y.invert()).ok_or(Error::ZeroChallenge)?;
    let y_inverses = powers(y_inverse, rows);

    let (left, right, openings) = polynomials::<C>(circuit, witness, &blinds, rows, (y, &y_inverses, z));
    let t = left.inner_product(&right, layout.coefficients());
    let taus = random_scalars::<C>(t.len(), rng);
    let coefficients = t.iter().zip(taus.iter()).map(|(t, tau)| generators.commit_value(*t, *tau));
    let coefficients = coefficients.collect::<Vec<_>>();
    let x = transcript.coefficients(&coefficients);
    let x_inverse = Option::<C::Scalar>::from(x.invert()).ok_or(Error::ZeroChallenge)?;

    let at = |exponent| power(x, x_inverse, exponent);
    let l = left.evaluate(rows, x, x_inverse);
    let r = right.evaluate(rows, x, x_inverse);
    let product = dot(&l, &r);
    let tau =
        layout.coefficients().zip(taus.iter()).fold(C::Scalar::ZERO, |sum, (e, tau)| sum + (at(e) * tau))
            - (at(layout.target()) * dot(&openings, opening_blinds));
    let mu = (0..)
        .zip(tape.blinds.iter())
        .fold(blinds.outputs, |sum, (j, blind)| sum + (at(layout.tape(j)) * blind))
        + (at(layout.factors()) * blinds.inputs)
        + (at(Layout::BLINDING_LEFT) * blinds.left)
        + (at(layout.blinding_right()) * blinds.right);
    let w = transcript.evaluation::<C>(&product, &tau, &mu);
    let bases = (&*generators.g_bold, &*generators.h_bold, y_inverses);
    let inner_product = inner_product::prove(transcript, bases, (w, generators.g), l, r)?;
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
) -> [Element<C>; 4] {
    [
        generators.commit(&witness.left, &witness.right, blinds.inputs),
        generators.commit(&witness.output, &[], blinds.outputs),
        generators.commit(&blinds.left_vector, &[], blinds.left),
        generators.commit(&[], &blinds.right_vector, blinds.right),
    ]
}

/// The polynomials `l` and `r`, and the weights of the openings.
fn polynomials<C: ProofCurve>(
    circuit: &Circuit<C::Scalar>,
    witness: &Witness<C::Scalar>,
    blinds: &Blinds<C>,
    rows: usize,
    (y, y_inverses, z): (C::Scalar, &[C::Scalar], C::Scalar),
) -> (VectorPolynomial<C::Scalar>, VectorPolynomial<C::Scalar>, Vec<C::Scalar>) {
    let layout = Layout::new(circuit.tape_len, rows);
    let mut tape = vec![C::Scalar::ZERO; layout.commitments() * rows];
    let weights = Weights::sum(circuit, z, |start, weights, scale| {
        tape[start..].iter_mut().zip(weights).for_each(|(sum, weight)| *sum += *weight * scale);
    });
    let y = powers(y, rows);

    let pad = |values: &[C::Scalar]| {
        let mut values = Zeroizing::new(values.to_vec());
        values.resize(rows, C::Scalar::ZERO);
        values
    };
    let mut inputs_left = pad(&witness.left);
    for ((sum, weight), y) in inputs_left.iter_mut().zip(&weights.right).zip(y_inverses) {
        *sum += *weight * y;
    }
    let mut inputs_right = pad(&weights.left);
    for ((sum, value), y) in inputs_right.iter_mut().zip(&witness.right).zip(&y) {
        *sum += *value * y;
    }
    let mut outputs_right = pad(&weights.output);
    outputs_right.iter_mut().zip(&y).for_each(|(sum, y)| *sum -= y);
    let mut blinding_right = pad(&blinds.right_vector);
    blinding_right.iter_mut().zip(&y).for_each(|(value, y)| *value *= y);

    let mut left = vec![
        (Layout::BLINDING_LEFT, blinds.left_vector.clone()),
        (Layout::OUTPUTS, pad(&witness.output)),
        (layout.factors(), inputs_left),
    ];
    left.extend(witness.tape.chunks(rows).enumerate().map(|(j, chunk)| (layout.tape(j), pad(chunk))));
    let mut right = vec![
        (layout.factors(), inputs_right),
        (layout.target(), outputs_right),
        (layout.blinding_right(), blinding_right),
    ];
    right.extend(tape.chunks(rows).enumerate().map(|(j, chunk)| (layout.tape_weights(j), pad(chunk))));
    (VectorPolynomial(left), VectorPolynomial(right), weights.openings)
}
