//! The base chain as a coordinator sees it.

use std::{future::Future, time::Duration};

use processor_messages::{Account, BaseBlock, ChainGenesis, Network, Validator, ValidatorSet};

use crate::{
    AccountInfo, Block, Head, NetworkInfo, Refusal, SetInfo, Transaction, TransactionHash, TransactionStatus,
    ValidatorInfo,
};

/// Why the base chain gave no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChainError {
    /// No answer; ask again after a while.
    #[error(
        "the base chain at {url} does not answer ({reason}); check that the node runs, it is asked again"
    )]
    Unreachable {
        /// Who was asked.
        url: String,
        /// What the transport said.
        reason: String,
    },
    /// The node is on another chain.
    #[error(
        "the node at {url} is on chain {found}, the configuration names {expected}; correct the configured chain or URL"
    )]
    WrongChain {
        /// Who was asked.
        url: String,
        /// The configured chain.
        expected: ChainGenesis,
        /// The node's.
        found: ChainGenesis,
    },
    /// The transaction changes nothing.
    #[error("the base chain refused the transaction: {0}")]
    Refused(#[from] Refusal),
    /// The answer is no answer of this protocol: another version, or a faulty node.
    #[error(
        "the node at {url} answered what this version does not understand ({reason}); run matching versions"
    )]
    Protocol {
        /// Who was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The node has as many requests as it may.
    #[error("the node at {url} is busy; it is asked again")]
    Busy {
        /// Who was asked.
        url: String,
    },
}

impl ChainError {
    /// Whether asking again later may help without anybody's doing.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } => true,
            Self::Refused(refusal) => refusal.is_temporary(),
            Self::WrongChain { .. } | Self::Protocol { .. } => false,
        }
    }
}

type Answer<T> = Result<T, ChainError>;

/// A finalized chain. All answers are of finalized state; nothing here is ever taken back.
///
/// # Errors
/// Every method: [`ChainError`]. Retry belongs to the caller ([`ChainError::is_temporary`]).
pub trait BaseChain: Clone + Send + Sync + 'static {
    /// The latest finalized block.
    fn head(&self) -> impl Future<Output = Answer<Head>> + Send;

    /// A finalized block with its events; `None` if it is not finalized yet.
    fn block(&self, number: BaseBlock) -> impl Future<Output = Answer<Option<Block>>> + Send;

    /// As [`BaseChain::block`], but waits up to `wait` for it to be finalized.
    fn wait_block(
        &self,
        number: BaseBlock,
        wait: Duration,
    ) -> impl Future<Output = Answer<Option<Block>>> + Send;

    /// Submits a transaction; the same bytes may be submitted any number of times.
    ///
    /// `Ok` says that it waits, or is in a block already; [`BaseChain::transaction`] tells which.
    fn submit(&self, transaction: &Transaction) -> impl Future<Output = Answer<TransactionHash>> + Send;

    /// Where a transaction is.
    fn transaction(&self, hash: TransactionHash) -> impl Future<Output = Answer<TransactionStatus>> + Send;

    /// All networks, by name.
    fn networks(&self) -> impl Future<Output = Answer<Vec<NetworkInfo>>> + Send;

    /// One network: sessions, the next batch, pending slash reports. `None` if there is no such network.
    fn network(&self, network: Network) -> impl Future<Output = Answer<Option<NetworkInfo>>> + Send;

    /// A set with its keys; `None` if it was never declared.
    fn set(&self, set: ValidatorSet) -> impl Future<Output = Answer<Option<SetInfo>>> + Send;

    /// A validator with its keys and addresses; `None` if the chain knows none of them.
    fn validator(&self, validator: Validator) -> impl Future<Output = Answer<Option<ValidatorInfo>>> + Send;

    /// All validators, by key.
    fn validators(&self) -> impl Future<Output = Answer<Vec<ValidatorInfo>>> + Send;

    /// An account; one that was never used is empty.
    fn account(&self, account: Account) -> impl Future<Output = Answer<AccountInfo>> + Send;
}
