//! The base chain as the state machine above the BFT engine (`BASE-5` to `BASE-8`).
//!
//! ```text
//! body   = borsh(time, transactions)        header.root  = Merkle root of the transactions' hashes
//! check  : every transaction is applied by the rules, the time is after the former block's and not
//!          more than 10 s ahead of our clock, else no prevote
//! header.state = hash of the former base-chain block, which commits to its state root and events
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::{
    Block, MAX_TRANSACTION_BYTES, Refusal, Transaction, TransactionHash, merkle_root,
};
use coordinator_store::{Read, StoreError, Writes};
use processor_messages::{Bytes, List, Validator, decode, encode};
use tributary::{
    Application, Built, DecidedBlock, Evidence, Halt, MAX_BODY_BYTES, Members, Say, Slot, Verdict,
};

use crate::{
    pool::{self, Admission, Pool, Waiting},
    query,
    rules::{BlockBuilder, commit},
};

/// The most transactions of one block.
pub const MAX_TRANSACTIONS: usize = 2_048;
/// How far a block's time may be ahead of our clock.
pub const MAX_AHEAD_MS: u64 = 10_000;
/// The most own transactions which are repeated to others at once.
const MAX_RESENT: usize = 64;

/// Yields milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;
/// Shared between the engine's side and the server's.
pub type SharedPool = Arc<Mutex<Pool>>;

