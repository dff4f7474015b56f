//! Multi-scalar multiplication of many points in variable time, for public values: Pippenger's method on piles of affine points.
//!
//! ```text
//! scalar·point ── endomorphism, if the curve has one ──▶ terms ── signed digits ──▶ for each window: a pile for each digit
//!   piles ── neighbours added, one inversion a level ──▶ one point a pile ── by rows and columns ──▶ Σ digit·pile ── Horner
//! ```
//!
//! Piles of several windows go through the levels together. An addition takes six multiplications, one of them in each of
//! denominator, inverse and slope; equal and opposite points are told apart by comparison.
//!
//! The digits of a window, 1 … 2^(w−1), are put in a square: digit = row·columns + column + 1. Then Σ digit·pile is
//! columns·Σ row·(sum of the row) + Σ (column + 1)·(sum of the column): all but a few additions are in piles again.
//!
//! Source: N. Pippenger, *On the evaluation of powers and related problems* (1976).

use super::{
    Affine, Point,
    endomorphism::{HALF_BITS, Magnitude},
};
use crate::{
    curves::{Base, Curve, Scalar},
    field::batch_invert_vartime,
};

/// Points that go through the levels together: bounds memory to a few MiB, and is enough to spread an inversion.
const TOGETHER: usize = 1 << 14;

/// An addition outside piles costs as much as so many inside.
const OUTSIDE: usize = 5;

/// The widest window: digits have 16 bits.
const MAX_WIDTH: usize = 14;

impl<C: Curve> Point<C> {
    /// The sum of scalar·point in variable time, for public values and many points (Pippenger).
    ///
    /// The longer slice is cut.
    pub fn multiscalar_mul_vartime(scalars: &[Scalar<C>], points: &[Affine<C>]) -> Self {
        let len = scalars.len().min(points.len());
        let (magnitudes, bits) = magnitudes::<C>(&scalars[..len]);
        let points = with_images(&points[..len]);
        let width = best_width(points.len(), bits);
        let windows = bits / width + 1;
        let digits = digits(&magnitudes, width, windows);
        let together = (TOGETHER / points.len().max(1)).clamp(1, windows);
        let mut result = Self::IDENTITY;
        let window_digits: Vec<_> = digits.chunks(points.len().max(1)).collect();
        // Without points there are no digits and no windows.
        for group in window_digits.rchunks(together) {
            for sum in window_sums(group, width, &points).into_iter().rev() {
                for _ in 0..width {
                    result = result.double();
                }
                result += sum;
            }
        }
        result
    }
}

/// The magnitudes of all scalars, or of all first halves and then all second halves; and how many bits they have.
pub(super) fn magnitudes<C: Curve>(scalars: &[Scalar<C>]) -> (Vec<Magnitude>, usize) {
    let Some(endomorphism) = &C::ENDOMORPHISM else {
        return (scalars.iter().map(Magnitude::of_vartime).collect(), 256);
    };
    let (mut halves, mut second) = (Vec::with_capacity(2 * scalars.len()), Vec::with_capacity(scalars.len()));
    for scalar in scalars {
        let [a, b] = endomorphism.split_vartime(scalar);
        halves.push(a);
        second.push(b);
    }
    halves.append(&mut second);
    (halves, HALF_BITS)
}

/// The points, and behind them λ times each if the curve has an endomorphism: those which the magnitudes belong to.
pub(super) fn with_images<C: Curve>(points: &[Affine<C>]) -> Vec<Affine<C>> {
    let images = C::ENDOMORPHISM.iter().flat_map(|map| points.iter().map(|point| map.apply(point)));
    points.iter().copied().chain(images).collect()
}

/// The width of windows that costs least.
fn best_width(terms: usize, bits: usize) -> usize {
    let cost = |width: usize| {
        let (rows, columns) = square(width);
        (bits / width + 1) * (terms + 2 * rows * columns + 2 * OUTSIDE * (rows + columns))
    };
    (2..=MAX_WIDTH).min_by_key(|width| cost(*width)).unwrap_or(2)
}

