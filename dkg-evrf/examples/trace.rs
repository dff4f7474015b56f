//! One operation on one secret, for a tool that counts instructions: are there as many for another secret?
//!
//! ```text
//! cargo build --release -p dkg-evrf --example trace
//! for seed in 1 2 3; do valgrind --tool=lackey --basic-counts=yes target/release/examples/trace divisor-secq256k1 $seed; done
//! ```
//!
//! prints, among others, how many branches were executed, how many were taken, and how many instructions there were. All of these are
//! the same for every seed if no branch depends on the secret. Without arguments, the operations' names are printed. Addresses are not
//! compared: that no index depends on a secret is by construction. Decision 0087 says what this found.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use arithmetic_bulletproofs::{ProofCurve, Ristretto, Secp256k1};
use divisor_circuit::{Claims, Digits, DivisorCurve, Table};
use embedded_curves::field::{Accumulator, Element, Modulus, batch_invert};
use embedded_curves::{Affine, Curve, Embedwards25519, Point, Scalar, Secq256k1, hash_to_curve};
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

fn divisor<C: DivisorCurve>(rng: &mut ChaCha20Rng) {
    let base: Affine<C> = hash_to_curve("trace ", &[]);
    let mut claims = Claims::<C>::new();
    let (first, second) = (claims.scalar(), claims.scalar());
    let table = claims.table(&Arc::new(Table::new(base)));
    claims.committed(first, table);
    claims.committed(second, table);
    for _ in 0..TIMES {
        let digits = [(); 2].map(|()| Digits::<C>::new(&Scalar::<C>::random(&mut *rng)).unwrap());
        black_box(claims.witness(&digits, 1).unwrap());
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
    let operations: [(&str, Operation); 9] = [
        ("field-ristretto-order", field::<<Embedwards25519 as Curve>::BaseModulus>),
        ("field-secp256k1-order", field::<<Secq256k1 as Curve>::BaseModulus>),
        ("field-secp256k1", field::<<Secq256k1 as Curve>::ScalarModulus>),
        ("multiply-embedwards25519", multiply::<Embedwards25519>),
        ("multiply-secq256k1", multiply::<Secq256k1>),
        ("divisor-embedwards25519", divisor::<Embedwards25519>),
        ("divisor-secq256k1", divisor::<Secq256k1>),
        ("group-ristretto", group::<Ristretto>),
        ("group-secp256k1", group::<Secp256k1>),
    ];
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let [name, seed] = &*arguments else {
        return operations.iter().for_each(|(name, _)| println!("{name}"));
    };
    let (_, operation) = operations.iter().find(|(known, _)| known == name).unwrap();
    operation(&mut ChaCha20Rng::seed_from_u64(seed.parse().unwrap()));
}
