//! Points: projective for arithmetic, affine for everything that leaves this crate.
//!
//! ```text
//! bytes ── decode ──▶ Affine ── to_point ──▶ Point ── + ×  ──▶ Point ── to_affine ──▶ Affine ── encode ──▶ bytes
//! ```
//!
//! The projective formulas are complete: they hold for every pair of points, equal, opposite or the
//! identity, so secret points need no cases. An [`Affine`] is never the identity and always on the curve.
//!
//! Sources: J. Renes, C. Costello, L. Batina, *Complete addition formulas for prime order elliptic
//! curves* (2015), algorithms 1 to 3.

mod affine;
mod buckets;
mod endomorphism;
mod fold;
mod maybe;
mod multiply;
mod multiscalar;

use std::ops::{Add, AddAssign, Neg, Sub};

use ff::Field;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, CtOption};
use zeroize::Zeroize;

use crate::{
    curves::{Base, Curve},
    field::{batch_invert, batch_invert_vartime},
};

pub use affine::{Affine, POINT_BYTES};
pub use endomorphism::Endomorphism;
pub use maybe::{Chord, MaybeAffine};
pub use multiscalar::Multiples;

/// A point (X : Y : Z), the identity being (0 : 1 : 0).
pub struct Point<C: Curve> {
    x: Base<C>,
    y: Base<C>,
    z: Base<C>,
}

impl<C: Curve> Point<C> {
    /// The identity.
    pub const IDENTITY: Self = Self { x: Base::<C>::ZERO, y: Base::<C>::ONE, z: Base::<C>::ZERO };

    /// The generator.
    pub const GENERATOR: Self = Self { x: C::GENERATOR.0, y: C::GENERATOR.1, z: Base::<C>::ONE };

    /// Whether it is the identity.
    pub fn is_identity(&self) -> Choice {
        self.z.is_zero()
    }

    /// Twice the point: algorithm 3.
    pub fn double(&self) -> Self {
        let Self { x, y, z } = self;
        let (xx, yy, zz) = (x.square(), y.square(), z.square());
        let xy2 = (*x * y).double();
        let xz2 = (*x * z).double();
        let s = C::mul_by_a(&xz2) + C::mul_by_3b(&zz);
        let (low, high) = (yy - s, yy + s);
        let azz = C::mul_by_a(&zz);
        let u = C::mul_by_a(&(xx - azz)) + C::mul_by_3b(&xz2);
        let v = xx.double() + xx + azz;
        let yz2 = (*y * z).double();
        Self { x: xy2 * low - yz2 * u, y: low * high + v * u, z: (yz2 * yy).double().double() }
    }

    /// The sum with an affine point: algorithm 2, cheaper than [`Add`] by one multiplication.
    pub fn add_affine(&self, other: &Affine<C>) -> Self {
        let Self { x, y, z } = self;
        let (x2, y2) = (other.x(), other.y());
        let (xx, yy) = (*x * x2, *y * y2);
        let xy = (x2 + y2) * (*x + y) - (xx + yy);
        let xz = x2 * z + x;
        let yz = y2 * z + y;
        Self::finish_addition(xx, yy, *z, xy, xz, yz)
    }

    /// The common end of algorithms 1 and 2, from the products and the cross sums.
    #[inline]
    fn finish_addition(xx: Base<C>, yy: Base<C>, zz: Base<C>, xy: Base<C>, xz: Base<C>, yz: Base<C>) -> Self {
        let s = C::mul_by_a(&xz) + C::mul_by_3b(&zz);
        let (low, high) = (yy - s, yy + s);
        let azz = C::mul_by_a(&zz);
        let v = xx.double() + xx + azz;
        let u = C::mul_by_3b(&xz) + C::mul_by_a(&(xx - azz));
        Self { x: xy * low - yz * u, y: low * high + v * u, z: yz * high + xy * v }
    }

    /// The affine point; none for the identity. One inversion, in constant time.
    pub fn to_affine(&self) -> CtOption<Affine<C>> {
        self.z.invert().map(|inverse| Affine::from_curve(self.x * inverse, self.y * inverse))
    }

