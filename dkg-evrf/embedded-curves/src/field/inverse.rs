//! Inversion: one element, many at once, and the Jacobi symbol.

use ff::Field;

use super::{
    Element, Modulus,
    limbs::{self, Limbs},
};

/// A power by a public exponent with windows of four bits: time depends on the exponent alone.
pub(super) fn pow_windowed<M: Modulus>(base: &Element<M>, exponent: &Limbs) -> Element<M> {
    let mut table = [Element::<M>::ONE; 16];
    for i in 1..16 {
        table[i] = table[i - 1] * base;
    }
    let mut result = Element::<M>::ONE;
    for limb in exponent.iter().rev() {
        for window in (0..16).rev() {
            for _ in 0..4 {
                result = result.square();
            }
            let nibble = usize::from(((limb >> (4 * window)) & 15).to_le_bytes()[0]);
            // An index by the exponent, which is public.
            result *= table[nibble];
        }
    }
    result
}

fn is_even(a: &Limbs) -> bool {
    (a[0] & 1) == 0
}

fn less(a: &Limbs, b: &Limbs) -> bool {
    limbs::sub(a, b).1 == 1
}

/// a / 2 mod p.
fn halve<M: Modulus>(a: &Limbs) -> Limbs {
    let mask = 0u64.wrapping_sub(a[0] & 1);
    let p = Element::<M>::P;
    let (sum, carry) = limbs::add(a, &[p[0] & mask, p[1] & mask, p[2] & mask, p[3] & mask]);
    let mut half = limbs::shift_right(&sum, 1);
    half[3] |= carry << 63;
    half
}

impl<M: Modulus> Element<M> {
    /// The inverse in variable time, zero for zero: the binary Euclidean algorithm.
    pub fn invert_vartime(&self) -> Self {
        if self.0 == [0; 4] {
            return Self::ZERO;
        }
        // Invariants: x·self = a, y·self = b (mod p), with a, b the Montgomery limbs as integers.
        let (mut a, mut b) = (self.0, Self::P);
        let (mut x, mut y) = ([1, 0, 0, 0], [0; 4]);
        while a != [0; 4] {
            while is_even(&a) {
                a = limbs::shift_right(&a, 1);
                x = halve::<M>(&x);
            }
            if less(&a, &b) {
                std::mem::swap(&mut a, &mut b);
                std::mem::swap(&mut x, &mut y);
            }
            a = limbs::sub(&a, &b).0;
            x = limbs::sub_mod(&x, &y, &Self::P);
        }
        // y = 1/(v·2^256) for the value v; two more factors of 2^256 bring it to Montgomery form.
        Self::from_montgomery(Self::product(&Self::R3, &y))
    }
}

/// The Jacobi symbol (a/n) for n odd, in variable time.
pub(super) fn jacobi_vartime(a: &Limbs, n: &Limbs) -> i8 {
    let (mut a, mut n) = (*a, *n);
    let mut sign = 1;
    while a != [0; 4] {
        while is_even(&a) {
            a = limbs::shift_right(&a, 1);
            if matches!(n[0] & 7, 3 | 5) {
                sign = -sign;
            }
        }
        if less(&a, &n) {
            if (a[0] & 3 == 3) && (n[0] & 3 == 3) {
                sign = -sign;
            }
            std::mem::swap(&mut a, &mut n);
        }
        a = limbs::sub(&a, &n).0;
    }
    // n is now the greatest common divisor: 1, unless the argument was 0, whose symbol is 0.
    if n == [1, 0, 0, 0] { sign } else { 0 }
}

/// Replaces each element by its inverse, zero by zero; three multiplications each and one inversion.
///
/// The time does not depend on the values.
pub fn batch_invert<M: Modulus>(values: &mut [Element<M>]) {
    use subtle::ConditionallySelectable;

    let mut products = zeroize::Zeroizing::new(Vec::with_capacity(values.len()));
    let mut product = Element::<M>::ONE;
    for value in values.iter() {
        products.push(product);
        product = Element::conditional_select(&(product * value), &product, value.is_zero());
    }
    let mut inverse = pow_windowed(&product, &limbs::sub(&M::LIMBS, &[2, 0, 0, 0]).0);
    for (value, before) in values.iter_mut().zip(products.iter()).rev() {
        let zero = value.is_zero();
        let this = inverse * before;
        inverse = Element::conditional_select(&(inverse * *value), &inverse, zero);
        *value = Element::conditional_select(&this, &Element::ZERO, zero);
    }
}

/// As [`batch_invert`], in variable time, for public values.
pub fn batch_invert_vartime<M: Modulus>(values: &mut [Element<M>]) {
    let mut products = Vec::with_capacity(values.len());
    let mut product = Element::<M>::ONE;
    for value in values.iter().filter(|value| !value.eq_vartime(&Element::ZERO)) {
        products.push(product);
        product *= value;
    }
    let mut inverse = product.invert_vartime();
    let others = values.iter_mut().rev().filter(|value| !value.eq_vartime(&Element::ZERO));
    for (value, before) in others.zip(products.iter().rev()) {
        let this = inverse * before;
        inverse *= &*value;
        *value = this;
    }
}
