//! What a processor must keep: embedded keys, its service key, its storage key; and the bundle it shows.
//!
//! ```text
//! embedded keys file   one for each validator, shared by its processors: both embedded secrets, encrypted;
//!                      public keys and their proofs of knowledge in the clear
//! service keys file    one for each processor: service key and storage key, encrypted
//! bundle               what an operator registers on the base chain and gives to the coordinator
//! ```
//!
//! Files are made once and never overwritten. The proofs are stored with the keys, so that a bundle is printed again
//! byte for byte.

use std::path::Path;

use coordinator_base_chain::{EmbeddedCurve, NetworkCurve, signing::registration_chain};
use coordinator_keys::{PublicKey, SecretKey};
use embedded_curves::{
    CurveId,
    registration::{self, EmbeddedSecret},
};
use processor_messages::{EmbeddedKeys, KeyBytes, Network, Validator};
use rand_core::{CryptoRng, OsRng, RngCore};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    config::Config,
    vault::{self, Passphrase, Sealer, VaultError},
};

const CURVES: [CurveId; 2] = [CurveId::Embedwards25519, CurveId::Secq256k1];

/// A public embedded key with its proof, as the base chain takes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EmbeddedBundle {
    /// On which curve.
    pub curve: EmbeddedCurve,
    /// The key, compressed.
    pub key: KeyBytes,
    /// That its owner knows its logarithm.
    #[serde(with = "hex")]
    pub proof: Vec<u8>,
}

