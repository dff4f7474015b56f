//! The MuSig of the confirmation, and the public check of every share of it.
//!
//! ```text
//! before the set is known:  seed -> commitments D, E            from seed and own key alone
//! once it is fixed:         seed, keys, commitments, message -> share s
//! anybody:                  s·G = D + rho·E + c·b·P             names who sent a wrong share
//!                           (R, sum of shares)                  the signature
//! ```
//!
//! The signature is that of `coordinator_base_chain::signing`: FROST(ristretto255, SHA-512) of RFC 9591 in
//! its form n-of-n under the MuSig key. `modular_frost` makes the shares; it verifies them only where a
//! secret share is at hand, so the binding factors (RFC 9591, 4.4) are computed here again, from public
//! values, for those who are not among the signers: this makes a wrong share a fact of the tributary, not
//! somebody's word (`CONF-7`).
//!
//! What callers uphold: a seed signs one message with one signer set, ever.

use std::collections::HashMap;

use blake2::{Blake2b512, Digest};
use ciphersuite::group::{Group, GroupEncoding, ff::PrimeField};
use coordinator_base_chain::signing;
use coordinator_keys::SecretKey;
use modular_frost::{
    Participant,
    algorithm::Hram,
    curve::{Ciphersuite, Curve, IetfRistrettoHram, Ristretto},
    sign::{AlgorithmSignMachine, CachedPreprocess, SignMachine, Writable},
};
use processor_messages::{BaseSignature, ChainGenesis, KeyPair, Validator, ValidatorSet};
use zeroize::Zeroizing;

type Point = <Ristretto as Ciphersuite>::G;
type Scalar = <Ristretto as Ciphersuite>::F;
type Machine = AlgorithmSignMachine<Ristretto, signing::SetSchnorr>;

/// The commitments D and E of one signer, compressed.
pub type Commitments = [u8; 64];
/// A signature share, canonical.
pub type Share = [u8; 32];

/// Why no share was made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MusigError {
    /// A key or a commitment does not decode, or a key occurs twice.
    #[error("a signer's key or commitment is malformed")]
    Malformed,
    /// We are not among the signers.
    #[error("not among the signers")]
    NotASigner,
    /// The commitments under our key are not the ones which our seed makes.
    #[error("the commitments ordered for us are not ours")]
    ForeignCommitments,
}

/// One signing: who signs what with which commitments. All public.
pub struct Signing {
    keys: Vec<Point>,
    commitments: Vec<(Point, Point)>,
    context: [u8; 32],
    message: Vec<u8>,
}

fn point(bytes: &[u8]) -> Option<Point> {
    let mut bytes = bytes;
    let point = <Ristretto as Curve>::read_G(&mut bytes).ok()?;
    (bytes.is_empty() && !bool::from(point.is_identity())).then_some(point)
}

fn read_commitments(bytes: &Commitments) -> Option<(Point, Point)> {
    let (hiding, binding) = bytes.split_at(32);
    Some((point(hiding)?, point(binding)?))
}

/// Whether these are two canonical points other than the identity.
pub fn are_commitments(bytes: &Commitments) -> bool {
    read_commitments(bytes).is_some()
}

fn secret(key: &SecretKey) -> Zeroizing<Scalar> {
    let bytes = key.to_bytes();
    Zeroizing::new(Ristretto::read_F(&mut bytes.as_slice()).expect("a secret key is a canonical scalar"))
}

fn to_array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    for (to, from) in array.iter_mut().zip(bytes) {
        *to = *from;
    }
    array
}

/// The commitments of a seed: they depend on the seed and our key only.
///
/// # Errors
/// [`MusigError::Malformed`] never in practice: the key is our own.
pub fn preprocess(
    chain: ChainGenesis,
    set: ValidatorSet,
    key: &SecretKey,
    seed: &Zeroizing<[u8; 32]>,
) -> Result<Commitments, MusigError> {
    let own = point(&key.public().to_bytes()).ok_or(MusigError::Malformed)?;
    let keys = dkg_musig::musig::<Ristretto>(signing::set_keys_context(chain, set), secret(key), &[own])
        .map_err(|_| MusigError::Malformed)?;
    let (_, preprocess) = Machine::from_cache(signing::algorithm(), keys, CachedPreprocess(seed.clone()));
    Ok(to_array(&preprocess.serialize()))
}

/// Blake2b of the seed's purpose under our key: what masks a stored seed, so that a stolen data directory
/// without the key yields no nonce.
pub fn mask(key: &SecretKey, purpose: &[u8], seed: &Zeroizing<[u8; 32]>) -> Zeroizing<[u8; 32]> {
    let digest = Blake2b512::new()
        .chain_update(b"headwater confirmation seed mask v1")
        .chain_update(key.to_bytes().as_slice())
        .chain_update(purpose)
        .finalize();
    let mut masked = seed.clone();
    for (byte, mask) in masked.iter_mut().zip(digest) {
        *byte ^= mask;
    }
    masked
}

