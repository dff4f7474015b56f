//! Whole processors over loopback: real services, the real queue's servers, the real key generation; the test is what
//! the coordinators agree on.

use std::{sync::Arc, time::Duration};

use coordinator_keys::SecretKey;
use coordinator_message_queue::{Client, MessageQueue, QueueError};
use coordinator_store::{MemoryStore, Store};
use processor_messages::{
    FromProcessor, Incarnation, List, ToProcessor, TributaryBlock, base_chain, coordinator, key_gen, sign,
};
use rand_core::OsRng;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::cluster::{
    CHAIN, Cluster, SESSION, batch_id, network, preprocesses_in, processor, shares_in, validator,
};
use crate::{
    dkg::Evrf,
    external_network::{ExternalNetwork, Pace},
    ledger::{Ledger, LedgerClient, server},
    service::{Service, TaskError, now_unix_ms},
};

struct Running {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), TaskError>>,
}

struct Testnet {
    cluster: Cluster,
    external: ExternalNetwork,
    network: LedgerClient,
    queues: Vec<MessageQueue<MemoryStore>>,
    clients: Vec<(String, SecretKey, SecretKey)>,
    running: Vec<Option<Running>>,
    received: mpsc::UnboundedReceiver<(usize, FromProcessor)>,
    backlog: Vec<Vec<FromProcessor>>,
}

async fn forward(
    node: usize,
    queue: MessageQueue<MemoryStore>,
    to: mpsc::UnboundedSender<(usize, FromProcessor)>,
) {
    let mut changed = queue.received(network()).unwrap();
    loop {
        let message = queue.receive(network(), |_, message| Ok::<_, QueueError>(message)).unwrap();
        match message {
            Some((message, _)) => to.send((node, message)).unwrap(),
            None => changed.changed().await.unwrap(),
        }
    }
}

