//! Where commitments and weights stand in the exponents of the argument's polynomials (rule GBP-3).
//!
//! ```text
//! c commitments of the tape, m = c + 1, E = 2m
//!
//! exponent   -1     0     1 ..= c      m           E - c ..= E - 1     E            E + 2
//! l          S_L    a_O   tape         a_L + y⁻¹∘W_R
//! r                                    y∘a_R + W_L  W_C (reversed)      W_O - y      y∘S_R
//! ```
//!
//! A commitment's exponent is the same in `l` and in `r`, and a cheating prover may fill both parts of every commitment. No two
//! exponents of commitments add up to `E` but `m + m`: so the coefficient of `X^E` in `⟨l, r⟩` is what the honest layout gives it.
//! Both supports are nearly contiguous, so `⟨l, r⟩` has `2c + 6` coefficients only.

use core::ops::RangeInclusive;

use ff::Field;

/// Exponents for a number of tape commitments. Exponents are signed: the blinding of `l` stands at -1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    commitments: i64,
}

impl Layout {
    /// The layout for a tape of `tape_len` scalars in commitments of `rows` each.
    pub(crate) fn new(tape_len: usize, rows: usize) -> Self {
        let commitments = i64::try_from(tape_len.div_ceil(rows)).expect("a tape fits in memory");
        Self { commitments }
    }

    pub(crate) fn commitments(self) -> usize {
        usize::try_from(self.commitments).expect("made from a length")
    }

    /// Of `S_L`.
    pub(crate) const BLINDING_LEFT: i64 = -1;
    /// Of `A_O`.
    pub(crate) const OUTPUTS: i64 = 0;

    /// Of the tape's `j`-th commitment, from 0.
    #[allow(clippy::unused_self)]
    pub(crate) fn tape(self, j: usize) -> i64 {
        i64::try_from(j).expect("commitments fit in memory") + 1
    }

    /// Of `A_I`: `m`.
    pub(crate) fn factors(self) -> i64 {
        self.commitments + 1
    }

    /// Of the checked coefficient: `E`.
    pub(crate) fn target(self) -> i64 {
        2 * self.factors()
    }

    /// Of `S_R`.
    pub(crate) fn blinding_right(self) -> i64 {
        self.target() + 2
    }

    /// Of the weights of the tape's `j`-th commitment.
    pub(crate) fn tape_weights(self, j: usize) -> i64 {
        self.target() - self.tape(j)
    }

    /// The exponents of `⟨l, r⟩`, the target included.
    pub(crate) fn product(self) -> RangeInclusive<i64> {
        (self.factors() - 1)..=(self.factors() + self.blinding_right())
    }

    /// The exponents of `⟨l, r⟩` which the prover commits to.
    pub(crate) fn coefficients(self) -> impl Iterator<Item = i64> {
        self.product().filter(move |exponent| *exponent != self.target())
    }

    /// How many they are.
    pub(crate) fn coefficients_len(self) -> usize {
        self.coefficients().count()
    }
}

/// The point at which the polynomials are evaluated.
pub(crate) struct Point<F> {
    pub(crate) x: F,
    pub(crate) x_inverse: F,
    pub(crate) layout: Layout,
}

impl<F: Field> Point<F> {
    /// Its power with a signed public exponent.
    pub(crate) fn at(&self, exponent: i64) -> F {
        let base = if exponent < 0 { self.x_inverse } else { self.x };
        base.pow_vartime([exponent.unsigned_abs()])
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;

    /// GBP-3.
    #[test]
    fn gbp_3_only_the_factors_meet_themselves_at_the_target() {
        for commitments in 0..40 {
            let layout = Layout::new(commitments * 8, 8);
            assert_eq!(layout.commitments(), commitments);
            let mut exponents =
                vec![Layout::BLINDING_LEFT, Layout::OUTPUTS, layout.factors(), layout.blinding_right()];
            exponents.extend((0..commitments).map(|j| layout.tape(j)));
            for (i, a) in exponents.iter().enumerate() {
                for (j, b) in exponents.iter().enumerate() {
                    let both_factors = (i == 2) && (j == 2);
                    assert_eq!((a + b) == layout.target(), both_factors, "{commitments} {a} {b}");
                }
            }
            // Public parts of `l` stand at the factors' exponent: no part of another commitment in `r` may meet them there.
            let meets = exponents.iter().filter(|e| (*e + layout.factors()) == layout.target()).count();
            assert_eq!(meets, 1);
            assert_eq!(layout.coefficients_len(), (2 * commitments) + 5);
        }
    }
}
