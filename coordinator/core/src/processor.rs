//! What a processor's messages mean. Exactly once by intent: the message queue hands each over once, in the
//! step which acknowledges it.
//!
//! ```text
//! message ─┬─▶ its network is halted: stays the next one of the queue
//!          ├─▶ its session is halted, or something of it waits: shelf ─▶ handled once the halt is lifted
//!          └─▶ handled
//! ```
//!
//! Nothing which is said of what is halted is lost: a processor says everything once (`COORD-24`).

use std::collections::BTreeSet;

use coordinator_store::{Read, StoreError};
use processor_messages::{
    FromProcessor, Incarnation, List, MAX_INSTRUCTIONS, Network, Session, TransactionId, ValidatorSet,
    base_chain, coordinator, key_gen, sign,
};

use crate::{
    Error, Notice, Step,
    base_chain::compare_keys,
    batch, cosign, feed, halt,
    notice::Event,
    session::{
        self, Life, SetRecord, SetSpec, confirmation, failure, own, relay, report,
        transaction::{Provided, Signed},
    },
    shelf,
};

/// Handles a message of a network's processor, or keeps it if its session is halted.
///
/// # Errors
/// [`Error`], among them [`Error::Halted`]; nothing of the step may be kept then, and the message stays the next one.
pub fn apply(step: &mut Step<'_>, network: Network, message: FromProcessor) -> Result<(), Error> {
    if halt::of_network(step.txn, network)?.is_some() {
        return Err(Error::Halted { network, what: "the network is halted" });
    }
    for part in parts(message) {
        match waiting_for(step.txn, network, &part)? {
            Some(set) => keep(step, set, &part)?,
            None => handle(step, network, part)?,
        }
    }
    Ok(())
}

/// A message about several sessions as one for each; nothing of one which is about none.
fn parts(message: FromProcessor) -> Vec<FromProcessor> {
    let FromProcessor::BaseChain(base_chain::FromProcessor::BlockAcknowledged { block, transactions }) =
        message
    else {
        return vec![message];
    };
    let sessions: BTreeSet<Session> = transactions.iter().map(|(session, _)| *session).collect();
    let part = |session| {
        let of_session: Vec<_> = transactions.iter().filter(|(of, _)| *of == session).copied().collect();
        // No more than there were of all.
        let transactions = List::new(of_session).unwrap_or_default();
        FromProcessor::BaseChain(base_chain::FromProcessor::BlockAcknowledged { block, transactions })
    };
    sessions.into_iter().map(part).collect()
}

/// The session whose halt a message has to wait for; `None` if it is about the network, or taken in spite of halts.
fn session_of(message: &FromProcessor) -> Option<Session> {
    use FromProcessor as M;
    match message {
        M::KeyGen(
            key_gen::FromProcessor::Participation { session, .. }
            | key_gen::FromProcessor::GeneratedKeyPair { session, .. }
            | key_gen::FromProcessor::Blame { session, .. }
            | key_gen::FromProcessor::Failed { session, .. }
            | key_gen::FromProcessor::Resend { session, .. },
        )
        | M::Coordinator(
            coordinator::FromProcessor::SignedBatch { session, .. }
            | coordinator::FromProcessor::SignedSlashReport { session, .. },
        )
        | M::BaseChain(base_chain::FromProcessor::TransactionCompleted { session, .. }) => Some(*session),
        M::Sign(
            sign::FromProcessor::Preprocesses { id, .. }
            | sign::FromProcessor::Shares { id, .. }
            | sign::FromProcessor::InvalidParticipant { id, .. },
        ) => Some(id.session),
        M::BaseChain(base_chain::FromProcessor::BlockAcknowledged { transactions, .. }) => {
            transactions.first().map(|(session, _)| *session)
        }
        // A cosign is as good as its signature, and batches are the network's.
        M::Coordinator(coordinator::FromProcessor::CosignedBlock { .. })
        | M::BaseChain(base_chain::FromProcessor::Batch { .. }) => None,
    }
}

