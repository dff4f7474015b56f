//! What `--json` prints: one object, from what was observed on the base chain and at the coordinators.

use std::{collections::BTreeMap, path::PathBuf};

use processor_messages::{BatchId, KeyPair, KeyShares, Network, Session, SlashReport, Validator};
use serde::Serialize;

/// A testnet's result.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Summary {
    /// Whether every network reached what was asked for.
    pub complete: bool,
    /// Where everything lives.
    pub dir: PathBuf,
    /// The validators in order.
    pub validators: Vec<Validator>,
    /// What each network reached.
    pub networks: Vec<NetworkSummary>,
    /// Seconds from the start of the first process until every network reached the stage.
    pub seconds: BTreeMap<Stage, f64>,
}

/// What a network reached.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct NetworkSummary {
    /// The network.
    pub network: Network,
    /// The session observed.
    pub session: Session,
    /// Key shares in all.
    pub n: KeyShares,
    /// Key shares needed to sign.
    pub t: KeyShares,
    /// The set in the base chain's order.
    pub members: Vec<(Validator, KeyShares)>,
    /// Its keys on the base chain.
    pub key_pair: Option<KeyPair>,
    /// The validators whose MuSig confirmed the keys.
    pub signers: Vec<Validator>,
    /// Encoded size of each validator's participation for both curves, as ordered on the tributary.
    pub participation_bytes: BTreeMap<Validator, u64>,
    /// Batches executed on the base chain.
    pub batches: Vec<BatchId>,
    /// The end of its first set's duty; absent before it handed over.
    pub handover: Option<HandoverSummary>,
    /// Seconds from the start of the first process until this network reached the stage.
    pub seconds: BTreeMap<Stage, f64>,
}

/// How a set's duty ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HandoverSummary {
    /// The set that retired.
    pub retiring: Session,
    /// The session in charge since.
    pub accepted_by: Session,
    /// Batches which the retiring set signed.
    pub batches_before: Vec<BatchId>,
    /// Batches which its successor signed.
    pub batches_after: Vec<BatchId>,
    /// The slash report which the base chain applied; an empty one slashes nobody.
    pub slash_report: Option<SlashReport>,
    /// Whether its duty is over.
    pub retired: bool,
}

/// How far a network is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The base chain declared its set.
    Declared,
    /// A coordinator saw participations whose dealers weigh the threshold.
    Participations,
    /// Its keys are on the base chain.
    KeysSet,
    /// Its first batch is executed.
    FirstBatch,
    /// Its first set handed over.
    HandedOver,
    /// The slash report of its first set is applied.
    SlashesReported,
    /// Its first set is retired.
    Retired,
}

impl Stage {
    /// All stages in their order.
    pub const ALL: [Self; 7] = [
        Self::Declared,
        Self::Participations,
        Self::KeysSet,
        Self::FirstBatch,
        Self::HandedOver,
        Self::SlashesReported,
        Self::Retired,
    ];
}
