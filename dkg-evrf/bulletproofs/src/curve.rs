//! What the argument needs of a group: [`ProofCurve`], and its instances.
//!
//! Functions without `vartime` in their name run in time independent of scalars and points. Those with it may only meet public
//! values, or values that the argument publishes masked.

use core::fmt::Debug;
use core::ops::{Add, AddAssign, Neg, Sub};

use blake2::{Blake2b512, Digest};
use embedded_curves::field::SumOfProducts;
use ff::PrimeField;
use zeroize::Zeroize;

use crate::generators::GeneratorCache;

mod ristretto;
mod secp256k1;

pub use ristretto::Ristretto;
pub use secp256k1::Secp256k1;

/// A group of prime order with scalars, canonical encodings, and multi-scalar multiplications.
pub trait ProofCurve: 'static + Copy + Debug + PartialEq + Eq + Send + Sync {
    /// The field of the group's order, over which circuits are written.
    type Scalar: PrimeField + SumOfProducts + Zeroize;
    /// An element of the group.
    type Point: Copy
        + Debug
        + PartialEq
        + Eq
        + Send
        + Sync
        + Zeroize
        + Add<Output = Self::Point>
        + AddAssign
        + Sub<Output = Self::Point>
        + Neg<Output = Self::Point>;
    /// Fixed points, prepared for multiplications by secret scalars.
    type Prepared: Send + Sync;
    /// The encoding of a point.
    type Bytes: Copy + Debug + PartialEq + Eq + Send + Sync + AsRef<[u8]>;

    /// Separates generators and transcripts of different curves.
    const ID: &'static str;
    /// The length of an encoded point.
    const POINT_LEN: usize;

    /// The neutral element.
    fn identity() -> Self::Point;
    /// The generator `G` of the signing curve.
    fn generator() -> Self::Point;
    /// The canonical encoding, of [`Self::POINT_LEN`] bytes.
    fn encode(point: &Self::Point) -> Self::Bytes;
    /// Decodes a canonical encoding; the identity is refused.
    fn decode(bytes: &[u8]) -> Option<(Self::Point, Self::Bytes)>;
    /// A point whose discrete logarithm nobody knows, from 64 uniform bytes for each counter that `bytes` is asked for.
    fn derive(bytes: impl Fn(u32) -> [u8; 64]) -> Self::Point;
    /// A scalar within 2^-250 of uniform, from 64 uniform bytes.
    fn scalar_from_wide(bytes: &[u8; 64]) -> Self::Scalar;
    /// `scalar · point`.
    fn mul(scalar: &Self::Scalar, point: &Self::Point) -> Self::Point;
    /// Prepares points, none of which is the identity, for multiplications by secret scalars.
    fn prepare(points: &[Self::Point]) -> Self::Prepared;
    /// `Σ scalars[i] · points[i]` over as many points as there are scalars, from the first.
    fn prepared_multiscalar_mul(points: &Self::Prepared, scalars: &[Self::Scalar]) -> Self::Point;
    /// `Σ scalars[i] · points[i]` in variable time; the lengths are equal.
    fn vartime_multiscalar_mul(scalars: &[Self::Scalar], points: &[Self::Point]) -> Self::Point;
    /// `Σ_j scalars[j] · points[i + j·n]` for each `i` below `n`, of which there are as many for each scalar; in variable time.
    fn vartime_fold(scalars: &[Self::Scalar], points: &[Self::Point]) -> Vec<Self::Point> {
        let len = points.len() / scalars.len();
        let fold = |i: usize| {
            let points = points.iter().skip(i).step_by(len).copied().collect::<Vec<_>>();
            Self::vartime_multiscalar_mul(scalars, &points)
        };
        (0..len).map(fold).collect()
    }
    /// Where this curve's generators are kept.
    fn generator_cache() -> &'static GeneratorCache<Self>;

    /// A uniform scalar.
    fn random_scalar(rng: &mut (impl rand_core::RngCore + rand_core::CryptoRng)) -> Self::Scalar {
        let mut bytes = [0; 64];
        rng.fill_bytes(&mut bytes);
        let scalar = Self::scalar_from_wide(&bytes);
        bytes.zeroize();
        scalar
    }
}

/// A point with its canonical encoding, so that neither is computed twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Element<C: ProofCurve> {
    point: C::Point,
    bytes: C::Bytes,
}

impl<C: ProofCurve> Element<C> {
    /// Encodes a point.
    pub fn new(point: C::Point) -> Self {
        Self { point, bytes: C::encode(&point) }
    }

    /// Decodes exactly one canonical encoding; the identity is refused.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (point, bytes) = C::decode(bytes)?;
        Some(Self { point, bytes })
    }

    /// The point.
    pub fn point(&self) -> C::Point {
        self.point
    }

    /// Its encoding.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// Blake2b-512 over length-delimited parts.
pub(crate) fn hash_parts(parts: &[&[u8]]) -> [u8; 64] {
    let mut hash = Blake2b512::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
