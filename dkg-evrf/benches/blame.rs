//! What it costs to find faulty dealers, beside the verification of as many honest ones.
//!
//! `cargo bench -p dkg-evrf --features malicious --bench blame` verifies n = 50 participations, t = 34, with f = 0, 1, 5 and 16 faulty
//! ones among them, each by a malicious prover of another kind, and prints seconds and the ratio to f = 0. It checks that exactly the
//! faulty dealers are named. Arguments: `--threads N`.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::num::NonZeroUsize;
use std::time::Instant;

use dkg_evrf::malicious::{Fault, participate_faultily};
use dkg_evrf::{
    Parameters, Purpose, Ristretto, Secp256k1, Session, SigningCurve, Validator, ValidatorIndex, Verdict,
    Work, verify_encoded,
};
use embedded_curves::EmbeddedCurve;
use embedded_curves::registration::EmbeddedSecret;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const SIZE: (u16, u16) = (50, 34);
const FAULTY: [usize; 4] = [0, 1, 5, 16];

fn main() {
    let arguments = std::env::args().collect::<Vec<_>>();
    let threads = arguments.iter().position(|argument| argument == "--threads");
    let threads = threads.and_then(|at| arguments.get(at + 1)).map(|count| count.parse().unwrap());
    let threads = threads.unwrap_or(NonZeroUsize::MIN);
    println!("curve      (n, t)      faulty   threads    seconds    times honest");
    measure::<Ristretto>(threads);
    measure::<Secp256k1>(threads);
}

fn measure<C: SigningCurve>(threads: NonZeroUsize) {
    let (n, t) = SIZE;
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let secrets = (0..n).map(|_| EmbeddedSecret::random(C::Embedded::ID, rng)).collect::<Vec<_>>();
    let validator = |(i, secret): (u16, &EmbeddedSecret)| {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&i.to_le_bytes());
        Validator { key, weight: 1, embedded_key: secret.key() }
    };
    let validators = (0..).zip(&secrets).map(validator).collect::<Vec<_>>();
    let session = Session { chain_genesis: [0; 32], network: b"bench".to_vec(), session: 0 };
    let parameters = Parameters::<C>::new(&session, Purpose::Network, t, &validators).unwrap();
    let mut take_part = |dealer: u16, fault| {
        let secret = &secrets[usize::from(dealer)];
        participate_faultily(&parameters, ValidatorIndex(dealer), secret, fault, rng).unwrap().encode()
    };
    let honest = (0..n).map(|dealer| take_part(dealer, Fault::None)).collect::<Vec<_>>();
    // Spread over the set, so that hardly two are found together.
    let place = |i: usize| (i * 19 + 3) % usize::from(n);
    let faulty = Fault::WITH_ONE_SEAT.iter().enumerate();
    let faulty = faulty
        .map(|(i, fault)| (place(i), take_part(u16::try_from(place(i)).unwrap(), *fault)))
        .collect::<Vec<_>>();
    let mut of_honest = 0.0;
    for count in FAULTY {
        let mut all = honest.clone();
        faulty.iter().take(count).for_each(|(at, bytes)| all[*at].clone_from(bytes));
        let named = faulty.iter().take(count).map(|(at, _)| *at).collect::<Vec<_>>();
        let seconds = (0..3).map(|_| verified(&parameters, &all, &named, threads)).fold(f64::MAX, f64::min);
        if count == 0 {
            of_honest = seconds;
        }
        let (curve, ratio) = (C::NAME.to_string(), seconds / of_honest);
        println!("{curve:<10} ({n:>3},{t:>4})  {count:>6}  {threads:>7}  {seconds:>9.4}  {ratio:>14.2}");
    }
}

/// Seconds from bytes to verdicts, which are checked.
fn verified<C: SigningCurve>(
    parameters: &Parameters<C>,
    encoded: &[Vec<u8>],
    faulty: &[usize],
    threads: NonZeroUsize,
) -> f64 {
    let start = Instant::now();
    let encoded = (0..).map(ValidatorIndex).zip(encoded).collect::<Vec<_>>();
    let rng = &mut ChaCha20Rng::seed_from_u64(99);
    let verdicts = verify_encoded(parameters, &encoded, rng, Work::threads(threads)).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    for (dealer, verdict) in verdicts.iter().enumerate() {
        assert_eq!(Verdict::is_valid(verdict), !faulty.contains(&dealer), "dealer {dealer}");
    }
    seconds
}
