//! Multi-scalar multiplication of many points in constant time, with affine additions in bulk.
//!
//! ```text
//! Σ over points of one odd multiple each, for all 52 windows of five bits: trees of additions, then Horner
//! ```
//!
//! For public values there is [`Point::multiscalar_mul_vartime`]. Here every window of every scalar is an odd digit −31, −29, … 31:
//! there is no digit 0, and a scalar is made odd by negating it and the point. So each window costs one addition, whatever the scalar.
//!
//! The additions are first made as if no two summands had the same x. If two have, which the one inversion of a level shows, they are
//! made again by complete formulas. For points like generators, between which nobody knows a relation, that never happens: it would
//! be a relation. For other points the time tells whether it happened.

use ff::Field;
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

use super::{Affine, MaybeAffine, Point};
use crate::{
    curves::{Base, Curve, Scalar},
    field::limbs,
};

/// Odd multiples of a point: 1, 3, … 31 times it.
const ODD_MULTIPLES: u8 = 16;

/// Bits of a window.
const WIDTH: usize = 5;

/// Windows: those which hold an odd number of 256 bits in odd digits.
const WINDOWS: usize = 52;

/// Points that go through a tree of additions together: bounds memory, and is enough to spread an inversion.
const TREE_POINTS: usize = 1 << 14;

/// The multiples of one point.
type Odd<C> = [Affine<C>; ODD_MULTIPLES as usize];

/// Tables of several points for [`Point::multiscalar_mul`]; make them once for points that are used again.
pub struct Multiples<C: Curve>(Vec<Odd<C>>);

impl<C: Curve> Multiples<C> {
    /// The tables of public points, 1,024 bytes each.
    ///
    /// # Panics
    /// Never: small multiples of a point of great prime order are neither equal, nor opposite, nor the identity.
    pub fn new(points: &[Affine<C>]) -> Self {
        let mut latest: Vec<_> = points.iter().map(|point| MaybeAffine::from(*point)).collect();
        let pairs: Vec<_> = latest.iter().map(|point| [*point, *point]).collect();
        let doubles = MaybeAffine::add_pairs(&pairs);
        let mut tables: Vec<Odd<C>> = points.iter().map(|point| [*point; ODD_MULTIPLES as usize]).collect();
        for index in 1..usize::from(ODD_MULTIPLES) {
            let pairs: Vec<_> =
                latest.iter().zip(&doubles).map(|(point, double)| [*point, *double]).collect();
            latest = MaybeAffine::add_pairs(&pairs);
            for (table, point) in tables.iter_mut().zip(&latest) {
                table[index] = Affine::from_curve(point.x, point.y);
            }
        }
        Self(tables)
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sum of scalar·point over as many points as there are scalars, from the first; in constant time.
    ///
    /// # Panics
    /// If there are more scalars than points.
    pub fn multiply(&self, scalars: &[Scalar<C>]) -> Point<C> {
        assert!(scalars.len() <= self.0.len(), "a point for each scalar");
        let recoded = Zeroizing::new(scalars.iter().map(OddDigits::of::<C>).collect::<Vec<_>>());
        let together = (TREE_POINTS / scalars.len().max(1)).clamp(1, WINDOWS);
        let mut result = Point::IDENTITY;
        for windows in (0..WINDOWS).rev().collect::<Vec<_>>().chunks(together) {
            let trees: Vec<Zeroizing<Vec<_>>> = windows
                .iter()
                .map(|window| {
                    let terms = self.0.iter().zip(recoded.iter());
                    Zeroizing::new(terms.map(|(table, digits)| digits.choose(*window, table)).collect())
                })
                .collect();
            for sum in sums(trees).iter() {
                for _ in 0..WIDTH {
                    result = result.double();
                }
                result += (*sum).into();
            }
        }
        result
    }
}

/// A scalar in odd digits: digit w is 2·part(w) − 31, all of them negated if `negative` is 1.
#[derive(Default, Zeroize)]
struct OddDigits {
    parts: Vec<u8>,
    negative: u8,
}

impl OddDigits {
    /// Σ (2·e(w) − 31)·32^w = k for odd k says Σ e(w)·32^w = (k − 1)/2 + 2^259.
    fn of<C: Curve>(scalar: &Scalar<C>) -> Self {
        let limbs = Zeroizing::new(scalar.to_limbs());
        let negative = Choice::from(limbs[0].to_le_bytes()[0] & 1) ^ Choice::from(1);
        // The order minus an even number is odd; for 0 it is the order itself.
        let (opposite, _) = limbs::sub(&Scalar::<C>::P, &limbs);
        let opposite = Zeroizing::new(opposite);
        let odd: Zeroizing<[u64; 4]> = Zeroizing::new(std::array::from_fn(|i| {
            u64::conditional_select(&limbs[i], &opposite[i], negative)
        }));
        let half = |i: usize| {
            odd.get(i).map_or(1 << 3, |limb| limb >> 1) | odd.get(i + 1).map_or(0, |next| next << 63)
        };
        // Reserved at once: a vector that grows leaves secrets behind.
        let mut parts = Vec::with_capacity(WINDOWS);
        parts.extend((0..WINDOWS).map(|window| {
            let (limb, shift) = (window * WIDTH / 64, window * WIDTH % 64);
            let above = if shift > 64 - WIDTH { half(limb + 1) << (64 - shift) } else { 0 };
            ((half(limb) >> shift) | above).to_le_bytes()[0] & 31
        }));
        Self { parts, negative: negative.unwrap_u8() }
    }

