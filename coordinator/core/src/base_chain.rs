//! What the base chain's finalized blocks mean.
//!
//! ```text
//! block = next -> SetDeclared      we are in it: open its tributary, GenerateKey
//!                 KeysSet          feed, tributary, end of the confirmation
//!                 BatchExecuted    verified against what our processor made, feed, tributary
//!                 Burn             feed
//!                 HandoverAccepted the retiring set's tributary: points end, report begins
//!                 SetDropped, SetRetired   the tributary ends, archive and pruning follow
//! ```
//!
//! Exactly once: the cursor over block numbers moves in the same step as the effects (`COORD-1`).

use coordinator_base_chain::{Block, Event as ChainEvent, SetDeclaration};
use coordinator_store::{Advance, Cursor, Read, StoreError, Table};
use processor_messages::{
    BaseBlock, BaseBlockHash, Burn, KeyPair, KeyShares, List, MAX_KEY_SHARES, Network, SlashReport,
    ToProcessor, ValidatorSet,
    base_chain::{self, ExecutedBatch},
};

use crate::{
    Error, Notice, Step, batch, cosign, feed, halt,
    notice::Event,
    outbox,
    session::{
        self, Life, SETS, SetRecord, SetSpec, confirmation, own, relay, report, retire, transaction::Provided,
    },
};

const CURSOR: Cursor<(), BaseBlock> = Cursor::new("base_chain/next", BaseBlock(0));
const LAST_HASH: Table<(), BaseBlockHash> = Table::new("base_chain/last_hash");
/// Of the last handled block, in milliseconds since the Unix epoch. Shown, never acted on.
const LAST_TIME: Table<(), u64> = Table::new("base_chain/last_time");
const KEYS: Table<ValidatorSet, KeyPair> = Table::new("base_chain/keys");

/// The next block to handle.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn next_block(db: &(impl Read + ?Sized)) -> Result<BaseBlock, StoreError> {
    CURSOR.next(db, &())
}

/// The time of the last handled block, in milliseconds since the Unix epoch; 0 before the first.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn last_time_unix_ms(db: &(impl Read + ?Sized)) -> Result<u64, StoreError> {
    Ok(LAST_TIME.get(db, &())?.unwrap_or(0))
}

/// The keys of a set, once the base chain has them.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn keys(db: &(impl Read + ?Sized), set: ValidatorSet) -> Result<Option<KeyPair>, StoreError> {
    KEYS.get(db, &set)
}

/// What became of a block which was offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handled {
    /// It was handled.
    Done,
    /// It was handled before.
    Already,
    /// This block is due first.
    Due(BaseBlock),
    /// It is the next one, and the cosign gate does not let it pass yet.
    Held(cosign::Hold),
}

/// Handles a finalized block, if it is the next one and the cosign gate lets it pass (`COSIGN-5`).
///
/// # Errors
/// [`Error::BaseChain`] if the block contradicts itself, our chain, or the block before it; [`Error`] of the
/// store. Nothing of the step may be kept then.
pub fn follow(step: &mut Step<'_>, block: &Block) -> Result<Handled, Error> {
    if (next_block(step.txn)? == block.number())
        && let cosign::Gate::Held(hold) = cosign::gate(step.txn, block)?
    {
        return Ok(Handled::Held(hold));
    }
    apply(step, block)
}

/// As [`follow`], of a block which may be acted on.
pub(crate) fn apply(step: &mut Step<'_>, block: &Block) -> Result<Handled, Error> {
    let Step { txn, me, randomness, now_unix_secs, notices, .. } = step;
    let advance = CURSOR.advance(*txn, &(), (block.number(), block), |txn, block| {
        let mut inner = Step::new(txn, me, *randomness).at(*now_unix_secs);
        apply_next(&mut inner, block)?;
        notices.append(&mut inner.notices);
        Ok::<_, Error>(())
    })?;
    Ok(match advance {
        Advance::Done(()) => Handled::Done,
        Advance::Already => Handled::Already,
        Advance::Gap(due) => Handled::Due(due),
    })
}

/// Whether a block is of our chain, holds what its header commits to, and follows the `former` one.
pub(crate) fn check(step: &Step<'_>, block: &Block, former: Option<BaseBlockHash>) -> Result<(), Error> {
    let wrong = |what| Error::BaseChain { block: block.number(), what };
    if mutated!(SkipChainCheck) {
        return Ok(());
    }
    if block.header.chain != step.me.chain {
        return Err(wrong("is of another chain"));
    }
    if !block.is_consistent() {
        return Err(wrong("holds events which its header does not commit to"));
    }
    // Block 0 follows none.
    if former.unwrap_or_default() != block.header.parent {
        return Err(wrong("does not follow the block before it"));
    }
    Ok(())
}

