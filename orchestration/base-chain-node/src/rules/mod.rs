//! The rules of the reference base chain: a pure state machine over blocks.
//!
//! ```text
//!   BlockBuilder::begin(state, time)      deadlines pass, epochs end (`sets`)
//!        │ push(transaction) ──▶ applied, or a Refusal and nothing changed
//!        ▼                        accounts · stake · registration · sets · batches
//!   finish() ──▶ Block (header, transactions, events) and Writes
//! ```
//!
//! The same builder makes a proposal (pushing what waits), judges one and applies one (a block with a
//! refused transaction is invalid), and tries a submission (thrown away). Time is the block's, storage is a
//! read-only state and the writes to be done to it; no randomness.
//!
//! The state root is `H(former root, number, every changed key with its new value's hash, in key order)`:
//! equal roots mean equal histories of changes, hence equal states (`BASE-3`).
//!
//! What callers uphold: [`init`] once, then the writes of each block, in order, before the next begins.
//! Spec: `spec/base-chain.md`.

mod accounts;
mod batches;
mod genesis;
mod registration;
mod sets;
mod shares;
mod stake;
pub(crate) mod state;

use blake2::{Blake2b, Digest, digest::consts::U32};
use coordinator_base_chain::{Block, Event, Header, Refusal, Transaction, TransactionHash, merkle_root};
use coordinator_store::{Read, Step, StoreError, Writes, nested};
use processor_messages::{BaseBlock, ChainGenesis};

pub(crate) use accounts::MAX_NONCE_AHEAD;
pub use batches::MAX_BURNS_IN_BLOCK;
pub use genesis::{GenesisError, GenesisKey, GenesisState, GenesisValidator, init};
pub use shares::{allocate_shares, most_shares};
use state::{BLOCKS, CHAIN, HEAD, HeadRecord, INCLUDED};

/// Why a step of the rules ended early.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Stop {
    /// The transaction changes nothing.
    Refused(Refusal),
    /// The store failed.
    Store(StoreError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

type Ruling<T = ()> = Result<T, Stop>;

/// What a rule works on: the state, the block's facts, and the events so far.
struct Work<'a> {
    txn: &'a mut dyn coordinator_store::Transaction,
    chain_id: &'a str,
    chain: ChainGenesis,
    number: BaseBlock,
    events: &'a mut Vec<Event>,
}

/// A block being made on top of the latest one.
pub struct BlockBuilder<'a> {
    db: &'a dyn Read,
    step: Step<'a>,
    head: HeadRecord,
    chain_id: String,
    chain: ChainGenesis,
    number: BaseBlock,
    time_unix_ms: u64,
    transactions: Vec<TransactionHash>,
    events: Vec<Event>,
}

impl<'a> BlockBuilder<'a> {
    /// Begins the block after the latest one; deadlines pass and epochs end here. A time that is not greater
    /// than the latest block's counts as one millisecond after it.
    ///
    /// # Errors
    /// [`StoreError`] if the state does not read, or was never initialized.
    pub fn begin(db: &'a dyn Read, time_unix_ms: u64) -> Result<Self, StoreError> {
        let missing = || StoreError::Corrupt { table: "base/head", reason: "no genesis".to_owned() };
        let head = HEAD.get(db, &())?.ok_or_else(missing)?;
        let chain = CHAIN.get(db, &())?.ok_or_else(missing)?;
        let mut this = Self {
            db,
            step: Step::new(db),
            chain_id: chain.id,
            chain: chain.genesis,
            number: head.number.next(),
            time_unix_ms: time_unix_ms.max(head.time_unix_ms.saturating_add(1)),
            head,
            transactions: Vec::new(),
            events: Vec::new(),
        };
        match this.work(sets::begin_block) {
            Ok(()) => Ok(this),
            Err(Stop::Store(error)) => Err(error),
            // What the beginning of a block moves was counted before, so this is damage, not a refusal.
            Err(Stop::Refused(refusal)) => {
                Err(StoreError::Corrupt { table: "base", reason: format!("a block cannot begin: {refusal}") })
            }
        }
    }

