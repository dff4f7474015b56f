//! One curve and one size, measured in a process of its own.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use dkg_evrf::{
    Closed, Collection, Parameters, Participation, Purpose, Ristretto, Secp256k1, Session, SigningCurve,
    Validator, ValidatorIndex, Verdict, Verified, Work, participate, recover, verify_encoded,
};
use embedded_curves::EmbeddedCurve;
use embedded_curves::registration::EmbeddedSecret;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};

use crate::unit::shortest;

/// A measurement.
pub(crate) struct Row {
    pub(crate) op: String,
    pub(crate) threads: usize,
    pub(crate) seconds: f64,
    /// Of a participation.
    pub(crate) bytes: usize,
    /// Of resident memory, while it ran.
    pub(crate) peak_bytes: u64,
}

impl Row {
    pub(crate) fn parse_all(json: &[u8]) -> Vec<Self> {
        let rows: Vec<Value> = serde_json::from_slice(json).unwrap();
        let parse = |row: &Value| Self {
            op: row["op"].as_str().unwrap().to_owned(),
            threads: usize::try_from(row["threads"].as_u64().unwrap()).unwrap(),
            seconds: row["seconds"].as_f64().unwrap(),
            bytes: usize::try_from(row["bytes"].as_u64().unwrap()).unwrap(),
            peak_bytes: row["peak_bytes"].as_u64().unwrap(),
        };
        rows.iter().map(parse).collect()
    }
}

/// Measures the case and prints its rows.
pub(crate) fn run(curve: &str, size: (u16, u16), threads: NonZeroUsize) {
    let rows = match curve {
        "ristretto" => measure::<Ristretto>(size, threads),
        "secp256k1" => measure::<Secp256k1>(size, threads),
        _ => panic!("there is no curve {curve}"),
    };
    println!("{}", serde_json::to_string(&rows).unwrap());
}

/// Runs something with the peak of memory counted anew.
fn with_peak(run: impl FnOnce() -> f64) -> (f64, u64) {
    // 5 resets the peak of resident memory to what is resident now.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let seconds = run();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok());
    (seconds, kib.unwrap_or(0) << 10)
}

struct Case<C: SigningCurve> {
    parameters: Arc<Parameters<C>>,
    secrets: Vec<EmbeddedSecret>,
    rows: Vec<Value>,
}

impl<C: SigningCurve> Case<C> {
    fn add(&mut self, op: &str, threads: NonZeroUsize, (seconds, peak_bytes): (f64, u64)) {
        self.rows.push(json!({
            "op": op, "threads": threads, "seconds": seconds, "peak_bytes": peak_bytes,
            "bytes": Participation::encoded_len(&self.parameters),
        }));
    }

    fn participate(&self, dealer: u16, threads: NonZeroUsize) -> Vec<u8> {
        let secret = &self.secrets[usize::from(dealer)];
        let rng = &mut ChaCha20Rng::seed_from_u64(u64::from(dealer));
        let work = Work::threads(threads);
        participate(&self.parameters, ValidatorIndex(dealer), secret, rng, work).unwrap().encode()
    }

    /// From bytes to verdicts.
    fn verify(&self, encoded: &[Vec<u8>], threads: NonZeroUsize) {
        let encoded = (0..).map(ValidatorIndex).zip(encoded).collect::<Vec<_>>();
        let rng = &mut ChaCha20Rng::seed_from_u64(99);
        let verdicts = verify_encoded(&self.parameters, &encoded, rng, Work::threads(threads)).unwrap();
        assert!(verdicts.iter().all(Verdict::is_valid));
    }
}

/// Makes parameters twice: the first time with generators, which a process derives once for each size.
fn set_up<C: SigningCurve>((n, t): (u16, u16)) -> Case<C> {
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let secrets = (0..n).map(|_| EmbeddedSecret::random(C::Embedded::ID, rng)).collect::<Vec<_>>();
    let validator = |(i, secret): (u16, &EmbeddedSecret)| {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&i.to_le_bytes());
        Validator { key, weight: 1, embedded_key: secret.key() }
    };
    let validators = (0u16..).zip(&secrets).map(validator).collect::<Vec<_>>();
    let session = Session { chain_genesis: [0; 32], network: b"bench".to_vec(), session: 0 };
    let parameters = || Parameters::<C>::new(&session, Purpose::Network, t, &validators).unwrap();
    let first = with_peak(|| shortest(1, || drop(parameters())));
    let again = with_peak(|| shortest(3, || drop(parameters())));
    let mut case = Case { parameters: Arc::new(parameters()), secrets, rows: Vec::new() };
    case.add("generators", NonZeroUsize::MIN, (first.0 - again.0, first.1));
    case.add("tables", NonZeroUsize::MIN, again);
    case
}

