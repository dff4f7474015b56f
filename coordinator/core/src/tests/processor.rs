//! What a processor's messages do, one rule at a time.

use coordinator_base_chain::Event;
use coordinator_store::Store;
use processor_messages::{
    Attempt, BatchId, Bytes, FromProcessor, Incarnation, KeyShares, List, Network, Participant, Session,
    SigningPiece, ToProcessor, TributaryBlock, base_chain, coordinator, encode, key_gen, sign,
};

use super::cluster::{CHAIN, Cluster, Manner::*, batch, declaration, key_pair, network, status};
use crate::{
    batch as batches, halt, outbox,
    session::{own, status::Stage},
};

fn pieces(count: usize) -> sign::OwnPieces {
    List::new((0..count).map(|_| SigningPiece::default()).collect()).unwrap()
}

fn preprocesses(attempt: u32, count: usize) -> FromProcessor {
    let id = sign::SignId {
        session: Session(0),
        id: sign::SigningId::Batch(BatchId(0)),
        attempt: Attempt(attempt),
    };
    FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses: pieces(count) })
}

#[test]
fn a_first_preprocess_waits_until_the_topic_is_agreed_on() {
    // SIGN-10.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let genesis = cluster.spec().genesis;
    let node = &mut cluster.nodes[0];
    node.hear(preprocesses(0, 1));
    node.hear(preprocesses(3, 1));
    assert!(node.store.read(|db| own::pending(db, genesis, 9)).unwrap().is_empty());
}

#[test]
fn our_processor_cannot_make_us_send_what_would_be_a_fault() {
    // COORD-11: wrong counts, and shares of an attempt in which we are not selected, stay here.
    let mut cluster = Cluster::new(&[2, 2, 2, 2], &[Honest; 4]);
    cluster.batches = 0;
    cluster.run_until(40, |c| c.set_keys.is_some());
    let genesis = cluster.spec().genesis;
    let made = base_chain::FromProcessor::Batch { session: Session(0), batch: batch(0) };
    for node in &mut cluster.nodes {
        node.hear(FromProcessor::BaseChain(made.clone()));
    }
    cluster.turn();
    let node = &mut cluster.nodes[0];
    let before = node.store.read(|db| own::pending(db, genesis, 99)).unwrap();
    node.hear(preprocesses(0, 1));
    let id =
        sign::SignId { session: Session(0), id: sign::SigningId::Batch(BatchId(0)), attempt: Attempt(0) };
    node.hear(FromProcessor::Sign(sign::FromProcessor::Shares { id, shares: pieces(2) }));
    assert_eq!(node.store.read(|db| own::pending(db, genesis, 99)).unwrap(), before);
    // Nor a vote about nobody, or about an attempt or a topic which the tributary does not know.
    let unknown = sign::SignId { id: sign::SigningId::SlashReport, ..id };
    let later = sign::SignId { attempt: Attempt(1), ..id };
    for (id, participant) in [(id, 9), (later, 8), (unknown, 8)] {
        let participant = Participant::new(participant).unwrap();
        node.hear(FromProcessor::Sign(sign::FromProcessor::InvalidParticipant { id, participant }));
    }
    assert_eq!(node.store.read(|db| own::pending(db, genesis, 99)).unwrap(), before);
    node.hear(preprocesses(0, 2));
    assert_eq!(node.store.read(|db| own::pending(db, genesis, 99)).unwrap().len(), before.len() + 1);
}

#[test]
fn a_slot_is_filled_once_whatever_comes_later() {
    // SIGN-4: never two different payloads for one slot.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let genesis = cluster.spec().genesis;
    let node = &mut cluster.nodes[0];
    let take_part = |byte: u8| {
        let participation = Bytes::new(vec![byte; 3]).unwrap();
        FromProcessor::KeyGen(key_gen::FromProcessor::Participation { session: Session(0), participation })
    };
    node.hear(take_part(1));
    let first = node.store.read(|db| own::pending(db, genesis, 9)).unwrap();
    node.hear(take_part(2));
    assert_eq!(node.store.read(|db| own::pending(db, genesis, 9)).unwrap(), first);
}

