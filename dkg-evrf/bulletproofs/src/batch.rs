//! Many proofs in one multi-scalar multiplication, and who is at fault when it fails (rule GBP-8).
//!
//! ```text
//! fresh randomness, what binds each member -> a weight for each equation
//! equations of all members, each times its own weight -> sum -> identity?  yes: all valid
//!                                                                     no: sum of the left half; the rest is the right half's; and so on
//! ```
//!
//! A member whose own sum is not the identity is faulty with certainty, whatever the weights: were all of its equations true, their sum
//! would be. Finding f faulty ones among n takes at most f·log₂ n multi-scalar multiplications, of half the members, a quarter, ….
//!
//! Most of those sums are differences of others, so that one which a machine computed wrongly would blame whoever is left over. So
//! each member is summed once more by itself before it is named, and nobody is named if that sum is another than the search has found.

use ff::Field;
use rand_core::{CryptoRng, RngCore};

use crate::curve::{ProofCurve, hash_parts};
use crate::equation::Equation;
use crate::error::Error;
use crate::generators::Generators;

/// Separates the hash behind the weights.
const WEIGHTS: &[u8] = b"headwater bulletproofs batch weights v1";

/// One member of a batch.
#[derive(Clone, Debug)]
pub struct Member<C: ProofCurve> {
    /// A hash of everything that the equations follow from: the state of the member's transcript after its last message.
    pub binding: [u8; 64],
    /// The equations which make it valid.
    pub equations: Vec<Equation<C>>,
}

/// A set of members, each with the equations that make it valid.
pub struct Batch<C: ProofCurve> {
    members: Vec<Member<C>>,
}

/// Asked before each multi-scalar multiplication: `false` cancels.
pub type Continue<'a> = &'a mut dyn FnMut() -> bool;

/// Sums all equations of some members.
pub(crate) type Sum<'a, C> = &'a mut dyn FnMut(&[Member<C>]) -> Result<<C as ProofCurve>::Point, Error>;

impl<C: ProofCurve> Batch<C> {
    /// A batch of members. Everything that the members sent is fixed by now.
    pub fn new(members: Vec<Member<C>>) -> Self {
        Self { members }
    }

    /// One verdict for each member, in order.
    ///
    /// Weights have 128 bits of a hash of fresh randomness and of what binds each member. Were the random generator predictable, an
    /// author could still not choose an equation after its weight, but would have to try many members.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`] if `go_on` said so, and [`Error::WrongSum`] if this machine computes wrongly: nothing was decided then.
    pub fn verify(
        self,
        generators: &Generators<C>,
        rng: &mut (impl RngCore + CryptoRng),
        threads: usize,
        go_on: Continue<'_>,
    ) -> Result<Vec<bool>, Error> {
        self.verify_summing(rng, &mut |members| {
            go_on().then_some(()).ok_or(Error::Cancelled)?;
            Ok(sum(members).sum(generators, threads))
        })
    }

    /// As [`Self::verify`], with the sum of all equations of some members by a function.
    pub(crate) fn verify_summing(
        mut self,
        rng: &mut (impl RngCore + CryptoRng),
        sum: Sum<'_, C>,
    ) -> Result<Vec<bool>, Error> {
        let seed = seed::<C>(&self.members, rng);
        let equations = self.members.iter_mut().flat_map(|member| &mut member.equations);
        for (index, equation) in (0..).zip(equations) {
            equation.scale(weight::<C>(&seed, index));
        }
        let mut verdicts = vec![true; self.members.len()];
        let total = sum(&self.members)?;
        blame(&self.members, total, &mut verdicts, sum)?;
        Ok(verdicts)
    }
}

/// What all weights of a batch follow from.
pub(crate) fn seed<C: ProofCurve>(members: &[Member<C>], rng: &mut (impl RngCore + CryptoRng)) -> [u8; 64] {
    let mut fresh = [0; 32];
    rng.fill_bytes(&mut fresh);
    let mut parts = vec![WEIGHTS, C::ID.as_bytes(), &fresh];
    parts.extend(members.iter().map(|member| &member.binding[..]));
    hash_parts(&parts)
}

/// A scalar of 128 bits, not zero: scaling by it keeps an equation's truth, too.
pub(crate) fn weight<C: ProofCurve>(seed: &[u8; 64], index: u64) -> C::Scalar {
    let hash = hash_parts(&[WEIGHTS, seed, &index.to_le_bytes()]);
    let (low, high) = hash.split_at(8);
    let word = |bytes: &[u8]| bytes.iter().take(8).rev().fold(0, |word, byte| (word << 8) | u64::from(*byte));
    let shift = C::Scalar::from(1 << 32).square();
    let value = (C::Scalar::from(word(high)) * shift) + C::Scalar::from(word(low));
    // With probability 2^-128.
    if bool::from(value.is_zero()) { C::Scalar::ONE } else { value }
}

/// All equations of some members, in one.
fn sum<C: ProofCurve>(members: &[Member<C>]) -> Equation<C> {
    let mut sum = Equation::new();
    members.iter().flat_map(|member| &member.equations).for_each(|equation| sum.accumulate(equation));
    sum
}

/// Finds the faulty among members whose sum is `total`: a member's own sum is the identity if it is valid.
fn blame<C: ProofCurve>(
    members: &[Member<C>],
    total: C::Point,
    verdicts: &mut [bool],
    sum: Sum<'_, C>,
) -> Result<(), Error> {
    if total == C::identity() {
        return Ok(());
    }
    if let [verdict] = verdicts {
        // The differences add up to the first sum: if each of those that are named is right, none of the others is wrong.
        (sum(members)? == total).then_some(()).ok_or(Error::WrongSum)?;
        *verdict = false;
        return Ok(());
    }
    let middle = members.len() / 2;
    let (left, right) = members.split_at(middle);
    let (left_verdicts, right_verdicts) = verdicts.split_at_mut(middle);
    let left_total = sum(left)?;
    blame(left, left_total, left_verdicts, sum)?;
    // What the left does not account for is the right's.
    blame(right, total - left_total, right_verdicts, sum)
}
