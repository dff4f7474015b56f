//! Answers to queries: the finalized state now.

use borsh::{BorshDeserialize, BorshSerialize};
use processor_messages::{
    Amount, BaseBlock, BaseBlockHash, BatchId, ChainGenesis, KeyBytes, KeyPair, Network, Session, Validator,
    ValidatorSet,
};
use serde::{Deserialize, Serialize};

use crate::{Addresses, EmbeddedCurve, NetworkCurve, SetDeclaration};

/// The latest finalized block, and which chain it is on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// The chain's name, from its genesis file.
    pub chain_id: String,
    /// Hash of the chain's genesis.
    pub chain: ChainGenesis,
    /// The latest finalized block.
    pub number: BaseBlock,
    /// Its hash.
    pub hash: BaseBlockHash,
    /// Its time, in milliseconds since the Unix epoch.
    pub time_unix_ms: u64,
}

/// How long things last in the tributaries of a network's sets, in tributary blocks. Every member of a set
/// uses the same, so they are facts of the base chain and part of each set's declaration (`BASE-17`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TributaryParameters {
    /// Blocks which attempt 0 of a topic may take; each further attempt this many more. 1 to 10,000.
    pub attempt_blocks: u32,
    /// From this attempt on the time no longer grows. At most 1,000.
    pub longest_attempt: u32,
    /// Blocks which a collection of participations stays open once it has the threshold. At most 10,000.
    pub grace_blocks: u32,
}

impl Default for TributaryParameters {
    fn default() -> Self {
        Self { attempt_blocks: 30, longest_attempt: 11, grace_blocks: 5 }
    }
}

impl TributaryParameters {
    /// What no set can work with; `None` if all is well.
    pub fn problem(&self) -> Option<&'static str> {
        let problems = [
            (!(1..=10_000).contains(&self.attempt_blocks), "attempt_blocks is not 1 to 10000"),
            (self.longest_attempt > 1_000, "longest_attempt is above 1000"),
            (self.grace_blocks > 10_000, "grace_blocks is above 10000"),
        ];
        problems.into_iter().find_map(|(wrong, what)| wrong.then_some(what))
    }
}

/// What everybody who cosigns blocks of the base chain must use alike (`BASE-18`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CosignParameters {
    /// Blocks after a cosigned one within which only blocks are cosigned where the cosigners change. 1 to 10,000;
    /// the same for all networks.
    pub distance_blocks: u32,
    /// The stake behind each key share of the set.
    pub stake_per_share: Amount,
}

impl Default for CosignParameters {
    fn default() -> Self {
        Self { distance_blocks: Self::USUAL_DISTANCE, stake_per_share: Amount(1) }
    }
}

impl CosignParameters {
    /// The distance unless a genesis says otherwise, in blocks.
    pub const USUAL_DISTANCE: u32 = 50;
    /// The greatest distance in blocks.
    pub const MAX_DISTANCE: u32 = 10_000;
}

/// What the genesis fixed for a network.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct NetworkParameters {
    /// Its name.
    pub name: Network,
    /// The curve of its key.
    pub curve: NetworkCurve,
    /// The fewest key shares of a set; below 4 a set tolerates no faulty validator.
    pub min_key_shares: u16,
    /// Stake needed for one key share.
    pub stake_per_share: Amount,
    /// Blocks of an epoch; a new set may be declared when one ends.
    pub epoch_blocks: u64,
    /// Blocks from a set's declaration until it is dropped without keys.
    pub key_gen_deadline_blocks: u64,
    /// Blocks from the handover until the former set is retired without a slash report.
    pub slash_report_deadline_blocks: u64,
    /// How long things last in the tributaries of its sets.
    pub tributary: TributaryParameters,
}

/// Where a set is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetState {
    /// Generates its keys.
    Declared,
    /// Had no keys by its deadline.
    Dropped,
    /// Has keys and waits for the former set's last batch.
    Waiting,
    /// Publishes the network's batches.
    InCharge,
    /// Handed over; its slash report is due before this block.
    Retiring {
        /// The first block at which it is retired without a report.
        deadline: BaseBlock,
    },
    /// Its duty ended.
    Retired,
}

/// A set, its keys and where it is in its life.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetInfo {
    /// As declared.
    pub declaration: SetDeclaration,
    /// The block which declared it.
    pub declared_at: BaseBlock,
    /// That block's hash; it is in the set's tributary's genesis.
    pub declared_in: BaseBlockHash,
    /// Its keys, once set.
    pub key_pair: Option<KeyPair>,
    /// Where it is in its life.
    pub state: SetState,
}

/// A slash report that is due.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PendingSlashReport {
    /// The retiring set.
    pub set: ValidatorSet,
    /// The first block at which it is retired without a report.
    pub deadline: BaseBlock,
}

/// A network now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NetworkInfo {
    /// What the genesis fixed.
    pub parameters: NetworkParameters,
    /// The latest session that was declared.
    pub latest_session: Option<Session>,
    /// The session which publishes batches.
    pub in_charge: Option<Session>,
    /// The batch that would be executed next.
    pub next_batch: BatchId,
    /// Slash reports that are due, by session.
    pub pending_slash_reports: Vec<PendingSlashReport>,
    /// The block at which the running epoch ends.
    pub epoch_ends: BaseBlock,
    /// All its coins.
    pub supply: Amount,
}

/// A validator now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ValidatorInfo {
    /// Its account.
    pub validator: Validator,
    /// Its weight in the base chain's own consensus; 0 if it takes no part.
    pub consensus_weight: u64,
    /// Where its coordinator is reached.
    pub addresses: Addresses,
    /// The keys which the next declared set refers to.
    pub embedded_keys: Vec<(EmbeddedCurve, KeyBytes)>,
    /// Stake by network.
    pub stakes: Vec<(Network, Amount)>,
}

/// An account now.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AccountInfo {
    /// The nonce of its next call.
    pub nonce: u64,
    /// Coins free to be staked.
    pub free: Amount,
    /// Networks' coins.
    pub coins: Vec<(Network, Amount)>,
}

/// Where a submitted transaction is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionStatus {
    /// Not known here: never submitted, dropped, or refused.
    Unknown,
    /// Waits to be ordered.
    Waiting,
    /// Applied in a finalized block.
    Final {
        /// Which block.
        block: BaseBlock,
    },
}
