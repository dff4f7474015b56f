//! The key generation as this processor sees it: one narrow seam over both curves.
//!
//! A participation carries both curves' participations; it is valid if both are. The shipped implementation is
//! [`Evrf`]; tests, and whoever asks for the feature `dealt-keys`, also have one which deals keys.

#[cfg(any(test, feature = "dealt-keys"))]
pub mod dealt;
mod evrf;
pub mod progress;

pub use evrf::Evrf;

use ::dkg::ThresholdKeys;
use ciphersuite::group::GroupEncoding;
use coordinator_base_chain::NetworkCurve;
use modular_frost::curve::{Ciphersuite, Ed25519, Ristretto, Secp256k1};
use processor_messages::{
    ChainGenesis, KeyBytes, KeyPair, Network, Session,
    key_gen::{Member, ParticipationBytes},
};
use zeroize::Zeroizing;

use crate::secrets::EmbeddedSecrets;
use progress::{Hook, to_the_end};

/// Everything a session's key generation is fixed by, for both curves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    /// The base chain.
    pub chain: ChainGenesis,
    /// The network.
    pub network: Network,
    /// The curve of its keys.
    pub curve: NetworkCurve,
    /// Which of its sets.
    pub session: Session,
    /// Key shares needed to sign.
    pub threshold: u16,
    /// In set order.
    pub members: Vec<Member>,
}

/// The result: one for each own key share, in the order of their indices.
#[derive(Clone)]
pub struct Keys {
    /// On the base chain's curve.
    pub base: Vec<ThresholdKeys<Ristretto>>,
    /// On the network's curve.
    pub network: NetworkKeys,
}

/// Keys on the curve of a network.
#[derive(Clone)]
pub enum NetworkKeys {
    /// For [`NetworkCurve::Secp256k1`].
    Secp256k1(Vec<ThresholdKeys<Secp256k1>>),
    /// For [`NetworkCurve::Ed25519`].
    Ed25519(Vec<ThresholdKeys<Ed25519>>),
}

fn serialized<C: Ciphersuite>(keys: &[ThresholdKeys<C>]) -> Vec<Zeroizing<Vec<u8>>> {
    keys.iter().map(ThresholdKeys::serialize).collect()
}

fn read_keys<C: Ciphersuite>(count: u16, rest: &mut &[u8]) -> Result<Vec<ThresholdKeys<C>>, KeyGenError> {
    let read = |_| ThresholdKeys::read(rest).map_err(|e| KeyGenError::Internal(e.to_string()));
    (0..count).map(read).collect()
}

fn group_key<C: Ciphersuite>(keys: &[ThresholdKeys<C>]) -> Result<Vec<u8>, KeyGenError> {
    let first = keys.first().ok_or_else(|| KeyGenError::Internal("no own key share".to_owned()))?;
    Ok(first.group_key().to_bytes().as_ref().to_vec())
}

/// Whether each secret share is that of its verification share.
fn all_match<C: Ciphersuite>(keys: &[ThresholdKeys<C>]) -> bool {
    keys.iter().all(|keys| {
        let share = C::generator() * **keys.original_secret_share();
        share == keys.original_verification_share(keys.params().i())
    })
}

