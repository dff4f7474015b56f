//! What coordinators tell each other: cosigns, in one message or in answer to a question (`COSIGN-10`).
//!
//! ```text
//! gossip     borsh(List<Cosign, 64>)       new ones of our processor at once, the latest of each network each minute
//! question   borsh(BaseBlock)              what is needed to go on from this block
//! answer     borsh(List<Cosign, 64>)       the last cosigns of each era from there on
//! ```

use blake2::{Blake2b, Digest, digest::consts::U32};
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{BaseBlock, ChainGenesis, Genesis, List, Network, decode, encode};

use super::{Cosign, closing, facts};
use crate::base_chain;

/// The most cosigns of a message.
pub const MAX_COSIGNS: usize = 64;
/// The largest message, in bytes; a larger one is none.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// Networks looked at: those of one message.
const MAX_NETWORKS: usize = MAX_COSIGNS;

/// The last cosign of each network in each era, by the era's first block.
const COSIGNS: Table<(BaseBlock, Network), Cosign> = Table::new("cosign/cosign");
const LATEST: Table<Network, Cosign> = Table::new("cosign/latest");
/// The last cosign which our processor completed before we heard of it.
const OWN: Table<Network, BaseBlock> = Table::new("cosign/own");

/// Cosigns in one message.
pub type Cosigns = List<Cosign, MAX_COSIGNS>;

/// Where coordinators of a base chain exchange cosigns.
pub fn topic(chain: ChainGenesis) -> Genesis {
    Genesis(Blake2b::<U32>::digest(encode(&("headwater cosigns v1", chain))).into())
}

/// What a question asks; `None` if it is none.
pub fn question(bytes: &[u8]) -> Option<BaseBlock> {
    decode(bytes, MAX_MESSAGE_BYTES).ok()
}

/// A network's last cosign in an era.
pub(super) fn cosign_of(
    db: &(impl Read + ?Sized),
    era: BaseBlock,
    network: Network,
) -> Result<Option<Cosign>, StoreError> {
    COSIGNS.get(db, &(era, network))
}

/// Keeps a valid cosign.
pub(super) fn keep(txn: &mut dyn Transaction, era: BaseBlock, cosign: &Cosign) -> Result<(), StoreError> {
    let network = cosign.set.network;
    COSIGNS.put(txn, &(era, network), cosign);
    if LATEST.get(txn, &network)?.is_none_or(|latest| latest.block < cosign.block) {
        LATEST.put(txn, &network, cosign);
    }
    Ok(())
}

pub(super) fn keep_own(txn: &mut dyn Transaction, cosign: &Cosign) {
    OWN.put(txn, &cosign.set.network, &cosign.block);
}

/// The latest cosign of each network.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn latest(db: &(impl Read + ?Sized)) -> Result<Cosigns, StoreError> {
    let rows = LATEST.scan(db, &(), None, MAX_NETWORKS)?;
    Ok(List::new(rows.into_iter().map(|(_, cosign)| cosign).collect()).unwrap_or_default())
}

/// The latest cosign of a network.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn latest_of(db: &(impl Read + ?Sized), network: Network) -> Result<Option<Cosign>, StoreError> {
    LATEST.get(db, &network)
}

/// The latest blocks whose cosign our own processors completed, by network: others may not have them yet.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn own(db: &(impl Read + ?Sized)) -> Result<Vec<(Network, BaseBlock)>, StoreError> {
    OWN.scan(db, &(), None, MAX_NETWORKS)
}

/// What takes someone forward who has handled every block before `from`: the last cosigns of each era from that of
/// `from` on, as many as fit.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn since(db: &(impl Read + ?Sized), from: BaseBlock) -> Result<Cosigns, StoreError> {
    let mut cosigns = Vec::new();
    for era in facts::eras_from(db, from, MAX_COSIGNS)? {
        let room = MAX_COSIGNS.saturating_sub(cosigns.len());
        cosigns.extend(COSIGNS.scan(db, &era, None, room)?.into_iter().map(|(_, cosign)| cosign));
    }
    Ok(List::new(cosigns).unwrap_or_default())
}

/// From which block on we lack cosigns, if we may lack any: the gate holds an intended block, or the tributary of a
/// set of ours waits for one.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn wanted(db: &(impl Read + ?Sized)) -> Result<Option<BaseBlock>, StoreError> {
    let next = base_chain::next_block(db)?;
    let held = facts::state(db)?.window.last.is_some_and(|last| next <= last);
    let open = closing::first_open(db)?;
    Ok(held.then_some(next).into_iter().chain(open).min())
}
