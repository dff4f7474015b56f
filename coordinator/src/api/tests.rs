//! What an operator is told, over HTTP.

use std::sync::Arc;

use coordinator_base_chain::{BaseChain, Event, MemoryChain, Signers};
use coordinator_core::{
    Step, base_chain, cosign,
    halt::{self, Reason},
};
use coordinator_keys::SecretKey;
use coordinator_message_queue::MessageQueue;
use coordinator_store::{MemoryStore, Transaction};
use processor_messages::{BaseBlock, BatchId, Bytes, KeyPair, Session, ValidatorSet};
use rand_core::OsRng;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};

use super::*;
use crate::{
    base_chain::{
        FollowState,
        tests::{CHAIN, declaration, network, node, secret, validator},
    },
    node::{Node, now_unix_secs},
    session::Sessions,
};

/// A node whose API is served; it follows a scripted chain.
struct Served {
    node: Node<MemoryStore>,
    chain: MemoryChain,
    url: String,
    server: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn set() -> ValidatorSet {
    ValidatorSet { network: network("bitcoin"), session: Session(0) }
}

fn next_set() -> ValidatorSet {
    ValidatorSet { session: Session(1), ..set() }
}

/// A set is declared, and has keys.
fn with_keys(set: ValidatorSet) -> Vec<Event> {
    let declared = Event::SetDeclared(declaration(set, (0..4).map(validator)));
    vec![declared, Event::KeysSet { set, key_pair: key_pair(), signers: Signers::default() }]
}

fn key_pair() -> KeyPair {
    KeyPair { base: [3; 32], network: Bytes::new(vec![2; 33]).unwrap() }
}

impl Served {
    /// A member of one set, whose keys are on the chain.
    async fn new() -> Self {
        Self::of(with_keys(set())).await
    }

    /// What followed the chain's first block, with these events.
    async fn of(events: Vec<Event>) -> Self {
        let node = node(&["bitcoin"]);
        let chain = MemoryChain::new("test", CHAIN, Vec::new(), 1, events);
        let (url, server) = serve(&node).await;
        let this = Self { node, chain, url, server };
        this.follow().await;
        this
    }

    /// The same store and chain in another process, which started just now.
    async fn restart(self) -> Self {
        let (node, chain) =
            (Node { store: self.node.store.clone(), ..node(&["bitcoin"]) }, self.chain.clone());
        let (url, server) = serve(&node).await;
        Self { node, chain, url, server }
    }

    /// Handles all blocks there are.
    async fn follow(&self) {
        loop {
            let next = self.node.store.read(|db| base_chain::next_block(db)).unwrap();
            let Some(block) = self.chain.block(next).await.unwrap() else { return };
            self.node.step(|step| cosign::observe(step, &block)).await.unwrap().unwrap();
            self.node.step(|step| base_chain::follow(step, &block)).await.unwrap().unwrap();
        }
    }