    /// The multiple for a window: every entry of the table is read.
    fn choose<C: Curve>(&self, window: usize, table: &Odd<C>) -> Affine<C> {
        let part = self.parts[window];
        // 2e − 31 is 2(e − 16) + 1 for e ≥ 16, and the negative of 2(15 − e) + 1 below.
        let below = Choice::from((part >> 4) ^ 1);
        let index = u8::conditional_select(&(part & 15), &((part & 15) ^ 15), below);
        let chosen = Affine::lookup(table, index);
        let negate = below ^ Choice::from(self.negative);
        Affine::from_curve(chosen.x(), Base::<C>::conditional_select(&chosen.y(), &-chosen.y(), negate))
    }
}

/// The sums of several trees, level by level, all with one inversion a level.
fn sums<C: Curve>(mut trees: Vec<Zeroizing<Vec<Affine<C>>>>) -> Zeroizing<Vec<MaybeAffine<C>>> {
    while trees.iter().any(|tree| tree.len() > 1) {
        let Some(sums) = sums_of_neighbours(&trees) else { return complete_sums(&trees) };
        join(&mut trees, &sums);
    }
    let only =
        |tree: &Zeroizing<Vec<Affine<C>>>| tree.first().map_or(MaybeAffine::identity(), |sum| (*sum).into());
    Zeroizing::new(trees.iter().map(only).collect())
}

/// The sums of all neighbours; none if any two have the same x.
fn sums_of_neighbours<C: Curve>(trees: &[Zeroizing<Vec<Affine<C>>>]) -> Option<Zeroizing<Vec<Affine<C>>>> {
    let pairs = || trees.iter().flat_map(|tree| tree.as_chunks::<2>().0);
    let count = trees.iter().map(|tree| tree.len() / 2).sum();
    // Reserved at once: a vector that grows leaves secrets behind.
    let mut products = Zeroizing::new(Vec::with_capacity(count));
    let mut product = Base::<C>::ONE;
    for [left, right] in pairs() {
        products.push(product);
        product *= right.x() - left.x();
    }
    let mut inverse = Option::<Base<C>>::from(product.invert())?;
    let mut inverses = products;
    for ([left, right], before) in pairs().rev().zip(inverses.iter_mut().rev()) {
        *before *= inverse;
        inverse *= right.x() - left.x();
    }
    inverse.zeroize();
    let mut sums = Zeroizing::new(Vec::with_capacity(count));
    sums.extend(pairs().zip(inverses.iter()).map(|([left, right], inverse)| {
        let slope = (right.y() - left.y()) * inverse;
        let x = slope.square_const() - left.x() - right.x();
        Affine::from_curve(x, slope * (left.x() - x) - left.y())
    }));
    Some(sums)
}

/// Replaces the neighbours in every tree by their sums; a last point without a neighbour stays.
fn join<T: Copy + Zeroize>(trees: &mut [Zeroizing<Vec<T>>], sums: &[T]) {
    let mut sums = sums.iter();
    for tree in trees {
        let last = (tree.len() % 2 == 1).then(|| tree.pop()).flatten();
        let joined = tree.len() / 2;
        tree.clear();
        tree.extend(sums.by_ref().take(joined));
        tree.extend(last);
    }
}

/// The sums of several trees by complete formulas.
fn complete_sums<C: Curve>(trees: &[Zeroizing<Vec<Affine<C>>>]) -> Zeroizing<Vec<MaybeAffine<C>>> {
    let complete = |tree: &Zeroizing<Vec<Affine<C>>>| {
        Zeroizing::new(tree.iter().map(|point| MaybeAffine::from(*point)).collect::<Vec<_>>())
    };
    let mut trees: Vec<_> = trees.iter().map(complete).collect();
    while trees.iter().any(|tree| tree.len() > 1) {
        // Reserved at once: a vector that grows leaves secrets behind.
        let mut pairs = Zeroizing::new(Vec::with_capacity(trees.iter().map(|tree| tree.len() / 2).sum()));
        pairs.extend(trees.iter().flat_map(|tree| tree.as_chunks::<2>().0).copied());
        let sums = Zeroizing::new(MaybeAffine::add_pairs(&pairs));
        join(&mut trees, &sums);
    }
    let only = |tree: &Zeroizing<Vec<_>>| tree.first().copied().unwrap_or_else(MaybeAffine::identity);
    Zeroizing::new(trees.iter().map(only).collect())
}

impl<C: Curve> Point<C> {
    /// The sum of scalar·point in constant time. For points that are used again, keep their [`Multiples`].
    ///
    /// # Panics
    /// If there are more scalars than points.
    pub fn multiscalar_mul(scalars: &[Scalar<C>], points: &[Affine<C>]) -> Self {
        Multiples::new(points).multiply(scalars)
    }
}
