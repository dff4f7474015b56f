//! That one secret k stands behind a public point k·B and behind a committed point k·P: `cargo run --release -p divisor-circuit --example
//! discrete_log`.
//!
//! The tape, committed to before the challenge, holds k's digits and each claim's function; the circuit under the challenge's line
//! says that the functions have the divisors that they claim. The committed point's coordinates can be used in further constraints;
//! here, its x is shown to be a public value.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::sync::Arc;

use arithmetic_bulletproofs::{
    Batch, Circuit, CommittedTape, Element, Generators, LinearCombination, Member, ProofCurve, Ristretto,
    Transcript, prove, verify,
};
use divisor_circuit::{Claims, Digits, Output, Table};
use embedded_curves::{Affine, Base, Embedwards25519 as Curve, Point, Scalar, hash_to_curve};
use ff::Field;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// Rows of the argument: a power of two that holds the circuit's.
const ROWS: usize = 64;

struct Statement {
    public: Affine<Curve>,
    base: Affine<Curve>,
    x: Base<Curve>,
}

impl Statement {
    /// The same for prover and verifier.
    fn claims(&self) -> (Claims<Curve>, Output) {
        let mut claims = Claims::new();
        let k = claims.scalar();
        let generator = claims.table(&Arc::new(Table::new(Affine::GENERATOR)));
        let base = claims.table(&Arc::new(Table::new(self.base)));
        claims.public(k, generator, self.public);
        let output = claims.committed(k, base);
        (claims, output)
    }

    fn transcript(&self, tape: &[Element<Ristretto>]) -> Transcript {
        let mut transcript = Transcript::new(b"example of a discrete logarithm");
        transcript.append(b"kB", &self.public.to_bytes());
        transcript.append(b"P", &self.base.to_bytes());
        transcript.append(b"x", &self.x.to_bytes());
        transcript.vector_commitments(ROWS, tape);
        transcript
    }

    fn build(&self, circuit: &mut Circuit<Base<Curve>>, transcript: &mut Transcript) {
        let (claims, output) = self.claims();
        let challenge = claims.challenge(&transcript.challenge(b"line"));
        claims.constrain(circuit, &challenge).unwrap();
        circuit.constrain(LinearCombination::from(output.x).plus(-self.x));
    }
}

fn main() {
    let rng = &mut ChaCha20Rng::from_seed([2; 32]);
    let generators = Generators::<Ristretto>::cached(ROWS).unwrap();

    // The prover.
    let k = Scalar::<Curve>::random(&mut *rng);
    let base = hash_to_curve::<Curve>("example ", &[b"base"]);
    let public = (Point::GENERATOR * k).to_affine().unwrap();
    let x = (Point::from(base) * k).to_affine().unwrap().x();
    let statement = Statement { public, base, x };
    let tape = statement.claims().0.witness(&[Digits::new(&k).unwrap()], 1).unwrap().tape;
    let committed = CommittedTape::new(&generators, &tape, rng, 1);
    let mut transcript = statement.transcript(committed.elements());
    let mut circuit = Circuit::proving(tape.to_vec(), Vec::new());
    statement.build(&mut circuit, &mut transcript);
    assert_eq!(circuit.unsatisfied(), None);
    let proof = prove(&generators, &mut transcript, &circuit, &committed, &[], rng, 1).unwrap();
    println!("{} scalars on the tape, {} rows", tape.len(), circuit.rows());

    // The verifier.
    let mut transcript = statement.transcript(committed.elements());
    let mut circuit = Circuit::verifying(statement.claims().0.tape_len(), 0);
    statement.build(&mut circuit, &mut transcript);
    let claims = verify(&generators, &mut transcript, &circuit, committed.elements(), &proof).unwrap();
    let equations = vec![claims.identity, claims.vectors];
    let member = Member { binding: transcript.challenge(b"binding"), equations };
    let valid = Batch::<Ristretto>::new(vec![member]).verify(&generators, rng, 1, &mut || true).unwrap();
    assert_eq!(valid, [true]);
    let group = Ristretto::ID;
    println!("valid, over {group}");
}
