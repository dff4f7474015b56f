//! Making one's own participation (rules EVRF-3 to EVRF-8).
//!
//! ```text
//! embedded secret -> Dealt (secret, always the same in a context) -> Dealing (public) -> Argument (proof) -> verified here -> sent
//! ```
//!
//! Dealing and shares are the same after any restart or restore; the proof may differ. The caller stores a participation before it
//! sends it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arithmetic_bulletproofs::ProofCurve;
use embedded_curves::Point;
use embedded_curves::registration::EmbeddedSecret;
use rand_core::{CryptoRng, RngCore};

use crate::curves::{Element, EmbeddedScalar, SigningCurve};
use crate::error::Error;
use crate::parameters::{Parameters, ValidatorIndex};
use crate::participation::{Dealing, EmbeddedElement, Participation, Seat};
use crate::parts::part;
use crate::proof;
use crate::secrets::{Dealt, Secret};
use crate::verify::verify_encoded;
use crate::work::{Progress, Work};

/// Takes part in a session as `validator`, whose embedded secret this is.
///
/// The proof's randomness comes from the secret, the complete statement, and `rng`. The participation has been verified when this
/// returns.
///
/// # Errors
///
/// [`Error::NoSuchValidator`], [`Error::WrongSecret`]: a wrong call. [`Error::SelfCheck`]: this machine computed something wrong, so
/// that nothing must be sent. [`Error::Degenerate`] with negligible probability. [`Error::Cancelled`] if the hook asked for it.
pub fn participate<C: SigningCurve>(
    parameters: &Parameters<C>,
    validator: ValidatorIndex,
    secret: &EmbeddedSecret,
    rng: &mut (impl RngCore + CryptoRng),
    work: Work<'_>,
) -> Result<Participation<C>, Error> {
    participate_encoding(parameters, validator, secret, rng, work, Participation::encode)
}

/// As [`participate`], with what encodes a participation: what that returns is what is checked.
fn participate_encoding<C: SigningCurve>(
    parameters: &Parameters<C>,
    validator: ValidatorIndex,
    secret: &EmbeddedSecret,
    rng: &mut (impl RngCore + CryptoRng),
    mut work: Work<'_>,
    encode: impl FnOnce(&Participation<C>) -> Vec<u8>,
) -> Result<Participation<C>, Error> {
    let secret = Secret::of(parameters, validator, secret)?;
    let dealt = part("prove: secrets", || Dealt::derive(parameters, validator, &secret))?;
    let dealing = Arc::new(part("prove: dealing", || deal(parameters, &dealt)));
    let threads = work.thread_count();
    let argument = proof::prove(parameters, validator, &dealing, &dealt, &secret, rng, threads)?;
    work.report(Progress::Checking).map_err(|_| Error::Cancelled)?;
    let participation = Participation { dealing, argument };
    let verdicts = part("prove: self-check", || {
        // What will be sent, as others will read it.
        let bytes = encode(&participation);
        let work = NonZeroUsize::new(threads).map_or_else(Work::default, Work::threads);
        verify_encoded(parameters, &[(validator, bytes)], rng, work)
    });
    match verdicts.as_deref() {
        Ok([verdict]) if verdict.is_valid() => Ok(participation),
        _ => Err(Error::SelfCheck),
    }
}

/// The public side of what is dealt.
pub(crate) fn deal<C: SigningCurve>(parameters: &Parameters<C>, dealt: &Dealt<C>) -> Dealing<C> {
    let generator = C::Group::generator();
    let coefficients =
        dealt.polynomial.iter().map(|a| Element::<C>::new(C::Group::mul(a, &generator))).collect();
    let seats = dealt
        .seats
        .iter()
        .map(|seat| Seat { x: ephemeral_key::<C>(&seat.x), y: ephemeral_key::<C>(&seat.y) })
        .collect();
    let shares = (1..=parameters.shares).zip(&dealt.pads).map(|(index, pad)| *dealt.evaluate(index) + pad);
    Dealing { coefficients, seats, shares: shares.collect() }
}

fn ephemeral_key<C: SigningCurve>(scalar: &EmbeddedScalar<C>) -> EmbeddedElement<C> {
    let point = Point::<C::Embedded>::GENERATOR * *scalar;
    EmbeddedElement::new(point.to_affine().expect("derived scalars are not zero, and the order is prime"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Set, rng};
    use crate::{Ristretto, Secp256k1};

    type Corrupt = fn(&mut Vec<u8>);

    /// Faults of an encoding whose values are right: each kind of field, the length, and another dealer's bytes.
    const FAULTS: [Corrupt; 6] = [
        |bytes| bytes[0] ^= 1,
        |bytes| bytes[1..33].fill(0),
        |bytes| bytes[1 + 5] ^= 1,
        |bytes| {
            bytes.pop();
        },
        |bytes| bytes.push(0),
        |bytes| {
            if let Some(last) = bytes.last_chunk_mut::<32>() {
                last[0] ^= 1;
            }
        },
    ];

    fn corrupted<C: SigningCurve>() {
        let set = Set::<C>::new(&[1, 1], 2);
        let take_part = |validator: u16, encode: &dyn Fn(&Participation<C>) -> Vec<u8>| {
            let secret = &set.secrets[usize::from(validator)];
            let (index, rng) = (ValidatorIndex(validator), &mut rng(1));
            participate_encoding(&set.parameters, index, secret, rng, Work::default(), encode)
        };
        for (i, fault) in FAULTS.iter().enumerate() {
            let encode = |participation: &Participation<C>| {
                let mut bytes = participation.encode();
                fault(&mut bytes);
                bytes
            };
            assert_eq!(take_part(0, &encode).err(), Some(Error::SelfCheck), "fault {i}");
        }
        let right = take_part(0, &Participation::encode).map(|participation| participation.encode());
        let foreign = right.clone().expect("an honest encoding passes");
        assert_eq!(take_part(1, &move |_| foreign.clone()).err(), Some(Error::SelfCheck));
    }

    /// EVRF-12: it is the bytes that are checked, not the values.
    #[test]
    fn evrf_12_a_wrong_encoding_of_right_values_never_leaves() {
        corrupted::<Ristretto>();
        corrupted::<Secp256k1>();
    }
}
