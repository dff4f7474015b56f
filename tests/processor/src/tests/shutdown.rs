//! A service which is stopped while it verifies.

use std::{sync::Arc, time::Duration};

use coordinator_base_chain::NetworkCurve;
use coordinator_keys::SecretKey;
use coordinator_message_queue::Client;
use processor_messages::{Incarnation, key_gen::ParticipationBytes};
use rand_core::OsRng;
use tokio::sync::{mpsc, oneshot};

use super::cluster::{Cluster, external, network, processor};
use crate::{
    dkg::{
        Context, KeyGenError, KeyGeneration, Keys,
        dealt::Dealt,
        progress::{Hook, Progress},
    },
    ledger::LedgerClient,
    secrets::EmbeddedSecrets,
    service::Service,
};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

#[derive(PartialEq, Eq, Debug)]
enum Event {
    Begun,
    Ended,
}

/// Verifies until it is ended, or the test is over.
struct Endless(mpsc::UnboundedSender<Event>);

impl KeyGeneration for Endless {
    fn check(&self, context: &Context) -> Result<(), KeyGenError> {
        Dealt.check(context)
    }

    fn participate(
        &self,
        context: &Context,
        own: u16,
        secrets: &EmbeddedSecrets,
    ) -> Result<ParticipationBytes, KeyGenError> {
        Dealt.participate(context, own, secrets)
    }

    fn verify_with(
        &self,
        _: &Context,
        participations: &[(u16, ParticipationBytes)],
        hook: Hook<'_>,
    ) -> Result<Vec<bool>, KeyGenError> {
        self.0.send(Event::Begun).unwrap();
        while !self.0.is_closed() {
            if hook(Progress { done: 0, of: participations.len() }).is_break() {
                drop(self.0.send(Event::Ended));
                break;
            }
            std::thread::yield_now();
        }
        Err(KeyGenError::Cancelled)
    }

    fn recover_with(
        &self,
        context: &Context,
        own: u16,
        secrets: &EmbeddedSecrets,
        dealers: &[(u16, ParticipationBytes)],
        hook: Hook<'_>,
    ) -> Result<Keys, KeyGenError> {
        Dealt.recover_with(context, own, secrets, dealers, hook)
    }
}

/// A service over the store of the cluster's first node, whose coordinator and network are away.
fn service(cluster: &Cluster, dkg: Arc<dyn KeyGeneration>) -> Service<coordinator_store::MemoryStore> {
    let (store, secret) = (&cluster.nodes[0].store, cluster.secret(0));
    let of_network = (external(), NetworkCurve::Secp256k1);
    let processor = processor(store, 0, secret, Incarnation(0), of_network, dkg);
    let (ours, theirs) = (SecretKey::random(&mut OsRng), SecretKey::random(&mut OsRng));
    let client = Client::new(NOWHERE, network(), ours, theirs.public()).unwrap();
    let ledger = LedgerClient::new(NOWHERE, processor.ledger()).unwrap();
    Service::new(processor, client, ledger, Duration::from_secs(1))
}

/// `PROC-20`.
#[tokio::test]
async fn a_shutdown_ends_the_verification_under_way_and_the_next_start_does_it_again() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.declare();
    let all = cluster.indices().map(|node| cluster.participation(node)).collect();
    cluster.block(all);
    let before = cluster.nodes[0].processor.next_job().unwrap();
    let (events, mut seen) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let service = service(&cluster, Arc::new(Endless(events)));
    let running = tokio::spawn(service.run(async move { drop(stopped.await) }));
    let limit = Duration::from_mins(2);
    let mut next = async || tokio::time::timeout(limit, seen.recv()).await.expect("it goes on");
    assert_eq!(next().await, Some(Event::Begun));
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(next().await, Some(Event::Ended));
    assert!(before.is_some());
    assert_eq!(cluster.nodes[0].processor.next_job().unwrap(), before);
    assert_eq!(cluster.letters(0), []);
    cluster.restart(0);
    cluster.work(0);
    assert!(cluster.generated(0).is_some());
}
