//! The key generation of a session: what is collected, when it closes, what is reported.
//!
//! ```text
//! GenerateKey -> declared -> work: participate -> Participation
//! Block b     -> first participation of each member kept; work: verify -> verdicts -> Blame
//! closing::collection(...) = Closed -> work: recover -> keys sealed -> GeneratedKeyPair
//!                          = Impossible -> Failed
//! ```
//!
//! Blocks of a session are taken in order, in whichever incarnation's stream they come. A gap, or a session of which
//! GenerateKey is missing, means that our disk was lost: we ask for everything again, once a life (`PROC-5`).

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::NetworkCurve;
use coordinator_store::{Read, StoreError, Table};
use processor_messages::{
    ChainGenesis, FromProcessor, Incarnation, KeyPair, KeyShares, List, MAX_KEY_SHARES, Network, Session,
    TributaryBlock, Validator,
    key_gen::{self, FailureReason, Member, ParticipationBytes},
};

use super::{
    Error, Step,
    closing::{Collection, First, Rules, collection},
    keys,
};
use crate::{
    dkg::{Context, KeyGenError, Keys},
    status::Notice,
};

pub use super::keys::{key_pair, load_keys};

const SESSIONS: Table<Session, State> = Table::new("key_gen/session");
const FIRSTS: Table<(Session, u16), (TributaryBlock, Option<bool>)> = Table::new("key_gen/first");
const PARTICIPATIONS: Table<(Session, u16), ParticipationBytes> = Table::new("key_gen/participation");
/// Sessions for which this life asked for everything again.
const ASKED: Table<Session, ()> = Table::new("key_gen/asked");
/// The most sessions looked at; a retired or dropped one is forgotten.
const MAX_SESSIONS: usize = 1_024;
const MEMBERS: usize = MAX_KEY_SHARES as usize;

/// What the coordinator says of a session.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Declared {
    /// The base chain.
    pub chain: ChainGenesis,
    /// Key shares needed to sign.
    pub threshold: KeyShares,
    /// After how many further blocks a collection closes which has reached the threshold.
    pub grace: u32,
    /// In set order.
    pub members: List<Member, MEMBERS>,
}

#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
struct State {
    declared: Declared,
    own: u16,
    through: TributaryBlock,
    stage: Stage,
}

/// How far a session's key generation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Stage {
    /// Our participation is to be made.
    Participate,
    /// It is made; participations are collected.
    Collect,
    /// Our keys are here.
    Done,
    /// It cannot complete.
    Failed,
}

/// A computation which takes long and is done outside of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Work {
    /// Make our participation; then [`participated`].
    Participate,
    /// Verify these members' participations; then [`verified`].
    Verify(Vec<(u16, ParticipationBytes)>),
    /// Recover our keys from these members' participations; then [`recovered`].
    Recover(Vec<(u16, ParticipationBytes)>),
}

/// Work with what it needs to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    /// The session and its set.
    pub context: Context,
    /// Our place in set order.
    pub own: u16,
    /// The public embedded keys which the set was declared with for us.
    pub embedded: processor_messages::EmbeddedKeys,
    /// What to do.
    pub work: Work,
}

impl Work {
    /// How the log calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Participate => "participate",
            Self::Verify(_) => "verify",
            Self::Recover(_) => "recover",
        }
    }

    /// How many participations are verified or recovered from.
    pub fn participations(&self) -> usize {
        match self {
            Self::Participate => 0,
            Self::Verify(participations) | Self::Recover(participations) => participations.len(),
        }
    }
}

impl State {
    fn context(&self, (network, curve): (Network, NetworkCurve), session: Session) -> Context {
        Context {
            chain: self.declared.chain,
            network,
            curve,
            session,
            threshold: self.declared.threshold.0,
            members: self.declared.members.to_vec(),
        }
    }

    fn rules(&self) -> Rules {
        Rules {
            weights: self.declared.members.iter().map(|m| m.shares.0).collect(),
            threshold: self.declared.threshold.0,
            grace: self.declared.grace,
        }
    }

    fn member_of(&self, validator: Validator) -> Option<u16> {
        let place = self.declared.members.iter().position(|m| m.validator == validator)?;
        u16::try_from(place).ok()
    }

    fn validator(&self, member: u16) -> Option<Validator> {
        self.declared.members.get(usize::from(member)).map(|m| m.validator)
    }
}

fn firsts(db: &(impl Read + ?Sized), session: Session) -> Result<Vec<First>, StoreError> {
    let rows = FIRSTS.scan(db, &session, None, MEMBERS)?;
    Ok(rows.into_iter().map(|((_, member), (block, valid))| First { block, member, valid }).collect())
}

