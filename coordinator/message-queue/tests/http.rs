//! The queue over loopback: a real server, the real client, and hostile requests.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use coordinator_keys::SecretKey;
use coordinator_message_queue::{
    Client, ClientError, Direction, MessageQueue, PATH, Pushed, QueueError, queue,
    wire::{Boot, Code, Operation, REQUEST_HEADER, Refusal, Request, SIGNATURE_HEADER, hash},
};
use coordinator_store::{MemoryStore, Store, SyncMode};
use processor_messages::{
    FromProcessor, Incarnation, Network, Session, SlashReport, ToProcessor, Validator, base_chain,
    codec::MAX_MESSAGE_BYTES, coordinator as coordinator_messages, encode, key_gen,
};
use rand_core::OsRng;

struct Setup {
    store: MemoryStore,
    queue: MessageQueue<MemoryStore>,
    url: String,
    coordinator: SecretKey,
    processor: SecretKey,
    network: Network,
}

async fn serve(queue: &MessageQueue<MemoryStore>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = queue.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

impl Setup {
    async fn new(sync: SyncMode) -> Self {
        let (coordinator, processor) = (SecretKey::random(&mut OsRng), SecretKey::random(&mut OsRng));
        let network = Network::new("bitcoin").unwrap();
        let store = MemoryStore::new(sync);
        let queue = MessageQueue::new(store.clone(), coordinator.clone(), [(network, processor.public())]);
        let url = serve(&queue).await;
        Self { store, queue, url, coordinator, processor, network }
    }

    async fn automatic() -> Self {
        Self::new(SyncMode::Automatic).await
    }

    fn client(&self) -> Client {
        Client::new(&self.url, self.network, self.processor.clone(), self.coordinator.public()).unwrap()
    }

    fn send(&self, session: u32) -> Pushed {
        let message = to(session);
        let step =
            |txn: &mut dyn coordinator_store::Transaction| self.queue.send(txn, self.network, &message);
        let (pushed, _) = self.store.write(step).unwrap();
        self.queue.wake(self.network);
        pushed
    }

    fn receive(&self) -> Option<FromProcessor> {
        self.queue
            .receive(self.network, |_, message| Ok::<_, QueueError>(message))
            .unwrap()
            .map(|(message, _)| message)
    }

    async fn post(&self, headers: &[(&str, String)], body: Vec<u8>) -> (u16, Vec<u8>) {
        let mut request = reqwest::Client::new().post(format!("{}{PATH}", self.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    }

    /// A request signed by `key`, posted as it is.
    async fn raw(&self, request: &Request, key: &SecretKey, body: Vec<u8>) -> (u16, Vec<u8>) {
        let headers = [
            (REQUEST_HEADER, hex::encode(encode(request))),
            (SIGNATURE_HEADER, hex::encode(request.sign(key).0)),
        ];
        self.post(&headers, body).await
    }

    async fn boot(&self) -> Boot {
        let request = self.request(Boot::default(), 1, Operation::Next { wait_ms: 0 });
        let (status, body) = self.raw(&request, &self.processor, vec![]).await;
        assert_eq!(status, 409);
        let refusal: Refusal = serde_json::from_slice(&body).unwrap();
        hex::decode(refusal.boot.unwrap()).unwrap().try_into().unwrap()
    }

    fn request(&self, boot: Boot, number: u64, operation: Operation) -> Request {
        Request { network: self.network, boot, number, operation }
    }
}

fn to(session: u32) -> ToProcessor {
    ToProcessor::BaseChain(base_chain::ToProcessor::SlashesReported { session: Session(session) })
}

fn from(incarnation: u64) -> FromProcessor {
    FromProcessor::KeyGen(key_gen::FromProcessor::Resend {
        session: Session(0),
        incarnation: Incarnation(incarnation),
    })
}

fn code(body: &[u8]) -> Code {
    let refusal: Refusal = serde_json::from_slice(body).unwrap();
    assert!(!refusal.remedy.is_empty());
    refusal.code
}

#[tokio::test]
async fn a_processor_receives_in_order_and_again_until_it_acknowledges() {
    let setup = Setup::automatic().await;
    let client = setup.client();
    assert_eq!(
        (setup.send(4), setup.send(5), setup.send(4)),
        (Pushed::Queued(0), Pushed::Queued(1), Pushed::Duplicate(0))
    );
    assert_eq!(client.next(Duration::ZERO).await.unwrap(), Some((0, to(4))));
    assert_eq!(client.next(Duration::ZERO).await.unwrap(), Some((0, to(4))));
    client.acknowledge(0).await.unwrap();
    client.acknowledge(0).await.unwrap();
    assert_eq!(client.next(Duration::ZERO).await.unwrap(), Some((1, to(5))));
    client.acknowledge(1).await.unwrap();
    assert_eq!(client.next(Duration::ZERO).await.unwrap(), None);
}

#[tokio::test]
async fn the_coordinator_handles_each_intent_once() {
    let setup = Setup::automatic().await;
    let client = setup.client();
    let mut received = setup.queue.received(setup.network).unwrap();
    assert_eq!(client.send(&from(1)).await.unwrap(), Pushed::Queued(0));
    assert!(received.has_changed().unwrap());
    received.mark_unchanged();
    assert_eq!(client.send(&from(1)).await.unwrap(), Pushed::Duplicate(0));
    assert_eq!(client.send(&from(2)).await.unwrap(), Pushed::Queued(1));
    assert_eq!(setup.receive(), Some(from(1)));
    assert_eq!(client.send(&from(1)).await.unwrap(), Pushed::Duplicate(0));
    assert_eq!(setup.receive(), Some(from(2)));
    assert_eq!(setup.receive(), None);
}

/// `MSG-5`: their intents differ by the session, though nothing else in the messages does.
#[tokio::test]
async fn ref_17_the_slash_reports_of_every_session_get_through_the_queue() {
    let setup = Setup::automatic().await;
    let client = setup.client();
    let (report, signature) = (SlashReport::default(), [7; 64]);
    for session in [0, 1, 2].map(Session) {
        let ask = coordinator_messages::ToProcessor::SignSlashReport { session, report: report.clone() };
        let ask = ToProcessor::Coordinator(ask);
        let step = |txn: &mut dyn coordinator_store::Transaction| setup.queue.send(txn, setup.network, &ask);
        assert!(matches!(setup.store.write(step).unwrap().0, Pushed::Queued(_)));
        let (id, asked) = client.next(Duration::ZERO).await.unwrap().unwrap();
        assert_eq!(asked, ask);
        client.acknowledge(id).await.unwrap();
        let report = report.clone();
        let signed = coordinator_messages::FromProcessor::SignedSlashReport { session, report, signature };
        let signed = FromProcessor::Coordinator(signed);
        assert!(matches!(client.send(&signed).await.unwrap(), Pushed::Queued(_)));
        assert!(matches!(client.send(&signed).await.unwrap(), Pushed::Duplicate(_)), "sent again");
        assert_eq!(setup.receive(), Some(signed.clone()));
        assert!(matches!(client.send(&signed).await.unwrap(), Pushed::Duplicate(_)), "and again");
        assert_eq!(setup.receive(), None);
    }
}

/// `MQ-10`.
#[tokio::test]
async fn ref_38_mq_10_a_message_of_an_ended_session_is_acknowledged_and_not_taken() {
    let setup = Setup::automatic().await;
    let client = setup.client();
    let (session, validator) = (Session(0), Validator([7; 32]));
    let blame = FromProcessor::KeyGen(key_gen::FromProcessor::Blame { session, validator });
    assert_eq!(client.send(&blame).await.unwrap(), Pushed::Queued(0));
    assert_eq!(setup.receive(), Some(blame.clone()));
    let over =
        |txn: &mut dyn coordinator_store::Transaction| queue::forget(txn, setup.network, Session(0), 9);
    assert!(setup.store.write(over).unwrap().0);
    assert_eq!(client.send(&blame).await.unwrap(), Pushed::Past);
    assert_eq!(setup.receive(), None);
    // Who lost its disk is owed the base chain's feed also when its sessions are over (COORD-10).
    assert_eq!(client.send(&from(1)).await.unwrap(), Pushed::Queued(1));
}

/// `MQ-4`.
#[tokio::test]
async fn mq_4_a_rule_which_fails_keeps_its_message() {
    let setup = Setup::automatic().await;
    setup.client().send(&from(1)).await.unwrap();
    let failed =
        setup.queue.receive(setup.network, |_, _| Err::<(), _>(QueueError::UnknownNetwork(setup.network)));
    assert!(failed.is_err());
    assert_eq!(setup.receive(), Some(from(1)));
}

#[tokio::test]
async fn a_waiting_processor_gets_a_message_when_it_comes() {
    let setup = Setup::automatic().await;
    let client = setup.client();
    let waiting = tokio::spawn(async move { client.next(Duration::from_secs(20)).await });
    tokio::task::yield_now().await;
    setup.send(3);
    assert_eq!(waiting.await.unwrap().unwrap(), Some((0, to(3))));
}

/// `MQ-3`.
#[tokio::test]
async fn mq_3_a_message_is_delivered_only_once_it_is_durable() {
    let setup = Setup::new(SyncMode::Manual).await;
    let client = setup.client();
    setup.send(3);
    assert_eq!(client.next(Duration::ZERO).await.unwrap(), None);
    setup.store.sync();
    assert_eq!(client.next(Duration::ZERO).await.unwrap(), Some((0, to(3))));
}

/// `MQ-3`.
#[tokio::test]
async fn mq_3_what_a_processor_was_told_is_queued_survives_a_power_loss() {
    let setup = Setup::automatic().await;
    setup.client().send(&from(1)).await.unwrap();
    let after = setup.store.crash();
    let keys = [(setup.network, setup.processor.public())];
    let queue = MessageQueue::new(after, setup.coordinator.clone(), keys);
    assert_eq!(queue.depth(setup.network, Direction::FromProcessor).unwrap().messages(), 1);
}

/// `MQ-4`.
#[tokio::test]
async fn mq_4_only_what_was_delivered_in_this_boot_is_acknowledged() {
    let setup = Setup::automatic().await;
    setup.send(3);
    let refused = setup.client().acknowledge(0).await;
    assert!(matches!(refused, Err(ClientError::Refused { code: Code::NotDelivered })));
    assert_eq!(setup.client().next(Duration::ZERO).await.unwrap(), Some((0, to(3))));
}

/// `MQ-6`.
#[tokio::test]
async fn ref_34_mq_6_a_request_by_another_key_learns_and_changes_nothing() {
    let setup = Setup::automatic().await;
    setup.send(3);
    let boot = setup.boot().await;
    let stranger = SecretKey::random(&mut OsRng);
    let operations = [Operation::Next { wait_ms: 0 }, Operation::Acknowledge { id: 0 }];
    for operation in operations {
        let (status, body) = setup.raw(&setup.request(boot, 9, operation), &stranger, vec![]).await;
        assert_eq!((status, code(&body)), (401, Code::WrongSignature));
    }
    assert_eq!(setup.client().next(Duration::ZERO).await.unwrap(), Some((0, to(3))));
}

/// `MQ-6`.
#[tokio::test]
async fn ref_34_mq_6_a_client_believes_only_its_coordinator() {
    let setup = Setup::automatic().await;
    setup.send(3);
    let other = SecretKey::random(&mut OsRng).public();
    let client = Client::new(&setup.url, setup.network, setup.processor.clone(), other).unwrap();
    let error = client.next(Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, ClientError::Unsigned { .. }) && !error.is_temporary(), "{error}");
}

/// `MQ-7`.
#[tokio::test]
async fn mq_7_no_request_is_accepted_twice() {
    let setup = Setup::automatic().await;
    setup.send(3);
    let boot = setup.boot().await;
    let body = encode(&from(1));
    let length = u32::try_from(body.len()).unwrap();
    let requests = [
        (setup.request(boot, 5, Operation::Next { wait_ms: 0 }), vec![]),
        (setup.request(boot, 6, Operation::Acknowledge { id: 0 }), vec![]),
        (setup.request(boot, 5, Operation::Send { length, hash: hash(&body) }), body),
    ];
    for (request, body) in requests {
        assert_eq!(setup.raw(&request, &setup.processor, body.clone()).await.0, 200);
        let (status, answer) = setup.raw(&request, &setup.processor, body.clone()).await;
        assert_eq!((status, code(&answer)), (409, Code::Resync));
    }
}

/// `MQ-7`.
#[tokio::test]
async fn mq_7_a_request_of_another_boot_is_refused() {
    let setup = Setup::automatic().await;
    let boot = setup.boot().await;
    let keys = [(setup.network, setup.processor.public())];
    let restarted = MessageQueue::new(setup.store.clone(), setup.coordinator.clone(), keys);
    let setup = Setup { url: serve(&restarted).await, queue: restarted, ..setup };
    setup.send(3);
    let request = setup.request(boot, 100, Operation::Next { wait_ms: 0 });
    let (status, body) = setup.raw(&request, &setup.processor, vec![]).await;
    assert_eq!((status, code(&body)), (409, Code::Resync));
    assert_eq!(setup.client().next(Duration::ZERO).await.unwrap(), Some((0, to(3))));
}

#[tokio::test]
async fn a_client_goes_on_after_the_coordinator_restarts() {
    let setup = Setup::automatic().await;
    let client = setup.client();
    setup.send(3);
    assert_eq!(client.next(Duration::ZERO).await.unwrap(), Some((0, to(3))));
    // The same address, another boot: what the process remembered is gone, what the store holds is not.
    let address = setup.url.trim_start_matches("http://").to_owned();
    let keys = [(setup.network, setup.processor.public())];
    let restarted = MessageQueue::new(setup.store.clone(), setup.coordinator.clone(), keys);
    let url = serve(&restarted).await;
    assert_ne!(url, address);
    let client =
        Client::new(&url, setup.network, setup.processor.clone(), setup.coordinator.public()).unwrap();
    assert!(matches!(client.acknowledge(0).await, Err(ClientError::Refused { code: Code::NotDelivered })));
    assert_eq!(client.next(Duration::ZERO).await.unwrap(), Some((0, to(3))));
    client.acknowledge(0).await.unwrap();
}

/// `MQ-8`.
#[tokio::test]
async fn mq_8_a_newer_request_ends_an_older_wait_which_gets_nothing() {
    let setup = Setup::automatic().await;
    let boot = setup.boot().await;
    let old = setup.request(boot, 10, Operation::Next { wait_ms: 20_000 });
    let new = setup.request(boot, 11, Operation::Next { wait_ms: 0 });
    let (old, new) =
        tokio::join!(setup.raw(&old, &setup.processor, vec![]), setup.raw(&new, &setup.processor, vec![]));
    assert_eq!(new.0, 204);
    // Superseded if it came first, a stale number if it came second.
    assert!(matches!(code(&old.1), Code::Superseded | Code::Resync));
}

/// `MQ-9`.
#[tokio::test]
async fn ref_14_mq_9_hostile_requests_get_a_code_and_harm_nobody() {
    let setup = Setup::automatic().await;
    let boot = setup.boot().await;
    let signature = (SIGNATURE_HEADER, "00".repeat(64));
    let cases = [
        (vec![], 401, Code::Unsigned),
        (vec![(REQUEST_HEADER, "zz".to_owned()), signature.clone()], 401, Code::Unsigned),
        (vec![(REQUEST_HEADER, "00".to_owned())], 401, Code::Unsigned),
        (vec![(REQUEST_HEADER, "00".to_owned()), signature.clone()], 400, Code::MalformedRequest),
        (vec![(REQUEST_HEADER, "00".repeat(4_000)), signature.clone()], 400, Code::MalformedRequest),
    ];
    for (headers, status, expected) in cases {
        let (got, body) = setup.post(&headers, vec![0; 4_096]).await;
        assert_eq!((got, code(&body)), (status, expected));
    }
    let unknown = Request {
        network: "monero".parse().unwrap(),
        ..setup.request(boot, 9, Operation::Next { wait_ms: 0 })
    };
    let (status, body) = setup.raw(&unknown, &setup.processor, vec![]).await;
    assert_eq!((status, code(&body)), (404, Code::UnknownNetwork));
    let get = reqwest::get(format!("{}{PATH}", setup.url)).await.unwrap();
    assert_eq!(get.status().as_u16(), 405);
    let elsewhere = reqwest::get(format!("{}/v2/queue", setup.url)).await.unwrap();
    assert_eq!(elsewhere.status().as_u16(), 404);
    assert_eq!(code(&elsewhere.bytes().await.unwrap()), Code::NotFound);
    assert_eq!(setup.client().send(&from(1)).await.unwrap(), Pushed::Queued(0));
}

/// `MQ-9`.
#[tokio::test]
async fn mq_9_bodies_are_bounded_and_are_what_was_signed() {
    let setup = Setup::automatic().await;
    let boot = setup.boot().await;
    let body = encode(&from(1));
    let length = u32::try_from(body.len()).unwrap();
    let large = u32::try_from(MAX_MESSAGE_BYTES + 1).unwrap();
    let garbage = vec![0xff; 64];
    let cases = [
        (Operation::Send { length: large, hash: [0; 32] }, vec![0; 8], 413, Code::TooLarge),
        (Operation::Send { length, hash: [0; 32] }, body.clone(), 400, Code::BodyMismatch),
        (Operation::Send { length: length + 1, hash: hash(&body) }, body.clone(), 400, Code::BodyMismatch),
        (Operation::Send { length: length - 1, hash: hash(&body) }, body.clone(), 400, Code::BodyMismatch),
        (Operation::Send { length: 64, hash: hash(&garbage) }, garbage.clone(), 400, Code::MalformedMessage),
    ];
    for (number, (operation, body, status, expected)) in (1..).zip(cases) {
        let request = setup.request(boot, number, operation);
        let (got, answer) = setup.raw(&request, &setup.processor, body).await;
        assert_eq!((got, code(&answer)), (status, expected));
    }
    assert_eq!(setup.receive(), None);
    assert_eq!(setup.client().send(&from(1)).await.unwrap(), Pushed::Queued(0));
}

#[tokio::test]
async fn an_unreachable_coordinator_is_named() {
    let setup = Setup::automatic().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client =
        Client::new(&url, setup.network, setup.processor.clone(), setup.coordinator.public()).unwrap();
    let error = client.next(Duration::ZERO).await.unwrap_err();
    assert!(error.is_temporary() && error.to_string().contains(&url), "{error}");
}
