//! The unit U, with which figures carry from machine to machine.

use std::time::Instant;

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

const POINTS: usize = 1 << 16;

/// The shortest of three runs, in seconds.
pub(crate) fn measure() -> f64 {
    let rng = &mut ChaCha20Rng::seed_from_u64(0);
    let mut wide = || {
        let mut bytes = [0; 64];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    let points = (0..POINTS).map(|_| RistrettoPoint::from_uniform_bytes(&wide())).collect::<Vec<_>>();
    let scalars = (0..POINTS).map(|_| Scalar::from_bytes_mod_order_wide(&wide())).collect::<Vec<_>>();
    shortest(3, || {
        std::hint::black_box(RistrettoPoint::vartime_multiscalar_mul(&scalars, &points));
    })
}

/// The shortest of several runs, in seconds.
pub(crate) fn shortest(runs: usize, mut run: impl FnMut()) -> f64 {
    let timed = (0..runs).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    timed.reduce(f64::min).unwrap()
}