/// The set of ours, which is not over, on whose shelf a message belongs.
fn waiting_for(
    db: &(impl Read + ?Sized),
    network: Network,
    message: &FromProcessor,
) -> Result<Option<ValidatorSet>, StoreError> {
    let Some(session) = session_of(message) else { return Ok(None) };
    let set = ValidatorSet { network, session };
    let active = session::get(db, set)?.is_some_and(|record| record.life == Life::Active);
    Ok((active && shelf::takes(db, set)?).then_some(set))
}

fn keep(step: &mut Step<'_>, set: ValidatorSet, message: &FromProcessor) -> Result<(), Error> {
    if let FromProcessor::KeyGen(key_gen::FromProcessor::Resend { incarnation, .. }) = message {
        // The feed is the network's.
        feed::resend(step, set.network, *incarnation)?;
    }
    shelf::put(step, set, message)
}

fn handle(step: &mut Step<'_>, network: Network, message: FromProcessor) -> Result<(), Error> {
    match message {
        FromProcessor::KeyGen(message) => key_gen(step, network, message),
        FromProcessor::Sign(message) => sign(step, network, message),
        FromProcessor::Coordinator(message) => coordinator(step, network, message),
        FromProcessor::BaseChain(message) => base_chain(step, network, message),
    }
}

/// At most so many sets of a network are looked at.
const MAX_SETS: usize = 1_024;

/// What is to be gone on with for a session.
enum Due {
    /// Its processor's first message which waits is to be handled.
    Said(ValidatorSet),
    /// Blocks of its tributary are owed to its processor.
    Blocks(SetSpec),
}

/// The first session of a network with something that is due.
fn due(db: &(impl Read + ?Sized), network: Network) -> Result<Option<Due>, StoreError> {
    for (set, SetRecord { spec, life, .. }) in session::SETS.scan(db, &network, None, MAX_SETS)? {
        if life != Life::Active {
            continue;
        }
        let said = shelf::len(db, set)? > 0;
        if (said || relay::owes(db, &spec)?) && halt::of_session(db, set)?.is_none() {
            return Ok(Some(if said { Due::Said(set) } else { Due::Blocks(spec) }));
        }
    }
    Ok(None)
}

/// Whether there is more to do for a network's processor: what it said while a session was halted can be handled, or
/// it can be given more of what has gathered for it (`COORD-10`, `COORD-24`).
///
/// # Errors
/// [`StoreError`] of the store.
pub fn owes(db: &(impl Read + ?Sized), network: Network) -> Result<bool, StoreError> {
    if halt::of_network(db, network)?.is_some() {
        return Ok(false);
    }
    Ok(feed::owes(db, network)? || due(db, network)?.is_some())
}

/// Handles the first message which waited for the end of a halt; if there is none, hands over what has gathered for a
/// network's processor, as much as one step may.
///
/// # Errors
/// [`Error`]; nothing of the step may be kept then.
pub fn deliver(step: &mut Step<'_>, network: Network) -> Result<(), Error> {
    if halt::of_network(step.txn, network)?.is_some() {
        return Ok(());
    }
    match due(step.txn, network)? {
        Some(Due::Said(set)) => match shelf::pop(step.txn, set)? {
            Some(message) => handle(step, network, message),
            None => Ok(()),
        },
        Some(Due::Blocks(spec)) => relay::deliver(step, &spec),
        None => feed::deliver(step, network),
    }
}

fn dropped(step: &mut Step<'_>, network: Network, what: &'static str) {
    step.notice(Notice::of_network(network, Event::MessageDropped { what }));
}

/// The set of a session, if we are in it and it is not over.
fn live(step: &mut Step<'_>, network: Network, session: Session) -> Result<Option<SetRecord>, Error> {
    let set = ValidatorSet { network, session };
    let record = session::get(step.txn, set)?.filter(|r| r.life == Life::Active);
    if record.is_none() {
        dropped(step, network, "of a session which is not ours, or over");
    }
    Ok(record)
}

