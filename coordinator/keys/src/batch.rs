//! Verifying many signatures at once.
//!
//! ```text
//! each:      s·G = R + c·P
//! together:  (Σ z·s)·G - Σ z·R - Σ (z·c)·P = 0      one multi-scalar multiplication; keys that repeat count once
//! ```
//!
//! The weights z are 128 bits each of a hash over every part of every claim, so whoever makes the claims knows the weights
//! only once all claims are fixed: if any of them is false the sum is zero for one in 2^128 of the weights. The group has
//! prime order and encodings are canonical, hence both equations hold for the same signatures.
//!
//! What it deliberately does not do: find false claims fast. If the sum is not zero, [`verify_batch`] verifies each claim
//! alone, which bounds what false claims cost to the batch on top. Who knows which claims come together, and from whom,
//! asks [`are_all_true`] for parts of them instead.

use std::{borrow::Borrow, collections::BTreeMap};

use blake2::{Blake2b512, Digest};
use curve25519_dalek::{
    constants::RISTRETTO_BASEPOINT_POINT,
    ristretto::{CompressedRistretto, RistrettoPoint},
    scalar::Scalar,
    traits::{IsIdentity, VartimeMultiscalarMul},
};

use crate::{PublicKey, Signature, challenge};

/// Below this many claims, verifying each alone is as fast.
const FEWEST: usize = 3;
/// The most claims of one multi-scalar multiplication; bounds its memory, and beyond it nothing is gained.
const MOST: usize = 512;
/// Bytes of a weight.
const WEIGHT_BYTES: usize = 16;

/// "This key signed this message in this domain."
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Who.
    pub key: &'a PublicKey,
    /// The domain.
    pub domain: &'a str,
    /// What.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: Signature,
}

impl Claim<'_> {
    /// Whether it is true.
    #[must_use]
    pub fn verify(&self) -> bool {
        self.key.verify(self.domain, &self.message, &self.signature)
    }
}

/// Which of the claims are true: the same verdicts, in order, as [`PublicKey::verify`] gives, in a third of the time for
/// many. Variable time, as nothing is secret.
#[must_use]
pub fn verify_batch<'a>(claims: &[impl Borrow<Claim<'a>>]) -> Vec<bool> {
    let mut verdicts = Vec::with_capacity(claims.len());
    for claims in claims.chunks(MOST) {
        if (claims.len() >= FEWEST) && is_sum_of_claims_zero(claims) {
            verdicts.extend(claims.iter().map(|_| true));
        } else {
            verdicts.extend(claims.iter().map(|claim| claim.borrow().verify()));
        }
    }
    verdicts
}

/// Whether each of the claims is true, as [`verify_batch`] says it, without finding out which are not: where that takes
/// all of them once more, this ends. Variable time, as nothing is secret.
#[must_use]
pub fn are_all_true<'a>(claims: &[impl Borrow<Claim<'a>>]) -> bool {
    claims.chunks(MOST).all(|claims| {
        if claims.len() < FEWEST {
            claims.iter().all(|claim| claim.borrow().verify())
        } else {
            is_sum_of_claims_zero(claims)
        }
    })
}

/// One claim's terms of the sum.
struct Terms<'a> {
    key: &'a PublicKey,
    nonce: [u8; 32],
    nonce_point: RistrettoPoint,
    response: Scalar,
    challenge: Scalar,
}

fn is_sum_of_claims_zero<'a>(claims: &[impl Borrow<Claim<'a>>]) -> bool {
    let terms: Option<Vec<_>> = claims.iter().map(|claim| terms(claim.borrow())).collect();
    terms.is_some_and(|terms| is_sum_zero(&terms))
}

/// `None` if the claim is false by its form alone.
fn terms<'a>(claim: &Claim<'a>) -> Option<Terms<'a>> {
    let (nonce, response) = claim.signature.parts()?;
    let nonce_point = CompressedRistretto(nonce).decompress()?;
    let challenge = challenge(claim.domain, &nonce, &claim.key.bytes, &claim.message);
    Some(Terms { key: claim.key, nonce, nonce_point, response, challenge })
}

fn is_sum_zero(terms: &[Terms<'_>]) -> bool {
    let mut base = Scalar::ZERO;
    let mut keys: BTreeMap<[u8; 32], (Scalar, RistrettoPoint)> = BTreeMap::new();
    let mut scalars = Vec::with_capacity(terms.len());
    for (term, weight) in terms.iter().zip(weights(terms)) {
        base += weight * term.response;
        let key = keys.entry(term.key.bytes).or_insert((Scalar::ZERO, term.key.point));
        key.0 -= weight * term.challenge;
        scalars.push(-weight);
    }
    let points = terms.iter().map(|term| term.nonce_point).chain(keys.values().map(|(_, point)| *point));
    let scalars = scalars.into_iter().chain(keys.values().map(|(scalar, _)| *scalar));
    RistrettoPoint::vartime_multiscalar_mul(scalars.chain([base]), points.chain([RISTRETTO_BASEPOINT_POINT]))
        .is_identity()
}

/// A weight for each claim. A challenge is itself a hash over domain, nonce, key and message.
fn weights(terms: &[Terms<'_>]) -> impl Iterator<Item = Scalar> {
    let mut digest = Blake2b512::new();
    digest.update(b"headwater schnorr batch v1");
    digest.update((terms.len() as u64).to_le_bytes());
    for term in terms {
        digest.update(term.nonce);
        digest.update(term.key.bytes);
        digest.update(term.response.as_bytes());
        digest.update(term.challenge.as_bytes());
    }
    let seed = digest.finalize();
    (0u64..).flat_map(move |counter| {
        let block: [u8; 64] =
            Blake2b512::new().chain_update(seed).chain_update(counter.to_le_bytes()).finalize().into();
        let (weights, _) = block.as_chunks::<WEIGHT_BYTES>();
        <[_; 4]>::try_from(weights).expect("64 bytes are four weights").map(weight)
    })
}

fn weight(bytes: [u8; WEIGHT_BYTES]) -> Scalar {
    Scalar::from(u128::from_le_bytes(bytes))
}
