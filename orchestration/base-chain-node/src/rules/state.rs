//! The tables of the base chain.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::{Addresses, Block, EmbeddedCurve, NetworkParameters, SetDeclaration, SetState};
use coordinator_store::Table;
use processor_messages::{
    Amount, BaseBlock, BaseBlockHash, BatchId, ChainGenesis, KeyBytes, KeyPair, Network, Session, Validator,
    ValidatorSet,
};

/// More entries than any table of a scope holds: bounds are where entries are made.
pub(crate) const ALL: usize = 1 << 20;

/// Which chain this is.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct ChainRecord {
    pub(crate) id: String,
    pub(crate) genesis: ChainGenesis,
    /// Who takes part in the chain's own consensus.
    pub(crate) consensus: Vec<Validator>,
    /// What every declaration says of cosigning.
    pub(crate) cosign_distance: u32,
}

/// The latest block.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct HeadRecord {
    pub(crate) number: BaseBlock,
    pub(crate) hash: BaseBlockHash,
    pub(crate) time_unix_ms: u64,
    pub(crate) state_root: [u8; 32],
}

#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct NetworkRecord {
    pub(crate) parameters: NetworkParameters,
    pub(crate) latest: Option<Session>,
    pub(crate) in_charge: Option<Session>,
    pub(crate) next_batch: BatchId,
    /// The block which executed the latest batch.
    pub(crate) batch_in: Option<BaseBlock>,
    /// The block with the latest burns, and how many it holds.
    pub(crate) burns_in: (BaseBlock, u32),
    pub(crate) supply: Amount,
}

#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct SetRecord {
    pub(crate) declaration: SetDeclaration,
    pub(crate) declared_at: BaseBlock,
    pub(crate) key_pair: Option<KeyPair>,
    pub(crate) state: SetState,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub(crate) struct ValidatorRecord {
    pub(crate) consensus_weight: u16,
    pub(crate) addresses: Addresses,
    /// At most one for each curve, by curve.
    pub(crate) embedded: Vec<(EmbeddedCurve, KeyBytes)>,
}

impl ValidatorRecord {
    pub(crate) fn embedded_key(&self, curve: EmbeddedCurve) -> Option<&KeyBytes> {
        self.embedded.iter().find(|(of, _)| *of == curve).map(|(_, key)| key)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub(crate) struct AccountRecord {
    pub(crate) nonce: u64,
    pub(crate) free: Amount,
    /// Staked or unlocking, over all networks.
    pub(crate) bonded: Amount,
}

// Beside the state: what the state root does not cover, as it follows from the blocks.
pub(crate) const HEAD: Table<(), HeadRecord> = Table::new("base/head");
pub(crate) const BLOCKS: Table<BaseBlock, Block> = Table::new("base/blocks");
pub(crate) const INCLUDED: Table<[u8; 32], (BaseBlock, u32)> = Table::new("base/included");

// The state.
pub(crate) const CHAIN: Table<(), ChainRecord> = Table::new("base/chain");
pub(crate) const NETWORKS: Table<Network, NetworkRecord> = Table::new("base/networks");
pub(crate) const SETS: Table<ValidatorSet, SetRecord> = Table::new("base/sets");
/// Sets which are neither dropped nor retired.
pub(crate) const LIVE: Table<ValidatorSet, ()> = Table::new("base/live");
pub(crate) const VALIDATORS: Table<Validator, ValidatorRecord> = Table::new("base/validators");
pub(crate) const STAKES: Table<(Network, Validator), Amount> = Table::new("base/stakes");
/// Deallocated stake which a set still needs: free when that set is retired or dropped.
pub(crate) const UNLOCKING: Table<(Network, Session, Validator), Amount> = Table::new("base/unlocking");
/// Accounts which were slashed fatally.
pub(crate) const EXCLUDED: Table<(Network, Validator), ()> = Table::new("base/excluded");
/// Every x-coordinate that was ever registered, by curve.
pub(crate) const USED_KEYS: Table<(u8, [u8; 32]), Validator> = Table::new("base/used-keys");
pub(crate) const ACCOUNTS: Table<[u8; 32], AccountRecord> = Table::new("base/accounts");
pub(crate) const COINS: Table<([u8; 32], Network), Amount> = Table::new("base/coins");
