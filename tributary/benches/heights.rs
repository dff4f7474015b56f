//! Heights per second of whole chains in one thread, without network and disk: `cargo bench -p tributary`.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use coordinator_keys::SecretKey;
use coordinator_store::{MemoryStore, Store, StoreError};
use processor_messages::{Genesis, KeyShares, Validator};
use tributary::{
    Chain, ChainConfig, ChainInput, Config, Halt, Input, Limits, Members, Node, Open, Output, Timer,
    latest_decided,
};

struct Peer {
    validator: Validator,
    store: MemoryStore,
    node: Node<Chain>,
    timers: BTreeMap<Timer, Duration>,
}

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

fn key(index: u8) -> SecretKey {
    let mut bytes = [0; 32];
    if let Some(first) = bytes.first_mut() {
        *first = index + 1;
    }
    SecretKey::from_bytes(&bytes).unwrap()
}

fn main() {
    for (validators, heights) in [(1, 2000), (4, 1000), (16, 100)] {
        let (seconds, bytes) = run(validators, heights);
        let rate = f64::from(heights) / seconds;
        println!(
            "{validators:>3} validators: {rate:>7.1} heights/s, {} bytes sent a height",
            bytes / u64::from(heights)
        );
    }
}

fn run(validators: u8, heights: u32) -> (f64, u64) {
    let keys: Vec<_> = (0..validators).map(key).collect();
    let set: Vec<_> = keys.iter().map(|k| (Validator(k.public().to_bytes()), KeyShares(1))).collect();
    let members = Members::new(Genesis([1; 32]), &set, Limits::default()).unwrap();
    let config = Config { interval: Duration::from_millis(1), ..Config::default() };
    let mut queue = VecDeque::new();
    let mut peers = Vec::new();
    for key in &keys {
        let store = MemoryStore::default();
        let open = Open { config, store_is_current: true };
        let chain = Chain::new(key.clone(), ChainConfig::default());
        let ((node, outputs), _commit) = store
            .write(|txn| Node::open(txn, members.clone(), key.clone(), chain, open).map_err(Failed::from))
            .unwrap();
        let validator = Validator(key.public().to_bytes());
        peers.push(Peer { validator, store, node, timers: BTreeMap::new() });
        let peer = peers.len() - 1;
        queue.push_back((peer, Input::Application(ChainInput::Busy(true))));
        perform(&mut peers, &mut queue, peer, outputs);
    }
    let start = Instant::now();
    let mut bytes = 0;
    let target = u64::from(heights);
    let decided = |peer: &Peer| peer.store.read(|db| latest_decided(db, members.genesis())).unwrap().0;
    loop {
        while let Some((to, input)) = queue.pop_front() {
            if let Input::Message { bytes: message, .. } = &input {
                bytes += message.len() as u64;
            }
            let Some(peer) = peers.get_mut(to) else { continue };
            let (outputs, _commit) =
                peer.store.write(|txn| peer.node.step(txn, input).map_err(Failed::from)).unwrap();
            perform(&mut peers, &mut queue, to, outputs);
        }
        if peers.iter().all(|peer| decided(peer) >= target) {
            return (start.elapsed().as_secs_f64(), bytes);
        }
        // Nothing is under way: the earliest timer of each fires.
        for (index, peer) in peers.iter_mut().enumerate() {
            let first = peer.timers.iter().min_by_key(|(_, after)| **after).map(|(timer, _)| *timer);
            if let Some(timer) = first {
                peer.timers.remove(&timer);
                queue.push_back((index, Input::Fired(timer)));
            }
        }
    }
}

fn perform(
    peers: &mut [Peer],
    queue: &mut VecDeque<(usize, Input<ChainInput>)>,
    from: usize,
    outputs: Vec<Output>,
) {
    for output in outputs {
        match output {
            Output::Broadcast(bytes) => {
                let Some(from) = peers.get(from).map(|peer| peer.validator) else { continue };
                for (to, _) in peers.iter().enumerate().filter(|(_, peer)| peer.validator != from) {
                    queue.push_back((to, Input::Message { from, bytes: bytes.clone() }));
                }
            }
            Output::SetTimer { timer, after } => {
                if let Some(peer) = peers.get_mut(from) {
                    peer.timers.insert(timer, after);
                }
            }
            Output::CancelTimer(timer) => {
                if let Some(peer) = peers.get_mut(from) {
                    peer.timers.remove(&timer);
                }
            }
            Output::Request { .. } | Output::Respond { .. } | Output::Decided(_) | Output::Event(_) => {}
        }
    }
}
