//! Gathers the two rounds of an attempt by weight, selects the signing set, and starts further attempts.
//!
//! ```text
//!            preprocesses with one subject weigh t          all selected shared
//! attempt a ────────────────────────────────────▶ selected ─────────────────────▶ complete
//!     ▲                                              │ due                          │ due, not closed
//!     └──────────────── attempt a + 1 ◀──────────────┴──────────────────────────────┘
//! ```
//!
//! Who was selected and stayed silent, or was proved wrong, is not selected again for this topic while the
//! others weigh t: each failed attempt removes at least one who made it fail (`SIGN-8`). In other topics it is
//! selected last for a time: those in good standing get a few blocks' grace to weigh t without it (`SIGN-25`).
//!
//! Sources: the first weight to reach t signs, as in the reference system; multi-share, exclusion and the
//! linear growth of the attempts are ours.

use std::collections::BTreeSet;

use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{Attempt, Genesis, TributaryBlock};

use super::{
    MemberIndex, Replicated, Session, own,
    slash::{self, Cause},
    standing,
    topic::{Selection, Subject, Topic, TopicState},
    transaction::Round,
};
use crate::{Error, notice::Event};

const TOPICS: Replicated<(Genesis, Topic), TopicState> = Replicated::new("session/topic");
/// Attempt and round.
type At = (u32, u8);
const BODIES: Replicated<(Genesis, Topic, At, MemberIndex), Vec<u8>> = Replicated::new("session/body");
/// Which topics are due at the end of a block; follows from [`TOPICS`], so not absorbed again.
const DUE: Table<(Genesis, TributaryBlock, Topic), ()> = Table::new("session/due");
/// The topics which are not closed; follows from [`TOPICS`], so not absorbed again.
const OPEN: Table<(Genesis, Topic), ()> = Table::new("session/open");
/// Members who were fatally slashed, and the open topic from which on their selections are still to be looked at.
const LOST: Replicated<(Genesis, MemberIndex), Option<Topic>> = Replicated::new("session/lost");
/// Topics which a block ends because their time is over, and as many again which it looks at because a member was slashed. What is
/// left waits for the next block, so that the end of a block is bounded however many topics are due.
pub(crate) const MAX_ENDED: usize = 64;
/// The grace in which those in good standing may make the doubted unnecessary is this part of an attempt.
const GRACES_IN_AN_ATTEMPT: u64 = 10;

fn round_key(attempt: Attempt, round: Round) -> At {
    (attempt.0, u8::from(round == Round::Share))
}

/// The state of a topic; `None` if nobody agreed on it. The confirmation needs no agreement.
pub(super) fn topic(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    topic: Topic,
) -> Result<Option<TopicState>, StoreError> {
    let stored = TOPICS.get(db, &(genesis, topic))?;
    Ok(stored.or_else(|| (topic == Topic::Confirmation).then(TopicState::new)))
}

/// The topics which members have begun and not closed; at most `limit`.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn open_topics(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    limit: usize,
) -> Result<Vec<(Topic, TopicState)>, StoreError> {
    let mut topics = Vec::new();
    for ((_, topic), ()) in OPEN.scan(db, &genesis, None, limit)? {
        topics.extend(TOPICS.get(db, &(genesis, topic))?.map(|state| (topic, state)));
    }
    Ok(topics)
}

/// What a member sent in a round.
pub(super) fn body(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    topic: Topic,
    (attempt, round): (Attempt, Round),
    who: MemberIndex,
) -> Result<Option<Vec<u8>>, StoreError> {
    BODIES.get(db, &(genesis, topic, round_key(attempt, round), who))
}

fn put(session: &mut Session<'_, '_>, topic: Topic, state: &TopicState) {
    let key = (session.genesis(), topic);
    TOPICS.put(session, &key, state);
    if state.closed {
        OPEN.delete(session.step.txn, &key);
    } else {
        OPEN.put(session.step.txn, &key, &());
    }
}

