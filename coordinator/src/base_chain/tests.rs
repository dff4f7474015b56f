//! What is submitted, how often, and what a chain that does not take it holds up: counted, in virtual time.

pub(crate) mod chain;

use std::sync::Arc;

use coordinator_base_chain::{
    CosignParameters, Event, MemoryChain, NetworkCurve, Refusal, SetDeclaration, SetKeys, SetMember, Signers,
    SlashReportCall, TributaryParameters, signing,
};
use coordinator_core::{Identity, base_chain, cosign, halt::Reason, processor};
use coordinator_keys::SecretKey;
use coordinator_store::{MemoryStore, Store, Table};
use modular_frost::{
    algorithm::{Hram, SchnorrSignature},
    curve::{Ciphersuite, IetfRistrettoHram, Ristretto},
};
use processor_messages::{
    BaseBlock, BaseSignature, Batch, BatchId, Bytes, ChainGenesis, EmbeddedKeys, FromProcessor, KeyPair,
    KeyShares, List, MAX_KEY_SHARES, Network, NetworkBlockHash, Session, SignedBatch, Slash, SlashReport,
    Validator, ValidatorSet, base_chain as feed, coordinator, encode,
};
use tokio::{sync::watch, task::JoinHandle};
use zeroize::Zeroizing;

use super::*;
use crate::{
    api::metrics::Metrics,
    node::Node,
    task::{self, Health, Task, Wake},
};
use chain::{Counted, Manner};

pub(crate) const CHAIN: ChainGenesis = ChainGenesis([7; 32]);

pub(crate) fn network(name: &str) -> Network {
    Network::new(name).unwrap()
}

fn set_of(network: Network) -> ValidatorSet {
    ValidatorSet { network, session: Session(0) }
}

pub(crate) fn secret(index: u8) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[0] = index + 1;
    SecretKey::from_bytes(&bytes).unwrap()
}

pub(crate) fn validator(index: u8) -> Validator {
    Validator(secret(index).public().to_bytes())
}

/// A set of these validators, one key share each.
pub(crate) fn declaration(set: ValidatorSet, members: impl IntoIterator<Item = Validator>) -> SetDeclaration {
    let member = |validator| SetMember {
        validator,
        shares: KeyShares(1),
        embedded: EmbeddedKeys { base: Bytes::default(), network: Bytes::default() },
    };
    let members: Vec<_> = members.into_iter().map(member).collect();
    let threshold = processor_messages::threshold(KeyShares(u16::try_from(members.len()).unwrap()));
    SetDeclaration {
        set,
        curve: NetworkCurve::Secp256k1,
        members,
        threshold,
        key_gen_deadline: BaseBlock(1_000),
        tributary: TributaryParameters::default(),
        cosign: CosignParameters::default(),
    }
}

fn group_secret() -> Zeroizing<<Ristretto as Ciphersuite>::F> {
    Zeroizing::new(Ristretto::hash_to_F(b"test", b"group"))
}

fn key_pair() -> KeyPair {
    let point = Ristretto::generator() * *group_secret();
    let encoded = SchnorrSignature::<Ristretto> { R: point, s: *group_secret() }.serialize();
    KeyPair { base: encoded[..32].try_into().unwrap(), network: Bytes::new(vec![2; 33]).unwrap() }
}

/// A signature as a threshold of the set would make it.
fn sign(message: &[u8]) -> BaseSignature {
    let nonce = Ristretto::hash_to_F(b"test", message);
    let key = Ristretto::generator() * *group_secret();
    let challenge = IetfRistrettoHram::hram(&(Ristretto::generator() * nonce), &key, message);
    let signature = SchnorrSignature::<Ristretto>::sign(&group_secret(), Zeroizing::new(nonce), challenge);
    signing::to_signature(&signature)
}

pub(crate) fn node(networks: &[&str]) -> Node<MemoryStore> {
    let networks = networks.iter().map(|name| network(name)).collect();
    Node {
        store: MemoryStore::default(),
        identity: Arc::new(Identity { key: secret(0), chain: CHAIN, networks }),
        wake: Wake::default(),
        health: Health::default(),
        metrics: Metrics::default(),
    }
}

