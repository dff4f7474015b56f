//! One operation on one secret, for a tool that counts instructions: are there as many for another secret?
//!
//! ```text
//! cargo build --release -p dkg-evrf --example trace
//! for seed in 1 2 3; do valgrind --tool=lackey --basic-counts=yes target/release/examples/trace divisor-secq256k1 $seed; done
//! ```
//!
//! prints, among others, how many branches were executed, how many were taken, and how many instructions there were. All of these are
//! the same for every seed if no branch depends on the secret. Without arguments, the operations' names are printed. Addresses are not
//! compared: that no index depends on a secret is by construction. `constant-time.sh` does this for all operations; decision 0087 says
//! what it found.
//!
//! The argument is traced with one row, so that it has no halvings: those see masked values only, and take variable time. For the same
//! reason a whole `participate` cannot be compared. What is left out with it, since only the library itself can call it: the derivation
//! of what is dealt (hashes, and multiplications as in `multiply`), the dealing's points (as in `group`), and purity.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use arithmetic_bulletproofs::{
    Circuit, CommittedTape, Generators, LinearCombination, ProofCurve, Ristretto, Secp256k1, Transcript,
    Variable, prove,
};
use divisor_circuit::{Claims, Digits, DivisorCurve, Table};
use embedded_curves::field::{Accumulator, Element, Modulus, batch_invert};
use embedded_curves::registration::{self, EmbeddedSecret};
use embedded_curves::{
    Affine, Curve, EmbeddedCurve, Embedwards25519, Point, Scalar, Secq256k1, hash_to_curve,
};
use ff::Field;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Often enough that a rare branch shows.
const TIMES: usize = 6;

fn field<M: Modulus>(rng: &mut ChaCha20Rng) {
    for _ in 0..TIMES {
        let secrets: [Element<M>; 8] = std::array::from_fn(|_| Element::random(&mut *rng));
        let [a, b, ..] = secrets;
        black_box([a + b, a - b, -a, a * b, a.square(), a.double()]);
        black_box((a.invert(), a.to_bytes(), a.parity(), a == b));
        black_box(Element::<M>::from_bytes(&a.to_bytes()));
        let mut sum = Accumulator::default();
        for secret in &secrets {
            sum.add_product(secret, &a);
        }
        black_box(sum.reduce());
        batch_invert(&mut black_box(secrets));
    }
}

fn multiply<C: DivisorCurve>(rng: &mut ChaCha20Rng) {
    for _ in 0..TIMES {
        let point = Point::<C>::GENERATOR * Scalar::<C>::random(&mut *rng);
        black_box(point.to_affine().unwrap().x());
    }
}

fn register<C: EmbeddedCurve>(rng: &mut ChaCha20Rng) {
    for _ in 0..TIMES {
        let secret = EmbeddedSecret::random(C::ID, rng);
        black_box(registration::prove(&[1; 32], &[2; 32], &secret, rng));
    }
}

/// Two claims about secrets. Their outputs are committed: a public one would be in the challenge, which takes variable time.
fn claims<C: DivisorCurve>() -> Claims<C> {
    let base: Affine<C> = hash_to_curve("trace ", &[]);
    let mut claims = Claims::<C>::new();
    let (first, second) = (claims.scalar(), claims.scalar());
    let table = claims.table(&Arc::new(Table::new(base)));
    claims.committed(first, table);
    claims.committed(second, table);
    claims
}

fn random_digits<C: DivisorCurve>(rng: &mut ChaCha20Rng) -> [Digits<C>; 2] {
    [(); 2].map(|()| Digits::<C>::new(&Scalar::<C>::random(&mut *rng)).unwrap())
}

fn divisor<C: DivisorCurve>(rng: &mut ChaCha20Rng) {
    let claims = claims::<C>();
    for _ in 0..TIMES {
        black_box(claims.witness(&random_digits(rng), 1).unwrap());
    }
}

