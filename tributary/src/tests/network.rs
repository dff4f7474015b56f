//! A seeded network of nodes in virtual time, with stores that lose what is not synced, and oracles.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};

use coordinator_keys::SecretKey;
use coordinator_store::{MemoryStore, Store, StoreError, SyncMode};
use processor_messages::{Bytes, Genesis, KeyShares, TributaryBlock, Validator, encode};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use crate::{
    Chain, ChainConfig, ChainInput, Config, DECIDED, Halt, Input, Kind, Limits, Members, Node, Open, Output,
    Timer, Transaction, chain, latest_decided, log, wire::Message,
};

pub(super) const MS: u64 = 1_000;
pub(super) const SECOND: u64 = 1_000 * MS;

pub(super) fn key(index: u8) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[0] = index + 1;
    SecretKey::from_bytes(&bytes).unwrap()
}

pub(super) fn validator(index: u8) -> Validator {
    Validator(key(index).public().to_bytes())
}

pub(super) fn members(weights: &[u16]) -> Members {
    let validators: Vec<_> = (0u8..).zip(weights).map(|(i, w)| (validator(i), KeyShares(*w))).collect();
    Members::new(Genesis([7; 32]), &validators, Limits::default()).unwrap()
}

pub(super) fn config() -> Config {
    let ms = Duration::from_millis;
    Config {
        interval: ms(100),
        heartbeat: ms(3000),
        propose: ms(400),
        vote: ms(150),
        max_timeout: ms(5000),
        rebroadcast: ms(500),
        sync: ms(300),
        resend: ms(500),
    }
}

/// A step failed: the node's reason, or the store's.
#[derive(Debug)]
pub(super) enum Failed {
    Halt(Halt),
    Store,
}
impl From<StoreError> for Failed {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}
impl From<Halt> for Failed {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// One running instance: a validator, or one of two twins with the same key.
pub(super) struct Peer {
    pub(super) validator: Validator,
    key: SecretKey,
    pub(super) honest: bool,
    pub(super) store: MemoryStore,
    pub(super) node: Option<Node<Chain>>,
    timers: BTreeMap<Timer, u64>,
    waiting: Vec<Output>,
    syncing: bool,
    life: u64,
    pub(super) halted: Option<Halt>,
    submitted: u32,
    pub(super) current: bool,
}

enum What {
    Input(usize, Box<Input<ChainInput>>),
    Timer(usize, Timer, u64),
    Sync(usize, u64),
    Restart(usize),
    Provide(usize),
    Submit(usize),
    Garbage(usize),
    Heal,
}

struct Event {
    at: u64,
    number: u64,
    what: What,
}
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    /// Messages lost, in a hundred.
    pub(super) loss: u64,
    /// The longest delay of a message, in microseconds.
    pub(super) delay: u64,
    /// Steps out of a thousand after which the node loses power.
    pub(super) crash: u64,
    /// Whether the rows of the log are lost with a crash, too: breaks the rule on purpose.
    pub(super) forget_log: bool,
    /// Whether the network splits in two now and then.
    pub(super) partition: bool,
    /// When all of this ends.
    pub(super) until: u64,
}

impl Faults {
    pub(super) fn none() -> Self {
        Self { loss: 0, delay: 10 * MS, crash: 0, forget_log: false, partition: false, until: 0 }
    }
}

pub(super) struct Network {
    pub(super) members: Members,
    pub(super) peers: Vec<Peer>,
    pub(super) faults: Faults,
    pub(super) now: u64,
    events: BinaryHeap<Reverse<Event>>,
    number: u64,
    rng: ChaCha8Rng,
    split: BTreeSet<usize>,
    seen: Vec<Vec<u8>>,
    pub(super) crashes: u64,
    provided: u32,
    submits: u32,
    // Oracles.
    signed: BTreeMap<(Validator, u64, u32, u8), Vec<u8>>,
    pub(super) decided: BTreeMap<u64, crate::BlockHash>,
    pub(super) violations: Vec<String>,
}

