//! Sessions and networks which a broken invariant stopped, and the halt of acting on the base chain's blocks, each
//! with a recorded reason (`COORD-9`, `COSIGN-8`).
//!
//! A halted session takes part in nothing any more: its blocks are no longer applied, what its processor
//! says of it waits, nothing of it is published. Every other session goes on. Only a human lifts a halt
//! ([`lift`], `COORD-19`).

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{BaseBlock, BaseBlockHash, BatchId, Network, Session, ValidatorSet};

use crate::{Notice, Step, cosign, notice::Event, session as sessions};

const SESSIONS: Table<ValidatorSet, Reason> = Table::new("halt/session");
const NETWORKS: Table<Network, Reason> = Table::new("halt/network");
const BASE_CHAIN: Table<(), Reason> = Table::new("halt/base_chain");

/// A set which cosigned another block of the base chain than ours.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Conflict {
    /// Which set.
    pub set: ValidatorSet,
    /// The block's number.
    pub block: BaseBlock,
    /// The hash of our block.
    pub ours: BaseBlockHash,
    /// The hash it signed.
    pub theirs: BaseBlockHash,
}

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
    /// Networks of 17 % of the stake cosigned other blocks of the base chain than ours.
    CosignConflict {
        /// What they signed.
        conflicting: Vec<Conflict>,
        /// Their stake.
        stake: u128,
        /// All stake which cosigns.
        total: u128,
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
            Self::CosignConflict { .. } => "COSIGN_CONFLICT",
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
            Self::CosignConflict { .. } => {
                "compare the block's hash with other validators' nodes; connect to a node of the right chain, or, if ours is right, stop the coordinator and run `coordinator resume --base-chain`, or of a testnet `orchestration node resume --base-chain`"
            }
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

/// Records that no further block of the base chain is acted on; the first reason stays.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn base_chain(step: &mut Step<'_>, reason: Reason) -> Result<(), StoreError> {
    if BASE_CHAIN.get(step.txn, &())?.is_none() {
        BASE_CHAIN.put(step.txn, &(), &reason);
        step.notice(Notice::of_chain(Event::Halted { reason }));
    }
    Ok(())
}

/// Why no further block of the base chain is acted on.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn of_base_chain(db: &(impl Read + ?Sized)) -> Result<Option<Reason>, StoreError> {
    BASE_CHAIN.get(db, &())
}

/// What a halt stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Acting on blocks of the base chain.
    BaseChain,
    /// A network with all its sessions.
    Network(Network),
    /// One session.
    Session(ValidatorSet),
}

/// Everything which is halted, with the recorded reasons; at most `limit` networks and as many sessions.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn all(db: &(impl Read + ?Sized), limit: usize) -> Result<Vec<(Scope, Reason)>, StoreError> {
    let chain = BASE_CHAIN.get(db, &())?.map(|reason| (Scope::BaseChain, reason));
    let networks = NETWORKS.scan(db, &(), None, limit)?.into_iter().map(|(n, r)| (Scope::Network(n), r));
    let sessions = SESSIONS.scan(db, &(), None, limit)?.into_iter().map(|(s, r)| (Scope::Session(s), r));
    Ok(chain.into_iter().chain(networks).chain(sessions).collect())
}

/// An operator decided to go on (`COORD-19`). Returns the reason which was recorded; `None`, and nothing changes, if
/// nothing is halted there. Whatever is still wrong halts it again.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn lift(txn: &mut dyn Transaction, scope: Scope) -> Result<Option<Reason>, StoreError> {
    let reason = match scope {
        Scope::BaseChain => BASE_CHAIN.get(txn, &())?,
        Scope::Network(network) => NETWORKS.get(txn, &network)?,
        Scope::Session(set) => SESSIONS.get(txn, &set)?,
    };
    if reason.is_none() {
        return Ok(None);
    }
    match scope {
        Scope::BaseChain => {
            BASE_CHAIN.delete(txn, &());
            cosign::lift(txn)?;
        }
        Scope::Network(network) => NETWORKS.delete(txn, &network),
        Scope::Session(set) => {
            SESSIONS.delete(txn, &set);
            // The tributary keeps a record of its own.
            if let Some(record) = sessions::get(txn, set)? {
                tributary::clear_halt(txn, record.spec.genesis);
            }
        }
    }
    Ok(reason)
}
