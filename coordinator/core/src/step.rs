//! What every rule is given: the transaction, who we are, what time it is not.

use coordinator_keys::SecretKey;
use coordinator_store::Transaction;
use processor_messages::{ChainGenesis, Network, Validator};
use rand_core::{CryptoRng, RngCore};

use crate::Notice;

/// A source of randomness which rules may draw from.
pub trait Randomness: RngCore + CryptoRng {}
impl<R: RngCore + CryptoRng> Randomness for R {}

/// Who this coordinator is. Does not change while it runs.
pub struct Identity {
    /// The validator's key: signs the confirmation.
    pub key: SecretKey,
    /// Which base chain.
    pub chain: ChainGenesis,
    /// The networks for which a processor is configured.
    pub networks: Vec<Network>,
    /// The numbers which the rules use.
    pub parameters: Parameters,
}

impl Identity {
    /// Our account.
    pub fn validator(&self) -> Validator {
        Validator(self.key.public().to_bytes())
    }
}

/// Numbers which every validator of a set must use alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// How many tributary blocks attempt 0 of a topic may take; each further attempt this many more.
    pub attempt_blocks: u64,
    /// From this attempt on the time no longer grows.
    pub longest_attempt: u32,
    /// How many further tributary blocks a collection of participations stays open once it has the threshold.
    pub grace_blocks: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { attempt_blocks: 30, longest_attempt: 11, grace_blocks: 5 }
    }
}

/// One step: all that a rule may read, write and say. Dropped with the transaction if the step fails.
pub struct Step<'a> {
    /// Reads and writes of this step.
    pub txn: &'a mut dyn Transaction,
    /// Who we are.
    pub me: &'a Identity,
    /// For nonces; drawn from only where a value is stored in the same step.
    pub randomness: &'a mut dyn Randomness,
    /// What was decided, for the log: never read by a rule.
    pub notices: Vec<Notice>,
}

impl<'a> Step<'a> {
    /// Begins a step.
    pub fn new(txn: &'a mut dyn Transaction, me: &'a Identity, randomness: &'a mut dyn Randomness) -> Self {
        Self { txn, me, randomness, notices: Vec::new() }
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }
}
