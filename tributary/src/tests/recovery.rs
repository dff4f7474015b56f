//! A node that comes back with a store which may be old.

use super::network::{Faults, Network, SECOND};

fn calm(seed: u64) -> Network {
    let mut network = Network::new(seed, &[1, 1, 1, 1], 0, Faults::none());
    network.work(2, 2, SECOND);
    assert!(network.run(30 * SECOND, Network::is_complete));
    network
}

/// `TRIB-5`: over many moments of the loss, the wiped node never signs what it may have signed before.
#[test]
fn a_wiped_node_signs_nothing_it_may_have_signed_before_and_then_signs_again() {
    for seed in 0..20 {
        let mut network = calm(seed);
        network.run(network.now + seed * 7_000, |_| false);
        network.wipe(0);
        let wiped = network.height(1);
        let signs =
            |network: &Network| network.peers[0].node.as_ref().is_some_and(|node| !node.status().recovering);
        assert!(network.run(network.now + 30 * SECOND, signs), "seed {seed}");
        assert!(network.height(0) >= wiped, "seed {seed}");
        // It takes part: without it and one other there is no quorum.
        network.stop(3);
        let target = network.height(1) + 5;
        assert!(network.run(network.now + 30 * SECOND, |n| n.height(1) > target), "seed {seed}");
        assert!(network.violations.is_empty(), "seed {seed}: {:?}", network.violations);
    }
}

#[test]
fn a_node_of_an_old_store_waits_for_more_than_two_thirds_of_the_weight() {
    let mut network = calm(1);
    network.stop(3);
    network.wipe(0);
    network.run(network.now + 20 * SECOND, |_| false);
    assert!(network.peers[0].node.as_ref().unwrap().status().recovering);
    assert!(network.violations.is_empty(), "{:?}", network.violations);
}

/// A node that slept while the others went on fetches what it missed (defects 30 and 32 of older designs).
#[test]
fn a_node_that_slept_catches_up_although_answers_are_lost() {
    let faults = Faults { loss: 10, until: 1000 * SECOND, ..Faults::none() };
    let mut network = Network::new(9, &[1, 1, 1, 1], 0, faults);
    network.work(0, 0, SECOND);
    network.run(SECOND / 2, |_| false);
    network.stop(0);
    assert!(network.run(400 * SECOND, |n| n.height(1) > 100));
    let behind = network.height(0);
    network.resume(0);
    let target = network.height(1);
    assert!(behind + 50 < target);
    assert!(network.run(network.now + 60 * SECOND, |n| n.height(0) >= target));
    // It keeps up and signs: without it and one other there is no quorum.
    network.stop(3);
    let target = network.height(1) + 5;
    assert!(network.run(network.now + 60 * SECOND, |n| (n.height(1) > target) && (n.height(0) > target)));
    assert!(network.violations.is_empty(), "{:?}", network.violations);
}
