//! What happened on the base chain, and what a network asks of it.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    BaseBlock, Batch, BatchId, Burn, Incarnation, KeyPair, List, MAX_INSTRUCTIONS, NetworkBlockHash, Session,
    TransactionId,
};

/// A batch which the base chain executed.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct ExecutedBatch {
    /// Its number.
    pub id: BatchId,
    /// The session whose key signed it.
    pub publisher: Session,
    /// The network's block which it names.
    pub block: NetworkBlockHash,
    /// Blake2b-256 of the encoded instructions.
    #[serde(with = "hex")]
    pub instructions_hash: [u8; 32],
    /// Whether each instruction succeeded, in order.
    pub results: List<bool, MAX_INSTRUCTIONS>,
}

/// From the coordinator.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum ToProcessor {
    /// A session's keys are on the base chain. Sent to every processor of the network, member or not.
    SetKeys {
        /// Time of the block, in seconds since the Unix epoch.
        time_unix_secs: u64,
        /// The session.
        session: Session,
        /// Its keys.
        key_pair: KeyPair,
    },
    /// The base chain took the session's slash report, or its deadline passed: the session is retired.
    SlashesReported {
        /// The retired session.
        session: Session,
    },
    /// A cosigned block which concerns this network.
    Block {
        /// The block.
        number: BaseBlock,
        /// Executed batches, at most one.
        batches: List<ExecutedBatch, 1>,
        /// Payments asked of the network, in order.
        burns: List<Burn, MAX_INSTRUCTIONS>,
    },
    /// Everything of the base chain follows again from its beginning, for a life of the processor's disk which asked
    /// for it. What came before this message is of the middle, and comes again.
    FromTheBeginning {
        /// That life.
        incarnation: Incarnation,
        /// The last block which may have reached a former life.
        through: BaseBlock,
    },
}

/// From the processor.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum FromProcessor {
    /// A base-chain block was handled and caused these transactions to be signed.
    BlockAcknowledged {
        /// The block.
        block: BaseBlock,
        /// Whose key signs, and what.
        transactions: List<(Session, TransactionId), MAX_INSTRUCTIONS>,
    },
    /// The batch which this processor made of its network's block: what it expects the base chain to execute.
    Batch {
        /// The session under whose duty it falls.
        session: Session,
        /// The batch.
        batch: Batch,
    },
    /// A transaction which [`FromProcessor::BlockAcknowledged`] named is on the network: nobody needs its signature
    /// any more. Said in the order in which the network has the session's transactions.
    TransactionCompleted {
        /// Whose key signed.
        session: Session,
        /// What is on the network.
        id: TransactionId,
    },
}
