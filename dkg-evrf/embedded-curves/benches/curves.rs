//! `cargo bench -p embedded-curves`: fields against the crates they replace, curve operations, hash-to-curve, registration.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{hint::black_box, time::Instant};

use curve25519_dalek::scalar::Scalar as Dalek;
use embedded_curves::{
    Affine, Curve, CurveId, EmbeddedCurve, Embedwards25519, Point, Scalar, Secp256k1, Secq256k1,
    field::{Accumulator, Element, Modulus, batch_invert_vartime},
    hash_to_curve,
    point::Multiples,
    registration::{EmbeddedSecret, prove, verify},
};
use ff::Field;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// The least of forty short runs, which a busy machine disturbs less, in nanoseconds for each of `count` operations.
fn time(name: &str, count: u32, mut run: impl FnMut()) {
    let least = (0..40)
        .map(|_| {
            let start = Instant::now();
            (0..count).for_each(|_| run());
            start.elapsed()
        })
        .min()
        .unwrap();
    println!("{name:<48} {:>12.1} ns", least.as_secs_f64() * 1e9 / f64::from(count));
}

fn field<M: Modulus>() {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let (mut a, b) = (Element::<M>::random(&mut rng), Element::<M>::random(&mut rng));
    let name = M::NAME;
    time(&format!("{name}: multiply (latency)"), 5_000, || a *= black_box(b));
    time(&format!("{name}: square (latency)"), 5_000, || a = a.square());
    time(&format!("{name}: add (latency)"), 5_000, || a += black_box(b));
    let mut sum = Accumulator::default();
    time(&format!("{name}: accumulate a product"), 5_000, || sum.add_product(black_box(&a), black_box(&b)));
    black_box(sum.reduce());
    time(&format!("{name}: invert"), 20, || a = (a + b).invert().unwrap());
    time(&format!("{name}: invert in variable time"), 20, || a = (a + b).invert_vartime());
    time(&format!("{name}: square root"), 20, || {
        black_box((a + b).sqrt());
    });
    let mut many: Vec<_> = (0..1000).map(|_| Element::<M>::random(&mut rng)).collect();
    time(&format!("{name}: invert a batch of 1,000"), 2, || batch_invert_vartime(&mut many));
    black_box(a);
}

fn curve<C: Curve>() {
    let mut rng = ChaCha20Rng::from_seed([2; 32]);
    let scalar = Scalar::<C>::random(&mut rng);
    let mut point = Point::<C>::GENERATOR * scalar;
    let other = Point::<C>::GENERATOR;
    let name = C::NAME;
    time(&format!("{name}: add"), 500, || point += black_box(other));
    time(&format!("{name}: add an affine point"), 500, || point = point.add_affine(&Affine::GENERATOR));
    time(&format!("{name}: double"), 500, || point = point.double());
    time(&format!("{name}: multiply"), 4, || point = point * scalar);
    time(&format!("{name}: multiply in variable time"), 4, || point = point.mul_vartime(&scalar));
    let bytes = point.to_affine().unwrap().to_bytes();
    time(&format!("{name}: decode"), 4, || {
        black_box(Affine::<C>::from_bytes_vartime(black_box(&bytes)));
    });
}

fn many<C: Curve>() {
    let mut rng = ChaCha20Rng::from_seed([4; 32]);
    let scalars: Vec<_> = (0..128).map(|_| Scalar::<C>::random(&mut rng)).collect();
    let points: Vec<_> = scalars.iter().map(|s| (Point::<C>::GENERATOR * *s).to_affine().unwrap()).collect();
    let name = C::NAME;
    let tables = Multiples::new(&points);
    time(&format!("{name}: tables of 128 points"), 1, || {
        black_box(Multiples::new(&points));
    });
    time(&format!("{name}: 128 multiplications with tables"), 1, || {
        black_box(tables.multiply(&scalars));
    });
    for count in [8, 32, 128, 1024, 8192] {
        let scalars: Vec<_> = (0..count).map(|_| Scalar::<C>::random(&mut rng)).collect();
        let points: Vec<_> = points.iter().copied().cycle().take(count).collect();
        time(&format!("{name}: {count} in variable time"), 1, || {
            black_box(Point::multiscalar_mul_vartime(&scalars, &points));
        });
    }
}

/// What secp256k1 is measured against.
fn many_by_k256() {
    use k256::elliptic_curve::ops::LinearCombinationExt;
    let terms: Vec<_> = (3..131u64)
        .map(|i| k256::Scalar::from(i).invert().unwrap())
        .map(|scalar| (k256::ProjectivePoint::GENERATOR * scalar, scalar))
        .collect();
    time("k256: 128 multiplications", 1, || {
        black_box(k256::ProjectivePoint::lincomb_ext(terms.as_slice()));
    });
    let mut point = terms[0].0;
    time("k256: add", 500, || point += black_box(terms[1].0));
}

fn hash<C: EmbeddedCurve>() {
    time(&format!("{}: hash to the curve", C::NAME), 4, || {
        black_box(hash_to_curve::<C>("bench ", &[b"message"]));
    });
}

fn registration(curve: CurveId) {
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let secret = EmbeddedSecret::random(curve, &mut rng);
    let (key, proof) = (secret.key(), prove(&[1; 32], &[2; 32], &secret, &mut rng));
    time(&format!("{curve:?}: verify a registration"), 2, || {
        verify(curve, &[1; 32], &[2; 32], &key, black_box(&proof)).unwrap();
    });
}

fn main() {
    let (mut a, b) = (Dalek::from(3u64).invert(), Dalek::from(5u64).invert());
    time("curve25519-dalek Scalar: multiply", 5_000, || a *= black_box(b));
    let (mut c, d) = (k256::Scalar::from(3u64).invert().unwrap(), k256::Scalar::from(5u64).invert().unwrap());
    time("k256 Scalar: multiply", 5_000, || c *= black_box(d));
    black_box((a, c));
    field::<<Embedwards25519 as Curve>::BaseModulus>();
    field::<<Secq256k1 as Curve>::BaseModulus>();
    field::<<Secq256k1 as Curve>::ScalarModulus>();
    curve::<Embedwards25519>();
    curve::<Secq256k1>();
    curve::<Secp256k1>();
    many_by_k256();
    many::<Secp256k1>();
    hash::<Embedwards25519>();
    hash::<Secq256k1>();
    registration(CurveId::Embedwards25519);
    registration(CurveId::Secq256k1);
}
