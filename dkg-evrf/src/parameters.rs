//! What a session's participants agree on before it starts, validated once.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arithmetic_bulletproofs::Generators;
use blake2::{Blake2b512, Digest};
use embedded_curves::EmbeddedCurve;
use embedded_curves::registration::KeyBytes;

use crate::curves::{EmbeddedPoint, SigningCurve};
use crate::error::{Error, MAX_NETWORK_LEN, MAX_SHARES, MAX_WEIGHT, ParametersError};
use crate::proof::{Shape, Tables};
use crate::transcript;

/// The version of format, labels, generators, hash suites and row counts.
pub const VERSION: u8 = 1;

/// A validator's place in the order of the set, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ValidatorIndex(pub u16);

impl fmt::Display for ValidatorIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which session this is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// The base chain's genesis.
    pub chain_genesis: [u8; 32],
    /// The network whose key is generated, at most 64 bytes.
    pub network: Vec<u8>,
    /// The counter of its validator sets.
    pub session: u32,
}

/// What a session's key is for: a set generates one of each kind, which may be on the same curve.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// To sign for the network on the base chain.
    BaseChain,
    /// To sign on the network.
    Network,
}

/// A validator of the set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Validator {
    /// Its account.
    pub key: [u8; 32],
    /// How many key shares it holds.
    pub weight: u16,
    /// Its registered key on the signing curve's embedded curve.
    pub embedded_key: KeyBytes,
}

/// A validator with what follows from its place.
pub(crate) struct Member<C: SigningCurve> {
    pub(crate) weight: u16,
    /// The first of its consecutive indices.
    pub(crate) first: u16,
    pub(crate) embedded_key: EmbeddedPoint<C>,
    pub(crate) embedded_key_bytes: KeyBytes,
}

/// Everything a session's key generation for one curve is fixed by.
pub struct Parameters<C: SigningCurve> {
    pub(crate) context: [u8; 64],
    pub(crate) threshold: u16,
    pub(crate) shares: u16,
    pub(crate) members: Vec<Member<C>>,
    pub(crate) shape: Shape,
    pub(crate) tables: Tables<C>,
    pub(crate) generators: Arc<Generators<C::Group>>,
}

impl<C: SigningCurve> Parameters<C> {
    /// Validates the declaration of a session's key; `validators` are in the set's order.
    ///
    /// The embedded keys were registered with proofs of knowledge, which this function cannot see. The first call for a size derives
    /// generators, which takes some ten milliseconds.
    ///
    /// # Errors
    ///
    /// A [`ParametersError`] that names the validator at fault.
    pub fn new(
        session: &Session,
        purpose: Purpose,
        threshold: u16,
        validators: &[Validator],
    ) -> Result<Self, ParametersError> {
        if session.network.len() > MAX_NETWORK_LEN {
            return Err(ParametersError::Network { len: session.network.len() });
        }
        let shares = total_shares(validators)?;
        if !(1..=shares).contains(&threshold) {
            return Err(ParametersError::Threshold { threshold, shares });
        }
        let members = members(threshold, validators)?;
        check_distinct(validators)?;
        let greatest_weight = members.iter().map(|member| member.weight).max().unwrap_or(0);
        let shape = Shape::new::<C>(shares, greatest_weight);
        let generators = Generators::cached(shape.rows).expect("the greatest shape has few enough rows");
        let context = context_hash::<C>(session, purpose, threshold, validators);
        let tables = Tables::new(&members);
        Ok(Self { context, threshold, shares, members, shape, tables, generators })
    }

    /// The hash of everything in these parameters, and of the version.
    pub fn context(&self) -> &[u8; 64] {
        &self.context
    }

    /// How many key shares sign together.
    pub fn threshold(&self) -> u16 {
        self.threshold
    }

    /// The number of key shares.
    pub fn shares(&self) -> u16 {
        self.shares
    }

    /// The number of validators.
    pub fn validators(&self) -> u16 {
        u16::try_from(self.members.len()).expect("checked against the most key shares")
    }