impl Signing {
    /// The confirmation of a key pair by these validators, in set order.
    ///
    /// # Errors
    /// [`MusigError::Malformed`].
    pub fn new(
        chain: ChainGenesis,
        set: ValidatorSet,
        key_pair: &KeyPair,
        signers: &[(Validator, Commitments)],
    ) -> Result<Self, MusigError> {
        let keys = signers.iter().map(|(v, _)| point(&v.0)).collect::<Option<Vec<_>>>();
        let commitments = signers.iter().map(|(_, c)| read_commitments(c)).collect::<Option<Vec<_>>>();
        let (Some(keys), Some(commitments)) = (keys, commitments) else { return Err(MusigError::Malformed) };
        let context = signing::set_keys_context(chain, set);
        dkg_musig::musig_key_vartime::<Ristretto>(context, &keys).map_err(|_| MusigError::Malformed)?;
        let message = signing::set_keys_message(chain, set, key_pair);
        Ok(Self { keys, commitments, context, message })
    }

    fn indices(&self) -> impl Iterator<Item = u16> + use<> {
        1..=u16::try_from(self.keys.len()).unwrap_or(u16::MAX)
    }

    /// Makes our share.
    ///
    /// # Errors
    /// [`MusigError`] if we are not among the signers, or what stands under our key is not ours.
    pub fn sign(&self, key: &SecretKey, seed: Zeroizing<[u8; 32]>) -> Result<Share, MusigError> {
        let keys = dkg_musig::musig::<Ristretto>(self.context, secret(key), &self.keys)
            .map_err(|_| MusigError::NotASigner)?;
        let own = keys.params().i();
        let (machine, preprocess) = Machine::from_cache(signing::algorithm(), keys, CachedPreprocess(seed));
        let mut others = HashMap::new();
        for (index, (hiding, binding)) in self.indices().zip(&self.commitments) {
            let bytes = [hiding.to_bytes(), binding.to_bytes()].concat();
            let participant = Participant::new(index).ok_or(MusigError::Malformed)?;
            if participant == own {
                if bytes != preprocess.serialize() {
                    return Err(MusigError::ForeignCommitments);
                }
                continue;
            }
            let read = machine.read_preprocess(&mut bytes.as_slice()).map_err(|_| MusigError::Malformed)?;
            others.insert(participant, read);
        }
        let (_, share) = machine.sign(others, &self.message).map_err(|_| MusigError::Malformed)?;
        Ok(to_array(&share.serialize()))
    }

    /// What everybody computes from the commitments: R, the challenge, and each signer's nonce.
    fn public(&self) -> (Point, Scalar, Vec<Point>) {
        let group = dkg_musig::musig_key_vartime::<Ristretto>(self.context, &self.keys)
            .expect("checked when this was built");
        let mut encoded = Vec::new();
        for (index, (hiding, binding)) in self.indices().zip(&self.commitments) {
            encoded.extend(Scalar::from(u64::from(index)).to_repr());
            encoded.extend(hiding.to_bytes());
            encoded.extend(binding.to_bytes());
        }
        let mut prefix = group.to_bytes().to_vec();
        prefix.extend(Ristretto::hash_msg(&self.message));
        prefix.extend(Ristretto::hash_commitments(&encoded));
        let nonce = |(index, (hiding, binding)): (u16, &(Point, Point))| {
            let mut input = prefix.clone();
            input.extend(Scalar::from(u64::from(index)).to_repr());
            *hiding + (*binding * Ristretto::hash_binding_factor(&input))
        };
        let nonces: Vec<Point> = self.indices().zip(&self.commitments).map(nonce).collect();
        let sum = nonces.iter().fold(Point::identity(), |sum, nonce| sum + nonce);
        let challenge = IetfRistrettoHram::hram(&sum, &group, &self.message);
        (sum, challenge, nonces)
    }

    /// The MuSig coefficient of a signer (`dkg_musig`: hash of context, keys and index).
    fn coefficient(&self, index: u16) -> Scalar {
        let count = u16::try_from(self.keys.len()).unwrap_or(u16::MAX);
        let mut input = self.context.to_vec();
        input.extend(count.to_le_bytes());
        self.keys.iter().for_each(|key| input.extend(key.to_bytes()));
        input.extend(index.to_le_bytes());
        <Ristretto as Ciphersuite>::hash_to_F(b"dkg-musig", &input)
    }

    /// Whether this is the share of the signer at this place, from 0, among the signers.
    #[must_use]
    pub fn verify_share(&self, place: usize, share: &Share) -> bool {
        let Ok(share) = Ristretto::read_F(&mut share.as_slice()) else { return false };
        let (_, challenge, nonces) = self.public();
        let index = u16::try_from(place).ok().and_then(|p| p.checked_add(1));
        let (Some(index), Some(key), Some(nonce)) = (index, self.keys.get(place), nonces.get(place)) else {
            return false;
        };
        (Ristretto::generator() * share) == (*nonce + (*key * (challenge * self.coefficient(index))))
    }

    /// The signature of verified shares, in the signers' order. `None` if one does not decode or is missing.
    pub fn aggregate(&self, shares: &[Share]) -> Option<BaseSignature> {
        if shares.len() != self.keys.len() {
            return None;
        }
        let (nonce, _, _) = self.public();
        let mut sum = Scalar::ZERO;
        for share in shares {
            sum += Ristretto::read_F(&mut share.as_slice()).ok()?;
        }
        Some(to_array(&[nonce.to_bytes().as_slice(), sum.to_repr().as_slice()].concat()))
    }
}
