//! Verifying: a proof becomes two equations, which a batch checks together with those of others (rule GBP-7).

use ff::Field;

use crate::circuit::Circuit;
use crate::curve::{Element, ProofCurve};
use crate::equation::Equation;
use crate::error::Error;
use crate::generators::Generators;
use crate::inner_product;
use crate::layout::{Layout, Point};
use crate::proof::Proof;
use crate::transcript::Transcript;
use crate::weights::{Folded, Weights, powers};

/// What a proof claims. It is valid if both equations hold.
pub struct Claims<C: ProofCurve> {
    /// The polynomial identity. It lacks the scalar commitments: the caller adds each times its entry of `opening_scalars`, since it
    /// may know them as sums of other points.
    pub identity: Equation<C>,
    /// The vectors behind it.
    pub vectors: Equation<C>,
    /// The scalar of each scalar commitment in `identity`.
    pub opening_scalars: Vec<C::Scalar>,
}

/// Reads a proof into its equations.
///
/// The transcript has absorbed what the prover's had; afterwards it depends on the whole proof.
///
/// # Errors
///
/// [`Error::CircuitTooLarge`] or [`Error::Mismatch`] for a wrong call; [`Error::ZeroChallenge`] blames the author of the proof.
pub fn verify<C: ProofCurve>(
    generators: &Generators<C>,
    transcript: &mut Transcript,
    circuit: &Circuit<C::Scalar>,
    tape: &[Element<C>],
    proof: &Proof<C>,
) -> Result<Claims<C>, Error> {
    let rows = generators.rows();
    let layout = Layout::new(circuit.tape_len, rows);
    if circuit.rows > rows {
        return Err(Error::CircuitTooLarge { needed: circuit.rows, rows });
    }
    if (tape.len() != layout.commitments()) || !proof.fits(rows, layout) {
        return Err(Error::Mismatch);
    }
    let (y, z) = transcript.row_commitments([
        &proof.inputs,
        &proof.outputs,
        &proof.blinding_left,
        &proof.blinding_right,
    ]);
    let x = transcript.coefficients(&proof.coefficients);
    let w = transcript.evaluation::<C>(&proof.product, &proof.tau, &proof.mu);
    let reduction = inner_product::reduce(transcript, &proof.inner_product)?;
    transcript.inner_product_end::<C>(&proof.inner_product.a, &proof.inner_product.b);

    let xy_inverse: C::Scalar = Option::from((x * y).invert()).ok_or(Error::ZeroChallenge)?;
    let point = Point { x, x_inverse: xy_inverse * y, layout };
    let factors = (0..layout.commitments()).map(|j| point.at(layout.tape_weights(j))).collect::<Vec<_>>();
    let mut tape_weights = Folded::new(rows, &factors);
    let weights = Weights::sum(circuit, z, |start, weights, scale| tape_weights.add(start, weights, scale));
    let tape_weights = tape_weights.reduce();
    let y_inverses = powers(xy_inverse * x, rows);
    let identity = identity_equation(&point, proof, &weights, &y_inverses);
    let opening_scalars = weights.openings.iter().map(|weight| *weight * point.at(layout.target())).collect();
    let mut vectors = vectors_equation(&point, proof, reduction, &weights, (tape_weights, &y_inverses));
    for (j, element) in tape.iter().enumerate() {
        vectors.add(-point.at(layout.tape(j)), element.point());
    }
    vectors.add_generator(w * ((proof.inner_product.a * proof.inner_product.b) - proof.product));
    Ok(Claims { identity, vectors, opening_scalars })
}

/// `t·G + τ·h - Σ x^e·T_e - x^E·(δ - constant)·G + x^E·Σ weight·V`, without the last sum.
fn identity_equation<C: ProofCurve>(
    point: &Point<C::Scalar>,
    proof: &Proof<C>,
    weights: &Weights<C::Scalar>,
    y_inverses: &[C::Scalar],
) -> Equation<C> {
    let delta = weights
        .left
        .iter()
        .zip(&weights.right)
        .zip(y_inverses)
        .fold(C::Scalar::ZERO, |sum, ((left, right), y)| sum + (*left * right * y));
    let mut equation = Equation::new();
    equation.g = proof.product - (point.at(point.layout.target()) * (delta - weights.constant));
    equation.h = proof.tau;
    for (exponent, coefficient) in point.layout.coefficients().zip(&proof.coefficients) {
        equation.add(-point.at(exponent), coefficient.point());
    }
    equation
}

/// The inner-product argument's equation without the tape's commitments and the product: what the prover folded, less what it
/// started from.
fn vectors_equation<C: ProofCurve>(
    point: &Point<C::Scalar>,
    proof: &Proof<C>,
    reduction: inner_product::Reduction<C>,
    weights: &Weights<C::Scalar>,
    (tape_weights, y_inverses): (Vec<C::Scalar>, &[C::Scalar]),
) -> Equation<C> {
    let layout = point.layout;
    let (at_factors, at_target) = (point.at(layout.factors()), point.at(layout.target()));
    let mut equation = Equation::new();
    equation.g_bold = reduction.g;
    for ((scalar, weight), y) in equation.g_bold.iter_mut().zip(&weights.right).zip(y_inverses) {
        *scalar -= at_factors * weight * y;
    }
    // Of the public part of `r`, only `-y^i·x^E` reaches all rows; times `y^-i` it is a constant.
    let mut public = tape_weights;
    for ((sum, left), output) in public.iter_mut().zip(&weights.left).zip(&weights.output) {
        *sum += (at_factors * left) + (at_target * output);
    }
    equation.h_bold = reduction.h;
    for ((scalar, public), y) in equation.h_bold.iter_mut().zip(&public).zip(y_inverses) {
        *scalar = ((*scalar - public) * y) + at_target;
    }
    equation.h = proof.mu;
    equation.add(-at_factors, proof.inputs.point());
    equation.add(-point.at(Layout::OUTPUTS), proof.outputs.point());
    equation.add(-point.at(Layout::BLINDING_LEFT), proof.blinding_left.point());
    equation.add(-point.at(layout.blinding_right()), proof.blinding_right.point());
    for (scalar, round) in reduction.rounds {
        equation.add(-scalar, round);
    }
    equation
}
