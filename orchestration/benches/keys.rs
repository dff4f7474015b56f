//! From a set's declaration to its keys on the base chain, with real processes and real key generation.
//!
//! ```sh
//! cargo bench -p orchestration --bench keys               # 4, 7 and 16 validators
//! cargo bench -p orchestration --bench keys -- 50         # other sizes
//! ```
//!
//! One network, one key share each; a base-chain node, a coordinator and a processor for each validator, all on this
//! machine. Stages are read from the base chain and from the first coordinator's status; times are from the moment at
//! which the observer sees the declaration. How long a processor took from the last participation to the key pair is read
//! from the times in its log. Processor time and memory are what the system says of each process when
//! the keys are on the base chain; bytes between coordinators are what the first one's status says. It prints a table for BENCHMARKS.md.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a bench")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use orchestration::{layout::Service, observe::Observer, plan::Plan, summary::Stage, testnet::Testnet};

/// The system counts processor time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;
/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// When a run is given up.
const PATIENCE: Duration = Duration::from_mins(15);
/// The stages of a coordinator that are told, in their order.
const STAGES: [&str; 4] = ["generating", "confirmation_nonces", "confirmation_shares", "publishing"];

/// What the processes of one role used together.
#[derive(Default)]
struct Usage {
    processes: u32,
    seconds: f64,
    largest_mib: f64,
}

struct Row {
    validators: usize,
    block_time: Duration,
    stages: BTreeMap<&'static str, f64>,
    /// Of each processor, from the last participation to the key pair, in seconds, in order.
    closings: Vec<f64>,
    usage: BTreeMap<&'static str, Usage>,
    /// Of the first coordinator, to and from the others' coordinators.
    peers_mib: f64,
    loopback_mib: f64,
}

fn main() {
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![4, 7, 16] } else { asked };
    let rows: Vec<Row> = sizes.into_iter().map(measure).collect();
    print(&rows);
}

/// The base chain's pace: all nodes of a size must keep it on one machine.
fn block_time(validators: usize) -> Duration {
    Duration::from_millis(if validators <= 16 { 1_000 } else { 5_000 })
}

