//! Whole coordinators in one process: real stores on disk, real peer-to-peer network, real tributaries, real
//! message queues over HTTP; scripted processors and a scripted base chain, which verifies signatures.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use coordinator::{
    Config, Failure, Service,
    session::{ARCHIVES, read_archive},
};
use coordinator_base_chain::{
    Call, CosignParameters, Event, MemoryChain, NetworkCurve, SetDeclaration, SetMember, Signers,
    Transaction, TributaryParameters, ValidatorInfo, signing,
};
use coordinator_keys::{SecretKey, write_key_file};
use coordinator_message_queue::Client;
use modular_frost::{
    algorithm::{Hram, SchnorrSignature},
    curve::{Ciphersuite, IetfRistrettoHram, Ristretto},
};
use processor_messages::{
    Amount, Attempt, BaseBlock, BaseBlockHash, BaseSignature, Batch, BatchId, Bytes, ChainGenesis,
    EmbeddedKeys, FromProcessor, KeyPair, KeyShares, List, Network, NetworkBlockHash, Session, SignedBatch,
    SigningPiece, SlashReport, ToProcessor, Validator, ValidatorSet, base_chain,
    coordinator as coordinator_messages, key_gen, sign, threshold,
};
use tokio::{io::AsyncWriteExt, sync::oneshot, task::JoinHandle};
use zeroize::Zeroizing;

const CHAIN: ChainGenesis = ChainGenesis([7; 32]);

fn network() -> Network {
    Network::new("bitcoin").unwrap()
}

fn set() -> ValidatorSet {
    ValidatorSet { network: network(), session: Session(0) }
}

fn secret(kind: u8, index: usize) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[0] = u8::try_from(index).unwrap() + 1;
    bytes[1] = kind;
    SecretKey::from_bytes(&bytes).unwrap()
}

fn validator(index: usize) -> Validator {
    Validator(secret(0, index).public().to_bytes())
}

fn group_secret() -> Zeroizing<<Ristretto as Ciphersuite>::F> {
    Zeroizing::new(Ristretto::hash_to_F(b"test", b"group"))
}

fn key_pair() -> KeyPair {
    let point = Ristretto::generator() * *group_secret();
    let base =
        SchnorrSignature::<Ristretto> { R: point, s: *group_secret() }.serialize()[..32].try_into().unwrap();
    KeyPair { base, network: Bytes::new(vec![2; 33]).unwrap() }
}

fn batch() -> Batch {
    Batch {
        network: network(),
        id: BatchId(0),
        block: NetworkBlockHash([5; 32]),
        instructions: List::default(),
    }
}

fn sign(message: &[u8]) -> BaseSignature {
    let nonce = Ristretto::hash_to_F(b"test", message);
    let key = Ristretto::generator() * *group_secret();
    let c = IetfRistrettoHram::hram(&(Ristretto::generator() * nonce), &key, message);
    signing::to_signature(&SchnorrSignature::<Ristretto>::sign(&group_secret(), Zeroizing::new(nonce), c))
}

fn signed_batch() -> SignedBatch {
    SignedBatch { batch: batch(), signature: sign(&signing::batch_message(CHAIN, &batch())) }
}

fn declaration(weights: &[u16]) -> SetDeclaration {
    let member = |(index, weight): (usize, &u16)| SetMember {
        validator: validator(index),
        shares: KeyShares(*weight),
        embedded: EmbeddedKeys { base: Bytes::default(), network: Bytes::default() },
    };
    SetDeclaration {
        set: set(),
        curve: NetworkCurve::Secp256k1,
        members: weights.iter().enumerate().map(member).collect(),
        threshold: threshold(KeyShares(weights.iter().sum())),
        key_gen_deadline: BaseBlock(1_000_000),
        tributary: TributaryParameters { attempt_blocks: 20, longest_attempt: 11, grace_blocks: 0 },
        cosign: CosignParameters { distance_blocks: 1, stake_per_share: Amount(1) },
    }
}

/// The set of a later session, of other validators, whose keys are on the chain. It has no stake: nobody here cosigns for
/// it.
fn next_set_with_keys(session: Session) -> Vec<Event> {
    let set = ValidatorSet { session, ..set() };
    let mut declaration = SetDeclaration { set, ..declaration(&[1; 4]) };
    declaration.cosign.stake_per_share = Amount(0);
    for (index, member) in declaration.members.iter_mut().enumerate() {
        member.validator = validator(100 + index);
    }
    let keys = Event::KeysSet { set, key_pair: key_pair(), signers: Signers::default() };
    vec![Event::SetDeclared(declaration), keys]
}

