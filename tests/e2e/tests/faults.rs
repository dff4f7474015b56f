//! Testnets whose processes are silent, killed, or lose their disks.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use e2e::{
    Net,
    stores::{SlotId, decided_slots, open_coordinator, processor_keys},
};
use orchestration::{cli::Until, layout::Service};
use processor_messages::Genesis;

const NODE: &str = env!("CARGO_BIN_EXE_e2e-node");
const EQUAL: [u16; 4] = [1, 1, 1, 1];

/// Whether a moment has come.
type Moment<'a> = &'a dyn Fn(&Net) -> bool;

#[test]
fn one_silent_validator_of_four_stops_neither_keys_nor_batches() {
    let mut net = Net::up_without(NODE, &EQUAL, 1, &[3]);
    net.until("the first batch", |net| net.observer.has_reached(Until::FirstBatch));
    let network = net.networks()[0];
    let silent = net.testnet.manifest.validators[3].validator;
    let progress = &net.observer.networks[&network];
    assert!(!progress.participations.contains_key(&silent));
    assert_eq!(progress.participations.len(), 3);
}

/// Five moments of the key generation, as the killed validator's own coordinator shows them.
#[test]
fn a_validator_killed_at_five_moments_completes_and_never_fills_a_slot_twice() {
    const KILLED: usize = 1;
    let mut net = Net::up(NODE, &EQUAL, 1);
    let network = net.networks()[0];
    let author = net.testnet.manifest.validators[KILLED].validator;
    let reached = |net: &Net, stages: &[&str]| {
        net.set(KILLED, network).is_some_and(|set| stages.contains(&set.stage.as_str())) || net.have_keys()
    };
    let late = ["confirmation_nonces", "confirmation_shares", "publishing", "keys_set"];
    let moments: [(&str, Moment<'_>); 5] = [
        ("its coordinator answers", &|net| net.status(KILLED).is_some()),
        ("its set is open", &|net| net.set(KILLED, network).is_some()),
        ("a participation is ordered", &|net| {
            net.set(KILLED, network).is_some_and(|set| !set.participations.is_empty())
        }),
        ("participations are complete", &|net| reached(net, &[&["generating"], &late[..]].concat())),
        ("the confirmation is under way", &|net| reached(net, &late)),
    ];
    let mut published: BTreeMap<SlotId, Vec<u8>> = BTreeMap::new();
    for (what, moment) in moments {
        net.until(what, moment);
        let genesis = net.genesis(network);
        net.kill_validator(KILLED);
        if let Some(genesis) = genesis {
            published.extend(decided_slots(&net.testnet.layout, KILLED, genesis, author));
        }
        net.start_validator(KILLED);
    }
    net.until("the first batch", |net| net.observer.has_reached(Until::FirstBatch));
    let genesis: Genesis = net.genesis(network).unwrap();
    net.testnet.stop();
    for holder in 0..net.validators() {
        let slots = decided_slots(&net.testnet.layout, holder, genesis, author);
        for (slot, payload) in &published {
            assert_eq!(slots.get(slot), Some(payload), "slot {slot:?} at validator {holder}");
        }
        let store = open_coordinator(&net.testnet.layout, holder);
        let equivocated = coordinator_store::Store::read(&store, |db| {
            tributary::chain::has_equivocated(db, genesis, author).unwrap()
        });
        assert!(!equivocated, "validator {holder} has evidence against the killed one");
    }
}

#[test]
fn a_wiped_processor_recovers_its_shares_and_signs_again() {
    let mut net = Net::up(NODE, &EQUAL, 1);
    net.until("the first batch", |net| net.observer.has_reached(Until::FirstBatch));
    let network = net.networks()[0];
    let service = Service::Processor(network);
    net.testnet.kill(0, service).unwrap();
    let (pair, before) = processor_keys(&net.testnet.layout, 0, network).unwrap();
    std::fs::remove_dir_all(net.testnet.layout.service(0, service).join("data")).unwrap();
    net.testnet.start(0, service).unwrap();
    // Without another validator's processor every signature needs the wiped one.
    net.testnet.kill(3, service).unwrap();
    net.until_more_batches(2);
    net.testnet.stop();
    let (recovered_pair, after) = processor_keys(&net.testnet.layout, 0, network).unwrap();
    assert_eq!(recovered_pair, pair);
    for (before, after) in before.base.iter().zip(&after.base) {
        assert_eq!(before.params(), after.params());
        assert!(*before.original_secret_share() == *after.original_secret_share());
    }
}

/// Any one process of each kind.
#[test]
fn a_killed_process_that_is_started_again_rejoins_and_the_next_batch_is_executed() {
    let mut net = Net::up(NODE, &EQUAL, 1);
    net.until("keys", Net::have_keys);
    let network = net.networks()[0];
    let kinds = [Service::BaseChain, Service::Coordinator, Service::Processor(network)];
    for (validator, service) in kinds.into_iter().enumerate() {
        net.testnet.kill(validator, service).unwrap();
        net.testnet.start(validator, service).unwrap();
        net.until_more_batches(1);
        // Without another validator, batches need the one that was killed.
        let other = 3;
        net.testnet.kill(other, service).unwrap();
        net.until_more_batches(2);
        net.testnet.start(other, service).unwrap();
        net.until_more_batches(1);
    }
}
