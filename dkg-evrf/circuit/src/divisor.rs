//! The function of a claim: its zeros are the chosen multiples of the table's point, and minus their sum.
//!
//! ```text
//! digits ── compact ──▶ POLES leaves (point or nothing) ── pairwise, level by level ──▶ one function, one sum
//! ```
//!
//! A node holds a function f with the divisor Σ[Pᵢ] + [−S] − …[O] for its points Pᵢ and their sum S. Two nodes join by
//! f = f₁·f₂·line(S₁, S₂) / ((x − x(S₁))·(x − x(S₂))), whose divisor is that of all their points and −(S₁ + S₂). Where S₁ or S₂ is
//! the identity, f = f₁·f₂; where they are opposite, the line is vertical. Every case is computed, and one selected.
//!
//! All claims go through the levels together, so that each level costs one inversion.

use embedded_curves::{Affine, Base, Curve, field::batch_invert};
use ff::Field;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    Digits, Error, Table,
    parameters::DivisorCurve,
    polynomial::{Function, Line, a_len},
};

/// The function of a claim, normalized to constant coefficient 1, and the output.
pub(crate) struct Divisor<C: DivisorCurve> {
    /// a₁, a₂, …, then b₀, b₁, …: [`DivisorCurve::POLES`] coefficients.
    pub(crate) coefficients: Zeroizing<Vec<Base<C>>>,
    /// Q.
    pub(crate) output: Affine<C>,
}

/// A point or the identity; the identity has coordinates 0.
#[derive(Clone, Copy)]
struct Sum<C: Curve> {
    x: Base<C>,
    y: Base<C>,
    identity: Choice,
}

impl<C: Curve> Sum<C> {
    fn identity() -> Self {
        Self { x: Base::<C>::ZERO, y: Base::<C>::ZERO, identity: Choice::from(1) }
    }
}

impl<C: Curve> ConditionallySelectable for Sum<C> {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self {
            x: Base::<C>::conditional_select(&a.x, &b.x, choice),
            y: Base::<C>::conditional_select(&a.y, &b.y, choice),
            identity: Choice::conditional_select(&a.identity, &b.identity, choice),
        }
    }
}

impl<C: Curve> Zeroize for Sum<C> {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
        self.identity = Choice::from(1);
    }
}

/// A node of the tree.
struct Node<C: DivisorCurve> {
    function: Function<C>,
    sum: Sum<C>,
    /// How many leaves it has, points or not.
    leaves: usize,
}

impl<C: DivisorCurve> Drop for Node<C> {
    fn drop(&mut self) {
        self.sum.zeroize();
    }
}

/// The divisors of many claims, each a vector of digits over a table.
pub(crate) fn divisors<C: DivisorCurve>(
    claims: &[(&Digits<C>, &Table<C>)],
) -> Result<Vec<Divisor<C>>, Error> {
    let mut trees: Vec<Vec<Node<C>>> = claims.iter().map(|(digits, table)| leaves(digits, table)).collect();
    while trees.iter().any(|tree| tree.len() > 1) {
        trees = join_level(trees);
    }
    let roots: Vec<_> = trees.into_iter().filter_map(|mut tree| tree.pop()).collect();
    let mut scales = Zeroizing::new(roots.iter().map(|root| root.function.a[0]).collect::<Vec<_>>());
    batch_invert(&mut scales);
    roots.iter().zip(scales.iter()).map(|(root, scale)| finish(root, scale)).collect()
}

/// The multiples that the digits choose, moved to the front in order; then nothing.
fn leaves<C: DivisorCurve>(digits: &Digits<C>, table: &Table<C>) -> Vec<Node<C>> {
    let mut slots = Zeroizing::new(vec![Sum::<C>::identity(); C::DIGITS]);
    let mut distances = Zeroizing::new(vec![0u32; C::DIGITS]);
    let mut absent = 0u32;
    for (i, point) in table.points().iter().enumerate() {
        let (plus, minus) = digits.signs(i);
        let y = Base::<C>::conditional_select(&point.y(), &-point.y(), minus);
        let present = Sum { x: point.x(), y, identity: Choice::from(0) };
        slots[i].conditional_assign(&present, plus | minus);
        distances[i].conditional_assign(&absent, plus | minus);
        absent += u32::from((!(plus | minus)).unwrap_u8());
    }
    // Each point moves left by its distance, bit by bit: in order, so that none meets another.
    for bit in 0..=C::DIGITS.ilog2() {
        let step = 1usize << bit;
        for i in step..C::DIGITS {
            let moves = Choice::from(((distances[i] >> bit) & 1).to_le_bytes()[0]);
            let (slot, distance) = (slots[i], distances[i]);
            slots[i - step].conditional_assign(&slot, moves);
            distances[i - step].conditional_assign(&distance, moves);
            slots[i].conditional_assign(&Sum::identity(), moves);
            distances[i].conditional_assign(&0, moves);
        }
    }
    slots.iter().take(C::POLES).map(leaf).collect()
}

