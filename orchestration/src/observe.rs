//! What a testnet has reached, read from its base chain and its coordinators.

use std::{collections::BTreeMap, time::Duration};

use coordinator_base_chain::{
    BaseChain, ChainError, ClientConfig, Event, RpcClient, SetDeclaration, Signers,
};
use processor_messages::{BaseBlock, BatchId, KeyPair, Network, Session, Validator};
use serde::Deserialize;

use crate::{generate::Manifest, summary::Stage};

/// How long a node may take to answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// The most blocks read at a time.
const MAX_BLOCKS: usize = 200;

/// What a network has reached. Filled from events of the base chain alone, but for participations.
#[derive(Clone, Debug, Default)]
pub struct NetworkProgress {
    /// The set that was declared last.
    pub declaration: Option<SetDeclaration>,
    /// Its keys and who confirmed them.
    pub keys: Option<(KeyPair, Signers)>,
    /// Executed batches.
    pub batches: Vec<BatchId>,
    /// Encoded size of participations, by dealer.
    pub participations: BTreeMap<Validator, u64>,
    /// Since the start of the first process.
    pub reached: BTreeMap<Stage, Duration>,
}

impl NetworkProgress {
    /// The session that was declared last.
    pub fn session(&self) -> Session {
        self.declaration.as_ref().map_or(Session(0), |declaration| declaration.set.session)
    }

    fn reach(&mut self, stage: Stage, at: Duration) -> bool {
        let new = !self.reached.contains_key(&stage);
        self.reached.entry(stage).or_insert(at);
        new
    }
}

/// A coordinator's status as far as a testnet shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct CoordinatorStatus {
    /// Whether nothing is wrong.
    pub ready: bool,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// The sets it is in.
    pub sets: Vec<SetStatus>,
}

/// Something that is wrong.
#[derive(Clone, Debug, Deserialize)]
pub struct Problem {
    /// Where.
    pub check: String,
    /// What.
    pub what: String,
}

/// A set as a coordinator sees it.
#[derive(Clone, Debug, Deserialize)]
pub struct SetStatus {
    /// `network/session`.
    pub set: String,
    /// Where its key generation stands.
    pub stage: String,
    /// Weight which the stage has.
    pub received_weight: u16,
    /// Weight which the stage needs.
    pub needed_weight: u16,
    /// Validators whom the stage misses.
    pub missing: Vec<Validator>,
    /// Encoded size of each ordered participation.
    pub participations: Vec<(Validator, u64)>,
}

/// Reads one testnet.
pub struct Observer {
    manifest: Manifest,
    http: reqwest::Client,
    nodes: Vec<RpcClient>,
    next: BaseBlock,
    /// By network.
    pub networks: BTreeMap<Network, NetworkProgress>,
    /// Lines which were not told yet.
    lines: Vec<String>,
    seen: BTreeMap<(usize, String), String>,
}

impl Observer {
    /// Observes from the first block on.
    ///
    /// # Errors
    /// [`ChainError`] if no client can be made.
    pub fn new(manifest: &Manifest) -> Result<Self, ChainError> {
        let client = |url: String| {
            RpcClient::new(ClientConfig {
                timeout: ANSWER_TIMEOUT,
                ..ClientConfig::new(url, Some(manifest.chain))
            })
        };
        let urls = manifest.validators.iter().map(|v| format!("http://{}", v.addresses.rpc));
        Ok(Self {
            http: reqwest::Client::new(),
            nodes: urls.map(client).collect::<Result<_, _>>()?,
            next: BaseBlock(0),
            networks: manifest.networks.iter().map(|n| (*n, NetworkProgress::default())).collect(),
            lines: Vec::new(),
            seen: BTreeMap::new(),
            manifest: manifest.clone(),
        })
    }

    /// A client of a validator's base-chain node.
    pub fn node(&self, validator: usize) -> Option<&RpcClient> {
        self.nodes.get(validator)
    }

    /// Lines of progress since the last call.
    pub fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// The next block to be read.
    pub fn next_block(&self) -> BaseBlock {
        self.next
    }

    /// Reads what is new. A node or coordinator that does not answer is passed over: another may.
    pub async fn poll(&mut self, since_start: Duration) {
        self.poll_chain(since_start).await;
        self.poll_coordinators(since_start).await;
    }

