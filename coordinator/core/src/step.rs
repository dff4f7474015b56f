//! What every rule is given: the transaction, and who we are; what time it is for records alone.

use coordinator_keys::SecretKey;
use coordinator_store::{MAX_STEP_BYTES, Transaction};
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
}

impl Identity {
    /// Our account.
    pub fn validator(&self) -> Validator {
        Validator(self.key.public().to_bytes())
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
    /// Seconds since the Unix epoch, for what an operator reads: no rule decides by it. 0 unless the shell says it.
    pub now_unix_secs: u64,
    /// What was decided, for the log: never read by a rule.
    pub notices: Vec<Notice>,
    /// Bytes of keys and values after which a tributary's block is applied further in another step (`SIGN-26`).
    pub part_bytes: usize,
}

/// A quarter of what a step may write: what the last operation adds is far below the rest.
const PART_BYTES: usize = MAX_STEP_BYTES / 4;

impl<'a> Step<'a> {
    /// Begins a step.
    pub fn new(txn: &'a mut dyn Transaction, me: &'a Identity, randomness: &'a mut dyn Randomness) -> Self {
        Self { txn, me, randomness, now_unix_secs: 0, notices: Vec::new(), part_bytes: PART_BYTES }
    }

    /// The same step at this time.
    #[must_use]
    pub fn at(self, now_unix_secs: u64) -> Self {
        Self { now_unix_secs, ..self }
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }
}
