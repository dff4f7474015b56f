//! The challenge: a random line, and the public weights that it gives every claim.
//!
//! ```text
//! seed, counter ── hash to curve ──▶ A₀, A₁ ──▶ the line y = λx + μ through A₀, A₁, A₂ = −(A₀ + A₁)
//!    ▲                                            │
//!    └── next counter, if any denominator is 0 ◀──┴──▶ weights: of functions (shared by all claims), of each table
//! ```
//!
//! Everything here is public, and takes variable time. No denominator is ever 0: such a line is passed over by prover and verifier alike.

use std::sync::Arc;

use embedded_curves::{Affine, Base, field::batch_invert_vartime, hash_to_curve};
use ff::Field;

use crate::{
    Table,
    parameters::DivisorCurve,
    polynomial::{a_len, b_len},
};

const LABEL: &str = "headwater divisor challenge v1 ";

/// What one point of the line gives each function: the value is 1 + ⟨values, coefficients⟩, the derivative ⟨derivatives, coefficients⟩.
pub(crate) struct PointWeights<C: DivisorCurve> {
    pub(crate) values: Arc<[Base<C>]>,
    pub(crate) derivatives: Arc<[Base<C>]>,
}

/// A line through three points of the curve, with all that a set of claims needs of it.
pub struct Challenge<C: DivisorCurve> {
    pub(crate) slope: Base<C>,
    pub(crate) intercept: Base<C>,
    pub(crate) points: [PointWeights<C>; 3],
    /// For each table, 1/(μ − z(3^i·T)) for all i, then 1/(μ − z(−3^i·T)).
    pub(crate) tables: Vec<Arc<[Base<C>]>>,
    /// For each public output Q, 1/(μ − z(−Q)).
    pub(crate) outputs: Vec<Base<C>>,
}

impl<C: DivisorCurve> Challenge<C> {
    /// Draws the line for these tables and public outputs from a seed.
    pub(crate) fn new(seed: &[u8; 64], tables: &[Arc<Table<C>>], outputs: &[Affine<C>]) -> Self {
        let point = |counter: u64, index: u8| hash_to_curve(LABEL, &[seed, &counter.to_le_bytes(), &[index]]);
        (0..)
            .find_map(|counter| Self::through(point(counter, 0), point(counter, 1), tables, outputs))
            .expect("one line in 2^230 has a denominator of 0")
    }

    /// The challenge of the line through two points; none if any public denominator is 0.
    pub(crate) fn through(
        first: Affine<C>,
        second: Affine<C>,
        tables: &[Arc<Table<C>>],
        outputs: &[Affine<C>],
    ) -> Option<Self> {
        let run = second.x() - first.x();
        if bool::from(run.is_zero()) {
            return None;
        }
        let slope = (second.y() - first.y()) * run.invert_vartime();
        let intercept = first.y() - slope * first.x();
        let x = slope.square() - first.x() - second.x();
        let third = Affine::from_coordinates(x, slope * x + intercept)?;
        let line = Line { slope, intercept };
        let [a, b, c] = [first, second, third].map(|point| line.point_weights(&point));
        let (tables, outputs) = line.inverses(tables, outputs)?;
        Some(Self { slope, intercept, points: [a?, b?, c?], tables, outputs })
    }
}

struct Line<C: DivisorCurve> {
    slope: Base<C>,
    intercept: Base<C>,
}

/// The inverses for tables, and for public outputs.
type Inverses<C> = (Vec<Arc<[Base<C>]>>, Vec<Base<C>>);

impl<C: DivisorCurve> Line<C> {
    /// The weights at a point of the line; none where the line is a tangent.
    ///
    /// As μ grows by 1 with λ fixed, the point moves by dx = 2y/(3x² + a − 2λy) and dy = 1 + λ·dx.
    fn point_weights(&self, point: &Affine<C>) -> Option<PointWeights<C>> {
        let (x, y) = (point.x(), point.y());
        let xx = x.square();
        let denominator = xx.double() + xx + C::A - (self.slope * y).double();
        if bool::from(denominator.is_zero()) {
            return None;
        }
        let dx = y.double() * denominator.invert_vartime();
        let dy = Base::<C>::ONE + self.slope * dx;
        let (a, b) = (a_len(C::POLES + 1), b_len(C::POLES + 1));
        let powers: Vec<_> =
            std::iter::successors(Some(Base::<C>::ONE), |power| Some(*power * x)).take(a).collect();
        // (x^i)' = i·x^(i−1)·dx
        let mut index = Base::<C>::ZERO;
        let mut slopes = vec![Base::<C>::ZERO];
        for power in powers.iter().take(a - 1) {
            index += Base::<C>::ONE;
            slopes.push(index * power * dx);
        }
        let values = powers.iter().skip(1).copied().chain(powers.iter().take(b).map(|power| *power * y));
        let of_b = powers.iter().zip(&slopes).take(b).map(|(power, slope)| *power * dy + *slope * y);
        let derivatives = slopes.iter().skip(1).copied().chain(of_b);
        Some(PointWeights { values: values.collect(), derivatives: derivatives.collect() })
    }

    /// 1/(μ − z(P)) with z(P) = y − λx, for ±P of all points of the tables, and −Q of all outputs; none if
    /// any has no inverse. The two of ±P share one: (μ + λx)² − y².
    fn inverses(&self, tables: &[Arc<Table<C>>], outputs: &[Affine<C>]) -> Option<Inverses<C>> {
        let at = |x: Base<C>| self.intercept + self.slope * x;
        let middles: Vec<_> =
            tables.iter().flat_map(|table| table.points()).map(|point| at(point.x())).collect();
        let y_squares = tables.iter().flat_map(|table| table.y_squares());
        let mut inverses: Vec<_> =
            middles.iter().zip(y_squares).map(|(middle, yy)| middle.square() - yy).collect();
        inverses.extend(outputs.iter().map(|point| at(point.x()) + point.y()));
        if inverses.iter().any(|value| value.eq_vartime(&Base::<C>::ZERO)) {
            return None;
        }
        batch_invert_vartime(&mut inverses);
        let (of_tables, of_outputs) = inverses.split_at(middles.len());
        let middles = middles.chunks(C::DIGITS).zip(of_tables.chunks(C::DIGITS));
        let tables = tables.iter().zip(middles).map(|(table, (middles, inverses))| {
            let rows = || table.points().iter().zip(middles).zip(inverses);
            let mut both = Vec::with_capacity(2 * C::DIGITS);
            both.extend(rows().map(|((point, middle), inverse)| (*middle + point.y()) * inverse));
            both.extend(rows().map(|((point, middle), inverse)| (*middle - point.y()) * inverse));
            both.into()
        });
        Some((tables.collect(), of_outputs.to_vec()))
    }
}