impl Network {
    /// Honest validators of these weights; `twins` of them run twice.
    pub(super) fn new(seed: u64, weights: &[u16], twins: usize, faults: Faults) -> Self {
        let mut network = Self {
            members: members(weights),
            peers: Vec::new(),
            faults,
            now: 0,
            events: BinaryHeap::new(),
            number: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            split: BTreeSet::new(),
            seen: Vec::new(),
            crashes: 0,
            provided: 0,
            submits: 0,
            signed: BTreeMap::new(),
            decided: BTreeMap::new(),
            violations: Vec::new(),
        };
        for index in 0..weights.len() {
            network.add(index as u8, index >= twins);
            if index < twins {
                network.add(index as u8, false);
            }
        }
        if faults.until > 0 {
            network.schedule(faults.until, What::Heal);
        }
        network
    }

    fn add(&mut self, index: u8, honest: bool) {
        self.peers.push(Peer {
            validator: validator(index),
            key: key(index),
            honest,
            store: MemoryStore::new(SyncMode::Manual),
            node: None,
            timers: BTreeMap::new(),
            waiting: Vec::new(),
            syncing: false,
            life: 0,
            halted: None,
            submitted: 0,
            current: true,
        });
        let peer = self.peers.len() - 1;
        let after = self.below(50 * MS);
        self.schedule(after, What::Restart(peer));
    }

    /// Every validator provides `provided` transactions at times of its own and submits `submits`.
    pub(super) fn work(&mut self, provided: u32, submits: u32, over: u64) {
        self.provided = provided;
        self.submits = submits;
        for peer in 0..self.peers.len() {
            for _ in 0..submits {
                let at = self.below(over);
                self.schedule(at, What::Submit(peer));
            }
            for _ in 0..provided {
                let at = self.below(over);
                self.schedule(at, What::Provide(peer));
            }
        }
    }

    /// This validator runs no node and sends rubbish instead.
    pub(super) fn make_garbage(&mut self, peer: usize) {
        self.peers[peer].honest = false;
        self.schedule(MS, What::Garbage(peer));
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    fn schedule(&mut self, after: u64, what: What) {
        self.number += 1;
        self.events.push(Reverse(Event { at: self.now + after, number: self.number, what }));
    }

    /// Runs until `time`, or until `done`.
    pub(super) fn run(&mut self, time: u64, done: impl Fn(&Self) -> bool) -> bool {
        while let Some(Reverse(event)) = self.events.pop() {
            if event.at > time {
                self.events.push(Reverse(event));
                break;
            }
            self.now = event.at;
            self.happen(event.what);
            // Reading stores costs; now and then is often enough.
            if (self.number.is_multiple_of(64)) && done(self) {
                return true;
            }
        }
        self.now = time;
        done(self)
    }

    fn faulty(&self) -> bool {
        self.now < self.faults.until
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Input(peer, input) => self.step(peer, *input),
            What::Timer(peer, timer, number) => {
                if self.peers[peer].timers.get(&timer) == Some(&number) {
                    self.peers[peer].timers.remove(&timer);
                    self.step(peer, Input::Fired(timer));
                }
            }
            What::Sync(peer, life) => {
                if self.peers[peer].life == life {
                    self.synced(peer);
                }
            }
            What::Restart(peer) => self.restart(peer),
            What::Provide(peer) => self.provide(peer),
            What::Submit(peer) => self.submit(peer),
            What::Garbage(peer) => self.garbage(peer),
            What::Heal => self.split.clear(),
        }
    }

