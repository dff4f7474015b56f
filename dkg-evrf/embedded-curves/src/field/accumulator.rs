//! Sums of products, reduced once.

#![allow(clippy::inline_always, reason = "a call costs as much as the arithmetic")]

use super::{
    Element, Modulus,
    limbs::{Limbs, carry_add},
    reduction::wide_product,
};

/// A sum of products a·b, reduced only when it is read: half the price of multiplying and adding.
///
/// Holds at most 2^63 products. Its time does not depend on the values.
pub struct Accumulator<M: Modulus>([u64; 9], std::marker::PhantomData<M>);

#[allow(clippy::expl_impl_clone_on_copy, reason = "a derive would demand that M be Clone")]
impl<M: Modulus> Clone for Accumulator<M> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M: Modulus> Copy for Accumulator<M> {}

impl<M: Modulus> Default for Accumulator<M> {
    fn default() -> Self {
        Self([0; 9], std::marker::PhantomData)
    }
}

impl<M: Modulus> zeroize::Zeroize for Accumulator<M> {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl<M: Modulus> Accumulator<M> {
    /// Adds a·b.
    #[inline(always)]
    pub fn add_product(&mut self, a: &Element<M>, b: &Element<M>) {
        let product = wide_product(&a.0, &b.0);
        let mut carry = 0;
        for (sum, limb) in self.0.iter_mut().zip(product) {
            (*sum, carry) = carry_add(*sum, limb, carry);
        }
        self.0[8] = self.0[8].wrapping_add(carry);
    }

    /// The sum.
    #[inline]
    pub fn reduce(&self) -> Element<M> {
        let t = &self.0;
        let low = [t[0], t[1], t[2], t[3]];
        let high = [t[4], t[5], t[6], t[7]];
        // Divided by 2^256: the low half by multiplying with 1, the high half as it is, reduced.
        let one = [1, 0, 0, 0];
        let product = |b: &Limbs, c: &Limbs| Element::<M>::from_montgomery(Element::<M>::product(b, c));
        // high·2^256·2^-256 and top·2^512·2^-256; R2 = 2^512, R3 = 2^768 pay for the division.
        product(&one, &low) + product(&Element::<M>::R, &high) + product(&Element::<M>::R2, &[t[8], 0, 0, 0])
    }
}

/// A field whose sums of products can be reduced once, for code that is generic over fields.
pub trait SumOfProducts: ff::Field {
    /// A sum that is not reduced yet; empty by default.
    type Sum: Clone + Default;

    /// Adds a·b to a sum of fewer than 2^63 products.
    fn add_product(sum: &mut Self::Sum, a: &Self, b: &Self);

    /// The sum.
    fn reduce(sum: &Self::Sum) -> Self;

    /// The inner product of two slices; the longer one is cut.
    fn inner_product(a: &[Self], b: &[Self]) -> Self {
        let mut sum = Self::Sum::default();
        a.iter().zip(b).for_each(|(a, b)| Self::add_product(&mut sum, a, b));
        Self::reduce(&sum)
    }
}

impl<M: Modulus> SumOfProducts for Element<M> {
    type Sum = Accumulator<M>;

    #[inline(always)]
    fn add_product(sum: &mut Accumulator<M>, a: &Self, b: &Self) {
        sum.add_product(a, b);
    }

    #[inline]
    fn reduce(sum: &Accumulator<M>) -> Self {
        sum.reduce()
    }
}