fn apply_next(step: &mut Step<'_>, block: &Block) -> Result<(), Error> {
    check(step, block, LAST_HASH.get(step.txn, &())?)?;
    let mut activity: Vec<(Network, Activity)> = Vec::new();
    for event in &block.events {
        apply_event(step, block, event)?;
        gather(&mut activity, event);
    }
    for (network, Activity { batch, burns }) in activity {
        feed_block(step, block.number(), network, batch, burns)?;
    }
    LAST_HASH.put(step.txn, &(), &block.hash());
    LAST_TIME.put(step.txn, &(), &block.header.time_unix_ms);
    cosign::passed(step, block)?;
    let mut networks: Vec<Network> = block.events.iter().filter_map(ChainEvent::network).collect();
    networks.sort_unstable();
    networks.dedup();
    networks.into_iter().try_for_each(|network| batch::move_on(step, network))
}

/// What of a block concerns one network's payments.
#[derive(Default)]
struct Activity {
    batch: Option<ExecutedBatch>,
    burns: Vec<Burn>,
}

fn gather(activity: &mut Vec<(Network, Activity)>, event: &ChainEvent) {
    let network = match event {
        ChainEvent::BatchExecuted { network, .. } | ChainEvent::Burn { network, .. } => *network,
        _ => return,
    };
    if !activity.iter().any(|(known, _)| *known == network) {
        activity.push((network, Activity::default()));
    }
    let Some((_, entry)) = activity.iter_mut().find(|(known, _)| *known == network) else { return };
    match event {
        ChainEvent::BatchExecuted { batch, .. } => entry.batch = Some(batch.clone()),
        ChainEvent::Burn { burn, .. } => entry.burns.push(burn.clone()),
        _ => {}
    }
}

fn apply_event(step: &mut Step<'_>, block: &Block, event: &ChainEvent) -> Result<(), Error> {
    match event {
        ChainEvent::SetDeclared(declaration) => declared(step, block, declaration),
        ChainEvent::SetDropped { set } => ended(step, block, *set, (Life::Dropped, false)),
        ChainEvent::HandoverAccepted { retiring, slash_report_deadline, .. } => {
            retiring_set(step, block, *retiring, *slash_report_deadline)
        }
        ChainEvent::SlashesReported { set, report } => reported(step, *set, report),
        ChainEvent::SetRetired { set, reported } => {
            ended(step, block, *set, (Life::Retired, *reported))?;
            let message = base_chain::ToProcessor::SlashesReported { session: set.session };
            Ok(feed::append(step.txn, set.network, &ToProcessor::BaseChain(message), None)?)
        }
        ChainEvent::KeysSet { set, key_pair, .. } => keys_set(step, block, *set, key_pair),
        ChainEvent::BatchExecuted { network, batch } => batch::executed(step, *network, batch),
        // Burns are gathered for the feed; the others concern validators to come, and peers.
        ChainEvent::Burn { .. }
        | ChainEvent::SetNotDeclared { .. }
        | ChainEvent::AddressesChanged { .. }
        | ChainEvent::StakeChanged { .. } => Ok(()),
    }
}

/// A set is declared: if we are in it, its tributary opens and our processor begins (`COORD-2`).
fn declared(step: &mut Step<'_>, block: &Block, declaration: &SetDeclaration) -> Result<(), Error> {
    let set = declaration.set;
    if !declaration.contains(step.me.validator()) {
        step.notice(Notice::of_set(set, Event::SetNotOurs));
        return Ok(());
    }
    let spec = SetSpec::new(step.me.chain, block.number(), block.hash(), declaration);
    let reason = match &spec {
        None => Some("more validators than a set may have".to_owned()),
        Some(spec) if spec.parameters.problem().is_some() => spec.parameters.problem().map(str::to_owned),
        Some(spec) if spec.n() > KeyShares(MAX_KEY_SHARES) => {
            Some("more key shares than a set may have".to_owned())
        }
        Some(spec) => spec.tributary.members().err().map(|e| e.to_string()),
    };
    let (Some(spec), None) = (spec, &reason) else {
        let reason = reason.unwrap_or_default();
        step.notice(Notice::of_set(set, Event::SetUnusable { reason }));
        return Ok(());
    };
    let (members, key_shares, threshold) = (spec.count(), spec.n().0, spec.t().0);
    step.notice(Notice::of_set(set, Event::SetOpened { members, key_shares, threshold }));
    relay::start(step, &spec)?;
    let declared_unix_ms = block.header.time_unix_ms;
    SETS.put(step.txn, &set, &SetRecord { spec, declared_unix_ms, life: Life::Active });
    Ok(())
}