/// Rows and columns of the digits of a window.
const fn square(width: usize) -> (usize, usize) {
    let columns = (width - 1) / 2;
    (1 << (width - 1 - columns), 1 << columns)
}

/// Digits with magnitudes of at most 2^(width − 1): those of all scalars for the lowest window, then for the next one.
pub(super) fn digits(scalars: &[Magnitude], width: usize, windows: usize) -> Vec<i16> {
    let mut digits = vec![0; windows * scalars.len()];
    for (index, Magnitude { limbs, negative }) in scalars.iter().enumerate() {
        let word = |i: usize| u128::from(limbs.get(i).copied().unwrap_or(0));
        let mut carry = 0;
        for window in 0..windows {
            let (limb, shift) = (window * width / 64, window * width % 64);
            let bits = ((word(limb) | (word(limb + 1) << 64)) >> shift) & ((1 << width) - 1);
            let digit = i16::try_from(bits).unwrap_or(0) + carry;
            carry = i16::from(digit > (1 << (width - 1)));
            let digit = digit - (carry << width);
            digits[window * scalars.len() + index] = if *negative { -digit } else { digit };
        }
    }
    digits
}

/// Σ digit·point for each of several windows.
fn window_sums<C: Curve>(windows: &[&[i16]], width: usize, points: &[Affine<C>]) -> Vec<Point<C>> {
    let (rows, columns) = square(width);
    let size = rows * columns;
    let entries = || {
        windows.iter().enumerate().flat_map(|(window, digits)| {
            digits.iter().zip(points).filter(|(digit, _)| **digit != 0).map(move |(digit, point)| {
                let point = if *digit < 0 { -*point } else { *point };
                (window * size + usize::from(digit.unsigned_abs()) - 1, point)
            })
        })
    };
    let mut piles = Piles::new(windows.len() * size, entries);
    piles.reduce();
    let lines = rows + columns;
    let crossed = || {
        piles.iter().flat_map(|(pile, point)| {
            let (window, digit) = (pile / size, pile % size);
            let (row, column) = (digit / columns, digit % columns);
            [(window * lines + row, *point), (window * lines + rows + column, *point)]
        })
    };
    let mut crossed = Piles::new(windows.len() * lines, crossed);
    crossed.reduce();
    let sums = crossed.tops();
    sums.chunks(lines).map(|lines| weigh(lines, rows, columns)).collect()
}

/// columns·Σ row·(sum of the row) + Σ (column + 1)·(sum of the column).
fn weigh<C: Curve>(lines: &[Option<Affine<C>>], rows: usize, columns: usize) -> Point<C> {
    let (of_rows, of_columns) = lines.split_at(rows);
    let mut sum = running_sum(of_rows.get(1..).unwrap_or_default());
    for _ in 0..columns.ilog2() {
        sum = sum.double();
    }
    sum + running_sum(of_columns)
}

/// Σ (i + 1)·point(i).
fn running_sum<C: Curve>(points: &[Option<Affine<C>>]) -> Point<C> {
    let (mut running, mut sum) = (Point::IDENTITY, Point::IDENTITY);
    for point in points.iter().rev() {
        if let Some(point) = point {
            running = running.add_affine(point);
        }
        sum += running;
    }
    sum
}

/// Piles of points which are to be added up, one behind the other.
pub(super) struct Piles<C: Curve> {
    points: Vec<Affine<C>>,
    lens: Vec<usize>,
}

impl<C: Curve> Piles<C> {
    /// So many piles of the entries, each of which names its pile. The entries are gone through twice.
    pub(super) fn new<I: Iterator<Item = (usize, Affine<C>)>>(count: usize, entries: impl Fn() -> I) -> Self {
        let mut lens = vec![0; count];
        entries().for_each(|(pile, _)| lens[pile] += 1);
        let mut total = 0;
        let mut next = Vec::with_capacity(count);
        for len in &lens {
            next.push(total);
            total += len;
        }
        let mut points = vec![Affine::GENERATOR; total];
        for (pile, point) in entries() {
            points[next[pile]] = point;
            next[pile] += 1;
        }
        Self { points, lens }
    }