/// x − x(P), or 1 for nothing.
fn leaf<C: DivisorCurve>(sum: &Sum<C>) -> Node<C> {
    let (zero, one) = (Base::<C>::ZERO, Base::<C>::ONE);
    let a = vec![
        Base::<C>::conditional_select(&-sum.x, &one, sum.identity),
        Base::<C>::conditional_select(&one, &zero, sum.identity),
    ];
    Node { function: Function { a, b: Vec::new() }, sum: *sum, leaves: 1 }
}

/// The cases of two sums.
struct Case<C: Curve> {
    /// The slope of the line through them; 0 if it is vertical or there is none.
    slope: Base<C>,
    opposite: Choice,
    any_identity: Choice,
}

/// The slope's numerator and denominator; a denominator of 0 if there is no slope.
fn slope_parts<C: Curve>(left: &Sum<C>, right: &Sum<C>) -> (Base<C>, Base<C>) {
    let equal = left.x.ct_eq(&right.x) & left.y.ct_eq(&right.y);
    let squared = left.x.square();
    let tangent = squared.double() + squared + C::A;
    (
        Base::<C>::conditional_select(&(right.y - left.y), &tangent, equal),
        Base::<C>::conditional_select(&(right.x - left.x), &left.y.double(), equal),
    )
}

/// Joins the nodes of every tree in pairs; a last one without a partner stays.
fn join_level<C: DivisorCurve>(trees: Vec<Vec<Node<C>>>) -> Vec<Vec<Node<C>>> {
    let pairs = || trees.iter().flat_map(|tree| tree.as_chunks::<2>().0);
    let parts: Zeroizing<Vec<_>> =
        Zeroizing::new(pairs().flat_map(|[l, r]| <[_; 2]>::from(slope_parts(&l.sum, &r.sum))).collect());
    let mut inverses = Zeroizing::new(parts.iter().skip(1).step_by(2).copied().collect::<Vec<_>>());
    batch_invert(&mut inverses);
    let mut slopes = parts.iter().step_by(2).zip(inverses.iter()).map(|(top, inverse)| *top * inverse);
    let join_tree = |mut tree: Vec<Node<C>>| {
        let last = (tree.len() % 2 == 1).then(|| tree.pop()).flatten();
        let joined = tree.as_chunks::<2>().0.iter().map(|[left, right]| {
            let slope = slopes.next().expect("a slope was computed for each pair");
            join(left, right, slope)
        });
        let mut level: Vec<_> = joined.collect();
        level.extend(last);
        level
    };
    trees.into_iter().map(join_tree).collect()
}

fn join<C: DivisorCurve>(left: &Node<C>, right: &Node<C>, slope: Base<C>) -> Node<C> {
    let (s1, s2) = (&left.sum, &right.sum);
    let any_identity = s1.identity | s2.identity;
    let opposite = !any_identity & s1.x.ct_eq(&s2.x) & !s1.y.ct_eq(&s2.y);
    let case = Case { slope, opposite, any_identity };
    let leaves = left.leaves + right.leaves;
    let mut product = left.function.multiply(&right.function, leaves + 2);
    let mut function = product.multiply_and_divide(&line_of(s1, &case), [&s1.x, &s2.x], leaves + 1);
    // Without a line, the product itself has no more than leaves + 1 poles.
    product.resize(leaves + 1);
    function.conditional_assign(&product, case.any_identity);
    Node { function, sum: add(s1, s2, &case), leaves }
}

/// The line through both sums: y − λx − μ, or x − x₁.
fn line_of<C: DivisorCurve>(first: &Sum<C>, case: &Case<C>) -> Line<C> {
    let intercept = first.y - case.slope * first.x;
    Line {
        constant: Base::<C>::conditional_select(&-intercept, &-first.x, case.opposite),
        x_factor: Base::<C>::conditional_select(&-case.slope, &Base::<C>::ONE, case.opposite),
        has_y: !case.opposite,
    }
}

fn add<C: Curve>(left: &Sum<C>, right: &Sum<C>, case: &Case<C>) -> Sum<C> {
    let x = case.slope.square() - left.x - right.x;
    let y = case.slope * (left.x - x) - left.y;
    let mut sum = Sum { x, y, identity: Choice::from(0) };
    sum.conditional_assign(&Sum::identity(), case.opposite);
    sum.conditional_assign(left, right.identity);
    sum.conditional_assign(right, left.identity);
    sum
}

/// Scales to constant coefficient 1.
fn finish<C: DivisorCurve>(root: &Node<C>, scale: &Base<C>) -> Result<Divisor<C>, Error> {
    if bool::from(scale.is_zero()) {
        return Err(Error::Degenerate);
    }
    let output = Affine::from_coordinates(root.sum.x, root.sum.y).ok_or(Error::Degenerate)?;
    let (a, b) = (&root.function.a, &root.function.b);
    debug_assert_eq!(a.len(), a_len(C::POLES + 1));
    let coefficients = a.iter().skip(1).chain(b).map(|coefficient| *coefficient * scale).collect();
    Ok(Divisor { coefficients: Zeroizing::new(coefficients), output })
}
