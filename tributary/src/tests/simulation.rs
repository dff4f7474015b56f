//! Seeded runs of whole networks: `TRIB-26`, `TRIB-3`, `TRIB-4`, and fetching (`TRIB-25`) under loss.

use super::network::{Faults, MS, Network, SECOND};
use crate::Transaction;

fn assert_safe(network: &Network, seed: u64) {
    assert!(network.violations.is_empty(), "seed {seed}: {:?}", network.violations);
    for peer in &network.peers {
        assert!(!peer.honest || peer.halted.is_none(), "seed {seed}: {:?}", peer.halted);
    }
    for peer in network.honest().collect::<Vec<_>>() {
        network.assert_rules(peer);
    }
}

fn start(seed: u64, weights: &[u16], twins: usize, garbage: Option<usize>, faults: Faults) -> Network {
    let mut network = Network::new(seed, weights, twins, faults);
    network.work(4, 6, 3 * SECOND);
    if let Some(peer) = garbage {
        network.make_garbage(peer);
    }
    network
}

/// Runs until everything is ordered everywhere, at most a minute after the faults ended.
fn run(seed: u64, weights: &[u16], twins: usize, garbage: Option<usize>, faults: Faults) -> Network {
    let mut network = start(seed, weights, twins, garbage, faults);
    network.run(faults.until, |_| false);
    let complete = network.run(faults.until + 60 * SECOND, Network::is_complete);
    assert_safe(&network, seed);
    let heights: Vec<_> = (0..network.peers.len()).map(|peer| network.height(peer)).collect();
    assert!(complete, "seed {seed}: not everything is ordered after healing; heights {heights:?}");
    network
}

/// `count` seeds; the variable `TRIBUTARY_SEEDS` multiplies them for a longer search.
fn seeds(first: u64, count: u64) -> impl Iterator<Item = u64> {
    let times = std::env::var("TRIBUTARY_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1u64);
    (0..times).flat_map(move |time| (first..first + count).map(move |seed| seed + (time * 10_000)))
}

fn rough() -> Faults {
    Faults { loss: 10, delay: 50 * MS, crash: 10, forget_log: false, partition: true, until: 8 * SECOND }
}

#[test]
fn validators_of_any_weights_order_everything() {
    for (seed, weights) in
        [&[1][..], &[1, 1], &[1, 1, 1, 1], &[3, 3, 2, 2], &[10, 1, 1, 1, 5, 9]].iter().enumerate()
    {
        let network = run(seed as u64, weights, 0, None, Faults::none());
        assert!(network.height(0) > 3);
    }
}

/// `TRIB-9`: with something to order, heights follow one another at the interval and what their messages take, evenly.
#[test]
fn heights_of_an_undisturbed_chain_come_at_the_interval() {
    let mut network = Network::new(3, &[1, 1, 1, 1], 0, Faults::none());
    network.work(0, 0, SECOND);
    let mut heights = Vec::new();
    for second in (5..=30).step_by(5) {
        network.run(second * SECOND, |_| false);
        heights.push(network.height(0));
    }
    let interval = u64::try_from(super::network::config().interval.as_micros()).unwrap();
    let most = (5 * SECOND) / interval;
    for five_seconds in heights.windows(2).map(|two| two[1] - two[0]) {
        assert!((most / 2..=most).contains(&five_seconds), "{heights:?}");
    }
    assert!(network.violations.is_empty(), "{:?}", network.violations);
}

#[test]
fn crashes_loss_and_partitions_break_no_rule_and_progress_follows_healing() {
    let (mut crashes, mut heights) = (0, 0);
    for seed in seeds(0, 100) {
        let network = run(seed, &[1, 1, 1, 1], 0, None, rough());
        crashes += network.crashes;
        heights += network.height(0);
    }
    assert!((crashes > 700) && (heights > 400), "{crashes} crashes, {heights} heights");
}

#[test]
fn weighted_validators_survive_the_same() {
    for seed in seeds(100, 20) {
        run(seed, &[3, 3, 2, 2], 0, None, rough());
    }
}

#[test]
fn an_equivocator_splits_nobody_and_is_proven() {
    let mut proven = 0;
    for seed in seeds(200, 20) {
        let network = run(seed, &[1, 1, 1, 1], 1, None, Faults { crash: 3, ..rough() });
        let evidence = |t: &Transaction| matches!(t, Transaction::Evidence(e) if e.validator == network.peers[0].validator);
        proven += usize::from(network.chain(2).iter().any(evidence));
        assert!(network.chain(2).iter().filter(|t| matches!(t, Transaction::Evidence(_))).count() <= 1);
    }
    assert!(proven > 10, "{proven}");
}

#[test]
fn a_sender_of_garbage_harms_nobody() {
    for seed in seeds(300, 10) {
        run(seed, &[1, 1, 1, 1], 0, Some(3), Faults { crash: 3, ..rough() });
    }
}

/// The oracle of the runs above is worth something: without the log, validators sign twice.
#[test]
fn without_the_log_validators_sign_twice() {
    let faults = Faults { forget_log: true, crash: 30, ..rough() };
    let found = (0..20).any(|seed| {
        let mut network = start(seed, &[1, 1, 1, 1], 0, None, faults);
        network.run(faults.until, |network| !network.violations.is_empty());
        network.violations.iter().any(|violation| violation.starts_with("signed twice"))
    });
    assert!(found);
}

/// `TRIB-29`: with three of ten messages lost, heights still follow each other, as lost bodies are asked for.
#[test]
fn heights_go_on_while_three_of_ten_messages_are_lost() {
    let faults = Faults { loss: 30, delay: 20 * MS, until: 30 * SECOND, ..Faults::none() };
    let mut heights = 0;
    for seed in seeds(500, 6) {
        let mut network = start(seed, &[1, 1, 1, 1], 0, None, faults);
        network.run(faults.until, |_| false);
        assert_safe(&network, seed);
        heights += network.height(0);
    }
    // 48 without asking for bodies and saying proposals again.
    assert!(heights > 80, "{heights} heights");
}
