//! Ended sets: archived, pruned, remembered by one row.

use coordinator_base_chain::Event as ChainEvent;
use coordinator_store::Store;
use processor_messages::{Genesis, Slash, Validator};
use proptest::prelude::*;

use super::cluster::{Cluster, Manner::*, Node, set, status};
use crate::{
    batch, processor,
    session::{
        self, Life, SetRecord,
        archive::{self, Archive, ArchiveError, Entry, Position, Writer},
        report,
        retire::{self, Archived, Due},
        transaction::Signed,
    },
};

/// Says that a tributary is not opened again.
const MARK: &str = "tributary/retired";

/// The archive of a node's ended set, as the service writes it.
fn archive_of(node: &Node, record: &SetRecord) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let mut position = Position::default();
    while position != Position::Done {
        let (entries, next) = node.store.read(|db| archive::page(db, record, position)).unwrap();
        for entry in &entries {
            writer.entry(entry).unwrap();
        }
        position = next;
    }
    let (bytes, length, _) = writer.finish().unwrap();
    assert_eq!(bytes.len() as u64, length);
    bytes
}

fn due(node: &Node) -> Vec<Due> {
    node.store.read(|db| retire::next(db)).unwrap()
}

fn record(node: &Node) -> SetRecord {
    node.store.read(|db| session::get(db, set())).unwrap().unwrap()
}

/// A cluster whose set is retired with its report.
fn retired() -> Cluster {
    let mut manners = [Honest; 7];
    manners[0] = WithholdsShares;
    let mut cluster = Cluster::new(&[1; 7], &manners);
    cluster.run_to_batches(120);
    cluster.inject(3, &Signed::Blame { validator: Validator([9; 32]) });
    cluster.hand_over();
    cluster.run_until(80, |c| record(&c.nodes[1]).life == Life::Retired);
    cluster
}

fn archived(node: &mut Node) -> Vec<u8> {
    let record = record(node);
    let bytes = archive_of(node, &record);
    let file = Archived { file: "bitcoin-0.archive".to_owned(), bytes: bytes.len() as u64, hash: [1; 32] };
    node.step(|step| retire::archived(step, &record, file)).unwrap();
    bytes
}

fn prune(node: &mut Node) {
    while !node.step(|step| retire::prune(step, set())).unwrap() {}
}

/// The keys in a store which hold a tributary's id, and all keys.
fn keys(node: &Node, genesis: Genesis) -> (Vec<String>, usize) {
    let all = node.store.read(|db| db.scan(&[], &[], usize::MAX)).unwrap();
    let of = |key: &&Vec<u8>| key.windows(32).any(|part| part == genesis.0);
    let keys: Vec<_> = all.iter().map(|(key, _)| key).collect();
    let name = |key: &Vec<u8>| String::from_utf8_lossy(key.split(|b| *b == 0).next().unwrap()).into_owned();
    (keys.iter().copied().filter(of).map(name).collect(), keys.len())
}

#[test]
fn an_archive_holds_what_an_auditor_needs_and_verifies_alone() {
    // SIGN-22.
    let mut cluster = retired();
    let report = cluster.reported.clone().unwrap();
    let applied = status(&cluster.nodes[2]);
    let archive = Archive::read(archived(&mut cluster.nodes[2]).as_slice()).unwrap();
    archive.verify().unwrap();
    assert_eq!(archive.spec, cluster.spec());
    let mut participations = 0;
    for entry in &archive.entries {
        match entry {
            Entry::Set { .. } => {}
            Entry::Participations { participations: some, .. } => participations += some.len(),
            Entry::Keys { ours, chain, confirmation } => {
                assert!(ours.is_some() && (ours == chain));
                assert_eq!(confirmation.as_ref(), cluster.set_keys.as_ref());
            }
            Entry::Slashes { validator, record } => {
                let slash = if record.fatal.is_some() { Slash::Fatal } else { Slash::Points(record.points) };
                assert!(report.contains(&(*validator, slash)));
            }
            Entry::Report { agreed, signed, applied } => {
                assert_eq!(agreed.as_ref().unwrap().fixed.as_ref().unwrap().1, report);
                assert_eq!(signed.as_ref().unwrap().report, report);
                assert_eq!(applied.as_ref(), Some(&report));
            }
            Entry::End { life, ended, applied: block, state_hash, halted } => {
                assert_eq!((*life, ended.reported, halted), (Life::Retired, true, &None));
                assert_eq!(
                    (*block, hex::encode(state_hash)),
                    (applied.applied_block, applied.state_hash.clone())
                );
            }
        }
    }
    assert_eq!(participations, 7);
    assert_eq!(report.len(), 2);
}

