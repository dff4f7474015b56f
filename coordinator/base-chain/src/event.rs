//! What happened on the base chain, by block and in order.

use borsh::{BorshDeserialize, BorshSerialize};
use processor_messages::{
    Amount, BaseBlock, Burn, EmbeddedKeys, KeyPair, KeyShares, Network, Session, SlashReport, Validator,
    ValidatorSet, base_chain::ExecutedBatch,
};
use serde::{Deserialize, Serialize};

use crate::{Addresses, CosignParameters, NetworkCurve, Signers, TributaryParameters};

/// One validator of a declared set.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct SetMember {
    /// Its account.
    pub validator: Validator,
    /// How many consecutive participant indices it holds.
    pub shares: KeyShares,
    /// What its secret shares are encrypted to.
    pub embedded: EmbeddedKeys,
}

/// A validator set as declared: the facts from which its tributary and its DKG begin.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct SetDeclaration {
    /// Which set.
    pub set: ValidatorSet,
    /// The curve of the network's key.
    pub curve: NetworkCurve,
    /// In set order: highest stake first, then by key. At most 150.
    pub members: Vec<SetMember>,
    /// Key shares needed to sign.
    pub threshold: KeyShares,
    /// The first block at which the set is dropped if it has no keys by then.
    pub key_gen_deadline: BaseBlock,
    /// How long things last in its tributary.
    pub tributary: TributaryParameters,
    /// How it cosigns, and with what stake.
    pub cosign: CosignParameters,
}

impl SetDeclaration {
    /// The sum of the members' key shares.
    pub fn total_shares(&self) -> KeyShares {
        KeyShares(self.members.iter().map(|m| m.shares.0).fold(0, u16::saturating_add))
    }

    /// Each member's key shares, in set order.
    pub fn shares(&self) -> Vec<KeyShares> {
        self.members.iter().map(|m| m.shares).collect()
    }

    /// The members' accounts, in set order.
    pub fn validators(&self) -> Vec<Validator> {
        self.members.iter().map(|m| m.validator).collect()
    }

    /// Whether the validator is a member.
    pub fn contains(&self, validator: Validator) -> bool {
        self.members.iter().any(|m| m.validator == validator)
    }
}

/// Why an epoch ended without a new set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndeclaredReason {
    /// The latest set has not taken over from the former, or has no keys yet.
    HandoverPending,
    /// The stakes allow no set in which each validator holds less than a third of the key shares.
    TooFewValidators,
}

/// What happened. The variants are frozen by position: append only.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A new set: its validators generate its keys now.
    SetDeclared(SetDeclaration),
    /// An epoch ended without a new set.
    SetNotDeclared {
        /// Of which network.
        network: Network,
        /// Why.
        reason: UndeclaredReason,
    },
    /// A set had no keys by its deadline; the former set, if any, stays in charge.
    SetDropped {
        /// Which set.
        set: ValidatorSet,
    },
    /// A set's keys are on the chain. Without a former set it is in charge from here on.
    KeysSet {
        /// Whose keys.
        set: ValidatorSet,
        /// Its keys.
        key_pair: KeyPair,
        /// Whose MuSig confirmed them.
        signers: Signers,
    },
    /// A batch was executed.
    BatchExecuted {
        /// The network it came from.
        network: Network,
        /// The batch, its signer and each instruction's result.
        batch: ExecutedBatch,
    },
    /// A network's coins were burnt, to be paid out on the network.
    Burn {
        /// Which network pays.
        network: Network,
        /// What and where.
        burn: Burn,
    },
    /// A batch was signed by the new set alone: it is in charge now, and the former set retires.
    HandoverAccepted {
        /// The set that retires: it makes and signs the slash report.
        retiring: ValidatorSet,
        /// The session in charge from here on.
        accepted_by: Session,
        /// The first block at which the former set is retired without a slash report.
        slash_report_deadline: BaseBlock,
    },
    /// A retiring set's slash report was applied.
    SlashesReported {
        /// The set reported on.
        set: ValidatorSet,
        /// What was applied.
        report: SlashReport,
    },
    /// A set's duty ended, with its slash report or past its deadline.
    SetRetired {
        /// Which set.
        set: ValidatorSet,
        /// Whether its slash report was applied.
        reported: bool,
    },
    /// A validator's peer-to-peer addresses changed.
    AddressesChanged {
        /// Whose.
        validator: Validator,
        /// All of them from here on.
        addresses: Addresses,
    },
    /// A validator's stake changed.
    StakeChanged {
        /// Whose.
        validator: Validator,
        /// For which network.
        network: Network,
        /// What counts for sets declared from here on.
        stake: Amount,
    },
}

impl Event {
    /// The network which the event is about; `None` if it concerns the chain as a whole.
    pub fn network(&self) -> Option<Network> {
        match self {
            Self::SetDeclared(declaration) => Some(declaration.set.network),
            Self::SetNotDeclared { network, .. }
            | Self::BatchExecuted { network, .. }
            | Self::Burn { network, .. }
            | Self::StakeChanged { network, .. } => Some(*network),
            Self::SetDropped { set }
            | Self::KeysSet { set, .. }
            | Self::HandoverAccepted { retiring: set, .. }
            | Self::SlashesReported { set, .. }
            | Self::SetRetired { set, .. } => Some(set.network),
            Self::AddressesChanged { .. } => None,
        }
    }
}
