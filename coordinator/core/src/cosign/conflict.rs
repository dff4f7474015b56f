//! Networks which cosigned another block than ours, and the halt which enough of them cause (`COSIGN-7`,
//! `COSIGN-8`).
//!
//! Each network counts once, with its own stake as of the blocks about which anybody signed otherwise: a further
//! conflict replaces the former one if the network's part of the stake was greater by then. What an operator lifted is
//! kept, and counts again only when the network signs another conflicting block after that one.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{BaseBlock, BaseBlockHash, Network};

use super::{
    Cosign,
    facts::{self, Cosigner, Fact},
    gate,
    quorum::is_faulted,
};
use crate::{Notice, Step, halt, notice::Event};

/// What a network signed, and what we have.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Evidence {
    /// What it signed.
    pub cosign: Cosign,
    /// The hash of our block of that number.
    pub ours: BaseBlockHash,
    /// The first block of the era of our block of that number: whose stakes count.
    pub era: BaseBlock,
    /// An operator decided to go on in spite of it.
    pub lifted: bool,
}

const EVIDENCE: Table<Network, Evidence> = Table::new("cosign/evidence");
/// Networks looked at.
const MAX_NETWORKS: usize = 1_024;

/// All evidence, by network.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn evidence(db: &(impl Read + ?Sized)) -> Result<Vec<Evidence>, StoreError> {
    Ok(EVIDENCE.scan(db, &(), None, MAX_NETWORKS)?.into_iter().map(|(_, evidence)| evidence).collect())
}

/// Whether a conflicting cosign about a block of an era would be more than what is recorded.
pub(super) fn is_news(
    db: &(impl Read + ?Sized),
    era: BaseBlock,
    cosign: &Cosign,
) -> Result<bool, StoreError> {
    let network = cosign.set.network;
    Ok(match EVIDENCE.get(db, &network)? {
        None => true,
        Some(known) if known.lifted => cosign.block > known.cosign.block,
        Some(known) => is_greater(part(db, era, network)?, part(db, known.era, network)?),
    })
}

/// A network's stake in an era, and all of it.
fn part(db: &(impl Read + ?Sized), era: BaseBlock, network: Network) -> Result<(u128, u128), StoreError> {
    let cosigners = facts::cosigners(db, era)?;
    let own = cosigners.iter().find(|cosigner| cosigner.set.network == network);
    Ok((own.map_or(0, |own| own.stake.into()), gate::total(&cosigners)))
}

fn is_greater((stake, total): (u128, u128), (former, former_total): (u128, u128)) -> bool {
    stake.saturating_mul(former_total) > former.saturating_mul(total)
}

/// Records what a network signed, and halts if those who signed otherwise have enough stake.
pub(super) fn record(step: &mut Step<'_>, fact: Fact, cosign: &Cosign) -> Result<(), StoreError> {
    let new = Evidence { cosign: cosign.clone(), ours: fact.hash, era: fact.era, lifted: false };
    EVIDENCE.put(step.txn, &cosign.set.network, &new);
    let (block, ours, theirs) = (cosign.block, fact.hash, cosign.hash);
    step.notice(Notice::of_set(cosign.set, Event::CosignConflict { block, ours, theirs }));

    let counts: Vec<_> = evidence(step.txn)?.into_iter().filter(|evidence| !evidence.lifted).collect();
    let eras: BTreeSet<BaseBlock> = counts.iter().map(|evidence| evidence.era).collect();
    for era in eras.into_iter().rev() {
        let cosigners = facts::cosigners(step.txn, era)?;
        let (conflicting, stake) = conflicting(&cosigners, &counts);
        let total = gate::total(&cosigners);
        if is_faulted(stake, total) {
            return halt::base_chain(step, halt::Reason::CosignConflict { conflicting, stake, total });
        }
    }
    Ok(())
}

/// Who of an era's cosigners signed otherwise, and their stake.
fn conflicting(cosigners: &[Cosigner], counts: &[Evidence]) -> (Vec<halt::Conflict>, u128) {
    let (mut conflicting, mut stake) = (Vec::new(), 0_u128);
    for cosigner in cosigners {
        let of_network = |evidence: &&Evidence| evidence.cosign.set.network == cosigner.set.network;
        let Some(Evidence { cosign, ours, .. }) = counts.iter().find(of_network) else { continue };
        stake = stake.saturating_add(cosigner.stake.into());
        let (set, block, ours, theirs) = (cosign.set, cosign.block, *ours, cosign.hash);
        conflicting.push(halt::Conflict { set, block, ours, theirs });
    }
    (conflicting, stake)
}

/// An operator decided to go on.
pub(crate) fn lift(txn: &mut dyn Transaction) -> Result<(), StoreError> {
    for (network, evidence) in EVIDENCE.scan(txn, &(), None, MAX_NETWORKS)? {
        EVIDENCE.put(txn, &network, &Evidence { lifted: true, ..evidence });
    }
    Ok(())
}
