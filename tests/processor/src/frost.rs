//! FROST with a session's key, for each own key share: deterministic in a stored seed, so that a restart continues
//! an attempt with the same nonces and the same bytes.
//!
//! ```text
//! preprocess(seeds)                              -> one piece for each own key share
//! share(seeds, everybody's preprocesses, msg)    -> one piece for each own key share, or a culprit
//! complete(..., everybody's shares)              -> the signature, or a culprit
//! ```
//!
//! RFC 9591 in `modular_frost`: the base key signs in the suite ristretto255, a network's key in that of its curve,
//! secp256k1 or ed25519. What callers uphold: a seed is used with one key, one message and one list of preprocesses,
//! ever.

use std::collections::HashMap;

use coordinator_base_chain::NetworkCurve;
use dkg::ThresholdKeys;
use modular_frost::{
    FrostError,
    algorithm::{Hram, IetfSchnorr, SchnorrSignature},
    curve::{Curve, Ed25519, IetfEd25519Hram, IetfRistrettoHram, IetfSecp256k1Hram, Ristretto, Secp256k1},
    sign::{
        AlgorithmSignMachine, AlgorithmSignatureMachine, CachedPreprocess, SignMachine, SignatureMachine,
        Writable,
    },
};
use processor_messages::{Participant, SigningPiece};
use zeroize::Zeroizing;

use crate::dkg::NetworkKeys;

/// What the nonces of one key share in one attempt are derived from.
pub type Seed = Zeroizing<[u8; 32]>;
/// Signing data by participant.
pub type Pieces = [(Participant, SigningPiece)];

/// Why an attempt does not go on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrostFailure {
    /// A participant's data is invalid.
    #[error("the signing data of participant {0} is invalid")]
    Invalid(Participant),
    /// The list itself is not one which any honest coordinator hands over.
    #[error("{0}")]
    Unusable(&'static str),
}

/// A curve with its challenge, as RFC 9591 has them.
trait Suite: Curve {
    type Challenge: Hram<Self>;
}

impl Suite for Ristretto {
    type Challenge = IetfRistrettoHram;
}

impl Suite for Secp256k1 {
    type Challenge = IetfSecp256k1Hram;
}

impl Suite for Ed25519 {
    type Challenge = IetfEd25519Hram;
}

type Schnorr<C> = IetfSchnorr<C, <C as Suite>::Challenge>;
type Machine<C> = AlgorithmSignMachine<C, Schnorr<C>>;
type Completing<C> = AlgorithmSignatureMachine<C, Schnorr<C>>;

/// Our key shares of the key which signs something: one each, in the order of their indices.
pub enum SigningKeys {
    /// The base key, or keys on Ristretto.
    Ristretto(Vec<ThresholdKeys<Ristretto>>),
    /// A network's key on secp256k1.
    Secp256k1(Vec<ThresholdKeys<Secp256k1>>),
    /// A network's key on Ed25519.
    Ed25519(Vec<ThresholdKeys<Ed25519>>),
}

impl From<NetworkKeys> for SigningKeys {
    fn from(keys: NetworkKeys) -> Self {
        match keys {
            NetworkKeys::Secp256k1(keys) => Self::Secp256k1(keys),
            NetworkKeys::Ed25519(keys) => Self::Ed25519(keys),
        }
    }
}

macro_rules! with {
    ($keys:expr, |$of_curve:ident| $then:expr) => {
        match $keys {
            SigningKeys::Ristretto($of_curve) => $then,
            SigningKeys::Secp256k1($of_curve) => $then,
            SigningKeys::Ed25519($of_curve) => $then,
        }
    };
}

impl SigningKeys {
    /// Whether we hold no key share.
    pub fn is_empty(&self) -> bool {
        with!(self, |keys| keys.is_empty())
    }

    /// The participants whose key shares these are.
    pub fn participants(&self) -> Vec<Participant> {
        with!(self, |keys| keys.iter().map(participant).collect())
    }

    /// Our preprocesses, in the order of the key shares.
    pub fn preprocess(&self, seeds: &[Seed]) -> Vec<SigningPiece> {
        with!(self, |keys| keys.iter().zip(seeds).map(|(keys, seed)| machine(keys, seed).1).collect())
    }

    /// Our shares, in the order of the key shares.
    ///
    /// # Errors
    /// [`FrostFailure`]; the seeds are then still unused.
    pub fn share(
        &self,
        seeds: &[Seed],
        preprocesses: &Pieces,
        message: &[u8],
    ) -> Result<Vec<SigningPiece>, FrostFailure> {
        with!(self, |keys| share(keys, seeds, preprocesses, message))
    }

    /// The signature, R and s, from the shares of the participants whose preprocesses were signed with.
    ///
    /// # Errors
    /// [`FrostFailure`].
    pub fn complete(
        &self,
        seeds: &[Seed],
        preprocesses: &Pieces,
        shares: &Pieces,
        message: &[u8],
    ) -> Result<Vec<u8>, FrostFailure> {
        with!(self, |keys| complete(keys, seeds, (preprocesses, shares), message))
    }
}

/// Whether a network's key signed a message; variable time, as nothing is secret. False for bytes which are no key
/// or no signature.
#[must_use]
pub fn verify(curve: NetworkCurve, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let verified = match curve {
        NetworkCurve::Secp256k1 => verify_on::<Secp256k1>(key, message, signature),
        NetworkCurve::Ed25519 => verify_on::<Ed25519>(key, message, signature),
    };
    verified.unwrap_or(false)
}

