//! The state before all blocks (`BASE-1`, `BASE-2`).

use std::collections::BTreeSet;

use blake2::{Blake2b, Digest, digest::consts::U32};
use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::{
    Addresses, Block, CosignParameters, EmbeddedCurve, Event, KeyProof, NetworkParameters,
};
use coordinator_keys::PublicKey;
use coordinator_store::{Read, Step, StoreError, Writes};
use processor_messages::{
    Account, Amount, BaseBlock, BaseBlockHash, BatchId, ChainGenesis, KeyBytes, Network, Validator, encode,
};

use super::{
    BlockBuilder, Stop, Work,
    registration::{are_printable, put_key, verify_key},
    sets,
    state::{
        ACCOUNTS, ALL, AccountRecord, CHAIN, ChainRecord, HeadRecord, NETWORKS, NetworkRecord, STAKES,
        USED_KEYS, VALIDATORS, ValidatorRecord,
    },
};

/// The most networks of a chain.
const MAX_NETWORKS: usize = 16;
/// The most validators of a genesis.
const MAX_VALIDATORS: usize = 256;
/// The longest chain id, in bytes.
const MAX_CHAIN_ID: usize = 64;

/// An embedded key with its proof of knowledge.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct GenesisKey {
    /// Which curve.
    pub curve: EmbeddedCurve,
    /// The key, compressed.
    pub key: KeyBytes,
    /// That its owner knows its logarithm.
    pub proof: KeyProof,
}

/// A validator from the beginning.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct GenesisValidator {
    /// Its account.
    pub validator: Validator,
    /// Its weight in the base chain's own consensus; 0 takes no part.
    pub consensus_weight: u16,
    /// Where its coordinator is reached.
    pub addresses: Addresses,
    /// Coins free to be staked.
    pub free: Amount,
    /// Stake by network.
    pub stakes: Vec<(Network, Amount)>,
    /// Its embedded keys.
    pub embedded_keys: Vec<GenesisKey>,
}

/// All that the chain begins with.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct GenesisState {
    /// The chain's name, unique among chains: 1 to 64 characters of `a-z`, `0-9` and `-`.
    pub chain_id: String,
    /// The first block's time, in milliseconds since the Unix epoch.
    pub time_unix_ms: u64,
    /// How far apart cosigned blocks are, in blocks: 1 to 10,000.
    pub cosign_distance: u32,
    /// The networks.
    pub networks: Vec<NetworkParameters>,
    /// The validators.
    pub validators: Vec<GenesisValidator>,
}