/// A scripted processor over the real queue.
struct Processor {
    client: Client,
    me: Validator,
    own: usize,
    members: Vec<key_gen::Member>,
    threshold: u16,
    participated: BTreeSet<Validator>,
    generated: bool,
    report: SlashReport,
    cosigns: BTreeMap<BaseBlock, BaseBlockHash>,
}

impl Processor {
    async fn run(mut self) {
        loop {
            match self.client.next(Duration::from_secs(5)).await {
                Ok(Some((id, message))) => {
                    for answer in self.answer(message) {
                        while self.client.send(&answer).await.is_err() {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                    let _ = self.client.acknowledge(id).await;
                }
                Ok(None) => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn pieces(&self) -> sign::OwnPieces {
        let piece = |i: usize| SigningPiece::new(vec![u8::try_from(i).unwrap()]).unwrap();
        List::new((0..self.own).map(piece).collect()).unwrap()
    }

    fn answer(&mut self, message: ToProcessor) -> Vec<FromProcessor> {
        match message {
            ToProcessor::KeyGen(message) => self.key_gen(message),
            ToProcessor::Sign(message) => self.answer_sign(message),
            ToProcessor::BaseChain(base_chain::ToProcessor::SetKeys { session, .. }) => {
                let id =
                    sign::SignId { session, id: sign::SigningId::Batch(BatchId(0)), attempt: Attempt(0) };
                let preprocesses = self.pieces();
                vec![
                    FromProcessor::BaseChain(base_chain::FromProcessor::Batch { session, batch: batch() }),
                    FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses }),
                ]
            }
            ToProcessor::Coordinator(coordinator_messages::ToProcessor::SignSlashReport {
                session,
                report,
            }) => {
                self.report = report;
                let id = sign::SignId { session, id: sign::SigningId::SlashReport, attempt: Attempt(0) };
                let preprocesses = self.pieces();
                vec![FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses })]
            }
            ToProcessor::Coordinator(coordinator_messages::ToProcessor::CosignBlock {
                session,
                block,
                hash,
            }) => {
                self.cosigns.insert(block, hash);
                let id = sign::SignId { session, id: sign::SigningId::Cosign(block), attempt: Attempt(0) };
                let preprocesses = self.pieces();
                vec![FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses })]
            }
            ToProcessor::BaseChain(_) => Vec::new(),
        }
    }

    fn answer_sign(&self, message: sign::ToProcessor) -> Vec<FromProcessor> {
        match message {
            sign::ToProcessor::Preprocesses { id, .. } => {
                let shares = self.pieces();
                vec![FromProcessor::Sign(sign::FromProcessor::Shares { id, shares })]
            }
            sign::ToProcessor::Shares { id, .. } if id.id == sign::SigningId::SlashReport => {
                let (session, report) = (id.session, self.report.clone());
                let signature = sign(&signing::slash_report_message(CHAIN, set(), &report));
                let signed =
                    coordinator_messages::FromProcessor::SignedSlashReport { session, report, signature };
                vec![FromProcessor::Coordinator(signed)]
            }
            sign::ToProcessor::Shares {
                id: sign::SignId { session, id: sign::SigningId::Cosign(block), .. },
                ..
            } => {
                let hash = self.cosigns[&block];
                let signature = sign(&signing::cosign_message(CHAIN, set(), block, hash));
                vec![FromProcessor::Coordinator(coordinator_messages::FromProcessor::CosignedBlock {
                    session,
                    block,
                    hash,
                    signature,
                })]
            }
            sign::ToProcessor::Shares { id, .. } => {
                let (session, batch) = (id.session, signed_batch());
                let signed = coordinator_messages::FromProcessor::SignedBatch { session, batch };
                vec![FromProcessor::Coordinator(signed)]
            }
            sign::ToProcessor::Reattempt { id } => {
                let preprocesses = self.pieces();
                vec![FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses })]
            }
        }
    }

    fn key_gen(&mut self, message: key_gen::ToProcessor) -> Vec<FromProcessor> {
        match message {
            key_gen::ToProcessor::GenerateKey { session, threshold, members, .. } => {
                let own = members.iter().find(|m| m.validator == self.me);
                self.own = own.map_or(0, |m| usize::from(m.shares.0));
                self.members = members.into_inner();
                self.threshold = threshold.0;
                let participation = Bytes::new(vec![1; 10_000]).unwrap();
                vec![FromProcessor::KeyGen(key_gen::FromProcessor::Participation { session, participation })]
            }
            key_gen::ToProcessor::Block { session, participations, .. } => {
                self.participated.extend(participations.iter().map(|(author, _)| *author));
                let there = self.members.iter().filter(|m| self.participated.contains(&m.validator));
                let weight: u16 = there.map(|m| m.shares.0).sum();
                if self.generated || (weight < self.threshold) {
                    return Vec::new();
                }
                self.generated = true;
                let key_pair = key_pair();
                vec![FromProcessor::KeyGen(key_gen::FromProcessor::GeneratedKeyPair { session, key_pair })]
            }
        }
    }
}

