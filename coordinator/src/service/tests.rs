//! A whole service: what it does while nothing happens, and what becomes of a set which is halted.

use std::collections::BTreeMap;

use coordinator_base_chain::{Event, MemoryChain, ValidatorInfo};
use coordinator_core::{
    base_chain,
    halt::{self, Reason},
};
use coordinator_keys::write_key_file;
use coordinator_store::Store;
use processor_messages::{BaseBlock, Bytes, List, Session, Validator, ValidatorSet};
use serde_json::Value;
use tokio::sync::oneshot;

use super::*;
use crate::base_chain::tests::{CHAIN, chain::Counted, declaration, network, pass, secret, validator};

const ADVERTISED: &str = "127.0.0.1:7";

/// A service which runs, of validator 0 and with the processors of two networks, none of which is there.
struct Running {
    node: Node<DiskStore>,
    chain: Counted,
    api: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<Result<(), Failure>>,
    _dir: tempfile::TempDir,
}

fn config(dir: &std::path::Path) -> Config {
    write_key_file(&dir.join("validator.key"), &secret(0)).unwrap();
    write_key_file(&dir.join("service.key"), &secret(20)).unwrap();
    let processor = hex::encode(secret(21).public().to_bytes());
    let text = format!(
        r#"
data_dir = "data"
key_file = "validator.key"
[base_chain]
url = "http://127.0.0.1:1"
chain = "{CHAIN}"
[p2p]
listen = "127.0.0.1:0"
advertise = ["{ADVERTISED}"]
[queue]
listen = "127.0.0.1:0"
key_file = "service.key"
[queue.processors]
bitcoin = "{processor}"
ethereum = "{processor}"
[api]
listen = "127.0.0.1:0"
"#
    );
    let path = dir.join("coordinator.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path).unwrap()
}

fn registered() -> ValidatorInfo {
    ValidatorInfo {
        validator: validator(0),
        consensus_weight: 1,
        addresses: List::new(vec![Bytes::new(ADVERTISED.into()).unwrap()]).unwrap(),
        embedded_keys: Vec::new(),
        stakes: Vec::new(),
    }
}

fn set(name: &str) -> ValidatorSet {
    ValidatorSet { network: network(name), session: Session(0) }
}

impl Running {
    async fn start(events: Vec<Event>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let chain = Counted::new(MemoryChain::new("test", CHAIN, Vec::new(), 1, events));
        chain.inner.put_validator(registered());
        let service = Service::start_on(config(dir.path()), chain.clone()).await.unwrap();
        let (node, api) = (service.node.clone(), service.addresses().api);
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(service.run(async {
            let _ = stopped.await;
        }));
        let this = Self { node, chain, api, stop, ended, _dir: dir };
        let mut changes = this.node.wake.subscribe();
        while this.node.store.read(|db| base_chain::next_block(db)).unwrap() == BaseBlock(0) {
            changes.changed().await.unwrap();
        }
        this
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.ended.await.unwrap().unwrap();
    }

    /// Which sets' tributaries run, by set.
    async fn tributaries(&self) -> BTreeMap<String, bool> {
        let answer = reqwest::get(format!("http://{}/status", self.api)).await.unwrap();
        let status: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let runs = |set: &Value| (set["set"].as_str().unwrap().to_owned(), !set["tributary"].is_null());
        status["sets"].as_array().unwrap().iter().map(runs).collect()
    }

    /// Waits until the tributaries run as they should.
    async fn until(&self, expected: &[(&str, bool)]) {
        let expected: BTreeMap<_, _> =
            expected.iter().map(|(set, runs)| ((*set).to_owned(), *runs)).collect();
        let reached = async {
            while self.tributaries().await != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
        assert!(reached.is_ok(), "{:?}", self.tributaries().await);
    }

    fn calls(&self) -> BTreeMap<String, u64> {
        self.node.health.snapshot().into_iter().map(|(name, health)| (name, health.calls)).collect()
    }
}

/// How many seconds each task waits, if nothing happens.
fn pace(task: &str) -> u64 {
    match task {
        // Each of the first three is one question, or one look into an inbox, for as long; a validator of a set
        // registered no address.
        "base_chain/follow" | "cosign/request" | "cosign/intake" | "session/peers" => 10,
        "base_chain/announce" => 15,
        "session/open" => 2,
        _ => 5,
    }
}

#[tokio::test]
async fn a_step_of_a_session_beyond_the_bound_halts_it_and_nothing_else() {
    // COORD-9: it would fail in the same way for ever; the service goes on.
    let running =
        Running::start(vec![Event::SetDeclared(declaration(set("bitcoin"), vec![validator(1)]))]).await;
    let node = &running.node;
    let too_much = node
        .step_of(set("bitcoin"), |step| {
            step.txn.put(b"test".to_vec(), vec![0; coordinator_store::MAX_STEP_BYTES + 1]);
            Ok(())
        })
        .await;
    assert_eq!(too_much.unwrap(), None);
    let halted = node.store.read(|db| halt::of_session(db, set("bitcoin"))).unwrap().unwrap();
    assert!(matches!(&halted, Reason::Internal { what } if what.contains("bound")), "{halted:?}");
    assert!(node.store.read(|db| db.get(b"test")).unwrap().is_none());
    running.stop().await;
}

#[tokio::test]
async fn ref_31_an_idle_coordinator_does_nothing_that_is_not_due() {
    // Calls, steps and questions to the base chain are counted over half an hour of virtual time. There is a set, of
    // strangers who registered nothing.
    const SECONDS: u64 = 1_800;
    let strangers = (1..5).map(validator).collect::<Vec<Validator>>();
    let running = Running::start(vec![Event::SetDeclared(declaration(set("bitcoin"), strangers))]).await;
    tokio::time::pause();
    pass(Duration::from_mins(2)).await;
    let steps = || *running.node.wake.subscribe().borrow();
    let before = (steps(), running.calls(), running.chain.asked());
    pass(Duration::from_secs(SECONDS)).await;
    let after = (steps(), running.calls(), running.chain.asked());
    assert_eq!(after.0, before.0, "a step was made, though nothing happened");
    assert_eq!(after.1.len(), 19, "{:?}", after.1);
    for (task, calls) in &after.1 {
        let made = calls - before.1[task];
        let due = (SECONDS / pace(task)) + 1;
        assert!(made <= due, "{task} was called {made} times, due were {due}");
        assert!(made >= due / 2, "{task} was called {made} times of {due}: it sleeps");
    }
    let questions = |method: &str| after.2.get(method).unwrap_or(&0) - before.2.get(method).unwrap_or(&0);
    for (method, due) in
        [("wait_block", 2 * SECONDS / 10), ("validators", SECONDS / 10), ("validator", SECONDS / 15)]
    {
        let asked = questions(method);
        assert!(asked as u64 <= due + 1, "{method}: {asked} of {due}");
    }
    for method in ["submit", "head", "block", "account", "transaction", "network", "networks", "set"] {
        assert_eq!(questions(method), 0, "{method}");
    }
    tokio::time::resume();
    running.stop().await;
}

#[tokio::test]
async fn the_driver_of_a_halted_session_stops_when_the_halt_is_recorded() {
    // COORD-9: before, it ran until the next start.
    let sets = ["bitcoin", "ethereum"].map(set);
    let declared = |set| Event::SetDeclared(declaration(set, (0..4).map(validator)));
    let running = Running::start(sets.into_iter().map(declared).collect()).await;
    running.until(&[("bitcoin/0", true), ("ethereum/0", true)]).await;
    running.node.halt(sets[0], Reason::Internal { what: "test".to_owned() }).await.unwrap();
    running.until(&[("bitcoin/0", false), ("ethereum/0", true)]).await;
    let of = |set: &str| running.calls().keys().filter(|task| task.ends_with(set)).count();
    let gone = async {
        while of("/bitcoin/0") > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), gone).await.is_ok(), "its tasks end too");
    assert_eq!(of("/ethereum/0"), 2, "publish and scan");
    running.stop().await;
}
