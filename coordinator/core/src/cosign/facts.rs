//! What finalized blocks say: their hashes, who cosigns when, and what is to be cosigned.
//!
//! Bounds: hashes of the latest [`KEPT`] blocks are kept, those of blocks which the gate has not passed, and those of
//! blocks for whose cosign the tributary of a set of ours waits: no more of these than it has open topics. At most
//! [`MAX_AHEAD`] blocks are observed ahead of the gate; then observing waits for it. Eras and their cosigns are kept for
//! ever, for those who come new: two rows of a few hundred bytes for each rotation of a network's set.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::{Block, Event, SetDeclaration};
use coordinator_store::{Advance, Cursor, Read, StoreError, Table, Transaction};
use processor_messages::{
    BaseBlock, BaseBlockHash, BaseKey, Genesis, Network, Session, Validator, ValidatorSet,
};

use super::{
    closing,
    intended::{Class, Window},
};
use crate::{
    Error, Notice, Step, base_chain,
    notice::Event as Decision,
    session::{SetSpec, own, transaction::Provided},
};

/// How many of the latest blocks a cosign may be of, intended or not.
pub(super) const KEPT: u64 = 14_400;
/// How many blocks may be observed which are not handled yet.
pub const MAX_AHEAD: u64 = 1 << 20;
/// Sets looked at.
const MAX_SETS: usize = 1_024;

const CURSOR: Cursor<(), BaseBlock> = Cursor::new("cosign/next", BaseBlock(0));
const LAST_HASH: Table<(), BaseBlockHash> = Table::new("cosign/last_hash");
const STATE: Table<(), State> = Table::new("cosign/state");
const BLOCKS: Table<BaseBlock, Fact> = Table::new("cosign/block");
const ERAS: Table<BaseBlock, Vec<Cosigner>> = Table::new("cosign/era");
const SETS: Table<ValidatorSet, SetFacts> = Table::new("cosign/set");

/// A network's set which cosigns.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Cosigner {
    /// Which set.
    pub set: ValidatorSet,
    /// Its key.
    pub key: BaseKey,
    /// The stake behind its key shares.
    pub stake: u64,
}

/// What is known of a finalized block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(super) struct Fact {
    pub(super) hash: BaseBlockHash,
    /// The first block of its era.
    pub(super) era: BaseBlock,
}

/// After the last observed block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub(super) struct State {
    /// The first block of the era of the next block.
    pub(super) era: BaseBlock,
    pub(super) window: Window,
    /// As the latest declaration says; 0 before the first, when nobody cosigns.
    pub(super) distance: u32,
}

/// A set which is declared and neither dropped nor retired.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
struct SetFacts {
    validators: Vec<Validator>,
    stake: u64,
    key: Option<BaseKey>,
    /// Its tributary, if we are in it.
    ours: Option<Genesis>,
}

/// What became of a block which was observed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Observed {
    /// Its facts are kept.
    Done,
    /// It was observed before.
    Already,
    /// This block is due first.
    Due(BaseBlock),
    /// As many blocks as may be wait for the gate.
    Ahead,
}

/// The next block to observe.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn next_block(db: &(impl Read + ?Sized)) -> Result<BaseBlock, StoreError> {
    CURSOR.next(db, &())
}

pub(super) fn state(db: &(impl Read + ?Sized)) -> Result<State, StoreError> {
    Ok(STATE.get(db, &())?.unwrap_or_default())
}

pub(super) fn fact(db: &(impl Read + ?Sized), block: BaseBlock) -> Result<Option<Fact>, StoreError> {
    BLOCKS.get(db, &block)
}

/// What was observed of a block which the gate has not passed.
///
/// # Errors
/// [`StoreError::Corrupt`] if it is gone: without it any block of that number would pass.
pub(super) fn kept(db: &(impl Read + ?Sized), block: BaseBlock) -> Result<Fact, StoreError> {
    let lost = || StoreError::Corrupt { table: "cosign/block", reason: format!("block {block} is missing") };
    fact(db, block)?.ok_or_else(lost)
}

/// The hash of a finalized block which a set of ours may have to cosign.
pub(crate) fn hash_of(
    db: &(impl Read + ?Sized),
    block: BaseBlock,
) -> Result<Option<BaseBlockHash>, StoreError> {
    Ok(fact(db, block)?.map(|fact| fact.hash))
}

/// Who cosigns in the era which begins with a block.
pub(super) fn cosigners(db: &(impl Read + ?Sized), era: BaseBlock) -> Result<Vec<Cosigner>, StoreError> {
    Ok(ERAS.get(db, &era)?.unwrap_or_default())
}

