//! Hands the ordered participations to our processor: one message for every block of the tributary.
//!
//! ```text
//! block b -> Block { b, participations } -> processor        also when there are none: the processor
//!                                                            closes its collection by the block's number
//! until the keys are on the base chain and our processor is done
//! Resend(incarnation) -> GenerateKey, Block 1..=b again
//! ```
//!
//! Participations are opaque bytes here; whether they are valid is the processors' to say. Those of a set
//! are kept while the set lives: a processor which lost its disk recovers its shares from them.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table};
use processor_messages::{
    Genesis, Incarnation, List, ToProcessor, TributaryBlock, Validator,
    key_gen::{self, ParticipationBytes},
};

use super::{
    MemberIndex, Replicated, Session, SetSpec,
    slash::{self, Cause},
};
use crate::{Error, Notice, Step, notice::Event, outbox};

const PARTICIPATED: Replicated<(Genesis, MemberIndex), TributaryBlock> =
    Replicated::new("session/participated");
const PARTICIPATIONS: Table<(Genesis, TributaryBlock), Ordered> = Table::new("relay/participations");
const RELAYS: Table<Genesis, Relay> = Table::new("relay/state");

type Ordered = Vec<(Validator, ParticipationBytes)>;

/// How far the relay to our processor is. Local.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
struct Relay {
    incarnation: Incarnation,
    /// The last block handed over.
    through: TributaryBlock,
    /// The keys are on the base chain.
    keys_set: bool,
    /// Our processor has generated the key pair, or says that it cannot.
    processor_done: bool,
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
pub(super) fn sizes(
    db: &(impl Read + ?Sized),
    spec: &SetSpec,
) -> Result<Vec<(Validator, usize)>, StoreError> {
    let rows = PARTICIPATED.scan(db, &spec.genesis, spec.count())?;
    let mut blocks: Vec<TributaryBlock> = rows.into_iter().map(|(_, block)| block).collect();
    blocks.sort_unstable();
    blocks.dedup();
    let mut sizes = Vec::new();
    for block in blocks {
        let ordered = PARTICIPATIONS.get(db, &(spec.genesis, block))?.unwrap_or_default();
        sizes.extend(ordered.iter().map(|(validator, bytes)| (*validator, bytes.len())));
    }
    Ok(sizes)
}

/// Asks our processor to take part in the key generation.
pub(crate) fn start(step: &mut Step<'_>, spec: &SetSpec, incarnation: Incarnation) -> Result<(), Error> {
    let members = List::new(spec.dkg_members()).map_err(|e| Error::broken(spec.set(), e.to_string()))?;
    let message = key_gen::ToProcessor::GenerateKey {
        session: spec.set().session,
        incarnation,
        chain: spec.tributary.chain,
        threshold: spec.t(),
        grace: spec.parameters.grace_blocks,
        members,
    };
    outbox::to_processor(step, spec.set().network, &ToProcessor::KeyGen(message))
}

/// Counts a participation; true if it is the first of its author. A second one has no slot of its own, so
/// it cannot have been ordered: it is a fault.
pub(super) fn participation(session: &mut Session<'_, '_>, who: MemberIndex) -> Result<bool, Error> {
    let key = (session.genesis(), who);
    if PARTICIPATED.get(session.step.txn, &key)?.is_some() {
        slash::slash(session, who, Cause::Duplicate)?;
        return Ok(false);
    }
    let block = session.block;
    PARTICIPATED.put(session, &key, &block);
    let weight = session.spec.weight_of(participated(session.step.txn, session.spec)?);
    let needed = session.spec.t().0;
    if let Some(validator) = session.spec.validator(who) {
        session.notice(Event::Participation { validator, weight, needed });
    }
    Ok(true)
}

/// Ends a block: hands its participations over while anybody may need them (`COORD-4`).
pub(super) fn end_block(session: &mut Session<'_, '_>, participations: Ordered) -> Result<(), Error> {
    let genesis = session.genesis();
    let mut relay = relay(session.step.txn, genesis)?;
    if relay.keys_set && relay.processor_done {
        return Ok(());
    }
    relay.through = session.block;
    RELAYS.put(session.step.txn, &genesis, &relay);
    if !participations.is_empty() {
        PARTICIPATIONS.put(session.step.txn, &(genesis, session.block), &participations);
    }
    hand_over(session.step, session.spec, (relay.incarnation, session.block), participations)
}

fn hand_over(
    step: &mut Step<'_>,
    spec: &SetSpec,
    (incarnation, block): (Incarnation, TributaryBlock),
    participations: Ordered,
) -> Result<(), Error> {
    let participations = List::new(participations).map_err(|e| Error::broken(spec.set(), e.to_string()))?;
    let session = spec.set().session;
    let message = key_gen::ToProcessor::Block { session, incarnation, block, participations };
    outbox::to_processor(step, spec.set().network, &ToProcessor::KeyGen(message))
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
    RELAYS.put(step.txn, &spec.genesis, &relay);
    start(step, spec, incarnation)?;
    let mut messages = 1_usize;
    for block in 1..=relay.through.0 {
        let block = TributaryBlock(block);
        let participations = PARTICIPATIONS.get(step.txn, &(spec.genesis, block))?.unwrap_or_default();
        hand_over(step, spec, (incarnation, block), participations)?;
        messages = messages.saturating_add(1);
    }
    step.notice(Notice::of_set(spec.set(), Event::Resending { messages }));
    Ok(true)
}
