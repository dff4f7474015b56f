//! A base-chain node: the real application and engine, with its pool, over a simulated disk and clock.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use base_chain_node::{
    application::{BaseApplication, BaseInput, SharedPool, lock},
    pool::{self, Admission},
    query, rules,
};
use coordinator_base_chain::{Block, Refusal, Transaction};
use coordinator_store::{Store, StoreError};
use processor_messages::{Account, BaseBlock, Genesis, encode};
use tributary::{Input, Node, Open};

use crate::{
    disk::{Disk, Effect},
    engine::{Engine, Failed, effects},
    setting::{Setting, base_timing},
};

/// A base-chain node.
pub struct Base {
    /// Its number among the nodes.
    pub index: usize,
    /// Which validator's.
    pub validator: usize,
    /// Its disk.
    pub disk: Disk,
    /// Its engine, while it runs.
    pub engine: Option<Engine<BaseApplication>>,
    /// What it takes the time to be, in milliseconds since the Unix epoch.
    pub clock: Arc<AtomicU64>,
    /// How far its clock is off, in milliseconds.
    pub skew_ms: i64,
    pool: SharedPool,
}

impl Base {
    /// A node with an empty disk.
    pub fn new(index: usize, validator: usize) -> Self {
        let (disk, clock) = (Disk::default(), Arc::default());
        Self { index, validator, disk, engine: None, clock, skew_ms: 0, pool: SharedPool::default() }
    }

    /// Sets its clock by the true time.
    pub fn set_clock(&self, true_unix_ms: u64) {
        self.clock.fetch_max(true_unix_ms.saturating_add_signed(self.skew_ms), Ordering::Relaxed);
    }

    /// How many transactions wait in its pool.
    pub fn pooled(&self) -> usize {
        lock(&self.pool).len()
    }

    /// The latest final block.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn head(&self) -> Result<BaseBlock, StoreError> {
        Ok(self.disk.store.read(query::head)?.map_or(BaseBlock(0), |head| head.number))
    }

    /// The next nonce of an account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn nonce(&self, account: Account) -> Result<u64, StoreError> {
        Ok(self.disk.store.read(|db| query::account(db, account))?.nonce)
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn start(&mut self, setting: &Setting) -> Result<Vec<Effect>, Failed> {
        let genesis = Genesis(setting.chain.0);
        self.pool = SharedPool::default();
        self.engine = None;
        let known = self.disk.store.read(query::head)?.is_some();
        if !known {
            let writes = setting.genesis.clone();
            let written = self.disk.store.write(|txn| {
                rules::commit(txn, writes);
                Ok::<_, StoreError>(())
            });
            drop(written?);
        }
        let Some(key) = setting.keys.get(self.validator) else { return Ok(Vec::new()) };
        let clock = self.clock.clone();
        let application =
            BaseApplication::new(self.pool.clone(), Arc::new(move || clock.load(Ordering::Relaxed)));
        let open = Open { config: base_timing(), store_is_current: true };
        let opened = self.disk.store.write(|txn| {
            Node::open(txn, setting.members.clone(), key.clone(), application, open).map_err(Failed::from)
        });
        let ((node, outputs), _) = opened?;
        self.engine = Some(Engine::new(node, genesis));
        self.disk.up = true;
        Ok(effects(genesis, outputs))
    }

    /// A finalized, durable block.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn block(&self, number: BaseBlock) -> Result<Option<Block>, StoreError> {
        self.disk.store.read(|db| query::block(db, number))
    }

    /// Takes a transaction by JSON-RPC.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn submit(&mut self, transaction: &Transaction) -> Result<Result<Vec<Effect>, Refusal>, Failed> {
        match (self.offer(transaction)?, self.engine.as_mut()) {
            (Err(refusal), _) => Ok(Err(refusal)),
            (Ok(Admission::Admitted), Some(engine)) => {
                let input = Input::Application(BaseInput::Submitted(encode(transaction)));
                engine.step(&self.disk.store, input).map(Ok)
            }
            (Ok(_), _) => Ok(Ok(Vec::new())),
        }
    }

    fn offer(&self, transaction: &Transaction) -> Result<Result<Admission, Refusal>, StoreError> {
        self.disk.store.read(|db| {
            if let Some(known) = lock(&self.pool).known(db, transaction, true)? {
                return Ok(known);
            }
            match pool::judge(db, transaction)? {
                Ok(()) => lock(&self.pool).admit(db, transaction.clone(), true),
                Err(refusal) => Ok(Err(refusal)),
            }
        })
    }
}
