use embedded_curves::field::{Secp256k1Scalar, Secq256k1Scalar};
use embedded_curves::point::Multiples;
use embedded_curves::{Affine, Point, Secp256k1 as Curve};
use ff::Field;
use subtle::{Choice, ConditionallySelectable};

use super::ProofCurve;
use crate::generators::GeneratorCache;

/// The group of secp256k1, on the same field code as the embedded curves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Secp256k1;

static GENERATORS: GeneratorCache<Secp256k1> = GeneratorCache::new();

impl ProofCurve for Secp256k1 {
    type Scalar = Secp256k1Scalar;
    type Point = Point<Curve>;
    type Prepared = Multiples<Curve>;
    type Bytes = [u8; 33];

    const ID: &'static str = "secp256k1";
    const POINT_LEN: usize = 33;

    fn identity() -> Self::Point {
        Point::IDENTITY
    }

    fn generator() -> Self::Point {
        Point::GENERATOR
    }

    /// SEC1, compressed. The identity, which has no place in a proof, is 33 zeros, which nothing decodes.
    fn encode(point: &Self::Point) -> Self::Bytes {
        let mut bytes = [0; 33];
        if let Some(affine) = Option::<Affine<Curve>>::from(point.to_affine()) {
            let [sign, x @ ..] = &mut bytes;
            *sign = 2 + affine.y().parity().unwrap_u8();
            *x = affine.x().to_bytes();
            x.reverse();
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<(Self::Point, Self::Bytes)> {
        let bytes = Self::Bytes::try_from(bytes).ok()?;
        let [sign @ (2 | 3), mut x @ ..] = bytes else { return None };
        x.reverse();
        let x = Option::<Secq256k1Scalar>::from(Secq256k1Scalar::from_bytes(&x))?;
        let right_side = x.square() * x + Secq256k1Scalar::from_u64(7);
        let y = Option::<Secq256k1Scalar>::from(right_side.sqrt())?;
        // No point of this curve has y = 0, so each sign stands for one.
        let negate = y.parity() ^ Choice::from(sign & 1);
        let y = Secq256k1Scalar::conditional_select(&y, &-y, negate);
        Some((Affine::from_coordinates(x, y)?.into(), bytes))
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
        *point * *scalar
    }

    fn prepare(points: &[Self::Point]) -> Self::Prepared {
        Multiples::new(&Point::batch_to_affine_vartime(points).expect("no point is the identity"))
    }

    fn prepared_multiscalar_mul(points: &Self::Prepared, scalars: &[Self::Scalar]) -> Self::Point {
        points.multiply(scalars)
    }

    fn vartime_multiscalar_mul(scalars: &[Self::Scalar], points: &[Self::Point]) -> Self::Point {
        let identity = |point: &Self::Point| bool::from(point.is_identity());
        if points.iter().any(identity) {
            let pairs = points.iter().zip(scalars).filter(|(point, _)| !identity(point));
            let (points, scalars): (Vec<_>, Vec<_>) = pairs.map(|(point, scalar)| (*point, *scalar)).unzip();
            return Self::vartime_multiscalar_mul(&scalars, &points);
        }
        let points = Point::batch_to_affine_vartime(points).expect("none is the identity");
        Point::multiscalar_mul_vartime(scalars, &points)
    }

    fn vartime_fold(scalars: &[Self::Scalar], points: &[Self::Point]) -> Vec<Self::Point> {
        if let Some(points) = Point::batch_to_affine_vartime(points) {
            return Point::fold_vartime(scalars, &points);
        }
        // Generators and their folds are the identity with negligible probability.
        let len = points.len() / scalars.len();
        let fold = |i: usize| {
            let terms = scalars.iter().zip(points.iter().skip(i).step_by(len));
            terms.map(|(scalar, point)| point.mul_vartime(scalar)).sum()
        };
        (0..len).map(fold).collect()
    }

    fn generator_cache() -> &'static GeneratorCache<Self> {
        &GENERATORS
    }
}