/// What is wrong with a genesis, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GenesisError {
    /// Of the chain as a whole.
    #[error("{0}")]
    Chain(&'static str),
    /// Of the network at this place of the list.
    #[error("{1}")]
    Network(usize, &'static str),
    /// Of the validator at this place of the list.
    #[error("{1}")]
    Validator(usize, &'static str),
    /// Of a validator's embedded key: places of the validator and of the key.
    #[error("{2}")]
    Key(usize, usize, &'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl GenesisState {
    /// The chain's identity: a hash of all that it begins with.
    pub fn hash(&self) -> ChainGenesis {
        let mut digest = Blake2b::<U32>::new();
        digest.update(b"headwater base chain genesis v1");
        digest.update(encode(self));
        ChainGenesis(digest.finalize().into())
    }

    /// Checks everything that the rules rely on.
    ///
    /// # Errors
    /// [`GenesisError`] with the place.
    pub fn check(&self) -> Result<(), GenesisError> {
        let name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || (b == b'-');
        if !(1..=MAX_CHAIN_ID).contains(&self.chain_id.len()) || !self.chain_id.bytes().all(name) {
            return Err(GenesisError::Chain("a chain id is 1 to 64 characters of a-z, 0-9 and -"));
        }
        if !(1..=CosignParameters::MAX_DISTANCE).contains(&self.cosign_distance) {
            return Err(GenesisError::Chain("cosign_distance is not 1 to 10000"));
        }
        if self.networks.len() > MAX_NETWORKS {
            return Err(GenesisError::Chain("a chain has at most 16 networks"));
        }
        if self.validators.len() > MAX_VALIDATORS {
            return Err(GenesisError::Chain("a genesis has at most 256 validators"));
        }
        if self.validators.iter().all(|validator| validator.consensus_weight == 0) {
            return Err(GenesisError::Chain("no validator takes part in the base chain's consensus"));
        }
        self.check_networks()?;
        self.check_validators()
    }

    fn check_networks(&self) -> Result<(), GenesisError> {
        let mut names = BTreeSet::new();
        for (at, network) in self.networks.iter().enumerate() {
            let problem = [
                (!names.insert(network.name), "the network appears twice"),
                (network.stake_per_share.0 == 0, "stake_per_share is zero"),
                (network.epoch_blocks == 0, "epoch_blocks is zero"),
                (network.key_gen_deadline_blocks == 0, "key_gen_deadline_blocks is zero"),
                (network.slash_report_deadline_blocks == 0, "slash_report_deadline_blocks is zero"),
                (
                    network.slash_report_deadline_blocks > network.epoch_blocks.saturating_mul(16),
                    "slash_report_deadline_blocks is more than 16 epochs",
                ),
            ];
            let problem = problem.into_iter().find_map(|(wrong, problem)| wrong.then_some(problem));
            if let Some(problem) = problem.or_else(|| network.tributary.problem()) {
                return Err(GenesisError::Network(at, problem));
            }
        }
        Ok(())
    }

    fn check_validators(&self) -> Result<(), GenesisError> {
        let mut validators = BTreeSet::new();
        let mut used = BTreeSet::new();
        let mut supply = 0_u64;
        for (at, validator) in self.validators.iter().enumerate() {
            let wrong = |problem| Err(GenesisError::Validator(at, problem));
            if PublicKey::from_bytes(validator.validator.0).is_err() {
                return wrong("the key is not a Ristretto public key");
            }
            if !validators.insert(validator.validator) {
                return wrong("the validator appears twice");
            }
            if !are_printable(&validator.addresses) {
                return wrong("an address is empty or not printable ASCII");
            }
            if let Some(problem) = self.stakes_problem(validator) {
                return wrong(problem);
            }
            let mut stakes = validator.stakes.iter().map(|(_, stake)| stake.0).chain([validator.free.0]);
            match stakes.try_fold(supply, u64::checked_add) {
                Some(sum) => supply = sum,
                None => return wrong("all stakes together exceed 64 bits"),
            }
            self.check_keys(at, validator, &mut used)?;
        }
        Ok(())
    }

    fn stakes_problem(&self, validator: &GenesisValidator) -> Option<&'static str> {
        let mut seen = BTreeSet::new();
        for (name, stake) in &validator.stakes {
            let Some(network) = self.networks.iter().find(|network| network.name == *name) else {
                return Some("a stake names a network which the chain does not have");
            };
            if !seen.insert(*name) {
                return Some("two stakes for one network");
            }
            if *stake < network.stake_per_share {
                return Some("a stake is below that of one key share; leave it out or raise it");
            }
        }
        None
    }

    fn check_keys(
        &self,
        at: usize,
        validator: &GenesisValidator,
        used: &mut BTreeSet<(EmbeddedCurve, [u8; 32])>,
    ) -> Result<(), GenesisError> {
        let mut curves = BTreeSet::new();
        for (place, key) in validator.embedded_keys.iter().enumerate() {
            let wrong = |problem| GenesisError::Key(at, place, problem);
            if !curves.insert(key.curve) {
                return Err(wrong("two keys on one curve"));
            }
            let x = verify_key(&self.chain_id, validator.validator, key.curve, &key.key, &key.proof);
            let x = x.map_err(|_| {
                wrong("the key is malformed or its proof of knowledge is not for this chain id and validator")
            })?;
            if !used.insert((key.curve, x)) {
                return Err(wrong("another validator has a key with the same x-coordinate"));
            }
        }
        Ok(())
    }
}

/// Makes block 0 and what must be written for it: the genesis, and each network's session zero.
///
/// # Errors
/// [`GenesisError`] if the genesis does not pass [`GenesisState::check`] or the store fails.
pub fn init(db: &dyn Read, genesis: &GenesisState) -> Result<(Block, Writes), GenesisError> {
    genesis.check()?;
    let chain = genesis.hash();
    let head = HeadRecord {
        number: BaseBlock(0),
        hash: BaseBlockHash::default(),
        time_unix_ms: genesis.time_unix_ms,
        state_root: chain.0,
    };
    let mut builder = BlockBuilder {
        db,
        step: Step::new(db),
        head,
        chain_id: genesis.chain_id.clone(),
        chain,
        number: BaseBlock(0),
        time_unix_ms: genesis.time_unix_ms,
        transactions: Vec::new(),
        events: Vec::new(),
    };
    let outcome = builder.work(|work| {
        put_genesis(work, genesis)?;
        for (name, record) in NETWORKS.scan(&*work.txn, &(), None, ALL)? {
            sets::declare(work, name, record)?;
        }
        Ok(())
    });
    match outcome {
        Ok(()) => Ok(builder.finish()?),
        Err(Stop::Store(error)) => Err(error.into()),
        // The check refuses more than the rules do.
        Err(Stop::Refused(_)) => Err(GenesisError::Chain("the rules refuse what the check let pass")),
    }
}

fn put_genesis(work: &mut Work<'_>, genesis: &GenesisState) -> Result<(), Stop> {
    let consensus = genesis.validators.iter().filter(|validator| validator.consensus_weight > 0);
    let consensus = consensus.map(|validator| validator.validator).collect();
    CHAIN.put(
        work.txn,
        &(),
        &ChainRecord {
            id: genesis.chain_id.clone(),
            genesis: work.chain,
            consensus,
            cosign_distance: genesis.cosign_distance,
        },
    );
    for parameters in &genesis.networks {
        let record = NetworkRecord {
            parameters: parameters.clone(),
            latest: None,
            in_charge: None,
            next_batch: BatchId(0),
            batch_in: None,
            burns_in: (BaseBlock(0), 0),
            supply: Amount(0),
        };
        NETWORKS.put(work.txn, &parameters.name, &record);
    }
    for validator in &genesis.validators {
        put_validator(work, &genesis.chain_id, validator)?;
    }
    Ok(())
}

fn put_validator(work: &mut Work<'_>, chain_id: &str, genesis: &GenesisValidator) -> Result<(), Stop> {
    let validator = genesis.validator;
    let mut record = ValidatorRecord {
        consensus_weight: genesis.consensus_weight,
        addresses: genesis.addresses.clone(),
        embedded: Vec::new(),
    };
    for key in &genesis.embedded_keys {
        let x = verify_key(chain_id, validator, key.curve, &key.key, &key.proof)?;
        USED_KEYS.put(work.txn, &(super::registration::curve_byte(key.curve), x), &validator);
        put_key(&mut record, key.curve, key.key.clone());
    }
    VALIDATORS.put(work.txn, &validator, &record);
    let mut bonded = 0_u64;
    for (network, stake) in &genesis.stakes {
        STAKES.put(work.txn, &(*network, validator), stake);
        bonded = bonded.saturating_add(stake.0);
    }
    let account = AccountRecord { nonce: 0, free: genesis.free, bonded: Amount(bonded) };
    ACCOUNTS.put(work.txn, &Account(validator.0).0, &account);
    if !genesis.addresses.is_empty() {
        let addresses = genesis.addresses.clone();
        work.events.push(Event::AddressesChanged { validator, addresses });
    }
    Ok(())
}
