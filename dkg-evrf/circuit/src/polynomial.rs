//! Functions a(x) + y·b(x) on a curve y² = g(x), in coefficient form, lowest first.
//!
//! Sizes are public; coefficients are secret, and nothing here branches on them. Every vector of them is made at its full length, and
//! overwritten when it is dropped: one that grows leaves secrets behind.

use embedded_curves::{
    Base,
    field::{Accumulator, Element, Modulus},
};
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

use crate::parameters::DivisorCurve;

/// The length of a for a function with at most `poles` poles at infinity: x^i has 2i.
pub(crate) const fn a_len(poles: usize) -> usize {
    poles / 2 + 1
}

/// The length of b: y·x^i has 2i + 3 poles.
pub(crate) const fn b_len(poles: usize) -> usize {
    if poles < 3 { 0 } else { (poles - 3) / 2 + 1 }
}

/// a(x) + y·b(x).
pub(crate) struct Function<C: DivisorCurve> {
    pub(crate) a: Vec<Base<C>>,
    pub(crate) b: Vec<Base<C>>,
}

/// The line `constant + x_factor·x (+ y)`.
pub(crate) struct Line<C: DivisorCurve> {
    pub(crate) constant: Base<C>,
    pub(crate) x_factor: Base<C>,
    pub(crate) has_y: Choice,
}

impl<C: DivisorCurve> Drop for Function<C> {
    fn drop(&mut self) {
        self.a.zeroize();
        self.b.zeroize();
    }
}

/// to += left·right, as polynomials, each coefficient reduced once; `to` is long enough.
fn add_product<M: Modulus>(to: &mut [Element<M>], left: &[Element<M>], right: &[Element<M>]) {
    let len = product_len(left.len(), right.len());
    for (degree, to) in to.iter_mut().enumerate().take(len) {
        let mut sum = Accumulator::default();
        let from = (degree + 1).saturating_sub(right.len());
        let pairs = left.iter().skip(from).zip(right.iter().take(degree - from + 1).rev());
        pairs.for_each(|(a, b)| sum.add_product(a, b));
        *to += sum.reduce();
    }
}

/// The length of a product.
const fn product_len(left: usize, right: usize) -> usize {
    if left == 0 || right == 0 { 0 } else { left + right - 1 }
}

/// to += from, as polynomials; `to` is long enough.
fn add_to<M: Modulus>(to: &mut [Element<M>], from: &[Element<M>]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// Adds g(x)·from to `to`.
fn add_times_g<C: DivisorCurve>(to: &mut [Base<C>], from: &[Base<C>]) {
    for (i, value) in from.iter().enumerate() {
        to[i] += *value * C::B;
        to[i + 1] += C::mul_by_a(value);
        to[i + 3] += value;
    }
}

/// Divides by x − root in place; the remainder, which an honest caller knows to be zero, is dropped.
fn divide<M: Modulus>(polynomial: &mut [Element<M>], root: &Element<M>) {
    let mut carry = Element::ZERO;
    for coefficient in polynomial.iter_mut().rev() {
        let next = *coefficient + carry * root;
        *coefficient = carry;
        carry = next;
    }
}

impl<C: DivisorCurve> Function<C> {
    /// The product, with a and b of the lengths for `poles`.
    pub(crate) fn multiply(&self, other: &Self, poles: usize) -> Self {
        let zero = Base::<C>::ZERO;
        let len = |left: &[Base<C>], right: &[Base<C>]| product_len(left.len(), right.len());
        let b_squared = len(&self.b, &other.b);
        let mut a = vec![zero; len(&self.a, &other.a).max(a_len(poles)).max(b_squared + 3)];
        add_product(&mut a, &self.a, &other.a);
        let crossed = len(&self.a, &other.b).max(len(&self.b, &other.a)).max(len(&self.a, &other.a));
        let mut b = vec![zero; crossed.max(b_squared).max(b_len(poles))];
        if b_squared == 0 {
            add_product(&mut b, &self.a, &other.b);
            add_product(&mut b, &self.b, &other.a);
        } else {
            let mut squared = Zeroizing::new(vec![zero; b_squared]);
            add_product(&mut squared, &self.b, &other.b);
            add_product(&mut b, &self.sum(), &other.sum());
            b.iter_mut().zip(&a).for_each(|(to, from)| *to -= from);
            b.iter_mut().zip(squared.iter()).for_each(|(to, from)| *to -= from);
            add_times_g::<C>(&mut a, &squared);
        }
        Self { a, b }.resized(poles)
    }

    /// a + b; a is never shorter.
    fn sum(&self) -> Zeroizing<Vec<Base<C>>> {
        let mut sum = Zeroizing::new(self.a.clone());
        add_to(&mut sum, &self.b);
        sum
    }

    /// The product with a line, then divided by x − r for both roots; with the lengths for `poles`.
    pub(crate) fn multiply_and_divide(&self, line: &Line<C>, roots: [&Base<C>; 2], poles: usize) -> Self {
        let zero = Base::<C>::ZERO;
        let mut a = vec![zero; a_len(poles + 4).max(self.b.len() + 3).max(self.a.len() + 1)];
        let mut b = vec![zero; b_len(poles + 4).max(self.b.len() + 1).max(self.a.len())];
        let times_line = |to: &mut [Base<C>], from: &[Base<C>]| {
            for (i, value) in from.iter().enumerate() {
                to[i] += line.constant * value;
                to[i + 1] += line.x_factor * value;
            }
        };
        let if_y = |value: &Base<C>| Base::<C>::conditional_select(&zero, value, line.has_y);
        let crossed: Zeroizing<Vec<_>> = Zeroizing::new(self.b.iter().map(if_y).collect());
        times_line(&mut a, &self.a);
        add_times_g::<C>(&mut a, &crossed);
        times_line(&mut b, &self.b);
        b.iter_mut().zip(&self.a).for_each(|(to, from)| *to += if_y(from));
        for root in roots {
            divide(&mut a, root);
            divide(&mut b, root);
        }
        Self { a, b }.resized(poles)
    }

    fn resized(mut self, poles: usize) -> Self {
        self.resize(poles);
        self
    }

    /// Cuts or fills both parts; what is cut off is zero in every function that has no more poles.
    pub(crate) fn resize(&mut self, poles: usize) {
        let cut = |part: &mut Vec<Base<C>>, len: usize| {
            if let Some(rest) = part.get_mut(len..) {
                rest.zeroize();
            }
            part.resize(len, Base::<C>::ZERO);
        };
        cut(&mut self.a, a_len(poles));
        cut(&mut self.b, b_len(poles));
    }

    /// Becomes `other`, of the same lengths, if `choice`.
    pub(crate) fn conditional_assign(&mut self, other: &Self, choice: Choice) {
        self.a.iter_mut().zip(&other.a).for_each(|(to, from)| to.conditional_assign(from, choice));
        self.b.iter_mut().zip(&other.b).for_each(|(to, from)| to.conditional_assign(from, choice));
    }
}