    /// Adds neighbours until no pile has more than one point; a pile whose sum is the identity has none.
    pub(super) fn reduce(&mut self) {
        let mut inverses = Vec::with_capacity(self.points.len() / 2);
        while self.lens.iter().any(|len| *len > 1) {
            inverses.clear();
            let mut rest = &*self.points;
            for len in &self.lens {
                let (pile, behind) = rest.split_at(*len);
                inverses.extend(pile.as_chunks::<2>().0.iter().map(|[left, right]| run(left, right)));
                rest = behind;
            }
            batch_invert_vartime(&mut inverses);
            self.add_neighbours(&inverses);
        }
    }

    /// One level, given the inverse of each pair's run. Sums are written over what has been read.
    fn add_neighbours(&mut self, inverses: &[Base<C>]) {
        let mut inverses = inverses.iter();
        let (mut from, mut to) = (0, 0);
        for len in &mut self.lens {
            let (start, end) = (to, from + *len);
            while from + 1 < end {
                let sum = inverses.next().and_then(|i| add(&self.points[from], &self.points[from + 1], i));
                if let Some(sum) = sum {
                    self.points[to] = sum;
                    to += 1;
                }
                from += 2;
            }
            if from < end {
                self.points[to] = self.points[from];
                to += 1;
                from += 1;
            }
            *len = to - start;
        }
        self.points.truncate(to);
    }

    /// Each pile's one point with the pile's number, after [`Self::reduce`].
    fn iter(&self) -> impl Iterator<Item = (usize, &Affine<C>)> {
        self.lens.iter().enumerate().filter(|(_, len)| **len == 1).map(|(pile, _)| pile).zip(&self.points)
    }

    /// Each pile's one point, if it has any, after [`Self::reduce`].
    pub(super) fn tops(&self) -> Vec<Option<Affine<C>>> {
        let mut tops = vec![None; self.lens.len()];
        self.iter().for_each(|(pile, point)| tops[pile] = Some(*point));
        tops
    }
}

/// The sum of each pair, with one inversion; none for opposite points.
pub(super) fn add_pairs<C: Curve>(pairs: &[[Affine<C>; 2]]) -> Vec<Option<Affine<C>>> {
    let mut inverses: Vec<_> = pairs.iter().map(|[left, right]| run(left, right)).collect();
    batch_invert_vartime(&mut inverses);
    pairs.iter().zip(&inverses).map(|([left, right], inverse)| add(left, right, inverse)).collect()
}

/// x₂ − x₁, or 2y₁ for equal points; 0 for opposite ones.
fn run<C: Curve>(left: &Affine<C>, right: &Affine<C>) -> Base<C> {
    let (left_x, right_x) = (left.x(), right.x());
    if !left_x.eq_vartime(&right_x) {
        right_x - left_x
    } else if left.y().eq_vartime(&right.y()) {
        left.y() + left.y()
    } else {
        Base::<C>::ZERO
    }
}

/// The sum, given the inverse of the run; none if it is the identity.
fn add<C: Curve>(left: &Affine<C>, right: &Affine<C>, inverse: &Base<C>) -> Option<Affine<C>> {
    let (left_x, left_y, right_x) = (left.x(), left.y(), right.x());
    let rise = if !left_x.eq_vartime(&right_x) {
        right.y() - left_y
    } else if inverse.eq_vartime(&Base::<C>::ZERO) {
        return None;
    } else {
        let squared = left_x.square_const();
        squared + squared + squared + C::A
    };
    let slope = rise * inverse;
    let x = slope.square_const() - left_x - right_x;
    Some(Affine::from_curve(x, slope * (left_x - x) - left_y))
}
