use embedded_curves::field::Secp256k1Scalar;
use ff::PrimeField;
use k256::elliptic_curve::group::prime::PrimeCurveAffine;
use k256::elliptic_curve::ops::LinearCombinationExt;
use k256::elliptic_curve::sec1::{FromEncodedPoint, ToEncodedPoint};
use k256::{AffinePoint, EncodedPoint, ProjectivePoint, Scalar as Native};
use zeroize::Zeroizing;

use super::ProofCurve;
use crate::generators::GeneratorCache;
use crate::pippenger;

/// The group of secp256k1, over k256, with multi-scalar multiplications of our own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Secp256k1;

static GENERATORS: GeneratorCache<Secp256k1> = GeneratorCache::new();

/// The scalar as k256 has it: big-endian.
fn native(scalar: &Secp256k1Scalar) -> Native {
    let mut bytes = Zeroizing::new(scalar.to_bytes());
    bytes.reverse();
    Option::from(Native::from_repr((*bytes).into())).expect("both fields have the same prime")
}

/// Points that one constant-time multi-scalar multiplication takes at a time: bounds its tables.
const CONSTANT_TIME_CHUNK: usize = 256;

impl ProofCurve for Secp256k1 {
    type Scalar = Secp256k1Scalar;
    type Point = ProjectivePoint;
    type Bytes = [u8; 33];

    const ID: &'static str = "secp256k1";
    const POINT_LEN: usize = 33;

    fn identity() -> Self::Point {
        ProjectivePoint::IDENTITY
    }

    fn generator() -> Self::Point {
        ProjectivePoint::GENERATOR
    }

    fn encode(point: &Self::Point) -> Self::Bytes {
        let encoded = point.to_affine().to_encoded_point(true);
        // SEC1 has one byte for the identity, which has no place in a proof; here it is 33 zeros, which nothing decodes.
        encoded.as_bytes().try_into().unwrap_or([0; 33])
    }

    fn decode(bytes: &[u8]) -> Option<(Self::Point, Self::Bytes)> {
        let bytes = Self::Bytes::try_from(bytes).ok()?;
        if !matches!(bytes, [2 | 3, ..]) {
            return None;
        }
        let encoded = EncodedPoint::from_bytes(bytes).ok()?;
        let point = Option::<AffinePoint>::from(AffinePoint::from_encoded_point(&encoded))?;
        (!bool::from(point.is_identity())).then(|| (point.into(), bytes))
    }

    fn derive(bytes: impl Fn(u32) -> [u8; 64]) -> Self::Point {
        (0..=u32::MAX)
            .find_map(|counter| {
                let uniform = bytes(counter);
                let mut candidate = [0; 33];
                candidate[0] = 2 + (uniform[32] & 1);
                candidate[1..].copy_from_slice(&uniform[..32]);
                Self::decode(&candidate).map(|(point, _)| point)
            })
            .expect("half of all x-coordinates are on the curve")
    }

    fn scalar_from_wide(bytes: &[u8; 64]) -> Self::Scalar {
        Secp256k1Scalar::from_bytes_wide(bytes)
    }

    fn mul(scalar: &Self::Scalar, point: &Self::Point) -> Self::Point {
        point * &native(scalar)
    }

    fn multiscalar_mul(scalars: &[Self::Scalar], points: &[Self::Point]) -> Self::Point {
        let mut sum = ProjectivePoint::IDENTITY;
        for (scalars, points) in scalars.chunks(CONSTANT_TIME_CHUNK).zip(points.chunks(CONSTANT_TIME_CHUNK)) {
            let pairs =
                Zeroizing::new(points.iter().zip(scalars).map(|(p, s)| (*p, native(s))).collect::<Vec<_>>());
            sum += ProjectivePoint::lincomb_ext(pairs.as_slice());
        }
        sum
    }

    fn vartime_multiscalar_mul(scalars: &[Self::Scalar], points: &[Self::Point]) -> Self::Point {
        let scalars = scalars.iter().map(Secp256k1Scalar::to_bytes).collect::<Vec<_>>();
        pippenger::vartime_multiscalar_mul(&scalars, points)
    }

    fn generator_cache() -> &'static GeneratorCache<Self> {
        &GENERATORS
    }
}