#[test]
fn a_batch_which_skips_one_halts_the_network() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let node = &mut cluster.nodes[0];
    let made = |id| base_chain::FromProcessor::Batch { session: Session(0), batch: batch(id) };
    node.hear(FromProcessor::BaseChain(made(0)));
    node.hear(FromProcessor::BaseChain(made(0)));
    node.hear(FromProcessor::BaseChain(made(2)));
    let reason = node.store.read(|db| halt::of_network(db, network())).unwrap().unwrap();
    assert_eq!(reason, halt::Reason::BatchGap { due: BatchId(1), came: BatchId(2) });
}

#[test]
fn a_batch_of_another_network_is_dropped() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let node = &mut cluster.nodes[0];
    let mut foreign = batch(0);
    foreign.network = Network::new("ethereum").unwrap();
    let made = base_chain::FromProcessor::Batch { session: Session(0), batch: foreign };
    node.hear(FromProcessor::BaseChain(made));
    assert_eq!(node.store.read(|db| batches::progress(db, network())).unwrap().expected, BatchId(0));
}

#[test]
fn a_signed_batch_is_kept_only_if_its_signature_verifies() {
    // COORD-6, and defect 11.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.run_until(40, |c| c.set_keys.is_some());
    let node = &mut cluster.nodes[0];
    let made = base_chain::FromProcessor::Batch { session: Session(0), batch: batch(1) };
    node.hear(FromProcessor::BaseChain(base_chain::FromProcessor::Batch {
        session: Session(0),
        batch: batch(0),
    }));
    node.hear(FromProcessor::BaseChain(made));
    let signed = processor_messages::SignedBatch { batch: batch(1), signature: [3; 64] };
    node.hear(FromProcessor::Coordinator(coordinator::FromProcessor::SignedBatch {
        session: Session(0),
        batch: signed,
    }));
    assert!(node.store.read(|db| outbox::batch(db, network(), BatchId(1))).unwrap().is_none());
}

#[test]
fn messages_of_sessions_which_are_not_ours_are_dropped() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let node = &mut cluster.nodes[0];
    for session in [Session(1), Session(u32::MAX)] {
        let participation = Bytes::new(vec![1]).unwrap();
        node.hear(FromProcessor::KeyGen(key_gen::FromProcessor::Participation { session, participation }));
        let incarnation = Incarnation(1);
        node.hear(FromProcessor::KeyGen(key_gen::FromProcessor::Resend { session, incarnation }));
    }
    // GenerateKey, and that the base chain's feed begins again, which concerns every processor.
    assert_eq!(node.store.read(|db| outbox::messages(db, network())).unwrap(), 2);
}

