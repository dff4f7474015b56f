//! What a session costs, in seconds and in units of a fixed multi-scalar multiplication.
//!
//! `cargo bench -p dkg-evrf --bench targets` prints, for both curves, what it takes to prove, to verify one participation and to
//! verify all, and the size of one; and writes the same to `target/dkg-evrf-targets.json`. The unit U is the time of
//! curve25519-dalek's `vartime_multiscalar_mul` over 65,536 random points on one thread, measured in the same run. Arguments choose
//! sizes: `-- 50,34 150,101`; `--threads N` adds runs of *verify all* with N threads.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use dkg_evrf::{
    Parameters, Participation, Ristretto, Secp256k1, Session, SigningCurve, Validator, ValidatorIndex, Work,
    participate, verify,
};
use embedded_curves::EmbeddedCurve;
use embedded_curves::registration::EmbeddedSecret;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};

const UNIT_POINTS: usize = 1 << 16;
const SIZES: [(u16, u16); 3] = [(4, 3), (10, 7), (50, 34)];

fn main() {
    // Cargo passes `--bench`, which is no size.
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench").collect::<Vec<_>>();
    let threads = arguments.iter().position(|argument| argument == "--threads");
    let threads = threads.and_then(|at| arguments.get(at + 1)).map(|count| count.parse().unwrap());
    let sizes = arguments.iter().filter_map(|argument| size(argument)).collect::<Vec<_>>();
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };

    let unit = unit();
    println!("unit U = {:.4} s", unit.as_secs_f64());
    println!("curve      (n, t)      operation   threads    seconds        U      bytes");
    let mut report = Report { unit, rows: Vec::new() };
    for (n, t) in sizes {
        measure::<Ristretto>("ristretto", (n, t), threads, &mut report);
        measure::<Secp256k1>("secp256k1", (n, t), threads, &mut report);
    }
    let path = target_directory().join("dkg-evrf-targets.json");
    std::fs::write(&path, serde_json::to_string_pretty(&report.rows).unwrap() + "\n").unwrap();
    println!("written to {}", path.display());
}

fn size(argument: &str) -> Option<(u16, u16)> {
    let (n, t) = argument.split_once(',')?;
    Some((n.parse().ok()?, t.parse().ok()?))
}

/// `CARGO_TARGET_DIR`, or `target` of the workspace.
fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from)
}

fn unit() -> Duration {
    let rng = &mut ChaCha20Rng::seed_from_u64(0);
    let mut wide = || {
        let mut bytes = [0; 64];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    let points = (0..UNIT_POINTS).map(|_| RistrettoPoint::from_uniform_bytes(&wide())).collect::<Vec<_>>();
    let scalars = (0..UNIT_POINTS).map(|_| Scalar::from_bytes_mod_order_wide(&wide())).collect::<Vec<_>>();
    best(3, || {
        std::hint::black_box(RistrettoPoint::vartime_multiscalar_mul(&scalars, &points));
    })
}

/// The shortest of several runs.
fn best(runs: usize, mut run: impl FnMut()) -> Duration {
    let timed = (0..runs).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    timed.min().unwrap()
}

struct Report {
    unit: Duration,
    rows: Vec<Value>,
}

impl Report {
    fn add(
        &mut self,
        curve: &str,
        (n, t): (u16, u16),
        (op, threads): (&str, usize),
        time: Duration,
        bytes: usize,
    ) {
        let seconds = time.as_secs_f64();
        let units = seconds / self.unit.as_secs_f64();
        println!(
            "{curve:<10} ({n:>3},{t:>4})  {op:<12} {threads:>6}  {seconds:>9.4}  {units:>7.3}  {bytes:>9}"
        );
        let weights = vec![1; usize::from(n)];
        self.rows.push(json!({
          "curve": curve, "n": n, "t": t, "weights": weights, "op": op,
          "seconds": seconds, "units": units, "bytes": bytes, "threads": threads,
        }));
    }
}

fn measure<C: SigningCurve>(
    curve: &str,
    (n, t): (u16, u16),
    threads: Option<NonZeroUsize>,
    report: &mut Report,
) {
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let secrets = (0..n).map(|_| EmbeddedSecret::random(C::Embedded::ID, rng)).collect::<Vec<_>>();
    let validators = (0u16..)
        .zip(&secrets)
        .map(|(i, secret)| {
            let mut key = [0; 32];
            key[..2].copy_from_slice(&i.to_le_bytes());
            Validator { key, weight: 1, embedded_key: secret.key() }
        })
        .collect::<Vec<_>>();
    let session = Session { chain_genesis: [0; 32], network: b"bench".to_vec(), session: 0 };
    let parameters = Parameters::<C>::new(&session, t, &validators).unwrap();
    let bytes = Participation::encoded_len(&parameters);

    let mut participations = Vec::new();
    let mut prove = Duration::MAX;
    for (dealer, secret) in (0..).map(ValidatorIndex).zip(&secrets) {
        let start = Instant::now();
        let participation = participate(&parameters, dealer, secret, rng, Work::default()).unwrap();
        prove = prove.min(start.elapsed());
        participations.push((dealer, participation.encode()));
    }
    report.add(curve, (n, t), ("prove", 1), prove, bytes);

    let mut verify_encoded = |encoded: &[(ValidatorIndex, Vec<u8>)], threads: NonZeroUsize| {
        let decode =
            |(dealer, bytes): &(_, Vec<u8>)| (*dealer, Participation::decode(&parameters, bytes).unwrap());
        let decoded = encoded.iter().map(decode).collect::<Vec<_>>();
        let verdicts = verify(&parameters, &decoded, rng, Work::threads(threads)).unwrap();
        assert!(verdicts.iter().all(dkg_evrf::Verdict::is_valid));
    };
    let one = best(5, || verify_encoded(&participations[..1], NonZeroUsize::MIN));
    report.add(curve, (n, t), ("verify_one", 1), one, bytes);
    for threads in [Some(NonZeroUsize::MIN), threads].into_iter().flatten() {
        let all = best(2, || verify_encoded(&participations, threads));
        report.add(curve, (n, t), ("verify_all", threads.get()), all, bytes);
    }
}
