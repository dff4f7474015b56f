//! The confirmation: a MuSig over the generated key pair by validators who weigh t.
//!
//! ```text
//! processor: GeneratedKeyPair -> seed stored -> ConfirmationNonces(attempt, commitments, key pair)
//! ordered nonces with one key pair weigh t   -> selected set, in set order
//! selected, nonces and pair are ours         -> (message, set, share) stored -> ConfirmationShare
//! every ordered share is verified by all; all there -> SetKeys for the base chain, at every node
//! ```
//!
//! The nonces carry the key pair which their author generated, so diverging processors are seen, and each
//! key pair gathers weight of its own: one of them neither poisons the attempt nor makes a nonce serve
//! twice. Spec: spec/confirmation.md.
//!
//! What this deliberately does not do: submit. The base chain's answer ends the topic.

use blake2::{Blake2b, Digest, digest::consts::U32};
use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::{SetKeys, Signers};
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{Attempt, Genesis, KeyPair, List, Validator, ValidatorSet, encode};
use zeroize::Zeroizing;

use super::{
    MemberIndex, Session, SetSpec, accumulate,
    musig::{self, Commitments, Share, Signing},
    own,
    slash::{self, Cause},
    topic::{Subject, Topic, TopicState},
    transaction::{Round, Signed},
};
use crate::{Error, Step, notice::Event, outbox};

/// The key pairs which our processors generated.
const KEY_PAIRS: Table<ValidatorSet, KeyPair> = Table::new("confirmation/key_pair");
const NONCES: Table<(Genesis, u32), OwnNonces> = Table::new("confirmation/nonces");
const SHARES: Table<(Genesis, u32), OwnShare> = Table::new("confirmation/share");

/// What we confirmed with others, or saw confirmed: kept for the archive.
const CONFIRMED: Table<ValidatorSet, SetKeys> = Table::new("confirmation/confirmed");

/// Our nonces of one attempt, stored before they are first sent.
#[derive(BorshSerialize, BorshDeserialize)]
struct OwnNonces {
    /// Masked; gone once a share was made of it.
    seed: Option<[u8; 32]>,
    commitments: Commitments,
}

/// Our share of one attempt, and what it is over, stored before it is first sent.
#[derive(BorshSerialize, BorshDeserialize)]
struct OwnShare {
    /// Hash of the key pair and of the signers with their commitments.
    over: [u8; 32],
    share: Share,
}

/// Blake2b-256 of a key pair: the subject of its confirmation.
pub fn hash_of(key_pair: &KeyPair) -> Subject {
    Blake2b::<U32>::digest(encode(key_pair)).into()
}

/// The key pair which our processor generated.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn own_key_pair(db: &(impl Read + ?Sized), set: ValidatorSet) -> Result<Option<KeyPair>, StoreError> {
    KEY_PAIRS.get(db, &set)
}

/// Our processor generated the key pair: keeps it and sends the nonces of the current attempt. The first
/// key pair stays (`CONF-1`).
pub(crate) fn generated(step: &mut Step<'_>, spec: &SetSpec, key_pair: &KeyPair) -> Result<(), Error> {
    if KEY_PAIRS.get(step.txn, &spec.set())?.is_some() {
        return Ok(());
    }
    KEY_PAIRS.put(step.txn, &spec.set(), key_pair);
    let state = accumulate::topic(step.txn, spec.genesis, Topic::Confirmation)?.unwrap_or_default();
    if !state.closed {
        send_nonces(step, spec, state.attempt)?;
    }
    Ok(())
}

fn purpose(spec: &SetSpec, attempt: Attempt) -> Vec<u8> {
    encode(&(spec.genesis, attempt))
}

/// Sends our nonces of an attempt, if our processor has generated the key pair (`CONF-2`).
pub(super) fn send_nonces(step: &mut Step<'_>, spec: &SetSpec, attempt: Attempt) -> Result<(), Error> {
    let Some(key_pair) = KEY_PAIRS.get(step.txn, &spec.set())? else { return Ok(()) };
    let key = (spec.genesis, attempt.0);
    let commitments = if let Some(stored) = NONCES.get(step.txn, &key)? {
        stored.commitments
    } else {
        let mut seed = Zeroizing::new([0; 32]);
        if !mutated!(ReuseConfirmationNonce) {
            step.randomness.fill_bytes(seed.as_mut());
        }
        let commitments = musig::preprocess(spec.tributary.chain, spec.set(), &step.me.key, &seed)
            .map_err(|e| Error::broken(spec.set(), e.to_string()))?;
        let masked = musig::mask(&step.me.key, &purpose(spec, attempt), &seed);
        NONCES.put(step.txn, &key, &OwnNonces { seed: Some(*masked), commitments });
        commitments
    };
    own::publish(step, spec, &Signed::ConfirmationNonces { attempt, commitments, key_pair })?;
    Ok(())
}

