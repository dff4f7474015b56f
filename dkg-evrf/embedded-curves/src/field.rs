//! Prime fields of 252 to 256 bits in Montgomery form, four limbs of 64 bits.
//!
//! ```text
//! bytes (little-endian, canonical) ── from_repr ──▶ a·2^256 mod p ── + − × ──▶ … ── to_repr ──▶ bytes
//! ```
//!
//! One implementation serves every modulus: [`Element`] takes it as a type, so each field is compiled
//! for its own constants. Every operation runs in time independent of its values, unless its name says
//! `vartime`; equality and decoding too. Elements may be secret: they zeroize, and print as redacted.
//!
//! What this module deliberately does not do: fields of another size, or SIMD.
//!
//! Sources: P. L. Montgomery, *Modular multiplication without trial division* (1985); Ç. K. Koç,
//! T. Acar, B. S. Kaliski, *Analyzing and comparing Montgomery multiplication algorithms* (1996), the
//! method CIOS; B. S. Kaliski, *The Montgomery inverse and its applications* (1995).

#![allow(clippy::inline_always, reason = "a call costs as much as the arithmetic")]

mod accumulator;
mod inverse;
pub(crate) mod limbs;
mod moduli;
mod ops;
mod prime_field;
mod reduction;

use std::{fmt, marker::PhantomData};

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, CtOption};
use zeroize::DefaultIsZeroes;

use limbs::Limbs;

pub use accumulator::{Accumulator, SumOfProducts};
pub use inverse::{batch_invert, batch_invert_vartime};
pub use moduli::{
    Curve25519FieldPrime, Embedwards25519Order, RistrettoOrder, Secp256k1FieldPrime, Secp256k1Order,
};
pub(crate) use reduction::wide_product;

/// The integers modulo the order of Ristretto: what embedwards25519 is defined over.
pub type RistrettoScalar = Element<RistrettoOrder>;
/// The integers modulo the order of embedwards25519.
pub type Embedwards25519Scalar = Element<Embedwards25519Order>;
/// The integers modulo the order of secp256k1: what secq256k1 is defined over.
pub type Secp256k1Scalar = Element<Secp256k1Order>;
/// The field of secp256k1, and the integers modulo the order of secq256k1.
pub type Secq256k1Scalar = Element<Secp256k1FieldPrime>;

/// The field of edwards25519, which Ristretto's elements and Ed25519's keys have their coordinates in.
pub type Curve25519Field = Element<Curve25519FieldPrime>;

/// A prime, with the two constants that arithmetic cannot compute from it.
///
/// Implemented by the five moduli of this crate; the constants below are checked by their tests.
pub trait Modulus: 'static + Send + Sync {
    /// The prime, least significant limb first; odd, of 252 to 256 bits.
    const LIMBS: [u64; 4];
    /// The prime in hexadecimal, as `ff::PrimeField::MODULUS` wants it.
    const HEX: &'static str;
    /// A generator of the multiplicative group, and so a quadratic non-residue.
    const GENERATOR: u64;
    /// The name of the field in debug output.
    const NAME: &'static str;
}

/// An element of the field of integers modulo `M`: always reduced, in Montgomery form.
pub struct Element<M: Modulus>(Limbs, PhantomData<M>);

impl<M: Modulus> Element<M> {
    /// The prime.
    pub(crate) const P: Limbs = M::LIMBS;
    /// 2^256 − p if that has one limb, else 0.
    const COMPLEMENT: u64 = match M::LIMBS {
        [low, u64::MAX, u64::MAX, u64::MAX] => low.wrapping_neg(),
        _ => 0,
    };
    const NEG_INV: u64 = limbs::negative_inverse(M::LIMBS[0]);
    /// 2^256 mod p: one, in Montgomery form.
    const R: Limbs = limbs::power_of_two(256, &M::LIMBS);
    const R2: Limbs = limbs::power_of_two(512, &M::LIMBS);
    const R3: Limbs = limbs::power_of_two(768, &M::LIMBS);
    /// Whether the prime leaves the top bit free, so that no product carries out of four limbs.
    const SPARE_BIT: bool = M::LIMBS[3] < (u64::MAX >> 1);

    /// Zero.
    pub const ZERO: Self = Self([0; 4], PhantomData);
    /// One.
    pub const ONE: Self = Self(Self::R, PhantomData);

    #[inline(always)]
    const fn from_montgomery(limbs: Limbs) -> Self {
        Self(limbs, PhantomData)
    }

    /// An integer below 2^256, reduced. For constants: limbs come least significant first.
    pub const fn from_limbs(limbs: [u64; 4]) -> Self {
        Self::from_montgomery(Self::product(&Self::R2, &limbs))
    }

    /// A small integer.
    pub const fn from_u64(value: u64) -> Self {
        Self::from_limbs([value, 0, 0, 0])
    }

    /// The integer in `0..p`, least significant limb first.
    pub const fn to_limbs(&self) -> [u64; 4] {
        Self::product(&self.0, &[1, 0, 0, 0])
    }

