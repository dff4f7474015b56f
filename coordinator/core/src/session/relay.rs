//! Hands the ordered participations to our processor: one message for every block of the tributary.
//!
//! ```text
//! block b -> Block { b, participations } -> processor        also when there are none: the processor
//!                                                            closes its collection by the block's number
//! until the keys are on the base chain and our processor is done
//! Resend(incarnation) -> GenerateKey, Block 1..=b again
//! ```
//!
//! What is owed is a number, not messages: while our processor takes none, or has lost its disk, the outbox
//! stays bounded, each step hands over some, and neither the tributary nor the base chain waits (`COORD-10`).
//!
//! Participations are opaque bytes here; whether they are valid is the processors' to say. Those of a set
//! are kept while the set lives: a processor which lost its disk recovers its shares from them.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{
    Genesis, Incarnation, List, ToProcessor, TributaryBlock, Validator,
    key_gen::{self, ParticipationBytes},
};

use super::{
    MemberIndex, Replicated, Session, SetSpec, signing,
    slash::{self, Cause},
};
use crate::{Error, Notice, Step, notice::Event, outbox};

/// In which block, and how many bytes.
const PARTICIPATED: Replicated<(Genesis, MemberIndex), (TributaryBlock, u32)> =
    Replicated::new("session/participated");
/// By block and place among those of the block: each is one row, so that each is written once.
const PARTICIPATIONS: Table<(Genesis, TributaryBlock, u16), (Validator, ParticipationBytes)> =
    Table::new("relay/participations");
const RELAYS: Table<Genesis, Relay> = Table::new("relay/state");

/// The participations of one block, in order.
pub type Ordered = Vec<(Validator, ParticipationBytes)>;

/// How far the relay to our processor is. Local.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
struct Relay {
    incarnation: Incarnation,
    /// The last block which is to be handed over.
    through: TributaryBlock,
    /// What is handed over next: 0 is `GenerateKey`, any other the block of this number.
    next: TributaryBlock,
    /// The keys are on the base chain.
    keys_set: bool,
    /// Our processor has generated the key pair, or says that it cannot.
    processor_done: bool,
}

impl Relay {
    /// Nobody needs further participations.
    fn is_over(&self) -> bool {
        self.keys_set && self.processor_done
    }
}

fn relay(db: &(impl Read + ?Sized), genesis: Genesis) -> Result<Relay, StoreError> {
    Ok(RELAYS.get(db, &genesis)?.unwrap_or_default())
}

/// Who has taken part, by place in the set.
pub(super) fn participated(
    db: &(impl Read + ?Sized),
    spec: &SetSpec,
) -> Result<Vec<MemberIndex>, StoreError> {
    let rows = PARTICIPATED.scan(db, &spec.genesis, spec.count())?;
    Ok(rows.into_iter().map(|((_, index), _)| index).collect())
}

/// The encoded size of every ordered participation, in bytes.
pub(super) fn sizes(db: &(impl Read + ?Sized), spec: &SetSpec) -> Result<Vec<(Validator, u32)>, StoreError> {
    let rows = PARTICIPATED.scan(db, &spec.genesis, spec.count())?;
    let size = |((_, index), (_, bytes))| spec.validator(index).map(|validator| (validator, bytes));
    Ok(rows.into_iter().filter_map(size).collect())
}

/// Asks our processor to take part in the key generation.
pub(crate) fn start(step: &mut Step<'_>, spec: &SetSpec) -> Result<(), Error> {
    deliver(step, spec)
}

fn generate_key(spec: &SetSpec, incarnation: Incarnation) -> Result<key_gen::ToProcessor, Error> {
    let members = List::new(spec.dkg_members()).map_err(|e| Error::broken(spec.set(), e.to_string()))?;
    Ok(key_gen::ToProcessor::GenerateKey {
        session: spec.set().session,
        incarnation,
        chain: spec.tributary.chain,
        threshold: spec.t(),
        grace: spec.parameters.grace_blocks,
        members,
    })
}

/// Counts a participation, and keeps it while anybody may need it, if it is the first of its author. A second one has no slot
/// of its own, so it cannot have been ordered: it is a fault.
pub(super) fn participation(
    session: &mut Session<'_, '_>,
    who: MemberIndex,
    participation: ParticipationBytes,
) -> Result<(), Error> {
    let key = (session.genesis(), who);
    if PARTICIPATED.get(session.step.txn, &key)?.is_some() {
        return slash::slash(session, who, Cause::Duplicate);
    }
    let block = session.block;
    let place = place(session.step.txn, session.spec, block)?;
    let bytes = u32::try_from(participation.len()).unwrap_or(u32::MAX);
    PARTICIPATED.put(session, &key, &(block, bytes));
    let is_needed = !relay(session.step.txn, session.genesis())?.is_over();
    if let Some(validator) = session.spec.validator(who).filter(|_| is_needed) {
        let row = (session.genesis(), block, place);
        PARTICIPATIONS.put(session.step.txn, &row, &(validator, participation));
    }
    let weight = session.spec.weight_of(participated(session.step.txn, session.spec)?);
    let needed = session.spec.t().0;
    if let Some(validator) = session.spec.validator(who) {
        session.notice(Event::Participation { validator, weight, needed });
    }
    Ok(())
}