fn verify_on<C: Suite>(mut key: &[u8], message: &[u8], mut signature: &[u8]) -> Option<bool> {
    let group = <C as Curve>::read_G(&mut key).ok()?;
    let schnorr = SchnorrSignature::<C>::read(&mut signature).ok()?;
    let challenge = C::Challenge::hram(&schnorr.R, &group, message);
    Some(key.is_empty() && signature.is_empty() && schnorr.verify(group, challenge))
}

fn participant<C: Curve>(keys: &ThresholdKeys<C>) -> Participant {
    theirs(keys.params().i())
}

fn theirs(participant: dkg::Participant) -> Participant {
    Participant::new(u16::from(participant)).expect("both are 1 or greater")
}

fn ours(participant: Participant) -> dkg::Participant {
    dkg::Participant::new(participant.get()).expect("both are 1 or greater")
}

fn piece(bytes: Vec<u8>) -> SigningPiece {
    SigningPiece::new(bytes).expect("a preprocess has at most 66 bytes, a share 32")
}

fn machine<C: Suite>(keys: &ThresholdKeys<C>, seed: &Seed) -> (Machine<C>, SigningPiece) {
    let cached = CachedPreprocess(seed.clone());
    let (machine, preprocess) = Machine::<C>::from_cache(Schnorr::<C>::ietf(), keys.clone(), cached);
    (machine, piece(preprocess.serialize()))
}

/// Whether the list can be signed with: at least t distinct participants of `1..=n`, ascending, our own among them.
fn check_participants<C: Curve, T>(
    keys: &[ThresholdKeys<C>],
    pieces: &[(Participant, T)],
) -> Result<(), FrostFailure> {
    let Some(params) = keys.first().map(ThresholdKeys::params) else {
        return Err(FrostFailure::Unusable("we hold no key share"));
    };
    if !pieces.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(FrostFailure::Unusable("participants are not ascending"));
    }
    if pieces.last().is_none_or(|(last, _)| last.get() > params.n()) {
        return Err(FrostFailure::Unusable("a participant is not of this set"));
    }
    if pieces.len() < usize::from(params.t()) {
        return Err(FrostFailure::Unusable("fewer participants than the threshold"));
    }
    if !keys.iter().all(|keys| pieces.iter().any(|(p, _)| *p == participant(keys))) {
        return Err(FrostFailure::Unusable("our own key shares are not among the participants"));
    }
    Ok(())
}

/// Signs with one key share, whose index must be among the participants.
fn sign<C: Suite>(
    keys: &ThresholdKeys<C>,
    seed: &Seed,
    preprocesses: &Pieces,
    message: &[u8],
) -> Result<(Completing<C>, SigningPiece), FrostFailure> {
    let (machine, _) = machine(keys, seed);
    let mut others = HashMap::with_capacity(preprocesses.len());
    for (other, bytes) in preprocesses.iter().filter(|(p, _)| *p != participant(keys)) {
        let mut reader: &[u8] = bytes;
        let read = machine.read_preprocess(&mut reader).ok().filter(|_| reader.is_empty());
        others.insert(ours(*other), read.ok_or(FrostFailure::Invalid(*other))?);
    }
    let (machine, share) = machine.sign(others, message).map_err(failure)?;
    Ok((machine, piece(share.serialize())))
}

fn share<C: Suite>(
    keys: &[ThresholdKeys<C>],
    seeds: &[Seed],
    preprocesses: &Pieces,
    message: &[u8],
) -> Result<Vec<SigningPiece>, FrostFailure> {
    check_participants(keys, preprocesses)?;
    let signed = keys.iter().zip(seeds).map(|(keys, seed)| sign(keys, seed, preprocesses, message));
    signed.map(|signed| signed.map(|(_, share)| share)).collect()
}

fn complete<C: Suite>(
    keys: &[ThresholdKeys<C>],
    seeds: &[Seed],
    (preprocesses, shares): (&Pieces, &Pieces),
    message: &[u8],
) -> Result<Vec<u8>, FrostFailure> {
    check_participants(keys, preprocesses)?;
    if !preprocesses.iter().map(|(p, _)| p).eq(shares.iter().map(|(p, _)| p)) {
        return Err(FrostFailure::Unusable("the shares are not those of the participants"));
    }
    // One of our key shares completes for all.
    let (Some(keys), Some(seed)) = (keys.first(), seeds.first()) else {
        return Err(FrostFailure::Unusable("we hold no key share"));
    };
    let (machine, _) = sign(keys, seed, preprocesses, message)?;
    let mut others = HashMap::with_capacity(shares.len());
    for (other, bytes) in shares.iter().filter(|(p, _)| *p != participant(keys)) {
        let mut reader: &[u8] = bytes;
        let read = machine.read_share(&mut reader).ok().filter(|_| reader.is_empty());
        others.insert(ours(*other), read.ok_or(FrostFailure::Invalid(*other))?);
    }
    machine.complete(others).map(|signature| signature.serialize()).map_err(failure)
}

/// Exhaustive, so that a new error forces the question of who must act.
fn failure(error: FrostError) -> FrostFailure {
    match error {
        FrostError::InvalidPreprocess(p) | FrostError::InvalidShare(p) => FrostFailure::Invalid(theirs(p)),
        FrostError::InvalidParticipant(_, _) => FrostFailure::Unusable("a participant is not of this set"),
        FrostError::InvalidSigningSet(reason) | FrostError::InternalError(reason) => {
            FrostFailure::Unusable(reason)
        }
        FrostError::InvalidParticipantQuantity(_, _)
        | FrostError::DuplicatedParticipant(_)
        | FrostError::MissingParticipant(_) => FrostFailure::Unusable("the participants do not match"),
    }
}
