//! What a session costs, in seconds and in units of a fixed multi-scalar multiplication.
//!
//! `cargo bench -p dkg-evrf --bench targets` prints, for both embedded curves and for each size, what it takes to prove, to verify one
//! participation and to verify those of n different honest dealers, on one thread and on all, with the size of a participation, the
//! peak of memory, the time from the last participation's arrival to keys, and the times of the parts of proving and of verifying all; and writes the same to `target/dkg-evrf-targets.json`, the parts to
//! `target/dkg-evrf-parts.json`, and all as tables to `target/dkg-evrf-targets.md`. The unit U is the time of curve25519-dalek's
//! `vartime_multiscalar_mul` over 65,536 random points on one thread, measured before each case.
//!
//! Arguments: sizes and curves to measure, instead of all (`-- 50,34 150,101 secp256k1`), and `--threads N` instead of as many as the
//! machine has. Each case runs in a process of its own (`--case`), so that memory is what it takes.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod case;
mod tables;
mod unit;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

const SIZES: [(u16, u16); 5] = [(4, 3), (10, 7), (50, 34), (100, 67), (150, 101)];
/// The operations with targets; all else that is measured goes into a file of its own.
const TARGETS: [&str; 3] = ["prove", "verify_one", "verify_all"];
const CURVES: [&str; 2] = ["ristretto", "secp256k1"];

fn main() {
    // Cargo passes `--bench`, which is no size.
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench").collect::<Vec<_>>();
    if let [flag, curve, size, threads] = &*arguments
        && flag == "--case"
    {
        return case::run(curve, parse_size(size).unwrap(), threads.parse().unwrap());
    }
    let (sizes, curves, threads) = chosen(&arguments);
    println!(
        "curve      (n, t)      operation                 threads    seconds        U      bytes   peak MiB"
    );
    let mut rows = Vec::new();
    for size in sizes {
        for curve in &curves {
            let unit = unit::measure();
            for row in measure_in_a_process(curve, size, threads) {
                rows.push(report(curve, size, unit, &row));
            }
        }
    }
    let path = target_directory().join("dkg-evrf-targets.json");
    std::fs::write(path.with_extension("md"), tables::markdown(&rows)).unwrap();
    let (targets, parts): (Vec<Value>, Vec<Value>) =
        rows.into_iter().partition(|row| TARGETS.iter().any(|op| row["op"] == *op));
    let write = |path: &Path, rows: &[Value]| {
        std::fs::write(path, serde_json::to_string_pretty(rows).unwrap() + "\n").unwrap();
    };
    write(&path, &targets);
    write(&path.with_file_name("dkg-evrf-parts.json"), &parts);
    println!("written to {}; one-time costs, parts and tables beside it", path.display());
}

/// Sizes, curves and threads by the arguments.
fn chosen(arguments: &[String]) -> (Vec<(u16, u16)>, Vec<&'static str>, NonZeroUsize) {
    let threads = arguments.iter().position(|argument| argument == "--threads");
    let threads = threads.and_then(|at| arguments.get(at + 1)).map(|count| count.parse().unwrap());
    let all = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let sizes = arguments.iter().filter_map(|argument| parse_size(argument)).collect::<Vec<_>>();
    let named = |curve: &&str| arguments.iter().any(|argument| argument == curve);
    let curves = CURVES.into_iter().filter(named).collect::<Vec<_>>();
    (
        if sizes.is_empty() { SIZES.to_vec() } else { sizes },
        if curves.is_empty() { CURVES.to_vec() } else { curves },
        threads.unwrap_or_else(all),
    )
}

fn parse_size(argument: &str) -> Option<(u16, u16)> {
    let (n, t) = argument.split_once(',')?;
    Some((n.parse().ok()?, t.parse().ok()?))
}

/// `CARGO_TARGET_DIR`, or `target` of the workspace.
fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from)
}

/// The rows of one case, which a process of its own prints as a line of JSON.
fn measure_in_a_process(curve: &str, (n, t): (u16, u16), threads: NonZeroUsize) -> Vec<case::Row> {
    let arguments = ["--case".to_owned(), curve.to_owned(), format!("{n},{t}"), threads.to_string()];
    let output = Command::new(std::env::current_exe().unwrap()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    case::Row::parse_all(&output.stdout)
}

fn report(curve: &str, (n, t): (u16, u16), unit: f64, row: &case::Row) -> Value {
    let case::Row { op, threads, seconds, bytes, peak_bytes } = row;
    let units = seconds / unit;
    let mebibytes = peak_bytes.div_ceil(1 << 20);
    println!(
        "{curve:<10} ({n:>3},{t:>4})  {op:<26} {threads:>6}  {seconds:>9.4}  {units:>7.3}  {bytes:>9}  {mebibytes:>9}"
    );
    json!({
        "curve": curve, "n": n, "t": t, "weights": vec![1; usize::from(n)], "op": op, "threads": threads,
        "seconds": seconds, "units": units, "unit_seconds": unit, "bytes": bytes, "peak_bytes": peak_bytes,
    })
}
