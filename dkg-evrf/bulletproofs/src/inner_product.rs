//! The inner-product argument: `P = ⟨a, G⟩ + ⟨b, H⟩ + ⟨a, b⟩·U`, with two points for each halving.
//!
//! Folding is scaled, so that each generator costs one multiplication: `a' = a_lo + u·a_hi`, `G' = G_lo + u⁻¹·G_hi`,
//! `b' = b_lo + u⁻¹·b_hi`, `H' = H_lo + u·H_hi`, hence `P' = P + u⁻¹·L + u·R` with
//! `L = ⟨a_lo, G_hi⟩ + ⟨b_hi, H_lo⟩ + ⟨a_lo, b_hi⟩·U` and `R = ⟨a_hi, G_lo⟩ + ⟨b_lo, H_hi⟩ + ⟨a_hi, b_lo⟩·U`.
//! It is lazy as well: generators are only folded every third round, all of them with the same scalars.
//!
//! It hides nothing: `a` and `b` are masked by the caller, and everything here may run in variable time.

use embedded_curves::field::SumOfProducts;
use ff::Field;

use crate::curve::{Element, ProofCurve};
use crate::error::Error;
use crate::parallel;
use crate::prove::{Alter, Message};
use crate::transcript::Transcript;

/// The messages of the argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct InnerProductProof<C: ProofCurve> {
    pub(crate) rounds: Vec<(Element<C>, Element<C>)>,
    pub(crate) a: C::Scalar,
    pub(crate) b: C::Scalar,
}

/// Rounds after which folded generators are computed.
const LAZY_ROUNDS: u32 = 3;

/// Generators which are folded in coefficients first: generator `i` is `Σ_j coefficients[j] · factors[k] · base[k]`, `k = i + j·len`.
struct Folded<C: ProofCurve> {
    base: Vec<C::Point>,
    /// `1, y, y², …`, the public factors of the base.
    factors: Option<Vec<C::Scalar>>,
    coefficients: Vec<C::Scalar>,
}

impl<C: ProofCurve> Folded<C> {
    fn new(base: &[C::Point], factors: Option<Vec<C::Scalar>>) -> Self {
        Self { base: base.to_vec(), factors, coefficients: vec![C::Scalar::ONE] }
    }

    fn len(&self) -> usize {
        self.base.len() / self.coefficients.len()
    }

    fn scalar(&self, scalar: C::Scalar, k: usize) -> C::Scalar {
        self.factors.as_ref().map_or(scalar, |factors| scalar * factors[k])
    }

    /// Appends the terms of `⟨scalars, half of the generators⟩`.
    fn half(&self, upper: bool, scalars: &[C::Scalar], terms: &mut (Vec<C::Scalar>, Vec<C::Point>)) {
        let half = self.len() / 2;
        for (j, coefficient) in self.coefficients.iter().enumerate() {
            let start = (j * self.len()) + if upper { half } else { 0 };
            let scaled = scalars.iter().enumerate().map(|(i, s)| self.scalar(*s * coefficient, start + i));
            terms.0.extend(scaled);
            terms.1.extend_from_slice(&self.base[start..start + half]);
        }
    }

    /// Replaces `G` by `G_lo + u·G_hi`.
    fn fold(&mut self, u: C::Scalar) {
        self.coefficients = self.coefficients.iter().flat_map(|c| [*c, *c * u]).collect();
        if self.coefficients.len().ilog2() == LAZY_ROUNDS {
            self.materialise();
        }
    }

    /// Computes the generators. As `y^(i + j·len)` is `y^i·y^(j·len)`, the first factors stay, and the scalars are the same for all.
    fn materialise(&mut self) {
        let len = self.len();
        let scalars = self.coefficients.iter().enumerate().map(|(j, c)| self.scalar(*c, j * len));
        self.base = C::vartime_fold(&scalars.collect::<Vec<_>>(), &self.base);
        if let Some(factors) = &mut self.factors {
            factors.truncate(len);
        }
        self.coefficients = vec![C::Scalar::ONE];
    }
}

/// The generators: `g`, and `h_factors∘h`, the factors being powers of one scalar from its zeroth.
pub(crate) struct Bases<'a, C: ProofCurve> {
    pub(crate) g: &'a [C::Point],
    pub(crate) h: &'a [C::Point],
    pub(crate) h_factors: Vec<C::Scalar>,
}