/// Our processor made a batch and holds its signature.
async fn has_signed_batch(node: &Node<MemoryStore>, network: Network, id: BatchId) {
    let (session, block) = (Session(0), NetworkBlockHash([5; 32]));
    let batch = Batch { network, id, block, instructions: List::default() };
    let signature = sign(&signing::batch_message(CHAIN, &batch));
    let signed = SignedBatch { batch: batch.clone(), signature };
    for said in [
        FromProcessor::BaseChain(feed::FromProcessor::Batch { session, batch }),
        FromProcessor::Coordinator(coordinator::FromProcessor::SignedBatch { session, batch: signed }),
    ] {
        node.step(|step| processor::apply(step, network, said)).await.unwrap().unwrap();
    }
}

/// The rows which the rules of confirmation and of slash reports leave.
async fn waits(node: &Node<MemoryStore>, set: ValidatorSet, report: SlashReport) {
    const SET_KEYS: Table<ValidatorSet, Vec<u8>> = Table::new("outbox/set_keys");
    const SLASH_REPORTS: Table<ValidatorSet, SlashReportCall> = Table::new("outbox/slash_report");
    let signature = sign(&signing::slash_report_message(CHAIN, set, &report));
    let keys = SetKeys { set, key_pair: key_pair(), signers: Signers::default(), signature: [1; 64] };
    let put = |txn: &mut dyn coordinator_store::Transaction| {
        SET_KEYS.put(txn, &set, &encode(&keys));
        SLASH_REPORTS.put(txn, &set, &SlashReportCall { set, report, signature });
        Ok::<_, coordinator_store::StoreError>(())
    };
    node.store.write(put).unwrap().1.await.unwrap();
}

/// A node of these networks for each of which keys, a signed batch and a slash report wait, and the chain they go to.
async fn with_everything_to_submit(networks: &[&str]) -> (Node<MemoryStore>, Counted) {
    let node = node(networks);
    let mut events = Vec::new();
    for name in networks {
        let (set, signers) = (set_of(network(name)), Signers::default());
        events.push(Event::SetDeclared(declaration(set, (0..4).map(validator))));
        events.push(Event::KeysSet { set, key_pair: key_pair(), signers });
    }
    let inner = MemoryChain::new("test", CHAIN, Vec::new(), 1, events);
    let block = inner.block(BaseBlock(0)).await.unwrap().unwrap();
    node.step(|step| cosign::observe(step, &block)).await.unwrap().unwrap();
    node.step(|step| base_chain::follow(step, &block)).await.unwrap().unwrap();
    for name in networks {
        has_signed_batch(&node, network(name), BatchId(0)).await;
        waits(&node, set_of(network(name)), SlashReport::default()).await;
    }
    (node, Counted::new(inner))
}

fn kind(transaction: &Transaction) -> &'static str {
    match transaction {
        Transaction::SetKeys(_) => "keys",
        Transaction::ExecuteBatch(_) => "batch",
        Transaction::ReportSlashes(_) => "report",
        Transaction::Call(_) => "call",
    }
}

/// The kinds of what was submitted for a network, in order.
fn kinds(chain: &Counted, name: &str) -> Vec<&'static str> {
    let submitted = chain.submitted();
    let of =
        submitted.iter().filter(|(transaction, _)| chain::network_of(transaction) == Some(network(name)));
    of.map(|(transaction, _)| kind(transaction)).collect()
}

