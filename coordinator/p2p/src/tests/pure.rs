//! The parts without a socket.

use std::time::Instant;

use super::*;
use crate::{dial::Dialer, identity, quota::Bucket};

/// P2P-3
#[test]
fn a_peer_id_is_the_validators_key_and_back() {
    let id = identity::peer_id(validator(3));
    assert_eq!(identity::validator(&id), Some(validator(3)));
    let libp2p_key = libp2p::identity::Keypair::generate_ed25519().public().to_peer_id();
    assert_eq!(identity::validator(&libp2p_key), None, "a libp2p key is nobody's");
}

/// P2P-12
#[test]
fn a_bucket_gives_its_capacity_at_once_and_its_rate_over_time() {
    let start = Instant::now();
    let mut bucket = Bucket::full(100, 10, start);
    assert!(bucket.take(100, start));
    assert!(!bucket.take(1, start));
    assert!(!bucket.take(6, start + Duration::from_millis(500)), "nothing is taken when refused");
    assert!(bucket.take(5, start + Duration::from_millis(500)));
    assert!(!bucket.take(101, start + Duration::from_hours(1)), "never more than the capacity");
    assert!(bucket.take(100, start + Duration::from_hours(1)));
    assert!(!bucket.take(1, start), "time that runs back gives nothing");
}

/// P2P-12: small steps lose nothing to rounding.
#[test]
fn a_bucket_asked_often_gives_its_rate_exactly() {
    let start = Instant::now();
    let mut bucket = Bucket::full(1_000, 7, start);
    assert!(bucket.take(1_000, start));
    let taken =
        (1..=10_000u32).filter(|ms| bucket.take(1, start + Duration::from_millis((*ms).into()))).count();
    assert!((69..=70).contains(&taken), "{taken}");
}

/// P2P-11: an answer that was larger than what was left delays the next question.
#[test]
fn a_bucket_in_debt_gives_nothing_until_the_debt_is_over() {
    let start = Instant::now();
    let mut bucket = Bucket::full(100, 10, start);
    bucket.spend(150, start);
    assert!(!bucket.take(1, start + Duration::from_millis(5_050)));
    assert!(bucket.take(1, start + Duration::from_millis(5_100)));
    bucket.spend(u64::MAX, start + Duration::from_secs(6));
    assert!(!bucket.take(1, start + Duration::from_hours(1_000)));
}

fn dialer_of_the_smaller_key() -> (Dialer, Validator) {
    let (small, great) = if validator(0) < validator(1) { (0, 1) } else { (1, 0) };
    let dialer = Dialer::new(validator(small), Duration::from_secs(1), Duration::from_secs(8));
    (dialer, validator(great))
}

/// P2P-13
#[test]
fn failed_dials_back_off_to_the_bound() {
    let (mut dialer, other) = dialer_of_the_smaller_key();
    let mut now = Instant::now();
    dialer.set(vec![(other, vec!["somewhere:1".into()])], now);
    let mut delays = Vec::new();
    for _ in 0..6 {
        assert_eq!(dialer.due(now).len(), 1);
        assert!(dialer.due(now).is_empty(), "one attempt at a time");
        dialer.failed(&other, now);
        let next = dialer.next().unwrap();
        delays.push((next - now).as_secs());
        now = next;
    }
    assert_eq!(delays, [1, 2, 4, 8, 8, 8]);
}

/// P2P-13
#[test]
fn a_connection_that_lived_resets_the_delay_and_one_that_flaps_does_not() {
    let (mut dialer, other) = dialer_of_the_smaller_key();
    let start = Instant::now();
    dialer.set(vec![(other, vec!["somewhere:1".into()])], start);
    let delay_after = |dialer: &mut Dialer, at: Instant, lived: Duration| {
        dialer.due(at);
        dialer.connected(&other, at);
        assert_eq!(dialer.next(), None);
        dialer.disconnected(&other, at + lived);
        dialer.next().unwrap() - (at + lived)
    };
    assert_eq!(delay_after(&mut dialer, start, Duration::ZERO).as_secs(), 1);
    let later = start + Duration::from_secs(5);
    assert_eq!(delay_after(&mut dialer, later, Duration::ZERO).as_secs(), 2);
    let later = start + Duration::from_secs(50);
    assert_eq!(delay_after(&mut dialer, later, Duration::from_mins(1)).as_secs(), 1);
}

