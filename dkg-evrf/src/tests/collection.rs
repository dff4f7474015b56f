//! Participations as they arrive (EVRF-14).

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Set, rng};
use crate::malicious::{Fault, participate_faultily};
use crate::{
    Arrival, Closed, Collection, Ristretto, Secp256k1, SigningCurve, Status, ValidatorIndex, Verified,
    VerifyError, Work, verify_encoded,
};

const FAULTY: [u16; 2] = [1, 4];

/// Six validators, two of them faulty, and what they send.
fn sent<C: SigningCurve>() -> (Set<C>, Vec<Vec<u8>>) {
    let set = Set::<C>::new(&[1; 6], 3);
    let send = |dealer: u16| {
        let (index, secret) = (ValidatorIndex(dealer), &set.secrets[usize::from(dealer)]);
        let fault =
            if FAULTY.contains(&dealer) { Fault::WITH_ONE_SEAT[usize::from(dealer)] } else { Fault::None };
        participate_faultily(&set.parameters, index, secret, fault, &mut rng(2)).unwrap().encode()
    };
    let sent = (0..6).map(send).collect();
    (set, sent)
}

fn collection<C: SigningCurve>(set: Set<C>) -> Collection<C> {
    Collection::new(Arc::new(set.parameters))
}

fn dealers<C: SigningCurve>(collection: &Collection<C>) -> Vec<u16> {
    collection.verified().map(|verified| verified.dealer().0).collect()
}

fn in_any_batches<C: SigningCurve>() {
    let (set, sent) = sent::<C>();
    let mut collection = collection(set);
    let work_off = |arrivals: &[u16], most: usize, collection: &mut Collection<C>| {
        for dealer in arrivals {
            let arrival = collection.arrive(ValidatorIndex(*dealer), &sent[usize::from(*dealer)]);
            assert_eq!(arrival, Arrival::First);
            assert_eq!(collection.arrive(ValidatorIndex(*dealer), b"later"), Arrival::Repeated);
        }
        let mut batches = Vec::new();
        while let Some(batch) = collection.next_batch(most) {
            assert!(batch.dealers().count() <= most);
            batches.push(batch);
        }
        assert_eq!((collection.waiting(), collection.in_batches()), (0, arrivals.len()));
        for batch in batches.iter().rev() {
            collection.record(batch.verify(&mut rng(3), Work::default()).unwrap());
        }
        assert_eq!(collection.in_batches(), 0);
    };
    work_off(&[5, 1, 0], 2, &mut collection);
    assert_eq!(dealers(&collection), [0, 5]);
    assert_eq!((collection.valid_weight(), collection.possible_weight()), (2, 5));
    work_off(&[4, 2], 9, &mut collection);
    assert_eq!(dealers(&collection), [0, 2, 5]);
    assert_eq!(collection.invalid().map(|dealer| dealer.0).collect::<Vec<_>>(), FAULTY);
    assert_eq!((collection.valid_weight(), collection.possible_weight()), (3, 4));
    assert!(matches!(collection.status(ValidatorIndex(3)), Some(Status::Missing)));
    assert!(collection.status(ValidatorIndex(6)).is_none());
    let agreed = collection.verified().map(Verified::dealer).collect::<Vec<_>>();
    let closed = Closed::new(collection.parameters(), &agreed, collection.verified().cloned());
    assert_eq!(closed.unwrap().dealers().len(), 3);
}

/// EVRF-14.
#[test]
fn evrf_14_participations_are_decided_alike_in_whatever_batches() {
    in_any_batches::<Ristretto>();
    in_any_batches::<Secp256k1>();
}