/// Locks the pool; what it holds is consistent after a panic elsewhere, as its steps do not panic midway.
pub fn lock(pool: &SharedPool) -> MutexGuard<'_, Pool> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes what a member offers; the pool is not locked while it is judged.
fn offer(
    pool: &SharedPool,
    db: &dyn Read,
    transaction: Transaction,
) -> Result<Result<Admission, Refusal>, StoreError> {
    if let Some(known) = lock(pool).known(db, &transaction, false)? {
        return Ok(known);
    }
    match pool::judge(db, &transaction)? {
        Ok(()) => lock(pool).admit(db, transaction, false),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// What a block's body is.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
struct Body {
    time_unix_ms: u64,
    transactions: List<Bytes<MAX_TRANSACTION_BYTES>, MAX_TRANSACTIONS>,
}

/// What the node tells the application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BaseInput {
    /// This encoded transaction was admitted to the pool here: tell the others.
    Submitted(Vec<u8>),
}

/// The base chain above the engine.
pub struct BaseApplication {
    pool: SharedPool,
    clock: Clock,
}

/// Why a body is not one that may follow.
enum Unfit {
    Invalid(String),
    Store(StoreError),
}

impl From<StoreError> for Unfit {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn invalid<T>(reason: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit::Invalid(reason.into()))
}

/// The base-chain block which this block of the engine makes on top of the latest.
fn execute(db: &dyn Read, block: &tributary::Block) -> Result<(Block, Writes), Unfit> {
    let Some(head) = query::head(db)? else { return invalid("the chain has no genesis") };
    if block.header.state != head.hash.0 {
        return invalid("the block follows another state than ours");
    }
    let body: Body = match decode(&block.body, MAX_BODY_BYTES) {
        Ok(body) => body,
        Err(error) => return invalid(format!("the body does not decode: {error}")),
    };
    if body.time_unix_ms <= head.time_unix_ms {
        return invalid("the block's time is not after the former block's");
    }
    let mut builder = BlockBuilder::begin(db, body.time_unix_ms)?;
    if builder.number().0 != block.header.height.0 {
        return invalid("the block's height is not its number");
    }
    for (index, bytes) in body.transactions.iter().enumerate() {
        let outcome = match Transaction::decode(bytes) {
            Ok(transaction) => builder.push(&transaction)?.map_err(|refusal| refusal.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = outcome {
            return invalid(format!("transaction {index}: {reason}"));
        }
    }
    let (base, writes) = builder.finish()?;
    if base.header.transactions_root != block.header.root {
        return invalid("the header's root is not that of the transactions");
    }
    Ok((base, writes))
}

impl BaseApplication {
    /// An application over a pool which the server shares.
    pub fn new(pool: SharedPool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    /// The transactions to propose, encoded, and their hashes.
    fn select(
        &self,
        db: &dyn Read,
        time: u64,
        limit: usize,
    ) -> Result<(u64, Vec<Bytes<MAX_TRANSACTION_BYTES>>, Vec<TransactionHash>), StoreError> {
        let mut builder = BlockBuilder::begin(db, time)?;
        let (mut chosen, mut hashes) = (Vec::new(), Vec::new());
        let mut room = limit.saturating_sub(64);
        // The lock is not held while they are verified.
        let candidates = lock(&self.pool).candidates();
        for waiting in candidates {
            let Waiting { transaction, bytes, .. } = &*waiting;
            // Each takes its length and a prefix of four bytes.
            let Some(rest) = room.checked_sub(bytes.len() + 4) else { continue };
            if chosen.len() >= MAX_TRANSACTIONS {
                break;
            }
            if builder.push(transaction)?.is_ok()
                && let Ok(bytes) = Bytes::new(bytes.clone())
            {
                room = rest;
                hashes.push(transaction.hash());
                chosen.push(bytes);
            }
        }
        Ok((builder.time_unix_ms(), chosen, hashes))
    }
}

impl Application for BaseApplication {
    type Input = BaseInput;

    fn build(&mut self, db: &dyn Read, _: &Members, slot: Slot) -> Result<Built, Halt> {
        let head = query::head(db)?.ok_or_else(|| Halt::new("the chain has no genesis"))?;
        let (time_unix_ms, chosen, hashes) = self.select(db, (self.clock)(), slot.limit)?;
        let transactions = List::new(chosen).map_err(|error| Halt::new(error.to_string()))?;
        let body = Bytes::new(encode(&Body { time_unix_ms, transactions }));
        let body = body.map_err(|error| Halt::new(error.to_string()))?;
        Ok(Built { body, root: merkle_root(&hashes), state: head.hash.0 })
    }

    fn check(&mut self, db: &dyn Read, _: &Members, block: &tributary::Block) -> Result<Verdict, Halt> {
        // First, as a block that is ahead is asked about again and again.
        let ahead = (self.clock)().saturating_add(MAX_AHEAD_MS);
        if decode::<Body>(&block.body, MAX_BODY_BYTES).is_ok_and(|body| body.time_unix_ms > ahead) {
            return Ok(Verdict::Missing("the block's time is more than 10 s ahead of our clock".to_owned()));
        }
        match execute(db, block) {
            Err(Unfit::Invalid(reason)) => Ok(Verdict::Invalid(reason)),
            Err(Unfit::Store(error)) => Err(error.into()),
            Ok(_) => Ok(Verdict::Valid),
        }
    }

    fn decided(
        &mut self,
        txn: &mut dyn coordinator_store::Transaction,
        _: &Members,
        decided: &DecidedBlock,
    ) -> Result<Vec<Say>, Halt> {
        let (block, writes) = match execute(&*txn, &decided.block) {
            Ok(executed) => executed,
            Err(Unfit::Store(error)) => return Err(error.into()),
            Err(Unfit::Invalid(reason)) => {
                return Err(Halt::new(format!(
                    "the chain decided block {} which our rules refuse ({reason}); run the version which the others run",
                    decided.height()
                )));
            }
        };
        commit(txn, writes);
        lock(&self.pool).settle(&*txn, block.number())?;
        Ok(Vec::new())
    }

    fn input(
        &mut self,
        _: &mut dyn coordinator_store::Transaction,
        _: &Members,
        input: BaseInput,
    ) -> Result<Vec<Say>, Halt> {
        match input {
            BaseInput::Submitted(bytes) => Ok(vec![Say::Gossip(bytes)]),
        }
    }

    fn heard(
        &mut self,
        txn: &mut dyn coordinator_store::Transaction,
        _: &Members,
        from: Validator,
        bytes: &[u8],
    ) -> Result<Vec<Say>, Halt> {
        let Ok(transaction) = Transaction::decode(bytes) else {
            tracing::debug!(%from, "a member's gossip is no transaction");
            return Ok(Vec::new());
        };
        match offer(&self.pool, &*txn, transaction)? {
            Ok(Admission::Admitted | Admission::Waits | Admission::Final) => {}
            Err(refusal) => tracing::debug!(%from, %refusal, "a member's transaction was refused"),
        }
        Ok(Vec::new())
    }

    fn equivocated(
        &mut self,
        _: &mut dyn coordinator_store::Transaction,
        _: &Members,
        evidence: Evidence,
    ) -> Result<Vec<Say>, Halt> {
        // The base chain's validators are fixed by genesis: there is nobody to remove, but somebody to call.
        tracing::error!(?evidence, "a validator of the base chain signed twice");
        Ok(Vec::new())
    }

    fn resend(&mut self, _: &dyn Read, _: &Members) -> Result<Vec<Say>, Halt> {
        Ok(lock(&self.pool).own().take(MAX_RESENT).map(|bytes| Say::Gossip(bytes.to_vec())).collect())
    }

    fn due(&mut self, _: &dyn Read) -> Result<bool, Halt> {
        Ok(!lock(&self.pool).is_empty())
    }
}