    /// As [`Self::to_affine`], in variable time.
    pub fn to_affine_vartime(&self) -> Option<Affine<C>> {
        let inverse = self.z.invert_vartime();
        (!bool::from(self.is_identity())).then(|| Affine::from_curve(self.x * inverse, self.y * inverse))
    }

    /// Many affine points with one inversion; none if any point is the identity. Constant time.
    pub fn batch_to_affine(points: &[Self]) -> Option<Vec<Affine<C>>> {
        Self::batch_to_affine_with(points, batch_invert)
    }

    /// As [`Self::batch_to_affine`], in variable time.
    pub fn batch_to_affine_vartime(points: &[Self]) -> Option<Vec<Affine<C>>> {
        Self::batch_to_affine_with(points, batch_invert_vartime)
    }

    fn batch_to_affine_with(points: &[Self], invert: impl Fn(&mut [Base<C>])) -> Option<Vec<Affine<C>>> {
        let mut inverses = zeroize::Zeroizing::new(points.iter().map(|point| point.z).collect::<Vec<_>>());
        let any_identity = points.iter().fold(Choice::from(0), |any, point| any | point.is_identity());
        invert(&mut inverses);
        (!bool::from(any_identity)).then(|| {
            let pairs = points.iter().zip(inverses.iter());
            pairs.map(|(point, inverse)| Affine::from_curve(point.x * inverse, point.y * inverse)).collect()
        })
    }
}

impl<C: Curve> From<Affine<C>> for Point<C> {
    fn from(point: Affine<C>) -> Self {
        Self { x: point.x(), y: point.y(), z: Base::<C>::ONE }
    }
}

impl<C: Curve> Add for Point<C> {
    type Output = Self;
    /// Algorithm 1.
    fn add(self, other: Self) -> Self {
        let (Self { x, y, z }, Self { x: x2, y: y2, z: z2 }) = (&self, &other);
        let (xx, yy, zz) = (*x * x2, *y * y2, *z * z2);
        let xy = (*x + y) * (*x2 + y2) - (xx + yy);
        let xz = (*x + z) * (*x2 + z2) - (xx + zz);
        let yz = (*y + z) * (*y2 + z2) - (yy + zz);
        Self::finish_addition(xx, yy, zz, xy, xz, yz)
    }
}

impl<C: Curve> AddAssign for Point<C> {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl<C: Curve> Neg for Point<C> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { x: self.x, y: -self.y, z: self.z }
    }
}

impl<C: Curve> Sub for Point<C> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl<C: Curve> std::iter::Sum for Point<C> {
    fn sum<I: Iterator<Item = Self>>(points: I) -> Self {
        points.fold(Self::IDENTITY, |a, b| a + b)
    }
}

#[allow(clippy::expl_impl_clone_on_copy, reason = "a derive would demand that C be Clone")]
impl<C: Curve> Clone for Point<C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C: Curve> Copy for Point<C> {}

impl<C: Curve> ConstantTimeEq for Point<C> {
    fn ct_eq(&self, other: &Self) -> Choice {
        (self.x * other.z).ct_eq(&(other.x * self.z)) & (self.y * other.z).ct_eq(&(other.y * self.z))
    }
}

impl<C: Curve> PartialEq for Point<C> {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}
impl<C: Curve> Eq for Point<C> {}

impl<C: Curve> ConditionallySelectable for Point<C> {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self {
            x: Base::<C>::conditional_select(&a.x, &b.x, choice),
            y: Base::<C>::conditional_select(&a.y, &b.y, choice),
            z: Base::<C>::conditional_select(&a.z, &b.z, choice),
        }
    }
}

impl<C: Curve> Zeroize for Point<C> {
    fn zeroize(&mut self) {
        *self = Self::IDENTITY;
        self.x.zeroize();
        self.y.zeroize();
        self.z.zeroize();
    }
}

impl<C: Curve> std::fmt::Debug for Point<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} point(redacted)", C::NAME)
    }
}
