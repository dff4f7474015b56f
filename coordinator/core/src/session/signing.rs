//! Signing with the set's key: our processor's data goes out, everybody's comes in.
//!
//! ```text
//! processor: preprocess of attempt 0 -> kept until the topic is agreed on -> tributary
//! tributary: t weight of preprocesses -> selected: Preprocesses -> processor (if we are selected)
//! processor: shares -> tributary -> all selected shared: Shares -> processor (if we are selected)
//! ```

use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{
    Attempt, Genesis, Incarnation, List, Participant, ToProcessor, TransactionId, coordinator, decode,
    encode,
    sign::{self, OwnPieces, SignId, SigningId},
};

use super::{
    MemberIndex, Replicated, Session, SetSpec, accumulate, own,
    slash::{self, Cause},
    topic::{Topic, TopicState},
    transaction::{MAX_PAYLOAD_BYTES, Provided, Round, Signed},
};
use crate::{Error, Notice, Step, batch, cosign, notice::Event, outbox};

/// Preprocesses of attempt 0 which our processor made before the topic was agreed on.
const FIRST: Table<(Genesis, Topic), OwnPieces> = Table::new("signing/first");
/// Transactions which the network has, as our processor says.
const COMPLETED: Table<(Genesis, TransactionId), ()> = Table::new("signing/completed");
/// Who reported a member's data of an attempt invalid.
const VOTES: Replicated<(Genesis, Topic, u32, MemberIndex), Vec<MemberIndex>> =
    Replicated::new("session/invalid_votes");

/// Topics looked at for a processor which lost its disk.
const MAX_ASKED_AGAIN: usize = 1_024;

fn sign_id(spec: &SetSpec, id: SigningId, attempt: Attempt) -> SignId {
    SignId { session: spec.set().session, id, attempt }
}

fn dropped(step: &mut Step<'_>, spec: &SetSpec, what: &'static str) {
    step.notice(Notice::of_set(spec.set(), Event::MessageDropped { what }));
}

fn are_short(spec: &SetSpec, pieces: &OwnPieces) -> bool {
    pieces.iter().all(|piece| piece.len() <= spec.max_piece_bytes())
}

fn own_weight_matches(step: &Step<'_>, spec: &SetSpec, pieces: &OwnPieces) -> bool {
    spec.index_of(step.me.validator()).is_some_and(|own| pieces.len() == usize::from(spec.weight(own)))
}

/// Our processor made preprocesses (`SIGN-10`).
pub(crate) fn own_preprocesses(
    step: &mut Step<'_>,
    spec: &SetSpec,
    id: SignId,
    pieces: OwnPieces,
) -> Result<(), Error> {
    if !own_weight_matches(step, spec, &pieces) {
        dropped(step, spec, "preprocesses: not one for each of our key shares");
        return Ok(());
    }
    let topic = Topic::Signing(id.id);
    match accumulate::topic(step.txn, spec.genesis, topic)? {
        None if id.attempt == Attempt(0) => {
            if FIRST.get(step.txn, &(spec.genesis, topic))?.is_none() {
                FIRST.put(step.txn, &(spec.genesis, topic), &pieces);
            }
        }
        Some(state) if state.attempt == id.attempt && !state.closed => {
            send(step, spec, (id.id, id.attempt, Round::Preprocess), pieces)?;
        }
        _ => dropped(step, spec, "preprocesses of an attempt which is not under way"),
    }
    Ok(())
}

/// Our processor made shares.
pub(crate) fn own_shares(
    step: &mut Step<'_>,
    spec: &SetSpec,
    id: SignId,
    pieces: OwnPieces,
) -> Result<(), Error> {
    let state = accumulate::topic(step.txn, spec.genesis, Topic::Signing(id.id))?;
    let own = spec.index_of(step.me.validator());
    let selected = state.filter(|s| s.attempt == id.attempt && !s.closed).and_then(|s| s.selection);
    let selected = selected.is_some_and(|s| own.is_some_and(|own| s.members.contains(&own)));
    if !selected || !own_weight_matches(step, spec, &pieces) {
        dropped(step, spec, "shares of an attempt in which we are not selected");
        return Ok(());
    }
    send(step, spec, (id.id, id.attempt, Round::Share), pieces)
}

fn send(
    step: &mut Step<'_>,
    spec: &SetSpec,
    (id, attempt, round): (SigningId, Attempt, Round),
    pieces: OwnPieces,
) -> Result<(), Error> {
    if !are_short(spec, &pieces) {
        dropped(step, spec, "signing data longer than a set of this size may exchange");
        return Ok(());
    }
    // Who was away learns of it from elsewhere before the tributary tells (`SIGN-24`).
    if (round == Round::Preprocess) && is_over(step.txn, spec, id)? {
        return Ok(());
    }
    let payload = Signed::SigningData { id, attempt, round, pieces };
    if payload.to_bytes().len() > MAX_PAYLOAD_BYTES - 1024 {
        dropped(step, spec, "signing data too large for a transaction");
        return Ok(());
    }
    own::publish(step, spec, &payload)?;
    Ok(())
}

