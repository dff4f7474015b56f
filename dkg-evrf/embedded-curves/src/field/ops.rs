//! The operators.

#![allow(clippy::inline_always, reason = "a call costs as much as the arithmetic")]

use std::{
    iter::{Product, Sum},
    ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub, SubAssign},
};

use super::{Element, Modulus, limbs};

macro_rules! operator {
    ($Trait:ident, $method:ident, $Assign:ident, $assign:ident, |$a:ident, $b:ident| $body:expr) => {
        impl<M: Modulus> $Trait<&Element<M>> for &Element<M> {
            type Output = Element<M>;
            #[inline(always)]
            fn $method(self, other: &Element<M>) -> Element<M> {
                let ($a, $b) = (&self.0, &other.0);
                Element::from_montgomery($body)
            }
        }
        impl<M: Modulus> $Trait<&Element<M>> for Element<M> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: &Self) -> Self {
                (&self).$method(other)
            }
        }
        impl<M: Modulus> $Trait for Element<M> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                (&self).$method(&other)
            }
        }
        impl<M: Modulus> $Assign<&Self> for Element<M> {
            #[inline(always)]
            fn $assign(&mut self, other: &Self) {
                *self = (&*self).$method(other);
            }
        }
        impl<M: Modulus> $Assign for Element<M> {
            #[inline(always)]
            fn $assign(&mut self, other: Self) {
                *self = (&*self).$method(&other);
            }
        }
    };
}

operator!(Add, add, AddAssign, add_assign, |a, b| limbs::add_mod(a, b, &Element::<M>::P));
operator!(Sub, sub, SubAssign, sub_assign, |a, b| limbs::sub_mod(a, b, &Element::<M>::P));
operator!(Mul, mul, MulAssign, mul_assign, |a, b| Element::<M>::product(a, b));

impl<M: Modulus> Neg for Element<M> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        self.neg_const()
    }
}

impl<M: Modulus> Sum for Element<M> {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, |a, b| a + b)
    }
}
impl<'a, M: Modulus> Sum<&'a Self> for Element<M> {
    fn sum<I: Iterator<Item = &'a Self>>(values: I) -> Self {
        values.fold(Self::ZERO, |a, b| a + b)
    }
}
impl<M: Modulus> Product for Element<M> {
    fn product<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ONE, |a, b| a * b)
    }
}
impl<'a, M: Modulus> Product<&'a Self> for Element<M> {
    fn product<I: Iterator<Item = &'a Self>>(values: I) -> Self {
        values.fold(Self::ONE, |a, b| a * b)
    }
}
