//! Ristretto keys of validators and services, and Schnorr signatures with a domain.
//!
//! A signature binds `(domain, R, public key, message)`:
//!
//! ```text
//! c = H("headwater schnorr v1" ‖ len8(domain) ‖ domain ‖ R ‖ P ‖ message)   Blake2b-512, reduced
//! s = r + c·x                                                               s·G = R + c·P
//! ```
//!
//! The nonce is derived from the secret and the message, so signing the same bytes again yields the
//! same signature: what was sent once can be sent again byte for byte. R is verified by recomputation
//! over canonical encodings, so a signature has one encoding only; one with the identity as R is refused. Many
//! signatures are verified together by [`verify_batch`], or by [`are_all_true`] where one false one spoils all.
//!
//! What this crate deliberately does not do: threshold signatures and MuSig (`modular-frost`), and the
//! embedded keys of the DKG (`embedded-curves`).

#![deny(clippy::indexing_slicing)]

mod batch;
mod file;

use std::fmt;

use blake2::{Blake2b512, Digest};
use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::{
    constants::RISTRETTO_BASEPOINT_TABLE, ristretto::CompressedRistretto, ristretto::RistrettoPoint,
    scalar::Scalar,
};
use rand_core::{CryptoRng, RngCore};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

pub use batch::{Claim, are_all_true, verify_batch};
pub use file::{KeyFileError, read_key_file, write_key_file};

/// A Schnorr signature: R, then s, both canonical.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Signature(pub [u8; 64]);

impl Signature {
    /// R's bytes, which are not those of the identity, and s; `None` if s is not canonical.
    fn parts(&self) -> Option<([u8; 32], Scalar)> {
        let (nonce, response) = self.0.split_at(32);
        let (nonce, response) = (<[u8; 32]>::try_from(nonce).ok()?, <[u8; 32]>::try_from(response).ok()?);
        let response = Option::<Scalar>::from(Scalar::from_canonical_bytes(response))?;
        (nonce != [0; 32]).then_some((nonce, response))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Why bytes are not a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Not the canonical encoding of a Ristretto point other than the identity.
    #[error("not a public key: no canonical encoding of a Ristretto point other than the identity")]
    Public,
    /// Not the canonical encoding of a scalar other than zero.
    #[error("not a secret key: no canonical encoding of a scalar other than zero")]
    Secret,
}

/// A public key: decompressed once, never the identity.
#[derive(Clone, Copy)]
pub struct PublicKey {
    point: RistrettoPoint,
    bytes: [u8; 32],
}

impl PublicKey {
    /// Decodes a compressed Ristretto point.
    ///
    /// # Errors
    /// [`KeyError::Public`] unless canonical and not the identity.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let point = CompressedRistretto(bytes).decompress().ok_or(KeyError::Public)?;
        if bytes == [0; 32] {
            return Err(KeyError::Public);
        }
        Ok(Self { point, bytes })
    }

    /// The compressed encoding.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.bytes
    }

    /// The point itself, for protocols built on this key.
    pub fn point(&self) -> &RistrettoPoint {
        &self.point
    }

    /// Whether `signature` is by this key over `(domain, message)`; variable time, as nothing is secret.
    #[must_use]
    pub fn verify(&self, domain: &str, message: &[u8], signature: &Signature) -> bool {
        let Some((nonce, response)) = signature.parts() else { return false };
        let c = challenge(domain, &nonce, &self.bytes, message);
        let expected = RistrettoPoint::vartime_double_scalar_mul_basepoint(&-c, &self.point, &response);
        expected.compress().0 == nonce
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.bytes))
    }
}

/// A secret key; zeroized when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey {
    scalar: Scalar,
    #[zeroize(skip)]
    public: PublicKey,
}

impl SecretKey {
    /// A fresh key.
    pub fn random<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        loop {
            if let Ok(key) = Self::from_scalar(Scalar::random(rng)) {
                return key;
            }
        }
    }

    /// Decodes a canonical scalar.
    ///
    /// # Errors
    /// [`KeyError::Secret`] unless canonical and not zero.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let scalar = Option::<Scalar>::from(Scalar::from_canonical_bytes(*bytes)).ok_or(KeyError::Secret)?;
        Self::from_scalar(scalar)
    }

    fn from_scalar(scalar: Scalar) -> Result<Self, KeyError> {
        let point = &scalar * RISTRETTO_BASEPOINT_TABLE;
        let public = PublicKey::from_bytes(point.compress().0).map_err(|_| KeyError::Secret)?;
        Ok(Self { scalar, public })
    }

    /// The secret bytes.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.scalar.to_bytes())
    }

    /// The scalar itself, for protocols built on this key.
    pub fn scalar(&self) -> &Scalar {
        &self.scalar
    }

    /// The public key of this secret.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs `(domain, message)`; the same input yields the same signature.
    pub fn sign(&self, domain: &str, message: &[u8]) -> Signature {
        let secret = self.to_bytes();
        let mut digest = Blake2b512::new();
        digest.update(b"headwater schnorr nonce v1");
        digest.update(secret.as_ref());
        absorb_domain(&mut digest, domain);
        digest.update(message);
        let mut wide = Zeroizing::new([0; 64]);
        wide.copy_from_slice(&digest.finalize());
        let nonce = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide));
        let commitment = (&*nonce * RISTRETTO_BASEPOINT_TABLE).compress().0;
        let c = challenge(domain, &commitment, &self.public.bytes, message);
        let response = *nonce + (c * self.scalar);
        let mut signature = [0; 64];
        for (to, from) in signature.iter_mut().zip(commitment.iter().chain(response.as_bytes())) {
            *to = *from;
        }
        Signature(signature)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(redacted, public {:?})", self.public)
    }
}

fn absorb_domain(digest: &mut Blake2b512, domain: &str) {
    digest.update((domain.len() as u64).to_le_bytes());
    digest.update(domain.as_bytes());
}

fn challenge(domain: &str, nonce: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let mut digest = Blake2b512::new();
    digest.update(b"headwater schnorr v1");
    absorb_domain(&mut digest, domain);
    digest.update(nonce);
    digest.update(key);
    digest.update(message);
    Scalar::from_hash(digest)
}

#[cfg(test)]
mod tests;