/// The first blocks of the eras from that of `block` on, at most `limit`.
pub(super) fn eras_from(
    db: &(impl Read + ?Sized),
    block: BaseBlock,
    limit: usize,
) -> Result<Vec<BaseBlock>, StoreError> {
    const AT_ONCE: usize = 256;
    let mut first = BaseBlock(0);
    if let Some(fact) = fact(db, block)? {
        first = fact.era;
    } else {
        // Eras are few, and who asks for old ones is new.
        let mut from = Some(BaseBlock(0));
        while let Some(at) = from.take() {
            let eras = ERAS.scan(db, &(), Some(&at), AT_ONCE)?;
            let before = eras.iter().map(|(era, _)| *era).take_while(|era| *era <= block);
            first = before.last().unwrap_or(first);
            let last = eras.last().filter(|_| eras.len() == AT_ONCE).map(|(era, _)| *era);
            from = last.filter(|last| *last <= block).map(BaseBlock::next);
        }
    }
    Ok(ERAS.scan(db, &(), Some(&first), limit)?.into_iter().map(|(era, _)| era).collect())
}

/// The validators of all sets which are neither dropped nor retired, as of the last observed block.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn live_validators(db: &(impl Read + ?Sized)) -> Result<BTreeSet<Validator>, StoreError> {
    let sets = SETS.scan(db, &(), None, MAX_SETS)?;
    Ok(sets.into_iter().flat_map(|(_, facts)| facts.validators).collect())
}

/// Observes a finalized block, if it is the next one: keeps its facts, and asks the tributaries of our cosigning
/// sets for a cosign if the block is intended (`COSIGN-1` to `COSIGN-3`).
///
/// # Errors
/// [`Error::BaseChain`] if the block contradicts itself, our chain, or a block before it; [`Error`] of the store.
/// Nothing of the step may be kept then.
pub fn observe(step: &mut Step<'_>, block: &Block) -> Result<Observed, Error> {
    if block.number().0 >= base_chain::next_block(step.txn)?.0.saturating_add(MAX_AHEAD) {
        return Ok(Observed::Ahead);
    }
    let Step { txn, me, randomness, now_unix_secs, notices, .. } = step;
    let advance = CURSOR.advance(*txn, &(), (block.number(), block), |txn, block| {
        let mut inner = Step::new(txn, me, *randomness).at(*now_unix_secs);
        observe_next(&mut inner, block)?;
        notices.append(&mut inner.notices);
        Ok::<_, Error>(())
    })?;
    Ok(match advance {
        Advance::Done(()) => Observed::Done,
        Advance::Already => Observed::Already,
        Advance::Gap(due) => Observed::Due(due),
    })
}

fn observe_next(step: &mut Step<'_>, block: &Block) -> Result<(), Error> {
    base_chain::check(step, block, LAST_HASH.get(step.txn, &())?)?;
    let (number, hash, class) = (block.number(), block.hash(), Class::of(&block.events));
    let mut state = state(step.txn)?;
    let mut cosigners = cosigners(step.txn, state.era)?;
    let intended = state.window.admit(number, class, state.distance);
    BLOCKS.put(step.txn, &number, &Fact { hash, era: state.era });
    if intended {
        request(step, (number, hash), state.era, &cosigners)?;
    }
    for event in &block.events {
        apply(step, block, event, (&mut state, &mut cosigners))?;
    }
    if class == Class::Notable {
        state.era = number.next();
        ERAS.put(step.txn, &state.era, &cosigners);
    }
    STATE.put(step.txn, &(), &state);
    LAST_HASH.put(step.txn, &(), &hash);
    prune(step, BaseBlock(number.0.saturating_sub(KEPT)))
}

/// Asks each cosigning set that we are in for its cosign (`COSIGN-3`).
fn request(
    step: &mut Step<'_>,
    (block, hash): (BaseBlock, BaseBlockHash),
    era: BaseBlock,
    cosigners: &[Cosigner],
) -> Result<(), Error> {
    for Cosigner { set, .. } in cosigners {
        let ours = SETS.get(step.txn, set)?.and_then(|facts| facts.ours);
        if let Some(genesis) = ours {
            own::provide(step, genesis, &Provided::Cosign { block, hash })?;
            closing::expect(step, *set, (block, era), genesis)?;
            step.notice(Notice::of_set(*set, Decision::CosignIntended { block }));
        }
    }
    Ok(())
}

