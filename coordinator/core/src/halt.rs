//! Sessions and networks which a broken invariant stopped, each with a recorded reason (`COORD-9`).
//!
//! A halted session takes part in nothing any more: its blocks are no longer applied, what its processor
//! says of it is dropped, nothing of it is published. Every other session goes on. Only a human lifts a halt.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table};
use processor_messages::{BatchId, Network, Session, ValidatorSet};

use crate::{Notice, Step, notice::Event};

const SESSIONS: Table<ValidatorSet, Reason> = Table::new("halt/session");
const NETWORKS: Table<Network, Reason> = Table::new("halt/network");

/// Why something halted, with the evidence.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Reason {
    /// The base chain executed another batch than our processor made of the network.
    BatchMismatch {
        /// The batch.
        batch: BatchId,
        /// Blake2b-256 of the instructions which our processor expected.
        expected: [u8; 32],
        /// Of those which were executed.
        executed: [u8; 32],
    },
    /// Our processor skipped a batch.
    BatchGap {
        /// The batch which was due.
        due: BatchId,
        /// The batch which came.
        came: BatchId,
    },
    /// Our processor made a batch for an earlier session than the batch before it.
    BatchSession {
        /// The batch.
        batch: BatchId,
        /// The session of the one before it.
        former: Session,
        /// The session it was made for.
        came: Session,
    },
    /// The key pair on the base chain is not the one our processor generated.
    KeyPairMismatch {
        /// Blake2b-256 of our processor's key pair.
        ours: [u8; 32],
        /// Of the base chain's.
        chain: [u8; 32],
    },
    /// The validators who are not fatally slashed weigh less than the threshold.
    ThresholdLost {
        /// What they weigh.
        remaining: u16,
        /// What is needed.
        needed: u16,
    },
    /// The tributary stopped, such as when it agreed on something else than we derived.
    TributaryHalted {
        /// What it said.
        what: String,
    },
    /// A rule met a state which it cannot have.
    Internal {
        /// What it met.
        what: String,
    },
}

impl Reason {
    /// The stable code of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BatchMismatch { .. } => "BATCH_MISMATCH",
            Self::BatchGap { .. } => "BATCH_GAP",
            Self::BatchSession { .. } => "BATCH_SESSION",
            Self::KeyPairMismatch { .. } => "KEY_PAIR_MISMATCH",
            Self::ThresholdLost { .. } => "THRESHOLD_LOST",
            Self::TributaryHalted { .. } => "TRIBUTARY_HALTED",
            Self::Internal { .. } => "INTERNAL",
        }
    }

    /// What a human does about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::BatchMismatch { .. } => {
                "compare the processor's view of the network with other validators'; if theirs is the executed one, rebuild the processor's"
            }
            Self::BatchGap { .. } | Self::BatchSession { .. } => {
                "restore the processor's data directory, or rebuild it from the network"
            }
            Self::KeyPairMismatch { .. } => {
                "the processor computed another key than t of the set; compare versions, then rebuild the processor"
            }
            Self::ThresholdLost { .. } => "the set cannot sign any more; the base chain drops or replaces it",
            Self::TributaryHalted { .. } => "compare versions and the base-chain node with other validators'",
            Self::Internal { .. } => "report the recorded state to the developers",
        }
    }
}

/// Records that a session is halted; the first reason stays.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn session(step: &mut Step<'_>, set: ValidatorSet, reason: Reason) -> Result<(), StoreError> {
    if SESSIONS.get(step.txn, &set)?.is_none() {
        SESSIONS.put(step.txn, &set, &reason);
        step.notice(Notice::of_set(set, Event::Halted { reason }));
    }
    Ok(())
}

/// Records that a network, with all its sessions, is halted; the first reason stays.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn network(step: &mut Step<'_>, network: Network, reason: Reason) -> Result<(), StoreError> {
    if NETWORKS.get(step.txn, &network)?.is_none() {
        NETWORKS.put(step.txn, &network, &reason);
        step.notice(Notice::of_network(network, Event::Halted { reason }));
    }
    Ok(())
}

/// Why a network is halted.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn of_network(db: &(impl Read + ?Sized), network: Network) -> Result<Option<Reason>, StoreError> {
    NETWORKS.get(db, &network)
}

/// Why a session is halted, by itself or with its network.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn of_session(db: &(impl Read + ?Sized), set: ValidatorSet) -> Result<Option<Reason>, StoreError> {
    Ok(SESSIONS.get(db, &set)?.or(of_network(db, set.network)?))
}