    /// Runs a rule; if it stops nothing of it is kept.
    fn work(&mut self, rule: impl FnOnce(&mut Work<'_>) -> Ruling) -> Ruling {
        let (chain_id, chain, number) = (self.chain_id.as_str(), self.chain, self.number);
        let mut events = Vec::new();
        nested(&mut self.step, |txn| rule(&mut Work { txn, chain_id, chain, number, events: &mut events }))?;
        self.events.append(&mut events);
        Ok(())
    }

    /// Applies a transaction, or refuses it and changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub fn push(&mut self, transaction: &Transaction) -> Result<Result<(), Refusal>, StoreError> {
        match self.work(|work| execute(work, transaction)) {
            Ok(()) => {
                self.transactions.push(transaction.hash());
                Ok(Ok(()))
            }
            Err(Stop::Refused(refusal)) => Ok(Err(refusal)),
            Err(Stop::Store(error)) => Err(error),
        }
    }

    /// The block's number.
    pub fn number(&self) -> BaseBlock {
        self.number
    }

    /// The block's time, in milliseconds since the Unix epoch.
    pub fn time_unix_ms(&self) -> u64 {
        self.time_unix_ms
    }

    /// The block, and what must be written for it to be the latest.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if the block changes more than a step may write.
    pub fn finish(self) -> Result<(Block, Writes), StoreError> {
        let mut writes = self.step.finish()?;
        let header = Header {
            chain: self.chain,
            number: self.number,
            parent: self.head.hash,
            time_unix_ms: self.time_unix_ms,
            transactions_root: merkle_root(&self.transactions),
            events_root: merkle_root(&self.events),
            state_root: state_root(self.head.state_root, self.number, &writes),
        };
        let block = Block { header, transactions: self.transactions, events: self.events };
        writes.extend(record_block(self.db, &block)?);
        Ok((block, writes))
    }
}

fn state_root(former: [u8; 32], number: BaseBlock, writes: &Writes) -> [u8; 32] {
    let mut digest = Blake2b::<U32>::new();
    digest.update(b"headwater base chain state v1");
    digest.update(former);
    digest.update(number.0.to_le_bytes());
    for (key, value) in writes {
        digest.update((key.len() as u64).to_le_bytes());
        digest.update(key);
        match value {
            Some(value) => {
                digest.update([1]);
                digest.update(Blake2b::<U32>::digest(value));
            }
            None => digest.update([0]),
        }
    }
    digest.finalize().into()
}

/// What a block adds to the chain beside the state.
fn record_block(db: &dyn Read, block: &Block) -> Result<Writes, StoreError> {
    let mut step = Step::new(db);
    let head = HeadRecord {
        number: block.number(),
        hash: block.hash(),
        time_unix_ms: block.header.time_unix_ms,
        state_root: block.header.state_root,
    };
    HEAD.put(&mut step, &(), &head);
    BLOCKS.put(&mut step, &block.number(), block);
    for (index, hash) in (0_u32..).zip(&block.transactions) {
        INCLUDED.put(&mut step, &hash.0, &(block.number(), index));
    }
    step.finish()
}

/// Writes a finished block's writes into a transaction.
pub fn commit(txn: &mut dyn coordinator_store::Transaction, writes: Writes) {
    for (key, value) in writes {
        match value {
            Some(value) => txn.put(key, value),
            None => txn.delete(&key),
        }
    }
}

fn execute(work: &mut Work<'_>, transaction: &Transaction) -> Ruling {
    // No kind can be applied twice: calls by their nonce, the others by what they decide once.
    match transaction {
        Transaction::Call(call) => accounts::call(work, call),
        Transaction::SetKeys(keys) => sets::set_keys(work, keys),
        Transaction::ExecuteBatch(signed) => batches::execute(work, signed),
        Transaction::ReportSlashes(report) => stake::report_slashes(work, report),
    }
}