/// The prover's circuit of claims, under a challenge that is always the same.
fn constrain<C: DivisorCurve>(rng: &mut ChaCha20Rng) {
    let claims = claims::<C>();
    let challenge = claims.challenge(&[7; 64]);
    for _ in 0..TIMES {
        let witness = claims.witness(&random_digits(rng), 1).unwrap();
        let mut circuit = Circuit::proving(witness.tape.to_vec(), Vec::new());
        claims.constrain(&mut circuit, &challenge).unwrap();
        black_box(&circuit);
    }
}

/// The argument of one row, so without halvings: commitments, polynomials, their product, and their evaluation.
fn argument<C: ProofCurve>(rng: &mut ChaCha20Rng) {
    let generators = Generators::<C>::cached(1).unwrap();
    let one = <C::Scalar as Field>::ONE;
    let ones: Arc<[_]> = vec![one; 8].into();
    for _ in 0..TIMES {
        let tape = ones.iter().map(|_| C::random_scalar(rng)).collect::<Vec<_>>();
        let committed = CommittedTape::new(&generators, &tape, rng, 1);
        let mut transcript = Transcript::new(b"trace");
        transcript.vector_commitments(1, committed.elements());
        let sum = tape.iter().sum();
        let mut circuit = Circuit::proving(tape, vec![sum]);
        let row = circuit.multiply(Variable::Committed(0).into(), Variable::Committed(1).into());
        circuit.constrain(LinearCombination::from(Variable::Opening(0)).block(0, &ones, -one));
        // Any linear relation will do: that it holds is not looked at.
        circuit.constrain(LinearCombination::from(row.output).term(Variable::Committed(2), one));
        let blind = [C::random_scalar(rng)];
        let proof = prove(&generators, &mut transcript, &circuit, &committed, &blind, rng, 1);
        black_box(proof.unwrap());
    }
}

fn group<C: ProofCurve>(rng: &mut ChaCha20Rng) {
    let point = |index: u8| C::derive(|counter| [index ^ counter.to_le_bytes()[0].rotate_left(4); 64]);
    let points = C::prepare(&(0..32).map(point).collect::<Vec<_>>());
    for _ in 0..TIMES {
        let secrets = (0..32).map(|_| C::random_scalar(rng)).collect::<Vec<_>>();
        black_box(C::prepared_multiscalar_mul(&points, &secrets));
        black_box(C::mul(&secrets[0], &C::generator()));
    }
}

type Operation = fn(&mut ChaCha20Rng);

fn main() {
    let operations: [(&str, Operation); 15] = [
        ("field-ristretto-order", field::<<Embedwards25519 as Curve>::BaseModulus>),
        ("field-secp256k1-order", field::<<Secq256k1 as Curve>::BaseModulus>),
        ("field-secp256k1", field::<<Secq256k1 as Curve>::ScalarModulus>),
        ("multiply-embedwards25519", multiply::<Embedwards25519>),
        ("multiply-secq256k1", multiply::<Secq256k1>),
        ("register-embedwards25519", register::<Embedwards25519>),
        ("register-secq256k1", register::<Secq256k1>),
        ("divisor-embedwards25519", divisor::<Embedwards25519>),
        ("divisor-secq256k1", divisor::<Secq256k1>),
        ("constrain-embedwards25519", constrain::<Embedwards25519>),
        ("constrain-secq256k1", constrain::<Secq256k1>),
        ("group-ristretto", group::<Ristretto>),
        ("group-secp256k1", group::<Secp256k1>),
        ("argument-ristretto", argument::<Ristretto>),
        ("argument-secp256k1", argument::<Secp256k1>),
    ];
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let [name, seed] = &*arguments else {
        return operations.iter().for_each(|(name, _)| println!("{name}"));
    };
    let (_, operation) = operations.iter().find(|(known, _)| known == name).unwrap();
    operation(&mut ChaCha20Rng::seed_from_u64(seed.parse().unwrap()));
}
