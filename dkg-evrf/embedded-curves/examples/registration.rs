//! An embedded key is made, registered and checked; then two owners agree on a point, as pads do: `cargo run -p embedded-curves
//! --example registration`.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use embedded_curves::registration::{EmbeddedSecret, prove, verify};
use embedded_curves::{Affine, CurveId, Point, Scalar, Secq256k1, hash_to_curve};
use ff::Field;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

fn main() {
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let (genesis, validator) = ([1; 32], [2; 32]);

    let secret = EmbeddedSecret::random(CurveId::Secq256k1, &mut rng);
    let proof = prove(&genesis, &validator, &secret, &mut rng);
    verify(CurveId::Secq256k1, &genesis, &validator, &secret.key(), &proof).unwrap();
    assert!(verify(CurveId::Secq256k1, &genesis, &[9; 32], &secret.key(), &proof).is_err());
    println!("registered the key {:02x?}…", &secret.key()[..4]);

    // x·P = p·X for X = x·B: constant time where a secret meets a point, variable time for decoding what is public.
    let key = Affine::<Secq256k1>::from_bytes_vartime(&secret.key()).unwrap();
    let p = Scalar::<Secq256k1>::from_bytes(secret.as_bytes()).unwrap();
    let x = Scalar::<Secq256k1>::random(&mut rng);
    let ephemeral = Point::<Secq256k1>::GENERATOR * x;
    assert!(Point::from(key) * x == ephemeral * p);

    // A point whose logarithm nobody knows.
    let point = hash_to_curve::<Secq256k1>("example ", &[b"context"]);
    println!("hashed to the curve: {:02x?}…", &point.to_bytes()[..4]);
}
