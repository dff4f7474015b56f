//! A writing process is killed 200 times; what it reported durable is there afterwards.
//!
//! The page cache survives a kill, so this shows that opening works after any moment of a real process, with the
//! real table store. That fsyncs are where they must be is shown by the crash tests beside the log.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use coordinator_store::{Store, StoreError};
use coordinator_store_disk::{Config, DiskStore};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

const DIRECTORY: &str = "STORE_KILL_TEST_DIRECTORY";
const KILLS: usize = 200;

/// So small that the child hands over and checkpoints all the time.
const CONFIG: Config = Config {
    max_pending_bytes: 64 << 10,
    max_batch_bytes: 16 << 10,
    handover_bytes: 24 << 10,
    segment_bytes: 16 << 10,
    max_log_bytes: 64 << 10,
};

fn key(step: u64) -> Vec<u8> {
    [b"step", &step.to_be_bytes()[..]].concat()
}

fn value(step: u64) -> Vec<u8> {
    let length = if step.is_multiple_of(10) { 1_500 } else { 100 };
    vec![u8::try_from(step % 251).unwrap(); length]
}

/// Steps keep the last `KEPT` keys; the step's number is under `last`.
const KEPT: u64 = 50;

/// Checks that the state is that after some number of steps, and returns it.
fn check(store: &DiskStore) -> u64 {
    let found = last(store);
    let kept = 1.max((found + 1).saturating_sub(KEPT))..=found;
    let expected: Vec<_> = kept.map(|step| (key(step), value(step))).collect();
    let pairs = store.read(|db| db.scan(b"step", &[], usize::MAX)).unwrap();
    assert!(pairs == expected, "the state is not that after {found} steps");
    found
}

fn last(store: &DiskStore) -> u64 {
    let bytes = store.read(|db| db.get(b"last")).unwrap();
    bytes.map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()))
}

/// The child: reports what it finds, writes steps, several at once, and reports each that is durable, until
/// it is killed.
fn write_for_ever(directory: &Path) -> ! {
    let store = DiskStore::open_with(directory, CONFIG).unwrap();
    let mut out = std::io::stdout().lock();
    writeln!(out, "found {}", check(&store)).unwrap();
    for first in (last(&store) + 1..).step_by(3) {
        let commits: Vec<_> = (first..first + 3).map(|step| (step, submit(&store, step))).collect();
        for (step, commit) in commits {
            commit.wait().unwrap();
            writeln!(out, "durable {step}").unwrap();
        }
    }
    unreachable!("the steps do not end")
}

fn submit(store: &DiskStore, step: u64) -> coordinator_store::Commit {
    let written = store.write(|txn| {
        txn.put(key(step), value(step));
        txn.put(b"last".to_vec(), step.to_be_bytes().to_vec());
        if let Some(gone) = step.checked_sub(KEPT) {
            txn.delete(&key(gone));
        }
        Ok::<_, StoreError>(())
    });
    written.unwrap().1
}

fn spawn(directory: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["what_a_killed_process_reported_durable_is_there", "--exact", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Lets the child report `lines` durable steps and kills it a random moment later; returns what it found and
/// the last step it reported.
fn kill_after(lines: usize, spins: u32, directory: &Path) -> (u64, u64) {
    let (mut child, mut out) = spawn(directory);
    let (mut found, mut reported) = (None, None);
    let (mut seen, mut killed) = (0, false);
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        // The test harness prints lines of its own. A killed process may leave half a line.
        let whole = line.strip_suffix('\n').unwrap_or_default();
        if let Some((_, step)) = whole.split_once("found ") {
            found = Some(step.parse().unwrap());
        }
        if let Some((_, step)) = whole.split_once("durable ") {
            reported = Some(step.parse().unwrap());
            seen += 1;
        }
        if !killed && found.is_some() && seen >= lines {
            (0..spins).for_each(|_| std::hint::spin_loop());
            child.kill().unwrap();
            killed = true;
        }
        line.clear();
    }
    assert!(killed, "the child ended by itself: {}", child.wait().unwrap());
    child.wait().unwrap();
    let found = found.unwrap();
    (found, reported.unwrap_or(found))
}

#[test]
fn what_a_killed_process_reported_durable_is_there() {
    // STORE-1, STORE-2.
    if let Some(directory) = env::var_os(DIRECTORY) {
        write_for_ever(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut former = 0;
    for kill in 0..KILLS {
        let lines = usize::try_from(rng.next_u32() % 30).unwrap();
        let (found, reported) = kill_after(lines, rng.next_u32() % 2_000_000, directory.path());
        assert!(found >= former, "kill {kill}: {former} was reported durable, {found} is there");
        former = reported;
    }
    let store = DiskStore::open_with(directory.path(), CONFIG).unwrap();
    assert!(check(&store) >= former && former > u64::try_from(KILLS).unwrap(), "the children wrote");
}
