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
//! from the times in its log. Bytes between coordinators are what the first one's status says.
//!
//! Processor time and memory are what the system says of each process. Processor time counts from the last look at
//! which no node had the declaration, or from the first at which the process says that it runs, if that is later (opening
//! key files is memory-hard), to the look at which the keys are on the base chain: all that the processes do between,
//! answering the observer included. Cryptography is of it what the processors say in their logs that their
//! participations, verifications and recoveries took of their threads' processor time; what a processor had not completed
//! by then is not in it. All else is coordination. It prints two tables for BENCHMARKS.md.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a bench")]

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use orchestration::{
    layout::Service,
    observe::Observer,
    plan::Plan,
    processor_log::{Cryptography, closing},
    summary::Stage,
    testnet::Testnet,
};

/// The system counts processor time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;
/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// When a run is given up.
const PATIENCE: Duration = Duration::from_mins(15);
/// The stages of a coordinator that are told, in their order.
const STAGES: [&str; 4] = ["generating", "confirmation_nonces", "confirmation_shares", "publishing"];

/// What the processes of one role used together.
#[derive(Clone, Copy, Default)]
struct Usage {
    seconds: f64,
    largest_mib: f64,
}

type UsageByRole = BTreeMap<&'static str, Usage>;

/// What does not count of each process, by the system's number of it, in seconds of processor time.
type Before = BTreeMap<u32, f64>;

struct Row {
    validators: usize,
    block_time: Duration,
    stages: BTreeMap<&'static str, f64>,
    /// Of each processor, from the last participation to the key pair, in order.
    closings: Vec<Duration>,
    /// Of all processors.
    cryptography: Cryptography,
    /// Processor time is since the declaration.
    usage: UsageByRole,
    /// Of the first coordinator, to and from the others' coordinators.
    peers_mib: f64,
    loopback_mib: f64,
}

fn main() {
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![4, 7, 16] } else { asked };
    let rows: Vec<Row> = sizes.into_iter().map(measure).collect();
    print_stages(&rows);
    println!();
    print_processor_time(&rows);
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
    let (stages, before) = runtime.block_on(observe(&mut testnet, &mut observer));
    let loopback_mib = (loopback_bytes() - bytes) / f64::from(1 << 20);
    // Before the usage, which is to hold what they tell.
    let logs = processors_logs(&testnet);
    let usage = usage(&testnet, &before);
    let peers_mib = runtime.block_on(observer.raw_status(0)).map_or(f64::NAN, |status| peers_mib(&status));
    testnet.stop();
    let mut closings: Vec<Duration> = logs.iter().filter_map(|log| closing(log)).collect();
    closings.sort_unstable();
    Row {
        validators,
        block_time,
        stages,
        closings,
        cryptography: cryptography(&logs),
        usage,
        peers_mib,
        loopback_mib,
    }
}