/// What an operator registers on the base chain (`embedded`), and gives to the coordinator (`service_key`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bundle {
    /// The name of the base chain for which the proofs are.
    pub chain_id: String,
    /// The validator for whom they are.
    pub validator: Validator,
    /// The processor's network.
    pub network: Network,
    /// The processor's public service key.
    #[serde(with = "hex")]
    pub service_key: [u8; 32],
    /// One for each embedded curve.
    pub embedded: Vec<EmbeddedBundle>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EmbeddedPublic {
    chain_id: String,
    validator: Validator,
    keys: Vec<EmbeddedBundle>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServicePublic {
    network: Network,
    #[serde(with = "hex")]
    service_key: [u8; 32],
}

/// A validator's embedded secrets, on both curves.
#[derive(Debug)]
pub struct EmbeddedSecrets {
    base: EmbeddedSecret,
    secq256k1: EmbeddedSecret,
}

impl EmbeddedSecrets {
    /// Fresh ones.
    pub fn random<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        Self {
            base: EmbeddedSecret::random(CurveId::Embedwards25519, rng),
            secq256k1: EmbeddedSecret::random(CurveId::Secq256k1, rng),
        }
    }

    /// The public keys for a network of this curve.
    ///
    /// # Panics
    /// Never: a key has 33 bytes.
    pub fn public(&self, curve: NetworkCurve) -> EmbeddedKeys {
        let bytes = |secret: &EmbeddedSecret| KeyBytes::new(secret.key().to_vec()).expect("33 bytes");
        EmbeddedKeys { base: bytes(&self.base), network: bytes(self.network(curve)) }
    }

    /// The secret on the curve embedded in the base chain's.
    pub fn base(&self) -> &EmbeddedSecret {
        &self.base
    }

    /// The secret on the curve embedded in a network's.
    pub fn network(&self, curve: NetworkCurve) -> &EmbeddedSecret {
        match curve.embedded() {
            EmbeddedCurve::Embedwards25519 => &self.base,
            EmbeddedCurve::Secq256k1 => &self.secq256k1,
        }
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 64]> {
        let mut bytes = Zeroizing::new([0; 64]);
        let (base, other) = (self.base.to_bytes(), self.secq256k1.to_bytes());
        for (to, from) in bytes.iter_mut().zip(base.iter().chain(other.iter())) {
            *to = *from;
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (base, other) = bytes.split_first_chunk::<32>()?;
        let other = other.try_into().ok()?;
        Some(Self {
            base: EmbeddedSecret::from_bytes(CurveId::Embedwards25519, base).ok()?,
            secq256k1: EmbeddedSecret::from_bytes(CurveId::Secq256k1, other).ok()?,
        })
    }
}

/// Everything secret which a running processor holds, besides shares and nonces.
#[derive(Debug)]
pub struct Secrets {
    /// For the key generation.
    pub embedded: EmbeddedSecrets,
    /// Signs requests to the coordinator's queue.
    pub service: SecretKey,
    /// Seals what the store keeps.
    pub sealer: Sealer,
}

fn curve(id: CurveId) -> EmbeddedCurve {
    match id {
        CurveId::Embedwards25519 => EmbeddedCurve::Embedwards25519,
        CurveId::Secq256k1 => EmbeddedCurve::Secq256k1,
    }
}

/// Makes the files which are missing, and returns the bundle (`PROC-2`).
///
/// # Errors
/// [`VaultError`]; also if an existing file is for another chain, validator or network.
pub fn init(config: &Config) -> Result<Bundle, VaultError> {
    let passphrase = Passphrase::read(&config.passphrase_file)?;
    if !config.embedded_keys_file.exists() {
        make_embedded(config, &passphrase)?;
    }
    if !config.service_keys_file.exists() {
        make_service(config, &passphrase)?;
    }
    Ok(open(config)?.1)
}

fn make_embedded(config: &Config, passphrase: &Passphrase) -> Result<(), VaultError> {
    let secrets = EmbeddedSecrets::random(&mut OsRng);
    let chain = registration_chain(&config.chain_id);
    let bundle = |secret: &EmbeddedSecret| EmbeddedBundle {
        curve: curve(secret.curve()),
        key: KeyBytes::new(secret.key().to_vec()).expect("33 bytes"),
        proof: registration::prove(&chain.0, &config.validator.0, secret, &mut OsRng).to_vec(),
    };
    let keys = vec![bundle(&secrets.base), bundle(&secrets.secq256k1)];
    let public = EmbeddedPublic { chain_id: config.chain_id.clone(), validator: config.validator, keys };
    vault::write_encrypted(&config.embedded_keys_file, passphrase, &public, secrets.to_bytes().as_ref())
}

fn make_service(config: &Config, passphrase: &Passphrase) -> Result<(), VaultError> {
    let service = SecretKey::random(&mut OsRng);
    let mut secret = Zeroizing::new([0; 64]);
    let (first, storage) = secret.split_at_mut(32);
    first.copy_from_slice(service.to_bytes().as_ref());
    OsRng.fill_bytes(storage);
    let public = ServicePublic { network: config.network, service_key: service.public().to_bytes() };
    vault::write_encrypted(&config.service_keys_file, passphrase, &public, secret.as_ref())
}

/// Opens both files.
///
/// # Errors
/// [`VaultError`]; also if a file is for another chain, validator or network.
pub fn open(config: &Config) -> Result<(Secrets, Bundle), VaultError> {
    let passphrase = Passphrase::read(&config.passphrase_file)?;
    let (public, embedded) = open_embedded(config, &passphrase)?;
    let (service, sealer) = open_service(config, &passphrase)?;
    let bundle = Bundle {
        chain_id: config.chain_id.clone(),
        validator: config.validator,
        network: config.network,
        service_key: service.public().to_bytes(),
        embedded: public.keys,
    };
    Ok((Secrets { embedded, service, sealer }, bundle))
}

fn format(path: &Path, reason: &str) -> VaultError {
    VaultError::Format { path: path.to_owned(), reason: reason.to_owned() }
}

fn open_embedded(
    config: &Config,
    passphrase: &Passphrase,
) -> Result<(EmbeddedPublic, EmbeddedSecrets), VaultError> {
    let path = &config.embedded_keys_file;
    let (public, secret) = vault::read_encrypted::<EmbeddedPublic>(path, passphrase)?;
    if (public.chain_id != config.chain_id) || (public.validator != config.validator) {
        let reason = format!("made for validator {} of chain {}", public.validator, public.chain_id);
        return Err(format(path, &reason));
    }
    let secrets = EmbeddedSecrets::from_bytes(&secret).ok_or_else(|| format(path, "no embedded secrets"))?;
    let keys = secrets.public(NetworkCurve::Secp256k1);
    let matches = CURVES.iter().zip([&keys.base, &keys.network]).zip(&public.keys);
    if (public.keys.len() != 2)
        || !matches.into_iter().all(|((id, key), b)| b.curve == curve(*id) && b.key == *key)
    {
        return Err(format(path, "the public keys are not those of the secrets"));
    }
    Ok((public, secrets))
}

fn open_service(config: &Config, passphrase: &Passphrase) -> Result<(SecretKey, Sealer), VaultError> {
    let path = &config.service_keys_file;
    let (public, secret) = vault::read_encrypted::<ServicePublic>(path, passphrase)?;
    if public.network != config.network {
        return Err(format(path, &format!("made for network {}", public.network)));
    }
    let wrong = || format(path, "no service and storage key");
    let (service, storage) = secret.split_first_chunk::<32>().ok_or_else(wrong)?;
    let service = SecretKey::from_bytes(service).map_err(|_| wrong())?;
    let storage = storage.try_into().map_err(|_| wrong())?;
    Ok((service, Sealer::new(storage)))
}

impl Bundle {
    /// The service key, decoded.
    ///
    /// # Errors
    /// [`coordinator_keys::KeyError`] if the bundle was changed.
    pub fn service_key(&self) -> Result<PublicKey, coordinator_keys::KeyError> {
        PublicKey::from_bytes(self.service_key)
    }
}

#[cfg(test)]
mod tests;