impl NetworkKeys {
    /// How many key shares.
    pub fn len(&self) -> usize {
        match self {
            Self::Secp256k1(keys) => keys.len(),
            Self::Ed25519(keys) => keys.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn serialized(&self) -> Vec<Zeroizing<Vec<u8>>> {
        match self {
            Self::Secp256k1(keys) => serialized(keys),
            Self::Ed25519(keys) => serialized(keys),
        }
    }

    fn read(curve: NetworkCurve, count: u16, rest: &mut &[u8]) -> Result<Self, KeyGenError> {
        Ok(match curve {
            NetworkCurve::Secp256k1 => Self::Secp256k1(read_keys(count, rest)?),
            NetworkCurve::Ed25519 => Self::Ed25519(read_keys(count, rest)?),
        })
    }

    fn group_key(&self) -> Result<Vec<u8>, KeyGenError> {
        match self {
            Self::Secp256k1(keys) => group_key(keys),
            Self::Ed25519(keys) => group_key(keys),
        }
    }

    fn all_match(&self) -> bool {
        match self {
            Self::Secp256k1(keys) => all_match(keys),
            Self::Ed25519(keys) => all_match(keys),
        }
    }
}

/// Why a key generation does not go on. An exhaustive match decides what is reported.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyGenError {
    /// The set as declared cannot generate a key.
    #[error("the set as declared cannot generate a key: {0}")]
    Parameters(String),
    /// We hold no embedded secret for the key which the set was declared with.
    #[error(
        "the set was declared with an embedded key whose secret is not here; restore the embedded keys file, or correct `curve`, which must be the network's on the base chain"
    )]
    EmbeddedKeyMissing,
    /// A secret share does not match its verification share.
    #[error("our secret share does not match our verification share")]
    ShareMismatch,
    /// Ours: what was verified and closed does not recover.
    #[error("the closed collection does not recover: {0}")]
    Internal(String),
    /// The hook ended it: nothing was decided, and it is to be done again if it is still wanted.
    #[error("ended before it was done")]
    Cancelled,
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
    /// [`KeyGenError::Parameters`]. [`KeyGenError::Cancelled`] if the hook ended it.
    fn verify_with(
        &self,
        context: &Context,
        participations: &[(u16, ParticipationBytes)],
        hook: Hook<'_>,
    ) -> Result<Vec<bool>, KeyGenError>;

    /// As [`KeyGeneration::verify_with`], to the end.
    ///
    /// # Errors
    /// [`KeyGenError::Parameters`].
    fn verify(
        &self,
        context: &Context,
        participations: &[(u16, ParticipationBytes)],
    ) -> Result<Vec<bool>, KeyGenError> {
        self.verify_with(context, participations, &mut to_the_end)
    }

    /// Our keys, from the participations which were valid and collected at the close, in set order. Those which were
    /// not verified in this process are verified again.
    ///
    /// # Errors
    /// [`KeyGenError`].
    fn recover_with(
        &self,
        context: &Context,
        own: u16,
        secrets: &EmbeddedSecrets,
        dealers: &[(u16, ParticipationBytes)],
        hook: Hook<'_>,
    ) -> Result<Keys, KeyGenError>;

    /// As [`KeyGeneration::recover_with`], to the end.
    ///
    /// # Errors
    /// [`KeyGenError`].
    fn recover(
        &self,
        context: &Context,
        own: u16,
        secrets: &EmbeddedSecrets,
        dealers: &[(u16, ParticipationBytes)],
    ) -> Result<Keys, KeyGenError> {
        self.recover_with(context, own, secrets, dealers, &mut to_the_end)
    }
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
        let base = self.base.first().ok_or_else(|| KeyGenError::Internal("no own key share".to_owned()))?;
        let network = KeyBytes::new(self.network.group_key()?);
        let network = network.map_err(|e| KeyGenError::Internal(e.to_string()))?;
        Ok(KeyPair { base: base.group_key().to_bytes(), network })
    }

    /// Checks every secret share against its verification share (`PROC-4`).
    ///
    /// # Errors
    /// [`KeyGenError::ShareMismatch`].
    pub fn check(&self) -> Result<(), KeyGenError> {
        if all_match(&self.base) && self.network.all_match() {
            Ok(())
        } else {
            Err(KeyGenError::ShareMismatch)
        }
    }

    /// The keys as bytes to be sealed.
    pub fn serialize(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::new());
        // So that growing leaves no copy behind.
        let (parts, more) = (serialized(&self.base), self.network.serialized());
        bytes.reserve_exact(2 + parts.iter().chain(&more).map(|p| p.len()).sum::<usize>());
        bytes.extend(u16::try_from(self.base.len()).unwrap_or(u16::MAX).to_le_bytes());
        for part in parts.iter().chain(&more) {
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// Reads what [`Keys::serialize`] wrote of keys for a network of this curve.
    ///
    /// # Errors
    /// [`KeyGenError::Internal`] for anything else.
    pub fn deserialize(curve: NetworkCurve, bytes: &[u8]) -> Result<Self, KeyGenError> {
        let (count, mut rest) =
            bytes.split_first_chunk().ok_or_else(|| KeyGenError::Internal("no keys".to_owned()))?;
        let count = u16::from_le_bytes(*count);
        let base = read_keys(count, &mut rest)?;
        Ok(Self { base, network: NetworkKeys::read(curve, count, &mut rest)? })
    }
}
