//! Tables of a claim's public point: T, 3T, 9T, …

use embedded_curves::{Affine, Base, Point};
use ff::Field;

use crate::parameters::DivisorCurve;

/// The points 3^i·T for one public T. Built once for each registered key and for the generator, and kept.
pub struct Table<C: DivisorCurve> {
    points: Vec<Affine<C>>,
    y_squares: Vec<Base<C>>,
}

impl<C: DivisorCurve> Table<C> {
    /// The table of a point; variable time.
    pub fn new(point: Affine<C>) -> Self {
        Self::many(&[point]).pop().expect("one table for one point")
    }

    /// The tables of several points, with one inversion; variable time.
    ///
    /// # Panics
    /// Never: no multiple of a point of prime order by a power of 3 is the identity.
    pub fn many(points: &[Affine<C>]) -> Vec<Self> {
        let mut multiples = Vec::with_capacity(points.len() * C::DIGITS);
        for point in points {
            let mut multiple = Point::from(*point);
            for _ in 0..C::DIGITS {
                multiples.push(multiple);
                multiple = multiple.double() + multiple;
            }
        }
        let affine = Point::batch_to_affine_vartime(&multiples).expect("orders are primes above 3");
        affine.chunks(C::DIGITS).map(|points| Self::of(points.to_vec())).collect()
    }

    fn of(points: Vec<Affine<C>>) -> Self {
        let y_squares = points.iter().map(|point| point.y().square()).collect();
        Self { points, y_squares }
    }

    /// The point T itself.
    pub fn point(&self) -> Affine<C> {
        self.points[0]
    }

    /// 3^i·T for all digits i.
    pub(crate) fn points(&self) -> &[Affine<C>] {
        &self.points
    }

    /// The squares of their y-coordinates.
    pub(crate) fn y_squares(&self) -> &[Base<C>] {
        &self.y_squares
    }
}
