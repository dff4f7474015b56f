//! Looks for timing that depends on secrets: `cargo run --release -p dkg-evrf --example timing -- [seconds for each operation]`.
//!
//! Each operation that meets secrets runs on a fixed secret and on fresh random ones, in random order. Welch's t-test compares the times
//! of both, once with all of them and once without the slowest tenth, which the machine disturbed. A |t| that stays above 10 as the
//! seconds grow says that time depends on the secret; below 4.5 nothing was found, which proves nothing. It is not a test of CI: what it
//! finds depends on the machine's quiet. That secrets meet code without branches and indices only is by construction (CURVE-13,
//! GADGET-8, GBP-9).
//!
//! Source: O. Reparaz, J. Balasch, I. Verbauwhede, *Dude, is my code constant time?* (2017).

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arithmetic_bulletproofs::{ProofCurve, Ristretto, Secp256k1};
use divisor_circuit::{Claims, Digits, DivisorCurve, Table};
use embedded_curves::field::{Element, Modulus, batch_invert};
use embedded_curves::{Affine, Curve, Embedwards25519, Point, Scalar, Secq256k1, hash_to_curve};
use ff::Field;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// Times of the operation on the fixed secret, and on random ones.
#[derive(Default)]
struct Samples([Vec<f64>; 2]);

impl Samples {
    /// Welch's t over the times up to a limit.
    fn t(&self, limit: f64) -> f64 {
        let [fixed, random] = &self.0;
        let moments = |times: &[f64]| {
            let times = times.iter().filter(|time| **time <= limit).collect::<Vec<_>>();
            let n = times.len() as f64;
            let mean = times.iter().copied().sum::<f64>() / n;
            let variance = times.iter().map(|time| (*time - mean).powi(2)).sum::<f64>() / (n - 1.0);
            (mean, variance / n)
        };
        let ((m1, v1), (m2, v2)) = (moments(fixed), moments(random));
        (m1 - m2) / (v1 + v2).sqrt()
    }

    /// The time that nine tenths stay below.
    fn most(&self) -> f64 {
        let mut all = self.0.concat();
        all.sort_by(f64::total_cmp);
        all[all.len() * 9 / 10]
    }
}

/// Times an operation on secrets that `secret(fixed, rng)` makes.
fn compare<T>(
    name: &str,
    seconds: u64,
    secret: impl Fn(bool, &mut ChaCha20Rng) -> T,
    operation: impl Fn(&T),
) {
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let mut samples = Samples::default();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) || samples.0[0].len() < 100 {
        // Made before, and in random order, so that neither caches nor predictors tell them apart.
        let order = (0..64).map(|_| rng.next_u32() % 2 == 0).collect::<Vec<_>>();
        let secrets = order.iter().map(|fixed| secret(*fixed, rng)).collect::<Vec<_>>();
        for (fixed, secret) in order.iter().zip(&secrets) {
            let start = Instant::now();
            operation(black_box(secret));
            samples.0[usize::from(!fixed)].push(start.elapsed().as_secs_f64());
        }
    }
    let count = samples.0[0].len() + samples.0[1].len();
    let (all, most) = (samples.t(f64::INFINITY), samples.t(samples.most()));
    println!("{name:<56} {count:>9} {all:>9.2} {most:>9.2}");
}

fn element<M: Modulus>(fixed: bool, rng: &mut ChaCha20Rng) -> Element<M> {
    if fixed { Element::ONE } else { Element::random(rng) }
}

fn field<M: Modulus>(seconds: u64) {
    let name = M::NAME;
    // A thousand, since one is shorter than the clock's step.
    compare(&format!("{name}: 1,000 multiplications"), seconds, element::<M>, |secret| {
        let mut product = *secret;
        (0..1000).for_each(|_| product *= black_box(secret));
        black_box(product);
    });
    compare(&format!("{name}: invert"), seconds, element::<M>, |secret| {
        black_box(secret.invert());
    });
    compare(&format!("{name}: invert 64"), seconds, element::<M>, |secret| {
        batch_invert(&mut black_box([*secret; 64]));
    });
}

fn curve<C: DivisorCurve>(seconds: u64) {
    let name = C::NAME;
    let scalar = element::<<C as Curve>::ScalarModulus>;
    compare(&format!("{name}: multiply a point"), seconds, scalar, |secret: &Scalar<C>| {
        black_box(Point::<C>::GENERATOR * *secret);
    });
    compare(&format!("{name}: digits of a scalar"), seconds, scalar, |secret: &Scalar<C>| {
        black_box(Digits::<C>::new(secret).is_ok());
    });
    let base: Affine<C> = hash_to_curve("timing ", &[]);
    let mut claims = Claims::<C>::new();
    let of_secret = claims.scalar();
    let table = claims.table(&Arc::new(Table::new(base)));
    claims.committed(of_secret, table);
    let digits = |fixed, rng: &mut ChaCha20Rng| [Digits::<C>::new(&scalar(fixed, rng)).unwrap()];
    compare(&format!("{name}: divisor of a claim"), seconds, digits, |digits| {
        black_box(claims.witness(digits, 1).is_ok());
    });
}

fn group<C: ProofCurve>(seconds: u64) {
    let point = |index: u8| C::derive(|counter| [index ^ counter.to_le_bytes()[0].rotate_left(4); 64]);
    let points = C::prepare(&(0..64).map(point).collect::<Vec<_>>());
    let secret = |fixed: bool, rng: &mut ChaCha20Rng| -> Vec<C::Scalar> {
        (0..64).map(|_| if fixed { C::Scalar::ONE } else { C::random_scalar(rng) }).collect()
    };
    let name = C::ID;
    compare(&format!("{name}: 64 prepared multiplications"), seconds, secret, |secret| {
        black_box(C::prepared_multiscalar_mul(&points, secret));
    });
    compare(&format!("{name}: multiply a point"), seconds, secret, |secret| {
        black_box(C::mul(&secret[0], &C::generator()));
    });
}

fn main() {
    let seconds = std::env::args().nth(1).map_or(5, |seconds| seconds.parse().unwrap());
    println!("{:<56} {:>9} {:>9} {:>9}", "operation", "samples", "t", "t of 90 %");
    field::<<Embedwards25519 as Curve>::BaseModulus>(seconds);
    field::<<Secq256k1 as Curve>::BaseModulus>(seconds);
    field::<<Secq256k1 as Curve>::ScalarModulus>(seconds);
    curve::<Embedwards25519>(seconds);
    curve::<Secq256k1>(seconds);
    group::<Ristretto>(seconds);
    group::<Secp256k1>(seconds);
}