#[test]
fn an_archive_is_the_same_whenever_it_is_written() {
    // SIGN-22: a crash between the file and the row which says so changes nothing.
    let mut cluster = retired();
    let node = &mut cluster.nodes[1];
    let record = record(node);
    assert_eq!(due(node), [Due::Archive(Box::new(record.clone()))]);
    let first = archive_of(node, &record);
    assert_eq!(due(node), [Due::Archive(Box::new(record))], "nothing says that it is on disk");
    assert_eq!(archived(node), first);
}

#[test]
fn a_forged_confirmation_or_report_in_an_archive_is_found() {
    // SIGN-22: with its hash made right again.
    let mut cluster = retired();
    let bytes = archived(&mut cluster.nodes[1]);
    let archive = Archive::read(bytes.as_slice()).unwrap();
    let forge = |change: &dyn Fn(&mut Entry)| {
        let mut archive = archive.clone();
        for entry in &mut archive.entries {
            change(entry);
        }
        archive.verify()
    };
    forge(&|_| {}).unwrap();
    let flipped = [
        forge(&|entry| {
            if let Entry::Keys { confirmation: Some(keys), .. } = entry {
                keys.signature[40] ^= 1;
            }
        }),
        forge(&|entry| {
            if let Entry::Keys { confirmation: Some(keys), .. } = entry {
                keys.signers.0 =
                    processor_messages::List::new(vec![true, true, true, true, false, false, false]).unwrap();
            }
        }),
        forge(&|entry| {
            if let Entry::Report { signed: Some(call), .. } = entry {
                call.report = processor_messages::SlashReport::default();
            }
        }),
    ];
    assert!(flipped.iter().all(|verified| matches!(verified, Err(ArchiveError::Contradiction(_)))));
    let mut other = archive.clone();
    other.spec.genesis = Genesis([3; 32]);
    assert!(other.verify().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_byte_of_an_archive_changes_unseen_and_no_bytes_panic(
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        cut in any::<prop::sample::Index>(),
        garbage in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        // SIGN-22.
        let mut writer = Writer::new(Vec::new()).unwrap();
        let spec = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]).spec();
        writer.entry(&Entry::Set { spec, declared_unix_ms: 7 }).unwrap();
        let (life, ended) = (Life::Dropped, retire::Ended::default());
        let applied = processor_messages::TributaryBlock(0);
        writer.entry(&Entry::End { life, ended, applied, state_hash: [0; 32], halted: None }).unwrap();
        let (bytes, _, _) = writer.finish().unwrap();
        prop_assert!(Archive::read(bytes.as_slice()).is_ok());
        let mut flipped = bytes.clone();
        let at = at.index(flipped.len());
        flipped[at] ^= 1 << bit;
        prop_assert!(Archive::read(flipped.as_slice()).is_err());
        prop_assert!(Archive::read(&bytes[..cut.index(bytes.len())]).is_err());
        let mut longer = bytes;
        longer.extend(&garbage);
        prop_assert_eq!(Archive::read(longer.as_slice()).is_ok(), garbage.is_empty());
        prop_assert!(Archive::read([b"headwater archive v1\n".as_slice(), &garbage].concat().as_slice()).is_err());
        prop_assert!(Archive::read(garbage.as_slice()).is_err());
    }
}

#[test]
fn ref_38_nothing_of_a_retired_set_is_left_but_one_row() {
    // SIGN-22: nor of a set which was dropped.
    let mut cluster = retired();
    let genesis = cluster.spec().genesis;
    for index in 0..4 {
        let node = &mut cluster.nodes[index];
        assert!(!keys(node, genesis).0.is_empty());
        archived(node);
        assert_eq!(due(node), [Due::Prune(set())]);
        prune(node);
        assert_eq!(keys(node, genesis).0, [MARK]);
        assert!(due(node).is_empty());
        let tombstone = node.store.read(|db| retire::tombstone(db, set())).unwrap().unwrap();
        assert!(tombstone.pruned && tombstone.ended.reported && (tombstone.genesis == genesis));
        assert!(processor_messages::encode(&tombstone).len() <= 512);
        assert!(node.store.read(|db| session::get(db, set())).unwrap().is_none());
        assert!(node.step(|step| retire::prune(step, set())).unwrap(), "once more does nothing");
    }
    let mut dropped = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    (0..5).for_each(|_| dropped.turn());
    dropped.push_base(vec![ChainEvent::SetDropped { set: set() }]);
    let genesis = dropped.spec().genesis;
    let node = &mut dropped.nodes[0];
    Archive::read(archived(node).as_slice()).unwrap().verify().unwrap();
    prune(node);
    assert_eq!(keys(node, genesis).0, [MARK]);
}

