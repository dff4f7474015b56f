//! Scalars in two halves, by the endomorphism of a curve y² = x³ + b; variable time, for public values.
//!
//! (x, y) ↦ (βx, y), with β³ = 1, is multiplication by some λ with λ³ = 1. So k·P = k₁·P + k₂·(βx, y) for k = k₁ + λ·k₂. Short k₁, k₂
//! come from a reduced basis (a₁, b₁), (a₂, b₂) of the lattice of all (a, b) with a + λ·b = 0: the vector (k, 0) less the nearest
//! lattice point to within a rounding, which leaves |k₁| ≤ (|a₁| + |a₂|)/2 and |k₂| ≤ (|b₁| + |b₂|)/2, up to the rounding of the
//! precomputed quotients.
//!
//! Source: R. P. Gallant, R. J. Lambert, S. A. Vanstone, *Faster point multiplication on elliptic curves with efficient
//! endomorphisms* (2001).

use super::Affine;
use crate::{
    curves::{Base, Curve, Scalar},
    field::{Element, Modulus, limbs, wide_product},
};

/// What splitting needs of a curve.
pub struct Endomorphism<C: Curve> {
    /// A cube root of 1 in the field.
    pub beta: Base<C>,
    /// The cube root of 1 modulo the order that belongs to it.
    pub lambda: Scalar<C>,
    /// 2^384·b₂/q and −2^384·b₁/q, rounded, for the determinant q = a₁·b₂ − a₂·b₁.
    pub quotients: [[u64; 4]; 2],
    /// −b₁ and −b₂.
    pub minus_b: [Scalar<C>; 2],
}

/// The bits of each half, by the bound on both.
pub(super) const HALF_BITS: usize = 128;

/// A scalar as the smaller one of itself and its opposite.
pub(super) struct Magnitude {
    pub(super) limbs: [u64; 4],
    pub(super) negative: bool,
}

impl<C: Curve> Endomorphism<C> {
    /// λ·point.
    pub fn apply(&self, point: &Affine<C>) -> Affine<C> {
        Affine::from_curve(self.beta * point.x(), point.y())
    }

    /// k₁ and k₂.
    fn halves(&self, scalar: &Scalar<C>) -> [Scalar<C>; 2] {
        let limbs = scalar.to_limbs();
        let [c1, c2] = self.quotients.map(|quotient| {
            let product = wide_product(&limbs, &quotient);
            // Divided by 2^384, to the nearest integer.
            let (rounded, _) = limbs::add(&[product[6], product[7], 0, 0], &[product[5] >> 63, 0, 0, 0]);
            Scalar::<C>::from_limbs(rounded)
        });
        let second = c1 * self.minus_b[0] + c2 * self.minus_b[1];
        [*scalar - second * self.lambda, second]
    }

    /// k₁ and k₂, with magnitudes below 2^128.
    pub(super) fn split_vartime(&self, scalar: &Scalar<C>) -> [Magnitude; 2] {
        self.halves(scalar).map(|half| Magnitude::of_vartime(&half))
    }
}

impl Magnitude {
    pub(super) fn of_vartime<M: Modulus>(scalar: &Element<M>) -> Self {
        let (limbs, opposite) = (scalar.to_limbs(), (-*scalar).to_limbs());
        let negative = limbs[3] > opposite[3];
        Self { limbs: if negative { opposite } else { limbs }, negative }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ff::Field;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;
    use crate::{Point, Secp256k1};

    /// CURVE-14.
    #[test]
    fn halves_are_short_and_stand_for_the_scalar() {
        let endomorphism = Secp256k1::ENDOMORPHISM.unwrap();
        let lambda = endomorphism.lambda;
        let image = Point::<Secp256k1>::from(endomorphism.apply(&Affine::GENERATOR));
        assert_eq!(image, Point::GENERATOR * lambda);
        assert_eq!(lambda * lambda * lambda, Scalar::<Secp256k1>::ONE);
        assert_ne!(lambda, Scalar::<Secp256k1>::ONE);
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        let small = (0..9u64).map(Scalar::<Secp256k1>::from_u64);
        let powers = (0..256u64).map(|i| Scalar::<Secp256k1>::from_u64(2).pow_vartime([i]));
        let random = (0..5000).map(|_| Scalar::<Secp256k1>::random(&mut rng));
        for scalar in small.chain(powers).chain(random) {
            for scalar in [scalar, -scalar, scalar * lambda, scalar + lambda, scalar - lambda] {
                let halves = endomorphism.halves(&scalar);
                assert_eq!(halves[0] + lambda * halves[1], scalar);
                for half in endomorphism.split_vartime(&scalar) {
                    assert_eq!(half.limbs[2..], [0, 0], "{HALF_BITS} bits");
                }
            }
        }
    }
}
