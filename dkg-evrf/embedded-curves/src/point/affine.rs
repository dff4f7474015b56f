//! Affine points and their one encoding.

use std::ops::Neg;

use ff::Field;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroize;

use crate::curves::{Base, Curve};

/// The length of a compressed point: x in 32 little-endian bytes, then y's parity as 0 or 1.
pub const POINT_BYTES: usize = 33;

/// A point (x, y) on the curve; never the identity.
pub struct Affine<C: Curve> {
    x: Base<C>,
    y: Base<C>,
}

impl<C: Curve> Affine<C> {
    /// For coordinates which are known to satisfy the equation.
    pub(crate) fn from_curve(x: Base<C>, y: Base<C>) -> Self {
        Self { x, y }
    }

    /// The generator.
    pub const GENERATOR: Self = Self { x: C::GENERATOR.0, y: C::GENERATOR.1 };

    /// A point by its coordinates; none if they do not satisfy the equation.
    pub fn from_coordinates(x: Base<C>, y: Base<C>) -> Option<Self> {
        (y.square() == Self::right_side(&x)).then_some(Self { x, y })
    }

    /// x³ + ax + b.
    pub(crate) fn right_side(x: &Base<C>) -> Base<C> {
        (x.square() + C::A) * x + C::B
    }

    /// The entry with this index, every entry being read; in constant time.
    pub(super) fn lookup(table: &[Self], index: u8) -> Self {
        let mut chosen = [Base::<C>::ZERO; 2];
        for (i, entry) in (0u8..).zip(table) {
            let here = i.ct_eq(&index);
            chosen[0].or_if(&entry.x, here);
            chosen[1].or_if(&entry.y, here);
        }
        let [x, y] = chosen;
        Self { x, y }
    }

    /// The x-coordinate.
    #[inline]
    pub fn x(&self) -> Base<C> {
        self.x
    }

    /// The y-coordinate; never 0, since the order is an odd prime.
    #[inline]
    pub fn y(&self) -> Base<C> {
        self.y
    }

    /// The compressed encoding.
    pub fn to_bytes(&self) -> [u8; POINT_BYTES] {
        let mut bytes = [0; POINT_BYTES];
        let [x @ .., sign] = &mut bytes;
        *x = self.x.to_bytes();
        *sign = self.y.parity().unwrap_u8();
        bytes
    }

    /// Decodes the compressed encoding, in variable time: every point has exactly one, and the identity none.
    pub fn from_bytes_vartime(bytes: &[u8; POINT_BYTES]) -> Option<Self> {
        let [x @ .., sign] = bytes;
        if *sign > 1 {
            return None;
        }
        let x = Option::<Base<C>>::from(Base::<C>::from_bytes(x))?;
        let y = Option::<Base<C>>::from(Self::right_side(&x).sqrt())?;
        let negate = y.parity() ^ Choice::from(*sign);
        let y = Base::<C>::conditional_select(&y, &-y, negate);
        // There is no point with y = 0, whose sign would have two encodings.
        (y.parity().unwrap_u8() == *sign).then_some(Self { x, y })
    }
}

#[allow(clippy::expl_impl_clone_on_copy, reason = "a derive would demand that C be Clone")]
impl<C: Curve> Clone for Affine<C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C: Curve> Copy for Affine<C> {}

impl<C: Curve> Neg for Affine<C> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { x: self.x, y: -self.y }
    }
}

impl<C: Curve> ConstantTimeEq for Affine<C> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.x.ct_eq(&other.x) & self.y.ct_eq(&other.y)
    }
}

impl<C: Curve> PartialEq for Affine<C> {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}
impl<C: Curve> Eq for Affine<C> {}

/// The generator, which `subtle::CtOption` needs as a placeholder for no point.
impl<C: Curve> Default for Affine<C> {
    fn default() -> Self {
        Self::GENERATOR
    }
}

impl<C: Curve> ConditionallySelectable for Affine<C> {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self {
            x: Base::<C>::conditional_select(&a.x, &b.x, choice),
            y: Base::<C>::conditional_select(&a.y, &b.y, choice),
        }
    }
}

impl<C: Curve> Zeroize for Affine<C> {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
    }
}

impl<C: Curve> std::fmt::Debug for Affine<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} point(redacted)", C::NAME)
    }
}
