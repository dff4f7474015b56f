//! What a processor's messages mean. Exactly once by intent: the message queue hands each over once, in the
//! step which acknowledges it.

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
};

/// Handles a message of a network's processor.
///
/// # Errors
/// [`Error`]; nothing of the step may be kept then, and the message stays the next one.
pub fn apply(step: &mut Step<'_>, network: Network, message: FromProcessor) -> Result<(), Error> {
    if halt::of_network(step.txn, network)?.is_some() {
        dropped(step, network, "the network is halted");
        return Ok(());
    }
    match message {
        FromProcessor::KeyGen(message) => key_gen(step, network, message),
        FromProcessor::Sign(message) => sign(step, network, message),
        FromProcessor::Coordinator(message) => coordinator(step, network, message),
        FromProcessor::BaseChain(message) => base_chain(step, network, message),
    }
}

/// At most so many sets of a network are looked at.
const MAX_SETS: usize = 1_024;

/// The sets of a network for which something is owed to its processor.
fn owed_sets(db: &(impl Read + ?Sized), network: Network) -> Result<Vec<SetSpec>, StoreError> {
    let mut owed = Vec::new();
    for (set, SetRecord { spec, life, .. }) in session::SETS.scan(db, &network, None, MAX_SETS)? {
        if (life == Life::Active) && relay::owes(db, &spec)? && halt::of_session(db, set)?.is_none() {
            owed.push(spec);
        }
    }
    Ok(owed)
}

/// Whether a network's processor can be given more of what has gathered for it (`COORD-10`).
///
/// # Errors
/// [`StoreError`] of the store.
pub fn owes(db: &(impl Read + ?Sized), network: Network) -> Result<bool, StoreError> {
    if halt::of_network(db, network)?.is_some() {
        return Ok(false);
    }
    Ok(feed::owes(db, network)? || !owed_sets(db, network)?.is_empty())
}

/// Hands over what has gathered for a network's processor, as much as one step may.
///
/// # Errors
/// [`Error`]; nothing of the step may be kept then.
pub fn deliver(step: &mut Step<'_>, network: Network) -> Result<(), Error> {
    if halt::of_network(step.txn, network)?.is_some() {
        return Ok(());
    }
    if let Some(spec) = owed_sets(step.txn, network)?.first() {
        return relay::deliver(step, spec);
    }
    feed::deliver(step, network)
}

fn dropped(step: &mut Step<'_>, network: Network, what: &'static str) {
    step.notice(Notice::of_network(network, Event::MessageDropped { what }));
}

/// The set of a session, if we are in it and it is neither over nor halted.
fn live(step: &mut Step<'_>, network: Network, session: Session) -> Result<Option<SetRecord>, Error> {
    let set = ValidatorSet { network, session };
    let record = session::get(step.txn, set)?.filter(|r| r.life == Life::Active);
    if record.is_some() && halt::of_session(step.txn, set)?.is_none() {
        return Ok(record);
    }
    dropped(step, network, "of a session which is not ours, over, or halted");
    Ok(None)
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
            own::provide(step, spec.genesis, &Provided::TransactionCompleted { id })?;
            step.notice(Notice::of_set(spec.set(), Event::TransactionCompleted { id }));
            Ok(())
        }
        M::BlockAcknowledged { block, transactions } => {
            let mut sessions: Vec<Session> = transactions.iter().map(|(session, _)| *session).collect();
            sessions.sort_unstable();
            sessions.dedup();
            for session in sessions {
                let Some(SetRecord { spec, .. }) = live(step, network, session)? else { continue };
                let ids: Vec<TransactionId> =
                    transactions.iter().filter(|(s, _)| *s == session).map(|(_, id)| *id).collect();
                let transactions = List::<_, MAX_INSTRUCTIONS>::new(ids)
                    .map_err(|e| Error::broken(spec.set(), e.to_string()))?;
                own::provide(step, spec.genesis, &Provided::BaseBlock { block, transactions })?;
            }
            Ok(())
        }
    }
}
