//! The proof that a dealing is right: the argument over its claims, then the purity of its points (rules EVRF-6 to EVRF-8).
//!
//! ```text
//! statement -> tape's commitments -> gadget's challenge -> circuit -> argument -> purity        (one transcript)
//! ```

mod claims;
mod purity;

use arithmetic_bulletproofs::{self as bulletproofs, Circuit, CommittedTape, Equation, ProofCurve};
use rand_core::{CryptoRng, RngCore};

use crate::curves::{Scalar, SigningCurve};
use crate::error::Error;
use crate::parameters::{Parameters, ValidatorIndex};
use crate::participation::{Argument, Dealing};
use crate::secrets::{Dealt, Secret};
use crate::transcript;

pub(crate) use claims::{Shape, Tables};

/// A dealing's proof is refused without any multi-scalar multiplication.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refused;

/// Proves a dealing.
pub(crate) fn prove<C: SigningCurve>(
    parameters: &Parameters<C>,
    dealer: ValidatorIndex,
    dealing: &Dealing<C>,
    dealt: &Dealt<C>,
    secret: &Secret<C>,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<Argument<C>, Error> {
    let generators = &*parameters.generators;
    let member = parameters.member(dealer)?;
    let mut transcript = transcript::statement(parameters, dealer, &member.embedded_key_bytes, dealing);
    let mut rng = secret.blinding(&transcript::fingerprint(&transcript), rng);

    let claims = claims::Claims::new(parameters, dealer, dealing).map_err(|_| Error::Degenerate)?;
    let tape = claims.fill(dealt, secret)?;
    let committed = CommittedTape::new(generators, &tape, &mut rng);
    transcript.vector_commitments(generators.rows(), committed.elements());
    let challenge = claims.challenge(&mut transcript);
    let mut openings = vec![dealt.polynomial.first().copied().unwrap_or_default()];
    openings.extend_from_slice(&dealt.pads);
    let blinds = vec![Scalar::<C>::ZERO; openings.len()];
    let mut circuit = Circuit::proving(tape.to_vec(), openings);
    claims.constrain(&challenge, &mut circuit)?;
    let proof = bulletproofs::prove(generators, &mut transcript, &circuit, &committed, &blinds, &mut rng)
        .map_err(|_| Error::SelfCheck)?;
    let purity = purity::prove(&mut transcript, &dealt.polynomial, &mut rng);
    Ok(Argument { tape: committed.elements().to_vec(), proof, purity })
}

/// The equations which make a dealing valid.
pub(crate) fn equations<C: SigningCurve>(
    parameters: &Parameters<C>,
    dealer: ValidatorIndex,
    dealing: &Dealing<C>,
    argument: &Argument<C>,
) -> Result<Vec<Equation<C::Group>>, Refused> {
    let generators = &*parameters.generators;
    let member = parameters.member(dealer).map_err(|_| Refused)?;
    if !fits(parameters, dealing, argument) {
        return Err(Refused);
    }
    let mut transcript = transcript::statement(parameters, dealer, &member.embedded_key_bytes, dealing);
    let claims = claims::Claims::new(parameters, dealer, dealing)?;
    transcript.vector_commitments(generators.rows(), &argument.tape);
    let challenge = claims.challenge(&mut transcript);
    let mut circuit = Circuit::verifying(parameters.shape.tape_len, 1 + dealing.shares.len());
    claims.constrain(&challenge, &mut circuit).map_err(|_| Refused)?;
    let bulletproofs::Claims { mut identity, vectors, opening_scalars } =
        bulletproofs::verify(generators, &mut transcript, &circuit, &argument.tape, &argument.proof)
            .map_err(|_| Refused)?;
    add_openings(dealing, &opening_scalars, &mut identity);
    let purity = purity::equation(&mut transcript, dealing, &argument.purity);
    Ok(vec![identity, vectors, purity])
}

/// A participation may have been decoded for another session.
fn fits<C: SigningCurve>(parameters: &Parameters<C>, dealing: &Dealing<C>, argument: &Argument<C>) -> bool {
    (dealing.coefficients.len() == usize::from(parameters.threshold))
        && (dealing.seats.len() == usize::from(parameters.shape.seats))
        && (dealing.shares.len() == usize::from(parameters.shares))
        && (argument.tape.len() == parameters.shape.commitments())
}

/// Adds the scalar commitments of the circuit: `A_0`, and `Z_j = c_j·G - Σ j^k·A_k`, which nobody sends.
fn add_openings<C: SigningCurve>(
    dealing: &Dealing<C>,
    scalars: &[Scalar<C>],
    identity: &mut Equation<C::Group>,
) {
    let Some((contribution, pads)) = scalars.split_first() else { return };
    let mut sums = vec![Scalar::<C>::ZERO; dealing.coefficients.len()];
    let mut generator = Scalar::<C>::ZERO;
    for ((index, scalar), share) in (1u64..).zip(pads).zip(&dealing.shares) {
        generator += *scalar * share;
        let index = Scalar::<C>::from(index);
        let mut power = *scalar;
        for sum in &mut sums {
            *sum -= power;
            power *= index;
        }
    }
    identity.add_generator(generator);
    if let Some(first) = sums.first_mut() {
        *first += contribution;
    }
    for (sum, coefficient) in sums.iter().zip(&dealing.coefficients) {
        identity.add(*sum, coefficient.point());
    }
}

/// The group's generator times a scalar, in constant time.
fn times_generator<C: SigningCurve>(scalar: &Scalar<C>) -> crate::curves::Point<C> {
    C::Group::mul(scalar, &C::Group::generator())
}