    fn restart(&mut self, peer: usize) {
        let members = self.members.clone();
        let peer_ = &mut self.peers[peer];
        peer_.node = None;
        let application = Chain::new(peer_.key.clone(), ChainConfig::default());
        let open = Open { config: config(), store_is_current: peer_.current };
        let opened = peer_.store.write(|txn| {
            Node::open(txn, members, peer_.key.clone(), application, open).map_err(Failed::from)
        });
        peer_.current = true;
        match opened {
            Ok(((node, outputs), _)) => {
                peer_.node = Some(node);
                self.settle(peer, outputs);
                self.step(peer, Input::Application(ChainInput::Busy(true)));
            }
            Err(Failed::Halt(halt)) => self.peers[peer].halted = Some(halt),
            Err(Failed::Store) => unreachable!("the store does not fail here"),
        }
    }

    pub(super) fn step(&mut self, peer: usize, input: Input<ChainInput>) {
        let this = &mut self.peers[peer];
        let Some(node) = this.node.as_mut() else { return };
        match this.store.write(|txn| node.step(txn, input).map_err(Failed::from)) {
            Ok((outputs, _)) => self.settle(peer, outputs),
            Err(Failed::Halt(halt)) => {
                this.halted = Some(halt);
                this.node = None;
            }
            Err(Failed::Store) => unreachable!("the store does not fail here"),
        }
    }

    /// A step is submitted: it becomes durable later, unless the node loses power before.
    fn settle(&mut self, peer: usize, outputs: Vec<Output>) {
        self.peers[peer].waiting.extend(outputs);
        if !self.peers[peer].syncing {
            self.peers[peer].syncing = true;
            let (after, life) = (self.below(2 * MS), self.peers[peer].life);
            self.schedule(after, What::Sync(peer, life));
        }
        if self.faulty() && self.peers[peer].honest && (self.below(1000) < self.faults.crash) {
            self.crash(peer);
        }
    }

    pub(super) fn crash(&mut self, peer: usize) {
        self.crashes += 1;
        let forget = self.faults.forget_log;
        let members = self.members.clone();
        let this = &mut self.peers[peer];
        this.store = this.store.crash();
        if forget {
            let forgotten = this.store.write(|txn| {
                let height = latest_decided(txn, members.genesis())?.0 + 1;
                log::Log::open(txn, members.genesis(), height)?.0.clear(txn);
                for (hash, _) in log::bodies(txn, members.genesis(), height)? {
                    log::delete_body(txn, members.genesis(), height, hash);
                }
                Ok::<_, StoreError>(())
            });
            drop(forgotten.unwrap());
        }
        this.node = None;
        this.timers.clear();
        this.waiting.clear();
        this.syncing = false;
        this.life += 1;
        let after = self.below(500 * MS);
        self.schedule(after, What::Restart(peer));
    }

    /// Loses the whole disk; the validator comes back with its key alone.
    pub(super) fn wipe(&mut self, peer: usize) {
        self.crash(peer);
        self.peers[peer].store = MemoryStore::new(SyncMode::Manual);
        self.peers[peer].current = false;
    }

    /// Stops for good, with what is durable kept.
    pub(super) fn stop(&mut self, peer: usize) {
        let this = &mut self.peers[peer];
        this.store = this.store.crash();
        this.node = None;
        this.timers.clear();
        this.waiting.clear();
        this.syncing = false;
        this.life += 1;
    }

    /// Starts again after [`Network::stop`].
    pub(super) fn resume(&mut self, peer: usize) {
        self.schedule(MS, What::Restart(peer));
    }

    fn synced(&mut self, peer: usize) {
        self.peers[peer].store.sync();
        self.peers[peer].syncing = false;
        for output in std::mem::take(&mut self.peers[peer].waiting) {
            self.perform(peer, output);
        }
    }

