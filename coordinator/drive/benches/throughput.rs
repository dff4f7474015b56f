//! Blocks and transactions a second of tributaries over loopback TCP with real disks, all validators in one process:
//!
//! ```text
//! cargo bench -p coordinator-drive --bench throughput [-- --short] [-- CASE]      CASE: 4x1, 4x8, 16x1
//! ```
//!
//! * empty: blocks are due at once (an interval of 1 ms) and hold nothing;
//! * full: every validator keeps [`OUTSTANDING`] transactions on their way in each chain, each of an order of its own
//!   with [`PAYLOAD`] bytes; what one node decides is counted;
//! * half: transactions come evenly at half of that rate; each carries the time of its submission, and each validator
//!   reads its own in its decided blocks, durable, to tell how long they took.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs
)]

mod common;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use coordinator_drive::Handle;
use coordinator_store::Store;
use coordinator_store_disk::DiskStore;
use processor_messages::{Bytes, Genesis, TributaryBlock, Validator, encode};
use tokio::{sync::Notify, task::JoinSet};
use tributary::{ChainInput, DECIDED, Transaction, chain};

/// Bytes of a transaction's payload; with order, nonce, signer and signature it is 317 bytes long.
const PAYLOAD: usize = 200;
/// Transactions of one validator on their way in all chains together, when full.
const OUTSTANDING: u64 = 2_000;
/// From a decision to the next height while there is something to order.
const INTERVAL: Duration = Duration::from_millis(50);

struct Case {
    validators: u8,
    chains: u8,
}

struct Lengths {
    warm: Duration,
    run: Duration,
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let short = arguments.iter().any(|argument| argument == "--short");
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let seconds = |n| Duration::from_secs(n);
    let lengths = if short {
        Lengths { warm: seconds(1), run: seconds(3) }
    } else {
        Lengths { warm: seconds(3), run: seconds(15) }
    };
    println!(
        "| Validators | Tributaries | Empty blocks/s | Transactions/s, full | Blocks/s, full | Processor time of a transaction | Half load | p50 | p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (validators, chains) in [(4, 1), (4, 8), (16, 1)] {
        let name = format!("{validators}x{chains}");
        if wanted.is_none_or(|wanted| *wanted == name) {
            tokio::runtime::Runtime::new().unwrap().block_on(case(&Case { validators, chains }, &lengths));
        }
    }
}

