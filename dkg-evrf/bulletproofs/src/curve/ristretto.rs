use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar as Native;
use curve25519_dalek::traits::{Identity, IsIdentity, MultiscalarMul, VartimeMultiscalarMul};
use embedded_curves::field::RistrettoScalar;
use zeroize::Zeroizing;

use super::ProofCurve;
use crate::generators::GeneratorCache;

/// The Ristretto group, over curve25519-dalek.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ristretto;

static GENERATORS: GeneratorCache<Ristretto> = GeneratorCache::new();

/// The scalar as curve25519-dalek has it. Both encodings are little-endian and canonical.
fn native(scalar: &<Ristretto as ProofCurve>::Scalar) -> Native {
    Native::from_bytes_mod_order(scalar.to_bytes())
}

impl ProofCurve for Ristretto {
    type Scalar = RistrettoScalar;
    type Point = RistrettoPoint;
    type Bytes = [u8; 32];
    type Prepared = Vec<RistrettoPoint>;

    const ID: &'static str = "ristretto";
    const POINT_LEN: usize = 32;

    fn identity() -> Self::Point {
        RistrettoPoint::identity()
    }

    fn generator() -> Self::Point {
        RISTRETTO_BASEPOINT_POINT
    }

    fn encode(point: &Self::Point) -> Self::Bytes {
        point.compress().to_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<(Self::Point, Self::Bytes)> {
        let compressed = CompressedRistretto::from_slice(bytes).ok()?;
        let point = compressed.decompress()?;
        (!point.is_identity()).then_some((point, compressed.to_bytes()))
    }

    fn derive(bytes: impl Fn(u32) -> [u8; 64]) -> Self::Point {
        RistrettoPoint::from_uniform_bytes(&bytes(0))
    }

    fn scalar_from_wide(bytes: &[u8; 64]) -> Self::Scalar {
        RistrettoScalar::from_bytes_wide(bytes)
    }

    fn mul(scalar: &Self::Scalar, point: &Self::Point) -> Self::Point {
        native(scalar) * point
    }

    fn prepare(points: &[Self::Point]) -> Self::Prepared {
        points.to_vec()
    }

    fn prepared_multiscalar_mul(points: &Self::Prepared, scalars: &[Self::Scalar]) -> Self::Point {
        let natives = Zeroizing::new(scalars.iter().map(native).collect::<Vec<_>>());
        RistrettoPoint::multiscalar_mul(natives.iter(), &points[..scalars.len()])
    }

    fn vartime_multiscalar_mul(scalars: &[Self::Scalar], points: &[Self::Point]) -> Self::Point {
        RistrettoPoint::vartime_multiscalar_mul(scalars.iter().map(native), points)
    }

    fn generator_cache() -> &'static GeneratorCache<Self> {
        &GENERATORS
    }
}
