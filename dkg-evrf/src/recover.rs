//! The result: from a closed set of verified participations to keys (rule EVRF-11).
//!
//! ```text
//! Verified, Verified, ... -> Closed -> group key, verification shares          (anybody)
//!                                   -> recover(own embedded secret) -> ThresholdKeys, one for each own index
//! ```
//!
//! Nothing is decrypted before it is verified: the types are the only way here. Recovery needs no stored secret but the embedded one,
//! so a validator which was silent or lost its disk recovers in the same way.

#![deny(clippy::indexing_slicing)]

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arithmetic_bulletproofs::ProofCurve;
use dkg::{Interpolation, Participant, ThresholdKeys, ThresholdParams};
use embedded_curves::registration::EmbeddedSecret;
use zeroize::Zeroizing;

use crate::curves::{Point, Scalar, SigningCurve};
use crate::error::{CloseError, Error};
use crate::parameters::{Parameters, ValidatorIndex};
use crate::participation::Dealing;
use crate::secrets::{Secret, x_of_multiple};

/// A participation which [`verify`](crate::verify) found valid, in its session and of its dealer.
#[derive(Clone)]
pub struct Verified<C: SigningCurve> {
    pub(crate) context: [u8; 64],
    pub(crate) dealer: ValidatorIndex,
    pub(crate) dealing: Arc<Dealing<C>>,
}

impl<C: SigningCurve> Verified<C> {
    /// Whose participation it is.
    pub fn dealer(&self) -> ValidatorIndex {
        self.dealer
    }
}

impl<C: SigningCurve> fmt::Debug for Verified<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("dealer", &self.dealer).finish_non_exhaustive()
    }
}

/// The valid participations that count, with the keys that follow from them.
///
/// Only what was verified can be closed, and only what was closed can be recovered from:
///
/// ```compile_fail,E0271
/// # use dkg_evrf::{Closed, Parameters, Participation, Ristretto, ValidatorIndex};
/// fn unverified(parameters: &Parameters<Ristretto>, participation: Participation<Ristretto>) {
///     let _ = Closed::new(parameters, &[ValidatorIndex(0)], [participation]);
/// }
/// ```
pub struct Closed<C: SigningCurve> {
    context: [u8; 64],
    dealings: Vec<Arc<Dealing<C>>>,
    dealers: Vec<ValidatorIndex>,
    group_key: Point<C>,
    /// Of index 1 at position 0.
    verification_shares: Vec<Point<C>>,
}

impl<C: SigningCurve> Closed<C> {
    /// Closes the collection with the participations of the `agreed` dealers, in any order, all of them and no others. Who they are
    /// follows from the ordered log alone: everybody closes with the same ones.
    ///
    /// # Errors
    ///
    /// A [`CloseError`] if a dealer appears twice, a participation belongs to another session, the dealers are not the agreed ones, or
    /// they weigh less than the threshold.
    pub fn new(
        parameters: &Parameters<C>,
        agreed: &[ValidatorIndex],
        verified: impl IntoIterator<Item = Verified<C>>,
    ) -> Result<Self, CloseError> {
        let mut verified = verified.into_iter().collect::<Vec<_>>();
        verified.sort_by_key(Verified::dealer);
        if let Some(other) = verified.iter().find(|verified| verified.context != parameters.context) {
            return Err(CloseError::OtherSession(other.dealer));
        }
        if let Some([first, _]) = verified.array_windows().find(|[a, b]| a.dealer == b.dealer) {
            return Err(CloseError::Twice(first.dealer));
        }
        if let Some(other) = verified.iter().find(|verified| !agreed.contains(&verified.dealer)) {
            return Err(CloseError::NotAgreed(other.dealer));
        }
        if let Some(missing) = agreed.iter().find(|dealer| verified.iter().all(|v| v.dealer != **dealer)) {
            return Err(CloseError::Missing(*missing));
        }
        let weight = verified.iter().filter_map(|verified| parameters.weight(verified.dealer)).sum();
        if weight < parameters.threshold {
            return Err(CloseError::TooLight { weight, threshold: parameters.threshold });
        }
        let dealers = verified.iter().map(Verified::dealer).collect();
        let dealings = verified.into_iter().map(|verified| verified.dealing).collect::<Vec<_>>();
        let coefficients = summed_coefficients(parameters, &dealings);
        let group_key = coefficients.first().copied().unwrap_or_else(C::Group::identity);
        if group_key == C::Group::identity() {
            return Err(CloseError::Identity);
        }
        let verification_shares =
            (1..=parameters.shares).map(|index| evaluate::<C>(&coefficients, index)).collect();
        Ok(Self { context: parameters.context, dealings, dealers, group_key, verification_shares })
    }