impl Testnet {
    async fn new(weights: &[u16]) -> Self {
        let start = now_unix_ms() - 120_000;
        let pace =
            Pace { start_unix_ms: start, block_interval_ms: 100, blocks_between_deposits: 50, deposits: 2 };
        let cluster = Cluster::with(weights, Arc::new(Evrf::default()));
        let (to, received) = mpsc::unbounded_channel();
        let (mut queues, mut clients) = (Vec::new(), Vec::new());
        for node in cluster.indices() {
            let (theirs, ours) = (SecretKey::random(&mut OsRng), SecretKey::random(&mut OsRng));
            let keys = [(network(), ours.public())];
            let queue = MessageQueue::new(MemoryStore::default(), theirs.clone(), keys);
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            clients.push((format!("http://{}", listener.local_addr().unwrap()), ours, theirs));
            let router = queue.router();
            tokio::spawn(async move { axum::serve(listener, router).await });
            tokio::spawn(forward(node, queue.clone(), to.clone()));
            queues.push(queue);
        }
        let external = ExternalNetwork::new(CHAIN, network(), pace);
        let running = cluster.indices().map(|_| None).collect();
        let backlog = cluster.indices().map(|_| Vec::new()).collect();
        let ledger = Ledger {
            chain: CHAIN,
            network: network(),
            curve: coordinator_base_chain::NetworkCurve::Secp256k1,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let network = LedgerClient::new(&url, ledger).unwrap();
        let router = server::router(ledger, MemoryStore::default());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut testnet = Self { cluster, external, network, queues, clients, running, received, backlog };
        testnet.cluster.indices().for_each(|node| testnet.start(node));
        testnet
    }

    fn start(&mut self, node: usize) {
        let (url, ours, theirs) = self.clients[node].clone();
        let client = Client::new(&url, network(), ours, theirs.public()).unwrap();
        let store = self.cluster.nodes[node].store.clone();
        let secret = self.cluster.secret(node);
        let external = self.external.clone();
        let processor = processor(
            &store,
            node,
            secret,
            Incarnation(0),
            (external, coordinator_base_chain::NetworkCurve::Secp256k1),
            Arc::new(Evrf::default()),
        );
        let (stop, stopped) = oneshot::channel();
        let interval = Duration::from_millis(100);
        let service = Service::new(processor, client, self.network.clone(), interval);
        let ended = tokio::spawn(service.run(async move { drop(stopped.await) }));
        self.running[node] = Some(Running { stop, ended });
    }

    async fn stop(&mut self, node: usize) {
        let running = self.running[node].take().unwrap();
        running.stop.send(()).unwrap();
        running.ended.await.unwrap().unwrap();
    }

    fn tell(&self, nodes: &[usize], message: &ToProcessor) {
        for node in nodes {
            let queue = &self.queues[*node];
            let step = |txn: &mut dyn coordinator_store::Transaction| queue.send(txn, network(), message);
            drop(queue_store(queue).write(step).unwrap());
            queue.wake(network());
        }
    }

    /// What each of these nodes says, once all have said it.
    async fn said<T>(
        &mut self,
        nodes: &[usize],
        pick: impl Fn(&[FromProcessor]) -> Option<T>,
    ) -> Vec<(usize, T)> {
        let wait = async {
            loop {
                let found: Vec<_> =
                    nodes.iter().filter_map(|node| Some((*node, pick(&self.backlog[*node])?))).collect();
                if found.len() == nodes.len() {
                    return found;
                }
                let (node, message) = self.received.recv().await.unwrap();
                self.backlog[node].push(message);
            }
        };
        tokio::time::timeout(Duration::from_mins(2), wait).await.expect("the processors go on")
    }
}

fn queue_store(queue: &MessageQueue<MemoryStore>) -> MemoryStore {
    queue.store().clone()
}

fn find<T>(messages: &[FromProcessor], pick: impl Fn(&FromProcessor) -> Option<T>) -> Option<T> {
    messages.iter().find_map(pick)
}

async fn generate(testnet: &mut Testnet, all: &[usize]) -> processor_messages::KeyPair {
    testnet.tell(all, &testnet.cluster.generate_key(Incarnation(0)));
    let participations = testnet
        .said(all, |said| {
            find(said, |m| match m {
                FromProcessor::KeyGen(key_gen::FromProcessor::Participation { participation, .. }) => {
                    Some(participation.clone())
                }
                _ => None,
            })
        })
        .await;
    let participations = participations.into_iter().map(|(node, bytes)| (validator(node), bytes)).collect();
    testnet.tell(
        all,
        &ToProcessor::KeyGen(key_gen::ToProcessor::Block {
            session: SESSION,
            incarnation: Incarnation(0),
            block: TributaryBlock(1),
            participations: List::new(participations).unwrap(),
        }),
    );
    let pairs = testnet
        .said(all, |said| {
            find(said, |m| match m {
                FromProcessor::KeyGen(key_gen::FromProcessor::GeneratedKeyPair { key_pair, .. }) => {
                    Some(key_pair.clone())
                }
                _ => None,
            })
        })
        .await;
    assert!(pairs.windows(2).all(|two| two[0].1 == two[1].1));
    pairs[0].1.clone()
}

#[tokio::test]
async fn processors_generate_a_key_and_sign_the_first_batch_through_their_queues() {
    let mut testnet = Testnet::new(&[1, 1, 1, 1]).await;
    let all = [0, 1, 2, 3];
    let pair = generate(&mut testnet, &all).await;
    testnet.tell(
        &all,
        &ToProcessor::BaseChain(base_chain::ToProcessor::SetKeys {
            time_unix_secs: now_unix_ms() / 1_000 - 60,
            session: SESSION,
            key_pair: pair.clone(),
        }),
    );
    let id = batch_id(0, 0);
    let mut preprocesses = testnet.said(&all, |said| preprocesses_in(said, id)).await;
    // A restart between the rounds: the stored nonces go on.
    testnet.stop(0).await;
    testnet.start(0);
    let selected = [0, 1, 3];
    preprocesses.retain(|(node, _)| selected.contains(node));
    let preprocesses = testnet.cluster.pieces(&preprocesses);
    testnet.tell(&selected, &ToProcessor::Sign(sign::ToProcessor::Preprocesses { id, preprocesses }));
    let shares = testnet.said(&selected, |said| shares_in(said, id)).await;
    let shares = testnet.cluster.pieces(&shares);
    testnet.tell(&selected, &ToProcessor::Sign(sign::ToProcessor::Shares { id, shares }));
    let signed = testnet
        .said(&selected, |said| {
            find(said, |m| match m {
                FromProcessor::Coordinator(coordinator::FromProcessor::SignedBatch { batch, .. }) => {
                    Some(batch.clone())
                }
                _ => None,
            })
        })
        .await;
    for (_, signed) in signed {
        let message = coordinator_base_chain::signing::batch_message(CHAIN, &signed.batch);
        assert!(coordinator_base_chain::signing::verify(&pair.base, &message, &signed.signature));
    }
    for node in all {
        testnet.stop(node).await;
    }
}