#[test]
fn a_processor_is_handed_every_block_until_it_is_done_and_the_keys_are_set() {
    // COORD-4: one message for each block, also without participations.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.run_to_batches(40);
    let numbers: Vec<u64> = cluster.nodes[2]
        .processor
        .received
        .iter()
        .filter_map(|m| match m {
            ToProcessor::KeyGen(key_gen::ToProcessor::Block { block, .. }) => Some(block.0),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(numbers.len() < cluster.log.len(), "it ends");
}

#[test]
fn every_processor_gets_the_same_participations_in_order_and_nothing_of_the_confirmation() {
    // COORD-4: key generation ends in keys on the base chain, and no nonce or share of the MuSig is a processor's matter.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.run_until(60, |c| c.set_keys.is_some());
    let participations = |index: usize| -> Vec<_> {
        let received = cluster.nodes[index].processor.received.iter();
        received
            .flat_map(|message| match message {
                ToProcessor::KeyGen(key_gen::ToProcessor::Block { participations, .. }) => {
                    participations.clone().into_inner()
                }
                ToProcessor::KeyGen(key_gen::ToProcessor::GenerateKey { .. }) => Vec::new(),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let first = participations(0);
    assert_eq!(first.len(), 4);
    assert!((1..4).all(|index| participations(index) == first));
}

#[test]
fn every_processor_is_told_the_same_threshold_members_and_keys_byte_for_byte() {
    // COORD-2, COORD-3: the members in set order, and the keys with the time of the block which set them.
    let mut cluster = Cluster::new(&[3, 3, 2, 2], &[Honest; 4]);
    cluster.run_to_batches(40);
    let session = Session(0);
    let members = declaration(&cluster.weights, session).members.into_iter().map(|member| key_gen::Member {
        validator: member.validator,
        shares: member.shares,
        embedded: member.embedded,
    });
    let generate_key = key_gen::ToProcessor::GenerateKey {
        session,
        incarnation: Incarnation(0),
        chain: CHAIN,
        threshold: KeyShares(7),
        grace: 0,
        members: List::new(members.collect()).unwrap(),
    };
    let sets_keys = |event: &Event| matches!(event, Event::KeysSet { .. });
    let block = cluster.base_blocks.iter().find(|block| block.events.iter().any(sets_keys)).unwrap();
    let time_unix_secs = block.header.time_unix_ms / 1000;
    let set_keys = base_chain::ToProcessor::SetKeys { time_unix_secs, session, key_pair: key_pair(0) };
    let expected = [encode(&ToProcessor::KeyGen(generate_key)), encode(&ToProcessor::BaseChain(set_keys))];
    let is_of_keys = |message: &&ToProcessor| {
        matches!(
            message,
            ToProcessor::KeyGen(key_gen::ToProcessor::GenerateKey { .. })
                | ToProcessor::BaseChain(base_chain::ToProcessor::SetKeys { .. })
        )
    };
    for node in &cluster.nodes {
        let told: Vec<_> = node.processor.received.iter().filter(is_of_keys).map(encode).collect();
        assert_eq!(told, expected);
    }
}

#[test]
fn a_wiped_processor_gets_everything_again_once_for_each_life() {
    // COORD-10.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.run_to_batches(40);
    let before = cluster.nodes[1].processor.received.clone();
    let node = &mut cluster.nodes[1];
    let ask = |life| {
        let (session, incarnation) = (Session(0), Incarnation(life));
        FromProcessor::KeyGen(key_gen::FromProcessor::Resend { session, incarnation })
    };
    node.hear(ask(7));
    node.hear(ask(7));
    node.hear(ask(3));
    let mut again = Vec::new();
    let mut intents = std::collections::BTreeSet::new();
    while node
        .store
        .write(|txn| {
            outbox::move_message(txn, network(), |_, intent, bytes| {
                assert!(intents.insert(intent.clone()), "an intent of its own");
                again.push(processor_messages::decode::<ToProcessor>(&bytes, usize::MAX).unwrap());
                Ok::<_, crate::Error>(())
            })
        })
        .unwrap()
        .0
    {}
    for message in &before {
        assert!(!intents.contains(&message.intent(network())), "not an intent of the first life");
    }
    let kinds = |messages: &[ToProcessor]| {
        let participations = messages
            .iter()
            .filter_map(|m| match m {
                ToProcessor::KeyGen(key_gen::ToProcessor::Block { block, participations, .. }) => {
                    Some((*block, participations.clone()))
                }
                _ => None,
            })
            .collect::<Vec<(TributaryBlock, _)>>();
        let chain: Vec<_> =
            messages.iter().filter(|m| matches!(m, ToProcessor::BaseChain(_))).cloned().collect();
        (participations, chain)
    };
    let ((participations, mut chain), (had, fed)) = (kinds(&again), kinds(&before));
    let through = fed.iter().rev().find_map(|message| match message {
        ToProcessor::BaseChain(base_chain::ToProcessor::Block { number, .. }) => Some(*number),
        _ => None,
    });
    let begins =
        base_chain::ToProcessor::FromTheBeginning { incarnation: Incarnation(7), through: through.unwrap() };
    assert_eq!(chain.remove(0), ToProcessor::BaseChain(begins));
    assert_eq!((participations, chain), (had, fed));
    assert!(matches!(
        again.first(),
        Some(ToProcessor::KeyGen(key_gen::ToProcessor::GenerateKey { incarnation: Incarnation(7), .. }))
    ));
}

#[test]
fn a_failed_key_generation_is_shown_with_its_reason() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.nodes[0].hear(FromProcessor::KeyGen(key_gen::FromProcessor::Failed {
        session: Session(0),
        reason: key_gen::FailureReason::EmbeddedKeyMissing,
        culprits: List::default(),
    }));
    let status = status(&cluster.nodes[0]);
    assert_eq!(status.stage, Stage::Failed);
    assert!(status.failure.unwrap().contains("EmbeddedKeyMissing"));
}

#[test]
fn blame_by_t_weight_slashes_the_author_of_a_participation_and_less_does_not() {
    // SIGN-12.
    let mut cluster = Cluster::new(&[3, 3, 2, 2], &[Honest; 4]);
    let culprit = cluster.nodes[3].validator();
    let blame =
        FromProcessor::KeyGen(key_gen::FromProcessor::Blame { session: Session(0), validator: culprit });
    for index in 0..2 {
        cluster.nodes[index].hear(blame.clone());
    }
    cluster.turn();
    assert!(cluster.fatal(3).is_none(), "6 of 7");
    cluster.nodes[2].hear(blame);
    cluster.turn();
    assert_eq!(cluster.fatal(3), Some(crate::session::slash::Cause::InvalidParticipation));
    cluster.assert_agreement();
}

#[test]
fn invalid_signing_data_reported_by_one_honest_weight_ends_the_attempt_and_by_t_weight_slashes() {
    // SIGN-11.
    let mut cluster = Cluster::new(&[1; 7], &[Honest; 7]);
    cluster.run_until(60, |c| c.log.iter().any(|b| format!("{b:?}").contains("kind: Kind(0)")));
    cluster.turn();
    let id =
        sign::SignId { session: Session(0), id: sign::SigningId::Batch(BatchId(0)), attempt: Attempt(0) };
    let participant = Participant::new(1).unwrap();
    let report = FromProcessor::Sign(sign::FromProcessor::InvalidParticipant { id, participant });
    for index in 1..4 {
        cluster.nodes[index].hear(report.clone());
    }
    cluster.turn();
    assert!(cluster.fatal(0).is_none());
    assert_eq!(
        status(&cluster.nodes[0]).topics[0].attempt,
        Attempt(1),
        "three of seven include an honest one"
    );
    for index in 4..6 {
        cluster.nodes[index].hear(report.clone());
    }
    cluster.turn();
    assert_eq!(cluster.fatal(0), Some(crate::session::slash::Cause::InvalidSigningData));
    cluster.run_to_batches(60);
    cluster.assert_agreement();
}

#[test]
fn the_first_key_pair_stays_and_its_nonces_are_made_once() {
    // CONF-1, CONF-2.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let genesis = cluster.spec().genesis;
    let node = &mut cluster.nodes[0];
    let generated = |tweak| {
        let (session, key_pair) = (Session(0), key_pair(tweak));
        FromProcessor::KeyGen(key_gen::FromProcessor::GeneratedKeyPair { session, key_pair })
    };
    node.hear(generated(0));
    let first = node.store.read(|db| own::pending(db, genesis, 9)).unwrap();
    assert_eq!(first.len(), 1);
    node.hear(generated(0));
    node.hear(generated(1));
    assert_eq!(node.store.read(|db| own::pending(db, genesis, 9)).unwrap(), first);
}

#[test]
fn making_a_share_stores_it_and_deletes_its_seed() {
    // CONF-5.
    use crate::session::confirmation::kept;
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let genesis = cluster.spec().genesis;
    let of = |cluster: &Cluster, index: usize| {
        cluster.nodes[index].store.read(|db| kept(db, genesis, Attempt(0))).unwrap()
    };
    cluster.run_until(40, |c| status(&c.nodes[0]).stage == Stage::ConfirmationShares);
    assert_eq!(of(&cluster, 0), (false, true), "selected: a share, and no seed");
    assert_eq!(of(&cluster, 3), (true, false), "not selected: the seed of its nonces");
}

#[test]
fn blocks_are_due_until_nothing_is_left_to_agree_on() {
    // COORD-8.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let busy = |cluster: &Cluster| {
        cluster.nodes[0].store.read(|db| {
            let record = crate::session::get(db, super::cluster::set()).unwrap().unwrap();
            crate::session::status::is_busy(db, &record).unwrap()
        })
    };
    assert!(busy(&cluster));
    cluster.run_until(40, |c| c.set_keys.is_some());
    assert!(busy(&cluster));
    cluster.run_to_batches(40);
    assert!(!busy(&cluster));
}

/// A node in two sessions of one network.
fn in_two_sessions() -> super::cluster::Node {
    let mut node = super::cluster::Node::new(0, Honest);
    let declared = |session| Event::SetDeclared(declaration(&[1; 4], Session(session)));
    let events = vec![declared(0), declared(1)];
    let block = super::base_chain::block(0, processor_messages::BaseBlockHash::default(), events);
    node.step(|step| crate::base_chain::apply(step, &block)).unwrap();
    node
}

fn genesis_of(node: &super::cluster::Node, session: u32) -> processor_messages::Genesis {
    let set = processor_messages::ValidatorSet { network: network(), session: Session(session) };
    node.store.read(|db| crate::session::get(db, set)).unwrap().unwrap().spec.genesis
}

#[test]
fn ref_23_one_slot_of_two_tributaries_holds_what_is_said_on_each() {
    // SIGN-4: participations of two sessions stand in the same order and nonce.
    let mut node = in_two_sessions();
    for session in [0, 1] {
        let participation = Bytes::new(vec![7 + u8::try_from(session).unwrap(); 3]).unwrap();
        let session = Session(session);
        node.hear(FromProcessor::KeyGen(key_gen::FromProcessor::Participation { session, participation }));
    }
    let pending = |session| {
        let genesis = genesis_of(&node, session);
        node.store.read(|db| own::pending(db, genesis, 9)).unwrap()
    };
    let (first, second) = (pending(0), pending(1));
    assert_eq!((first.len(), second.len()), (1, 1));
    assert!((first[0].0 == second[0].0) && (first[0].1 != second[0].1));
}

#[test]
fn ref_24_a_first_preprocess_is_kept_for_each_session_and_a_second_one_changes_nothing() {
    // SIGN-10.
    use crate::session::transaction::{Ordered, OrderedBlock, Provided, Round, Signed};
    let mut node = in_two_sessions();
    let id = sign::SigningId::Batch(BatchId(0));
    for (session, byte) in [(0, 1), (1, 2), (0, 3)] {
        let piece = SigningPiece::new(vec![byte]).unwrap();
        let id = sign::SignId { session: Session(session), id, attempt: Attempt(0) };
        let preprocesses = List::new(vec![piece]).unwrap();
        node.hear(FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses }));
    }
    for (session, byte) in [(0, 1), (1, 2)] {
        let set = processor_messages::ValidatorSet { network: network(), session: Session(session) };
        let opened = Provided::Batch { id: BatchId(0), hash: [0; 32] };
        let transactions = vec![Ordered::Provided { kind: opened.kind(), payload: opened.to_bytes() }];
        let block = OrderedBlock { number: TributaryBlock(1), transactions, ..OrderedBlock::default() };
        node.step(|step| crate::session::apply(step, set, &block)).unwrap();
        let genesis = genesis_of(&node, session);
        let pending = node.store.read(|db| own::pending(db, genesis, 9)).unwrap();
        let pieces = List::new(vec![SigningPiece::new(vec![byte]).unwrap()]).unwrap();
        let sent = Signed::SigningData { id, attempt: Attempt(0), round: Round::Preprocess, pieces };
        assert_eq!(pending.iter().map(|(_, payload)| payload.clone()).collect::<Vec<_>>(), [sent.to_bytes()]);
    }
}
