//! A member that keeps its connections and does nothing any more.

use std::{collections::BTreeSet, thread::JoinHandle};

use tokio::sync::oneshot;

use super::*;
use crate::Reason;

/// A member on a runtime of its own, which stands still once it is connected and listens to the chain.
struct Frozen {
    thaw: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.thaw.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Freezes validator 1, which dials validator 0.
async fn freeze(node: &Handle) -> Frozen {
    let address = node.listen_address().to_string();
    let (thaw, thawed) = std::sync::mpsc::channel::<()>();
    let (frozen, wait) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _held = runtime.block_on(async {
            let member = start(config(), key(1)).await.unwrap();
            member.set_peers(vec![(validator(0), vec![address])]).await.unwrap();
            let inbox = member.open_chain(genesis(1), members([0, 1])).await.unwrap();
            all_reachable(&inbox, 1).await;
            (member, inbox)
        });
        frozen.send(()).unwrap();
        // Nothing polls the runtime from here on; the sockets stay open.
        let _ = thawed.recv();
    });
    soon(wait).await.unwrap();
    Frozen { thaw: Some(thaw), thread: Some(thread) }
}

/// P2P-11: a connection that answers no probe is closed.
#[tokio::test]
async fn a_member_that_answers_no_probe_is_disconnected() {
    let quick = Config {
        probe_interval: Duration::from_millis(100),
        request_timeout: Duration::from_millis(500),
        ..config()
    };
    let node = start(quick, key(0)).await.unwrap();
    node.set_peers(vec![(validator(1), Vec::new())]).await.unwrap();
    let inbox = node.open_chain(genesis(1), members([0, 1])).await.unwrap();
    let _frozen = freeze(&node).await;
    let mut connected = node.watch_connected();
    let request = node.request(validator(1), genesis(1), vec![1]);
    let began = std::time::Instant::now();
    assert_eq!(soon(request).await, Err(crate::P2pError::NoResponse));
    assert!(began.elapsed() < Duration::from_secs(5), "no longer than the configured time");
    soon(connected.wait_for(BTreeSet::is_empty)).await.unwrap();
    assert!(node.counters().get(Reason::Dead) >= 1);
    assert!(inbox.reachable().borrow().is_empty());
    let outcome = node.request(validator(1), genesis(1), vec![1]).await;
    assert_eq!(outcome, Err(crate::P2pError::Unreachable));
}

/// P2P-12: who does not read what it is sent is disconnected, and with it goes what waited for it.
#[tokio::test]
async fn a_member_that_reads_nothing_is_disconnected() {
    let node = start(config(), key(0)).await.unwrap();
    node.set_peers(vec![(validator(1), Vec::new())]).await.unwrap();
    let inbox = node.open_chain(genesis(1), members([0, 1])).await.unwrap();
    let _frozen = freeze(&node).await;
    all_reachable(&inbox, 1).await;
    let mut connected = node.watch_connected();
    let sends = async {
        loop {
            // Refused once the queue of the only reader is full.
            let _ = node.publish(genesis(1), vec![7; 64 << 10]).await;
        }
    };
    soon(async {
        tokio::select! {
            () = sends => {}
            gone = connected.wait_for(BTreeSet::is_empty) => drop(gone.unwrap()),
        }
    })
    .await;
    assert!(node.counters().get(Reason::SlowReader) >= 1);
    assert_eq!(node.counters().get(Reason::Dead), 0);
}
