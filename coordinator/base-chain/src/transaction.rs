//! What can be submitted to the base chain.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_keys::{PublicKey, SecretKey, Signature};
use processor_messages::{
    Account, Amount, BaseSignature, Bytes, ChainGenesis, DecodeError, KeyBytes, KeyPair, KeyShares, List,
    MAX_KEY_BYTES, MAX_KEY_SHARES, Network, SignedBatch, SlashReport, ValidatorSet, decode, encode,
};
use serde::{Deserialize, Serialize};

use crate::{TransactionHash, block::hash32};

/// The largest encoded transaction, in bytes: a batch of the largest size with its signature.
pub const MAX_TRANSACTION_BYTES: usize = 32 * 1024;
/// The most peer-to-peer addresses of one validator.
pub const MAX_ADDRESSES: usize = 4;
/// The longest peer-to-peer address, in bytes of its text.
pub const MAX_ADDRESS_BYTES: usize = 128;

const CALL_DOMAIN: &str = "headwater base chain call v1";

/// Peer-to-peer addresses of a validator, as text (`host:port`). Not interpreted by the base chain.
pub type Addresses = List<Bytes<MAX_ADDRESS_BYTES>, MAX_ADDRESSES>;
/// A proof of knowledge of an embedded key's logarithm.
pub type KeyProof = Bytes<128>;

/// The curves whose scalars a network's key can have.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum NetworkCurve {
    /// Bitcoin's and Ethereum's.
    #[default]
    Secp256k1,
    /// Monero's and others'; keys are of prime order.
    Ed25519,
}

impl fmt::Display for NetworkCurve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secp256k1 => "secp256k1",
            Self::Ed25519 => "ed25519",
        })
    }
}

impl NetworkCurve {
    /// The curve of the embedded keys which a validator needs to take part in this curve's DKG.
    pub const fn embedded(self) -> EmbeddedCurve {
        match self {
            Self::Secp256k1 => EmbeddedCurve::Secq256k1,
            // Its scalars are Ristretto's.
            Self::Ed25519 => EmbeddedCurve::Embedwards25519,
        }
    }

    /// The length of a compressed point, in bytes.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Secp256k1 => 33,
            Self::Ed25519 => 32,
        }
    }
}

/// The curves of embedded keys.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum EmbeddedCurve {
    /// Over the scalars of Ristretto and Ed25519; every validator needs a key on it.
    Embedwards25519,
    /// Over the scalars of secp256k1.
    Secq256k1,
}

impl fmt::Display for EmbeddedCurve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedwards25519 => "embedwards25519",
            Self::Secq256k1 => "secq256k1",
        })
    }
}

/// What an amount is of.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Coin {
    /// The base chain's own, which is staked.
    Stake,
    /// What a network's batches minted.
    Of(Network),
}

/// What an account asks for; each is signed by the account with its next nonce.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Stakes free coins for a network.
    Allocate {
        /// The network to serve.
        network: Network,
        /// How much.
        amount: Amount,
    },
    /// Takes stake back; it is free once the last set that needs it is retired.
    Deallocate {
        /// The network served.
        network: Network,
        /// How much.
        amount: Amount,
    },
    /// Registers the account's key on an embedded curve for the sets declared from now on.
    RegisterEmbeddedKey {
        /// Which curve.
        curve: EmbeddedCurve,
        /// The key, compressed.
        key: KeyBytes,
        /// That its owner knows its logarithm.
        proof: KeyProof,
    },
    /// Replaces the account's peer-to-peer addresses.
    RegisterAddresses {
        /// All of them.
        addresses: Addresses,
    },
    /// Gives coins to another account.
    Transfer {
        /// Of which kind.
        coin: Coin,
        /// Who receives.
        to: Account,
        /// How much.
        amount: Amount,
    },
    /// Destroys a network's coins, to be paid out on the network.
    Burn {
        /// Whose coins.
        network: Network,
        /// How much.
        amount: Amount,
        /// Where to pay, in the network's own encoding.
        destination: Bytes<MAX_KEY_BYTES>,
    },
}

/// A call with its account, nonce and signature.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct SignedCall {
    /// Who asks.
    pub account: Account,
    /// How many calls of this account were applied before.
    pub nonce: u64,
    /// For what.
    pub call: Call,
    /// By the account over the chain and all of the above.
    pub signature: Signature,
}

impl SignedCall {
    /// Signs a call (`BASE-30`).
    pub fn sign(key: &SecretKey, chain: ChainGenesis, nonce: u64, call: Call) -> Self {
        let account = Account(key.public().to_bytes());
        let signature = key.sign(CALL_DOMAIN, &encode(&(chain, account, nonce, &call)));
        Self { account, nonce, call, signature }
    }

    /// Whether the account signed this call for `chain`.
    #[must_use]
    pub fn verify(&self, chain: ChainGenesis) -> bool {
        let message = encode(&(chain, self.account, self.nonce, &self.call));
        PublicKey::from_bytes(self.account.0).is_ok_and(|k| k.verify(CALL_DOMAIN, &message, &self.signature))
    }
}

/// Who signed: bit i is the i-th validator in set order; as long as the set has validators.
#[derive(Clone, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signers(pub List<bool, { MAX_KEY_SHARES as usize }>);

impl Signers {
    /// The members flagged here; `None` unless there is exactly one bit for each member.
    pub fn select<'a, T>(&self, members: &'a [T]) -> Option<Vec<&'a T>> {
        (self.0.len() == members.len())
            .then(|| self.0.iter().zip(members).filter_map(|(bit, member)| bit.then_some(member)).collect())
    }

    /// The sum of the flagged members' key shares; `None` unless there is exactly one bit for each.
    pub fn weight(&self, shares: &[KeyShares]) -> Option<u32> {
        Some(self.select(shares)?.iter().map(|shares| u32::from(shares.0)).sum())
    }
}

/// The key pair of a set, confirmed by the MuSig of validators who weigh at least the threshold.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct SetKeys {
    /// Whose keys.
    pub set: ValidatorSet,
    /// What the key generation resulted in.
    pub key_pair: KeyPair,
    /// Whose MuSig it is.
    pub signers: Signers,
    /// Over [`crate::signing::set_keys_message`].
    pub signature: BaseSignature,
}

/// A retiring set's slash report.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct SlashReportCall {
    /// The set that retires, whose validators are reported and whose key signed.
    pub set: ValidatorSet,
    /// What was agreed.
    pub report: SlashReport,
    /// Over [`crate::signing::slash_report_message`].
    pub signature: BaseSignature,
}

/// What can be submitted. The variants are frozen by position: append only.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Transaction {
    /// By an account, with a nonce.
    Call(SignedCall),
    /// A set's keys; carries its own authority.
    SetKeys(SetKeys),
    /// A batch signed by a set's key.
    ExecuteBatch(SignedBatch),
    /// A slash report signed by a set's key.
    ReportSlashes(SlashReportCall),
}

impl Transaction {
    /// Decodes a submitted transaction.
    ///
    /// # Errors
    /// [`DecodeError`] if the bytes are more than [`MAX_TRANSACTION_BYTES`] or no transaction.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, MAX_TRANSACTION_BYTES)
    }

    /// The transaction's id: the hash of its encoding, signatures included.
    pub fn hash(&self) -> TransactionHash {
        TransactionHash(hash32("headwater base chain transaction v1", &[&encode(self)]))
    }
}
