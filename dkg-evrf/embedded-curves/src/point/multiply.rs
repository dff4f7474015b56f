//! Multiplication by scalars: windows of four bits.

use std::ops::Mul;

use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::Point;
use crate::curves::{Curve, Scalar};

/// The bits of a scalar in groups of four, most significant first.
fn nibbles<C: Curve>(scalar: &Scalar<C>) -> Zeroizing<[u8; 64]> {
    let bytes = Zeroizing::new(scalar.to_bytes());
    let mut nibbles = Zeroizing::new([0; 64]);
    for (pair, byte) in nibbles.as_chunks_mut::<2>().0.iter_mut().zip(bytes.iter().rev()) {
        *pair = [byte >> 4, byte & 15];
    }
    nibbles
}

impl<C: Curve> Point<C> {
    /// 0 to 15 times the point.
    fn multiples(&self) -> [Self; 16] {
        let mut table = [Self::IDENTITY; 16];
        for i in 1..16 {
            table[i] = table[i - 1] + *self;
        }
        table
    }

    /// scalar·point in constant time: every table is read in full.
    fn multiply(&self, scalar: &Scalar<C>) -> Self {
        let table = Zeroizing::new(self.multiples());
        let mut result = Self::IDENTITY;
        for nibble in nibbles::<C>(scalar).iter() {
            for _ in 0..4 {
                result = result.double();
            }
            let mut chosen = Self::IDENTITY;
            for (index, multiple) in (0u8..).zip(table.iter()) {
                chosen.conditional_assign(multiple, index.ct_eq(nibble));
            }
            result += chosen;
        }
        result
    }

    /// scalar·point in variable time, for public values.
    pub fn mul_vartime(&self, scalar: &Scalar<C>) -> Self {
        Self::straus_vartime(&[(*scalar, *self)])
    }

    /// The sum of scalar·point in variable time, for public values and few points (Straus).
    pub fn straus_vartime(terms: &[(Scalar<C>, Self)]) -> Self {
        let terms: Vec<_> =
            terms.iter().map(|(scalar, point)| (nibbles::<C>(scalar), point.multiples())).collect();
        let mut result = Self::IDENTITY;
        let mut started = false;
        for position in 0..64 {
            if started {
                for _ in 0..4 {
                    result = result.double();
                }
            }
            for (digits, table) in &terms {
                let digit = usize::from(digits[position]);
                if digit != 0 {
                    result += table[digit];
                    started = true;
                }
            }
        }
        result
    }
}

impl<C: Curve> Mul<Scalar<C>> for Point<C> {
    type Output = Self;
    fn mul(self, scalar: Scalar<C>) -> Self {
        self.multiply(&scalar)
    }
}
