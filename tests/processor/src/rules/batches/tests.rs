use coordinator_store::Store;
use processor_messages::{
    Batch, KeyPair, List, ToProcessor,
    base_chain::ExecutedBatch,
    coordinator,
    sign::{self, SigningId},
};

use super::*;
use processor_messages::Incarnation;

use crate::{
    external_network::{ExternalNetwork, Pace},
    tests::cluster::{
        self, CHAIN, Cluster, KEYS_AT_SECS, PACE, SESSION, batch_id, external, from_the_beginning,
        preprocesses_in, sign_id,
    },
};

/// A time at which the session is in charge of the network's blocks.
const LATER: u64 = KEYS_AT_SECS * 1_000 + ACTIVATION_MS + 10_000;

fn scan_at(cluster: &Cluster, node: usize, now: u64) -> Vec<FromProcessor> {
    while cluster.nodes[node].processor.scan(now).unwrap().0 {}
    cluster.letters(node)
}

fn batches(letters: &[FromProcessor]) -> Vec<Batch> {
    letters
        .iter()
        .filter_map(|letter| match letter {
            FromProcessor::BaseChain(base_chain::FromProcessor::Batch { batch, .. }) => Some(batch.clone()),
            _ => None,
        })
        .collect()
}

fn executed(batch: &Batch, publisher: Session) -> ToProcessor {
    let executed = ExecutedBatch {
        id: batch.id,
        publisher,
        block: batch.block,
        instructions_hash: [0; 32],
        results: List::default(),
    };
    ToProcessor::BaseChain(base_chain::ToProcessor::Block {
        number: processor_messages::BaseBlock(batch.id.0.into()),
        batches: List::new(vec![executed]).unwrap(),
        burns: List::default(),
    })
}

/// `PROC-10`.
#[test]
fn every_processor_makes_the_same_batches_in_order_and_preprocesses_each() {
    let (cluster, _) = Cluster::with_keys(&[1, 1, 1, 1]);
    let first = scan_at(&cluster, 0, LATER);
    let made = batches(&first);
    assert!(made.len() >= 5);
    assert!(made.iter().enumerate().all(|(i, batch)| batch.id == BatchId(u32::try_from(i).unwrap())));
    for batch in &made {
        assert!(preprocesses_in(&first, sign_id(SigningId::Batch(batch.id), 0)).is_some());
    }
    for node in 1..4 {
        assert_eq!(batches(&scan_at(&cluster, node, LATER)), made);
    }
}

#[test]
fn blocks_before_the_activation_and_after_the_tip_are_nobody_s() {
    let (cluster, _) = Cluster::with_keys(&[1, 1, 1, 1]);
    let made = batches(&scan_at(&cluster, 0, LATER));
    let numbers: Vec<u64> = made.iter().map(|b| external().number(&b.block).unwrap()).collect();
    let activation = external().first_from(KEYS_AT_SECS * 1_000 + ACTIVATION_MS);
    assert!(numbers.iter().all(|n| (activation..=external().tip(LATER).unwrap()).contains(n)));
    assert!(!cluster.nodes[0].processor.scan(LATER).unwrap().0);
}

#[test]
fn without_keys_there_is_no_batch() {
    let cluster = Cluster::new(&[1, 1, 1, 1]);
    assert!(scan_at(&cluster, 0, LATER).is_empty());
}

#[test]
fn a_processor_which_is_not_in_the_set_expects_the_same_batches_and_signs_none() {
    let (cluster, pair) = Cluster::with_keys(&[1, 1, 1, 1]);
    let outsider = Cluster::new(&[1, 1, 1, 1]);
    outsider.tell(0, Cluster::set_keys(&pair));
    let letters = scan_at(&outsider, 0, LATER);
    assert_eq!(batches(&letters), batches(&scan_at(&cluster, 0, LATER)));
    assert_eq!(preprocesses_in(&letters, batch_id(0, 0)), None);
}

