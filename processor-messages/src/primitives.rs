//! Newtypes which the coordinator, the processors and the base chain share.

use std::{fmt, io, num::NonZeroU16, str::FromStr};

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Bytes, DecodeError, List};

/// The most key shares of a validator set.
pub const MAX_KEY_SHARES: u16 = 150;
/// The most key shares one validator may hold.
pub const MAX_VALIDATOR_SHARES: u16 = 20;
/// The longest public key of a network, in bytes.
pub const MAX_KEY_BYTES: usize = 96;
/// The largest encoded [`Batch`], in bytes.
pub const MAX_BATCH_BYTES: usize = 25_000;
/// The largest participation for both curves together, in bytes.
pub const MAX_PARTICIPATION_BYTES: usize = 256 * 1024;
/// The largest preprocess or share of one key share, in bytes.
pub const MAX_SIGNING_PIECE_BYTES: usize = u16::MAX as usize;
/// The most instructions of one batch; the byte bound is what binds in practice.
pub const MAX_INSTRUCTIONS: usize = 1_024;

/// The encoding of a public key on a network's curve.
pub type KeyBytes = Bytes<MAX_KEY_BYTES>;
/// One key share's preprocess or signature share.
pub type SigningPiece = Bytes<MAX_SIGNING_PIECE_BYTES>;

macro_rules! number {
  ($(#[$doc:meta])* $name:ident($inner:ty)) => {
    $(#[$doc])*
    #[derive(
      Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default,
      BorshSerialize, BorshDeserialize, Serialize, Deserialize,
    )]
    #[serde(transparent)]
    pub struct $name(pub $inner);

    impl $name {
      /// The one after this; saturates at the type's greatest value.
      #[must_use]
      pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
      }
    }

    impl fmt::Display for $name {
      fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
      }
    }
  };
}

number!(
  /// Counter of a network's validator sets, from 0.
  Session(u32)
);
number!(
  /// Weight in a validator set: a count of key shares.
  KeyShares(u16)
);
number!(
  /// Retry counter of a signing topic, from 0.
  Attempt(u32)
);
number!(
  /// Number of a network's batch, consecutive from 0.
  BatchId(u32)
);
number!(
  /// Height of a finalized block of the base chain; genesis is 0.
  BaseBlock(u64)
);
number!(
  /// Height of a block of a tributary; the first is 1.
  TributaryBlock(u64)
);
number!(
  /// An amount in a coin's smallest unit.
  Amount(u64)
);
number!(
  /// Which life of a processor's disk speaks: greater after a wipe, the same after a restart.
  Incarnation(u64)
);

macro_rules! bytes32 {
  ($(#[$doc:meta])* $name:ident) => {
    $(#[$doc])*
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize, Default)]
    pub struct $name(pub [u8; 32]);

    impl fmt::Display for $name {
      fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
      }
    }

    impl fmt::Debug for $name {
      fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
      }
    }

    impl FromStr for $name {
      type Err = DecodeError;
      fn from_str(text: &str) -> Result<Self, DecodeError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|e| DecodeError::Malformed(e.to_string()))?;
        Ok(Self(bytes))
      }
    }

    impl Serialize for $name {
      fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
      }
    }

    impl<'de> Deserialize<'de> for $name {
      fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str> as Deserialize>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
      }
    }
  };
}

bytes32!(
  /// A validator's account: its Ristretto public key, compressed. Not checked to be a point here.
  Validator
);
bytes32!(
  /// An account of the base chain, compressed Ristretto. Validators are accounts too.
  Account
);
bytes32!(
  /// Hash of the base chain's genesis file: which chain this is.
  ChainGenesis
);
bytes32!(
  /// Hash of a finalized block of the base chain.
  BaseBlockHash
);
bytes32!(
  /// Hash of a block of an external network.
  NetworkBlockHash
);
bytes32!(
  /// Id of a tributary: a hash of base-chain facts only.
  Genesis
);
bytes32!(
  /// Id of a transaction which a network's processors want to sign.
  TransactionId
);

/// A validator set's key on the base chain's curve, compressed Ristretto.
pub type BaseKey = [u8; 32];
/// A Schnorr signature over Ristretto: R, then s.
pub type BaseSignature = [u8; 64];

const NETWORK_MAX: usize = 16;

/// Name of an external network: 1 to 16 characters of `a-z`, `0-9` and `-`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    // Zero beyond `length`, so that derived equality and order are those of the name.
    bytes: [u8; NETWORK_MAX],
    length: u8,
}

