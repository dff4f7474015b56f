//! FROST with the base key, for each own key share: deterministic in a stored seed, so that a restart
//! continues an attempt with the same nonces and the same bytes.
//!
//! ```text
//! preprocess(keys, seeds)                              -> one piece for each own key share
//! share(keys, seeds, everybody's preprocesses, msg)    -> one piece for each own key share, or a culprit
//! complete(..., everybody's shares)                    -> the signature, or a culprit
//! ```
//!
//! RFC 9591, ristretto255 with SHA-512, in `modular-frost`. What callers uphold: a seed is used with one message
//! and one list of preprocesses, ever.

use std::collections::HashMap;

use coordinator_base_chain::signing::{self, SetSchnorr};
use dkg::ThresholdKeys;
use modular_frost::{
    FrostError,
    curve::Ristretto,
    sign::{
        AlgorithmSignMachine, AlgorithmSignatureMachine, CachedPreprocess, SignMachine, SignatureMachine,
        Writable,
    },
};
use processor_messages::{BaseSignature, Participant, SigningPiece};
use zeroize::Zeroizing;

/// What the nonces of one key share in one attempt are derived from.
pub type Seed = Zeroizing<[u8; 32]>;
/// One key share's base key.
pub type BaseKeys = ThresholdKeys<Ristretto>;

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

type Machine = AlgorithmSignMachine<Ristretto, SetSchnorr>;
type Completing = AlgorithmSignatureMachine<Ristretto, SetSchnorr>;

/// The participant whose key share this is.
pub fn participant(keys: &BaseKeys) -> Participant {
    theirs(keys.params().i())
}

fn theirs(participant: dkg::Participant) -> Participant {
    Participant::new(u16::from(participant)).expect("both are 1 or greater")
}

fn ours(participant: Participant) -> dkg::Participant {
    dkg::Participant::new(participant.get()).expect("both are 1 or greater")
}

fn piece(bytes: Vec<u8>) -> SigningPiece {
    SigningPiece::new(bytes).expect("a preprocess or share is 64 or 32 bytes")
}

fn machine(keys: &BaseKeys, seed: &Seed) -> (Machine, SigningPiece) {
    let cached = CachedPreprocess(seed.clone());
    let (machine, preprocess) = Machine::from_cache(signing::algorithm(), keys.clone(), cached);
    (machine, piece(preprocess.serialize()))
}

/// Our preprocesses, in the order of the key shares.
pub fn preprocess(keys: &[BaseKeys], seeds: &[Seed]) -> Vec<SigningPiece> {
    keys.iter().zip(seeds).map(|(keys, seed)| machine(keys, seed).1).collect()
}

/// Whether the list can be signed with: at least t distinct participants of `1..=n`, ascending, our own among them.
///
/// # Errors
/// [`FrostFailure::Unusable`].
pub fn check_participants<T>(keys: &[BaseKeys], pieces: &[(Participant, T)]) -> Result<(), FrostFailure> {
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
fn sign(
    keys: &BaseKeys,
    seed: &Seed,
    preprocesses: &[(Participant, SigningPiece)],
    message: &[u8],
) -> Result<(Completing, SigningPiece), FrostFailure> {
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

/// Our shares, in the order of the key shares.
///
/// # Errors
/// [`FrostFailure`]; the seeds are then still unused.
pub fn share(
    keys: &[BaseKeys],
    seeds: &[Seed],
    preprocesses: &[(Participant, SigningPiece)],
    message: &[u8],
) -> Result<Vec<SigningPiece>, FrostFailure> {
    check_participants(keys, preprocesses)?;
    let signed = keys.iter().zip(seeds).map(|(keys, seed)| sign(keys, seed, preprocesses, message));
    signed.map(|signed| signed.map(|(_, share)| share)).collect()
}

/// The signature, from the shares of the participants whose preprocesses were signed with.
///
/// # Errors
/// [`FrostFailure`].
pub fn complete(
    keys: &[BaseKeys],
    seeds: &[Seed],
    preprocesses: &[(Participant, SigningPiece)],
    shares: &[(Participant, SigningPiece)],
    message: &[u8],
) -> Result<BaseSignature, FrostFailure> {
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
    machine.complete(others).map(|signature| signing::to_signature(&signature)).map_err(failure)
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