fn measure(validators: usize) -> Row {
    let dir = tempfile::tempdir().unwrap();
    let block_time = block_time(validators);
    let plan = Plan::new(validators, 1, None, block_time, dir.path().join("net")).unwrap();
    let mut testnet = Testnet::prepare(&plan, PathBuf::from(env!("CARGO_BIN_EXE_orchestration"))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut observer = Observer::new(&testnet.manifest).unwrap();
    let bytes = loopback_bytes();
    testnet.start_all(&[]).unwrap();
    let begin = Instant::now();
    let mut declared = None;
    let mut stages = BTreeMap::new();
    loop {
        assert!(begin.elapsed() < PATIENCE, "{validators} validators: no keys within {PATIENCE:?}");
        let ended = testnet.take_ended();
        assert!(ended.is_empty(), "processes ended unasked: {ended:#?}");
        let now = testnet.running_for();
        runtime.block_on(observer.poll_first(now));
        for line in observer.take_lines() {
            eprintln!("{:>6.1} s  {line}", now.as_secs_f64());
        }
        let Some(progress) = observer.networks.values().next() else { continue };
        let reached = |stage| progress.reached.get(&stage).copied();
        declared = declared.or(reached(Stage::Declared));
        if let Some(declared) = declared {
            let since = |at: Duration| at.saturating_sub(declared).as_secs_f64();
            if let Some(at) = reached(Stage::Participations) {
                stages.entry("participations").or_insert(since(at));
            }
            for stage in STAGES {
                if observer.has_seen(0, stage) {
                    stages.entry(stage).or_insert(since(now));
                }
            }
            if let Some(at) = reached(Stage::KeysSet) {
                stages.insert("keys_set", since(at));
                break;
            }
        }
        runtime.block_on(async { tokio::time::sleep(LOOK_INTERVAL).await });
    }
    let loopback_mib = (loopback_bytes() - bytes) / f64::from(1 << 20);
    let usage = usage(&testnet);
    let peers_mib = runtime.block_on(observer.raw_status(0)).map_or(f64::NAN, |status| peers_mib(&status));
    let closings = closings(&testnet, validators);
    testnet.stop();
    Row { validators, block_time, stages, closings, usage, peers_mib, loopback_mib }
}

fn closings(testnet: &Testnet, validators: usize) -> Vec<f64> {
    let network = *testnet.manifest.networks.first().unwrap();
    let log = |validator| testnet.layout.log(validator, Service::Processor(network));
    let mut closings: Vec<f64> = (0..validators).filter_map(|validator| closing(&log(validator))).collect();
    closings.sort_unstable_by(f64::total_cmp);
    closings
}

/// From the last participation that a processor was handed to its key pair, by its log; `None` without a key pair.
fn closing(log: &Path) -> Option<f64> {
    let text = fs::read_to_string(log).ok()?;
    let generated = text.lines().position(|line| line.contains("stage=\"key_generated\""))?;
    let before = text.lines().take(generated);
    let last = before.filter(|line| line.contains("stage=\"participation\"")).last()?;
    let seconds = second_of_day(text.lines().nth(generated)?)? - second_of_day(last)?;
    Some(seconds.rem_euclid(86_400.0))
}

/// Of a line which begins as `2026-11-29T18:23:11.960015Z`.
fn second_of_day(line: &str) -> Option<f64> {
    let time = line.split_whitespace().next()?.split_once('T')?.1.trim_end_matches('Z');
    time.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

/// What went over the loopback interface since the machine started, in bytes.
fn loopback_bytes() -> f64 {
    let text = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|bytes| bytes.parse().ok()).unwrap_or(0.0)
}

/// What a coordinator's status says that it sent to the others and received from them.
fn peers_mib(status: &serde_json::Value) -> f64 {
    let peers = status["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let count = |name: &str| peers.iter().filter_map(|peer| peer[name].as_f64()).sum::<f64>();
    (count("bytes_in") + count("bytes_out")) / f64::from(1 << 20)
}

fn usage(testnet: &Testnet) -> BTreeMap<&'static str, Usage> {
    let mut by_role: BTreeMap<&'static str, Usage> = BTreeMap::new();
    for (role, id) in testnet.running() {
        let usage = by_role.entry(role).or_default();
        usage.processes += 1;
        usage.seconds += processor_seconds(id);
        usage.largest_mib = usage.largest_mib.max(peak_mib(id));
    }
    by_role
}

/// User and system time of a process.
fn processor_seconds(id: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // After the name, which is in parentheses, the state is field 3; times are fields 14 and 15.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// The most memory which a process held at once.
fn peak_mib(id: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

fn print(rows: &[Row]) {
    println!(
        "| Validators | Block time | Participations of t | Confirmation nonces | Confirmation shares | Keys on chain | \
         Last participation to key pair, median and slowest processor | CPU of processors | of coordinators | of base-chain nodes | Peak of one coordinator | To and from other coordinators, each | Loopback, each validator |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let stage = |name| row.stages.get(name).map_or("-".to_owned(), |at| format!("{at:.1} s"));
        let cpu = |role| row.usage.get(role).map_or(0.0, |usage| usage.seconds);
        let peak = row.usage.get("coordinator").map_or(0.0, |usage| usage.largest_mib);
        let validators = u32::try_from(row.validators).unwrap();
        println!(
            "| {} | {:?} | {} | {} | {} | {} | {:.2} s, {:.2} s | {:.1} s | {:.1} s | {:.1} s | {:.0} MiB | {:.1} MiB | {:.1} MiB |",
            row.validators,
            row.block_time,
            stage("participations"),
            stage("confirmation_nonces"),
            stage("confirmation_shares"),
            stage("keys_set"),
            row.closings.get(row.closings.len() / 2).copied().unwrap_or(f64::NAN),
            row.closings.last().copied().unwrap_or(f64::NAN),
            cpu("processor"),
            cpu("coordinator"),
            cpu("base-chain"),
            peak,
            row.peers_mib,
            row.loopback_mib / f64::from(validators),
        );
    }
}