    fn perform(&mut self, peer: usize, output: Output) {
        let from = self.peers[peer].validator;
        match output {
            Output::Broadcast(bytes) => {
                self.judge_sent(peer, &bytes);
                for to in 0..self.peers.len() {
                    if self.peers[to].validator != from {
                        self.send(peer, to, Input::Message { from, bytes: bytes.clone() });
                    }
                }
            }
            Output::Request { to, bytes } => {
                let id = u64::try_from(peer).unwrap();
                for other in 0..self.peers.len() {
                    if self.peers[other].validator == to {
                        self.send(peer, other, Input::Request { from, id, bytes: bytes.clone() });
                    }
                }
            }
            Output::Respond { id, bytes } => {
                self.send(peer, usize::try_from(id).unwrap(), Input::Response { from, bytes });
            }
            Output::SetTimer { timer, after } => {
                let after = u64::try_from(after.as_micros()).unwrap();
                self.schedule(after, What::Timer(peer, timer, self.number + 1));
                let number = self.number;
                self.peers[peer].timers.insert(timer, number);
            }
            Output::CancelTimer(timer) => {
                self.peers[peer].timers.remove(&timer);
            }
            Output::Decided(height) => self.judge_decided(peer, height),
            Output::Event(_) => {}
        }
    }

    fn send(&mut self, from: usize, to: usize, input: Input<ChainInput>) {
        if self.faulty() {
            if self.faults.partition && (self.below(2000) == 0) {
                self.split =
                    (0..self.peers.len()).filter(|_| self.rng.next_u32().is_multiple_of(2)).collect();
                let after = self.below(800 * MS);
                self.schedule(after, What::Heal);
            }
            if (self.split.contains(&from) != self.split.contains(&to))
                || (self.below(100) < self.faults.loss)
            {
                return;
            }
        }
        if let Input::Message { bytes, .. } = &input {
            if self.seen.len() < 256 {
                self.seen.push(bytes.clone());
            } else {
                let at = self.below(256) as usize;
                self.seen[at].clone_from(bytes);
            }
        }
        let delay = MS + self.below(self.faults.delay);
        self.schedule(delay, What::Input(to, Box::new(input)));
    }

    pub(super) fn provided(ordinal: u32) -> (Kind, Bytes<{ crate::MAX_TRANSACTION_BYTES }>) {
        (Kind(1), Bytes::new(encode(&("provided", ordinal))).unwrap())
    }

    fn provide(&mut self, peer: usize) {
        let Some(_) = &self.peers[peer].node else { return self.schedule(300 * MS, What::Provide(peer)) };
        let genesis = self.members.genesis();
        let store = &self.peers[peer].store;
        let next = store.write(|txn| chain::provided_count(txn, genesis, Kind(1))).unwrap().0;
        if next < self.provided {
            let (kind, payload) = Self::provided(next);
            self.step(peer, Input::Application(ChainInput::Provide { kind, payload }));
            // After a crash some may have been lost; come again until all are there.
            self.schedule(SECOND, What::Provide(peer));
        }
    }

    fn submit(&mut self, peer: usize) {
        if self.peers[peer].node.is_none() {
            return self.schedule(300 * MS, What::Submit(peer));
        }
        self.peers[peer].submitted += 1;
        let submitted = self.peers[peer].submitted;
        let order = Bytes::new(encode(&(submitted % 3))).unwrap();
        let payload = Bytes::new(encode(&(self.peers[peer].validator, submitted))).unwrap();
        self.step(peer, Input::Application(ChainInput::Submit { order, payload }));
    }

    fn garbage(&mut self, peer: usize) {
        let from = self.peers[peer].validator;
        let mut bytes = if self.seen.is_empty() || (self.below(4) == 0) {
            let length = self.below(200) as usize;
            let mut bytes = vec![0; length];
            self.rng.fill_bytes(&mut bytes);
            bytes
        } else {
            let at = self.below(self.seen.len() as u64) as usize;
            self.seen[at].clone()
        };
        if !bytes.is_empty() && (self.below(4) > 0) {
            let (at, bit) = (self.below(bytes.len() as u64) as usize, self.below(8));
            bytes[at] ^= 1 << bit;
        }
        for to in 0..self.peers.len() {
            let input = match self.below(6) {
                0 => Input::Request { from, id: peer as u64, bytes: bytes.clone() },
                1 => Input::Response { from, bytes: bytes.clone() },
                _ => Input::Message { from, bytes: bytes.clone() },
            };
            self.send(peer, to, input);
        }
        self.schedule(20 * MS, What::Garbage(peer));
    }

