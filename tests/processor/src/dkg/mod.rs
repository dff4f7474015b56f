//! The key generation as this processor sees it: one narrow seam over both curves.
//!
//! A participation carries both curves' participations; it is valid if both are. The shipped implementation is
//! [`Evrf`]; tests, and whoever asks for the feature `dealt-keys`, also have one which deals keys.

#[cfg(any(test, feature = "dealt-keys"))]
pub mod dealt;
mod evrf;

pub use evrf::Evrf;

use ::dkg::ThresholdKeys;
use ciphersuite::group::GroupEncoding;
use modular_frost::curve::{Ristretto, Secp256k1};
use processor_messages::{
    ChainGenesis, KeyBytes, KeyPair, Network, Session,
    key_gen::{Member, ParticipationBytes},
};
use zeroize::Zeroizing;

use crate::secrets::EmbeddedSecrets;

/// Everything a session's key generation is fixed by, for both curves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    /// The base chain.
    pub chain: ChainGenesis,
    /// The network.
    pub network: Network,
    /// Which of its sets.
    pub session: Session,
    /// Key shares needed to sign.
    pub threshold: u16,
    /// In set order.
    pub members: Vec<Member>,
}

/// The result: one for each own key share, in the order of their indices.
pub struct Keys {
    /// On the base chain's curve.
    pub base: Vec<ThresholdKeys<Ristretto>>,
    /// On the network's curve.
    pub network: Vec<ThresholdKeys<Secp256k1>>,
}

/// Why a key generation does not go on. An exhaustive match decides what is reported.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyGenError {
    /// The set as declared cannot generate a key.
    #[error("the set as declared cannot generate a key: {0}")]
    Parameters(String),
    /// We hold no embedded secret for the key which the set was declared with.
    #[error(
        "the set was declared with an embedded key whose secret is not here; restore the embedded keys file"
    )]
    EmbeddedKeyMissing,
    /// A secret share does not match its verification share.
    #[error("our secret share does not match our verification share")]
    ShareMismatch,
    /// Ours: what was verified and closed does not recover.
    #[error("the closed collection does not recover: {0}")]
    Internal(String),
}

/// The key generation of a session. Slow: called on a blocking thread.
pub trait KeyGeneration: Send + Sync + 'static {
    /// Whether the set as declared can generate a key.
    ///
    /// # Errors
    /// [`KeyGenError::Parameters`].
    fn check(&self, context: &Context) -> Result<(), KeyGenError>;

    /// Our participation: the same statement and shares whenever it is made.
    ///
    /// # Errors
    /// [`KeyGenError`].
    fn participate(
        &self,
        context: &Context,
        own: u16,
        secrets: &EmbeddedSecrets,
    ) -> Result<ParticipationBytes, KeyGenError>;

    /// Whether each of these members' participations is valid, in their order.
    ///
    /// # Errors
    /// [`KeyGenError::Parameters`].
    fn verify(
        &self,
        context: &Context,
        participations: &[(u16, ParticipationBytes)],
    ) -> Result<Vec<bool>, KeyGenError>;

    /// Our keys, from the participations which were valid and collected at the close, in set order.
    ///
    /// # Errors
    /// [`KeyGenError`].
    fn recover(
        &self,
        context: &Context,
        own: u16,
        secrets: &EmbeddedSecrets,
        dealers: &[(u16, ParticipationBytes)],
    ) -> Result<Keys, KeyGenError>;
}

impl Context {
    /// The first participant index of a member, from 1; `None` if there is no such member.
    pub fn first_index(&self, member: u16) -> Option<u16> {
        let before = self.members.get(..usize::from(member))?;
        before.iter().try_fold(1_u16, |sum, m| sum.checked_add(m.shares.0))
    }

    /// The sum of all key shares.
    pub fn total_shares(&self) -> u16 {
        self.members.iter().fold(0, |sum: u16, m| sum.saturating_add(m.shares.0))
    }
}

impl Keys {
    /// The group keys.
    ///
    /// # Errors
    /// [`KeyGenError::Internal`] if there is no own key share.
    pub fn pair(&self) -> Result<KeyPair, KeyGenError> {
        let (Some(base), Some(network)) = (self.base.first(), self.network.first()) else {
            return Err(KeyGenError::Internal("no own key share".to_owned()));
        };
        let network = KeyBytes::new(network.group_key().to_bytes().to_vec());
        let network = network.map_err(|e| KeyGenError::Internal(e.to_string()))?;
        Ok(KeyPair { base: base.group_key().to_bytes(), network })
    }

    /// Checks every secret share against its verification share (`PROC-4`).
    ///
    /// # Errors
    /// [`KeyGenError::ShareMismatch`].
    pub fn check(&self) -> Result<(), KeyGenError> {
        fn matches<C: ciphersuite::Ciphersuite>(keys: &ThresholdKeys<C>) -> bool {
            let share = C::generator() * **keys.original_secret_share();
            share == keys.original_verification_share(keys.params().i())
        }
        let good = self.base.iter().all(matches) && self.network.iter().all(matches);
        if good { Ok(()) } else { Err(KeyGenError::ShareMismatch) }
    }

    /// The keys as bytes to be sealed.
    pub fn serialize(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::new());
        // So that growing leaves no copy behind.
        let parts: Vec<_> = self.base.iter().map(ThresholdKeys::serialize).collect();
        let more: Vec<_> = self.network.iter().map(ThresholdKeys::serialize).collect();
        bytes.reserve_exact(2 + parts.iter().chain(&more).map(|p| p.len()).sum::<usize>());
        bytes.extend(u16::try_from(self.base.len()).unwrap_or(u16::MAX).to_le_bytes());
        for part in parts.iter().chain(&more) {
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// Reads what [`Keys::serialize`] wrote.
    ///
    /// # Errors
    /// [`KeyGenError::Internal`] for anything else.
    pub fn deserialize(bytes: &[u8]) -> Result<Self, KeyGenError> {
        let internal = |e: std::io::Error| KeyGenError::Internal(e.to_string());
        let (count, mut rest) =
            bytes.split_first_chunk().ok_or_else(|| KeyGenError::Internal("no keys".to_owned()))?;
        let count = u16::from_le_bytes(*count);
        let mut keys = Self { base: Vec::new(), network: Vec::new() };
        for _ in 0..count {
            keys.base.push(ThresholdKeys::read(&mut rest).map_err(internal)?);
        }
        for _ in 0..count {
            keys.network.push(ThresholdKeys::read(&mut rest).map_err(internal)?);
        }
        Ok(keys)
    }
}