/// `GenerateKey`: a session which we are to generate keys for. A second one changes nothing.
///
/// # Errors
/// [`Error`].
pub fn declare(
    step: &mut Step<'_>,
    session: Session,
    incarnation: Incarnation,
    declared: Declared,
) -> Result<(), Error> {
    if incarnation == step.me.incarnation && incarnation != Incarnation(0) {
        // We were answered for this session: there may be later ones which nobody told this life of.
        ask(step, session.next())?;
    }
    if SESSIONS.get(step.txn, &session)?.is_some() {
        return Ok(());
    }
    let place = declared.members.iter().position(|m| m.validator == step.me.validator);
    let own = place.and_then(|own| u16::try_from(own).ok());
    let mut state = State { declared, own: 0, through: TributaryBlock(0), stage: Stage::Participate };
    match own {
        Some(own) if state.declared.chain == step.me.chain => {
            step.notice(Notice::KeyGenStarted {
                session,
                members: state.declared.members.len(),
                threshold: state.declared.threshold.0,
            });
            state.own = own;
            SESSIONS.put(step.txn, &session, &state);
            Ok(())
        }
        Some(_) => fail(step, session, state, FailureReason::InvalidParameters, "another base chain"),
        None => fail(step, session, state, FailureReason::InvalidParameters, "we are not a member"),
    }
}

fn fail(
    step: &mut Step<'_>,
    session: Session,
    mut state: State,
    reason: FailureReason,
    why: &str,
) -> Result<(), Error> {
    state.stage = Stage::Failed;
    SESSIONS.put(step.txn, &session, &state);
    let invalid = firsts(step.txn, session)?;
    let invalid = invalid.iter().filter(|f| f.valid == Some(false)).filter_map(|f| state.validator(f.member));
    let culprits = List::new(invalid.collect()).unwrap_or_default();
    step.notice(Notice::KeyGenFailed { session, reason: why.to_owned(), culprits: culprits.to_vec() });
    step.say(&FromProcessor::KeyGen(key_gen::FromProcessor::Failed { session, reason, culprits }))
}

/// A block of the session's tributary.
///
/// # Errors
/// [`Error`].
pub fn block(
    step: &mut Step<'_>,
    session: Session,
    block: TributaryBlock,
    participations: Vec<(Validator, ParticipationBytes)>,
) -> Result<(), Error> {
    let Some(mut state) = SESSIONS.get(step.txn, &session)? else {
        return ask(step, session);
    };
    if block <= state.through {
        return Ok(());
    }
    if block != state.through.next() {
        return ask(step, session);
    }
    state.through = block;
    SESSIONS.put(step.txn, &session, &state);
    if matches!(state.stage, Stage::Done | Stage::Failed) {
        return Ok(());
    }
    for (validator, participation) in participations {
        // The coordinator drops what is not a member's.
        let Some(member) = state.member_of(validator) else { continue };
        // Only the first of each counts, valid or not.
        if FIRSTS.get(step.txn, &(session, member))?.is_some() {
            continue;
        }
        FIRSTS.put(step.txn, &(session, member), &(block, None));
        PARTICIPATIONS.put(step.txn, &(session, member), &participation);
        step.notice(Notice::Participation { session, validator, bytes: participation.len() });
    }
    decide(step, session, state)
}

/// Reports what the log and the verdicts decide, if anything new; the rest is [`next_job`].
fn decide(step: &mut Step<'_>, session: Session, state: State) -> Result<(), Error> {
    if matches!(state.stage, Stage::Done | Stage::Failed) {
        return Ok(());
    }
    match collection(&state.rules(), &firsts(step.txn, session)?, state.through) {
        Collection::Impossible { .. } => {
            fail(step, session, state, FailureReason::TooFewValid, "too few valid participations")
        }
        Collection::Open | Collection::Closed { .. } => Ok(()),
    }
}

/// The next long computation, of the lowest session which has one.
///
/// # Errors
/// [`StoreError`].
pub fn next_job(
    db: &(impl Read + ?Sized),
    network: (Network, NetworkCurve),
) -> Result<Option<Job>, StoreError> {
    for (session, state) in SESSIONS.scan(db, &(), None, MAX_SESSIONS)? {
        if let Some(next) = next(db, session, &state)? {
            let work = next.load(db, session)?;
            let embedded = state.declared.members.get(usize::from(state.own));
            let Some(embedded) = embedded.map(|m| m.embedded.clone()) else { continue };
            let context = state.context(network, session);
            return Ok(Some(Job { context, own: state.own, embedded, work }));
        }
    }
    Ok(None)
}

