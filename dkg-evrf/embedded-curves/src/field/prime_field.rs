//! The traits of the crate `ff`.

use ff::{Field, FromUniformBytes, PrimeField, helpers};
use rand_core::RngCore;
use subtle::{Choice, ConstantTimeEq, CtOption};
use zeroize::Zeroizing;

use super::{Element, Modulus, inverse, limbs};

impl<M: Modulus> From<u64> for Element<M> {
    fn from(value: u64) -> Self {
        Self::from_u64(value)
    }
}

impl<M: Modulus> Element<M> {
    /// The power of two that divides p − 1.
    const TWO_ADICITY: u32 = {
        let below = limbs::sub(&M::LIMBS, &[1, 0, 0, 0]).0;
        below[0].trailing_zeros()
    };
    /// The odd part of p − 1.
    const ODD_PART: [u64; 4] = limbs::shift_right(&limbs::sub(&M::LIMBS, &[1, 0, 0, 0]).0, Self::TWO_ADICITY);
    const HALF_OF_ODD_PART: [u64; 4] = limbs::shift_right(&Self::ODD_PART, 1);
    const P_MINUS_2: [u64; 4] = limbs::sub(&M::LIMBS, &[2, 0, 0, 0]).0;
}

impl<M: Modulus> Field for Element<M> {
    const ZERO: Self = Element::ZERO;
    const ONE: Self = Element::ONE;

    fn random(mut rng: impl RngCore) -> Self {
        let mut bytes = Zeroizing::new([0; 64]);
        rng.fill_bytes(bytes.as_mut());
        Self::from_bytes_wide(&bytes)
    }

    #[inline]
    fn square(&self) -> Self {
        self.square_const()
    }

    #[inline]
    fn double(&self) -> Self {
        *self + self
    }

    fn invert(&self) -> CtOption<Self> {
        CtOption::new(inverse::pow_windowed(self, &Self::P_MINUS_2), !self.is_zero())
    }

    fn sqrt(&self) -> CtOption<Self> {
        if Self::TWO_ADICITY == 1 {
            // p + 1 = 4·(half of the odd part, plus one) for p ≡ 3 (mod 4).
            let root = inverse::pow_windowed(self, &Self::HALF_OF_ODD_PART) * self;
            return CtOption::new(root, root.square().ct_eq(self));
        }
        helpers::sqrt_tonelli_shanks(self, Self::HALF_OF_ODD_PART)
    }

    fn sqrt_ratio(num: &Self, div: &Self) -> (Choice, Self) {
        helpers::sqrt_ratio_generic(num, div)
    }
}

impl<M: Modulus> PrimeField for Element<M> {
    type Repr = [u8; 32];

    const MODULUS: &'static str = M::HEX;
    const NUM_BITS: u32 = 256 - M::LIMBS[3].leading_zeros();
    const CAPACITY: u32 = Self::NUM_BITS - 1;
    const TWO_INV: Self = Self::from_u64(2).pow_public(&Self::P_MINUS_2);
    const MULTIPLICATIVE_GENERATOR: Self = Self::from_u64(M::GENERATOR);
    const S: u32 = Self::TWO_ADICITY;
    const ROOT_OF_UNITY: Self = Self::from_u64(M::GENERATOR).pow_public(&Self::ODD_PART);
    const ROOT_OF_UNITY_INV: Self = Self::ROOT_OF_UNITY.pow_public(&Self::P_MINUS_2);
    const DELTA: Self = Self::from_u64(M::GENERATOR).pow_public(&[1 << Self::TWO_ADICITY, 0, 0, 0]);

    fn from_repr(repr: [u8; 32]) -> CtOption<Self> {
        Self::from_bytes(&repr)
    }

    fn to_repr(&self) -> [u8; 32] {
        self.to_bytes()
    }

    fn is_odd(&self) -> Choice {
        self.parity()
    }
}

impl<M: Modulus> FromUniformBytes<64> for Element<M> {
    fn from_uniform_bytes(bytes: &[u8; 64]) -> Self {
        Self::from_bytes_wide(bytes)
    }
}