/// The nonces of a member were ordered.
pub(super) fn nonces(
    session: &mut Session<'_, '_>,
    who: MemberIndex,
    (attempt, commitments): (Attempt, Commitments),
    key_pair: &KeyPair,
) -> Result<(), Error> {
    if !musig::are_commitments(&commitments) {
        return slash::slash(session, who, Cause::Malformed.of(Topic::Confirmation, attempt));
    }
    let Some(state) = accumulate::admit(session, Topic::Confirmation, attempt, who)? else { return Ok(()) };
    let subject = hash_of(key_pair);
    if state.arrived.first().is_some_and(|(_, first)| *first != subject) {
        session.notice(Event::KeyPairsConflict { attempt });
    }
    let body = encode(&(commitments, key_pair));
    match accumulate::preprocess(session, Topic::Confirmation, state, who, (subject, body))? {
        Some(selected) => send_share(session, &selected),
        None => Ok(()),
    }
}

/// The signing of the current selection; every member computes the same.
fn signing(session: &Session<'_, '_>, state: &TopicState) -> Result<(Signing, KeyPair, [u8; 32]), Error> {
    let broken = |what: &str| Error::broken(session.spec.set(), what);
    let selection = state.selection.as_ref().ok_or_else(|| broken("no set is selected"))?;
    let mut signers: Vec<(Validator, Commitments)> = Vec::new();
    let mut pair = None;
    for index in &selection.members {
        let round = (state.attempt, Round::Preprocess);
        let body =
            accumulate::body(session.step.txn, session.spec.genesis, Topic::Confirmation, round, *index)?;
        let body = body.ok_or_else(|| broken("a selected member's nonces are missing"))?;
        let (commitments, key_pair): (Commitments, KeyPair) =
            borsh::from_slice(&body).map_err(|_| broken("stored nonces do not decode"))?;
        let validator = session.spec.validator(*index).ok_or_else(|| broken("a selected member is none"))?;
        signers.push((validator, commitments));
        pair = Some(key_pair);
    }
    let pair = pair.ok_or_else(|| broken("an empty set is selected"))?;
    let over = Blake2b::<U32>::digest(encode(&(&pair, &signers))).into();
    let signing = Signing::new(session.spec.tributary.chain, session.spec.set(), &pair, &signers)
        .map_err(|e| broken(&e.to_string()))?;
    Ok((signing, pair, over))
}

/// Makes and sends our share, if we are selected and everything that stands under our name is ours
/// (`CONF-4`, `CONF-5`).
pub(super) fn send_share(session: &mut Session<'_, '_>, state: &TopicState) -> Result<(), Error> {
    let selected = state.selection.as_ref().map(|s| s.members.as_slice()).unwrap_or_default();
    if session.own_index().is_none_or(|own| !selected.contains(&own)) {
        return Ok(());
    }
    let attempt = state.attempt;
    match own_share(session, state)? {
        Ok(share) => {
            own::publish(session.step, session.spec, &Signed::ConfirmationShare { attempt, share })?;
        }
        Err(reason) => session.notice(Event::ConfirmationRefused { attempt, reason }),
    }
    Ok(())
}

