//! Registered embedded keys, in bytes: key generation and the proof of knowledge of a key's logarithm.
//!
//! ```text
//! c = H("headwater embedded key v1" ‖ chain genesis ‖ validator ‖ curve ‖ P ‖ R)    SHA-512, reduced
//! s = r + c·p                                                                       s·B = R + c·P
//! nonce r = H("headwater embedded key nonce v1" ‖ p ‖ the same statement ‖ 32 fresh bytes)
//! ```
//!
//! The base chain verifies this proof before it registers a key, so that everybody may assume registered
//! keys to be known to their owners. No generics: the chain knows a curve by its [`CurveId`].
//!
//! What callers uphold: the chain refuses a key whose x-coordinate (see [`x_coordinate`]) on that curve
//! was ever registered before: P and −P are the same key to the DKG.

use rand_core::{CryptoRng, RngCore};
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

use ff::Field;

use crate::{
    curves::{EmbeddedCurve, Embedwards25519, Scalar, Secq256k1},
    field::{Element, Modulus},
    point::{Affine, POINT_BYTES, Point},
};

/// An embedded key: a compressed point.
pub type KeyBytes = [u8; POINT_BYTES];

/// The length of a proof: R compressed, then s in 32 little-endian bytes.
pub const PROOF_BYTES: usize = POINT_BYTES + 32;

/// A proof of knowledge of a registered key.
pub type ProofBytes = [u8; PROOF_BYTES];

/// An embedded curve, in messages and files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CurveId {
    /// Over the scalars of Ristretto.
    Embedwards25519,
    /// Over the scalars of secp256k1.
    Secq256k1,
}

impl CurveId {
    /// The byte that stands for the curve in every hash.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Embedwards25519 => 1,
            Self::Secq256k1 => 2,
        }
    }
}

/// Why a registration is refused, or cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The key is not the canonical encoding of a point of the curve other than the identity.
    #[error(
        "not an embedded key: no canonical encoding of a point other than the identity; its owner must send the key as its processor printed it"
    )]
    Key,
    /// The secret is not the canonical encoding of a scalar other than zero.
    #[error(
        "not an embedded secret: no canonical encoding of a scalar other than zero; restore it from its backup"
    )]
    Secret,
    /// The proof does not verify for this chain, validator, curve and key.
    #[error(
        "the proof of knowledge does not verify for this chain, validator, curve and key; its owner must make a registration for exactly these"
    )]
    Proof,
}

/// An embedded secret p with its key P = p·B.
pub struct EmbeddedSecret {
    curve: CurveId,
    /// Behind a pointer, so that moving this leaves no copy of it.
    secret: Box<Zeroizing<[u8; 32]>>,
    key: KeyBytes,
}

impl EmbeddedSecret {
    /// A fresh secret.
    pub fn random<R: RngCore + CryptoRng>(curve: CurveId, rng: &mut R) -> Self {
        fn sample<C: EmbeddedCurve>(rng: &mut (impl RngCore + CryptoRng), secret: &mut [u8; 32]) {
            let scalar = Zeroizing::new(Scalar::<C>::random(rng));
            *secret = scalar.to_bytes();
        }
        let mut secret = Zeroizing::new([0; 32]);
        loop {
            match curve {
                CurveId::Embedwards25519 => sample::<Embedwards25519>(rng, &mut secret),
                CurveId::Secq256k1 => sample::<Secq256k1>(rng, &mut secret),
            }
            // Fails for zero only.
            if let Ok(this) = Self::from_bytes(curve, &secret) {
                return this;
            }
        }
    }

    /// Decodes a secret: a canonical little-endian scalar other than zero.
    ///
    /// # Errors
    /// [`RegistrationError::Secret`].
    pub fn from_bytes(curve: CurveId, secret: &[u8; 32]) -> Result<Self, RegistrationError> {
        let key = match curve {
            CurveId::Embedwards25519 => public_key::<Embedwards25519>(secret),
            CurveId::Secq256k1 => public_key::<Secq256k1>(secret),
        };
        let mut kept = Box::new(Zeroizing::new([0; 32]));
        kept.copy_from_slice(secret);
        Ok(Self { curve, secret: kept, key: key.ok_or(RegistrationError::Secret)? })
    }

    /// The curve.
    pub fn curve(&self) -> CurveId {
        self.curve
    }

    /// A copy of the secret bytes.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        (*self.secret).clone()
    }

    /// The secret bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.secret
    }

    /// The public key.
    pub fn key(&self) -> KeyBytes {
        self.key
    }
}

impl std::fmt::Debug for EmbeddedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EmbeddedSecret({:?}, redacted)", self.curve)
    }
}

/// Proves knowledge of `secret` to a chain, for a validator.
pub fn prove<R: RngCore + CryptoRng>(
    genesis: &[u8; 32],
    validator: &[u8; 32],
    secret: &EmbeddedSecret,
    rng: &mut R,
) -> ProofBytes {
    let statement = Statement { genesis, validator, curve: secret.curve, key: &secret.key };
    let mut fresh = Zeroizing::new([0; 32]);
    rng.fill_bytes(fresh.as_mut());
    match secret.curve {
        CurveId::Embedwards25519 => statement.prove::<Embedwards25519>(&secret.secret, &fresh),
        CurveId::Secq256k1 => statement.prove::<Secq256k1>(&secret.secret, &fresh),
    }
}

