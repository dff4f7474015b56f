//! Cosigning: validator sets sign blocks of the base chain, and we act on blocks only up to what enough stake
//! signed.
//!
//! ```text
//! finalized block ─▶ facts::observe ─▶ cosigners by era, hashes, which blocks are intended
//!                                          └─▶ Provided::Cosign ─▶ tributary ─▶ processor signs
//! our processor, peers ─▶ intake::take ─┬─▶ kept: the gate opens, Provided::Cosigned closes the topic
//!                                       └─▶ another hash than ours: evidence; 17 % of stake: halt
//! finalized block ─▶ gate ─▶ base_chain::follow
//! ```
//!
//! An *era* is a run of blocks with the same cosigners as of the parent: it ends with a notable block, where the
//! cosigners may change. A cosign counts for its block and for those before it in its era only, so keys are
//! trusted only once those before them signed the block which names them (`COSIGN-6`).
//!
//! Facts are of *finalized* blocks and run ahead of the gate; nothing but cosigning is done with them.
//!
//! What this deliberately does not do: send or ask (the shell), or decide what a processor signs (the tributary).
//! What callers uphold: every finalized block is observed once, in order. Spec: `spec/cosign.md`.

mod closing;
mod conflict;
mod exchange;
mod facts;
mod gate;
mod intake;
mod intended;
mod quorum;
pub mod status;

use borsh::{BorshDeserialize, BorshSerialize};
use processor_messages::{BaseBlock, BaseBlockHash, BaseSignature, ValidatorSet};

pub(crate) use closing::{ended, is_over};
pub(crate) use conflict::lift;
pub use conflict::{Evidence, evidence};
pub use exchange::{
    Cosigns, MAX_COSIGNS, MAX_MESSAGE_BYTES, latest, latest_of, own, question, since, topic, wanted,
};
pub(crate) use facts::hash_of;
pub use facts::{Cosigner, MAX_AHEAD, Observed, live_validators, next_block, observe};
pub(crate) use gate::passed;
pub use gate::{Gate, Hold, gate};
pub(crate) use intake::signed;
pub use intake::{Verdict, judge, take};
pub use intended::{Class, Window};
pub use quorum::{is_faulted, quorum};

/// A set's signature over a block of the base chain.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Cosign {
    /// Whose key signed.
    pub set: ValidatorSet,
    /// The block's number.
    pub block: BaseBlock,
    /// Its hash.
    pub hash: BaseBlockHash,
    /// By the set's base key, over [`coordinator_base_chain::signing::cosign_message`].
    pub signature: BaseSignature,
}