/// Opens attempt 0 of a topic; false if it was open before.
pub(super) fn open(session: &mut Session<'_, '_>, topic: Topic) -> Result<bool, Error> {
    let key = (session.genesis(), topic);
    if TOPICS.get(session.step.txn, &key)?.is_some() {
        return Ok(false);
    }
    put(session, topic, &TopicState::new());
    session.notice(Event::TopicOpened { topic });
    Ok(true)
}

/// Ends a topic: nothing is left to sign.
pub(super) fn close(session: &mut Session<'_, '_>, topic: Topic) -> Result<(), Error> {
    let Some(mut state) = self::topic(session.step.txn, session.genesis(), topic)? else { return Ok(()) };
    if state.closed {
        return Ok(());
    }
    state.closed = true;
    // Only now is it known that the shares were good.
    if let Some(selection) = state.selection.as_ref().filter(|selection| selection.is_complete()) {
        for who in selection.members.iter().filter(|who| !state.failed.contains(who)) {
            standing::made_good(session, *who)?;
        }
    }
    own::withdraw(session.step, session.genesis(), topic, state.attempt)?;
    schedule(session, topic, &mut state, None);
    drop_bodies(session, topic, &state)?;
    put(session, topic, &state);
    session.notice(Event::TopicClosed { topic });
    Ok(())
}

/// The topic's state if this data belongs to its current attempt; otherwise the data is ignored, or counted
/// against its author where no honest validator can have sent it (`SIGN-5`).
pub(super) fn admit(
    session: &mut Session<'_, '_>,
    topic: Topic,
    attempt: Attempt,
    who: MemberIndex,
) -> Result<Option<TopicState>, Error> {
    let Some(state) = self::topic(session.step.txn, session.genesis(), topic)? else {
        slash::slash(session, who, Cause::Premature.of(topic, attempt))?;
        return Ok(None);
    };
    if attempt > state.attempt {
        slash::slash(session, who, Cause::Premature.of(topic, attempt))?;
        return Ok(None);
    }
    Ok((attempt == state.attempt && !state.closed).then_some(state))
}

/// Counts a preprocess. Returns the state if it completed the selection.
pub(super) fn preprocess(
    session: &mut Session<'_, '_>,
    topic: Topic,
    mut state: TopicState,
    who: MemberIndex,
    (subject, body): (Subject, Vec<u8>),
) -> Result<Option<TopicState>, Error> {
    if state.arrived.iter().any(|(index, _)| *index == who) {
        slash::slash(session, who, Cause::Duplicate.of(topic, state.attempt))?;
        return Ok(None);
    }
    state.arrived.push((who, subject));
    let key = (session.genesis(), topic, round_key(state.attempt, Round::Preprocess), who);
    BODIES.put(session, &key, &body);
    let unselected = state.selection.is_none();
    let selected = unselected && select(session, &mut state, subject, Whom::InGoodStanding)?;
    if selected || state.due.is_none() {
        reschedule(session, topic, &mut state);
    }
    if unselected
        && !selected
        && let Some(candidates) = candidates(session, &state, subject, Whom::Everybody)?
    {
        // The doubted would do: the others get some blocks to make them unnecessary, the more the doubted failed.
        let shortest = u64::from(session.spec.parameters.attempt_blocks).div_ceil(GRACES_IN_AN_ATTEMPT);
        let grace = shortest.saturating_mul(1 << candidates.most_failures.saturating_sub(1));
        let due = TributaryBlock(session.block.0.saturating_add(grace));
        if state.due.is_none_or(|former| due < former) {
            schedule(session, topic, &mut state, Some(due));
        }
    }
    put(session, topic, &state);
    if selected {
        notice_selection(session, topic, &state);
    }
    Ok(selected.then_some(state))
}

fn notice_selection(session: &mut Session<'_, '_>, topic: Topic, state: &TopicState) {
    let Some(selection) = &state.selection else { return };
    let own = session.own_index().is_some_and(|own| selection.members.contains(&own));
    let (attempt, members) = (state.attempt, selection.members.len());
    session.notice(Event::Selected { topic, attempt, members, own });
}

