//! Up to where finalized blocks are acted on (`COSIGN-5`, `COSIGN-6`).

use coordinator_base_chain::Block;
use coordinator_store::{Read, StoreError, Table};
use processor_messages::BaseBlock;

use super::{
    exchange::cosign_of,
    facts::{self, Cosigner},
    intended::Class,
    quorum::quorum,
};
use crate::{Error, Step, halt};

/// The first block of the era of the next block to handle.
const ERA: Table<(), BaseBlock> = Table::new("cosign/gate_era");

/// Whether, and why, the next block may be acted on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// Nobody can cosign as of its parent: finalized counts as cosigned.
    Bootstrap,
    /// It holds nothing that is acted on.
    Nothing,
    /// Enough stake cosigned it, or a later block of its era.
    Cosigned,
    /// Not yet.
    Held(Hold),
}

/// Why a block is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// Its facts are not known yet.
    Unseen,
    /// Too little stake cosigned it.
    Waiting {
        /// The stake that did.
        stake: u128,
        /// The stake that must.
        needed: u128,
    },
    /// Acting on blocks is halted.
    Halted,
}

pub(super) fn era(db: &(impl Read + ?Sized)) -> Result<BaseBlock, StoreError> {
    Ok(ERA.get(db, &())?.unwrap_or_default())
}

/// All stake which can cosign.
pub(super) fn total(cosigners: &[Cosigner]) -> u128 {
    cosigners.iter().map(|cosigner| u128::from(cosigner.stake)).sum()
}

/// The stake which cosigned `block`, or a later block of the era.
pub(super) fn stake_behind(
    db: &(impl Read + ?Sized),
    era: BaseBlock,
    cosigners: &[Cosigner],
    block: BaseBlock,
) -> Result<u128, StoreError> {
    let mut stake = 0_u128;
    for cosigner in cosigners {
        let cosign = cosign_of(db, era, cosigner.set.network)?;
        if cosign.is_some_and(|cosign| cosign.block >= block) {
            stake = stake.saturating_add(cosigner.stake.into());
        }
    }
    Ok(stake)
}

/// Whether the next block to handle may be acted on.
///
/// # Errors
/// [`Error::BaseChain`] if another block of its number was final before; [`Error`] of the store, also if it lost what
/// was observed of the block.
pub fn gate(db: &(impl Read + ?Sized), block: &Block) -> Result<Gate, Error> {
    let number = block.number();
    if halt::of_base_chain(db)?.is_some() {
        return Ok(Gate::Held(Hold::Halted));
    }
    if facts::next_block(db)? <= number {
        return Ok(Gate::Held(Hold::Unseen));
    }
    if facts::kept(db, number)?.hash != block.hash() {
        return Err(Error::BaseChain { block: number, what: "is another one than was final before" });
    }
    let era = era(db)?;
    let cosigners = facts::cosigners(db, era)?;
    let total = total(&cosigners);
    if total == 0 {
        return Ok(Gate::Bootstrap);
    }
    if Class::of(&block.events) == Class::Nothing {
        return Ok(Gate::Nothing);
    }
    let (stake, needed) = (stake_behind(db, era, &cosigners, number)?, quorum(total));
    Ok(if stake >= needed { Gate::Cosigned } else { Gate::Held(Hold::Waiting { stake, needed }) })
}

/// A block is handled.
pub(crate) fn passed(step: &mut Step<'_>, block: &Block) -> Result<(), StoreError> {
    if Class::of(&block.events) == Class::Notable {
        ERA.put(step.txn, &(), &block.number().next());
    }
    facts::prune_passed(step.txn, block.number())
}