fn key_gen(step: &mut Step<'_>, network: Network, message: key_gen::FromProcessor) -> Result<(), Error> {
    use key_gen::FromProcessor as M;
    let session = match &message {
        M::Participation { session, .. }
        | M::GeneratedKeyPair { session, .. }
        | M::Blame { session, .. }
        | M::Failed { session, .. }
        | M::Resend { session, .. } => *session,
    };
    if let M::Resend { incarnation, .. } = message {
        return resend(step, network, session, incarnation);
    }
    let Some(SetRecord { spec, .. }) = live(step, network, session)? else { return Ok(()) };
    match message {
        M::Resend { .. } => {}
        M::Participation { participation, .. } => {
            own::publish(step, &spec, &Signed::DkgParticipation(participation))?;
        }
        M::GeneratedKeyPair { key_pair, .. } => {
            relay::processor_done(step, &spec)?;
            step.notice(Notice::of_set(spec.set(), Event::KeyPairGenerated));
            confirmation::generated(step, &spec, &key_pair)?;
            compare_keys(step, spec.set())?;
        }
        M::Blame { validator, .. } => {
            if spec.index_of(validator).is_some() {
                own::publish(step, &spec, &Signed::Blame { validator })?;
            }
        }
        M::Failed { reason, culprits, .. } => {
            relay::processor_done(step, &spec)?;
            let event = Event::KeyGenerationFailed { reason: format!("{reason:?}") };
            step.notice(Notice::of_set(spec.set(), event));
            failure::record(step, spec.set(), reason, culprits.into_inner());
        }
    }
    Ok(())
}

/// Our processor lost its disk. The network's feed outlives sets: it is owed also to a processor whose sets are
/// all over (`COORD-10`).
fn resend(
    step: &mut Step<'_>,
    network: Network,
    session: Session,
    incarnation: Incarnation,
) -> Result<(), Error> {
    if let Some(SetRecord { spec, .. }) = live(step, network, session)?
        && relay::resend(step, &spec, incarnation)?
    {
        report::resend(step, &spec, incarnation)?;
    }
    feed::resend(step, network, incarnation)
}

fn sign(step: &mut Step<'_>, network: Network, message: sign::FromProcessor) -> Result<(), Error> {
    use sign::FromProcessor as M;
    let id = match &message {
        M::Preprocesses { id, .. } | M::Shares { id, .. } | M::InvalidParticipant { id, .. } => *id,
    };
    let Some(SetRecord { spec, .. }) = live(step, network, id.session)? else { return Ok(()) };
    match message {
        M::Preprocesses { preprocesses, .. } => session::own_preprocesses(step, &spec, id, preprocesses),
        M::Shares { shares, .. } => session::own_shares(step, &spec, id, shares),
        M::InvalidParticipant { participant, .. } => {
            Ok(session::report_invalid(step, &spec, id, participant)?)
        }
    }
}

fn coordinator(
    step: &mut Step<'_>,
    network: Network,
    message: coordinator::FromProcessor,
) -> Result<(), Error> {
    use coordinator::FromProcessor as M;
    match message {
        M::SignedBatch { session, batch } => return batch::signed(step, network, session, &batch),
        M::CosignedBlock { session, block, hash, signature } => {
            return cosign::signed(step, ValidatorSet { network, session }, (block, hash, signature));
        }
        M::SignedSlashReport { session, report, signature } => {
            if let Some(SetRecord { spec, .. }) = live(step, network, session)? {
                report::signed_by_processor(step, &spec, report, signature)?;
            }
        }
    }
    Ok(())
}

fn base_chain(
    step: &mut Step<'_>,
    network: Network,
    message: base_chain::FromProcessor,
) -> Result<(), Error> {
    use base_chain::FromProcessor as M;
    match message {
        M::Batch { session, batch } => batch::expected(step, network, session, &batch),
        M::TransactionCompleted { session, id } => {
            let Some(SetRecord { spec, .. }) = live(step, network, session)? else { return Ok(()) };
            Ok(session::completed(step, &spec, id)?)
        }
        M::BlockAcknowledged { block, transactions } => {
            let Some((session, _)) = transactions.first() else { return Ok(()) };
            let Some(SetRecord { spec, .. }) = live(step, network, *session)? else { return Ok(()) };
            let ids: Vec<TransactionId> = transactions.iter().map(|(_, id)| *id).collect();
            let transactions = List::<_, MAX_INSTRUCTIONS>::new(ids)
                .map_err(|e| Error::broken(spec.set(), e.to_string()))?;
            own::provide(step, spec.genesis, &Provided::BaseBlock { block, transactions })?;
            Ok(())
        }
    }
}