/// Whom a selection may take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whom {
    /// Those who did not make attempts fail lately.
    InGoodStanding,
    /// Them first, the doubted after them.
    Everybody,
}

/// Who weighs t together.
struct Candidates {
    members: Vec<MemberIndex>,
    /// Of the doubted among them.
    most_failures: u8,
}

/// The first arrivals about `subject` who weigh t together, without those who failed (`SIGN-6`); the doubted last, those
/// with fewer failures first (`SIGN-25`).
fn candidates(
    session: &Session<'_, '_>,
    state: &TopicState,
    subject: Subject,
    whom: Whom,
) -> Result<Option<Candidates>, Error> {
    let (mut members, mut doubted) = (Vec::new(), Vec::new());
    for (index, about) in &state.arrived {
        let eligible = (*about == subject) && !state.failed.contains(index);
        if eligible && !slash::is_fatal(session.step.txn, session.spec, *index)? {
            match standing::doubt(session, *index)? {
                Some(failures) => doubted.push((failures, *index)),
                None => members.push(*index),
            }
        }
        if session.spec.reaches_threshold(members.iter().copied()) {
            return Ok(Some(Candidates { members, most_failures: 0 }));
        }
    }
    doubted.sort_by_key(|(failures, _)| *failures);
    for (failures, index) in doubted.into_iter().filter(|_| whom == Whom::Everybody) {
        members.push(index);
        if session.spec.reaches_threshold(members.iter().copied()) {
            return Ok(Some(Candidates { members, most_failures: failures }));
        }
    }
    Ok(None)
}

fn select(
    session: &Session<'_, '_>,
    state: &mut TopicState,
    subject: Subject,
    whom: Whom,
) -> Result<bool, Error> {
    let Some(Candidates { mut members, .. }) = candidates(session, state, subject, whom)? else {
        return Ok(false);
    };
    members.sort_unstable();
    let at = session.block;
    state.selection = Some(Selection { subject, at, members, shared: Vec::new(), spoiled: false });
    Ok(true)
}

/// Whether a member may send a share now: only who is selected, and once (`SIGN-7`).
pub(super) fn may_share(
    session: &mut Session<'_, '_>,
    topic: Topic,
    state: &TopicState,
    who: MemberIndex,
) -> Result<bool, Error> {
    let selection = state.selection.as_ref().filter(|s| s.members.contains(&who));
    let cause = match selection {
        None if mutated!(ShareFromOutside) => return Ok(true),
        None => Cause::NotSelected,
        Some(selection) if selection.shared.contains(&who) => Cause::Duplicate,
        Some(_) => return Ok(true),
    };
    slash::slash(session, who, cause.of(topic, state.attempt))?;
    Ok(false)
}

/// Counts a share which [`may_share`] allowed. Returns the state if it was the last one missing.
pub(super) fn share(
    session: &mut Session<'_, '_>,
    topic: Topic,
    mut state: TopicState,
    who: MemberIndex,
    body: Vec<u8>,
) -> Option<TopicState> {
    let selection = state.selection.as_mut()?;
    selection.shared.push(who);
    let complete = selection.is_complete();
    let failed = selection.members.iter().any(|member| state.failed.contains(member));
    let key = (session.genesis(), topic, round_key(state.attempt, Round::Share), who);
    BODIES.put(session, &key, &body);
    if complete {
        if !failed {
            // What follows happens outside of the tributary: it gets as much time again.
            reschedule(session, topic, &mut state);
        }
        session.notice(Event::SharesComplete { topic, attempt: state.attempt });
    }
    put(session, topic, &state);
    complete.then_some(state)
}

/// A selected member was proved wrong: this attempt cannot succeed, so the next starts with this block's end, and
/// nobody else has to share in this one.
pub(super) fn fail(
    session: &mut Session<'_, '_>,
    topic: Topic,
    mut state: TopicState,
    who: MemberIndex,
) -> Result<(), Error> {
    if !state.failed.contains(&who) {
        state.failed.push(who);
    }
    if let Some(selection) = &mut state.selection {
        selection.spoiled = true;
        standing::failed(session, who, selection.at)?;
    }
    let now = session.block;
    schedule(session, topic, &mut state, Some(now));
    put(session, topic, &state);
    Ok(())
}