/// How to stop a coordinator, and how it ended.
type Running = (oneshot::Sender<()>, JoinHandle<Result<(), Failure>>);

struct Validators {
    chain: MemoryChain,
    dir: tempfile::TempDir,
    weights: Vec<u16>,
    addresses: BTreeMap<usize, SocketAddr>,
    running: BTreeMap<usize, Running>,
    processors: Vec<JoinHandle<()>>,
    apis: BTreeMap<usize, SocketAddr>,
}

fn config_text(index: usize, p2p: &str, queue: &str) -> String {
    let processor = hex::encode(secret(2, index).public().to_bytes());
    format!(
        r#"
data_dir = "data"
key_file = "validator.key"
[base_chain]
url = "http://127.0.0.1:1"
chain = "{CHAIN}"
[p2p]
listen = "{p2p}"
[queue]
listen = "{queue}"
key_file = "service.key"
[queue.processors]
bitcoin = "{processor}"
[api]
listen = "127.0.0.1:0"
[tributary]
block_interval_ms = 100
"#
    )
}

impl Validators {
    fn new(weights: &[u16]) -> Self {
        // Quiet unless asked: `HEADWATER_TEST_LOG=info cargo test …`.
        let filter = std::env::var("HEADWATER_TEST_LOG").unwrap_or_else(|_| "off".to_owned());
        coordinator::log::start(&coordinator::config::Log { filter, ..Default::default() }).unwrap();
        let declared = Event::SetDeclared(declaration(weights));
        let chain = MemoryChain::new("test", CHAIN, Vec::new(), 1, vec![declared]);
        let dir = tempfile::tempdir().unwrap();
        for index in 0..weights.len() {
            let home = dir.path().join(index.to_string());
            std::fs::create_dir(&home).unwrap();
            write_key_file(&home.join("validator.key"), &secret(0, index)).unwrap();
            write_key_file(&home.join("service.key"), &secret(1, index)).unwrap();
            chain.put_validator(info(index, Vec::new()));
        }
        Self {
            chain,
            dir,
            weights: weights.to_vec(),
            addresses: BTreeMap::new(),
            running: BTreeMap::new(),
            processors: Vec::new(),
            apis: BTreeMap::new(),
        }
    }

    async fn start(&mut self, index: usize) {
        let home = self.dir.path().join(index.to_string());
        let p2p = self.addresses.get(&index).map_or("127.0.0.1:0".to_owned(), ToString::to_string);
        let path = home.join("coordinator.toml");
        std::fs::write(&path, config_text(index, &p2p, "127.0.0.1:0")).unwrap();
        let service = Service::start_on(Config::load(&path).unwrap(), self.chain.clone()).await.unwrap();
        let addresses = service.addresses();
        self.addresses.insert(index, addresses.p2p);
        self.apis.insert(index, addresses.api);
        self.chain.put_validator(info(index, vec![addresses.p2p.to_string()]));
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(service.run(async {
            let _ = stopped.await;
        }));
        self.running.insert(index, (stop, running));
        let url = format!("http://{}", addresses.queue);
        let coordinator_key = secret(1, index).public();
        let client = Client::new(&url, network(), secret(2, index), coordinator_key).unwrap();
        let processor = Processor {
            client,
            me: validator(index),
            own: 0,
            members: Vec::new(),
            threshold: 0,
            participated: BTreeSet::new(),
            generated: false,
            report: SlashReport::default(),
            cosigns: BTreeMap::new(),
        };
        self.processors.push(tokio::spawn(processor.run()));
    }

