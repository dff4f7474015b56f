//! What a processor decides: pure functions of a store's transaction, called with time, randomness and the results
//! of slow computations as values.
//!
//! ```text
//! message of the coordinator --handle--> key_gen | signing | feed -> batches, payments
//! participation made, verdicts, keys --> key_gen
//! the time                           --> batches  --> signing (attempt 0)
//! what the network's accounts paid   --> payments --> rows, letters to the coordinator, notices: as from the others
//! ```
//!
//! One step is one transaction: the message's intent, its effects and the letters commit together, so a message is
//! handled once (`PROC-6`), and what was sent once is sent again byte for byte.

pub mod batches;
pub mod closing;
mod feed;
pub mod key_gen;
pub mod keys;
pub mod payments;
pub mod signing;

use coordinator_base_chain::NetworkCurve;
use coordinator_store::{Outbox, Put, StoreError, Table, Transaction};
use processor_messages::{
    ChainGenesis, FromProcessor, Incarnation, Intent, Network, Session, ToProcessor, Validator, base_chain,
    encode,
};
use rand_core::{CryptoRng, RngCore};

use crate::{
    dkg::KeyGenError,
    external_network::ExternalNetwork,
    ledger::Ledger,
    status::Notice,
    vault::{Sealer, VaultError},
};

/// The most letters which wait for the coordinator. At the bound a step fails and is tried again, so nothing new is
/// taken from the coordinator until it takes what waits.
pub const MAX_LETTERS: u64 = 4_096;

/// Letters to the coordinator, in order.
pub const LETTERS: Outbox<(), Vec<u8>> = Outbox::new("letters", MAX_LETTERS);
/// Intents of the messages which were handled. Kept for ever.
const HANDLED: Table<Vec<u8>, ()> = Table::new("handled");
/// The life of this disk.
const LIFE: Table<(), Incarnation> = Table::new("incarnation");
/// Whose store this is.
const OWNER: Table<(), Owner> = Table::new("owner");
/// Sessions which will not sign, and why.
const HALTED: Table<Session, String> = Table::new("halted");

/// Why a step failed; it is tried again after a delay.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sealed value does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A key generation's computation failed in a way which concerns the machine and not the protocol.
    #[error(transparent)]
    KeyGen(#[from] KeyGenError),
    /// The coordinator does not take letters.
    #[error(
        "{MAX_LETTERS} messages wait for the coordinator, which takes none: start it, or correct its URL"
    )]
    LettersFull,
    /// The network does not take payments.
    #[error(
        "{} signed payments wait for the network, which takes none: start it, or correct external_network.url",
        payments::MAX_WAITING
    )]
    PaymentsFull,
}

/// Who this processor is. Does not change while it runs.
#[derive(Debug)]
pub struct Identity {
    /// The network served.
    pub network: Network,
    /// The curve of its keys.
    pub curve: NetworkCurve,
    /// Whose processor.
    pub validator: Validator,
    /// Which base chain.
    pub chain: ChainGenesis,
    /// The life of the disk.
    pub incarnation: Incarnation,
    /// Seals shares and nonces in the store.
    pub sealer: Sealer,
    /// Shares which were opened.
    pub opened: keys::Opened,
    /// The simulated network.
    pub external: ExternalNetwork,
}

impl Identity {
    /// What the network's payments are bound to.
    pub fn ledger(&self) -> Ledger {
        Ledger { chain: self.chain, network: self.network, curve: self.curve }
    }
}

/// A source of randomness.
pub trait Randomness: RngCore + CryptoRng {}
impl<R: RngCore + CryptoRng> Randomness for R {}

/// One step: all that a rule may read, write and say. Dropped with the transaction if the step fails.
pub struct Step<'a> {
    /// Reads and writes.
    pub txn: &'a mut dyn Transaction,
    /// Who we are.
    pub me: &'a Identity,
    /// For nonces.
    pub rng: &'a mut dyn Randomness,
    /// What was decided, for the log.
    pub notices: Vec<Notice>,
}

