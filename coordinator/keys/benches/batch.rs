//! Signatures verified alone and together: `cargo bench -p coordinator-keys`.
//!
//! Both in turns in one run, so that what else the machine does falls on both.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)]

use std::time::{Duration, Instant};

use coordinator_keys::{Claim, SecretKey, verify_batch};

const RUNS: u32 = 20;

fn main() {
    let keys: Vec<_> = (1..=4u8)
        .map(|n| {
            let mut bytes = [0; 32];
            bytes[0] = n;
            SecretKey::from_bytes(&bytes).unwrap()
        })
        .collect();
    let publics: Vec<_> = keys.iter().map(SecretKey::public).collect();
    for count in [1usize, 2, 3, 4, 8, 16, 64, 256, 512] {
        let claim = |n: usize| {
            let message = [&n.to_le_bytes()[..], &[7; 100]].concat();
            let signature = keys[n % 4].sign("bench", &message);
            Claim { key: &publics[n % 4], domain: "bench", message, signature }
        };
        let claims: Vec<_> = (0..count).map(claim).collect();
        let (mut alone, mut together) = (Duration::MAX, Duration::MAX);
        for _ in 0..RUNS {
            let begin = Instant::now();
            assert!(claims.iter().all(Claim::verify));
            alone = alone.min(begin.elapsed());
            let begin = Instant::now();
            assert!(verify_batch(&claims).into_iter().all(|valid| valid));
            together = together.min(begin.elapsed());
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        println!(
            "{count:>4} signatures: {:>5.1} µs each alone, {:>5.1} µs together: {:.2} times as fast",
            each(alone),
            each(together),
            each(alone) / each(together)
        );
    }
}