    /// Runs a step as it was run so many seconds ago.
    async fn ago(&self, seconds: u64, rule: impl FnOnce(&mut Step<'_>)) {
        let step = |txn: &mut dyn Transaction| {
            let mut randomness = OsRng;
            let step = Step::new(txn, &self.node.identity, &mut randomness);
            rule(&mut step.at(now_unix_secs() - seconds));
            Ok::<_, coordinator_store::StoreError>(())
        };
        self.node.store.write(step).unwrap().1.await.unwrap();
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn ready(&self) -> (u16, Vec<Value>) {
        let (status, body) = self.get("/readyz").await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

async fn serve(node: &Node<MemoryStore>) -> (String, JoinHandle<()>) {
    let config = coordinator_p2p::Config::new(CHAIN, "127.0.0.1:0".parse().unwrap());
    let network = coordinator_p2p::start(config, secret(0)).await.unwrap();
    let keys = node.identity.networks.iter().map(|name| (*name, SecretKey::random(&mut OsRng).public()));
    let queue = MessageQueue::new(node.store.clone(), SecretKey::random(&mut OsRng), keys);
    let (follow, sessions, started) = (FollowState::default(), Sessions::default(), Instant::now());
    let url = "http://127.0.0.1:1".to_owned();
    let sources = Sources { node: node.clone(), url, follow, sessions, queue, network, started };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router(Arc::new(sources))).await.unwrap() });
    (url, server)
}

/// Every reason, and where it halts.
fn reasons() -> Vec<Reason> {
    let what = || "test".to_owned();
    vec![
        Reason::BatchMismatch { batch: BatchId(1), expected: [1; 32], executed: [2; 32] },
        Reason::BatchGap { due: BatchId(1), came: BatchId(2) },
        Reason::BatchSession { batch: BatchId(1), former: Session(1), came: Session(0) },
        Reason::KeyPairMismatch { ours: [1; 32], chain: [2; 32] },
        Reason::ThresholdLost { remaining: 1, needed: 3 },
        Reason::TributaryHalted { what: what() },
        Reason::Internal { what: what() },
        Reason::CosignConflict { conflicting: Vec::new(), stake: 17, total: 100 },
    ]
}

#[tokio::test]
async fn who_is_well_is_ready_and_says_nothing_else() {
    // COORD-21.
    let served = Served::new().await;
    assert_eq!(served.ready().await, (200, Vec::new()));
    assert_eq!(served.get("/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(served.get("/ready").await.0, 404);
}

#[tokio::test]
async fn a_halt_is_shown_with_the_time_since_it_was_recorded_also_after_a_restart() {
    // COORD-21: before, the time since the start of the process was shown.
    let served = Served::new().await;
    let (session, internal) = (set(), Reason::Internal { what: "test".to_owned() });
    served.ago(4_000, |step| halt::session(step, session, internal.clone()).unwrap()).await;
    // What comes later changes neither the reason nor the time.
    let later = Reason::ThresholdLost { remaining: 1, needed: 3 };
    served.ago(10, |step| halt::session(step, session, later).unwrap()).await;
    served.ago(700, |step| halt::network(step, session.network, internal.clone()).unwrap()).await;
    served.ago(50, |step| halt::base_chain(step, internal).unwrap()).await;
    let served = served.restart().await;
    let (status, problems) = served.ready().await;
    assert_eq!(status, 503);
    let since = |check: &str| {
        let problem = problems.iter().find(|problem| problem["check"] == check).unwrap();
        assert!(problem["what"].as_str().unwrap().starts_with("INTERNAL: "), "{problem}");
        problem["since_secs"].as_u64().unwrap()
    };
    for (check, seconds) in [("session/bitcoin/0", 4_000), ("network/bitcoin", 700), ("base_chain", 50)] {
        assert!((seconds..seconds + 40).contains(&since(check)), "{check}: {}", since(check));
    }
    let status: Value = serde_json::from_str(&served.get("/status").await.1).unwrap();
    let at = status["sets"][0]["halted"]["at_unix_secs"].as_u64().unwrap();
    assert!((4_000..4_040).contains(&(now_unix_secs() - at)), "{at}");
    assert_eq!(status["problems"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_halt_by_a_rule_is_dated_by_the_clock() {
    // COORD-21.
    let served = Served::new().await;
    let before = now_unix_secs();
    served.node.halt(set(), Reason::Internal { what: "test".to_owned() }).await.unwrap();
    let scope = halt::Scope::Session(set());
    let halted = served.node.store.read(|db| halt::record(db, scope)).unwrap().unwrap();
    assert!((before..=now_unix_secs()).contains(&halted.at_unix_secs), "{halted:?}");
}

#[tokio::test]
async fn every_code_of_a_halt_comes_with_a_remedy_of_its_own() {
    // COORD-21.
    let mut remedies = std::collections::BTreeSet::new();
    for reason in reasons() {
        let served = Served::new().await;
        let code = reason.code();
        served.ago(1, |step| halt::network(step, set().network, reason).unwrap()).await;
        let (status, problems) = served.ready().await;
        // The network, and its session.
        assert_eq!((status, problems.len()), (503, 2), "{problems:?}");
        for problem in problems {
            assert!(problem["what"].as_str().unwrap().starts_with(&format!("{code}: ")), "{problem}");
            remedies.insert(problem["remedy"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(remedies.len(), reasons().len(), "{remedies:?}");
    assert!(remedies.iter().all(|remedy| remedy.len() > 40));
}

#[tokio::test]
async fn while_a_set_retires_its_deadline_is_shown() {
    // SIGN-16: blocks of 9 s, 100 less one of them are left.
    const NAME: &str = "coord_slash_report_deadline_seconds";
    assert!(!Served::new().await.get("/metrics").await.1.contains(NAME));
    let (next, accepted_by, slash_report_deadline) = (next_set(), Session(1), BaseBlock(100));
    let handover = Event::HandoverAccepted { retiring: set(), accepted_by, slash_report_deadline };
    let served = Served::of([with_keys(set()), with_keys(next), vec![handover]].concat()).await;
    served.chain.push(9_001, Vec::new(), Vec::new());
    served.follow().await;
    let metrics = served.get("/metrics").await.1;
    assert!(metrics.contains(&format!("{NAME}{{set=\"bitcoin/0\"}} 891\n")), "{metrics}");
    assert!(!metrics.contains(&format!("{NAME}{{set=\"bitcoin/1\"}}")));
}
