//! Why a transaction changes nothing.

use borsh::{BorshDeserialize, BorshSerialize};
use processor_messages::{Amount, BatchId, KeyShares};
use serde::{Deserialize, Serialize};

/// Why a transaction changes nothing. Variants are frozen by position: append only.
#[derive(
    Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize, thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not the encoding of a transaction.
    #[error("not a transaction: it does not decode, or is longer than 32 KiB")]
    Malformed,
    /// The node holds as many transactions as it may.
    #[error("the node holds as many waiting transactions as it may; submit again later")]
    MempoolFull,
    /// The signature does not verify under the key which the rules demand.
    #[error("the signature does not verify under the key which the rules demand")]
    BadSignature,
    /// The account's nonce was used already.
    #[error("nonce {nonce} was used; the account's next is {next}")]
    NonceUsed {
        /// What was submitted.
        nonce: u64,
        /// What would be applied.
        next: u64,
    },
    /// Calls with lower nonces are missing.
    #[error("nonce {nonce} is ahead; the account's next is {next}")]
    NonceAhead {
        /// What was submitted.
        nonce: u64,
        /// What would be applied.
        next: u64,
    },
    /// No such network.
    #[error("the chain has no such network")]
    UnknownNetwork,
    /// The account holds less than the call needs.
    #[error("the account holds less than the call needs")]
    InsufficientFunds,
    /// Nothing would move.
    #[error("the amount is zero")]
    ZeroAmount,
    /// An amount would exceed what 64 bits hold.
    #[error("the amount would exceed 64 bits")]
    Overflow,
    /// The embedded key's proof of knowledge does not verify.
    #[error("the embedded key is malformed, or its proof of knowledge does not verify")]
    BadKeyProof,
    /// The key's x-coordinate on that curve is or was registered.
    #[error("an embedded key with this x-coordinate is or was registered; make a fresh key")]
    KeyReused,
    /// The account was slashed fatally for this network.
    #[error("the account was slashed fatally for this network")]
    Excluded,
    /// No such set was declared.
    #[error("no such set was declared")]
    UnknownSet,
    /// The set has keys.
    #[error("the set has keys")]
    KeysAlreadySet,
    /// The set was dropped for having no keys by its deadline.
    #[error("the set was dropped for having no keys by its deadline")]
    SetDropped,
    /// The key on the network's curve, or the base key, is not one.
    #[error("the key pair holds bytes which are no key of their curve")]
    BadKeyPair,
    /// Not one bit for each validator.
    #[error("the signers bit vector does not have one bit for each validator of the set")]
    BadSigners,
    /// The signers weigh less than the threshold.
    #[error("the signers hold {weight} key shares of {threshold} needed")]
    TooFewSigners {
        /// What they hold.
        weight: u32,
        /// What they need.
        threshold: KeyShares,
    },
    /// No set of the network has keys.
    #[error("no set of the network has keys")]
    NoKeys,
    /// The batch's encoding is longer than allowed.
    #[error("the batch is longer than 25,000 bytes")]
    BatchTooLarge,
    /// The batch was executed already.
    #[error("batch {id} was executed; the network's next is {next}")]
    BatchStale {
        /// What was submitted.
        id: BatchId,
        /// What would be executed.
        next: BatchId,
    },
    /// Batches before it are missing.
    #[error("batch {id} is ahead; the network's next is {next}")]
    BatchAhead {
        /// What was submitted.
        id: BatchId,
        /// What would be executed.
        next: BatchId,
    },
    /// This block executes a batch of the network already.
    #[error("this block executes a batch of the network already")]
    BatchInBlock,
    /// The set is not retiring, or its report was taken, or the deadline passed.
    #[error("no slash report of this set is pending")]
    NoReportPending,
    /// The report names a validator twice, out of set order, or who is not in the set.
    #[error("the slash report is not in set order, names a validator twice, or one who is not in the set")]
    BadReport,
    /// An address is not printable ASCII.
    #[error("an address is empty or not printable ASCII")]
    BadAddress,
    /// Only holders of stake coins can register.
    #[error("the account holds no stake coins, free or staked")]
    NotAValidator,
    /// The block pays out as often on this network as one block may.
    #[error("this block burns coins of the network as often as one block may; submit again later")]
    BurnsInBlock,
    /// Another call with this nonce waits.
    #[error("another call of the account with nonce {nonce} waits to be ordered")]
    NonceWaiting {
        /// What was submitted.
        nonce: u64,
    },
    /// A stake must be none, or enough for a key share.
    #[error("the stake would be below that of one key share, {least}; leave none or at least that")]
    StakeTooSmall {
        /// The stake of one key share.
        least: Amount,
    },
}

impl Refusal {
    /// Whether the same bytes may be applied later: submit again after a while. Otherwise never.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::MempoolFull
            | Self::NonceAhead { .. }
            | Self::NonceWaiting { .. }
            | Self::BatchAhead { .. }
            | Self::BatchInBlock
            | Self::BurnsInBlock
            | Self::InsufficientFunds
            | Self::NoKeys
            | Self::UnknownSet => true,
            Self::Malformed
            | Self::BadSignature
            | Self::NonceUsed { .. }
            | Self::UnknownNetwork
            | Self::ZeroAmount
            | Self::Overflow
            | Self::BadKeyProof
            | Self::KeyReused
            | Self::Excluded
            | Self::KeysAlreadySet
            | Self::SetDropped
            | Self::BadKeyPair
            | Self::BadSigners
            | Self::TooFewSigners { .. }
            | Self::BatchTooLarge
            | Self::BatchStale { .. }
            | Self::NoReportPending
            | Self::BadReport
            | Self::BadAddress
            | Self::NotAValidator
            | Self::StakeTooSmall { .. } => false,
        }
    }
}
