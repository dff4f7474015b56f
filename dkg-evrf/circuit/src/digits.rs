//! Scalars as balanced ternary digits, few of which are not zero.
//!
//! ```text
//! k ──▶ k + j·q for all j in −256..256 ──▶ + (3^L − 1)/2 ──▶ ternary digits 0, 1, 2 ──▶ − 1 ──▶ −1, 0, 1
//!                                                         the first j with at most POLES digits other than zero
//! ```
//!
//! All representations are always visited, in the same way. Divisions are by constants, which compilers
//! turn into multiplications.

#![allow(clippy::cast_possible_truncation, reason = "words are cut out of wider ones on purpose")]

use std::marker::PhantomData;

use embedded_curves::{Base, Scalar, field::Modulus};
use ff::Field;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    Error,
    parameters::{DivisorCurve, HALF_REPRESENTATIONS},
};

/// 288 bits, least significant word first: enough for 3^168.
type Wide = [u32; 9];

/// The digits that one division yields: 3^20 is the greatest power of 3 below 2^32.
const CHUNK: usize = 20;
const CHUNK_POWER: u64 = 3u64.pow(20);

/// A secret integer in balanced ternary, at most [`DivisorCurve::POLES`] digits of which are not zero.
pub struct Digits<C: DivisorCurve> {
    /// Each digit plus one.
    shifted: Zeroizing<Vec<u8>>,
    curve: PhantomData<C>,
}

impl<C: DivisorCurve> Digits<C> {
    /// Represents a scalar other than zero.
    ///
    /// # Errors
    /// [`Error::ZeroScalar`]; [`Error::NoRepresentation`] with a probability that is estimated to be below 2^-120 (rule GADGET-7).
    pub fn new(scalar: &Scalar<C>) -> Result<Self, Error> {
        if bool::from(scalar.is_zero()) {
            return Err(Error::ZeroScalar);
        }
        let order = words(&C::ScalarModulus::LIMBS);
        let mut candidate = Zeroizing::new(first_representation::<C>(scalar));
        let mut chosen = Zeroizing::new(Wide::default());
        let mut found = Choice::from(0);
        let mut shifted = Zeroizing::new(vec![0; C::DIGITS]);
        for _ in 0..2 * HALF_REPRESENTATIONS {
            ternary(&candidate, &mut shifted);
            let fits = count_nonzero(&shifted).wrapping_sub(C::POLES as u32 + 1) >> 31;
            let take = Choice::from(fits as u8) & !found;
            chosen.iter_mut().zip(candidate.iter()).for_each(|(to, from)| to.conditional_assign(from, take));
            found |= take;
            add(&mut candidate, &order);
        }
        ternary(&chosen, &mut shifted);
        if bool::from(found) {
            Ok(Self { shifted, curve: PhantomData })
        } else {
            Err(Error::NoRepresentation)
        }
    }

    /// Whether digit `i` is 1, and whether it is −1.
    pub(crate) fn signs(&self, i: usize) -> (Choice, Choice) {
        (self.shifted[i].ct_eq(&2), self.shifted[i].ct_eq(&0))
    }

    /// Appends the digits to a tape: the multiplicities of all 3^i·T, then those of all −3^i·T.
    pub(crate) fn write(&self, tape: &mut Vec<Base<C>>) {
        let element = |choice| Base::<C>::conditional_select(&Base::<C>::ZERO, &Base::<C>::ONE, choice);
        tape.extend((0..C::DIGITS).map(|i| element(self.signs(i).0)));
        tape.extend((0..C::DIGITS).map(|i| element(self.signs(i).1)));
    }
}

fn words(limbs: &[u64; 4]) -> Wide {
    let mut words = Wide::default();
    for (pair, limb) in words.as_chunks_mut::<2>().0.iter_mut().zip(limbs) {
        *pair = [*limb as u32, (*limb >> 32) as u32];
    }
    words
}

/// a += b; the sum fits.
fn add(a: &mut Wide, b: &Wide) {
    let mut carry = 0;
    for (a, b) in a.iter_mut().zip(b) {
        let sum = u64::from(*a) + u64::from(*b) + carry;
        *a = sum as u32;
        carry = sum >> 32;
    }
}

/// a −= b, for public a ≥ b.
fn subtract(a: &mut Wide, b: &Wide) {
    let mut borrow = 0;
    for (a, b) in a.iter_mut().zip(b) {
        let difference = u64::from(*a).wrapping_sub(u64::from(*b)).wrapping_sub(borrow);
        *a = difference as u32;
        borrow = difference >> 63;
    }
}

/// k − J·q + (3^L − 1)/2, which is not negative.
fn first_representation<C: DivisorCurve>(scalar: &Scalar<C>) -> Wide {
    // (3^L − 1)/2 has L ternary digits, all 1.
    let mut value = Wide::default();
    for _ in 0..C::DIGITS {
        let mut carry = 1;
        for word in &mut value {
            let next = u64::from(*word) * 3 + carry;
            *word = next as u32;
            carry = next >> 32;
        }
    }
    let order = words(&C::ScalarModulus::LIMBS);
    for _ in 0..HALF_REPRESENTATIONS {
        subtract(&mut value, &order);
    }
    add(&mut value, &words(&scalar.to_limbs()));
    value
}

/// The ternary digits of a number below 3^L, least significant first.
fn ternary(value: &Wide, digits: &mut [u8]) {
    let mut value = Zeroizing::new(*value);
    for chunk in digits.chunks_mut(CHUNK) {
        let mut remainder = 0u64;
        for word in value.iter_mut().rev() {
            let current = (remainder << 32) | u64::from(*word);
            *word = (current / CHUNK_POWER) as u32;
            remainder = current % CHUNK_POWER;
        }
        let mut remainder = remainder as u32;
        for digit in chunk {
            *digit = (remainder % 3) as u8;
            remainder /= 3;
        }
        remainder.zeroize();
    }
}

/// How many balanced digits are not zero.
fn count_nonzero(shifted: &[u8]) -> u32 {
    shifted.iter().map(|digit| u32::from((digit ^ 1) != 0)).sum()
}
