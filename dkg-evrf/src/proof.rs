//! The proof that a dealing is right: the argument over its claims, then the purity of its points (rules EVRF-6 to EVRF-8).
//!
//! ```text
//! statement -> tape's commitments -> gadget's challenge -> circuit -> argument -> purity        (one transcript)
//! ```

#![deny(clippy::indexing_slicing)]

pub(crate) mod claims;
pub(crate) mod purity;

use arithmetic_bulletproofs::{
    self as bulletproofs, Circuit, CommittedTape, Equation, Member, Proof, ProofCurve, Transcript,
};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::curves::{Scalar, SigningCurve};
use crate::error::Error;
use crate::parameters::{Parameters, ValidatorIndex};
use crate::participation::{Argument, Dealing};
use crate::parts::part;
use crate::secrets::{Blinding, Dealt, Secret};
use crate::transcript;

pub(crate) use claims::{Shape, Tables};

/// A dealing's proof is refused without any multi-scalar multiplication.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refused;

/// What the prover knows.
pub(crate) struct Witness<C: SigningCurve> {
    /// The digits and divisors of all claims.
    pub(crate) tape: Zeroizing<Vec<Scalar<C>>>,
    /// `a_0`, then `z_1 .. z_n`.
    pub(crate) openings: Zeroizing<Vec<Scalar<C>>>,
    /// The components of `A_0` and `Z_j` along the blinding generator: an honest dealer's are zero.
    pub(crate) blinds: Zeroizing<Vec<Scalar<C>>>,
    /// `a_0 .. a_(t-1)`
    pub(crate) polynomial: Zeroizing<Vec<Scalar<C>>>,
}

/// Proves a dealing.
pub(crate) fn prove<C: SigningCurve>(
    parameters: &Parameters<C>,
    dealer: ValidatorIndex,
    dealing: &Dealing<C>,
    dealt: &Dealt<C>,
    secret: &Secret<C>,
    rng: &mut (impl RngCore + CryptoRng),
    threads: usize,
) -> Result<Argument<C>, Error> {
    let claims = claims::Claims::new(parameters, dealer, dealing).map_err(|_| Error::Degenerate)?;
    let mut openings = Zeroizing::new(Vec::with_capacity(1 + dealt.pads.len()));
    openings.extend(dealt.polynomial.first());
    openings.extend_from_slice(&dealt.pads);
    let witness = Witness {
        tape: part("prove: divisors", || claims.fill(dealt, secret, threads))?,
        blinds: Zeroizing::new(vec![Scalar::<C>::default(); openings.len()]),
        openings,
        polynomial: Zeroizing::new(dealt.polynomial.clone()),
    };
    let proving = Proving::new(parameters, dealer, dealing, witness, secret, rng, threads)?;
    proving.finish(secret, rng, |transcript, circuit, (tape, blinds), rng| {
        bulletproofs::prove(&parameters.generators, transcript, circuit, tape, blinds, rng, threads)
    })
}

/// A prover which has committed to its tape and filled its circuit, from a witness which is taken as it is.
pub(crate) struct Proving<C: SigningCurve> {
    transcript: Transcript,
    committed: CommittedTape<C::Group>,
    pub(crate) circuit: Circuit<Scalar<C>>,
    blinds: Zeroizing<Vec<Scalar<C>>>,
    polynomial: Zeroizing<Vec<Scalar<C>>>,
}

impl<C: SigningCurve> Proving<C> {
    pub(crate) fn new(
        parameters: &Parameters<C>,
        dealer: ValidatorIndex,
        dealing: &Dealing<C>,
        witness: Witness<C>,
        secret: &Secret<C>,
        rng: &mut (impl RngCore + CryptoRng),
        threads: usize,
    ) -> Result<Self, Error> {
        let generators = &*parameters.generators;
        let member = parameters.member(dealer)?;
        let mut transcript = transcript::statement(parameters, dealer, &member.embedded_key_bytes, dealing);
        let claims = claims::Claims::new(parameters, dealer, dealing).map_err(|_| Error::Degenerate)?;
        let mut blinding = secret.blinding(&transcript::fingerprint(&transcript), rng);
        let committed = part("prove: tape's commitments", || {
            CommittedTape::new(generators, &witness.tape, &mut blinding, threads)
        });
        transcript.vector_commitments(generators.rows(), committed.elements());
        let challenge = part("prove: tables", || claims.challenge(&mut transcript));
        let mut circuit = Circuit::proving(witness.tape.to_vec(), witness.openings.to_vec());
        part("prove: circuit", || claims.constrain(&challenge, &mut circuit))?;
        let Witness { blinds, polynomial, .. } = witness;
        Ok(Self { transcript, committed, circuit, blinds, polynomial })
    }

