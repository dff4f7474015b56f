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

use embedded_curves::{
    Affine, Base,
    field::batch_invert,
    point::{Chord, MaybeAffine},
};
use ff::Field;
use subtle::{Choice, ConditionallySelectable};
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

impl<C: DivisorCurve> Drop for Divisor<C> {
    fn drop(&mut self) {
        self.output.zeroize();
    }
}

/// A node of the tree. What is secret stands behind pointers, so that moving a node leaves no copy of it.
struct Node<C: DivisorCurve> {
    function: Function<C>,
    sum: Box<MaybeAffine<C>>,
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
    // Reserved at once: a vector that grows leaves secrets behind.
    let mut divisors = Vec::with_capacity(roots.len());
    for (root, scale) in roots.iter().zip(scales.iter()) {
        divisors.push(finish(root, scale)?);
    }
    Ok(divisors)
}

/// The multiples that the digits choose, moved to the front in order; then nothing.
fn leaves<C: DivisorCurve>(digits: &Digits<C>, table: &Table<C>) -> Vec<Node<C>> {
    let mut slots = Zeroizing::new(vec![MaybeAffine::<C>::identity(); C::DIGITS]);
    let mut distances = Zeroizing::new(vec![0u32; C::DIGITS]);
    let mut absent = 0u32;
    for (i, point) in table.points().iter().enumerate() {
        let (plus, minus) = digits.signs(i);
        let y = Base::<C>::conditional_select(&point.y(), &-point.y(), minus);
        let present = MaybeAffine { x: point.x(), y, identity: Choice::from(0) };
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
            slots[i].conditional_assign(&MaybeAffine::identity(), moves);
            distances[i].conditional_assign(&0, moves);
        }
    }
    slots.iter().take(C::POLES).map(leaf).collect()
}

/// x − x(P), or 1 for nothing.
fn leaf<C: DivisorCurve>(sum: &MaybeAffine<C>) -> Node<C> {
    let (zero, one) = (Base::<C>::ZERO, Base::<C>::ONE);
    let a = vec![
        Base::<C>::conditional_select(&-sum.x, &one, sum.identity),
        Base::<C>::conditional_select(&one, &zero, sum.identity),
    ];
    Node { function: Function { a, b: Vec::new() }, sum: Box::new(*sum), leaves: 1 }
}

/// Joins the nodes of every tree in pairs; a last one without a partner stays.
fn join_level<C: DivisorCurve>(trees: Vec<Vec<Node<C>>>) -> Vec<Vec<Node<C>>> {
    let pairs = trees.iter().flat_map(|tree| tree.as_chunks::<2>().0);
    let mut sums = Zeroizing::new(Vec::with_capacity(trees.iter().map(|tree| tree.len() / 2).sum()));
    sums.extend(pairs.map(|[left, right]| [*left.sum, *right.sum]));
    let chords = MaybeAffine::chords(&sums);
    let mut chords = chords.iter();
    let join_tree = |mut tree: Vec<Node<C>>| {
        let last = (tree.len() % 2 == 1).then(|| tree.pop()).flatten();
        let joined = tree.as_chunks::<2>().0.iter().map(|[left, right]| {
            let chord = chords.next().expect("a chord was computed for each pair");
            join(left, right, chord)
        });
        let mut level: Vec<_> = joined.collect();
        level.extend(last);
        level
    };
    trees.into_iter().map(join_tree).collect()
}

fn join<C: DivisorCurve>(left: &Node<C>, right: &Node<C>, chord: &Chord<C>) -> Node<C> {
    let (s1, s2) = (&*left.sum, &*right.sum);
    let leaves = left.leaves + right.leaves;
    if leaves == 2 {
        return Node { function: pair(left, right, chord), sum: Box::new(s1.add(s2, chord)), leaves };
    }
    let mut product = left.function.multiply(&right.function, leaves + 2);
    let mut function = product.multiply_and_divide(&line_of(s1, chord), [&s1.x, &s2.x], leaves + 1);
    // Without a line, the product itself has no more than leaves + 1 poles.
    product.resize(leaves + 1);
    function.conditional_assign(&product, chord.any_identity);
    Node { function, sum: Box::new(s1.add(s2, chord)), leaves }
}

/// The function of two leaves: the line itself, or the product of x − x(P) and 1, or of 1 and 1.
fn pair<C: DivisorCurve>(left: &Node<C>, right: &Node<C>, chord: &Chord<C>) -> Function<C> {
    let line = line_of(&left.sum, chord);
    let y_factor = Base::<C>::conditional_select(&Base::<C>::ZERO, &Base::<C>::ONE, line.has_y);
    let mut function = Function { a: vec![line.constant, line.x_factor], b: vec![y_factor] };
    for (leaf, other) in [(left, right), (right, left)] {
        let (a, b) = (leaf.function.a.clone(), vec![Base::<C>::ZERO]);
        function.conditional_assign(&Function { a, b }, other.sum.identity);
    }
    function
}

/// The line through both sums: y − λx − μ, or x − x₁.
fn line_of<C: DivisorCurve>(first: &MaybeAffine<C>, chord: &Chord<C>) -> Line<C> {
    let intercept = first.y - chord.slope * first.x;
    Line {
        constant: Base::<C>::conditional_select(&-intercept, &-first.x, chord.opposite),
        x_factor: Base::<C>::conditional_select(&-chord.slope, &Base::<C>::ONE, chord.opposite),
        has_y: !chord.opposite,
    }
}

/// Scales to constant coefficient 1.
fn finish<C: DivisorCurve>(root: &Node<C>, scale: &Base<C>) -> Result<Divisor<C>, Error> {
    if bool::from(scale.is_zero()) {
        return Err(Error::Degenerate);
    }
    let output = Affine::from_coordinates(root.sum.x, root.sum.y).ok_or(Error::Degenerate)?;
    let (a, b) = (&root.function.a, &root.function.b);
    debug_assert_eq!(a.len(), a_len(C::POLES + 1));
    let mut coefficients = Zeroizing::new(Vec::with_capacity(a.len() + b.len()));
    coefficients.extend(a.iter().skip(1).chain(b).map(|coefficient| *coefficient * scale));
    Ok(Divisor { coefficients, output })
}
