//! Multi-scalar multiplication of many points, with affine additions in bulk.
//!
//! ```text
//! constant time   Σ over points of one odd multiple each, for all 64 windows of four bits: trees of additions, then Horner
//! variable time   buckets by signed digits of a width that fits the number of points: trees of additions, running sums, Horner
//! ```
//!
//! In constant time every window of every scalar is an odd digit −15, −13, … 15: there is no digit 0, and a scalar is made odd by
//! negating it and the point. So each window costs one addition, whatever the scalar.

use ff::Field;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use super::{Affine, MaybeAffine, Point};
use crate::{
    curves::{Base, Curve, Scalar},
    field::{batch_invert_vartime, limbs},
};

/// Odd multiples of a point: 1, 3, … 15 times it.
const ODD_MULTIPLES: usize = 8;

/// Windows of four bits.
const WINDOWS: usize = 64;

/// Points that go through a tree of additions together: bounds memory, and is enough to spread an inversion.
const TREE_POINTS: usize = 1 << 14;

/// Tables of several points for [`Point::multiscalar_mul`]; make them once for points that are used again.
pub struct Multiples<C: Curve>(Vec<[Affine<C>; ODD_MULTIPLES]>);

impl<C: Curve> Multiples<C> {
    /// The tables of public points, 512 bytes each.
    ///
    /// # Panics
    /// Never: small multiples of a point of great prime order are neither equal, nor opposite, nor the identity.
    pub fn new(points: &[Affine<C>]) -> Self {
        let mut latest: Vec<_> = points.iter().map(|point| MaybeAffine::from(*point)).collect();
        let pairs: Vec<_> = latest.iter().map(|point| [*point, *point]).collect();
        let doubles = MaybeAffine::add_pairs(&pairs);
        let mut tables: Vec<_> = points.iter().map(|point| [*point; ODD_MULTIPLES]).collect();
        for index in 1..ODD_MULTIPLES {
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
            let mut trees: Vec<Zeroizing<Vec<_>>> = windows
                .iter()
                .map(|window| {
                    let terms = self.0.iter().zip(recoded.iter());
                    Zeroizing::new(terms.map(|(table, digits)| digits.choose(*window, table)).collect())
                })
                .collect();
            while trees.iter().any(|tree| tree.len() > 1) {
                halve(&mut trees);
            }
            for tree in &trees {
                for _ in 0..4 {
                    result = result.double();
                }
                result += tree.first().map_or(Point::IDENTITY, |sum| (*sum).into());
            }
        }
        result
    }
}

/// A scalar in odd digits: digit w is 2·nibble(w) − 15, all of them negated if `negative` is 1.
#[derive(Default, Zeroize)]
struct OddDigits {
    nibbles: Vec<u8>,
    negative: u8,
}

impl OddDigits {
    /// Σ (2·e(w) − 15)·16^w = k for odd k says Σ e(w)·16^w = (k − 1)/2 + 2^255.
    fn of<C: Curve>(scalar: &Scalar<C>) -> Self {
        let limbs = Zeroizing::new(scalar.to_limbs());
        let negative = Choice::from(limbs[0].to_le_bytes()[0] & 1) ^ Choice::from(1);
        // The order minus an even number is odd; for 0 it is the order itself.
        let (opposite, _) = limbs::sub(&Scalar::<C>::P, &limbs);
        let opposite = Zeroizing::new(opposite);
        let odd: Zeroizing<[u64; 4]> = Zeroizing::new(std::array::from_fn(|i| {
            u64::conditional_select(&limbs[i], &opposite[i], negative)
        }));
        let half = |i: usize| (odd[i] >> 1) | odd.get(i + 1).map_or(1 << 63, |next| next << 63);
        // Reserved at once: a vector that grows leaves secrets behind.
        let mut nibbles = Vec::with_capacity(WINDOWS);
        nibbles.extend((0..4).flat_map(|i| half(i).to_le_bytes()).flat_map(|byte| [byte & 15, byte >> 4]));
        Self { nibbles, negative: negative.unwrap_u8() }
    }

    /// The multiple for a window: every entry of the table is read.
    fn choose<C: Curve>(&self, window: usize, table: &[Affine<C>; ODD_MULTIPLES]) -> MaybeAffine<C> {
        let nibble = self.nibbles[window];
        // 2e − 15 is 2(e − 8) + 1 for e ≥ 8, and the negative of 2(7 − e) + 1 below.
        let below = Choice::from((nibble >> 3) ^ 1);
        let index = u8::conditional_select(&(nibble & 7), &(nibble ^ 7), below);
        let mut chosen = table[0];
        for (i, entry) in (1u8..).zip(&table[1..]) {
            chosen.conditional_assign(entry, i.ct_eq(&index));
        }
        let negate = below ^ Choice::from(self.negative);
        MaybeAffine::from(Affine::conditional_select(&chosen, &-chosen, negate))
    }
}

/// One level of several trees: neighbours are added, all with one inversion; a last one without a neighbour stays.
fn halve<C: Curve>(trees: &mut [Zeroizing<Vec<MaybeAffine<C>>>]) {
    // Reserved at once: a vector that grows leaves secrets behind.
    let mut pairs = Zeroizing::new(Vec::with_capacity(trees.iter().map(|tree| tree.len() / 2).sum()));
    pairs.extend(trees.iter().flat_map(|tree| tree.as_chunks::<2>().0).copied());
    let sums = Zeroizing::new(MaybeAffine::add_pairs(&pairs));
    let mut sums = sums.iter();
    for tree in trees {
        let last = (tree.len() % 2 == 1).then(|| tree.pop()).flatten();
        let joined = tree.len() / 2;
        tree.clear();
        tree.extend(sums.by_ref().take(joined));
        tree.extend(last);
    }
}

