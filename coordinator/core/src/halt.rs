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

const SESSIONS: Table<ValidatorSet, Halted> = Table::new("halt/session");
const NETWORKS: Table<Network, Halted> = Table::new("halt/network");
const BASE_CHAIN: Table<(), Halted> = Table::new("halt/base_chain");

/// What is recorded of a halt.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Halted {
    /// Why.
    pub reason: Reason,
    /// When, in seconds since the Unix epoch, by this node's clock.
    pub at_unix_secs: u64,
}

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
                "compare the processor's view of the network with other validators'; if theirs is the executed one, rebuild the processor's; then stop the coordinator and run `coordinator resume --network`"
            }
            Self::BatchGap { .. } => {
                "the processor left a batch out: restore its data directory, or rebuild it from the network; then stop the coordinator and run `coordinator resume --network`"
            }
            Self::BatchSession { .. } => {
                "the processor went back to a former session: restore its data directory, or rebuild it from the network; then stop the coordinator and run `coordinator resume --network`"
            }
            Self::KeyPairMismatch { .. } => {
                "the processor computed another key than t of the set: compare versions, and rebuild the processor; then stop the coordinator and run `coordinator resume --session`"
            }
            Self::ThresholdLost { .. } => "the set cannot sign any more; the base chain drops or replaces it",
            Self::TributaryHalted { .. } => {
                "compare versions and the base-chain node with other validators'; then stop the coordinator and run `coordinator resume --session`"
            }
            Self::Internal { .. } => {
                "report the recorded state to the developers; once the coordinator is stopped, `coordinator resume --session` tries again"
            }
            Self::CosignConflict { .. } => {
                "compare the block's hash with other validators' nodes; connect to a node of the right chain, or, if ours is right, stop the coordinator and run `coordinator resume --base-chain`, or of a testnet `orchestration node resume --base-chain`"
            }
        }
    }
}

fn halted_now(step: &Step<'_>, reason: &Reason) -> Halted {
    Halted { reason: reason.clone(), at_unix_secs: step.now_unix_secs }
}

/// Records that a session is halted; the first reason stays.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn session(step: &mut Step<'_>, set: ValidatorSet, reason: Reason) -> Result<(), StoreError> {
    if SESSIONS.get(step.txn, &set)?.is_none() {
        let halted = halted_now(step, &reason);
        SESSIONS.put(step.txn, &set, &halted);
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
        let halted = halted_now(step, &reason);
        NETWORKS.put(step.txn, &network, &halted);
        step.notice(Notice::of_network(network, Event::Halted { reason }));
    }
    Ok(())
}

/// Why a network is halted.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn of_network(db: &(impl Read + ?Sized), network: Network) -> Result<Option<Reason>, StoreError> {
    Ok(record(db, Scope::Network(network))?.map(|halted| halted.reason))
}

/// Why a session is halted, by itself or with its network.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn of_session(db: &(impl Read + ?Sized), set: ValidatorSet) -> Result<Option<Reason>, StoreError> {
    Ok(record(db, Scope::Session(set))?.map(|halted| halted.reason))
}

/// Records that no further block of the base chain is acted on; the first reason stays.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn base_chain(step: &mut Step<'_>, reason: Reason) -> Result<(), StoreError> {
    if BASE_CHAIN.get(step.txn, &())?.is_none() {
        let halted = halted_now(step, &reason);
        BASE_CHAIN.put(step.txn, &(), &halted);
        step.notice(Notice::of_chain(Event::Halted { reason }));
    }
    Ok(())
}

/// Why no further block of the base chain is acted on.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn of_base_chain(db: &(impl Read + ?Sized)) -> Result<Option<Reason>, StoreError> {
    Ok(record(db, Scope::BaseChain)?.map(|halted| halted.reason))
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

/// What is recorded of the halt there; of a session's, by itself or with its network.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn record(db: &(impl Read + ?Sized), scope: Scope) -> Result<Option<Halted>, StoreError> {
    match scope {
        Scope::BaseChain => BASE_CHAIN.get(db, &()),
        Scope::Network(network) => NETWORKS.get(db, &network),
        Scope::Session(set) => Ok(SESSIONS.get(db, &set)?.or(NETWORKS.get(db, &set.network)?)),
    }
}

/// Everything which is halted, with the recorded reasons; at most `limit` networks and as many sessions.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn all(db: &(impl Read + ?Sized), limit: usize) -> Result<Vec<(Scope, Reason)>, StoreError> {
    let chain = BASE_CHAIN.get(db, &())?.map(|halted| (Scope::BaseChain, halted));
    let networks = NETWORKS.scan(db, &(), None, limit)?.into_iter().map(|(n, h)| (Scope::Network(n), h));
    let sessions = SESSIONS.scan(db, &(), None, limit)?.into_iter().map(|(s, h)| (Scope::Session(s), h));
    let all = chain.into_iter().chain(networks).chain(sessions);
    Ok(all.map(|(scope, halted)| (scope, halted.reason)).collect())
}

/// An operator decided to go on (`COORD-19`). Returns the reason which was recorded; `None`, and nothing changes, if
/// nothing is halted there. Whatever is still wrong halts it again.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn lift(txn: &mut dyn Transaction, scope: Scope) -> Result<Option<Reason>, StoreError> {
    let halted = match scope {
        Scope::Session(set) => SESSIONS.get(txn, &set)?,
        Scope::BaseChain | Scope::Network(_) => record(txn, scope)?,
    };
    let Some(Halted { reason, .. }) = halted else { return Ok(None) };
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
    Ok(Some(reason))
}