impl Network {
    /// Parses a name.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] naming the rule which the name breaks.
    pub fn new(name: &str) -> Result<Self, DecodeError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || (b == b'-');
        let length = u8::try_from(name.len()).ok().filter(|n| (1..=NETWORK_MAX).contains(&usize::from(*n)));
        let (Some(length), true) = (length, name.bytes().all(allowed)) else {
            return Err(DecodeError::Malformed(
                "a network's name is 1 to 16 characters of a-z, 0-9 and -".to_owned(),
            ));
        };
        let mut bytes = [0; NETWORK_MAX];
        for (to, from) in bytes.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        Ok(Self { bytes, length })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.length))
            .and_then(|b| std::str::from_utf8(b).ok())
            .expect("built from ASCII of this length")
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Network {
    type Err = DecodeError;
    fn from_str(name: &str) -> Result<Self, DecodeError> {
        Self::new(name)
    }
}

impl BorshSerialize for Network {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        BorshSerialize::serialize(&self.length, writer)?;
        writer.write_all(self.as_str().as_bytes())
    }
}

impl BorshDeserialize for Network {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let length = usize::from(u8::deserialize_reader(reader)?);
        let mut bytes = [0; NETWORK_MAX];
        let Some(name) = bytes.get_mut(..length) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "network name too long"));
        };
        reader.read_exact(name)?;
        let invalid = |e: String| io::Error::new(io::ErrorKind::InvalidData, e);
        let name = std::str::from_utf8(name).map_err(|e| invalid(e.to_string()))?;
        Self::new(name).map_err(|e| invalid(e.to_string()))
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str> as Deserialize>::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// The pair of network and session whose validators hold one key. Shown as `network/session`.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct ValidatorSet {
    /// The network served.
    pub network: Network,
    /// Which of its sets.
    pub session: Session,
}

impl fmt::Display for ValidatorSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.session)
    }
}

impl fmt::Debug for ValidatorSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One key share's index in DKG and signing, `1..=n`.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct Participant(pub NonZeroU16);

impl Participant {
    /// The participant of this index; `None` for 0.
    pub fn new(index: u16) -> Option<Self> {
        NonZeroU16::new(index).map(Self)
    }

    /// The index, from 1.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The threshold of `n` key shares: two thirds rounded down, plus one.
///
/// ```
/// # use processor_messages::{KeyShares, threshold};
/// assert_eq!(threshold(KeyShares(4)), KeyShares(3));
/// assert_eq!(threshold(KeyShares(150)), KeyShares(101));
/// ```
#[must_use]
pub fn threshold(n: KeyShares) -> KeyShares {
    let t = (u32::from(n.0) * 2) / 3 + 1;
    KeyShares(u16::try_from(t).unwrap_or(u16::MAX))
}

/// The result of a key generation.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct KeyPair {
    /// The key on the base chain's curve (Ristretto): signs batches, slash reports and cosigns.
    #[serde(with = "hex")]
    pub base: BaseKey,
    /// The key on the network's curve, in that curve's encoding.
    pub network: KeyBytes,
}

/// A validator's public keys on the embedded curves, as the base chain registered them.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct EmbeddedKeys {
    /// On the curve embedded in the base chain's (embedwards25519), compressed.
    pub base: KeyBytes,
    /// On the curve embedded in the network's, compressed.
    pub network: KeyBytes,
}

/// What a batch asks of the base chain: each instruction succeeds or fails on its own.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub enum Instruction {
    /// Mints what was received on the network to an account of the base chain.
    Mint {
        /// The account credited.
        to: Account,
        /// How much of the network's coin.
        amount: Amount,
    },
}

/// Consecutively numbered instructions from a network to the base chain.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Batch {
    /// The network whose coins the instructions move.
    pub network: Network,
    /// Consecutive from 0 for each network.
    pub id: BatchId,
    /// The network's block which caused it.
    pub block: NetworkBlockHash,
    /// In the order of their execution.
    pub instructions: List<Instruction, MAX_INSTRUCTIONS>,
}

/// A batch with the signature of a validator set's base key.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct SignedBatch {
    /// What was signed.
    pub batch: Batch,
    /// By the set in charge.
    pub signature: BaseSignature,
}

/// Coins of a network destroyed on the base chain, to be paid out on the network.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Burn {
    /// The account debited.
    pub from: Account,
    /// How much of the network's coin.
    pub amount: Amount,
    /// Where to pay on the network, in its own encoding.
    pub destination: Bytes<MAX_KEY_BYTES>,
}

/// Slash points of one validator, or a fatal slash.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Debug,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub enum Slash {
    /// Counted misbehaviour.
    Points(u32),
    /// Proved misbehaviour.
    Fatal,
}

/// Slashes per validator, in set order, without those who have none.
pub type SlashReport = List<(Validator, Slash), { MAX_KEY_SHARES as usize }>;
