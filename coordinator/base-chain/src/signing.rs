//! The exact bytes which signatures are over, and their verification (`BASE-20` to `BASE-24`).
//!
//! ```text
//! message  = len8(domain) ‖ domain ‖ borsh(chain, …)
//! set key  : Schnorr over Ristretto, challenge of FROST(ristretto255, SHA-512), RFC 9591 section 6.2
//! set keys : the same challenge under the MuSig key of the flagged validators, in set order
//! ```
//!
//! Signers use [`algorithm`] in `modular_frost`'s machines. For the confirmation's MuSig: preprocess against
//! `dkg_musig::musig(context, key, [own key])`, keep the cached preprocess, and once the signers are fixed
//! rebuild it with `musig(context, key, keys of the flagged validators in set order)`: the commitments
//! depend on the seed and the own key only. Of several signers with one validator key each counts once; a
//! participant's index is its place among the *flagged* validators, from 1.
//!
//! What callers uphold: a cached preprocess signs one message with one signer set, ever.

use blake2::{Blake2b, Digest, digest::consts::U32};
use borsh::BorshSerialize;
use modular_frost::{
    algorithm::{Hram, IetfSchnorr, SchnorrSignature},
    curve::{Ciphersuite, Curve, Ed25519, IetfRistrettoHram, Ristretto, Secp256k1},
};
use processor_messages::{
    BaseBlock, BaseBlockHash, BaseKey, BaseSignature, Batch, ChainGenesis, KeyPair, SlashReport, Validator,
    ValidatorSet, encode,
};

use crate::NetworkCurve;

/// The algorithm of every threshold and MuSig signature which the base chain verifies.
pub type SetSchnorr = IetfSchnorr<Ristretto, IetfRistrettoHram>;

/// A fresh [`SetSchnorr`], one for each signing.
pub fn algorithm() -> SetSchnorr {
    SetSchnorr::ietf()
}

fn message(domain: &str, content: &impl BorshSerialize) -> Vec<u8> {
    let mut bytes = (domain.len() as u64).to_le_bytes().to_vec();
    bytes.extend(domain.as_bytes());
    bytes.extend(encode(content));
    bytes
}

/// What the proofs of knowledge of embedded keys are bound to: the chain by its name, since the genesis file
/// holds such proofs itself.
pub fn registration_chain(chain_id: &str) -> ChainGenesis {
    ChainGenesis(Blake2b::<U32>::digest(message("headwater registration v1", &chain_id)).into())
}

/// What a set's validators sign, by MuSig, to confirm the key pair.
pub fn set_keys_message(chain: ChainGenesis, set: ValidatorSet, key_pair: &KeyPair) -> Vec<u8> {
    message("headwater set keys v1", &(chain, set, key_pair))
}

/// The MuSig context of a set's confirmation.
pub fn set_keys_context(chain: ChainGenesis, set: ValidatorSet) -> [u8; 32] {
    Blake2b::<U32>::digest(message("headwater set keys context v1", &(chain, set))).into()
}

/// What a set's key signs to publish a batch.
pub fn batch_message(chain: ChainGenesis, batch: &Batch) -> Vec<u8> {
    message("headwater batch v1", &(chain, batch))
}

/// What a retiring set's key signs to report slashes.
pub fn slash_report_message(chain: ChainGenesis, set: ValidatorSet, report: &SlashReport) -> Vec<u8> {
    message("headwater slash report v1", &(chain, set, report))
}

/// What a set's key signs to cosign a block of the base chain.
pub fn cosign_message(
    chain: ChainGenesis,
    set: ValidatorSet,
    block: BaseBlock,
    hash: BaseBlockHash,
) -> Vec<u8> {
    message("headwater cosign v1", &(chain, set, block, hash))
}

/// Blake2b-256 of a batch's encoded instructions, as the event of its execution names it.
pub fn instructions_hash(batch: &Batch) -> [u8; 32] {
    Blake2b::<U32>::digest(encode(&batch.instructions)).into()
}

/// The bytes of a signature which `modular_frost` produced.
pub fn to_signature(signature: &SchnorrSignature<Ristretto>) -> BaseSignature {
    let mut bytes = [0; 64];
    for (to, from) in bytes.iter_mut().zip(signature.serialize()) {
        *to = from;
    }
    bytes
}

/// Decodes a key; the identity is none.
fn point(bytes: &[u8; 32]) -> Option<<Ristretto as Ciphersuite>::G> {
    <Ristretto as Curve>::read_G(&mut bytes.as_slice()).ok()
}

fn verify_under(key: &<Ristretto as Ciphersuite>::G, message: &[u8], signature: &BaseSignature) -> bool {
    let Ok(signature) = SchnorrSignature::<Ristretto>::read(&mut signature.as_slice()) else { return false };
    signature.verify(*key, IetfRistrettoHram::hram(&signature.R, key, message))
}

/// Whether `key` is the canonical encoding of a point other than the identity.
#[must_use]
pub fn is_base_key(key: &BaseKey) -> bool {
    point(key).is_some()
}

/// Whether these bytes are the canonical encoding of a key on a network's curve.
#[must_use]
pub fn is_network_key(curve: NetworkCurve, key: &[u8]) -> bool {
    fn reads<C: Curve>(mut key: &[u8]) -> bool {
        <C as Curve>::read_G(&mut key).is_ok() && key.is_empty()
    }
    let is_point = match curve {
        NetworkCurve::Secp256k1 => reads::<Secp256k1>(key),
        NetworkCurve::Ed25519 => reads::<Ed25519>(key),
    };
    is_point && (key.len() == curve.key_bytes())
}

/// Whether a set's key signed the message; variable time, as nothing is secret.
#[must_use]
pub fn verify(key: &BaseKey, message: &[u8], signature: &BaseSignature) -> bool {
    point(key).is_some_and(|key| verify_under(&key, message, signature))
}

/// Whether exactly these validators, in set order, confirmed the set's key pair by MuSig.
///
/// That they weigh enough is the caller's to check. False if a validator's account is no key, or occurs twice.
#[must_use]
pub fn verify_set_keys(
    chain: ChainGenesis,
    set: ValidatorSet,
    key_pair: &KeyPair,
    signers: &[Validator],
    signature: &BaseSignature,
) -> bool {
    let Some(keys) = signers.iter().map(|v| point(&v.0)).collect::<Option<Vec<_>>>() else { return false };
    let Ok(key) = dkg_musig::musig_key_vartime::<Ristretto>(set_keys_context(chain, set), &keys) else {
        return false;
    };
    verify_under(&key, &set_keys_message(chain, set, key_pair), signature)
}