/// Whether nobody needs the signature any more, as far as we know: the base chain executed the batch, the network has
/// the transaction, or there is a cosign.
fn is_over(db: &(impl Read + ?Sized), spec: &SetSpec, id: SigningId) -> Result<bool, StoreError> {
    let set = spec.set();
    Ok(match id {
        SigningId::Batch(id) => id < batch::progress(db, set.network)?.executed,
        SigningId::Transaction(id) => COMPLETED.get(db, &(spec.genesis, id))?.is_some(),
        SigningId::Cosign(block) => cosign::is_over(db, set, block)?,
        SigningId::SlashReport => false,
    })
}

/// The network has a transaction of the set (`SIGN-23`).
pub(crate) fn completed(step: &mut Step<'_>, spec: &SetSpec, id: TransactionId) -> Result<(), StoreError> {
    COMPLETED.put(step.txn, &(spec.genesis, id), &());
    own::provide(step, spec.genesis, &Provided::TransactionCompleted { id })?;
    step.notice(Notice::of_set(spec.set(), Event::TransactionCompleted { id }));
    Ok(())
}

/// Our processor found a selected participant's data invalid: a vote, unless it would be a fault (`COORD-11`).
pub(crate) fn report_invalid(
    step: &mut Step<'_>,
    spec: &SetSpec,
    id: SignId,
    participant: Participant,
) -> Result<(), StoreError> {
    let (id, attempt) = (id.id, id.attempt);
    let state = accumulate::topic(step.txn, spec.genesis, Topic::Signing(id))?;
    if (spec.owner(participant).is_none()) || state.is_none_or(|state| attempt > state.attempt) {
        dropped(step, spec, "a report of invalid data of nobody, or of an attempt which has not begun");
        return Ok(());
    }
    own::publish(step, spec, &Signed::InvalidParticipant { id, attempt, participant })?;
    Ok(())
}

/// A provided transaction opened the topic: sends the preprocess which waits for it.
pub(super) fn open(session: &mut Session<'_, '_>, id: SigningId) -> Result<bool, Error> {
    let topic = Topic::Signing(id);
    if !accumulate::open(session, topic)? {
        return Ok(false);
    }
    let key = (session.genesis(), topic);
    if let Some(pieces) = FIRST.get(session.step.txn, &key)? {
        FIRST.delete(session.step.txn, &key);
        send(session.step, session.spec, (id, Attempt(0), Round::Preprocess), pieces)?;
    }
    Ok(true)
}

/// Our processor lost its disk, and with it what it was asked to cosign and did not (`COSIGN-11`).
pub(super) fn ask_again(step: &mut Step<'_>, spec: &SetSpec, incarnation: Incarnation) -> Result<(), Error> {
    let set = spec.set();
    for (topic, _) in accumulate::open_topics(step.txn, spec.genesis, MAX_ASKED_AGAIN)? {
        let Topic::Signing(SigningId::Cosign(block)) = topic else { continue };
        if let Some(hash) = cosign::hash_of(step.txn, block)? {
            let message = coordinator::ToProcessor::CosignBlock { session: set.session, block, hash };
            outbox::replay(step, set.network, incarnation, &ToProcessor::Coordinator(message))?;
        }
    }
    Ok(())
}

/// Nothing is left to sign.
pub(super) fn close(session: &mut Session<'_, '_>, id: SigningId) -> Result<(), Error> {
    let topic = Topic::Signing(id);
    // Opened first if need be, so that what comes late finds it closed and not unknown.
    accumulate::open(session, topic)?;
    FIRST.delete(session.step.txn, &(session.genesis(), topic));
    accumulate::close(session, topic)
}

/// A further attempt starts: asks our processor to take part.
pub(super) fn reattempt(session: &mut Session<'_, '_>, id: SigningId, attempt: Attempt) -> Result<(), Error> {
    let id = sign_id(session.spec, id, attempt);
    let message = ToProcessor::Sign(sign::ToProcessor::Reattempt { id });
    outbox::to_processor(session.step, session.spec.set().network, &message)
}

