//! What a network's processor learns of the base chain, in order and from the beginning.
//!
//! ```text
//! base chain's block -> entry -> handed over once its batch is verified -> processor
//!                         └── kept: a processor which lost its disk gets FromTheBeginning and all of them again
//! ```
//!
//! A burn may pay out only what a batch minted which our own processor made as well, so an entry waits for
//! the verification of its batch, and everything after it waits too (`COORD-5`).

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{
    BaseBlock, BatchId, Incarnation, Network, ToProcessor, base_chain, codec::MAX_MESSAGE_BYTES, decode,
    encode,
};

use crate::{Error, Step, batch, outbox};

#[derive(BorshSerialize, BorshDeserialize)]
struct Entry {
    message: Vec<u8>,
    /// The batch which must be verified first.
    after: Option<BatchId>,
}

#[derive(Clone, Copy, Default, BorshSerialize, BorshDeserialize)]
struct State {
    entries: u64,
    handed_over: u64,
    incarnation: Incarnation,
    /// `FromTheBeginning` is still to be said to this incarnation.
    to_announce: bool,
    /// The last block which was handed over to any incarnation.
    through: BaseBlock,
}

const ENTRIES: Table<(Network, u64), Entry> = Table::new("feed/entry");
const STATES: Table<Network, State> = Table::new("feed/state");

fn state(db: &(impl Read + ?Sized), network: Network) -> Result<State, StoreError> {
    Ok(STATES.get(db, &network)?.unwrap_or_default())
}

/// Appends what happened.
pub(crate) fn append(
    txn: &mut dyn Transaction,
    network: Network,
    message: &ToProcessor,
    after: Option<BatchId>,
) -> Result<(), StoreError> {
    let mut state = state(txn, network)?;
    ENTRIES.put(txn, &(network, state.entries), &Entry { message: encode(message), after });
    state.entries = state.entries.saturating_add(1);
    STATES.put(txn, &network, &state);
    Ok(())
}

/// The next entry, if it may be handed over.
fn due(db: &(impl Read + ?Sized), network: Network) -> Result<Option<Entry>, StoreError> {
    let verified = batch::progress(db, network)?.verified;
    let entry = ENTRIES.get(db, &(network, state(db, network)?.handed_over))?;
    let is_due =
        |entry: &Entry| mutated!(FeedBeforeVerification) || entry.after.is_none_or(|id| id < verified);
    Ok(entry.filter(is_due))
}

/// Whether anything may be handed over now.
pub(crate) fn owes(db: &(impl Read + ?Sized), network: Network) -> Result<bool, StoreError> {
    Ok(state(db, network)?.to_announce || due(db, network)?.is_some())
}

/// Hands over what may be: all up to the first entry whose batch is not verified, while there is room. The feed
/// itself remembers how far it came.
pub(crate) fn deliver(step: &mut Step<'_>, network: Network) -> Result<(), Error> {
    if !step.me.networks.contains(&network) {
        return Ok(());
    }
    let mut room = outbox::Room::default();
    let mut state = state(step.txn, network)?;
    if state.to_announce {
        let (incarnation, through) = (state.incarnation, state.through);
        let message = base_chain::ToProcessor::FromTheBeginning { incarnation, through };
        if !room.send(step, network, incarnation, &ToProcessor::BaseChain(message))? {
            return Ok(());
        }
        state.to_announce = false;
        STATES.put(step.txn, &network, &state);
    }
    while let Some(entry) = due(step.txn, network)? {
        let message = message(&entry)?;
        if !room.send(step, network, state.incarnation, &message)? {
            return Ok(());
        }
        if let ToProcessor::BaseChain(base_chain::ToProcessor::Block { number, .. }) = message {
            state.through = state.through.max(number);
        }
        state.handed_over = state.handed_over.saturating_add(1);
        STATES.put(step.txn, &network, &state);
    }
    Ok(())
}

/// Hands everything over again, once for each life of the processor's disk (`COORD-10`).
pub(crate) fn resend(step: &mut Step<'_>, network: Network, incarnation: Incarnation) -> Result<(), Error> {
    let former = state(step.txn, network)?;
    if incarnation <= former.incarnation {
        return Ok(());
    }
    STATES.put(step.txn, &network, &State { handed_over: 0, incarnation, to_announce: true, ..former });
    deliver(step, network)
}

fn message(entry: &Entry) -> Result<ToProcessor, StoreError> {
    decode(&entry.message, MAX_MESSAGE_BYTES)
        .map_err(|e| StoreError::Corrupt { table: "feed/entry", reason: e.to_string() })
}

/// How many entries wait, and for which batch's verification the first of them does.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn waiting(db: &(impl Read + ?Sized), network: Network) -> Result<(u64, Option<BatchId>), StoreError> {
    let state = state(db, network)?;
    let after = ENTRIES.get(db, &(network, state.handed_over))?.and_then(|entry| entry.after);
    Ok((state.entries.saturating_sub(state.handed_over), after))
}