/// `PROC-11`.
#[test]
fn no_block_is_looked_at_beyond_the_window_until_the_base_chain_executes() {
    let (cluster, _) = Cluster::with_keys(&[1, 1, 1, 1]);
    let much_later = LATER + 1_000_000;
    let made = batches(&scan_at(&cluster, 0, much_later));
    let number = |batch: &Batch| external().number(&batch.block).unwrap();
    let start = cluster.nodes[0].store.read(|db| activation(db, SESSION)).unwrap().unwrap();
    assert_eq!(number(made.last().unwrap()), start - 1 + WINDOW - 1);
    for batch in &made {
        cluster.tell(0, executed(batch, SESSION));
        let further = batches(&scan_at(&cluster, 0, much_later));
        assert!(further.iter().all(|further| number(further) < number(batch) + WINDOW));
    }
}

/// A network of this pace, in charge of a session.
fn with_pace(pace: Pace) -> Cluster {
    let (mut cluster, _) = Cluster::with_keys(&[1, 1, 1, 1]);
    for node in cluster.indices() {
        let external = ExternalNetwork::new(CHAIN, cluster::network(), pace);
        let (store, secret) = (cluster.nodes[node].store.clone(), cluster.secret(node).to_vec());
        let curve = coordinator_base_chain::NetworkCurve::Secp256k1;
        let dkg = std::sync::Arc::new(crate::dkg::dealt::Dealt);
        cluster.nodes[node].processor =
            cluster::processor(&store, node, &secret, Incarnation(0), (external, curve), dkg);
    }
    cluster
}

/// `PROC-10`: without deposits the window would not move, and no later session ever be in charge.
#[test]
fn a_network_without_deposits_has_a_heartbeat_of_empty_batches() {
    let cluster = with_pace(Pace { deposits: 0, ..PACE });
    let number = |batch: &Batch| external().number(&batch.block).unwrap();
    let start = cluster.nodes[0].store.read(|db| activation(db, SESSION)).unwrap().unwrap();
    let (mut last, mut now) = (start - 1, LATER);
    for id in 0..5 {
        now += HEARTBEAT * PACE.block_interval_ms;
        let made = batches(&scan_at(&cluster, 0, now));
        assert_eq!(made.len(), 1);
        assert_eq!((made[0].id, number(&made[0])), (BatchId(id), last + HEARTBEAT));
        assert!(made[0].instructions.is_empty());
        last = number(&made[0]);
        cluster.tell(0, executed(&made[0], SESSION));
        drop(cluster.letters(0));
    }
}

/// `PROC-13`: what a former life of the disk made is known from the base chain alone.
#[test]
fn a_new_life_continues_after_what_the_base_chain_executed() {
    let (mut cluster, pair) = Cluster::with_keys(&[1, 1, 1, 1]);
    let made = batches(&scan_at(&cluster, 0, LATER));
    cluster.wipe(1, LATER);
    cluster.tell(1, from_the_beginning(Incarnation(LATER), 3));
    cluster.tell(1, Cluster::set_keys(&pair));
    for batch in &made[..4] {
        cluster.tell(1, executed(batch, SESSION));
    }
    drop(cluster.letters(1));
    assert_eq!(batches(&scan_at(&cluster, 1, LATER)), made[4..]);
}

/// `PROC-13`.
#[test]
fn a_new_life_makes_nothing_of_the_middle_of_the_base_chain() {
    let (mut cluster, pair) = Cluster::with_keys(&[1, 1, 1, 1]);
    let made = batches(&scan_at(&cluster, 0, LATER));
    cluster.wipe(1, LATER);
    drop(cluster.letters(1));
    cluster.tell(1, executed(&made[3], SESSION));
    cluster.tell(1, Cluster::set_keys(&pair));
    // Said to another life.
    cluster.tell(1, from_the_beginning(Incarnation(LATER - 1), 3));
    cluster.tell(1, executed(&made[4], SESSION));
    assert!(scan_at(&cluster, 1, LATER).is_empty());
    // It is handled when it comes again in its place.
    cluster.tell(1, from_the_beginning(Incarnation(LATER), 3));
    cluster.tell(1, Cluster::set_keys(&pair));
    for batch in &made[..4] {
        cluster.tell(1, executed(batch, SESSION));
    }
    drop(cluster.letters(1));
    assert_eq!(batches(&scan_at(&cluster, 1, LATER)), made[4..]);
}

