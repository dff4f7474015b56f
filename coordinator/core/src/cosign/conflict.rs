//! Networks which cosigned another block than ours, and the halt which enough of them cause (`COSIGN-7`,
//! `COSIGN-8`).
//!
//! Each network counts once, with its own stake. What an operator lifted is kept, and counts again only when the
//! network signs another conflicting block after that one.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{BaseBlockHash, Network};

use super::{
    Cosign,
    facts::{self, Fact},
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

/// Whether a conflicting cosign would be more than what is recorded.
pub(super) fn is_news(db: &(impl Read + ?Sized), cosign: &Cosign) -> Result<bool, StoreError> {
    let known = EVIDENCE.get(db, &cosign.set.network)?;
    Ok(known.is_none_or(|known| known.lifted && (cosign.block > known.cosign.block)))
}

/// Records what a network signed, and halts if those who signed otherwise have enough stake.
pub(super) fn record(step: &mut Step<'_>, fact: Fact, cosign: &Cosign) -> Result<(), StoreError> {
    let evidence = Evidence { cosign: cosign.clone(), ours: fact.hash, lifted: false };
    EVIDENCE.put(step.txn, &cosign.set.network, &evidence);
    let (block, ours, theirs) = (cosign.block, fact.hash, cosign.hash);
    step.notice(Notice::of_set(cosign.set, Event::CosignConflict { block, ours, theirs }));

    let cosigners = facts::cosigners(step.txn, fact.era)?;
    let mut conflicting = Vec::new();
    let mut stake = 0_u128;
    for cosigner in &cosigners {
        let evidence = EVIDENCE.get(step.txn, &cosigner.set.network)?;
        if let Some(Evidence { cosign, ours, .. }) = evidence.filter(|evidence| !evidence.lifted) {
            stake = stake.saturating_add(cosigner.stake.into());
            conflicting.push(halt::Conflict {
                set: cosign.set,
                block: cosign.block,
                ours,
                theirs: cosign.hash,
            });
        }
    }
    let total = gate::total(&cosigners);
    if is_faulted(stake, total) {
        let reason = halt::Reason::CosignConflict { conflicting, stake, total };
        halt::base_chain(step, reason)?;
    }
    Ok(())
}

/// An operator decided to go on.
pub(crate) fn lift(txn: &mut dyn Transaction) -> Result<(), StoreError> {
    for (network, evidence) in EVIDENCE.scan(txn, &(), None, MAX_NETWORKS)? {
        EVIDENCE.put(txn, &network, &Evidence { lifted: true, ..evidence });
    }
    Ok(())
}