/// Whether the result of a computation under way still counts (`PROC-20`); that of [`next_job`] does.
///
/// # Errors
/// [`StoreError`].
pub fn is_wanted(db: &(impl Read + ?Sized), job: &Job) -> Result<bool, StoreError> {
    let session = job.context.session;
    let Some(state) = SESSIONS.get(db, &session)? else { return Ok(false) };
    Ok(match (next(db, session, &state)?, &job.work) {
        (Some(Next::Participate), Work::Participate) | (Some(Next::Recover(_)), Work::Recover(_)) => true,
        // More may have arrived meanwhile.
        (Some(Next::Verify(waiting)), Work::Verify(these)) => {
            these.iter().any(|(member, _)| waiting.contains(member))
        }
        _ => false,
    })
}

/// [`Work`] by the places of the members whom it is about.
enum Next {
    Participate,
    Verify(Vec<u16>),
    Recover(Vec<u16>),
}

fn next(db: &(impl Read + ?Sized), session: Session, state: &State) -> Result<Option<Next>, StoreError> {
    if matches!(state.stage, Stage::Done | Stage::Failed) {
        return Ok(None);
    }
    let firsts = firsts(db, session)?;
    let own_is_in = firsts.iter().any(|f| f.member == state.own);
    if (state.stage == Stage::Participate) && !own_is_in {
        return Ok(Some(Next::Participate));
    }
    if let Collection::Closed { dealers, .. } = collection(&state.rules(), &firsts, state.through) {
        return Ok(Some(Next::Recover(dealers)));
    }
    let unverified: Vec<_> = firsts.iter().filter(|f| f.valid.is_none()).map(|f| f.member).collect();
    Ok((!unverified.is_empty()).then_some(Next::Verify(unverified)))
}

impl Next {
    fn load(self, db: &(impl Read + ?Sized), session: Session) -> Result<Work, StoreError> {
        let load = |member: u16| -> Result<(u16, ParticipationBytes), StoreError> {
            let bytes = PARTICIPATIONS.get(db, &(session, member))?;
            let missing =
                || StoreError::Corrupt { table: "key_gen/participation", reason: "missing".to_owned() };
            Ok((member, bytes.ok_or_else(missing)?))
        };
        let all = |members: Vec<u16>| members.into_iter().map(load).collect::<Result<_, _>>();
        Ok(match self {
            Self::Participate => Work::Participate,
            Self::Verify(members) => Work::Verify(all(members)?),
            Self::Recover(members) => Work::Recover(all(members)?),
        })
    }
}

/// Our participation was made: it is stored before it is sent.
///
/// # Errors
/// [`Error`].
pub fn participated(
    step: &mut Step<'_>,
    session: Session,
    participation: ParticipationBytes,
) -> Result<(), Error> {
    let Some(mut state) = SESSIONS.get(step.txn, &session)? else { return Ok(()) };
    if state.stage != Stage::Participate {
        return Ok(());
    }
    state.stage = Stage::Collect;
    SESSIONS.put(step.txn, &session, &state);
    step.notice(Notice::Participated { session, bytes: participation.len() });
    step.say(&FromProcessor::KeyGen(key_gen::FromProcessor::Participation { session, participation }))
}

/// Verdicts about members' participations.
///
/// # Errors
/// [`Error`].
pub fn verified(step: &mut Step<'_>, session: Session, verdicts: &[(u16, bool)]) -> Result<(), Error> {
    let Some(state) = SESSIONS.get(step.txn, &session)? else { return Ok(()) };
    for (member, valid) in verdicts {
        let key = (session, *member);
        let Some((block, None)) = FIRSTS.get(step.txn, &key)? else { continue };
        FIRSTS.put(step.txn, &key, &(block, Some(*valid)));
        let Some(validator) = state.validator(*member) else { continue };
        if !valid {
            step.notice(Notice::Blamed { session, validator });
            step.say(&FromProcessor::KeyGen(key_gen::FromProcessor::Blame { session, validator }))?;
        }
    }
    let firsts = firsts(step.txn, session)?;
    let weight = |f: &&First| state.declared.members.get(usize::from(f.member)).map_or(0, |m| m.shares.0);
    step.notice(Notice::Verified {
        session,
        valid: firsts.iter().filter(|f| f.valid == Some(true)).count(),
        invalid: firsts.iter().filter(|f| f.valid == Some(false)).count(),
        weight: firsts.iter().filter(|f| f.valid == Some(true)).map(|f| weight(&f)).sum(),
        needed: state.declared.threshold.0,
    });
    decide(step, session, state)
}