/// How many participations of a block were counted.
fn place(db: &(impl Read + ?Sized), spec: &SetSpec, block: TributaryBlock) -> Result<u16, StoreError> {
    let rows = PARTICIPATED.scan(db, &spec.genesis, spec.count())?;
    let count = rows.iter().filter(|(_, (of, _))| *of == block).count();
    // A set has at most as many members.
    Ok(u16::try_from(count).unwrap_or(u16::MAX))
}

/// The participations of one block which are kept, in order.
fn of_block(db: &(impl Read + ?Sized), spec: &SetSpec, block: TributaryBlock) -> Result<Ordered, StoreError> {
    let rows = PARTICIPATIONS.scan(db, &(spec.genesis, block), None, spec.count())?;
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Ends a block: hands its participations over while anybody may need them (`COORD-4`).
pub(super) fn end_block(session: &mut Session<'_, '_>) -> Result<(), Error> {
    let genesis = session.genesis();
    let mut relay = relay(session.step.txn, genesis)?;
    if relay.is_over() {
        return Ok(());
    }
    relay.through = session.block;
    RELAYS.put(session.step.txn, &genesis, &relay);
    deliver(session.step, session.spec)
}

/// Whether anything is to be handed over.
pub(crate) fn owes(db: &(impl Read + ?Sized), spec: &SetSpec) -> Result<bool, StoreError> {
    let relay = relay(db, spec.genesis)?;
    Ok(relay.next <= relay.through)
}

/// Hands over what is owed, while there is room.
pub(crate) fn deliver(step: &mut Step<'_>, spec: &SetSpec) -> Result<(), Error> {
    let network = spec.set().network;
    let mut relay = relay(step.txn, spec.genesis)?;
    let mut room = outbox::Room::default();
    while relay.next <= relay.through {
        let message = ToProcessor::KeyGen(message(step.txn, spec, relay)?);
        if !room.send(step, network, Incarnation(0), &message)? {
            break;
        }
        relay.next = relay.next.next();
    }
    RELAYS.put(step.txn, &spec.genesis, &relay);
    Ok(())
}

/// What is handed over next.
fn message(
    db: &(impl Read + ?Sized),
    spec: &SetSpec,
    Relay { incarnation, next: block, .. }: Relay,
) -> Result<key_gen::ToProcessor, Error> {
    if block == TributaryBlock(0) {
        return generate_key(spec, incarnation);
    }
    let participations =
        List::new(of_block(db, spec, block)?).map_err(|e| Error::broken(spec.set(), e.to_string()))?;
    let session = spec.set().session;
    Ok(key_gen::ToProcessor::Block { session, incarnation, block, participations })
}

/// The keys of the set are on the base chain.
pub(crate) fn keys_set(step: &mut Step<'_>, spec: &SetSpec) -> Result<(), StoreError> {
    let relay = Relay { keys_set: true, ..relay(step.txn, spec.genesis)? };
    RELAYS.put(step.txn, &spec.genesis, &relay);
    Ok(())
}

/// Our processor needs no further participations.
pub(crate) fn processor_done(step: &mut Step<'_>, spec: &SetSpec) -> Result<(), StoreError> {
    let relay = Relay { processor_done: true, ..relay(step.txn, spec.genesis)? };
    RELAYS.put(step.txn, &spec.genesis, &relay);
    Ok(())
}

/// Sends everything of the key generation again; false if this life of the processor's disk was served.
pub(crate) fn resend(step: &mut Step<'_>, spec: &SetSpec, incarnation: Incarnation) -> Result<bool, Error> {
    let mut relay = relay(step.txn, spec.genesis)?;
    if incarnation <= relay.incarnation {
        return Ok(false);
    }
    relay.incarnation = incarnation;
    relay.next = TributaryBlock(0);
    RELAYS.put(step.txn, &spec.genesis, &relay);
    let messages = relay.through.0.saturating_add(1);
    step.notice(Notice::of_set(spec.set(), Event::Resending { messages }));
    deliver(step, spec)?;
    signing::ask_again(step, spec, incarnation)?;
    Ok(true)
}

/// The ordered participations from a block on, of at most `limit` blocks.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn participations(
    db: &(impl Read + ?Sized),
    spec: &SetSpec,
    mut from: TributaryBlock,
    limit: usize,
) -> Result<Vec<(TributaryBlock, Ordered)>, StoreError> {
    let mut blocks = Vec::new();
    while blocks.len() < limit {
        let next = PARTICIPATIONS.scan(db, &spec.genesis, Some(&(spec.genesis, from, 0)), 1)?;
        let Some(((_, block, _), _)) = next.first() else { break };
        blocks.push((*block, of_block(db, spec, *block)?));
        from = block.next();
    }
    Ok(blocks)
}

/// Forgets everything of an ended set; true when nothing is left. Participations are long: fewer at a time.
pub(super) fn prune(txn: &mut dyn Transaction, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    const MAX_LONG: usize = 64;
    let mut done = PARTICIPATED.prune(txn, &genesis, limit)?;
    done &= PARTICIPATIONS.clear(txn, &genesis, MAX_LONG)? < MAX_LONG;
    RELAYS.delete(txn, &genesis);
    Ok(done)
}