fn apply(
    step: &mut Step<'_>,
    block: &Block,
    event: &Event,
    (state, cosigners): (&mut State, &mut Vec<Cosigner>),
) -> Result<(), Error> {
    match event {
        Event::SetDeclared(declaration) => {
            state.distance = declaration.cosign.distance_blocks.max(1);
            SETS.put(step.txn, &declaration.set, &set_facts(step, block, declaration));
        }
        Event::SetDropped { set } | Event::SetRetired { set, .. } => SETS.delete(step.txn, set),
        Event::KeysSet { set, key_pair, .. } => {
            let facts = SETS.get(step.txn, set)?;
            let mut facts =
                facts.ok_or_else(|| wrong(block, "sets keys of a set which does not wait for any"))?;
            facts.key = Some(key_pair.base);
            SETS.put(step.txn, set, &facts);
            if !cosigners.iter().any(|cosigner| cosigner.set.network == set.network) {
                take_charge(step, block, *set, cosigners)?;
            }
        }
        Event::HandoverAccepted { retiring, accepted_by, .. } => {
            let set = accepting(retiring.network, *accepted_by);
            take_charge(step, block, set, cosigners)?;
        }
        Event::SetNotDeclared { .. }
        | Event::BatchExecuted { .. }
        | Event::Burn { .. }
        | Event::SlashesReported { .. }
        | Event::AddressesChanged { .. }
        | Event::StakeChanged { .. } => {}
    }
    Ok(())
}

fn accepting(network: Network, session: Session) -> ValidatorSet {
    ValidatorSet { network, session }
}

fn wrong(block: &Block, what: &'static str) -> Error {
    Error::BaseChain { block: block.number(), what }
}

fn set_facts(step: &Step<'_>, block: &Block, declaration: &SetDeclaration) -> SetFacts {
    let shares = u64::from(declaration.total_shares().0);
    let ours = declaration
        .contains(step.me.validator())
        .then(|| SetSpec::new(step.me.chain, block.number(), block.hash(), declaration))
        .flatten();
    SetFacts {
        validators: declaration.validators(),
        stake: shares.saturating_mul(declaration.cosign.stake_per_share.0),
        key: None,
        ours: ours.map(|spec| spec.genesis),
    }
}

/// A set cosigns for its network from the next block on.
fn take_charge(
    step: &Step<'_>,
    block: &Block,
    set: ValidatorSet,
    cosigners: &mut Vec<Cosigner>,
) -> Result<(), Error> {
    let facts = SETS.get(step.txn, &set)?;
    let found = facts.and_then(|facts| facts.key.map(|key| Cosigner { set, key, stake: facts.stake }));
    let cosigner = found.ok_or_else(|| wrong(block, "puts a set without keys in charge"))?;
    cosigners.retain(|former| former.set.network != set.network);
    cosigners.push(cosigner);
    Ok(())
}

/// Forgets a block as old as this, unless the gate or a tributary of ours may still need it.
fn prune(step: &mut Step<'_>, old: BaseBlock) -> Result<(), Error> {
    let needed = old >= base_chain::next_block(step.txn)?;
    if (old > BaseBlock(0)) && !needed {
        forget(step.txn, old)?;
    }
    Ok(())
}

/// The gate passed a block: what [`prune`] left of it for the gate goes.
pub(super) fn prune_passed(txn: &mut dyn Transaction, block: BaseBlock) -> Result<(), StoreError> {
    if is_old(txn, block)? { forget(txn, block) } else { Ok(()) }
}

/// A tributary waits no more for a block's cosign: what [`prune`] left of it for that goes.
pub(super) fn prune_closed(txn: &mut dyn Transaction, block: BaseBlock) -> Result<(), StoreError> {
    let passed = block < base_chain::next_block(txn)?;
    if passed && is_old(txn, block)? { forget(txn, block) } else { Ok(()) }
}

fn is_old(db: &(impl Read + ?Sized), block: BaseBlock) -> Result<bool, StoreError> {
    Ok(block.0.saturating_add(KEPT) < next_block(db)?.0)
}

fn forget(txn: &mut dyn Transaction, block: BaseBlock) -> Result<(), StoreError> {
    let Some(fact) = fact(txn, block)? else { return Ok(()) };
    for cosigner in cosigners(txn, fact.era)? {
        if closing::is_open(txn, cosigner.set, block)? {
            return Ok(());
        }
    }
    BLOCKS.delete(txn, &block);
    Ok(())
}
