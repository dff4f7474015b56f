//! Durable commits per second with 1 and with 64 concurrent writers, and how long a store takes to open.
//!
//! `cargo bench -p coordinator-store-disk --bench commits [-- DIRECTORY]`: on the disk of that directory.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss)]

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use coordinator_store::{Store, StoreError};
use coordinator_store_disk::DiskStore;

const RUN: Duration = Duration::from_secs(3);

fn main() {
    // Cargo adds arguments of its own, which begin with a dash.
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let directory = directory.map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap();
    let path = directory.path();
    opening(&path.join("open"));
    for (writers, value) in [(1, 200), (64, 200), (64, 4_096), (4, 1 << 20)] {
        commits(&path.join(format!("{writers}-{value}")), writers, value);
    }
}

fn opening(path: &Path) {
    for what in ["an empty directory", "an empty store"] {
        let start = Instant::now();
        let store = DiskStore::open(path).unwrap();
        let opened = start.elapsed();
        let start = Instant::now();
        store.close().unwrap();
        println!("open {what}: {opened:.1?}, close: {:.1?}", start.elapsed());
    }
}

/// Each writer awaits each commit before its next step.
fn commits(path: &Path, writers: u8, value: usize) {
    let store = DiskStore::open(path).unwrap();
    let count = AtomicU64::new(0);
    let start = Instant::now();
    let slowest = thread::scope(|scope| {
        let (store, count) = (&store, &count);
        let threads: Vec<_> = (0..writers)
            .map(|writer| scope.spawn(move || write(store, count, start, writer, value)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
    });
    let elapsed = start.elapsed();
    let per_second = count.into_inner() as f64 / elapsed.as_secs_f64();
    let begin = Instant::now();
    store.close().unwrap();
    let close = begin.elapsed();
    let begin = Instant::now();
    DiskStore::open(path).unwrap();
    println!(
        "{writers} writers, {value} byte values: {per_second:.0} durable commits/s, slowest {slowest:.1?}, \
         close {close:.1?}, reopen {:.1?}",
        begin.elapsed()
    );
}

/// One writer; returns its slowest commit.
fn write(store: &DiskStore, count: &AtomicU64, start: Instant, writer: u8, value: usize) -> Duration {
    let mut slowest = Duration::ZERO;
    for step in 0_u64.. {
        let begin = Instant::now();
        if start.elapsed() >= RUN {
            break;
        }
        let key = [&[writer][..], &step.to_be_bytes()].concat();
        let value = vec![writer; value];
        let written = store.write(|txn| {
            txn.put(key, value);
            txn.put(vec![writer], step.to_be_bytes().to_vec());
            Ok::<_, StoreError>(())
        });
        written.unwrap().1.wait().unwrap();
        count.fetch_add(1, Ordering::Relaxed);
        slowest = slowest.max(begin.elapsed());
    }
    slowest
}
