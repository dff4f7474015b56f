//! Many proofs in one multi-scalar multiplication, and who is at fault when it fails (rule GBP-8).
//!
//! ```text
//! equations of all members, each times its own random weight -> sum -> identity?  yes: all valid
//!                                                                     no: halve, with the same weights, down to one member
//! one member: each of its equations by itself, without random weights
//! ```

use ff::Field;
use rand_core::{CryptoRng, RngCore};

use crate::curve::ProofCurve;
use crate::equation::Equation;
use crate::generators::Generators;

/// A set of members, each with the equations that make it valid.
pub struct Batch<C: ProofCurve> {
    members: Vec<Vec<Equation<C>>>,
}

/// Asked before each multi-scalar multiplication: `false` cancels.
pub type Continue<'a> = &'a mut dyn FnMut() -> bool;

impl<C: ProofCurve> Batch<C> {
    /// A batch of members. Everything that the members sent is fixed by now.
    pub fn new(members: Vec<Vec<Equation<C>>>) -> Self {
        Self { members }
    }

    /// One verdict for each member, in order; `None` if cancelled.
    ///
    /// Weights have 128 random bits. The random generator must be unpredictable to the members' authors.
    pub fn verify(
        mut self,
        generators: &Generators<C>,
        rng: &mut (impl RngCore + CryptoRng),
        threads: usize,
        go_on: Continue<'_>,
    ) -> Option<Vec<bool>> {
        for equation in self.members.iter_mut().flatten() {
            equation.scale(weight::<C>(rng));
        }
        let mut verdicts = vec![true; self.members.len()];
        let mut search = Search { generators, threads, go_on };
        search.check(&self.members, &mut verdicts)?;
        Some(verdicts)
    }
}

/// A random scalar of 128 bits, not zero: scaling by it keeps an equation's truth, too.
fn weight<C: ProofCurve>(rng: &mut (impl RngCore + CryptoRng)) -> C::Scalar {
    loop {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        let value = u128::from_le_bytes(bytes);
        if value != 0 {
            let high = u64::try_from(value >> 64).expect("the upper half has 64 bits");
            let low = u64::try_from(value & u128::from(u64::MAX)).expect("the lower half has 64 bits");
            let shift = C::Scalar::from(1 << 32).square();
            return (C::Scalar::from(high) * shift) + C::Scalar::from(low);
        }
    }
}

struct Search<'a, C: ProofCurve> {
    generators: &'a Generators<C>,
    threads: usize,
    go_on: Continue<'a>,
}

impl<C: ProofCurve> Search<'_, C> {
    fn check(&mut self, members: &[Vec<Equation<C>>], verdicts: &mut [bool]) -> Option<()> {
        if members.is_empty() || self.holds(members)? {
            return Some(());
        }
        self.bisect(members, verdicts)
    }

    /// The members do not hold together.
    fn bisect(&mut self, members: &[Vec<Equation<C>>], verdicts: &mut [bool]) -> Option<()> {
        if let ([member], [verdict]) = (members, &mut *verdicts) {
            *verdict = self.holds_exactly(member)?;
            return Some(());
        }
        let middle = members.len() / 2;
        let (left, right) = members.split_at(middle);
        let (left_verdicts, right_verdicts) = verdicts.split_at_mut(middle);
        if self.holds(left)? {
            return self.bisect(right, right_verdicts);
        }
        self.bisect(left, left_verdicts)?;
        self.check(right, right_verdicts)
    }

    fn holds(&mut self, members: &[Vec<Equation<C>>]) -> Option<bool> {
        (self.go_on)().then_some(())?;
        let mut sum = Equation::new();
        members.iter().flatten().for_each(|equation| sum.accumulate(equation));
        Some(sum.holds(self.generators, self.threads))
    }

    fn holds_exactly(&mut self, member: &[Equation<C>]) -> Option<bool> {
        (self.go_on)().then_some(())?;
        Some(member.iter().all(|equation| equation.holds(self.generators, self.threads)))
    }
}