/// Until the keys are on the base chain: the stages in seconds, and what was used before the declaration.
async fn observe(testnet: &mut Testnet, observer: &mut Observer) -> (BTreeMap<&'static str, f64>, Before) {
    let begin = Instant::now();
    let mut stages = BTreeMap::new();
    let mut before = Before::new();
    loop {
        assert!(begin.elapsed() < PATIENCE, "no keys within {PATIENCE:?}");
        let ended = testnet.take_ended();
        assert!(ended.is_empty(), "processes ended unasked: {ended:#?}");
        let used: Before = testnet.running().into_iter().map(|(_, id)| (id, processor_seconds(id))).collect();
        let running: Vec<u32> =
            used.keys().copied().filter(|id| !before.contains_key(id) && runs(*id)).collect();
        let now = testnet.running_for();
        observer.poll_first(now).await;
        for line in observer.take_lines() {
            eprintln!("{:>6.1} s  {line}", now.as_secs_f64());
        }
        let reached = |stage| observer.networks.values().next()?.reached.get(&stage).copied();
        if let Some(declared) = reached(Stage::Declared) {
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
                return (stages, before);
            }
        } else {
            // Taken before a look at which no node had the declaration.
            before.retain(|id, _| used.contains_key(id));
            for (id, seconds) in &mut before {
                *seconds = used.get(id).copied().unwrap_or(*seconds);
            }
        }
        before.extend(running.into_iter().filter_map(|id| used.get(&id).map(|seconds| (id, *seconds))));
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn processors_logs(testnet: &Testnet) -> Vec<String> {
    let network = *testnet.manifest.networks.first().unwrap();
    let log = |validator| testnet.layout.log(validator, Service::Processor(network));
    (0..testnet.manifest.validators.len())
        .map(|validator| fs::read_to_string(log(validator)).unwrap())
        .collect()
}

/// Of all processors. Keys on the base chain are confirmed by the processors of t at least, whose logs tell of a recovery.
fn cryptography(logs: &[String]) -> Cryptography {
    let each: Vec<_> = logs.iter().map(|log| Cryptography::of_log(log)).collect();
    let recovered = each.iter().filter(|cryptography| !cryptography.recover.is_zero()).count();
    assert!(recovered > logs.len() * 2 / 3, "{recovered} logs of {} tell of a recovery", logs.len());
    each.into_iter().sum()
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

fn usage(testnet: &Testnet, before: &Before) -> UsageByRole {
    let mut by_role = UsageByRole::new();
    for (role, id) in testnet.running() {
        let usage = by_role.entry(role).or_default();
        // The simulated network's process has no log of this form: all of it counts.
        usage.seconds += processor_seconds(id) - before.get(&id).copied().unwrap_or_default();
        usage.largest_mib = usage.largest_mib.max(peak_mib(id));
    }
    by_role
}

/// Whether a service's log says that it has started: beside its configuration, which its command line names.
fn runs(id: u32) -> bool {
    let command = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let config = command.split('\0').find(|word| word.ends_with("config.toml"));
    let log = config.and_then(|config| fs::read_to_string(PathBuf::from(config).with_file_name("log")).ok());
    let says = ["runs", "processor started"];
    log.is_some_and(|log| says.iter().any(|word| log.contains(word)))
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

fn print_stages(rows: &[Row]) {
    println!(
        "| Validators | Block time | Participations of t | Confirmation nonces | Confirmation shares | Keys on chain | \
         Last participation to key pair, median and slowest processor | Peak of one coordinator | To and from other coordinators, each | Loopback, each validator |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let stage = |name| row.stages.get(name).map_or("-".to_owned(), |at| format!("{at:.1} s"));
        let closing = |closing: Option<&Duration>| closing.map_or(f64::NAN, Duration::as_secs_f64);
        let peak = row.usage.get("coordinator").map_or(0.0, |usage| usage.largest_mib);
        let validators = u32::try_from(row.validators).unwrap();
        println!(
            "| {} | {:?} | {} | {} | {} | {} | {:.2} s, {:.2} s | {:.0} MiB | {:.1} MiB | {:.1} MiB |",
            row.validators,
            row.block_time,
            stage("participations"),
            stage("confirmation_nonces"),
            stage("confirmation_shares"),
            stage("keys_set"),
            closing(row.closings.get(row.closings.len() / 2)),
            closing(row.closings.last()),
            peak,
            row.peers_mib,
            row.loopback_mib / f64::from(validators),
        );
    }
}

fn print_processor_time(rows: &[Row]) {
    println!(
        "| Validators | CPU, all | of processors | of coordinators | of base-chain nodes | Cryptography | participating | verifying | \
         recovering | Cryptography of all | for each second of coordination |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let cpu = |role| row.usage.get(role).map_or(0.0, |usage| usage.seconds);
        let all: f64 = row.usage.values().map(|usage| usage.seconds).sum();
        let Cryptography { participate, verify, recover } = row.cryptography;
        let cryptography = row.cryptography.total().as_secs_f64();
        println!(
            "| {} | {all:.2} s | {:.2} s | {:.2} s | {:.2} s | {cryptography:.2} s | {:.2} s | {:.2} s | {:.2} s | {:.0} % | {:.2} s |",
            row.validators,
            cpu("processor"),
            cpu("coordinator"),
            cpu("base-chain"),
            participate.as_secs_f64(),
            verify.as_secs_f64(),
            recover.as_secs_f64(),
            100.0 * cryptography / all,
            cryptography / (all - cryptography),
        );
    }
}
