//! Reads of the finalized state, as JSON-RPC answers them.

use std::collections::BTreeSet;

use coordinator_base_chain::{
    AccountInfo, Block, Head, Inclusion, NetworkInfo, PendingSlashReport, SetInfo, SetState, TransactionHash,
    ValidatorInfo, merkle_path,
};
use coordinator_store::{Read, StoreError};
use processor_messages::{Account, BaseBlock, Network, Validator, ValidatorSet};

use crate::rules::state::{
    ACCOUNTS, ALL, BLOCKS, CHAIN, COINS, HEAD, INCLUDED, LIVE, NETWORKS, NetworkRecord, SETS, STAKES,
    SetRecord, VALIDATORS, ValidatorRecord,
};

type Answer<T> = Result<T, StoreError>;

/// The latest finalized block; `None` before the genesis was written.
pub fn head(db: &dyn Read) -> Answer<Option<Head>> {
    let (Some(head), Some(chain)) = (HEAD.get(db, &())?, CHAIN.get(db, &())?) else { return Ok(None) };
    Ok(Some(Head {
        chain_id: chain.id,
        chain: chain.genesis,
        number: head.number,
        hash: head.hash,
        time_unix_ms: head.time_unix_ms,
    }))
}

/// A finalized block.
pub fn block(db: &dyn Read, number: BaseBlock) -> Answer<Option<Block>> {
    BLOCKS.get(db, &number)
}

/// The block which holds a transaction, and the transaction's place in it.
pub fn included(db: &dyn Read, hash: TransactionHash) -> Answer<Option<(BaseBlock, u32)>> {
    INCLUDED.get(db, &hash.0)
}

/// The proof that a transaction is in a block.
pub fn inclusion(db: &dyn Read, hash: TransactionHash) -> Answer<Option<Inclusion>> {
    let Some((number, index)) = included(db, hash)? else { return Ok(None) };
    let Some(block) = block(db, number)? else { return Ok(None) };
    let path = merkle_path(&block.transactions, usize::try_from(index).unwrap_or(usize::MAX));
    let count = u32::try_from(block.transactions.len()).unwrap_or(u32::MAX);
    Ok(Some(Inclusion { header: block.header, transaction: hash, index, count, path }))
}

/// All networks, by name.
pub fn networks(db: &dyn Read) -> Answer<Vec<NetworkInfo>> {
    NETWORKS.scan(db, &(), None, ALL)?.into_iter().map(|(_, record)| network_info(db, record)).collect()
}

/// One network.
pub fn network(db: &dyn Read, network: Network) -> Answer<Option<NetworkInfo>> {
    NETWORKS.get(db, &network)?.map(|record| network_info(db, record)).transpose()
}

fn network_info(db: &dyn Read, record: NetworkRecord) -> Answer<NetworkInfo> {
    let head = HEAD.get(db, &())?.map_or(0, |head| head.number.0);
    let epoch = record.parameters.epoch_blocks.max(1);
    let mut pending_slash_reports = Vec::new();
    for (set, ()) in LIVE.scan(db, &record.parameters.name, None, ALL)? {
        if let Some(SetState::Retiring { deadline }) = SETS.get(db, &set)?.map(|set| set.state) {
            pending_slash_reports.push(PendingSlashReport { set, deadline });
        }
    }
    Ok(NetworkInfo {
        epoch_ends: BaseBlock((head / epoch).saturating_add(1).saturating_mul(epoch)),
        parameters: record.parameters,
        latest_session: record.latest,
        in_charge: record.in_charge,
        next_batch: record.next_batch,
        pending_slash_reports,
        supply: record.supply,
    })
}

/// A set.
pub fn set(db: &dyn Read, set: ValidatorSet) -> Answer<Option<SetInfo>> {
    let Some(SetRecord { declaration, declared_at, key_pair, state }) = SETS.get(db, &set)? else {
        return Ok(None);
    };
    let declared_in = block(db, declared_at)?.map(|block| block.hash()).unwrap_or_default();
    Ok(Some(SetInfo { declaration, declared_at, declared_in, key_pair, state }))
}

/// The validators, by key: who takes part in consensus, has stake, or is in a live set. Others may have
/// registered keys or addresses too, which [`validator`] tells.
pub fn validators(db: &dyn Read) -> Answer<Vec<ValidatorInfo>> {
    let networks = network_names(db)?;
    let consensus = CHAIN.get(db, &())?.map(|chain| chain.consensus).unwrap_or_default();
    let mut relevant: BTreeSet<_> = consensus.into_iter().collect();
    relevant.extend(STAKES.scan(db, &(), None, ALL)?.into_iter().map(|((_, validator), _)| validator));
    for (set, ()) in LIVE.scan(db, &(), None, ALL)? {
        let members = SETS.get(db, &set)?.map(|record| record.declaration.validators());
        relevant.extend(members.unwrap_or_default());
    }
    let info = |validator| {
        let record = VALIDATORS.get(db, &validator)?.unwrap_or_default();
        validator_info(db, &networks, validator, record)
    };
    relevant.into_iter().map(info).collect()
}

/// One validator.
pub fn validator(db: &dyn Read, validator: Validator) -> Answer<Option<ValidatorInfo>> {
    let Some(record) = VALIDATORS.get(db, &validator)? else { return Ok(None) };
    validator_info(db, &network_names(db)?, validator, record).map(Some)
}

fn network_names(db: &dyn Read) -> Answer<Vec<Network>> {
    Ok(NETWORKS.scan(db, &(), None, ALL)?.into_iter().map(|(name, _)| name).collect())
}

fn validator_info(
    db: &dyn Read,
    networks: &[Network],
    validator: Validator,
    record: ValidatorRecord,
) -> Answer<ValidatorInfo> {
    let mut stakes = Vec::new();
    for network in networks {
        stakes.extend(STAKES.get(db, &(*network, validator))?.map(|stake| (*network, stake)));
    }
    Ok(ValidatorInfo {
        validator,
        consensus_weight: record.consensus_weight.into(),
        addresses: record.addresses,
        embedded_keys: record.embedded,
        stakes,
    })
}

/// An account; one that was never used is empty.
pub fn account(db: &dyn Read, account: Account) -> Answer<AccountInfo> {
    let record = ACCOUNTS.get(db, &account.0)?.unwrap_or_default();
    let coins = COINS.scan(db, &account.0, None, ALL)?;
    let coins = coins.into_iter().map(|((_, network), amount)| (network, amount)).collect();
    Ok(AccountInfo { nonce: record.nonce, free: record.free, coins })
}

/// Whether an account holds coins: free, staked, unlocking, or of a network.
pub fn holds_anything(db: &dyn Read, account: Account) -> Answer<bool> {
    let record = ACCOUNTS.get(db, &account.0)?.unwrap_or_default();
    Ok((record.free.0 > 0) || (record.bonded.0 > 0) || !COINS.scan(db, &account.0, None, 1)?.is_empty())
}