/// Signing data of a member was ordered.
pub(super) fn data(
    session: &mut Session<'_, '_>,
    who: MemberIndex,
    (id, attempt, round): (SigningId, Attempt, Round),
    pieces: &OwnPieces,
) -> Result<(), Error> {
    let topic = Topic::Signing(id);
    if pieces.len() != usize::from(session.spec.weight(who)) {
        return slash::slash(session, who, Cause::WrongCount.of(topic, attempt));
    }
    if !are_short(session.spec, pieces) {
        return slash::slash(session, who, Cause::Malformed.of(topic, attempt));
    }
    let Some(state) = accumulate::admit(session, topic, attempt, who)? else { return Ok(()) };
    let body = encode(pieces);
    let reached = match round {
        Round::Preprocess => accumulate::preprocess(session, topic, state, who, ([0; 32], body))?,
        Round::Share if accumulate::may_share(session, topic, &state, who)? => {
            accumulate::share(session, topic, state, who, body)
        }
        Round::Share => None,
    };
    match reached {
        Some(state) => hand_over(session, (id, round), &state),
        None => Ok(()),
    }
}

/// A set was selected at the end of a block: hands its preprocesses over (`SIGN-25`).
pub(super) fn selected(
    session: &mut Session<'_, '_>,
    id: SigningId,
    state: &TopicState,
) -> Result<(), Error> {
    hand_over(session, (id, Round::Preprocess), state)
}

/// Hands a complete round of the selected set to our processor, if we are in it (`SIGN-2`).
fn hand_over(
    session: &mut Session<'_, '_>,
    (id, round): (SigningId, Round),
    state: &TopicState,
) -> Result<(), Error> {
    let broken = |what: &str| Error::broken(session.spec.set(), what);
    let Some(selection) = &state.selection else { return Ok(()) };
    if session.own_index().is_none_or(|own| !selection.members.contains(&own)) {
        return Ok(());
    }
    let mut pieces = Vec::new();
    for who in &selection.members {
        let at = (state.attempt, round);
        let body = accumulate::body(session.step.txn, session.genesis(), Topic::Signing(id), at, *who)?;
        let body = body.ok_or_else(|| broken("counted signing data is missing"))?;
        let own: OwnPieces =
            decode(&body, MAX_PAYLOAD_BYTES).map_err(|_| broken("stored signing data does not decode"))?;
        pieces.extend(session.spec.participants(*who).zip(own));
    }
    let pieces = List::new(pieces).map_err(|e| broken(&e.to_string()))?;
    let id = sign_id(session.spec, id, state.attempt);
    let message = match round {
        Round::Preprocess => sign::ToProcessor::Preprocesses { id, preprocesses: pieces },
        Round::Share => sign::ToProcessor::Shares { id, shares: pieces },
    };
    outbox::to_processor(session.step, session.spec.set().network, &ToProcessor::Sign(message))
}

/// A member's processor found a participant's data invalid (`SIGN-11`): with the weight of one honest member
/// the culprit fails the attempt, with t weight it is fatally slashed.
pub(super) fn invalid(
    session: &mut Session<'_, '_>,
    who: MemberIndex,
    (id, attempt): (SigningId, Attempt),
    participant: Participant,
) -> Result<(), Error> {
    let topic = Topic::Signing(id);
    let Some(culprit) = session.spec.owner(participant) else {
        return slash::slash(session, who, Cause::NotAMember.of(topic, attempt));
    };
    let Some(state) = accumulate::topic(session.step.txn, session.genesis(), topic)? else {
        return slash::slash(session, who, Cause::Premature.of(topic, attempt));
    };
    let key = (session.genesis(), topic, attempt.0, culprit);
    let mut voters = VOTES.get(session.step.txn, &key)?.unwrap_or_default();
    if voters.contains(&who) || attempt > state.attempt {
        return Ok(());
    }
    let before = voters.clone();
    voters.push(who);
    VOTES.put(session, &key, &voters);
    let weight = session.spec.weight_of(voters.iter().copied());
    session.notice(Event::InvalidParticipantVoted { participant, weight });
    let spec = session.spec;
    let reaches = |voters: &[MemberIndex]| spec.reaches_threshold(voters.iter().copied());
    if (reaches(&voters) && !reaches(&before)) || mutated!(BlameOnOneVote) {
        slash::slash(session, culprit, Cause::InvalidSigningData.of(topic, attempt))?;
    }
    let selected = state.selection.as_ref().is_some_and(|s| s.members.contains(&culprit));
    let current = (attempt == state.attempt) && selected && !state.closed;
    if current && spec.includes_honest(voters.iter().copied()) && !state.failed.contains(&culprit) {
        accumulate::fail(session, topic, state, culprit)?;
    }
    Ok(())
}

/// The slot of our shares of an attempt; its order is that of the preprocess too.
pub(super) fn share_slot(id: SigningId, attempt: Attempt) -> super::transaction::Slot {
    Signed::SigningData { id, attempt, round: Round::Share, pieces: OwnPieces::default() }.slot()
}

/// Forgets everything of an ended set; true when nothing is left.
pub(super) fn prune(txn: &mut dyn Transaction, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    let mut done = FIRST.clear(txn, &genesis, limit)? < limit;
    done &= COMPLETED.clear(txn, &genesis, limit)? < limit;
    Ok(VOTES.prune(txn, &genesis, limit)? && done)
}