/// Tasks under the service's runner, until it is dropped.
struct Running {
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Running {
    /// Everything which submits for these networks.
    fn submitters(node: &Node<MemoryStore>, chain: &Counted, networks: &[&str]) -> Self {
        let (stop, _) = watch::channel(false);
        let mut this = Self { tasks: Vec::new(), stop };
        for name in networks {
            this.spawn(node, PublishKeys::new(node.clone(), chain.clone(), network(name)));
            this.spawn(node, PublishBatches::new(node.clone(), chain.clone(), network(name)));
            this.spawn(node, PublishSlashReports::new(node.clone(), chain.clone(), network(name)));
        }
        this
    }

    fn spawn(&mut self, node: &Node<MemoryStore>, task: impl Task + 'static) {
        let (wake, health, stopped) = (node.wake.clone(), node.health.clone(), self.stop.subscribe());
        self.tasks.push(tokio::spawn(async move { task::run(task, wake, health, stopped).await.unwrap() }));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Virtual time passes, and whatever is due in it happens.
pub(crate) async fn pass(time: Duration) {
    let nothing = timeout(time, std::future::pending::<()>()).await;
    assert!(nothing.is_err());
}

/// How long the counted stretches are.
const STRETCH: Duration = Duration::from_mins(10);

/// When batches of `bitcoin` were submitted in a stretch, in milliseconds, and how often the task was called.
async fn batches_submitted(manner: Manner, wakes_every: Option<Duration>) -> (Vec<u128>, u64) {
    let (node, chain) = with_everything_to_submit(&["bitcoin"]).await;
    chain.script(network("bitcoin"), manner);
    let start = Instant::now();
    let running = Running::submitters(&node, &chain, &["bitcoin"]);
    let wake = node.wake.clone();
    let waker = wakes_every.map(|every| {
        tokio::spawn(async move {
            loop {
                wake.all();
                pass(every).await;
            }
        })
    });
    pass(STRETCH).await;
    if let Some(waker) = waker {
        waker.abort();
    }
    drop(running);
    let calls = node.health.snapshot()["base_chain/publish_batches/bitcoin"].calls;
    let at = chain.submitted().into_iter().filter(|(transaction, _)| kind(transaction) == "batch");
    (at.map(|(_, at)| (at - start).as_millis()).collect(), calls)
}

/// The gaps between these times.
fn gaps(times: &[u128]) -> Vec<u128> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn ref_28_what_the_chain_does_not_answer_is_submitted_again_after_longer_and_longer() {
    // COORD-9, and the runner's delays. Whatever happens meanwhile, nothing is submitted sooner.
    for wakes in [None, Some(Duration::from_millis(20))] {
        let (times, calls) = batches_submitted(Manner::Unreachable, wakes).await;
        assert_eq!(times[0], 0);
        let gaps = gaps(&times);
        assert_eq!(gaps[..6], [250, 500, 1_000, 2_000, 4_000, 8_000]);
        assert!(gaps[6..].iter().all(|gap| *gap == 10_000), "{gaps:?}");
        assert_eq!(calls, times.len() as u64, "a failed task is not woken");
    }
}

#[tokio::test(start_paused = true)]
async fn ref_28_an_answer_which_never_comes_is_not_waited_for_for_ever() {
    let (times, calls) = batches_submitted(Manner::Hangs, Some(Duration::from_millis(20))).await;
    let gaps = gaps(&times);
    assert_eq!(gaps[..3], [30_250, 30_500, 31_000]);
    assert!(gaps[6..].iter().all(|gap| *gap == 40_000), "{gaps:?}");
    assert_eq!(calls, times.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn ref_28_what_the_chain_refuses_is_submitted_at_a_fixed_pace() {
    // For good: what removes it is the base chain's own event. Woken or not, not sooner than that.
    for (refusal, pace) in [(Refusal::BadSignature, RESUBMIT), (Refusal::MempoolFull, RESUBMIT_REFUSED)] {
        for wakes in [None, Some(Duration::from_millis(20))] {
            let (times, calls) = batches_submitted(Manner::Refuses(refusal.clone()), wakes).await;
            assert!(times.len() > 50, "it is submitted again: {}", times.len());
            assert!(gaps(&times).iter().all(|gap| *gap >= pace.as_millis()), "{refusal}: {times:?}");
            // Unwoken it is called each 5 s, or as often as it submits.
            let most = 1 + STRETCH.as_secs() / pace.as_secs().min(5);
            assert!(wakes.is_some() || (calls <= most), "{calls}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ref_28_who_submits_in_vain_for_long_is_seen_by_the_operator() {
    // COORD-21.
    for manner in [Manner::Unreachable, Manner::Hangs] {
        let (node, chain) = with_everything_to_submit(&["bitcoin"]).await;
        chain.script(network("bitcoin"), manner);
        let _running = Running::submitters(&node, &chain, &["bitcoin"]);
        pass(Duration::from_mins(2)).await;
        for task in ["publish_keys", "publish_batches", "publish_slash_report"] {
            let health = node.health.snapshot()[&format!("base_chain/{task}/bitcoin")].clone();
            let (lasts, what) = health.problem(Instant::now()).unwrap();
            assert!(lasts > Duration::from_secs(45), "{lasts:?}");
            assert!(what.contains("does not answer"), "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ref_29_a_submission_which_never_returns_stops_no_other_network() {
    // COORD-9: each network has tasks of its own. Before, one task submitted the keys of all of them, and one the reports.
    let networks = ["bitcoin", "ethereum", "monero"];
    let (node, chain) = with_everything_to_submit(&networks).await;
    chain.script(network("bitcoin"), Manner::Hangs);
    let _running = Running::submitters(&node, &chain, &networks);
    pass(Duration::from_secs(5)).await;
    for name in networks {
        let mut kinds = kinds(&chain, name);
        kinds.sort_unstable();
        assert_eq!(kinds, ["batch", "keys", "report"], "{name}");
    }
    let taken = chain.inner.take_submitted();
    assert_eq!(taken.len(), 6, "of the other two");
    assert!(taken.iter().all(|transaction| chain::network_of(transaction) != Some(network("bitcoin"))));
}

/// The ids of the batches which were submitted, in order.
fn batches(chain: &Counted) -> Vec<u32> {
    let id = |(transaction, _): (Transaction, Instant)| match transaction {
        Transaction::ExecuteBatch(signed) => Some(signed.batch.id.0),
        _ => None,
    };
    chain.submitted().into_iter().filter_map(id).collect()
}

#[tokio::test(start_paused = true)]
async fn batches_are_submitted_in_order_before_the_execution_of_the_former_is_seen() {
    // COORD-6.
    let (node, chain) = with_everything_to_submit(&["bitcoin"]).await;
    for id in 1..20 {
        has_signed_batch(&node, network("bitcoin"), BatchId(id)).await;
    }
    let _running = Running::submitters(&node, &chain, &["bitcoin"]);
    pass(Duration::from_secs(9)).await;
    assert_eq!(batches(&chain), (0..8).collect::<Vec<_>>(), "each once, and not all that wait");
}

#[tokio::test(start_paused = true)]
async fn a_batch_which_is_refused_for_now_holds_up_the_later_ones() {
    // COORD-6.
    let (node, chain) = with_everything_to_submit(&["bitcoin"]).await;
    has_signed_batch(&node, network("bitcoin"), BatchId(1)).await;
    let refusal = Refusal::BatchAhead { id: BatchId(0), next: BatchId(0) };
    chain.script(network("bitcoin"), Manner::Refuses(refusal));
    let _running = Running::submitters(&node, &chain, &["bitcoin"]);
    pass(Duration::from_secs(4)).await;
    assert_eq!(batches(&chain), [0, 0, 0, 0]);
    chain.script(network("bitcoin"), Manner::Takes);
    pass(Duration::from_secs(2)).await;
    assert_eq!(batches(&chain)[4..], [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_which_was_executed_unseen_holds_up_none_and_one_which_never_will_be_holds_up_all() {
    // COORD-6.
    let (stale, never) = (Refusal::BatchStale { id: BatchId(0), next: BatchId(9) }, Refusal::BadSignature);
    for (refusal, expected) in [(stale, vec![0, 1, 2]), (never, vec![0])] {
        let (node, chain) = with_everything_to_submit(&["bitcoin"]).await;
        for id in 1..3 {
            has_signed_batch(&node, network("bitcoin"), BatchId(id)).await;
        }
        chain.script(network("bitcoin"), Manner::Refuses(refusal.clone()));
        let _running = Running::submitters(&node, &chain, &["bitcoin"]);
        pass(Duration::from_secs(9)).await;
        assert_eq!(batches(&chain), expected, "{refusal}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_halt_ends_a_run_of_submissions_under_way() {
    // COORD-6, COORD-9.
    let (node, chain) = with_everything_to_submit(&["bitcoin"]).await;
    has_signed_batch(&node, network("bitcoin"), BatchId(1)).await;
    chain.script(network("bitcoin"), Manner::TakesAfter(Duration::from_secs(20)));
    let _running = Running::submitters(&node, &chain, &["bitcoin"]);
    pass(Duration::from_secs(10)).await;
    let reason = Reason::Internal { what: "test".to_owned() };
    node.halt(set_of(network("bitcoin")), reason).await.unwrap();
    pass(Duration::from_mins(2)).await;
    assert_eq!(batches(&chain), [0], "the one which was under way");
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_halted_session_is_submitted() {
    // COORD-9: before, a batch was, as only its network's halt was looked at.
    let networks = ["bitcoin", "ethereum"];
    let (node, chain) = with_everything_to_submit(&networks).await;
    let reason = Reason::Internal { what: "test".to_owned() };
    node.halt(set_of(network("bitcoin")), reason).await.unwrap();
    let _running = Running::submitters(&node, &chain, &networks);
    pass(Duration::from_mins(1)).await;
    assert!(kinds(&chain, "bitcoin").is_empty());
    assert!(kinds(&chain, "ethereum").len() > 6, "the other one's go on");
}

#[tokio::test(start_paused = true)]
async fn a_halt_ends_the_submissions_under_way() {
    // COORD-9.
    let (node, chain) = with_everything_to_submit(&["bitcoin"]).await;
    let _running = Running::submitters(&node, &chain, &["bitcoin"]);
    pass(Duration::from_secs(15)).await;
    let before = kinds(&chain, "bitcoin").len();
    assert_eq!(before, 6, "twice each");
    let reason = Reason::Internal { what: "test".to_owned() };
    node.halt(set_of(network("bitcoin")), reason).await.unwrap();
    pass(STRETCH).await;
    assert_eq!(kinds(&chain, "bitcoin").len(), before);
}

#[tokio::test(start_paused = true)]
async fn ref_11_the_longest_report_is_submitted_whole() {
    // SIGN-20: every member of the largest set, none of them spared.
    let (node, chain) = with_everything_to_submit(&["bitcoin"]).await;
    let entry = |index: u16| {
        let mut key = [9; 32];
        key[..2].copy_from_slice(&index.to_be_bytes());
        (Validator(key), if index.is_multiple_of(2) { Slash::Fatal } else { Slash::Points(u32::MAX) })
    };
    let report: SlashReport = List::new((0..MAX_KEY_SHARES).map(entry).collect()).unwrap();
    let set = set_of(network("bitcoin"));
    waits(&node, set, report.clone()).await;
    let _running = Running::submitters(&node, &chain, &["bitcoin"]);
    pass(Duration::from_secs(1)).await;
    let taken = chain.inner.take_submitted();
    let call = taken.iter().find_map(|transaction| match transaction {
        Transaction::ReportSlashes(call) => Some(call),
        _ => None,
    });
    let call = call.unwrap();
    assert_eq!((call.set, &call.report), (set, &report));
    let message = signing::slash_report_message(CHAIN, set, &report);
    assert!(signing::verify(&key_pair().base, &message, &call.signature));
    let bytes = encode(&Transaction::ReportSlashes(call.clone()));
    assert!(bytes.len() <= coordinator_base_chain::MAX_TRANSACTION_BYTES);
    assert_eq!(Transaction::decode(&bytes).unwrap(), Transaction::ReportSlashes(call.clone()));
}