    /// A 512-bit integer in little-endian bytes, reduced: within 2^-256 of uniform for uniform bytes.
    pub fn from_bytes_wide(bytes: &[u8; 64]) -> Self {
        let mut words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        let mut next = || std::array::from_fn(|_| words.next().unwrap_or(0));
        let (low, high): (Limbs, Limbs) = (next(), next());
        Self::from_limbs(low) + Self::from_montgomery(Self::product(&Self::R3, &high))
    }

    /// The canonical encoding, little-endian.
    pub fn to_bytes(&self) -> [u8; 32] {
        let limbs = self.to_limbs();
        let mut bytes = [0; 32];
        for (to, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(limbs) {
            *to = limb.to_le_bytes();
        }
        bytes
    }

    /// Decodes the canonical encoding: 32 little-endian bytes of an integer below the prime.
    pub fn from_bytes(bytes: &[u8; 32]) -> CtOption<Self> {
        let mut limbs = [0; 4];
        for (limb, word) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*word);
        }
        let (_, borrow) = limbs::sub(&limbs, &Self::P);
        CtOption::new(Self::from_limbs(limbs), limbs::choice(borrow))
    }

    /// a·b·2^-256, for a reduced and **any** b.
    #[inline(always)]
    const fn product(a: &Limbs, b: &Limbs) -> Limbs {
        if Self::COMPLEMENT == 0 {
            limbs::montgomery_mul(a, b, &Self::P, Self::NEG_INV, Self::SPARE_BIT)
        } else {
            let wide = wide_product(a, b);
            reduction::montgomery_reduce_near_power(&wide, Self::COMPLEMENT, &Self::P, Self::NEG_INV)
        }
    }

    /// The square; cheaper than a product.
    #[inline(always)]
    pub const fn square_const(&self) -> Self {
        let wide = reduction::wide_square(&self.0);
        Self::from_montgomery(if Self::COMPLEMENT == 0 {
            reduction::montgomery_reduce(&wide, &Self::P, Self::NEG_INV)
        } else {
            reduction::montgomery_reduce_near_power(&wide, Self::COMPLEMENT, &Self::P, Self::NEG_INV)
        })
    }

    /// The product; as an operator, but usable in constants.
    #[inline(always)]
    pub const fn mul_const(&self, other: &Self) -> Self {
        Self::from_montgomery(Self::product(&self.0, &other.0))
    }

    /// The negative; as an operator, but usable in constants.
    #[inline]
    pub const fn neg_const(&self) -> Self {
        Self::from_montgomery(limbs::neg_mod(&self.0, &Self::P))
    }

    /// A power by a public exponent, least significant limb first; usable in constants. Its time
    /// depends on the exponent alone.
    pub const fn pow_public(&self, exponent: &[u64; 4]) -> Self {
        let mut result = Self::ONE;
        let mut i = 256;
        while i > 0 {
            i -= 1;
            result = result.mul_const(&result);
            if ((exponent[i / 64] >> (i % 64)) & 1) == 1 {
                result = result.mul_const(self);
            }
        }
        result
    }

    /// Whether the integer in `0..p` is odd, as RFC 9380's `sgn0` for prime fields.
    pub fn parity(&self) -> Choice {
        Choice::from(self.to_limbs()[0].to_le_bytes()[0] & 1)
    }

    /// Becomes `other` if `choice`, for an element that is zero unless `choice` is 0; cheaper than a conditional assignment.
    #[inline]
    pub(crate) fn or_if(&mut self, other: &Self, choice: Choice) {
        let mask = 0u64.wrapping_sub(u64::from(choice.unwrap_u8()));
        self.0.iter_mut().zip(&other.0).for_each(|(to, from)| *to |= from & mask);
    }

    /// Equality in variable time, for public values.
    #[inline]
    pub fn eq_vartime(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Whether there is a square root, in variable time; zero has one.
    pub fn is_square_vartime(&self) -> bool {
        inverse::jacobi_vartime(&self.to_limbs(), &Self::P) >= 0
    }
}

impl<M: Modulus> Clone for Element<M> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}
impl<M: Modulus> Copy for Element<M> {}

impl<M: Modulus> Default for Element<M> {
    fn default() -> Self {
        Self::ZERO
    }
}

impl<M: Modulus> ConstantTimeEq for Element<M> {
    fn ct_eq(&self, other: &Self) -> Choice {
        let difference = self.0.iter().zip(&other.0).fold(0, |all, (a, b)| all | (a ^ b));
        difference.ct_eq(&0)
    }
}

impl<M: Modulus> PartialEq for Element<M> {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}
impl<M: Modulus> Eq for Element<M> {}

impl<M: Modulus> ConditionallySelectable for Element<M> {
    #[inline]
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        let mask = 0u64.wrapping_sub(u64::from(choice.unwrap_u8()));
        Self::from_montgomery(limbs::select(&a.0, &b.0, mask))
    }
}

/// Zero is all zero limbs; `zeroize` writes it so that it is not optimized away.
impl<M: Modulus> DefaultIsZeroes for Element<M> {}

impl<M: Modulus> fmt::Debug for Element<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(redacted)", M::NAME)
    }
}

#[cfg(test)]
mod tests;
