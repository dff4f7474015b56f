//! Signing which the coordinator starts, and signatures which it publishes.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{BaseBlock, BaseBlockHash, BaseSignature, Session, SignedBatch, SlashReport};

/// From the coordinator.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum ToProcessor {
    /// Cosign a finalized block of the base chain.
    CosignBlock {
        /// Whose key signs.
        session: Session,
        /// The block.
        block: BaseBlock,
        /// Its hash.
        hash: BaseBlockHash,
    },
    /// Sign the slash report of a retiring session.
    SignSlashReport {
        /// The retiring session, whose key signs.
        session: Session,
        /// What was agreed.
        report: SlashReport,
    },
}

/// From the processor.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum FromProcessor {
    /// A cosign, to be gossiped.
    CosignedBlock {
        /// Whose key signed.
        session: Session,
        /// The block.
        block: BaseBlock,
        /// Its hash.
        hash: BaseBlockHash,
        /// By the session's base key.
        signature: BaseSignature,
    },
    /// A signed batch, to be published in order.
    SignedBatch {
        /// Whose key signed.
        session: Session,
        /// The batch and its signature.
        batch: SignedBatch,
    },
    /// A signed slash report, to be published.
    SignedSlashReport {
        /// The retiring session, whose key signed.
        session: Session,
        /// What was agreed.
        report: SlashReport,
        /// By the session's base key.
        signature: BaseSignature,
    },
}
