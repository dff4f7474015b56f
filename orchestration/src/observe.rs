//! What a testnet has reached, read from its base chain and its coordinators.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use coordinator_base_chain::{
    BaseChain, ChainError, ClientConfig, Event, RpcClient, SetDeclaration, Signers,
};
use processor_messages::{
    BaseBlock, BatchId, KeyPair, Network, Session, SlashReport, Validator, ValidatorSet,
};
use serde::Deserialize;

use crate::{cli::Until, generate::Manifest, summary::Stage};

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
    /// Executed batches by the session whose key signed them.
    pub published: BTreeMap<Session, Vec<BatchId>>,
    /// The first handover.
    pub handover: Option<Handover>,
    /// Encoded size of participations, by dealer.
    pub participations: BTreeMap<Validator, u64>,
    /// Since the start of the first process.
    pub reached: BTreeMap<Stage, Duration>,
}

/// How the duty of a network's first set ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handover {
    /// The set that retires.
    pub retiring: ValidatorSet,
    /// The session in charge since.
    pub accepted_by: Session,
    /// Its slash report, once the base chain applied one.
    pub report: Option<SlashReport>,
    /// Whether it is retired, with its report or without.
    pub retired: bool,
}

/// The batches which the new set executes before a handover counts as seen: the one that accepts it, and one more.
const BATCHES_AFTER_HANDOVER: usize = 2;

impl NetworkProgress {
    /// Whether what `until` asks for was seen.
    pub fn has_reached(&self, until: Until) -> bool {
        match until {
            Until::FirstBatch | Until::Forever => !self.batches.is_empty(),
            Until::Handover => self.handover.as_ref().is_some_and(|handover| {
                let batches = |session| self.published.get(&session).map_or(0, Vec::len);
                let before = batches(handover.retiring.session) > 0;
                let after = batches(handover.accepted_by) >= BATCHES_AFTER_HANDOVER;
                before && after && handover.report.is_some() && handover.retired
            }),
        }
    }

    /// The session that was declared last.
    pub fn session(&self) -> Session {
        self.declaration.as_ref().map_or(Session(0), |declaration| declaration.set.session)
    }

    /// What ends a set's duty; the line to tell.
    fn take_end(&mut self, event: &Event, at: Duration) -> String {
        match event {
            Event::HandoverAccepted { retiring, accepted_by, .. } => {
                self.handed_over(*retiring, *accepted_by);
                self.reach(Stage::HandedOver, at);
                format!("{retiring}: handed over to session {accepted_by}")
            }
            Event::SlashesReported { set, report } => {
                if let Some(handover) = self.handover.as_mut().filter(|h| h.retiring == *set) {
                    handover.report = Some(report.clone());
                }
                self.reach(Stage::SlashesReported, at);
                format!("{set}: slash report applied, {} validators slashed", report.len())
            }
            Event::SetRetired { set, reported } => {
                if let Some(handover) = self.handover.as_mut().filter(|h| h.retiring == *set) {
                    handover.retired = true;
                }
                self.reach(Stage::Retired, at);
                format!("{set}: retired{}", if *reported { "" } else { " without a slash report" })
            }
            _ => String::new(),
        }
    }