/// Proves `⟨a, b⟩` and the openings over the generators; `u` is the generator of the product, scaled.
pub(crate) fn prove<C: ProofCurve>(
    transcript: &mut Transcript,
    bases: Bases<'_, C>,
    u: (C::Scalar, C::Point),
    (mut a, mut b): (Vec<C::Scalar>, Vec<C::Scalar>),
    threads: usize,
    alter: Alter<'_, C>,
) -> Result<InnerProductProof<C>, Error> {
    let mut g = Folded::<C>::new(bases.g, None);
    let mut h = Folded::<C>::new(bases.h, Some(bases.h_factors));
    let mut rounds = Vec::new();
    while a.len() > 1 {
        let (a_lo, a_hi) = a.split_at(a.len() / 2);
        let (b_lo, b_hi) = b.split_at(b.len() / 2);
        let side = |(a, b, g_upper): &(&[C::Scalar], &[C::Scalar], bool)| {
            let mut terms = (vec![C::Scalar::inner_product(a, b) * u.0], vec![u.1]);
            g.half(*g_upper, a, &mut terms);
            h.half(!*g_upper, b, &mut terms);
            Element::<C>::new(C::vartime_multiscalar_mul(&terms.0, &terms.1))
        };
        let sides = parallel::map(&[(a_lo, b_hi, true), (a_hi, b_lo, false)], threads, side);
        let [mut left, mut right] = sides.try_into().expect("as many as there are sides");
        alter(Message::Round(&mut left, &mut right));
        let (challenge, inverse) = round_challenge::<C>(transcript, &left, &right)?;
        rounds.push((left, right));
        a = a_lo.iter().zip(a_hi).map(|(lo, hi)| *lo + (*hi * challenge)).collect();
        b = b_lo.iter().zip(b_hi).map(|(lo, hi)| *lo + (*hi * inverse)).collect();
        fold_both((&mut g, inverse), (&mut h, challenge), threads);
    }
    Ok(InnerProductProof { rounds, a: a[0], b: b[0] })
}

/// Folds both kinds of generators, on two threads if there are any.
fn fold_both<C: ProofCurve>(
    (g, inverse): (&mut Folded<C>, C::Scalar),
    (h, challenge): (&mut Folded<C>, C::Scalar),
    threads: usize,
) {
    if threads <= 1 {
        g.fold(inverse);
        return h.fold(challenge);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| g.fold(inverse));
        h.fold(challenge);
    });
}

fn round_challenge<C: ProofCurve>(
    transcript: &mut Transcript,
    left: &Element<C>,
    right: &Element<C>,
) -> Result<(C::Scalar, C::Scalar), Error> {
    let challenge = transcript.inner_product_round::<C>(left, right);
    let inverse = Option::from(challenge.invert()).ok_or(Error::ZeroChallenge)?;
    Ok((challenge, inverse))
}

/// What the verifier needs of the rounds: the points with their scalars, and each generator's scalar.
pub(crate) struct Reduction<C: ProofCurve> {
    /// `Σ (u⁻¹·L + u·R)`.
    pub(crate) rounds: Vec<(C::Scalar, C::Point)>,
    /// `a` times the scalar of each `G`.
    pub(crate) g: Vec<C::Scalar>,
    /// `b` times the scalar of each `H`.
    pub(crate) h: Vec<C::Scalar>,
}

/// Draws the challenges of all rounds.
pub(crate) fn reduce<C: ProofCurve>(
    transcript: &mut Transcript,
    proof: &InnerProductProof<C>,
) -> Result<Reduction<C>, Error> {
    let mut challenges = Vec::with_capacity(proof.rounds.len());
    let mut product = C::Scalar::ONE;
    for (left, right) in &proof.rounds {
        let challenge = transcript.inner_product_round::<C>(left, right);
        challenges.push(challenge);
        product *= challenge;
    }
    let inverses = invert_all(&challenges, product)?;
    let mut rounds = Vec::with_capacity(2 * challenges.len());
    for (((left, right), challenge), inverse) in proof.rounds.iter().zip(&challenges).zip(&inverses) {
        rounds.push((*inverse, left.point()));
        rounds.push((*challenge, right.point()));
    }
    Ok(Reduction { rounds, g: subset_products(proof.a, &inverses), h: subset_products(proof.b, &challenges) })
}

/// The inverses, given the product of all, which must not be zero.
fn invert_all<F: Field>(values: &[F], product: F) -> Result<Vec<F>, Error> {
    let mut inverse: F = Option::from(product.invert()).ok_or(Error::ZeroChallenge)?;
    let mut prefixes = Vec::with_capacity(values.len());
    let mut prefix = F::ONE;
    for value in values {
        prefixes.push(prefix);
        prefix *= value;
    }
    let mut inverses = vec![F::ZERO; values.len()];
    for i in (0..values.len()).rev() {
        inverses[i] = prefixes[i] * inverse;
        inverse *= values[i];
    }
    Ok(inverses)
}

/// Entry `i` is `start` times the factors of the set bits of `i`; the first factor belongs to the highest bit.
fn subset_products<F: Field>(start: F, factors: &[F]) -> Vec<F> {
    let mut products = Vec::with_capacity(1 << factors.len());
    products.push(start);
    for factor in factors.iter().rev() {
        for i in 0..products.len() {
            products.push(products[i] * factor);
        }
    }
    products
}
