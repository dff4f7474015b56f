//! What an operator sees of cosigning. Read-only.

use coordinator_store::{Read, StoreError};
use processor_messages::{BaseBlock, Network, Session};
use serde::Serialize;

use super::{
    conflict, exchange,
    facts::{self, Cosigner},
    gate,
    quorum::quorum,
};
use crate::{base_chain, halt, session::status::HaltStatus};

/// Cosigning as seen from here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CosignStatus {
    /// `COSIGN_BOOTSTRAP`, `COSIGN_ENFORCED`, or `COSIGN_HALTED`.
    pub code: &'static str,
    /// The last block that enough stake cosigned, of the era of the next block to handle; absent if none is.
    pub cosigned: Option<BaseBlock>,
    /// The last block which is to be cosigned.
    pub intended: Option<BaseBlock>,
    /// The next block whose facts are to be kept.
    pub next_observed: BaseBlock,
    /// The stake that cosigned the next block to handle, or a later one of its era.
    pub stake: String,
    /// The stake that must; absent while nobody can.
    pub needed_stake: Option<String>,
    /// Who cosigns as of the next block to handle.
    pub networks: Vec<NetworkCosigns>,
    /// Networks which cosigned other blocks than ours.
    pub conflicts: Vec<ConflictStatus>,
    /// Why acting on blocks is halted.
    pub halted: Option<HaltStatus>,
}

/// A network which cosigns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NetworkCosigns {
    /// Its name.
    pub network: Network,
    /// The session whose key signs.
    pub session: Session,
    /// The stake behind it.
    pub stake: u64,
    /// The latest block it cosigned; absent if we know none.
    pub latest: Option<BaseBlock>,
    /// How many blocks that is behind the last which is to be cosigned.
    pub lag_blocks: u64,
}

/// A network which cosigned another block than ours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConflictStatus {
    /// Its set.
    pub set: String,
    /// Which block.
    pub block: BaseBlock,
    /// Our hash.
    pub ours: String,
    /// Its hash.
    pub theirs: String,
    /// Whether an operator lifted it.
    pub lifted: bool,
}

/// Reads the status.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn read(db: &(impl Read + ?Sized)) -> Result<CosignStatus, StoreError> {
    let era = gate::era(db)?;
    let cosigners = facts::cosigners(db, era)?;
    let (total, halted) = (gate::total(&cosigners), halt::record(db, halt::Scope::BaseChain)?);
    let next = base_chain::next_block(db)?;
    let intended = facts::state(db)?.window.last;
    let code = match &halted {
        Some(_) => "COSIGN_HALTED",
        None if total == 0 => "COSIGN_BOOTSTRAP",
        None => "COSIGN_ENFORCED",
    };
    let mut networks = Vec::new();
    for Cosigner { set, stake, .. } in &cosigners {
        let latest = exchange::latest_of(db, set.network)?.map(|cosign| cosign.block);
        let lag_blocks = intended.map_or(0, |i| i.0.saturating_sub(latest.unwrap_or_default().0));
        let (network, session) = (set.network, set.session);
        networks.push(NetworkCosigns { network, session, stake: *stake, latest, lag_blocks });
    }
    Ok(CosignStatus {
        code,
        cosigned: cosigned(db, era, &cosigners)?,
        intended,
        next_observed: facts::next_block(db)?,
        stake: gate::stake_behind(db, era, &cosigners, next)?.to_string(),
        needed_stake: (total > 0).then(|| quorum(total).to_string()),
        networks,
        conflicts: conflicts(db)?,
        halted: halted.map(HaltStatus::from),
    })
}

/// The last block of an era that enough stake cosigned.
fn cosigned(
    db: &(impl Read + ?Sized),
    era: BaseBlock,
    cosigners: &[Cosigner],
) -> Result<Option<BaseBlock>, StoreError> {
    let mut blocks = Vec::new();
    for cosigner in cosigners {
        let cosign = exchange::cosign_of(db, era, cosigner.set.network)?;
        blocks.extend(cosign.map(|cosign| (cosign.block, u128::from(cosigner.stake))));
    }
    blocks.sort_unstable_by(|a, b| b.cmp(a));
    let (needed, mut stake) = (quorum(gate::total(cosigners)), 0_u128);
    for (block, of) in blocks {
        stake = stake.saturating_add(of);
        if stake >= needed {
            return Ok(Some(block));
        }
    }
    Ok(None)
}

fn conflicts(db: &(impl Read + ?Sized)) -> Result<Vec<ConflictStatus>, StoreError> {
    let status = |evidence: conflict::Evidence| ConflictStatus {
        set: evidence.cosign.set.to_string(),
        block: evidence.cosign.block,
        ours: evidence.ours.to_string(),
        theirs: evidence.cosign.hash.to_string(),
        lifted: evidence.lifted,
    };
    Ok(conflict::evidence(db)?.into_iter().map(status).collect())
}