    /// Whose participations count, in the set's order.
    pub fn dealers(&self) -> &[ValidatorIndex] {
        &self.dealers
    }

    /// The group key.
    pub fn group_key(&self) -> C::G {
        C::point(&self.group_key)
    }

    /// The verification share of a participant; `None` if there is no such participant.
    pub fn verification_share(&self, participant: Participant) -> Option<C::G> {
        let position = usize::from(u16::from(participant)).checked_sub(1)?;
        self.verification_shares.get(position).map(C::point)
    }
}

impl<C: SigningCurve> fmt::Debug for Closed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").field("dealers", &self.dealers).finish_non_exhaustive()
    }
}

/// The commitments to the coefficients of the shared polynomial.
fn summed_coefficients<C: SigningCurve>(
    parameters: &Parameters<C>,
    dealings: &[Arc<Dealing<C>>],
) -> Vec<Point<C>> {
    let mut sums = vec![C::Group::identity(); usize::from(parameters.threshold)];
    for dealing in dealings {
        for (sum, coefficient) in sums.iter_mut().zip(&dealing.coefficients) {
            *sum += coefficient.point();
        }
    }
    sums
}

/// `Σ index^k·A_k`, by Horner's rule on small multiples: public values, variable time.
fn evaluate<C: SigningCurve>(coefficients: &[Point<C>], index: u16) -> Point<C> {
    coefficients
        .iter()
        .rev()
        .fold(C::Group::identity(), |sum, coefficient| small_multiple::<C>(sum, index) + *coefficient)
}

fn small_multiple<C: SigningCurve>(point: Point<C>, factor: u16) -> Point<C> {
    let bits = u16::BITS - factor.leading_zeros();
    (0..bits).rev().fold(C::Group::identity(), |sum, bit| {
        let doubled = sum + sum;
        if (factor >> bit) & 1 == 1 { doubled + point } else { doubled }
    })
}

/// A validator's threshold keys: one for each of its indices, in order.
///
/// # Errors
///
/// [`Error::WrongSecret`] if the secret does not belong to the validator's registered key, [`Error::OtherSession`] if `closed` has
/// other parameters, and [`Error::WrongShare`] if a share contradicts its verification share.
pub fn recover<C: SigningCurve>(
    parameters: &Parameters<C>,
    closed: &Closed<C>,
    validator: ValidatorIndex,
    secret: &EmbeddedSecret,
) -> Result<Vec<ThresholdKeys<C>>, Error> {
    if closed.context != parameters.context {
        return Err(Error::OtherSession);
    }
    let secret = Secret::of(parameters, validator, secret)?;
    let indices = parameters.indices(validator).ok_or(Error::NoSuchValidator(validator))?;
    let verification_shares = participants(parameters.shares)
        .zip(closed.verification_shares.iter().map(C::point))
        .collect::<HashMap<_, _>>();
    let mut keys = Vec::with_capacity(indices.len());
    for (seat, index) in indices.enumerate() {
        let share = share(closed, &secret, seat, index).ok_or(Error::WrongShare(index))?;
        let participant = Participant::new(index).ok_or(Error::WrongShare(index))?;
        let threshold_keys = ThresholdParams::new(parameters.threshold, parameters.shares, participant)
            .and_then(|params| {
                let share = Zeroizing::new(C::scalar(&share));
                ThresholdKeys::new(params, Interpolation::Lagrange, share, verification_shares.clone())
            })
            .map_err(|_| Error::WrongShare(index))?;
        if threshold_keys.group_key() != closed.group_key() {
            return Err(Error::WrongShare(index));
        }
        keys.push(threshold_keys);
    }
    Ok(keys)
}

fn participants(shares: u16) -> impl Iterator<Item = Participant> {
    (1..=shares).filter_map(Participant::new)
}

/// The share of an index: the sum over the dealers of what they sent less their pads. `None` if it is not the one that the
/// verification share commits to.
fn share<C: SigningCurve>(
    closed: &Closed<C>,
    secret: &Secret<C>,
    seat: usize,
    index: u16,
) -> Option<Zeroizing<Scalar<C>>> {
    let position = usize::from(index).checked_sub(1)?;
    let mut share = Zeroizing::new(Scalar::<C>::ZERO);
    for dealing in &closed.dealings {
        let keys = dealing.seats.get(seat)?;
        *share += *dealing.shares.get(position)?;
        *share -= *x_of_multiple::<C>(&secret.0, &keys.x.point);
        *share -= *x_of_multiple::<C>(&secret.0, &keys.y.point);
    }
    let expected = closed.verification_shares.get(position)?;
    (C::Group::mul(&share, &C::Group::generator()) == *expected).then_some(share)
}