/// The next set took over. Members of the retiring one, and they alone, derive it (`SIGN-16`).
fn retiring_set(
    step: &mut Step<'_>,
    block: &Block,
    set: ValidatorSet,
    deadline: BaseBlock,
) -> Result<(), Error> {
    let Some(record) = session::get(step.txn, set)?.filter(|r| r.life == Life::Active) else { return Ok(()) };
    retire::due(step.txn, set, deadline)?;
    step.notice(Notice::of_set(set, Event::Retiring { deadline }));
    own::provide(step, record.spec.genesis, &Provided::HandedOver { block: block.number() })?;
    Ok(())
}

/// The base chain applied a slash report; it is the one which we agreed on.
fn reported(step: &mut Step<'_>, set: ValidatorSet, applied: &SlashReport) -> Result<(), Error> {
    let Some(record) = session::get(step.txn, set)? else { return Ok(()) };
    let ours = report::reporting(step.txn, record.spec.genesis)?.and_then(|reporting| reporting.fixed);
    if ours.is_some_and(|(_, ours)| ours != *applied) {
        step.notice(Notice::of_set(set, Event::SlashReportDiffers));
    }
    Ok(retire::applied(step.txn, set, applied)?)
}

/// A set's tributary ends. A set which we are not in has none.
fn ended(
    step: &mut Step<'_>,
    block: &Block,
    set: ValidatorSet,
    (life, reported): (Life, bool),
) -> Result<(), Error> {
    outbox::remove_set_keys(step.txn, set);
    outbox::remove_slash_report(step.txn, set);
    cosign::ended(step.txn, set)?;
    let Some(record) = session::get(step.txn, set)? else { return Ok(()) };
    SETS.put(step.txn, &set, &SetRecord { life, ..record });
    retire::ended(step.txn, set, retire::Ended { block: block.number(), reported })?;
    let event = if life == Life::Dropped { Event::SetDropped } else { Event::SetRetired };
    step.notice(Notice::of_set(set, event));
    Ok(())
}

/// A set's keys are on the chain: every processor of the network learns of them, member or not (`COORD-3`).
fn keys_set(step: &mut Step<'_>, block: &Block, set: ValidatorSet, key_pair: &KeyPair) -> Result<(), Error> {
    KEYS.put(step.txn, &set, key_pair);
    outbox::remove_set_keys(step.txn, set);
    let time_unix_secs = block.header.time_unix_ms / 1000;
    let (session, key_pair) = (set.session, key_pair.clone());
    let message = base_chain::ToProcessor::SetKeys { time_unix_secs, session, key_pair };
    feed::append(step.txn, set.network, &ToProcessor::BaseChain(message), None)?;
    let record = session::get(step.txn, set)?;
    step.notice(Notice::of_set(set, Event::KeysSet { ours: record.is_some() }));
    if let Some(record) = record.filter(|record| record.life == Life::Active) {
        own::provide(step, record.spec.genesis, &Provided::KeysSet)?;
        relay::keys_set(step, &record.spec)?;
        compare_keys(step, set)?;
    }
    Ok(())
}

/// The key pair on the chain is the one our processor generated, as soon as both are known (`CONF-9`).
pub(crate) fn compare_keys(step: &mut Step<'_>, set: ValidatorSet) -> Result<(), StoreError> {
    let (Some(chain), Some(ours)) = (keys(step.txn, set)?, confirmation::own_key_pair(step.txn, set)?) else {
        return Ok(());
    };
    if chain != ours {
        let (ours, chain) = (confirmation::hash_of(&ours), confirmation::hash_of(&chain));
        halt::session(step, set, halt::Reason::KeyPairMismatch { ours, chain })?;
    }
    Ok(())
}

fn feed_block(
    step: &mut Step<'_>,
    number: BaseBlock,
    network: Network,
    batch: Option<ExecutedBatch>,
    burns: Vec<Burn>,
) -> Result<(), Error> {
    let after = batch.as_ref().map(|b| b.id);
    let wrong = |_| Error::BaseChain { block: number, what: "holds more burns than a block may" };
    let batches = List::new(batch.into_iter().collect()).map_err(wrong)?;
    let burnt = burns.len();
    let burns = List::new(burns).map_err(wrong)?;
    let message = base_chain::ToProcessor::Block { number, batches, burns };
    feed::append(step.txn, network, &ToProcessor::BaseChain(message), after)?;
    if burnt > 0 {
        let event = Event::BurnsRelayed { block: number, burns: burnt };
        step.notice(Notice::of_network(network, event));
    }
    Ok(())
}