fn own_share(
    session: &mut Session<'_, '_>,
    state: &TopicState,
) -> Result<Result<Share, &'static str>, Error> {
    let (signing, pair, over) = signing(session, state)?;
    let key = (session.genesis(), state.attempt.0);
    if let Some(made) = SHARES.get(session.step.txn, &key)? {
        let refusal = "a share of this attempt was made over something else";
        return Ok(if made.over == over { Ok(made.share) } else { Err(refusal) });
    }
    if KEY_PAIRS.get(session.step.txn, &session.spec.set())?.as_ref() != Some(&pair) {
        return Ok(Err("our processor did not generate this key pair"));
    }
    let Some(OwnNonces { seed: Some(masked), commitments }) = NONCES.get(session.step.txn, &key)? else {
        return Ok(Err("the nonces ordered under our name are not in our store"));
    };
    let me = session.step.me;
    let seed = musig::mask(&me.key, &purpose(session.spec, state.attempt), &Zeroizing::new(masked));
    let Ok(share) = signing.sign(&me.key, seed) else {
        return Ok(Err("the nonces ordered under our name differ from those in our store"));
    };
    NONCES.put(session.step.txn, &key, &OwnNonces { seed: None, commitments });
    SHARES.put(session.step.txn, &key, &OwnShare { over, share });
    Ok(Ok(share))
}

/// The share of a member was ordered: verified by everybody (`CONF-7`).
pub(super) fn share(
    session: &mut Session<'_, '_>,
    who: MemberIndex,
    attempt: Attempt,
    share: Share,
) -> Result<(), Error> {
    let Some(state) = accumulate::admit(session, Topic::Confirmation, attempt, who)? else { return Ok(()) };
    if !accumulate::may_share(session, Topic::Confirmation, &state, who)? {
        return Ok(());
    }
    let (signing, pair, _) = signing(session, &state)?;
    let members = state.selection.as_ref().map(|s| s.members.clone()).unwrap_or_default();
    let place = members.iter().position(|m| *m == who).unwrap_or(usize::MAX);
    if !signing.verify_share(place, &share) {
        return slash::slash(session, who, Cause::InvalidShare.of(Topic::Confirmation, attempt));
    }
    match accumulate::share(session, Topic::Confirmation, state, who, share.to_vec()) {
        Some(complete) => conclude(session, &complete, &members, (&signing, pair)),
        None => Ok(()),
    }
}

/// All shares are there: whoever has the tributary has the signature (`CONF-8`).
fn conclude(
    session: &mut Session<'_, '_>,
    state: &TopicState,
    members: &[MemberIndex],
    (signing, key_pair): (&Signing, KeyPair),
) -> Result<(), Error> {
    let broken = |what: &str| Error::broken(session.spec.set(), what);
    let mut shares: Vec<Share> = Vec::new();
    for index in members {
        let round = (state.attempt, Round::Share);
        let body =
            accumulate::body(session.step.txn, session.spec.genesis, Topic::Confirmation, round, *index)?;
        let share = body.and_then(|b| Share::try_from(b.as_slice()).ok());
        shares.push(share.ok_or_else(|| broken("a counted share is missing"))?);
    }
    let signature = signing.aggregate(&shares).ok_or_else(|| broken("verified shares do not add up"))?;
    let bits = session.spec.indices().map(|i| members.contains(&i)).collect();
    let signers = Signers(List::new(bits).map_err(|e| broken(&e.to_string()))?);
    let set = session.spec.set();
    let keys = SetKeys { set, key_pair, signers, signature };
    outbox::put_set_keys(session.step.txn, &keys);
    CONFIRMED.put(session.step.txn, &set, &keys);
    session.notice(Event::Confirmed { signers: members.len() });
    Ok(())
}

/// The latest confirmation which this node saw complete; `None` if it saw none.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn confirmed(db: &(impl Read + ?Sized), set: ValidatorSet) -> Result<Option<SetKeys>, StoreError> {
    CONFIRMED.get(db, &set)
}

/// Forgets everything of an ended set; true when nothing is left.
pub(super) fn prune(txn: &mut dyn Transaction, spec: &SetSpec, limit: usize) -> Result<bool, StoreError> {
    KEY_PAIRS.delete(txn, &spec.set());
    CONFIRMED.delete(txn, &spec.set());
    let mut done = NONCES.clear(txn, &spec.genesis, limit)? < limit;
    done &= SHARES.clear(txn, &spec.genesis, limit)? < limit;
    Ok(done)
}

/// Whether the seed, and whether the share, of an attempt is stored.
#[cfg(test)]
pub(crate) fn kept(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    attempt: Attempt,
) -> Result<(bool, bool), StoreError> {
    let seed = NONCES.get(db, &(genesis, attempt.0))?.is_some_and(|nonces| nonces.seed.is_some());
    Ok((seed, SHARES.get(db, &(genesis, attempt.0))?.is_some()))
}
