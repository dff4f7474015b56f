//! A scripted base chain which notes who asks what, and answers a submission as it is told to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use coordinator_base_chain::{
    AccountInfo, BaseChain, Block, ChainError, Head, MemoryChain, NetworkInfo, Refusal, SetInfo, Transaction,
    TransactionHash, TransactionStatus, ValidatorInfo,
};
use processor_messages::{Account, BaseBlock, Network, Validator, ValidatorSet};
use tokio::time::Instant;

/// What becomes of a submission.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// It waits for a block.
    Takes,
    /// It is refused.
    Refuses(Refusal),
    /// Nobody is there.
    Unreachable,
    /// Takes everything, after so long.
    TakesAfter(Duration),
    /// Somebody is there, who never answers.
    Hangs,
}

#[derive(Default)]
struct Log {
    asked: BTreeMap<&'static str, usize>,
    submitted: Vec<(Transaction, Instant)>,
    manners: BTreeMap<Network, Manner>,
}

/// A chain which counts; clones share it.
#[derive(Clone)]
pub(crate) struct Counted {
    pub(crate) inner: MemoryChain,
    log: Arc<Mutex<Log>>,
}

/// The network of what carries its own authority.
pub(crate) fn network_of(transaction: &Transaction) -> Option<Network> {
    match transaction {
        Transaction::SetKeys(keys) => Some(keys.set.network),
        Transaction::ExecuteBatch(signed) => Some(signed.batch.network),
        Transaction::ReportSlashes(report) => Some(report.set.network),
        Transaction::Call(_) => None,
    }
}

impl Counted {
    pub(crate) fn new(inner: MemoryChain) -> Self {
        Self { inner, log: Arc::default() }
    }

    /// How submissions for a network are answered from now on.
    pub(crate) fn script(&self, network: Network, manner: Manner) {
        self.log.lock().unwrap().manners.insert(network, manner);
    }

    /// How often each method was called.
    pub(crate) fn asked(&self) -> BTreeMap<&'static str, usize> {
        self.log.lock().unwrap().asked.clone()
    }

    /// What was submitted until now, and when.
    pub(crate) fn submitted(&self) -> Vec<(Transaction, Instant)> {
        self.log.lock().unwrap().submitted.clone()
    }

    fn note(&self, method: &'static str) {
        *self.log.lock().unwrap().asked.entry(method).or_default() += 1;
    }
}

impl BaseChain for Counted {
    async fn head(&self) -> Result<Head, ChainError> {
        self.note("head");
        self.inner.head().await
    }

    async fn block(&self, number: BaseBlock) -> Result<Option<Block>, ChainError> {
        self.note("block");
        self.inner.block(number).await
    }

    async fn wait_block(&self, number: BaseBlock, wait: Duration) -> Result<Option<Block>, ChainError> {
        self.note("wait_block");
        let waited = tokio::time::timeout(wait, self.inner.wait_block(number, wait)).await;
        waited.unwrap_or(Ok(None))
    }

    async fn submit(&self, transaction: &Transaction) -> Result<TransactionHash, ChainError> {
        self.note("submit");
        let manner = {
            let mut log = self.log.lock().unwrap();
            log.submitted.push((transaction.clone(), Instant::now()));
            network_of(transaction).and_then(|network| log.manners.get(&network).cloned())
        };
        match manner.unwrap_or(Manner::Takes) {
            Manner::Takes => self.inner.submit(transaction).await,
            Manner::Refuses(refusal) => Err(refusal.into()),
            Manner::Unreachable => {
                Err(ChainError::Unreachable { url: "test".to_owned(), reason: "by script".to_owned() })
            }
            Manner::TakesAfter(time) => {
                tokio::time::sleep(time).await;
                self.inner.submit(transaction).await
            }
            Manner::Hangs => std::future::pending().await,
        }
    }

    async fn transaction(&self, hash: TransactionHash) -> Result<TransactionStatus, ChainError> {
        self.note("transaction");
        self.inner.transaction(hash).await
    }

    async fn networks(&self) -> Result<Vec<NetworkInfo>, ChainError> {
        self.note("networks");
        self.inner.networks().await
    }

    async fn network(&self, network: Network) -> Result<Option<NetworkInfo>, ChainError> {
        self.note("network");
        self.inner.network(network).await
    }

    async fn set(&self, set: ValidatorSet) -> Result<Option<SetInfo>, ChainError> {
        self.note("set");
        self.inner.set(set).await
    }

    async fn validator(&self, validator: Validator) -> Result<Option<ValidatorInfo>, ChainError> {
        self.note("validator");
        self.inner.validator(validator).await
    }

    async fn validators(&self) -> Result<Vec<ValidatorInfo>, ChainError> {
        self.note("validators");
        self.inner.validators().await
    }

    async fn account(&self, account: Account) -> Result<AccountInfo, ChainError> {
        self.note("account");
        self.inner.account(account).await
    }
}
