//! From the last participation to the key pair: what a set waits for when everything before was verified on arrival.
//!
//! ```sh
//! cargo bench -p simulated-processor --bench close            # n = 50, t = 34
//! cargo bench -p simulated-processor --bench close -- 16 11   # n = 16, t = 11
//! ```

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use std::time::Instant;

use coordinator_base_chain::NetworkCurve;
use processor_messages::{
    ChainGenesis, KeyShares, Network, Session, Validator,
    key_gen::{Member, ParticipationBytes},
};
use rand_core::OsRng;
use simulated_processor::{
    dkg::{Context, Evrf, KeyGeneration},
    secrets::EmbeddedSecrets,
};

/// How many participations arrive together, as in one block.
const BATCH: usize = 8;

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    println!("{what:<44} {:>8.3} s", start.elapsed().as_secs_f64());
    done
}

fn main() {
    let mut sizes = std::env::args().filter_map(|argument| argument.parse::<u16>().ok());
    let (n, threshold) = (sizes.next().unwrap_or(50), sizes.next().unwrap_or(34));
    let secrets: Vec<_> = (0..n).map(|_| EmbeddedSecrets::random(&mut OsRng)).collect();
    let member = |(number, secrets): (u16, &EmbeddedSecrets)| {
        let mut validator = Validator([0; 32]);
        validator.0[..2].copy_from_slice(&number.to_le_bytes());
        Member { validator, shares: KeyShares(1), embedded: secrets.public(NetworkCurve::Secp256k1) }
    };
    let context = Context {
        chain: ChainGenesis([7; 32]),
        network: Network::new("bitcoin").unwrap(),
        curve: NetworkCurve::Secp256k1,
        session: Session(0),
        threshold,
        members: (0..n).zip(&secrets).map(member).collect(),
    };
    println!("n = {n}, t = {threshold}, both curves, one thread");
    let evrf = Evrf::default();
    timed("parameters and tables of the set", || evrf.check(&context)).unwrap();
    let participation =
        |own: u16| (own, evrf.participate(&context, own, &secrets[usize::from(own)]).unwrap());
    let first = timed("one participation made", || participation(0));
    let all: Vec<(u16, ParticipationBytes)> =
        std::iter::once(first).chain((1..n).map(participation)).collect();
    println!("one participation has {} bytes", all[0].1.len());

    let (last, before) = all.split_last().unwrap();
    timed("all but the last verified, as they arrive", || {
        for batch in before.chunks(BATCH) {
            assert!(evrf.verify(&context, batch).unwrap().iter().all(|valid| *valid));
        }
    });
    let keys = timed("from the last participation to the key pair", || {
        assert_eq!(evrf.verify(&context, std::slice::from_ref(last)), Ok(vec![true]));
        let keys = evrf.recover(&context, 0, &secrets[0], &all).unwrap();
        keys.check().unwrap();
        keys
    });
    assert_eq!(keys.base.len(), 1);
    let fresh = Evrf::default();
    fresh.check(&context).unwrap();
    timed("the same with nothing verified before", || fresh.recover(&context, 0, &secrets[0], &all)).unwrap();
}