impl<'a> Step<'a> {
    /// Begins a step.
    pub fn new(txn: &'a mut dyn Transaction, me: &'a Identity, rng: &'a mut dyn Randomness) -> Self {
        Self { txn, me, rng, notices: Vec::new() }
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// Leaves a letter for the coordinator. One which waits under the same intent stays as it is.
    pub(crate) fn say(&mut self, message: &FromProcessor) -> Result<(), Error> {
        let intent = message.intent(self.me.network);
        match LETTERS.put(self.txn, &(), intent.as_bytes(), encode(message))? {
            Put::Added | Put::Kept | Put::Differs => Ok(()),
            Put::Full => Err(Error::LettersFull),
        }
    }

    /// Whether this intent is new; it is not from here on.
    fn begin(&mut self, intent: &Intent) -> Result<bool, Error> {
        let intent = intent.as_bytes().to_vec();
        let new = HANDLED.get(self.txn, &intent)?.is_none();
        HANDLED.put(self.txn, &intent, &());
        Ok(new)
    }

    /// Stops signing for a session, with a recorded reason; the first counts.
    pub(crate) fn halt(&mut self, session: Session, reason: &str) -> Result<(), Error> {
        if HALTED.get(self.txn, &session)?.is_none() {
            HALTED.put(self.txn, &session, &reason.to_owned());
            self.notice(Notice::Halted { session, reason: reason.to_owned() });
        }
        Ok(())
    }

    pub(crate) fn is_halted(&self, session: Session) -> Result<bool, Error> {
        Ok(HALTED.get(self.txn, &session)?.is_some())
    }
}

/// Base chain, network and validator of a store.
pub type Owner = (ChainGenesis, Network, Validator);

/// Takes a store which is nobody's; returns whose it is.
///
/// # Errors
/// [`StoreError`].
pub fn claim(txn: &mut dyn Transaction, owner: Owner) -> Result<Owner, StoreError> {
    if let Some(owner) = OWNER.get(txn, &())? {
        return Ok(owner);
    }
    OWNER.put(txn, &(), &owner);
    Ok(owner)
}

/// Finds or begins the life of this disk: 0 if `first` says that nothing came before, else the time.
///
/// # Errors
/// [`StoreError`].
pub fn incarnation(
    txn: &mut dyn Transaction,
    first: bool,
    now_unix_ms: u64,
) -> Result<Incarnation, StoreError> {
    if let Some(life) = LIFE.get(txn, &())? {
        return Ok(life);
    }
    let life = Incarnation(if first { 0 } else { now_unix_ms.max(1) });
    LIFE.put(txn, &(), &life);
    Ok(life)
}

/// Handles a message of the coordinator once; a repetition does nothing (`PROC-6`).
///
/// # Errors
/// [`Error`]; nothing of the step is then kept, and the message comes again.
pub fn handle(step: &mut Step<'_>, message: ToProcessor) -> Result<(), Error> {
    use processor_messages::{coordinator::ToProcessor as C, key_gen::ToProcessor as K};
    // What is not taken comes again, and is then the first under its intent.
    if !feed::takes(step, &message)? || !step.begin(&message.intent(step.me.network))? {
        return Ok(());
    }
    match message {
        ToProcessor::KeyGen(K::GenerateKey { session, incarnation, chain, threshold, grace, members }) => {
            let declared = key_gen::Declared { chain, threshold, grace, members };
            key_gen::declare(step, session, incarnation, declared)
        }
        ToProcessor::KeyGen(K::Block { session, block, participations, .. }) => {
            key_gen::block(step, session, block, participations.into_inner())
        }
        ToProcessor::Sign(message) => signing::handle(step, message),
        ToProcessor::Coordinator(C::CosignBlock { session, block, hash }) => {
            signing::start(step, session, signing::Subject::Cosign { block, hash })
        }
        ToProcessor::Coordinator(C::SignSlashReport { session, report }) => {
            signing::start(step, session, signing::Subject::SlashReport(report))
        }
        ToProcessor::BaseChain(message) => base_chain(step, message),
    }
}

fn base_chain(step: &mut Step<'_>, message: base_chain::ToProcessor) -> Result<(), Error> {
    use base_chain::{FromProcessor as Reply, ToProcessor as B};
    match message {
        B::FromTheBeginning { incarnation, through } => {
            feed::begin(step, incarnation, through);
            Ok(())
        }
        B::SetKeys { time_unix_secs, session, key_pair } => {
            key_gen::learn_of(step, session)?;
            key_gen::keys_set(step, session, &key_pair)?;
            payments::keys_set(step, session, &key_pair)?;
            batches::keys_set(step, session, time_unix_secs)
        }
        B::SlashesReported { session } => {
            signing::retire(step, session)?;
            payments::retire(step, session)?;
            batches::retire(step, session);
            key_gen::retire(step, session)
        }
        B::Block { number, batches, burns } => {
            feed::reached(step, number)?;
            for batch in batches {
                key_gen::learn_of(step, batch.publisher)?;
                signing::executed(step, &batch)?;
                batches::executed(step, &batch)?;
            }
            let transactions = payments::block(step, number, &burns)?;
            step.say(&FromProcessor::BaseChain(Reply::BlockAcknowledged { block: number, transactions }))
        }
    }
}
