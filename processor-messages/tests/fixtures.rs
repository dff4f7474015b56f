//! Frozen encodings: one fixture for each variant of each message (`MSG-4`).
//!
//! A fixture changes only in a commit of its own: set `UPDATE_FIXTURES=1` to write the new bytes.

#![allow(clippy::unwrap_used, reason = "a test's helper")]

mod common;

use std::{collections::BTreeSet, fmt::Debug, fs, path::PathBuf};

use borsh::{BorshDeserialize, BorshSerialize};
use common::{from_processor, to_processor};
use processor_messages::{Incarnation, Intent, Memory, codec::MAX_MESSAGE_BYTES, decode, encode};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn check<T: BorshSerialize + BorshDeserialize + PartialEq + Debug>(name: &str, message: &T) {
    let path = directory().join(format!("{name}.hex"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(&path, hex::encode(encode(message)) + "\n").unwrap();
    }
    let frozen = hex::decode(fs::read_to_string(&path).unwrap().trim()).unwrap();
    assert_eq!(hex::encode(encode(message)), hex::encode(&frozen), "{name} encodes differently");
    assert_eq!(&decode::<T>(&frozen, MAX_MESSAGE_BYTES).unwrap(), message, "{name} decodes differently");
}

#[test]
fn every_variant_has_its_frozen_encoding() {
    for (name, message) in to_processor() {
        check(name, &message);
    }
    for (name, message) in from_processor() {
        check(name, &message);
    }
}

#[test]
fn no_fixture_is_without_its_variant() {
    let names: BTreeSet<String> = to_processor()
        .into_iter()
        .map(|m| m.0)
        .chain(from_processor().into_iter().map(|m| m.0))
        .map(|name| format!("{name}.hex"))
        .collect();
    let files: BTreeSet<String> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, names);
}

/// Each outer variant holds each inner one: 11 messages to a processor, 14 from one.
#[test]
fn the_fixtures_cover_every_pair_of_tags() {
    let tags = |encoded: Vec<Vec<u8>>| -> BTreeSet<(u8, u8)> {
        encoded.iter().map(|bytes| (bytes[0], bytes[1])).collect()
    };
    let to = tags(to_processor().iter().map(|m| encode(&m.1)).collect());
    let from = tags(from_processor().iter().map(|m| encode(&m.1)).collect());
    let expected = |counts: [u8; 4]| -> BTreeSet<(u8, u8)> {
        (0..).zip(counts).flat_map(|(outer, count)| (0..count).map(move |inner| (outer, inner))).collect()
    };
    assert_eq!(to, expected([2, 3, 2, 4]));
    assert_eq!(from, expected([5, 3, 3, 3]));
}

/// `MSG-5`: intents are bounded and, over all variants, directions and networks, unique.
#[test]
fn intents_are_bounded_and_unique_across_variants_directions_and_networks() {
    let mut seen = BTreeSet::new();
    for network in ["bitcoin", "sixteen-letters-", "m"] {
        let network = network.parse().unwrap();
        let all: Vec<Intent> = to_processor()
            .iter()
            .map(|m| m.1.intent(network))
            .chain(from_processor().iter().map(|m| m.1.intent(network)))
            .collect();
        for intent in all {
            assert!(intent.as_bytes().len() <= Intent::MAX_BYTES);
            assert!(seen.insert(intent.clone()), "{intent:?} appears twice");
        }
    }
    assert_eq!(seen.len(), 3 * (11 + 14));
}

/// `MSG-5`: sent again for another life of the disk, a message has another purpose.
#[test]
fn each_life_of_a_disk_has_its_own_intents() {
    let network = "sixteen-letters-".parse().unwrap();
    let mut seen = BTreeSet::new();
    for (_, message) in to_processor() {
        assert_eq!(message.intent_in(network, Incarnation(0)), message.intent(network));
        for incarnation in [0, 1, u64::MAX] {
            let intent = message.intent_in(network, Incarnation(incarnation));
            assert!(intent.as_bytes().len() <= Intent::MAX_BYTES);
            assert!(seen.insert(intent));
        }
    }
    assert_eq!(seen.len(), 3 * 11);
}

/// `MSG-7`: of what can be said any number of times in a session the memory ends with it, or is one number.
#[test]
fn what_is_remembered_for_ever_is_said_a_few_times_only() {
    let network = "bitcoin".parse().unwrap();
    let kept = |memory: &Memory| *memory == Memory::Always;
    let to: Vec<Memory> = to_processor().iter().map(|m| m.1.intent(network).memory()).collect();
    let from: Vec<Memory> = from_processor().iter().map(|m| m.1.intent(network).memory()).collect();
    // Keys set, slashes reported, from the beginning; and the question after a disk was lost.
    assert_eq!((to.iter().filter(|m| kept(m)).count(), from.iter().filter(|m| kept(m)).count()), (3, 1));
    let block = |memory: &&Memory| matches!(memory, Memory::Block(Incarnation(0), _));
    assert_eq!((to.iter().filter(block).count(), from.iter().filter(block).count()), (1, 1));
    let session = |memory: &&Memory| matches!(memory, Memory::Session(_));
    assert_eq!((to.iter().filter(session).count(), from.iter().filter(session).count()), (7, 11));
    assert_eq!(from.iter().filter(|memory| **memory == Memory::Nothing).count(), 1, "the batch");
    for (_, message) in to_processor() {
        let again = message.intent_in(network, Incarnation(5)).memory();
        match message.intent(network).memory() {
            Memory::Block(_, number) => assert_eq!(again, Memory::Block(Incarnation(5), number)),
            other => assert_eq!(again, other),
        }
    }
}