#[test]
fn an_executed_batch_of_an_unknown_block_changes_nothing() {
    let (cluster, _) = Cluster::with_keys(&[1, 1, 1, 1]);
    let before = cluster.nodes[0].store.read(|db| scan_state(db)).unwrap();
    let wrong = Batch {
        network: cluster::network(),
        id: BatchId(5),
        block: processor_messages::NetworkBlockHash([1; 32]),
        instructions: List::default(),
    };
    cluster.tell(0, executed(&wrong, SESSION));
    assert_eq!(cluster.nodes[0].store.read(|db| scan_state(db)).unwrap(), before);
}

fn sign_first_batch(cluster: &Cluster, pair: &KeyPair) -> bool {
    let id = batch_id(0, 0);
    let mut preprocesses = Vec::new();
    let mut batch = None;
    for node in cluster.indices() {
        let letters = scan_at(cluster, node, LATER);
        batch = batches(&letters).into_iter().next();
        preprocesses.extend(preprocesses_in(&letters, id).map(|pieces| (node, pieces)));
    }
    let selected = [0, 1, 2];
    preprocesses.retain(|(node, _)| selected.contains(node));
    cluster.send_preprocesses(&selected, id, &cluster.pieces(&preprocesses));
    let shares = cluster.shares(&selected, id);
    cluster.send_shares(&selected, id, &cluster.pieces(&shares));
    let message = coordinator_base_chain::signing::batch_message(CHAIN, &batch.unwrap());
    selected.iter().all(|node| {
        cluster.letters(*node).iter().any(|letter| {
            matches!(
                letter,
                FromProcessor::Coordinator(coordinator::FromProcessor::SignedBatch { batch, .. })
                    if coordinator_base_chain::signing::verify(&pair.base, &message, &batch.signature)
            )
        })
    })
}

#[test]
fn a_batch_is_signed_as_the_base_chain_verifies_it() {
    let (cluster, pair) = Cluster::with_keys(&[1, 1, 1, 1]);
    assert!(sign_first_batch(&cluster, &pair));
}

/// `PROC-8`: a new life of the disk begins no attempt which the former may have begun.
#[test]
fn a_wiped_processor_skips_attempts_of_before_and_takes_part_in_later_ones() {
    let (mut cluster, pair) = Cluster::with_keys(&[1, 1, 1, 1]);
    drop(scan_at(&cluster, 1, LATER));
    cluster.wipe(1, LATER);
    drop(cluster.letters(1));
    cluster.resend(1, Incarnation(LATER));
    cluster.work(1);
    cluster.tell(1, from_the_beginning(Incarnation(LATER), 0));
    cluster.tell(1, Cluster::set_keys(&pair));
    let letters = scan_at(&cluster, 1, LATER + 10_000);
    let made = batches(&letters);
    let began: Vec<bool> = made
        .iter()
        .map(|batch| preprocesses_in(&letters, sign_id(SigningId::Batch(batch.id), 0)).is_some())
        .collect();
    let before =
        made.iter().filter(|b| external().time_unix_ms(external().number(&b.block).unwrap()) <= LATER);
    let expected = before.count();
    assert!(expected > 0 && expected < made.len());
    assert!(began[..expected].iter().all(|b| !b) && began[expected..].iter().all(|b| *b));
    let id = batch_id(0, 1);
    cluster.tell(1, ToProcessor::Sign(sign::ToProcessor::Reattempt { id }));
    assert!(preprocesses_in(&cluster.letters(1), id).is_some());
}

#[test]
fn a_base_chain_block_is_acknowledged() {
    let (cluster, _) = Cluster::with_keys(&[1, 1, 1, 1]);
    let made = batches(&scan_at(&cluster, 0, LATER));
    cluster.tell(0, executed(&made[0], SESSION));
    assert!(cluster.letters(0).iter().any(|letter| matches!(
        letter,
        FromProcessor::BaseChain(base_chain::FromProcessor::BlockAcknowledged { .. })
    )));
}