/// P2P-13
#[test]
fn of_two_validators_the_smaller_key_dials_first() {
    let (small, great) = if validator(0) < validator(1) { (0, 1) } else { (1, 0) };
    let now = Instant::now();
    let next = |me, other| {
        let mut dialer = Dialer::new(validator(me), Duration::from_secs(1), Duration::from_secs(8));
        dialer.set(
            vec![(validator(other), vec!["somewhere:1".into()]), (validator(me), vec!["here:1".into()])],
            now,
        );
        assert!(
            dialer.due(now).iter().all(|(validator, _)| *validator == super::validator(other)),
            "never ourselves"
        );
        dialer.next()
    };
    assert_eq!(next(small, great), None, "it is dialing");
    assert_eq!(next(great, small), Some(now + Duration::from_secs(4)));
}

fn waiting(from: u64, text: &str, space: crate::inbox::Space) -> Inbound {
    Inbound::Gossip(Gossip { from: validator(from), bytes: text.as_bytes().to_vec(), _space: space })
}

/// P2P-15: whatever others fill, a member keeps room of its own.
#[tokio::test]
async fn flooding_members_leave_everybody_else_room_and_a_turn() {
    let (sender, mut inbox) = crate::inbox::inbox(64 << 20, &members(0..16));
    // Eight members take all they can get, in messages of 1 MiB.
    let mut taken = 0;
    for flooder in 0..8 {
        while let Some(space) = sender.reserve(&validator(flooder), 1 << 20, false) {
            sender.deliver(waiting(flooder, "flood", space));
            taken += 1;
        }
    }
    assert!((40..=64).contains(&taken), "{taken}");
    for calm in 8..16 {
        for _ in 0..1_000 {
            let space = sender.reserve(&validator(calm), 200, false).expect("a thousand votes have room");
            sender.deliver(waiting(calm, "vote", space));
        }
    }
    let first: Vec<_> = (0..16).map(|_| inbox.try_recv().unwrap().from()).collect();
    assert_eq!(first, (0..16).map(validator).collect::<Vec<_>>(), "one of each in turn");
    while inbox.try_recv().is_some() {}
    assert!(sender.reserve(&validator(0), 1 << 20, false).is_some(), "what is read leaves room");
    drop(sender);
    assert!(inbox.recv().await.is_none());
}

/// P2P-27: neither keeps the other out.
#[test]
fn bulk_is_read_after_others_and_every_eighth_time() {
    let (sender, inbox) = crate::inbox::inbox(64 << 20, &members(0..4));
    inbox.read_last(|bytes| bytes == b"bulk");
    let mut inbox = inbox;
    let put = |from, text: &str| {
        sender.deliver(waiting(from, text, sender.reserve(&validator(from), 200, false).unwrap()));
    };
    (0..100).for_each(|_| put(1, "bulk"));
    (0..20).for_each(|_| put(2, "vote"));
    let mut read = Vec::new();
    while let Some(Inbound::Gossip(gossip)) = inbox.try_recv() {
        read.push(gossip.bytes == b"bulk");
    }
    let expected: Vec<_> = (0..120).map(|index| (index >= 22) || (index % 8 == 7)).collect();
    assert_eq!(read, expected);
}

/// P2P-27: what waits in bulk leaves room for a vote.
#[test]
fn a_quarter_of_a_members_own_room_is_not_for_bulk() {
    let (sender, _inbox) = crate::inbox::inbox(64 << 20, &members(0..150));
    // Others hold what is for whoever comes.
    let mut held = Vec::new();
    for (flooder, bytes) in (0..8).flat_map(|flooder| [(flooder, 1 << 20), (flooder, 1)]) {
        while let Some(space) = sender.reserve(&validator(flooder), bytes, false) {
            held.push(space);
        }
    }
    let mut bulk = 0;
    while let Some(space) = sender.reserve(&validator(100), 317, true) {
        held.push(space);
        bulk += 1;
    }
    let mut votes = 0;
    while let Some(space) = sender.reserve(&validator(100), 317, false) {
        held.push(space);
        votes += 1;
    }
    assert!((100..=150).contains(&bulk) && (40..=50).contains(&votes), "{bulk}, {votes}");
}

/// P2P-15
#[test]
fn one_member_fills_at_most_a_quarter() {
    for count in [1, 2, 3, 100] {
        let (sender, _inbox) = crate::inbox::inbox(4 << 20, &members(0..count));
        let mut held = Vec::new();
        while let Some(space) = sender.reserve(&validator(0), 15 << 10, false) {
            held.push(space);
        }
        assert_eq!(held.len(), 64, "{count} members: 64 messages of 16 KiB are 1 MiB");
    }
}

/// P2P-8
#[test]
fn stamps_never_repeat_or_go_back() {
    let stamps = crate::envelope::Stamps::new();
    let many: Vec<_> = (0..1_000).map(|_| stamps.next()).collect();
    assert!(many.windows(2).all(|pair| pair[0] < pair[1]));
}
