//! Verifying participations, all at once, with blame (rule EVRF-10).
//!
//! ```text
//! (dealer, participation), ... -> each read under its own transcript into equations -> one batch -> a verdict for each
//! ```

#![deny(clippy::indexing_slicing)]

use arithmetic_bulletproofs::{Batch, Member, parallel};
use rand_core::{CryptoRng, RngCore};

use crate::curves::SigningCurve;
use crate::parameters::{Parameters, ValidatorIndex};
use crate::participation::Participation;
use crate::proof;
use crate::recover::Verified;
use crate::work::{Cancelled, Progress, Work};

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
/// [`Cancelled`] if the hook asked for it; nothing was decided then.
pub fn verify<C: SigningCurve>(
    parameters: &Parameters<C>,
    participations: &[(ValidatorIndex, Participation<C>)],
    rng: &mut (impl RngCore + CryptoRng),
    mut work: Work<'_>,
) -> Result<Vec<Verdict<C>>, Cancelled> {
    let read = read(parameters, participations, &mut work)?;
    let mut positions = Vec::with_capacity(read.len());
    let mut members = Vec::with_capacity(read.len());
    for (position, equations) in read.into_iter().enumerate() {
        if let Some(member) = equations {
            positions.push(position);
            members.push(member);
        }
    }
    let threads = work.thread_count();
    let mut go_on = || work.report(Progress::Checking).is_ok();
    let valid =
        Batch::new(members).verify(&parameters.generators, rng, threads, &mut go_on).ok_or(Cancelled)?;
    let mut verdicts = participations.iter().map(|_| Verdict::Invalid).collect::<Vec<_>>();
    for (position, _) in positions.into_iter().zip(valid).filter(|(_, valid)| *valid) {
        if let (Some(verdict), Some((dealer, participation))) =
            (verdicts.get_mut(position), participations.get(position))
        {
            *verdict = Verdict::Valid(Verified {
                context: parameters.context,
                dealer: *dealer,
                dealing: participation.dealing.clone(),
            });
        }
    }
    Ok(verdicts)
}

type Equations<C> = Member<<C as SigningCurve>::Group>;

/// The equations of each participation; `None` if it has none, which makes it invalid.
fn read<C: SigningCurve>(
    parameters: &Parameters<C>,
    participations: &[(ValidatorIndex, Participation<C>)],
    work: &mut Work<'_>,
) -> Result<Vec<Option<Equations<C>>>, Cancelled> {
    let of = participations.len();
    let mut equations = Vec::with_capacity(of);
    work.report(Progress::Read { done: 0, of })?;
    for chunk in participations.chunks(work.thread_count()) {
        // One thread for each participation of the chunk.
        equations.extend(parallel::map(chunk, chunk.len(), |(dealer, participation)| {
            proof::equations(parameters, *dealer, &participation.dealing, &participation.argument).ok()
        }));
        work.report(Progress::Read { done: equations.len(), of })?;
    }
    Ok(equations)
}