/// A member was fatally slashed, so what it sends counts no more: no attempt can succeed in which it is selected and has not
/// shared yet. From the end of this block on [`end_lost`] ends them.
pub(super) fn lost(session: &mut Session<'_, '_>, who: MemberIndex) {
    LOST.put(session, &(session.genesis(), who), &None);
}

/// Lets attempts end with this block which wait for a share of somebody fatally slashed. Looks at [`MAX_ENDED`] topics; at the others
/// in the next blocks (`SIGN-8`).
pub(super) fn end_lost(session: &mut Session<'_, '_>) -> Result<(), Error> {
    let genesis = session.genesis();
    let mut room = MAX_ENDED;
    for ((_, who), from) in LOST.scan(session.step.txn, &genesis, session.spec.count())? {
        let from = from.map(|topic| (genesis, topic));
        let mut open = OPEN.scan(session.step.txn, &genesis, from.as_ref(), room.saturating_add(1))?;
        let next = (open.len() > room).then(|| open.pop()).flatten();
        room = room.saturating_sub(open.len());
        for ((_, topic), ()) in open {
            let waits = |selection: &Selection| {
                selection.members.contains(&who) && !selection.shared.contains(&who) && !selection.spoiled
            };
            let state = TOPICS.get(session.step.txn, &(genesis, topic))?;
            if let Some(state) = state.filter(|state| state.selection.as_ref().is_some_and(waits)) {
                fail(session, topic, state, who)?;
            }
        }
        match next {
            Some(((_, topic), ())) => LOST.put(session, &(genesis, who), &Some(topic)),
            None => LOST.delete(session, &(genesis, who)),
        }
    }
    Ok(())
}

/// What became of a topic whose time was over.
pub(super) enum Due {
    /// Nothing: it was closed, or its attempt goes on.
    Nothing,
    /// Its next attempt starts.
    Attempt(Topic, Attempt),
    /// The grace of those in good standing ended: the doubted are selected with them.
    Selected(Topic, TopicState),
}

/// Goes on with the first topic which is due at the end of this block, or was before and found no room: selects, or starts the
/// next attempt. `None` if nothing is due, or [`MAX_ENDED`] were taken with this block.
pub(super) fn take_due(session: &mut Session<'_, '_>, taken: usize) -> Result<Option<Due>, Error> {
    let first = DUE.scan(session.step.txn, &session.genesis(), None, 1)?.pop();
    let now = session.block;
    let due = first.filter(|((_, block, _), ())| (*block <= now) && (taken < MAX_ENDED));
    let Some((key, ())) = due else { return Ok(None) };
    DUE.delete(session.step.txn, &key);
    let (_, _, topic) = key;
    let state = self::topic(session.step.txn, session.genesis(), topic)?;
    let Some(mut state) = state.filter(|s| !s.closed) else { return Ok(Some(Due::Nothing)) };
    if select_any(session, &mut state)? {
        reschedule(session, topic, &mut state);
        put(session, topic, &state);
        notice_selection(session, topic, &state);
        Ok(Some(Due::Selected(topic, state)))
    } else if state.selection.is_none() && (state.ends > Some(session.block)) {
        // Who would have done is fatally slashed since; the attempt goes on.
        let ends = state.ends;
        schedule(session, topic, &mut state, ends);
        put(session, topic, &state);
        Ok(Some(Due::Nothing))
    } else {
        Ok(Some(Due::Attempt(topic, next_attempt(session, topic, state)?)))
    }
}

