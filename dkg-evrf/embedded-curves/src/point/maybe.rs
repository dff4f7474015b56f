//! Affine additions in bulk: six multiplications each, since all of them share one inversion.
//!
//! Both the divisors' trees and multi-scalar multiplication add many pairs at once. [`MaybeAffine`] admits the identity, so that
//! additions are complete: every case is computed, and one selected, in constant time.

use ff::Field;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use super::{Affine, Point};
use crate::{
    curves::{Base, Curve},
    field::batch_invert,
};

/// An affine point or the identity, whose coordinates are 0 here.
pub struct MaybeAffine<C: Curve> {
    /// The x-coordinate.
    pub x: Base<C>,
    /// The y-coordinate.
    pub y: Base<C>,
    /// Whether it is the identity.
    pub identity: Choice,
}

/// What an addition of two points found out about them.
pub struct Chord<C: Curve> {
    /// The slope of the line through both, or of the tangent; 0 if they are opposite.
    pub slope: Base<C>,
    /// Whether they are opposite points, none being the identity.
    pub opposite: Choice,
    /// Whether any is the identity: then there is no line.
    pub any_identity: Choice,
}

impl<C: Curve> MaybeAffine<C> {
    /// The identity.
    pub fn identity() -> Self {
        Self { x: Base::<C>::ZERO, y: Base::<C>::ZERO, identity: Choice::from(1) }
    }

    /// The chord through each pair, with one inversion for all.
    pub fn chords(pairs: &[[Self; 2]]) -> Zeroizing<Vec<Chord<C>>> {
        let mut inverses = Zeroizing::new(Vec::with_capacity(pairs.len()));
        let mut rises = Zeroizing::new(Vec::with_capacity(pairs.len()));
        for [left, right] in pairs {
            let (run, rise) = left.run_and_rise(right);
            inverses.push(run);
            rises.push(rise);
        }
        batch_invert(&mut inverses);
        let parts = inverses.iter().zip(rises.iter());
        let chord = |([left, right], (inverse, rise)): (&[Self; 2], (&Base<C>, &Base<C>))| {
            let any_identity = left.identity | right.identity;
            Chord { slope: *rise * inverse, opposite: !any_identity & inverse.is_zero(), any_identity }
        };
        Zeroizing::new(pairs.iter().zip(parts).map(chord).collect())
    }

    /// The slope's denominator and numerator; a denominator of 0 if there is no slope.
    fn run_and_rise(&self, other: &Self) -> (Base<C>, Base<C>) {
        let equal = self.x.ct_eq(&other.x) & self.y.ct_eq(&other.y);
        let squared = self.x.square();
        let tangent = squared.double() + squared + C::A;
        (
            Base::<C>::conditional_select(&(other.x - self.x), &self.y.double(), equal),
            Base::<C>::conditional_select(&(other.y - self.y), &tangent, equal),
        )
    }

    /// The sum of two points, given their chord.
    pub fn add(&self, other: &Self, chord: &Chord<C>) -> Self {
        let x = chord.slope.square() - self.x - other.x;
        let y = chord.slope * (self.x - x) - self.y;
        let mut sum = Self { x, y, identity: Choice::from(0) };
        sum.conditional_assign(&Self::identity(), chord.opposite);
        sum.conditional_assign(self, other.identity);
        sum.conditional_assign(other, self.identity);
        sum
    }

    /// The sums of all pairs, with one inversion.
    pub(crate) fn add_pairs(pairs: &[[Self; 2]]) -> Vec<Self> {
        let chords = Self::chords(pairs);
        pairs.iter().zip(chords.iter()).map(|([left, right], chord)| left.add(right, chord)).collect()
    }
}

impl<C: Curve> From<MaybeAffine<C>> for Point<C> {
    fn from(point: MaybeAffine<C>) -> Self {
        let affine = Self { x: point.x, y: point.y, z: Base::<C>::ONE };
        Self::conditional_select(&affine, &Self::IDENTITY, point.identity)
    }
}

impl<C: Curve> From<Affine<C>> for MaybeAffine<C> {
    fn from(point: Affine<C>) -> Self {
        Self { x: point.x(), y: point.y(), identity: Choice::from(0) }
    }
}

#[allow(clippy::expl_impl_clone_on_copy, reason = "a derive would demand that C be Clone")]
impl<C: Curve> Clone for MaybeAffine<C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C: Curve> Copy for MaybeAffine<C> {}

impl<C: Curve> ConditionallySelectable for MaybeAffine<C> {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self {
            x: Base::<C>::conditional_select(&a.x, &b.x, choice),
            y: Base::<C>::conditional_select(&a.y, &b.y, choice),
            identity: Choice::conditional_select(&a.identity, &b.identity, choice),
        }
    }
}

impl<C: Curve> Zeroize for Chord<C> {
    fn zeroize(&mut self) {
        self.slope.zeroize();
        self.opposite = Choice::from(0);
        self.any_identity = Choice::from(1);
    }
}

impl<C: Curve> Zeroize for MaybeAffine<C> {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
        self.identity = Choice::from(1);
    }
}
