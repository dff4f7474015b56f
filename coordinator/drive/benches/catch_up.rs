//! How fast a validator that was away fetches what it missed, from three peers, each with a real disk:
//!
//! ```text
//! cargo bench -p coordinator-drive --bench catch_up [-- --short]
//! ```
//!
//! The blocks are made first, by four nodes without network; every tenth holds a few transactions.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)]

mod common;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use coordinator_store::{Store, StoreError};
use coordinator_store_disk::DiskStore;
use processor_messages::{Bytes, Validator, encode};
use tributary::{Chain, ChainConfig, ChainInput, Halt, Input, Node, Open, Output, Timer, latest_decided};

const VALIDATORS: u8 = 4;

#[derive(Debug)]
struct Failed(#[allow(dead_code, reason = "printed")] String);
impl From<StoreError> for Failed {
    fn from(e: StoreError) -> Self {
        Self(e.to_string())
    }
}
impl From<Halt> for Failed {
    fn from(e: Halt) -> Self {
        Self(e.to_string())
    }
}

struct Peer {
    store: DiskStore,
    node: Node<Chain>,
    timers: BTreeMap<Timer, Duration>,
}

fn main() {
    let short = std::env::args().any(|argument| argument == "--short");
    let blocks = if short { 1_000 } else { 10_000 };
    let directory = tempfile::tempdir().unwrap();
    make(directory.path(), blocks);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let networks = common::networks(VALIDATORS).await;
        let timing = common::timing(Duration::from_secs(3));
        let mut handles = Vec::new();
        for index in 0..3 {
            let store = common::disk(directory.path(), index);
            let members = common::members(0, VALIDATORS);
            let network = &networks[usize::from(index)];
            handles.push(common::drive(&store, network, (index, members), timing).await);
        }
        let store = common::disk(directory.path(), 3);
        let (begin, processor) = (Instant::now(), common::processor_seconds());
        let members = common::members(0, VALIDATORS);
        let late = common::drive(&store, &networks[3], (3, members), timing).await;
        late.decided().wait_for(|decided| decided.0 >= blocks).await.unwrap();
        let seconds = begin.elapsed().as_secs_f64();
        println!(
            "{blocks} blocks of {VALIDATORS} validators fetched in {seconds:.2} s: {:.0} blocks/s, {:.0} µs of processor time each",
            blocks as f64 / seconds,
            (common::processor_seconds() - processor) * 1e6 / blocks as f64
        );
        for handle in handles.iter().chain([&late]) {
            handle.stop().await;
        }
    });
}

/// Blocks on the disks of the first three.
fn make(directory: &std::path::Path, blocks: u64) {
    let members = common::members(0, VALIDATORS);
    let genesis = members.genesis();
    let config = common::timing(Duration::from_millis(1));
    let mut queue = VecDeque::new();
    let mut peers = Vec::new();
    for index in 0..3 {
        let store = common::disk(directory, index);
        let open = Open { config, store_is_current: true };
        let chain = Chain::new(common::key(index), ChainConfig::default());
        let opened = store.write(|txn| {
            Node::open(txn, members.clone(), common::key(index), chain, open).map_err(Failed::from)
        });
        let ((node, outputs), _) = opened.unwrap();
        peers.push(Peer { store, node, timers: BTreeMap::new() });
        let at = usize::from(index);
        queue.push_back((at, Input::Application(ChainInput::Busy(true))));
        perform(&mut peers, &mut queue, at, outputs);
    }
    let mut ordered = 0;
    loop {
        while let Some((to, input)) = queue.pop_front() {
            let peer = &mut peers[to];
            let stepped = peer.store.write(|txn| peer.node.step(txn, input).map_err(Failed::from));
            let (outputs, _) = stepped.unwrap();
            perform(&mut peers, &mut queue, to, outputs);
        }
        let height = peers.iter().map(|peer| peer.node.status().decided.0).min().unwrap_or(0);
        if height >= blocks {
            break;
        }
        if (height / 10) > ordered {
            ordered = height / 10;
            let order = Bytes::new(encode(&ordered)).unwrap();
            let payload = Bytes::new(vec![7; 200]).unwrap();
            for to in 0..3 {
                let submit = ChainInput::Submit { order: order.clone(), payload: payload.clone() };
                queue.push_back((to, Input::Application(submit)));
            }
        }
        for (index, peer) in peers.iter_mut().enumerate() {
            let first = peer.timers.iter().min_by_key(|(_, after)| **after).map(|(timer, _)| *timer);
            if let Some(timer) = first {
                peer.timers.remove(&timer);
                queue.push_back((index, Input::Fired(timer)));
            }
        }
    }
    for peer in peers {
        let (_, commit) = peer.store.write(|txn| latest_decided(txn, genesis)).unwrap();
        commit.wait().unwrap();
        drop(peer.node);
        peer.store.close().unwrap();
    }
}

fn perform(
    peers: &mut [Peer],
    queue: &mut VecDeque<(usize, Input<ChainInput>)>,
    from: usize,
    outputs: Vec<Output>,
) {
    let me: Validator = common::validator(u8::try_from(from).unwrap());
    for output in outputs {
        match output {
            Output::Broadcast(bytes) => {
                for to in (0..peers.len()).filter(|to| *to != from) {
                    queue.push_back((to, Input::Message { from: me, bytes: bytes.clone() }));
                }
            }
            Output::SetTimer { timer, after } => {
                peers[from].timers.insert(timer, after);
            }
            Output::CancelTimer(timer) => {
                peers[from].timers.remove(&timer);
            }
            Output::Request { .. } | Output::Respond { .. } | Output::Decided(_) | Output::Event(_) => {}
        }
    }
}