impl<C: Curve> Point<C> {
    /// The sum of scalar·point in constant time. For points that are used again, keep their [`Multiples`].
    ///
    /// # Panics
    /// If there are more scalars than points.
    pub fn multiscalar_mul(scalars: &[Scalar<C>], points: &[Affine<C>]) -> Self {
        Multiples::new(points).multiply(scalars)
    }

    /// The sum of scalar·point in variable time, for public values and many points (Pippenger).
    pub fn multiscalar_mul_vartime(scalars: &[Scalar<C>], points: &[Affine<C>]) -> Self {
        let width = bucket_width(scalars.len().min(points.len()));
        let windows = 256usize.div_ceil(width) + 1;
        let digits: Vec<_> =
            scalars.iter().map(|scalar| signed_digits::<C>(scalar, width, windows)).collect();
        let together = (TREE_POINTS / digits.len().max(1)).clamp(1, windows);
        let mut result = Self::IDENTITY;
        for group in (0..windows).rev().collect::<Vec<_>>().chunks(together) {
            let mut buckets = Buckets::<C>::fill(group, width, &digits, points);
            buckets.reduce();
            for window in buckets.0.chunks(1 << (width - 1)) {
                for _ in 0..width {
                    result = result.double();
                }
                result += running_sum(window);
            }
        }
        result
    }
}

/// The width that costs least: an addition into a bucket costs about a third of one in running sums.
fn bucket_width(points: usize) -> usize {
    let cost = |width: usize| (256usize.div_ceil(width) + 1) * (points + (3 << width));
    (2..=15).min_by_key(|width| cost(*width)).unwrap_or(2)
}

/// Digits from −2^(width − 1) to 2^(width − 1), least significant first.
fn signed_digits<C: Curve>(scalar: &Scalar<C>, width: usize, windows: usize) -> Vec<i32> {
    let limbs = scalar.to_limbs();
    let word = |i: usize| u128::from(limbs.get(i).copied().unwrap_or(0));
    let mut carry = 0;
    (0..windows)
        .map(|window| {
            let (limb, shift) = (window * width / 64, window * width % 64);
            let bits = ((word(limb) | (word(limb + 1) << 64)) >> shift) & ((1 << width) - 1);
            let digit = i32::try_from(bits).unwrap_or(0) + carry;
            carry = i32::from(digit > (1 << (width - 1)));
            digit - (carry << width)
        })
        .collect()
}

/// The points of several windows by digit: 2^(width − 1) buckets for each window.
struct Buckets<C: Curve>(Vec<Vec<Affine<C>>>);

impl<C: Curve> Buckets<C> {
    fn fill(windows: &[usize], width: usize, digits: &[Vec<i32>], points: &[Affine<C>]) -> Self {
        let size = 1usize << (width - 1);
        let mut buckets = vec![Vec::new(); windows.len() * size];
        for (of_window, window) in buckets.chunks_mut(size).zip(windows) {
            for (digits, point) in digits.iter().zip(points) {
                let digit = digits[*window];
                let index = usize::try_from(digit.unsigned_abs()).unwrap_or(0);
                match digit.signum() {
                    1 => of_window[index - 1].push(*point),
                    -1 => of_window[index - 1].push(-*point),
                    _ => {}
                }
            }
        }
        Self(buckets)
    }

    /// Adds neighbours until no bucket has more than one point.
    fn reduce(&mut self) {
        while self.0.iter().any(|bucket| bucket.len() > 1) {
            let pairs = || self.0.iter().flat_map(|bucket| bucket.as_chunks::<2>().0);
            let mut runs: Vec<_> = pairs()
                .map(
                    |[left, right]| {
                        if left.x() == right.x() { left.y().double() } else { right.x() - left.x() }
                    },
                )
                .collect();
            batch_invert_vartime(&mut runs);
            let mut inverses = runs.iter();
            for bucket in &mut self.0 {
                let last = (bucket.len() % 2 == 1).then(|| bucket.pop()).flatten();
                let pairs = bucket.as_chunks::<2>().0.iter().zip(inverses.by_ref());
                let mut sums: Vec<_> =
                    pairs.filter_map(|([left, right], inverse)| add_vartime(left, right, inverse)).collect();
                sums.extend(last);
                *bucket = sums;
            }
        }
    }
}

/// The sum, given 1/(x₂ − x₁), or 1/2y₁ where the x are equal; none if it is the identity.
fn add_vartime<C: Curve>(left: &Affine<C>, right: &Affine<C>, inverse: &Base<C>) -> Option<Affine<C>> {
    let rise = if left.x() != right.x() {
        right.y() - left.y()
    } else if left.y() == right.y() {
        let squared = left.x().square();
        squared.double() + squared + C::A
    } else {
        return None;
    };
    let slope = rise * inverse;
    let x = slope.square() - left.x() - right.x();
    Some(Affine::from_curve(x, slope * (left.x() - x) - left.y()))
}

/// Σ (i + 1)·bucket(i).
fn running_sum<C: Curve>(buckets: &[Vec<Affine<C>>]) -> Point<C> {
    let (mut running, mut sum) = (Point::IDENTITY, Point::IDENTITY);
    for bucket in buckets.iter().rev() {
        if let Some(point) = bucket.first() {
            running = running.add_affine(point);
        }
        sum += running;
    }
    sum
}