/// Our keys, checked share by share (`PROC-4`), or why there are none.
///
/// # Errors
/// [`Error`], also if what the store says is closed does not recover: that is ours, and tried again.
pub fn recovered(
    step: &mut Step<'_>,
    session: Session,
    keys: Result<Keys, KeyGenError>,
) -> Result<(), Error> {
    let Some(mut state) = SESSIONS.get(step.txn, &session)? else { return Ok(()) };
    if matches!(state.stage, Stage::Done | Stage::Failed) {
        return Ok(());
    }
    let checked = keys.and_then(|keys| keys.check().map(|()| keys));
    let keys = match checked {
        Ok(keys) => keys,
        Err(error) => return failed(step, session, error),
    };
    let pair = keys.pair()?;
    state.stage = Stage::Done;
    SESSIONS.put(step.txn, &session, &state);
    step.notice(Notice::KeyGenerated { session, pair: pair.clone() });
    keys::store(step, session, &keys, &pair)?;
    step.say(&FromProcessor::KeyGen(key_gen::FromProcessor::GeneratedKeyPair { session, key_pair: pair }))
}

/// A computation cannot be done for this session, or was ended before it was done, which changes nothing (`PROC-20`).
///
/// # Errors
/// [`Error`], also for what is ours and tried again.
pub fn failed(step: &mut Step<'_>, session: Session, error: KeyGenError) -> Result<(), Error> {
    let Some(state) = SESSIONS.get(step.txn, &session)? else { return Ok(()) };
    let why = error.to_string();
    match error {
        KeyGenError::Parameters(_) => fail(step, session, state, FailureReason::InvalidParameters, &why),
        KeyGenError::EmbeddedKeyMissing => {
            fail(step, session, state, FailureReason::EmbeddedKeyMissing, &why)
        }
        KeyGenError::ShareMismatch => fail(step, session, state, FailureReason::ShareMismatch, &why),
        KeyGenError::Internal(_) => Err(error.into()),
        // Not done: it is the next again, if it is still wanted.
        KeyGenError::Cancelled => Ok(()),
    }
}

/// Asks once a life for everything of a session again. The first life of a disk has lost nothing.
fn ask(step: &mut Step<'_>, session: Session) -> Result<(), Error> {
    let incarnation = step.me.incarnation;
    if (incarnation == Incarnation(0)) || ASKED.get(step.txn, &session)?.is_some() {
        return Ok(());
    }
    ASKED.put(step.txn, &session, &());
    step.notice(Notice::AskedAgain { session, incarnation });
    step.say(&FromProcessor::KeyGen(key_gen::FromProcessor::Resend { session, incarnation }))
}

/// A session is spoken of: if its keys may have been ours, ask for them.
///
/// # Errors
/// [`Error`].
pub fn learn_of(step: &mut Step<'_>, session: Session) -> Result<(), Error> {
    if SESSIONS.get(step.txn, &session)?.is_some() {
        return Ok(());
    }
    ask(step, session)
}

/// The session's keys are on the base chain.
///
/// # Errors
/// [`Error`].
pub fn keys_set(step: &mut Step<'_>, session: Session, pair: &KeyPair) -> Result<(), Error> {
    step.notice(Notice::KeysSet { session });
    keys::confirm(step, session, pair)?;
    // Sessions have keys in order: an earlier one without was dropped by the base chain.
    for (earlier, _) in SESSIONS.scan(step.txn, &(), None, MAX_SESSIONS)? {
        if (earlier < session) && !keys::is_confirmed(step.txn, earlier)? {
            retire(step, earlier)?;
        }
    }
    Ok(())
}

/// Stage of each session, ascending.
///
/// # Errors
/// [`StoreError`].
pub fn stages(db: &(impl Read + ?Sized)) -> Result<Vec<(Session, Stage)>, StoreError> {
    let sessions = SESSIONS.scan(db, &(), None, MAX_SESSIONS)?;
    Ok(sessions.into_iter().map(|(session, state)| (session, state.stage)).collect())
}

/// Asks for the first session, at the first start of a disk which is not the first.
///
/// # Errors
/// [`Error`].
pub fn begin(step: &mut Step<'_>) -> Result<(), Error> {
    learn_of(step, Session(0))
}

/// The session is retired or was dropped: its shares and participations are destroyed.
///
/// # Errors
/// [`Error`].
pub fn retire(step: &mut Step<'_>, session: Session) -> Result<(), Error> {
    for (key, _) in FIRSTS.scan(step.txn, &session, None, MEMBERS)? {
        FIRSTS.delete(step.txn, &key);
        PARTICIPATIONS.delete(step.txn, &key);
    }
    keys::destroy(step, session);
    SESSIONS.delete(step.txn, &session);
    step.notice(Notice::Retired { session });
    Ok(())
}

#[cfg(test)]
mod tests;