/// Selects among everybody, about whichever subject has the weight: at most one has.
fn select_any(session: &Session<'_, '_>, state: &mut TopicState) -> Result<bool, Error> {
    if state.selection.is_some() {
        return Ok(false);
    }
    let subjects: BTreeSet<Subject> = state.arrived.iter().map(|(_, subject)| *subject).collect();
    for subject in subjects {
        if select(session, state, subject, Whom::Everybody)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn next_attempt(
    session: &mut Session<'_, '_>,
    topic: Topic,
    mut state: TopicState,
) -> Result<Attempt, Error> {
    drop_bodies(session, topic, &state)?;
    if state.selection.is_none() {
        // Those who are left did not answer in numbers: who failed is needed after all.
        state.failed.clear();
    }
    if let Some(selection) = state.selection.take().filter(|selection| !selection.spoiled) {
        for who in selection.members.iter().filter(|m| !selection.shared.contains(m)) {
            if !state.failed.contains(who) && !mutated!(NoNewSelection) {
                state.failed.push(*who);
                standing::failed(session, *who, selection.at)?;
                slash::slash(session, *who, Cause::MissedShare.of(topic, state.attempt))?;
            }
        }
    }
    if !others_suffice(session, &state)? {
        state.failed.clear();
    }
    state.attempt = state.attempt.next();
    state.arrived.clear();
    reschedule(session, topic, &mut state);
    put(session, topic, &state);
    session.notice(Event::AttemptStarted { topic, attempt: state.attempt });
    Ok(state.attempt)
}

fn others_suffice(session: &Session<'_, '_>, state: &TopicState) -> Result<bool, Error> {
    let mut others = Vec::new();
    for index in session.spec.indices().filter(|i| !state.failed.contains(i)) {
        if !slash::is_fatal(session.step.txn, session.spec, index)? {
            others.push(index);
        }
    }
    Ok(session.spec.reaches_threshold(others))
}

/// The time of an attempt grows linearly, up to a bound (`SIGN-9`).
fn reschedule(session: &mut Session<'_, '_>, topic: Topic, state: &mut TopicState) {
    let parameters = &session.spec.parameters;
    let times = u64::from(state.attempt.0.min(parameters.longest_attempt)).saturating_add(1);
    let blocks = u64::from(parameters.attempt_blocks).saturating_mul(times);
    let due = TributaryBlock(session.block.0.saturating_add(blocks));
    schedule(session, topic, state, Some(due));
    state.ends = Some(due);
}

fn schedule(
    session: &mut Session<'_, '_>,
    topic: Topic,
    state: &mut TopicState,
    due: Option<TributaryBlock>,
) {
    let genesis = session.genesis();
    if let Some(former) = state.due {
        DUE.delete(session.step.txn, &(genesis, former, topic));
    }
    if let Some(due) = due {
        DUE.put(session.step.txn, &(genesis, due, topic), &());
    }
    state.due = due;
}

/// Whether any attempt is scheduled by height.
pub(super) fn is_scheduled(db: &(impl Read + ?Sized), genesis: Genesis) -> Result<bool, StoreError> {
    Ok(!DUE.scan(db, &genesis, None, 1)?.is_empty() || !LOST.scan(db, &genesis, 1)?.is_empty())
}

/// Forgets everything of an ended set; true when nothing is left.
pub(super) fn prune(txn: &mut dyn Transaction, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    let mut done = TOPICS.prune(txn, &genesis, limit)?;
    done &= BODIES.prune(txn, &genesis, limit)?;
    done &= LOST.prune(txn, &genesis, limit)?;
    done &= DUE.clear(txn, &genesis, limit)? < limit;
    done &= OPEN.clear(txn, &genesis, limit)? < limit;
    Ok(done)
}

/// Drops what members sent in the current attempt.
fn drop_bodies(session: &mut Session<'_, '_>, topic: Topic, state: &TopicState) -> Result<(), Error> {
    let genesis = session.genesis();
    for round in [Round::Preprocess, Round::Share] {
        for index in session.spec.indices() {
            let key = (genesis, topic, round_key(state.attempt, round), index);
            if BODIES.get(session.step.txn, &key)?.is_some() {
                BODIES.delete(session, &key);
            }
        }
    }
    Ok(())
}
