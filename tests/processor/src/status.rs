//! What a processor decided, for its log and for whoever shows progress. Rules never read it.
//!
//! Each notice is one log event with a constant sentence and fields; with `--log-format json` a line of JSON. The
//! field `stage` is stable, and is what a testnet's display reads.

use std::time::Duration;

use processor_messages::{
    BaseBlock, BatchId, Incarnation, KeyPair, NetworkBlockHash, Participant, Session, TransactionId,
    Validator, sign::SignId,
};

/// One decision.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the sentence of each is in `log`")]
pub enum Notice {
    KeyGenStarted { session: Session, members: usize, threshold: u16 },
    Participated { session: Session, bytes: usize },
    Participation { session: Session, validator: Validator, bytes: usize },
    Verified { session: Session, valid: usize, invalid: usize, weight: u16, needed: u16 },
    Verifying { session: Session, participations: usize, percent: usize },
    Cancelled { session: Session },
    Computed { session: Session, work: &'static str, cpu: Duration },
    Blamed { session: Session, validator: Validator },
    KeyGenerated { session: Session, pair: KeyPair },
    KeyGenFailed { session: Session, reason: String, culprits: Vec<Validator> },
    KeysSet { session: Session },
    AskedAgain { session: Session, incarnation: Incarnation },
    Retired { session: Session },
    Halted { session: Session, reason: String },
    BatchMade { session: Session, batch: BatchId, instructions: usize },
    BatchExecuted { batch: BatchId },
    UnknownBlock { batch: BatchId, block: NetworkBlockHash },
    Activation { session: Session, block: u64 },
    OfTheMiddle,
    FromTheBeginning { through: BaseBlock },
    Planned { session: Session, block: BaseBlock, burns: usize, payments: usize },
    Unpayable { block: BaseBlock, burns: usize },
    Completed { session: Session, id: TransactionId },
    NoPlan { session: Session, id: TransactionId },
    Signed { id: SignId },
    InvalidParticipant { id: SignId, participant: Participant },
    Refused { id: SignId, why: &'static str },
    Ignored { id: SignId, why: &'static str },
}

impl Notice {
    /// Logs the decision, once, where it was made durable.
    pub fn log(&self) {
        match self {
            Self::KeyGenStarted { .. }
            | Self::Participated { .. }
            | Self::Participation { .. }
            | Self::Verified { .. }
            | Self::Verifying { .. }
            | Self::Cancelled { .. }
            | Self::Computed { .. }
            | Self::Blamed { .. }
            | Self::KeyGenerated { .. }
            | Self::KeyGenFailed { .. }
            | Self::KeysSet { .. }
            | Self::AskedAgain { .. }
            | Self::Retired { .. } => self.log_key_gen(),
            Self::Halted { session, reason } => {
                tracing::error!(stage = "halted", %session, %reason, "stopped signing for a session");
            }
            Self::BatchMade { .. }
            | Self::BatchExecuted { .. }
            | Self::UnknownBlock { .. }
            | Self::Activation { .. }
            | Self::OfTheMiddle
            | Self::FromTheBeginning { .. } => self.log_network(),
            Self::Planned { .. } | Self::Unpayable { .. } | Self::Completed { .. } | Self::NoPlan { .. } => {
                self.log_payments();
            }
            Self::Signed { .. }
            | Self::InvalidParticipant { .. }
            | Self::Refused { .. }
            | Self::Ignored { .. } => self.log_signing(),
        }
    }

    fn log_key_gen(&self) {
        use tracing::{info, warn};
        match self {
            Self::KeyGenStarted { session, members, threshold } => {
                info!(stage = "key_gen", %session, members, threshold, "a key generation begins");
            }
            Self::Participated { session, bytes } => {
                info!(stage = "participated", %session, bytes, "made our participation");
            }
            Self::Participation { session, validator, bytes } => {
                info!(stage = "participation", %session, %validator, bytes, "a participation is in");
            }
            Self::Verified { session, valid, invalid, weight, needed } => {
                info!(stage = "verified", %session, valid, invalid, weight, needed, "verified participations");
            }
            Self::Verifying { session, participations, percent } => {
                info!(stage = "verifying", %session, participations, percent, "verifying participations");
            }
            Self::Cancelled { session } => {
                info!(stage = "cancelled", %session, "ended a computation whose result is not waited for");
            }
            Self::Computed { session, work, cpu } => {
                let cpu_us = cpu.as_micros();
                info!(stage = "computed", %session, work, cpu_us, "a long computation ended");
            }
            Self::Blamed { session, validator } => {
                warn!(stage = "blamed", %session, %validator, "a participation is invalid");
            }
            Self::KeyGenerated { session, pair } => {
                let (base, network) = (hex_text(&pair.base), hex_text(&pair.network));
                info!(stage = "key_generated", %session, base, network, "generated a key pair");
            }
            Self::KeyGenFailed { session, reason, culprits } => {
                warn!(stage = "key_gen_failed", %session, %reason, ?culprits, "a key generation failed");
            }
            Self::KeysSet { session } => {
                info!(stage = "keys_set", %session, "a session's keys are on the base chain");
            }
            Self::AskedAgain { session, incarnation } => {
                warn!(stage = "asked_again", %session, %incarnation, "our disk was lost; asked for a session again");
            }
            Self::Retired { session } => info!(stage = "retired", %session, "a session is retired"),
            _ => {}
        }
    }

    fn log_network(&self) {
        use tracing::{debug, error, info, warn};
        match self {
            Self::Activation { session, block } => {
                info!(stage = "activation", %session, block, "a session will be in charge from this network block on");
            }
            Self::OfTheMiddle => {
                debug!(
                    stage = "of_the_middle",
                    "our disk was lost; waiting for the base chain from its beginning"
                );
            }
            Self::FromTheBeginning { through } => {
                warn!(stage = "from_the_beginning", %through, "our disk was lost; the base chain follows again");
            }
            Self::BatchMade { session, batch, instructions } => {
                info!(stage = "batch_made", %session, %batch, instructions, "made a batch");
            }
            Self::BatchExecuted { batch } => {
                info!(stage = "batch_executed", %batch, "the base chain executed a batch");
            }
            Self::UnknownBlock { batch, block } => {
                error!(stage = "unknown_block", %batch, %block, "an executed batch names a block which does not exist");
            }
            _ => {}
        }
    }

    fn log_payments(&self) {
        use tracing::{error, info, warn};
        match self {
            Self::Planned { session, block, burns, payments } => {
                info!(stage = "planned", %session, %block, burns, payments, "burns are to be paid out");
            }
            Self::Unpayable { block, burns } => {
                error!(stage = "unpayable", %block, burns, "burns of a network which never had keys");
            }
            Self::Completed { session, id } => {
                info!(stage = "completed", %session, %id, "the network has a payment");
            }
            Self::NoPlan { session, id } => {
                warn!(stage = "no_plan", %session, %id, "a session's account paid what we did not plan");
            }
            _ => {}
        }
    }

    fn log_signing(&self) {
        use tracing::{debug, info, warn};
        match self {
            Self::Signed { id } => info!(stage = "signed", ?id, "completed a signature"),
            Self::InvalidParticipant { id, participant } => {
                warn!(stage = "invalid_participant", ?id, %participant, "a participant's signing data is invalid");
            }
            Self::Refused { id, why } => warn!(stage = "refused", ?id, why, "refused an attempt"),
            Self::Ignored { id, why } => debug!(stage = "ignored", ?id, why, "ignored a signing message"),
            _ => {}
        }
    }
}

fn hex_text(bytes: &[u8]) -> String {
    hex::encode(bytes)
}