    /// Keeps the first handover.
    fn handed_over(&mut self, retiring: ValidatorSet, accepted_by: Session) {
        self.handover.get_or_insert(Handover { retiring, accepted_by, report: None, retired: false });
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

/// The options of `resume` which name what a failing check says is halted; `None` if it is no halt.
fn resume_options(check: &str) -> Option<Vec<String>> {
    if check == "base_chain" {
        return Some(vec!["--base-chain".to_owned()]);
    }
    let (kind, name) = check.split_once('/')?;
    match kind {
        "network" => Some(vec!["--network".to_owned(), name.to_owned()]),
        // `session/scan` is a task.
        "session" if name.contains('/') => Some(vec!["--session".to_owned(), name.to_owned()]),
        _ => None,
    }
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
    /// Halts which were not told yet: whose, and the options that name what is halted.
    halts: Vec<(usize, Vec<String>)>,
    seen: BTreeMap<(usize, String), String>,
    stages: BTreeSet<(usize, String)>,
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
            halts: Vec::new(),
            seen: BTreeMap::new(),
            stages: BTreeSet::new(),
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

    /// Halts since the last call: which validator's coordinator, and the options of `resume` that name what is halted.
    pub fn take_halts(&mut self) -> Vec<(usize, Vec<String>)> {
        std::mem::take(&mut self.halts)
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

    /// As [`Observer::poll`], with the first coordinator alone.
    pub async fn poll_first(&mut self, since_start: Duration) {
        self.poll_chain(since_start).await;
        if let Some(status) = self.coordinator(0).await {
            self.take_status(0, &status, since_start);
        }
    }

    /// Whether a coordinator was seen in a stage of a key generation.
    pub fn has_seen(&self, validator: usize, stage: &str) -> bool {
        self.stages.contains(&(validator, stage.to_owned()))
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
                progress.published.entry(batch.publisher).or_default().push(batch.id);
                progress.reach(Stage::FirstBatch, at);
                let by = if batch.publisher == Session(0) {
                    String::new()
                } else {
                    format!(" by session {}", batch.publisher)
                };
                format!(
                    "{network}: batch {} executed{by}, {ok} of {} instructions succeeded",
                    batch.id,
                    batch.results.len()
                )
            }
            Event::HandoverAccepted { .. } | Event::SlashesReported { .. } | Event::SetRetired { .. } => {
                progress.take_end(event, at)
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
            self.stages.insert((number, set.stage.clone()));
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
                self.halts.extend(resume_options(&problem.check).map(|options| (number, options)));
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

    /// Whether every network has reached what `until` asks for.
    pub fn has_reached(&self, until: Until) -> bool {
        self.networks.values().all(|progress| progress.has_reached(until))
    }
}

#[cfg(test)]
mod tests {
    use processor_messages::{List, base_chain::ExecutedBatch};

    use super::*;

    fn executed(publisher: u32, id: u32) -> ExecutedBatch {
        ExecutedBatch {
            id: BatchId(id),
            publisher: Session(publisher),
            block: processor_messages::NetworkBlockHash([0; 32]),
            instructions_hash: [0; 32],
            results: List::default(),
        }
    }

    #[test]
    fn a_halt_is_named_as_resume_wants_it_and_a_failing_task_is_none() {
        let options = |check| resume_options(check).map(|options| options.join(" "));
        assert_eq!(options("base_chain").unwrap(), "--base-chain");
        assert_eq!(options("network/bitcoin").unwrap(), "--network bitcoin");
        assert_eq!(options("session/bitcoin/0").unwrap(), "--session bitcoin/0");
        for task in ["session/scan", "base_chain/follow", "cosign", "store"] {
            assert_eq!(options(task), None, "{task}");
        }
    }

    /// A handover was seen once all of it was: batches of both sets, the report, and the end.
    #[test]
    fn a_handover_is_complete_with_its_last_part_only() {
        let set = ValidatorSet { network: "bitcoin".parse().unwrap(), session: Session(0) };
        let mut progress = NetworkProgress::default();
        let batch = |progress: &mut NetworkProgress, publisher: u32, id: u32| {
            let batch = executed(publisher, id);
            progress.batches.push(batch.id);
            progress.published.entry(batch.publisher).or_default().push(batch.id);
        };
        batch(&mut progress, 0, 0);
        assert!(progress.has_reached(Until::FirstBatch) && !progress.has_reached(Until::Handover));
        batch(&mut progress, 1, 1);
        progress.handed_over(set, Session(1));
        batch(&mut progress, 1, 2);
        assert!(!progress.has_reached(Until::Handover), "without a report");
        if let Some(handover) = progress.handover.as_mut() {
            handover.report = Some(SlashReport::default());
        }
        assert!(!progress.has_reached(Until::Handover), "before the end");
        if let Some(handover) = progress.handover.as_mut() {
            handover.retired = true;
        }
        assert!(progress.has_reached(Until::Handover));
        progress.handed_over(set, Session(2));
        assert_eq!(progress.handover.map(|h| h.accepted_by), Some(Session(1)), "the first one stays");
    }
}
