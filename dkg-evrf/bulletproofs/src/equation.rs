//! Verification equations: sums of points that must be the identity.

use ff::Field;

use crate::curve::ProofCurve;
use crate::generators::Generators;
use crate::parallel;

/// A sum over the generators and other points, which a valid proof makes the identity.
#[derive(Clone, Debug)]
pub struct Equation<C: ProofCurve> {
    pub(crate) g: C::Scalar,
    pub(crate) h: C::Scalar,
    /// Scalars of the row generators, from the first; possibly none.
    pub(crate) g_bold: Vec<C::Scalar>,
    pub(crate) h_bold: Vec<C::Scalar>,
    pub(crate) terms: Vec<(C::Scalar, C::Point)>,
}

impl<C: ProofCurve> Equation<C> {
    /// The empty sum.
    pub fn new() -> Self {
        Self {
            g: C::Scalar::ZERO,
            h: C::Scalar::ZERO,
            g_bold: Vec::new(),
            h_bold: Vec::new(),
            terms: Vec::new(),
        }
    }

    /// Adds `scalar·point`.
    pub fn add(&mut self, scalar: C::Scalar, point: C::Point) {
        self.terms.push((scalar, point));
    }

    /// Adds `scalar·G`, `G` being the signing curve's generator.
    pub fn add_generator(&mut self, scalar: C::Scalar) {
        self.g += scalar;
    }

    pub(crate) fn scale(&mut self, factor: C::Scalar) {
        self.g *= factor;
        self.h *= factor;
        self.g_bold.iter_mut().chain(&mut self.h_bold).for_each(|scalar| *scalar *= factor);
        self.terms.iter_mut().for_each(|(scalar, _)| *scalar *= factor);
    }

    /// Adds another equation. Its terms are kept apart.
    pub(crate) fn accumulate(&mut self, other: &Self) {
        self.g += other.g;
        self.h += other.h;
        add_all(&mut self.g_bold, &other.g_bold);
        add_all(&mut self.h_bold, &other.h_bold);
        self.terms.extend_from_slice(&other.terms);
    }

    /// Whether the sum is the identity.
    pub fn holds(&self, generators: &Generators<C>, threads: usize) -> bool {
        self.sum(generators, threads) == C::identity()
    }

    /// The sum.
    pub(crate) fn sum(&self, generators: &Generators<C>, threads: usize) -> C::Point {
        let len = 2 + self.g_bold.len() + self.h_bold.len() + self.terms.len();
        let mut scalars = Vec::with_capacity(len);
        let mut points = Vec::with_capacity(len);
        scalars.extend([self.g, self.h]);
        points.extend([generators.g, generators.h]);
        scalars.extend_from_slice(&self.g_bold);
        points.extend_from_slice(&generators.g_bold[..self.g_bold.len()]);
        scalars.extend_from_slice(&self.h_bold);
        points.extend_from_slice(&generators.h_bold[..self.h_bold.len()]);
        scalars.extend(self.terms.iter().map(|(scalar, _)| *scalar));
        points.extend(self.terms.iter().map(|(_, point)| *point));
        parallel_sum::<C>(&scalars, &points, threads)
    }
}

impl<C: ProofCurve> Default for Equation<C> {
    fn default() -> Self {
        Self::new()
    }
}

fn add_all<F: Field>(sums: &mut Vec<F>, values: &[F]) {
    if sums.len() < values.len() {
        sums.resize(values.len(), F::ZERO);
    }
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

fn parallel_sum<C: ProofCurve>(scalars: &[C::Scalar], points: &[C::Point], threads: usize) -> C::Point {
    // A multiplication of few points is not worth a thread.
    let share = scalars.len().div_ceil(threads.max(1)).max(256);
    let parts: Vec<_> = scalars.chunks(share).zip(points.chunks(share)).collect();
    let sums =
        parallel::map(&parts, threads, |(scalars, points)| C::vartime_multiscalar_mul(scalars, points));
    sums.into_iter().fold(C::identity(), |sum, part| sum + part)
}