    // Oracles.

    /// An honest validator never signs two different messages for one place.
    fn judge_sent(&mut self, peer: usize, bytes: &[u8]) {
        if !self.peers[peer].honest {
            return;
        }
        let place = match Message::decode(bytes, self.members.limits()).unwrap() {
            Message::Vote(v) if v.address == self.peers[peer].validator => {
                Some(((v.address, v.height, v.round, v.step as u8), encode(&v.value)))
            }
            Message::Proposal(p) if p.address == self.peers[peer].validator => {
                Some(((p.address, p.height, p.round, 2), encode(&(p.value, p.valid_round))))
            }
            _ => None,
        };
        if let Some((place, content)) = place
            && *self.signed.entry(place).or_insert_with(|| content.clone()) != content
        {
            self.violations.push(format!("signed twice: {place:?}"));
        }
    }

    /// Two honest validators never decide different blocks.
    fn judge_decided(&mut self, peer: usize, height: TributaryBlock) {
        if !self.peers[peer].honest {
            return;
        }
        let genesis = self.members.genesis();
        let decided = self.peers[peer].store.read(|db| DECIDED.get(db, &(genesis, height))).unwrap().unwrap();
        let hash = decided.block.header.hash(genesis);
        if *self.decided.entry(height.0).or_insert(hash) != hash {
            self.violations.push(format!("two blocks at height {height}"));
        }
    }

    /// The chain of a peer, from the first block.
    pub(super) fn chain(&self, peer: usize) -> Vec<Transaction> {
        let genesis = self.members.genesis();
        self.peers[peer].store.read(|db| {
            let top = latest_decided(db, genesis).unwrap().0;
            let block = |height| DECIDED.get(db, &(genesis, TributaryBlock(height))).unwrap().unwrap();
            (1..=top).flat_map(|height| chain::transactions(&block(height).block).unwrap()).collect()
        })
    }

    pub(super) fn height(&self, peer: usize) -> u64 {
        self.peers[peer].store.read(|db| latest_decided(db, self.members.genesis())).unwrap().0
    }

    pub(super) fn honest(&self) -> impl Iterator<Item = usize> {
        (0..self.peers.len()).filter(|peer| self.peers[*peer].honest)
    }

    /// Whether every honest validator has every honest transaction on its chain and handles all blocks.
    pub(super) fn is_complete(&self) -> bool {
        self.honest().all(|peer| {
            let genesis = self.members.genesis();
            let handleable = self.peers[peer].store.read(|db| chain::handleable(db, genesis)).unwrap().0;
            (handleable == self.height(peer)) && self.has_all(peer)
        })
    }

    fn has_all(&self, peer: usize) -> bool {
        let provided = self.peers[peer]
            .store
            .read(|db| chain::agreed_count(db, self.members.genesis(), Kind(1)).unwrap());
        let own = self.honest().all(|peer| {
            self.peers[peer].store.read(|db| chain::own_waiting(db, self.members.genesis())).unwrap() == 0
        });
        (provided == self.provided) && own
    }

    /// The order of provided transactions and the nonces of signed ones hold on a chain.
    pub(super) fn assert_rules(&self, peer: usize) {
        let mut provided = 0;
        let mut nonces = BTreeMap::new();
        for transaction in self.chain(peer) {
            match transaction {
                Transaction::Provided { kind, payload } => {
                    assert_eq!((kind, payload), Self::provided(provided));
                    provided += 1;
                }
                Transaction::Signed(signed) => {
                    assert!(signed.verify(&self.members));
                    let next: &mut u32 = nonces.entry((signed.signer, signed.order)).or_default();
                    assert_eq!(signed.nonce, *next);
                    *next += 1;
                }
                Transaction::Evidence(evidence) => assert!(evidence.verify(&self.members)),
                Transaction::Unsigned(_) => {}
            }
        }
    }
}
