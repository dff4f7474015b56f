//! Errors of this crate, by who must act.

use crate::parameters::ValidatorIndex;

/// Why parameters are refused: whoever declared the validator set must correct it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParametersError {
    /// The name of the network is too long.
    #[error("the network's name has {len} bytes, more than {MAX_NETWORK_LEN}")]
    Network {
        /// Its length.
        len: usize,
    },
    /// No validators, or more key shares than the argument is built for.
    #[error("{shares} key shares: there must be 1 to {MAX_SHARES}")]
    Shares {
        /// The number of key shares.
        shares: usize,
    },
    /// The threshold is not in `1 ..= n`.
    #[error("the threshold {threshold} is not between 1 and {shares}")]
    Threshold {
        /// The threshold.
        threshold: u16,
        /// The number of key shares.
        shares: u16,
    },
    /// A weight is zero, above the maximum, or reaches the threshold.
    #[error(
        "validator {validator} has weight {weight}: it must be at least 1, at most {MAX_WEIGHT}, and below the threshold"
    )]
    Weight {
        /// Whose weight.
        validator: ValidatorIndex,
        /// The weight.
        weight: u16,
    },
    /// An embedded key is no canonical encoding of a point other than the identity.
    #[error("the embedded key of validator {validator} is invalid: the base chain must not register it")]
    EmbeddedKey {
        /// Whose key.
        validator: ValidatorIndex,
    },
    /// Two validators have the same embedded key, or opposite ones.
    #[error(
        "validators {first} and {second} have the same embedded key: the base chain must not register it twice"
    )]
    SameEmbeddedKey {
        /// The first one.
        first: ValidatorIndex,
        /// The second one.
        second: ValidatorIndex,
    },
    /// Two validators have the same validator key.
    #[error("validators {first} and {second} are the same")]
    SameValidator {
        /// The first one.
        first: ValidatorIndex,
        /// The second one.
        second: ValidatorIndex,
    },
}

/// The greatest weight of a validator, until the argument about pads covers more.
pub const MAX_WEIGHT: u16 = 20;
/// The most key shares of a set.
pub const MAX_SHARES: u16 = 150;
/// The longest name of a network, in bytes.
pub const MAX_NETWORK_LEN: usize = 64;

/// Why this validator's own part cannot be done: its operator must act.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The validator is not in the set.
    #[error("there is no validator {0} in this set")]
    NoSuchValidator(ValidatorIndex),
    /// The embedded secret is of another curve, or belongs to another key than the set's.
    #[error(
        "the embedded secret does not belong to the key registered for validator {0}: restore that key's secret"
    )]
    WrongSecret(ValidatorIndex),
    /// A scalar derived from the secret is zero: this has a probability of 2^-250.
    #[error("this secret cannot take part in this session: wait for the next one")]
    Degenerate,
    /// The participation which was just made does not verify: a fault of hardware or software.
    #[error(
        "the participation made here does not verify: check this machine, and report the fault if it recurs"
    )]
    SelfCheck,
    /// The progress hook asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A recovered share contradicts its verification share: a fault of hardware or software, as the set was verified.
    #[error(
        "the recovered share {0} does not match its verification share: check this machine and its stored data"
    )]
    WrongShare(u16),
    /// The arguments belong to different sessions.
    #[error("the participations were verified for another session")]
    OtherSession,
}

/// Why participations are not verified: nothing was decided, and nobody is blamed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerifyError {
    /// The progress hook asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// Two sums of the same equations differ: a fault of this machine, whose operator must act.
    #[error("this machine computed one sum in two ways: check its hardware, and start the service again")]
    WrongSum,
}

/// Why a message is not a participation: its author is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// The length is not the one which the parameters determine.
    #[error("a participation in this session has {expected} bytes, this one {found}")]
    Length {
        /// What it must be.
        expected: usize,
        /// What it is.
        found: usize,
    },
    /// The format's version is unknown.
    #[error("unknown version {0} of the format")]
    Version(u8),
    /// A field is not canonical, or a point is the identity.
    #[error("{0} is not a canonical encoding")]
    Field(&'static str),
}

/// Why participations cannot be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CloseError {
    /// A dealer appears twice.
    #[error("validator {0} appears twice among the participations that count")]
    Twice(ValidatorIndex),
    /// A participation was verified for another session.
    #[error("the participation of validator {0} was verified for another session")]
    OtherSession(ValidatorIndex),
    /// A dealer is not among those that were agreed on.
    #[error("the participation of validator {0} does not count: give those of the agreed dealers only")]
    NotAgreed(ValidatorIndex),
    /// The participation of an agreed dealer was not given.
    #[error("the participation of validator {0} counts, but was not given: verify it, too")]
    Missing(ValidatorIndex),
    /// The dealers do not weigh enough.
    #[error("the valid participations weigh {weight}, less than the threshold {threshold}: wait for more")]
    TooLight {
        /// What they weigh.
        weight: u16,
        /// What they must weigh.
        threshold: u16,
    },
    /// The contributions cancel out, which happens with negligible probability.
    #[error("the group key is the identity: drop this session")]
    Identity,
}