async fn case(case: &Case, lengths: &Lengths) {
    let directory = tempfile::tempdir().unwrap();
    let empty = {
        let run = Run::start(case, &directory.path().join("empty"), Duration::from_millis(1)).await;
        run.busy(true).await;
        tokio::time::sleep(lengths.warm).await;
        let (before, begin) = (run.heights(), Instant::now());
        tokio::time::sleep(lengths.run).await;
        let rate = (run.heights() - before) as f64 / begin.elapsed().as_secs_f64();
        run.stop().await;
        rate
    };
    let run = Run::start(case, &directory.path().join("full"), INTERVAL).await;
    let full = run.full(lengths).await;
    run.stop().await;
    let run = Run::start(case, &directory.path().join("half"), INTERVAL).await;
    let rate = full.transactions / 2.0;
    let mut latencies = run.half(lengths, rate).await;
    run.stop().await;
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies.get(index.min(latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    println!(
        "| {} | {} | {empty:.0} | {:.0} | {:.1} | {:.0} µs | {rate:.0}/s | {:.0} ms | {:.0} ms |",
        case.validators,
        case.chains,
        full.transactions,
        full.blocks,
        full.processor * 1e6,
        at(0.5) as f64 / 1e3,
        at(0.99) as f64 / 1e3,
    );
}

struct Full {
    transactions: f64,
    blocks: f64,
    processor: f64,
}

/// One validator's part in one chain.
#[derive(Clone)]
struct Part {
    validator: Validator,
    genesis: Genesis,
    store: DiskStore,
    handle: Handle<ChainInput>,
    /// Own transactions that node 0 has seen decided.
    included: Arc<AtomicU64>,
    progress: Arc<Notify>,
}

/// All validators of all chains.
struct Run {
    parts: Vec<Part>,
    networks: Vec<coordinator_p2p::Handle>,
    validators: u8,
    begin: Instant,
    over: Arc<AtomicBool>,
}

impl Run {
    async fn start(case: &Case, directory: &Path, interval: Duration) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let networks = common::networks(case.validators).await;
        let mut parts = Vec::new();
        for (index, network) in (0..).zip(&networks) {
            let store = common::disk(directory, index);
            for chain in 0..case.chains {
                let members = common::members(chain, case.validators);
                let handle = common::drive(&store, network, (index, members), common::timing(interval)).await;
                parts.push(Part {
                    validator: common::validator(index),
                    genesis: common::genesis(chain),
                    store: store.clone(),
                    handle,
                    included: Arc::default(),
                    progress: Arc::default(),
                });
            }
        }
        Self { parts, networks, validators: case.validators, begin: Instant::now(), over: Arc::default() }
    }

    /// The parts of node 0: it counts.
    fn counting(&self) -> impl Iterator<Item = &Part> {
        let first = common::validator(0);
        self.parts.iter().filter(move |part| part.validator == first)
    }

    fn heights(&self) -> u64 {
        self.counting().map(|part| part.handle.decided().borrow().0).sum()
    }

    async fn busy(&self, busy: bool) {
        for part in &self.parts {
            part.handle.input(ChainInput::Busy(busy)).await.unwrap();
        }
    }

    async fn stop(self) {
        self.over.store(true, Ordering::Relaxed);
        for part in &self.parts {
            part.handle.stop().await;
        }
        drop(self.networks);
    }

    fn of_validator(&self) -> u64 {
        OUTSTANDING / (self.parts.len() as u64 / u64::from(self.validators))
    }

    async fn full(&self, lengths: &Lengths) -> Full {
        let count = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for part in self.counting() {
            let others: Vec<_> =
                self.parts.iter().filter(|other| other.genesis == part.genesis).cloned().collect();
            tasks.spawn(count_included(part.clone(), others, count.clone()));
        }
        for part in &self.parts {
            tasks.spawn(keep_full(part.clone(), self.of_validator(), self.begin, self.over.clone()));
        }
        tokio::time::sleep(lengths.warm).await;
        let before = (count.load(Ordering::Relaxed), self.heights(), common::processor_seconds());
        let begin = Instant::now();
        tokio::time::sleep(lengths.run).await;
        let seconds = begin.elapsed().as_secs_f64();
        let transactions = (count.load(Ordering::Relaxed) - before.0) as f64;
        let blocks = (self.heights() - before.1) as f64;
        let processor = common::processor_seconds() - before.2;
        tasks.shutdown().await;
        Full {
            transactions: transactions / seconds,
            blocks: blocks / seconds,
            processor: processor / transactions.max(1.0),
        }
    }

    /// Latencies in microseconds.
    async fn half(&self, lengths: &Lengths, rate: f64) -> Vec<u64> {
        let each = rate / self.parts.len() as f64;
        let mut senders = JoinSet::new();
        let mut readers = JoinSet::new();
        let from = self.begin.elapsed() + lengths.warm;
        for part in &self.parts {
            senders.spawn(send_evenly(part.clone(), each, self.begin));
            let until = from + lengths.run;
            readers.spawn(read_latencies(part.clone(), self.begin, (from, until)));
        }
        let mut latencies = Vec::new();
        while let Some(of_part) = readers.join_next().await {
            latencies.extend(of_part.unwrap());
        }
        senders.shutdown().await;
        latencies
    }
}

/// Each has an order of its own, so that none waits for another.
fn transaction(number: u64, since: Duration) -> ChainInput {
    let mut payload = u64::try_from(since.as_micros()).unwrap().to_le_bytes().to_vec();
    payload.resize(PAYLOAD, 7);
    ChainInput::Submit { order: Bytes::new(encode(&number)).unwrap(), payload: Bytes::new(payload).unwrap() }
}

async fn submit(part: &Part, first: u64, count: u64, begin: Instant) -> bool {
    let since = begin.elapsed();
    let inputs = (first..first + count).map(|number| transaction(number, since)).collect();
    part.handle.transact(move |_| Ok(inputs)).await.is_ok()
}

async fn keep_full(part: Part, outstanding: u64, begin: Instant, over: Arc<AtomicBool>) {
    let mut submitted = 0;
    while !over.load(Ordering::Relaxed) {
        let progress = part.progress.notified();
        let waiting = submitted - part.included.load(Ordering::Relaxed);
        let room = outstanding.saturating_sub(waiting).min(100);
        if room == 0 {
            progress.await;
        } else {
            if !submit(&part, submitted, room, begin).await {
                return;
            }
            submitted += room;
        }
    }
}

async fn send_evenly(part: Part, rate: f64, begin: Instant) {
    let start = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut submitted = 0;
    loop {
        ticks.tick().await;
        let due = (start.elapsed().as_secs_f64() * rate) as u64;
        if (due > submitted) && !submit(&part, submitted, due - submitted, begin).await {
            return;
        }
        submitted = due;
    }
}

fn decided(part: &Part, height: u64) -> Vec<Transaction> {
    let key = (part.genesis, TributaryBlock(height));
    let block = part.store.read(|db| DECIDED.get(db, &key)).unwrap().unwrap();
    chain::transactions(&block.block).unwrap()
}

async fn count_included(part: Part, all: Vec<Part>, count: Arc<AtomicU64>) {
    let mut heights = part.handle.decided();
    let mut read = 0;
    loop {
        let height = heights.borrow_and_update().0;
        while read < height {
            read += 1;
            for transaction in decided(&part, read) {
                let Transaction::Signed(signed) = transaction else { continue };
                if let Some(of) = all.iter().find(|of| of.validator == signed.signer) {
                    of.included.fetch_add(1, Ordering::Relaxed);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        for part in &all {
            part.progress.notify_one();
        }
        if heights.changed().await.is_err() {
            return;
        }
    }
}

/// Of own transactions submitted between two times.
async fn read_latencies(part: Part, begin: Instant, (from, until): (Duration, Duration)) -> Vec<u64> {
    let mut heights = part.handle.decided();
    let mut latencies = Vec::new();
    let mut read = 0;
    loop {
        let height = heights.borrow_and_update().0;
        let now = begin.elapsed();
        while read < height {
            read += 1;
            for transaction in decided(&part, read) {
                let Transaction::Signed(signed) = transaction else { continue };
                if signed.signer != part.validator {
                    continue;
                }
                let since = signed.payload.first_chunk::<8>().map_or(0, |since| u64::from_le_bytes(*since));
                let since = Duration::from_micros(since);
                if (from..until).contains(&since) {
                    latencies.push(u64::try_from(now.saturating_sub(since).as_micros()).unwrap());
                }
            }
        }
        let end = until + Duration::from_secs(5);
        if (now > end) || tokio::time::timeout(end.saturating_sub(now), heights.changed()).await.is_err() {
            return latencies;
        }
    }
}