    async fn poll_chain(&mut self, at: Duration) {
        for _ in 0..MAX_BLOCKS {
            let mut found = None;
            for node in &self.nodes {
                if let Ok(Some(block)) = node.block(self.next).await {
                    found = Some(block);
                    break;
                }
            }
            let Some(block) = found else { return };
            self.next = self.next.next();
            for event in &block.events {
                self.apply(event, at);
            }
        }
    }

    fn apply(&mut self, event: &Event, at: Duration) {
        let Some(network) = event.network() else { return };
        let Some(progress) = self.networks.get_mut(&network) else { return };
        let line = match event {
            Event::SetDeclared(declaration) => {
                let (n, t) = (declaration.total_shares(), declaration.threshold);
                let line = format!(
                    "{}: set declared, {} validators, n = {n}, t = {t}",
                    declaration.set,
                    declaration.members.len()
                );
                progress.declaration = Some(declaration.clone());
                progress.keys = None;
                progress.participations.clear();
                progress.reach(Stage::Declared, at);
                line
            }
            Event::SetDropped { set } => format!("{set}: dropped, it had no keys by its deadline"),
            Event::KeysSet { set, key_pair, signers } => {
                let signed = signers.0.iter().filter(|bit| **bit).count();
                progress.keys = Some((key_pair.clone(), signers.clone()));
                progress.reach(Stage::KeysSet, at);
                format!("{set}: keys confirmed on the base chain by {signed} validators")
            }
            Event::BatchExecuted { batch, .. } => {
                let ok = batch.results.iter().filter(|result| **result).count();
                progress.batches.push(batch.id);
                progress.reach(Stage::FirstBatch, at);
                format!(
                    "{network}: batch {} executed, {ok} of {} instructions succeeded",
                    batch.id,
                    batch.results.len()
                )
            }
            Event::Burn { burn, .. } => format!("{network}: {} burnt, to be paid out", burn.amount),
            _ => return,
        };
        self.lines.push(line);
    }

    async fn poll_coordinators(&mut self, at: Duration) {
        for number in 0..self.manifest.validators.len() {
            if let Some(status) = self.coordinator(number).await {
                self.take_status(number, &status, at);
            }
        }
    }

    /// A coordinator's status; `None` if it does not answer.
    pub async fn coordinator(&self, number: usize) -> Option<CoordinatorStatus> {
        serde_json::from_value(self.raw_status(number).await?).ok()
    }

    /// A coordinator's status as it gives it; `None` if it does not answer.
    pub async fn raw_status(&self, number: usize) -> Option<serde_json::Value> {
        let address = self.manifest.validators.get(number)?.addresses.api;
        let request = self.http.get(format!("http://{address}/status")).timeout(ANSWER_TIMEOUT);
        let bytes = request.send().await.ok()?.bytes().await.ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn take_status(&mut self, number: usize, status: &CoordinatorStatus, at: Duration) {
        for set in &status.sets {
            let line = match set.stage.as_str() {
                "participations" | "generating" | "confirmation_nonces" | "confirmation_shares" => {
                    format!(
                        "{} ({} of {} key shares)",
                        set.stage.replace('_', " "),
                        set.received_weight,
                        set.needed_weight
                    )
                }
                stage => stage.replace('_', " "),
            };
            let key = (number, set.set.clone());
            if self.seen.get(&key) != Some(&line) {
                self.lines.push(format!("{}: validator {number}: {line}", set.set));
                self.seen.insert(key, line);
            }
            self.take_participations(set, at);
        }
        for problem in &status.problems {
            let key = (number, problem.check.clone());
            if self.seen.get(&key) != Some(&problem.what) {
                self.lines.push(format!("validator {number}: {}: {}", problem.check, problem.what));
                self.seen.insert(key, problem.what.clone());
            }
        }
    }

    fn take_participations(&mut self, set: &SetStatus, at: Duration) {
        let of_set = |progress: &&mut NetworkProgress| {
            progress.declaration.as_ref().is_some_and(|d| d.set.to_string() == set.set)
        };
        let Some(progress) = self.networks.values_mut().find(of_set) else { return };
        progress.participations.extend(set.participations.iter().copied());
        let Some(declaration) = &progress.declaration else { return };
        let members = declaration.members.iter();
        let dealt = members.filter(|m| progress.participations.contains_key(&m.validator));
        let weight: u32 = dealt.map(|m| u32::from(m.shares.0)).sum();
        if weight >= u32::from(declaration.threshold.0) {
            progress.reach(Stage::Participations, at);
        }
    }

    /// Whether every network's first batch is executed.
    pub fn is_complete(&self) -> bool {
        self.networks.values().all(|progress| !progress.batches.is_empty())
    }
}