fn measure<C: SigningCurve>(size: (u16, u16), threads: NonZeroUsize) -> Vec<Value> {
    let one = NonZeroUsize::MIN;
    let mut case = set_up::<C>(size);
    let counts = if threads == one { vec![one] } else { vec![one, threads] };
    for threads in &counts {
        let run = || shortest(3, || drop(case.participate(0, *threads)));
        let measured = with_peak(run);
        case.add("prove", *threads, measured);
    }
    parts(&mut case, |case| drop(case.participate(0, one)), "prove");
    let encoded = participations(&case, size.0, threads);
    for threads in &counts {
        let measured = with_peak(|| shortest(5, || case.verify(&encoded[..1], *threads)));
        case.add("verify_one", *threads, measured);
        let measured = with_peak(|| shortest(3, || case.verify(&encoded, *threads)));
        case.add("verify_all", *threads, measured);
    }
    parts(&mut case, |case| case.verify(&encoded, one), "verify");
    case.add("last_to_keys", one, with_peak(|| last_to_keys(&case, &encoded)));
    case.rows
}

/// Seconds from the arrival of the last participation, all others having been verified as they came, to one's own threshold keys.
fn last_to_keys<C: SigningCurve>(case: &Case<C>, encoded: &[Vec<u8>]) -> f64 {
    let arrivals = (0..).map(ValidatorIndex).zip(encoded);
    let mut collection = Collection::new(Arc::clone(&case.parameters));
    let rng = &mut ChaCha20Rng::seed_from_u64(98);
    let mut start = Instant::now();
    for (dealer, bytes) in arrivals {
        collection.arrive(dealer, bytes);
        if collection.waiting() == encoded.len() - 1 {
            let batch = collection.next_batch(encoded.len()).unwrap();
            collection.record(batch.verify(rng, Work::default()).unwrap());
            start = Instant::now();
        }
    }
    let batch = collection.next_batch(1).unwrap();
    collection.record(batch.verify(rng, Work::default()).unwrap());
    let agreed = collection.verified().map(Verified::dealer).collect::<Vec<_>>();
    let closed = Closed::new(&case.parameters, &agreed, collection.verified().cloned()).unwrap();
    let keys = recover(&case.parameters, &closed, ValidatorIndex(0), &case.secrets[0]).unwrap();
    assert_eq!((agreed.len(), keys.len()), (encoded.len(), 1));
    start.elapsed().as_secs_f64()
}

/// The shortest times of each part in three runs on one thread; the memory is not theirs, and is not given.
fn parts<C: SigningCurve>(case: &mut Case<C>, run: impl Fn(&Case<C>), kind: &str) {
    let mut shortest = BTreeMap::new();
    for _ in 0..3 {
        drop(dkg_evrf::parts::take());
        run(case);
        for (part, seconds) in dkg_evrf::parts::take() {
            let known = shortest.entry(part).or_insert(f64::MAX);
            *known = f64::min(*known, seconds);
        }
    }
    for (part, seconds) in shortest.into_iter().filter(|(part, _)| part.starts_with(kind)) {
        case.add(part, NonZeroUsize::MIN, (seconds, 0));
    }
}

/// Those of all dealers, made on all threads.
fn participations<C: SigningCurve>(case: &Case<C>, n: u16, threads: NonZeroUsize) -> Vec<Vec<u8>> {
    let dealers = (0..n).collect::<Vec<_>>();
    let share = dealers.len().div_ceil(threads.get());
    std::thread::scope(|scope| {
        let make = |dealers: &[u16]| {
            dealers.iter().map(|dealer| case.participate(*dealer, NonZeroUsize::MIN)).collect::<Vec<_>>()
        };
        let spawn = |dealers| scope.spawn(move || make(dealers));
        let workers = dealers.chunks(share).map(spawn).collect::<Vec<_>>();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}