    /// A validator's weight; `None` if there is no such validator.
    pub fn weight(&self, validator: ValidatorIndex) -> Option<u16> {
        self.members.get(usize::from(validator.0)).map(|member| member.weight)
    }

    /// A validator's consecutive participant indices, within `1 ..= shares`.
    pub fn indices(&self, validator: ValidatorIndex) -> Option<Range<u16>> {
        let member = self.members.get(usize::from(validator.0))?;
        Some(member.first..member.first + member.weight)
    }

    /// The greatest weight: each participation has that many pairs of ephemeral keys.
    pub fn seats(&self) -> u16 {
        self.shape.seats
    }

    pub(crate) fn member(&self, validator: ValidatorIndex) -> Result<&Member<C>, Error> {
        self.members.get(usize::from(validator.0)).ok_or(Error::NoSuchValidator(validator))
    }
}

impl<C: SigningCurve> fmt::Debug for Parameters<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameters")
            .field("threshold", &self.threshold)
            .field("shares", &self.shares)
            .field("validators", &self.members.len())
            .finish_non_exhaustive()
    }
}

fn index(i: usize) -> ValidatorIndex {
    ValidatorIndex(u16::try_from(i).expect("checked against the most key shares"))
}

fn total_shares(validators: &[Validator]) -> Result<u16, ParametersError> {
    let shares = validators.iter().map(|validator| usize::from(validator.weight)).sum::<usize>();
    // Weights are at least one, so this bounds the validators too; a weight of zero is named below.
    match u16::try_from(shares.max(validators.len())) {
        Ok(total) if (1..=MAX_SHARES).contains(&total) => {
            Ok(u16::try_from(shares).expect("at most the total"))
        }
        _ => Err(ParametersError::Shares { shares }),
    }
}

fn members<C: SigningCurve>(
    threshold: u16,
    validators: &[Validator],
) -> Result<Vec<Member<C>>, ParametersError> {
    let mut first = 1;
    validators
        .iter()
        .enumerate()
        .map(|(i, validator)| {
            let Validator { weight, embedded_key: bytes, .. } = validator;
            if (*weight == 0) || (*weight > MAX_WEIGHT) || (*weight >= threshold) {
                return Err(ParametersError::Weight { validator: index(i), weight: *weight });
            }
            let embedded_key = EmbeddedPoint::<C>::from_bytes_vartime(bytes)
                .ok_or(ParametersError::EmbeddedKey { validator: index(i) })?;
            let member = Member { weight: *weight, first, embedded_key, embedded_key_bytes: *bytes };
            first += weight;
            Ok(member)
        })
        .collect()
}

/// Keys that differ in the sign of y only are the same to the pads.
fn check_distinct(validators: &[Validator]) -> Result<(), ParametersError> {
    for (j, second) in validators.iter().enumerate() {
        for (i, first) in validators[..j].iter().enumerate() {
            let (first_index, second_index) = (index(i), index(j));
            if first.embedded_key[..32] == second.embedded_key[..32] {
                return Err(ParametersError::SameEmbeddedKey { first: first_index, second: second_index });
            }
            if first.key == second.key {
                return Err(ParametersError::SameValidator { first: first_index, second: second_index });
            }
        }
    }
    Ok(())
}

/// Rule EVRF-2.
fn context_hash<C: SigningCurve>(
    session: &Session,
    purpose: Purpose,
    threshold: u16,
    validators: &[Validator],
) -> [u8; 64] {
    let mut hash = Blake2b512::new();
    let mut absorb = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    absorb(transcript::CONTEXT);
    absorb(&[VERSION]);
    absorb(&session.chain_genesis);
    absorb(&session.network);
    absorb(&session.session.to_le_bytes());
    absorb(transcript::purpose(purpose));
    absorb(C::ID);
    absorb(&[C::Embedded::ID.to_byte()]);
    absorb(&threshold.to_le_bytes());
    absorb(&(validators.len() as u64).to_le_bytes());
    for validator in validators {
        absorb(&validator.key);
        absorb(&validator.weight.to_le_bytes());
        absorb(&validator.embedded_key);
    }
    hash.finalize().into()
}