/// EVRF-14.
#[test]
fn evrf_14_what_is_no_participation_is_not_kept() {
    let (set, sent) = sent::<Ristretto>();
    let mut collection = collection(set);
    assert_eq!(collection.arrive(ValidatorIndex(6), &sent[0]), Arrival::NoSuchValidator);
    assert_eq!(collection.arrive(ValidatorIndex(0), &sent[0][1..]), Arrival::Malformed);
    assert_eq!(collection.arrive(ValidatorIndex(0), &sent[0]), Arrival::Repeated);
    // Of the right length, but not decodable: invalid when it is verified.
    assert_eq!(collection.arrive(ValidatorIndex(2), &vec![0xff; sent[2].len()]), Arrival::First);
    let batch = collection.next_batch(1).unwrap();
    collection.record(batch.verify(&mut rng(1), Work::default()).unwrap());
    assert_eq!(collection.invalid().map(|dealer| dealer.0).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(collection.possible_weight(), 4);
    assert!(collection.next_batch(1).is_none());
}

/// EVRF-14.
#[test]
fn evrf_14_a_cancelled_batch_is_put_back_undecided() {
    let (set, sent) = sent::<Secp256k1>();
    let mut collection = collection(set);
    for (dealer, bytes) in (0..).map(ValidatorIndex).zip(&sent) {
        collection.arrive(dealer, bytes);
    }
    let batch = collection.next_batch(6).unwrap();
    let cancelled = batch.verify(&mut rng(1), Work::default().on_progress(&mut |_| ControlFlow::Break(())));
    assert_eq!(cancelled.err(), Some(VerifyError::Cancelled));
    collection.put_back(batch);
    assert_eq!((collection.waiting(), collection.in_batches()), (6, 0));
    let batch = collection.next_batch(6).unwrap();
    collection.record(batch.verify(&mut rng(1), Work::default()).unwrap());
    // A batch that comes back late changes nothing.
    collection.put_back(batch);
    assert_eq!((collection.waiting(), collection.valid_weight()), (0, 4));
}

/// EVRF-14: verdicts are for their own session only.
#[test]
fn evrf_14_a_batch_of_another_session_is_ignored() {
    let (set, sent) = sent::<Ristretto>();
    let mut here = collection(set);
    let mut there = collection(Set::<Ristretto>::in_session(&super::session(1), &[1; 6], 3));
    here.arrive(ValidatorIndex(0), &sent[0]);
    there.arrive(ValidatorIndex(0), &sent[0]);
    let (batch_here, batch_there) = (here.next_batch(1).unwrap(), there.next_batch(1).unwrap());
    here.record(batch_there.verify(&mut rng(1), Work::default()).unwrap());
    here.put_back(batch_there);
    assert_eq!((here.waiting(), here.in_batches()), (0, 1));
    there.record(batch_here.verify(&mut rng(1), Work::default()).unwrap());
    // Its batch is gone, undecided.
    assert_eq!((there.waiting(), there.in_batches()), (1, 0));
    assert_eq!((there.valid_weight(), there.possible_weight()), (0, 6));
}

/// EVRF-14: two collections of one session, of which each got another first participation of the same dealer.
#[test]
fn evrf_14_a_verdict_never_lands_on_other_bytes() {
    let (set, sent) = sent::<Ristretto>();
    let mut twin = collection(Set::<Ristretto>::new(&[1; 6], 3));
    let mut here = collection(set);
    assert_eq!(here.parameters().context(), twin.parameters().context());
    let mut other = sent[0].clone();
    *other.last_mut().unwrap() ^= 1;
    here.arrive(ValidatorIndex(0), &sent[0]);
    here.arrive(ValidatorIndex(2), &sent[2]);
    twin.arrive(ValidatorIndex(0), &other);
    twin.arrive(ValidatorIndex(2), &sent[2]);
    let (batch_here, batch_twin) = (here.next_batch(2).unwrap(), twin.next_batch(2).unwrap());
    let [of_here, of_twin] =
        [&batch_here, &batch_twin].map(|batch| batch.verify(&mut rng(1), Work::default()).unwrap());
    here.put_back(batch_twin);
    assert_eq!((here.waiting(), here.in_batches()), (1, 1), "the same bytes only");
    let again = here.next_batch(1).unwrap();
    here.record(of_twin);
    twin.record(of_here);
    // Of validator 2 both have the same bytes, whose verdict is anybody's.
    assert_eq!((dealers(&here), here.invalid().count(), here.in_batches()), (vec![2], 0, 1));
    assert_eq!((dealers(&twin), twin.invalid().count()), (vec![2], 0));
    here.record(batch_here.verify(&mut rng(1), Work::default()).unwrap());
    here.record(again.verify(&mut rng(1), Work::default()).unwrap());
    assert_eq!(dealers(&here), [0, 2]);
}

/// EVRF-14: its thread died, or its verdicts were never recorded.
#[test]
fn evrf_14_what_was_in_a_batch_that_is_lost_waits_again() {
    let (set, sent) = sent::<Ristretto>();
    let mut collection = collection(set);
    for dealer in [0, 1, 2] {
        collection.arrive(ValidatorIndex(dealer), &sent[usize::from(dealer)]);
    }
    let died = collection.next_batch(2).unwrap();
    let thread = std::thread::spawn(move || {
        assert_eq!(died.dealers().count(), 0, "so it panics");
    });
    assert!(thread.join().is_err());
    assert_eq!((collection.waiting(), collection.in_batches()), (3, 0));
    assert!(matches!(collection.status(ValidatorIndex(0)), Some(Status::InBatch(given)) if given.is_lost()));

    let batch = collection.next_batch(3).unwrap();
    let decided = batch.verify(&mut rng(1), Work::default()).unwrap();
    drop(batch);
    assert_eq!((collection.waiting(), collection.in_batches()), (0, 3), "its verdicts may still come");
    drop(decided);
    assert_eq!((collection.waiting(), collection.possible_weight()), (3, 6), "nothing was decided");
    let batch = collection.next_batch(3).unwrap();
    collection.record(batch.verify(&mut rng(1), Work::default()).unwrap());
    assert_eq!(dealers(&collection), [0, 2]);
    drop(batch);
    assert_eq!((collection.waiting(), collection.in_batches()), (0, 0));
}

/// EVRF-10: from bytes, on any number of threads.
#[test]
fn evrf_10_what_does_not_decode_is_invalid_and_harms_nobody() {
    let (set, mut sent) = sent::<Ristretto>();
    sent[0].truncate(100);
    sent[2].fill(0xff);
    let all = (0..).map(ValidatorIndex).zip(&sent).collect::<Vec<_>>();
    for threads in 1..4 {
        let work = Work::threads(std::num::NonZeroUsize::new(threads).unwrap());
        let verdicts = verify_encoded(&set.parameters, &all, &mut rng(1), work).unwrap();
        let valid = verdicts.iter().map(crate::Verdict::is_valid).collect::<Vec<_>>();
        assert_eq!(valid, [false, false, false, true, false, true]);
    }
}