#[test]
fn what_remains_of_each_retired_set_is_bounded() {
    // SIGN-22: a handful of keys, however many blocks and batches there were.
    let left = |batches| {
        let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
        cluster.batches = batches;
        cluster.run_to_batches(120);
        (0..3).for_each(|_| cluster.turn());
        cluster.hand_over();
        cluster.run_until(80, |c| record(&c.nodes[0]).life == Life::Retired);
        let genesis = cluster.spec().genesis;
        let node = &mut cluster.nodes[0];
        archived(node);
        prune(node);
        // The feed is the network's history, one row for each block with something for it.
        let all = node.store.read(|db| db.scan(&[], &[], usize::MAX)).unwrap();
        let names = |(key, _): &(Vec<u8>, Vec<u8>)| {
            String::from_utf8_lossy(key.split(|b| *b == 0).next().unwrap()).into_owned()
        };
        assert_eq!(keys(node, genesis).0, [MARK]);
        all.iter().map(names).filter(|name| !name.starts_with("feed/")).collect::<Vec<_>>()
    };
    assert_eq!(left(1), left(6));
}

#[test]
fn pruning_goes_on_after_a_crash_in_bounded_steps() {
    // SIGN-22: the record of the set goes last, so each step is found again in the store.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.run_to_batches(60);
    let genesis = cluster.spec().genesis;
    while cluster.log.len() < 3 * retire::MAX_ROWS {
        let own = u32::try_from(cluster.log.len()).unwrap();
        cluster.turn();
        // More rows of one table than a step deletes.
        let derived = session::transaction::Provided::BatchExecuted { id: processor_messages::BatchId(own) };
        for node in &mut cluster.nodes {
            node.step(|step| Ok(session::own::provide(step, genesis, &derived)?)).unwrap();
        }
    }
    cluster.hand_over();
    cluster.run_until(40, |c| record(&c.nodes[0]).life == Life::Retired);
    let node = &mut cluster.nodes[0];
    archived(node);
    let mut steps = 0;
    loop {
        let (_, before) = keys(node, genesis);
        // As after a crash: nothing but the store says where it was.
        assert_eq!(due(node), [Due::Prune(set())]);
        let done = node.step(|step| retire::prune(step, set())).unwrap();
        steps += 1;
        let (_, after) = keys(node, genesis);
        assert!(before - after <= 24 * retire::MAX_ROWS);
        if done {
            break;
        }
    }
    assert!(steps >= 3, "{steps} steps");
    assert_eq!(keys(node, genesis).0, [MARK]);
}

#[test]
fn ref_22_an_ended_set_is_neither_opened_nor_heard_nor_fed_again() {
    let mut cluster = retired();
    let genesis = cluster.spec().genesis;
    let node = &mut cluster.nodes[1];
    let block = session::transaction::OrderedBlock::default();
    assert_eq!(node.step(|step| session::apply(step, set(), &block)).unwrap(), session::Applied::Ended);
    archived(node);
    prune(node);
    assert_eq!(node.step(|step| session::apply(step, set(), &block)).unwrap(), session::Applied::Ended);
    let participation = processor_messages::Bytes::new(vec![1]).unwrap();
    let (session, attempt) = (set().session, processor_messages::Attempt(0));
    let id = processor_messages::sign::SigningId::SlashReport;
    let id = processor_messages::sign::SignId { session, id, attempt };
    let preprocesses = processor_messages::List::default();
    for message in [
        processor_messages::FromProcessor::KeyGen(
            processor_messages::key_gen::FromProcessor::Participation { session, participation },
        ),
        processor_messages::FromProcessor::Sign(processor_messages::sign::FromProcessor::Preprocesses {
            id,
            preprocesses,
        }),
        processor_messages::FromProcessor::Coordinator(super::cluster::signed_report(
            session,
            processor_messages::SlashReport::default(),
        )),
    ] {
        node.hear(message);
    }
    let network = set().network;
    node.step(|step| batch::move_on(step, network)).unwrap();
    assert!(!node.store.read(|db| processor::owes(db, network)).unwrap());
    assert_eq!(keys(node, genesis).0, [MARK]);
    assert!(node.store.read(|db| report::reporting(db, genesis)).unwrap().is_none());
}