    /// Proves the circuit by `argue`, then purity.
    pub(crate) fn finish(
        mut self,
        secret: &Secret<C>,
        rng: &mut (impl RngCore + CryptoRng),
        argue: impl FnOnce(
            &mut Transcript,
            &Circuit<Scalar<C>>,
            (&CommittedTape<C::Group>, &[Scalar<C>]),
            &mut Blinding,
        ) -> Result<Proof<C::Group>, bulletproofs::Error>,
    ) -> Result<Argument<C>, Error> {
        let transcript = &mut self.transcript;
        let mut blinding =
            |transcript: &Transcript| secret.blinding(&transcript::fingerprint(transcript), rng);
        let mut of_argument = blinding(transcript);
        let proof = part("prove: argument", || {
            argue(transcript, &self.circuit, (&self.committed, &self.blinds), &mut of_argument)
        });
        let proof = proof.map_err(|_| Error::SelfCheck)?;
        let purity = purity::prove(transcript, &self.polynomial, blinding);
        Ok(Argument { tape: self.committed.elements().to_vec(), proof, purity })
    }
}

/// The equations which make a dealing valid, bound to all of it.
pub(crate) fn equations<C: SigningCurve>(
    parameters: &Parameters<C>,
    dealer: ValidatorIndex,
    dealing: &Dealing<C>,
    argument: &Argument<C>,
) -> Result<Member<C::Group>, Refused> {
    let Read { identity, vectors, mut transcript } = read(parameters, dealer, dealing, argument)?;
    let purity = purity::equation(&mut transcript, dealing, &argument.purity);
    let binding = transcript::binding::<C>(&mut transcript, &argument.purity.response);
    Ok(Member { binding, equations: vec![identity, vectors, purity] })
}

/// The equations of the argument, and the transcript after it.
pub(crate) struct Read<C: SigningCurve> {
    pub(crate) identity: Equation<C::Group>,
    pub(crate) vectors: Equation<C::Group>,
    pub(crate) transcript: Transcript,
}

/// Reads the argument, without the purity proof.
pub(crate) fn read<C: SigningCurve>(
    parameters: &Parameters<C>,
    dealer: ValidatorIndex,
    dealing: &Dealing<C>,
    argument: &Argument<C>,
) -> Result<Read<C>, Refused> {
    let generators = &*parameters.generators;
    let member = parameters.member(dealer).map_err(|_| Refused)?;
    if !fits(parameters, dealing, argument) {
        return Err(Refused);
    }
    let mut transcript = transcript::statement(parameters, dealer, &member.embedded_key_bytes, dealing);
    let claims = part("verify: tables", || claims::Claims::new(parameters, dealer, dealing))?;
    transcript.vector_commitments(generators.rows(), &argument.tape);
    let challenge = part("verify: tables", || claims.challenge(&mut transcript));
    let mut circuit = Circuit::verifying(parameters.shape.tape_len, 1 + dealing.shares.len());
    part("verify: circuit", || claims.constrain(&challenge, &mut circuit)).map_err(|_| Refused)?;
    let claims = part("verify: scalars", || {
        bulletproofs::verify(generators, &mut transcript, &circuit, &argument.tape, &argument.proof)
    });
    let bulletproofs::Claims { mut identity, vectors, opening_scalars } = claims.map_err(|_| Refused)?;
    part("verify: scalars", || add_openings(dealing, &opening_scalars, &mut identity));
    Ok(Read { identity, vectors, transcript })
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
