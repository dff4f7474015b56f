//! Verifying participations, all at once, with blame (rule EVRF-10).
//!
//! ```text
//! (dealer, participation), ... -> each read under its own transcript into equations -> one batch -> a verdict for each
//! ```

#![deny(clippy::indexing_slicing)]

use arithmetic_bulletproofs::{self as bulletproofs, Batch, Member, parallel};
use rand_core::{CryptoRng, RngCore};

use crate::curves::SigningCurve;
use crate::error::VerifyError;
use crate::parameters::{Parameters, ValidatorIndex};
use crate::participation::Participation;
use crate::parts::part;
use crate::proof;
use crate::recover::Verified;
use crate::work::{Progress, Work};

/// What came of one participation.
#[derive(Clone, Debug)]
pub enum Verdict<C: SigningCurve> {
    /// It is valid.
    Valid(Verified<C>),
    /// It is not, and its dealer is at fault.
    Invalid,
}

impl<C: SigningCurve> Verdict<C> {
    /// The verified participation.
    pub fn verified(self) -> Option<Verified<C>> {
        match self {
            Self::Valid(verified) => Some(verified),
            Self::Invalid => None,
        }
    }

    /// Whether the participation is valid.
    pub fn is_valid(&self) -> bool {
        matches!(self, Self::Valid(_))
    }
}

/// Verifies participations; the verdicts come in the same order.
///
/// A dealer is the signer of the transaction that carried the participation; a dealer that is not in the set makes it invalid.
/// `rng` should be unpredictable to the dealers: with all that they sent, it determines the equations' weights.
///
/// # Errors
///
/// A [`VerifyError`], and nothing was decided: the hook asked to stop, or this machine computes wrongly.
pub fn verify<C: SigningCurve>(
    parameters: &Parameters<C>,
    participations: &[(ValidatorIndex, Participation<C>)],
    rng: &mut (impl RngCore + CryptoRng),
    work: Work<'_>,
) -> Result<Vec<Verdict<C>>, VerifyError> {
    let read = |(dealer, participation): &(ValidatorIndex, Participation<C>)| {
        Read::new(parameters, *dealer, participation)
    };
    verify_read(parameters, participations, read, rng, work)
}

/// As [`verify`], from bytes: what does not decode is invalid. With several threads, decoding is shared among them, too.
///
/// # Errors
///
/// A [`VerifyError`], and nothing was decided: the hook asked to stop, or this machine computes wrongly.
pub fn verify_encoded<C: SigningCurve, B: AsRef<[u8]> + Sync>(
    parameters: &Parameters<C>,
    participations: &[(ValidatorIndex, B)],
    rng: &mut (impl RngCore + CryptoRng),
    work: Work<'_>,
) -> Result<Vec<Verdict<C>>, VerifyError> {
    let read = |(dealer, bytes): &(ValidatorIndex, B)| {
        let decoded = part("verify: decoding", || Participation::decode(parameters, bytes.as_ref()));
        let participation = decoded.ok()?;
        Read::new(parameters, *dealer, &participation)
    };
    verify_read(parameters, participations, read, rng, work)
}

/// A participation with the equations which make it valid.
struct Read<C: SigningCurve> {
    member: Member<C::Group>,
    verified: Verified<C>,
}

impl<C: SigningCurve> Read<C> {
    /// `None` if it is invalid without any equation. That it is verified is true only if its equations hold.
    fn new(
        parameters: &Parameters<C>,
        dealer: ValidatorIndex,
        participation: &Participation<C>,
    ) -> Option<Self> {
        let Participation { dealing, argument } = participation;
        let member = proof::equations(parameters, dealer, dealing, argument).ok()?;
        let verified = Verified { context: parameters.context, dealer, dealing: dealing.clone() };
        Some(Self { member, verified })
    }
}

fn verify_read<C: SigningCurve, T: Sync>(
    parameters: &Parameters<C>,
    participations: &[T],
    read: impl Fn(&T) -> Option<Read<C>> + Sync,
    rng: &mut (impl RngCore + CryptoRng),
    mut work: Work<'_>,
) -> Result<Vec<Verdict<C>>, VerifyError> {
    let threads = work.thread_count();
    let (mut members, mut candidates) = (Vec::new(), Vec::new());
    let of = participations.len();
    let mut done = 0;
    work.report(Progress::Read { done, of })?;
    for chunk in participations.chunks(threads) {
        // One thread for each participation of the chunk.
        for read in parallel::map(chunk, threads, &read) {
            let (member, verified) = read.map(|read| (read.member, read.verified)).unzip();
            members.extend(member);
            candidates.push(verified);
        }
        done += chunk.len();
        work.report(Progress::Read { done, of })?;
    }
    let mut go_on = || work.report(Progress::Checking).is_ok();
    let valid = part("verify: multi-scalar", || {
        Batch::new(members).verify(&parameters.generators, rng, threads, &mut go_on)
    });
    verdicts(candidates, valid)
}

/// The verdicts from what was read, `None` where that was refused, and from what the batch says of the others.
fn verdicts<C: SigningCurve>(
    candidates: Vec<Option<Verified<C>>>,
    valid: Result<Vec<bool>, bulletproofs::Error>,
) -> Result<Vec<Verdict<C>>, VerifyError> {
    let mut valid = match valid {
        Ok(valid) => valid.into_iter(),
        Err(bulletproofs::Error::Cancelled) => return Err(VerifyError::Cancelled),
        // A batch has no other errors; none of them would be a member's fault.
        Err(_) => return Err(VerifyError::WrongSum),
    };
    let verdict = |candidate: Option<Verified<C>>| match candidate {
        Some(verified) if valid.next() == Some(true) => Verdict::Valid(verified),
        _ => Verdict::Invalid,
    };
    Ok(candidates.into_iter().map(verdict).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ristretto;

    /// EVRF-10: also not those who are refused without a sum.
    #[test]
    fn evrf_10_a_wrong_sum_decides_nothing() {
        let refused = || vec![None; 3];
        let found = |valid| verdicts::<Ristretto>(refused(), valid);
        assert!(matches!(found(Err(bulletproofs::Error::WrongSum)), Err(VerifyError::WrongSum)));
        assert!(matches!(found(Err(bulletproofs::Error::Cancelled)), Err(VerifyError::Cancelled)));
        assert_eq!(found(Ok(Vec::new())).map(|verdicts| verdicts.len()), Ok(3));
    }
}