/// Verifies that whoever made `proof` knew the logarithm of `key`. Any bytes are fine; variable time.
///
/// # Errors
/// [`RegistrationError::Key`] or [`RegistrationError::Proof`].
pub fn verify(
    curve: CurveId,
    genesis: &[u8; 32],
    validator: &[u8; 32],
    key: &[u8],
    proof: &[u8],
) -> Result<(), RegistrationError> {
    let key = key.try_into().map_err(|_| RegistrationError::Key)?;
    let proof = proof.try_into().map_err(|_| RegistrationError::Proof)?;
    let statement = Statement { genesis, validator, curve, key };
    match curve {
        CurveId::Embedwards25519 => statement.verify::<Embedwards25519>(proof),
        CurveId::Secq256k1 => statement.verify::<Secq256k1>(proof),
    }
}

/// The x-coordinate of a key, which P and −P share: what must be unique among registered keys.
///
/// # Errors
/// [`RegistrationError::Key`].
pub fn x_coordinate(curve: CurveId, key: &[u8]) -> Result<[u8; 32], RegistrationError> {
    let key: &KeyBytes = key.try_into().map_err(|_| RegistrationError::Key)?;
    let x = match curve {
        CurveId::Embedwards25519 => {
            Affine::<Embedwards25519>::from_bytes_vartime(key).map(|p| p.x().to_bytes())
        }
        CurveId::Secq256k1 => Affine::<Secq256k1>::from_bytes_vartime(key).map(|p| p.x().to_bytes()),
    };
    x.ok_or(RegistrationError::Key)
}

fn public_key<C: EmbeddedCurve>(secret: &[u8; 32]) -> Option<KeyBytes> {
    let secret = Zeroizing::new(Option::<Scalar<C>>::from(Scalar::<C>::from_bytes(secret))?);
    let point = Option::<Affine<C>>::from((Point::<C>::GENERATOR * *secret).to_affine())?;
    Some(point.to_bytes())
}

/// What a proof is bound to.
struct Statement<'a> {
    genesis: &'a [u8; 32],
    validator: &'a [u8; 32],
    curve: CurveId,
    key: &'a KeyBytes,
}

impl Statement<'_> {
    fn absorb(&self, digest: &mut Sha512) {
        digest.update(self.genesis);
        digest.update(self.validator);
        digest.update([self.curve.to_byte()]);
        digest.update(self.key);
    }

    fn challenge<M: Modulus>(&self, commitment: &[u8; POINT_BYTES]) -> Element<M> {
        let mut digest = Sha512::new().chain_update(b"headwater embedded key v1");
        self.absorb(&mut digest);
        Element::from_bytes_wide(&digest.chain_update(commitment).finalize().into())
    }

    /// A nonce other than zero, so that R has an encoding.
    fn nonce<M: Modulus>(&self, secret: &[u8; 32], fresh: &[u8; 32]) -> Zeroizing<Element<M>> {
        let candidate = |attempt: u8| {
            let mut digest = Sha512::new().chain_update(b"headwater embedded key nonce v1");
            digest.update(secret);
            self.absorb(&mut digest);
            let mut wide: [u8; 64] = digest.chain_update(fresh).chain_update([attempt]).finalize().into();
            let nonce = Zeroizing::new(Element::from_bytes_wide(&wide));
            wide.zeroize();
            (!bool::from(nonce.is_zero())).then_some(nonce)
        };
        (0..=u8::MAX).find_map(candidate).expect("256 hashes in a row are zero with probability 2^-60000")
    }

    fn prove<C: EmbeddedCurve>(&self, secret: &[u8; 32], fresh: &[u8; 32]) -> ProofBytes {
        let nonce = self.nonce::<C::ScalarModulus>(secret, fresh);
        let commitment = (Point::<C>::GENERATOR * *nonce).to_affine();
        let commitment = commitment.expect("the nonce is not zero, the order prime").to_bytes();
        let scalar = Scalar::<C>::from_bytes(secret).expect("checked when the secret was made");
        let secret = Zeroizing::new(scalar);
        let response = *nonce + self.challenge::<C::ScalarModulus>(&commitment) * *secret;
        let mut proof = [0; PROOF_BYTES];
        proof[..POINT_BYTES].copy_from_slice(&commitment);
        proof[POINT_BYTES..].copy_from_slice(&response.to_bytes());
        proof
    }

    fn verify<C: EmbeddedCurve>(&self, proof: &ProofBytes) -> Result<(), RegistrationError> {
        let key = Affine::<C>::from_bytes_vartime(self.key).ok_or(RegistrationError::Key)?;
        let (commitment, response) = proof.split_first_chunk().ok_or(RegistrationError::Proof)?;
        let nonce = Affine::<C>::from_bytes_vartime(commitment).ok_or(RegistrationError::Proof)?;
        let response = response.try_into().map_err(|_| RegistrationError::Proof)?;
        let response = Option::<Scalar<C>>::from(Scalar::<C>::from_bytes(response));
        let response = response.ok_or(RegistrationError::Proof)?;
        let c = self.challenge::<C::ScalarModulus>(commitment);
        let found = Point::straus_vartime(&[(response, Point::GENERATOR), (-c, key.into())]);
        if found == Point::from(nonce) { Ok(()) } else { Err(RegistrationError::Proof) }
    }
}

#[cfg(test)]
mod tests;
