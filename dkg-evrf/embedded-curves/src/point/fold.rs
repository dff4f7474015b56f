//! Many sums of few multiples with the same scalars, in variable time, for public values.
//!
//! ```text
//! points ── 1 … 8 times each ──▶ for each sum and window of four bits: a pile of ± multiples ── one point a pile ──▶ Horner
//! ```
//!
//! What one sum cannot share, inversions, all of them share.

use super::{
    Affine, Point,
    buckets::{Piles, add_pairs, digits, magnitudes, with_images},
};
use crate::curves::{Curve, Scalar};

/// Bits of a window.
const WIDTH: usize = 4;
/// Multiples of each point.
const MULTIPLES: usize = 1 << (WIDTH - 1);

impl<C: Curve> Point<C> {
    /// Σ over j of `scalars[j]`·`points[i + j·n]` for each i below n, n being the number of points for each scalar; in variable time.
    ///
    /// Points behind the last whole n are ignored.
    pub fn fold_vartime(scalars: &[Scalar<C>], points: &[Affine<C>]) -> Vec<Self> {
        let len = points.len() / scalars.len().max(1);
        let (magnitudes, bits) = magnitudes::<C>(scalars);
        let multiples = multiples(&with_images(&points[..len * scalars.len()]));
        let windows = bits / WIDTH + 1;
        let digits = digits(&magnitudes, WIDTH, windows);
        let entries = || {
            digits.iter().enumerate().filter(|(_, digit)| **digit != 0).flat_map(|(at, digit)| {
                let (window, scalar) = (at / magnitudes.len(), at % magnitudes.len());
                let of_digit = &multiples[usize::from(digit.unsigned_abs()) - 1];
                of_digit[scalar * len..(scalar + 1) * len]
                    .iter()
                    .enumerate()
                    .map(move |(i, point)| (i * windows + window, if *digit < 0 { -*point } else { *point }))
            })
        };
        let mut piles = Piles::new(len * windows, entries);
        piles.reduce();
        piles.tops().chunks(windows).map(horner).collect()
    }
}

/// Σ 16^w·top(w).
fn horner<C: Curve>(tops: &[Option<Affine<C>>]) -> Point<C> {
    tops.iter().rev().fold(Point::IDENTITY, |mut sum, top| {
        for _ in 0..WIDTH {
            sum = sum.double();
        }
        top.as_ref().map_or(sum, |top| sum.add_affine(top))
    })
}

/// 1, 2, … 8 times all points.
fn multiples<C: Curve>(points: &[Affine<C>]) -> Vec<Vec<Affine<C>>> {
    let mut multiples = vec![points.to_vec()];
    for index in 1..MULTIPLES {
        let pairs: Vec<_> =
            multiples[index - 1].iter().zip(points).map(|(multiple, point)| [*multiple, *point]).collect();
        let sums = add_pairs(&pairs);
        multiples.push(sums.into_iter().map(|sum| sum.expect("the order is above 8")).collect());
    }
    multiples
}