    async fn stop(&mut self, index: usize) {
        let (stop, running) = self.running.remove(&index).unwrap();
        // COORD-22: with a processor's long-poll and half a request to the operator's port under way. Whoever does
        // not end by itself is given 15 s.
        let mut half = tokio::net::TcpStream::connect(self.apis[&index]).await.unwrap();
        half.write_all(b"GET /status HTTP/1.1\r\n").await.unwrap();
        let _ = stop.send(());
        let ended = tokio::time::timeout(Duration::from_secs(12), running).await;
        ended.expect("the end waits for nobody").unwrap().unwrap();
    }

    async fn get(&self, index: usize, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("http://{}{path}", self.apis[&index])).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn status(&self, index: usize) -> serde_json::Value {
        serde_json::from_str(&self.get(index, "/status").await.1).unwrap()
    }

    /// Finalizes what was submitted, with real verification, until a batch is executed.
    fn base_chain(&self) -> (JoinHandle<()>, Arc<Mutex<Vec<BatchId>>>) {
        let executed = Arc::new(Mutex::new(Vec::new()));
        let (chain, weights, seen) = (self.chain.clone(), self.weights.clone(), executed.clone());
        let task = tokio::spawn(async move {
            let mut time = 2;
            let (mut keys, mut reported) = (false, false);
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let mut events = Vec::new();
                for transaction in chain.take_submitted() {
                    match transaction {
                        Transaction::SetKeys(set_keys) if !keys => {
                            let all: Vec<_> = (0..weights.len()).map(validator).collect();
                            let signers: Vec<_> =
                                set_keys.signers.select(&all).unwrap().into_iter().copied().collect();
                            let (pair, signature) = (&set_keys.key_pair, &set_keys.signature);
                            assert!(signing::verify_set_keys(CHAIN, set(), pair, &signers, signature));
                            keys = true;
                            events.push(Event::KeysSet {
                                set: set(),
                                key_pair: set_keys.key_pair,
                                signers: set_keys.signers,
                            });
                        }
                        Transaction::ExecuteBatch(signed) if seen.lock().unwrap().is_empty() => {
                            let message = signing::batch_message(CHAIN, &signed.batch);
                            assert!(signing::verify(&key_pair().base, &message, &signed.signature));
                            seen.lock().unwrap().push(signed.batch.id);
                            events.push(executed_event(&signed.batch));
                        }
                        Transaction::ReportSlashes(call) if !reported => {
                            let message = signing::slash_report_message(CHAIN, set(), &call.report);
                            assert!(signing::verify(&key_pair().base, &message, &call.signature));
                            reported = true;
                            let report = call.report;
                            events.push(Event::SlashesReported { set: call.set, report });
                            events.push(Event::SetRetired { set: call.set, reported });
                        }
                        Transaction::Call(call) => {
                            assert!(matches!(call.call, Call::RegisterAddresses { .. }));
                        }
                        _ => {}
                    }
                }
                time += 1_000;
                if !events.is_empty() {
                    chain.push(time, Vec::new(), events);
                }
            }
        });
        (task, executed)
    }

    /// Waits until the condition on the statuses of running validators holds.
    async fn until(&self, what: &str, condition: impl Fn(&serde_json::Value) -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_secs(90);
        loop {
            let mut statuses = Vec::new();
            for index in self.running.keys() {
                statuses.push(self.status(*index).await);
            }
            if statuses.iter().all(&condition) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{what}: {statuses:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop_all(mut self) {
        self.processors.iter().for_each(JoinHandle::abort);
        let indices: Vec<usize> = self.running.keys().copied().collect();
        for index in indices {
            self.stop(index).await;
        }
    }
}

fn executed_event(batch: &Batch) -> Event {
    let batch = base_chain::ExecutedBatch {
        id: batch.id,
        publisher: Session(0),
        block: batch.block,
        instructions_hash: signing::instructions_hash(batch),
        results: List::default(),
    };
    Event::BatchExecuted { network: network(), batch }
}

fn info(index: usize, addresses: Vec<String>) -> ValidatorInfo {
    let addresses = addresses.into_iter().map(|a| Bytes::new(a.into_bytes()).unwrap()).collect();
    ValidatorInfo {
        validator: validator(index),
        consensus_weight: 1,
        addresses: List::new(addresses).unwrap(),
        embedded_keys: Vec::new(),
        stakes: Vec::new(),
    }
}

fn executed(status: &serde_json::Value) -> bool {
    status["networks"][0]["next_verified"] == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_coordinators_generate_confirm_and_execute_a_batch() {
    let mut validators = Validators::new(&[3, 3, 2, 2]);
    for index in 0..4 {
        validators.start(index).await;
    }
    let (base_chain, seen) = validators.base_chain();
    validators.until("the batch is executed", executed).await;
    validators.until("no topic is open", |s| s["sets"][0]["topics"].as_array().unwrap().is_empty()).await;
    // Three connections were enough for all of that; the others come when dialled again.
    validators.until("all are connected", |s| s["peers"].as_array().unwrap().len() == 3).await;
    assert_eq!(*seen.lock().unwrap(), [BatchId(0)]);
    let status = validators.status(2).await;
    assert_eq!(status["sets"][0]["stage"], "keys_set");
    // COSIGN-3 to COSIGN-6: the batch's block was handled because the set cosigned it, the third validator's
    // coordinator among those that were told.
    assert_eq!(status["cosign"]["code"], "COSIGN_ENFORCED");
    assert_eq!(status["cosign"]["cosigned"], 2);
    assert_eq!(status["cosign"]["networks"][0]["lag_blocks"], 0);
    assert_eq!(validators.get(0, "/readyz").await.0, 200);
    assert_eq!(validators.get(0, "/livez").await, (200, "ok\n".to_owned()));
    let (_, metrics) = validators.get(0, "/metrics").await;
    for name in [
        "coord_build_info",
        "coord_dkg_state",
        "coord_tributary_height",
        "coord_cosign_latest",
        "coord_queue_depth",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    base_chain.abort();
    validators.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_of_four_suffice_and_the_fourth_catches_up_from_nothing() {
    let mut validators = Validators::new(&[1, 1, 1, 1]);
    for index in 0..3 {
        validators.start(index).await;
    }
    let (base_chain, _) = validators.base_chain();
    validators.until("three are enough", executed).await;
    validators.start(3).await;
    validators.until("the fourth follows", executed).await;
    base_chain.abort();
    validators.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_coordinator_goes_on_where_it_was() {
    let mut validators = Validators::new(&[1, 1, 1, 1]);
    for index in 0..4 {
        validators.start(index).await;
    }
    validators.until("participations", |s| s["sets"][0]["tributary"]["decided"].as_u64() >= Some(2)).await;
    validators.stop(1).await;
    validators.start(1).await;
    let (base_chain, _) = validators.base_chain();
    validators.until("the batch is executed", executed).await;
    base_chain.abort();
    validators.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_which_handed_over_reports_is_archived_and_pruned() {
    // SIGN-20, SIGN-22: through the real tasks, tributaries and disks.
    let mut validators = Validators::new(&[1, 1, 1, 1]);
    for index in 0..4 {
        validators.start(index).await;
    }
    let (base_chain, _) = validators.base_chain();
    validators.until("the batch is executed", executed).await;
    validators.until("no topic is open", |s| s["sets"][0]["topics"].as_array().unwrap().is_empty()).await;
    let genesis = validators.status(0).await["sets"][0]["genesis"].as_str().unwrap().to_owned();
    let (retiring, accepted_by, slash_report_deadline) = (set(), Session(1), BaseBlock(1_000));
    let handover = Event::HandoverAccepted { retiring, accepted_by, slash_report_deadline };
    let events = [next_set_with_keys(accepted_by), vec![handover]].concat();
    validators.chain.push(9_000_000, Vec::new(), events);
    validators
        .until("it is pruned", |s| {
            (s["retired"][0]["pruned"] == true) && (s["sets"].as_array().unwrap().is_empty())
        })
        .await;
    let retired = validators.status(1).await["retired"][0].clone();
    assert_eq!((&retired["genesis"], &retired["reported"]), (&genesis.as_str().into(), &true.into()));
    assert_eq!(validators.get(1, "/readyz").await.0, 200);
    let (_, metrics) = validators.get(1, "/metrics").await;
    for name in ["coord_handover_blocked_batches", "coord_batch_signed_unpublished"] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    assert!(!metrics.contains("bitcoin/0"), "a series of an ended set in {metrics}");
    for index in 0..4 {
        let directory = validators.dir.path().join(index.to_string()).join("data").join(ARCHIVES);
        let archive = read_archive(&directory.join("bitcoin-0.archive")).unwrap();
        assert_eq!(archive.spec.genesis.to_string(), genesis);
        let files = std::fs::read_dir(&directory).unwrap().count();
        assert_eq!(files, 1, "nothing half written is left");
    }
    // What is over stays over.
    validators.stop(1).await;
    validators.start(1).await;
    assert_eq!(validators.status(1).await["retired"][0], retired);
    assert!(validators.status(1).await["sets"].as_array().unwrap().is_empty());
    base_chain.abort();
    validators.stop_all().await;
}
