//! Knowledge of a root of x³ + x + 5 = 35, whose value another commitment V = x·G opens to: `cargo run -p arithmetic-bulletproofs
//! --example committed_root`.
//!
//! Statement: V. Tape: x, committed to before anything else. Rows: x·x = x², x²·x = x³. Constraints: x³ + x + 5 − 35 = 0, and
//! that the tape's x is what V commits to.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use arithmetic_bulletproofs::{
    Batch, Circuit, CommittedTape, Element, Generators, LinearCombination, Member, ProofCurve, Ristretto,
    Transcript, Variable, prove, verify,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

type Scalar = <Ristretto as ProofCurve>::Scalar;

const ROWS: usize = 2;
const TAPE_LEN: usize = 1;

/// The same for prover and verifier.
fn build(circuit: &mut Circuit<Scalar>) {
    let (x, value) = (Variable::Committed(0), Variable::Opening(0));
    let square = circuit.multiply(x.into(), x.into());
    let cube = circuit.multiply(square.output.into(), x.into());
    let polynomial = LinearCombination::from(cube.output).term(x, Scalar::ONE);
    circuit.constrain(polynomial.plus(-Scalar::from(30)));
    circuit.constrain(LinearCombination::from(x).term(value, -Scalar::ONE));
}

/// The statement comes first, then the tape's commitments.
fn transcript(statement: &Element<Ristretto>, tape: &[Element<Ristretto>]) -> Transcript {
    let mut transcript = Transcript::new(b"example of a committed root");
    transcript.append(b"V", statement.bytes());
    transcript.vector_commitments(ROWS, tape);
    transcript
}

fn main() {
    let rng = &mut ChaCha20Rng::from_seed([1; 32]);
    let generators = Generators::<Ristretto>::cached(ROWS).unwrap();

    // The prover. Its V has no blinding: it would stand in `opening_blinds`.
    let x = Scalar::from(3);
    let statement = Element::new(Ristretto::mul(&x, &Ristretto::generator()));
    let committed = CommittedTape::new(&generators, &[x], rng, 1);
    let mut circuit = Circuit::proving(vec![x], vec![x]);
    build(&mut circuit);
    assert_eq!(circuit.unsatisfied(), None);
    let mut proving = transcript(&statement, committed.elements());
    let proof = prove(&generators, &mut proving, &circuit, &committed, &[Scalar::ZERO], rng, 1).unwrap();
    let mut bytes = Vec::new();
    proof.encode(&mut bytes);
    println!(
        "the proof has {} bytes, besides the {} of the tape's commitments",
        bytes.len(),
        32 * committed.elements().len()
    );

    // The verifier has V, the tape's commitments and the proof.
    let mut circuit = Circuit::verifying(TAPE_LEN, 1);
    build(&mut circuit);
    let mut verifying = transcript(&statement, committed.elements());
    let mut claims = verify(&generators, &mut verifying, &circuit, committed.elements(), &proof).unwrap();
    claims.identity.add(claims.opening_scalars[0], statement.point());
    let member =
        Member { binding: verifying.challenge(b"binding"), equations: vec![claims.identity, claims.vectors] };
    let valid = Batch::new(vec![member]).verify(&generators, rng, 1, &mut || true).unwrap();
    assert_eq!(valid, [true]);
    println!("valid");
}
