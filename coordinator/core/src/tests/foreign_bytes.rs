//! Payloads are a peer's bytes.

use processor_messages::{
    Attempt, BaseBlock, BaseBlockHash, BatchId, Bytes, List, Participant, Session, ToProcessor,
    TributaryBlock, Validator,
    sign::{self, SignId, SigningId},
};
use proptest::prelude::*;

use super::cluster::{CHAIN, Cluster, Manner::*, declaration, set};
use crate::session::{
    self, SetSpec,
    transaction::{MAX_PAYLOAD_BYTES, Ordered, OrderedBlock, Provided, Round, Signed, Slot},
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_payload_panics_or_stops_the_session(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..6),
        tag in 0_u8..9,
        order in proptest::collection::vec(any::<u8>(), 0..40),
        nonce in 0_u32..3,
    ) {
        // SIGN-3.
        let mut cluster = Cluster::new(&[3, 3, 2, 2], &[Honest; 4]);
        let signer = cluster.nodes[1].validator();
        let transactions = payloads
            .into_iter()
            .map(|mut payload| {
                payload.insert(0, tag);
                Ordered::Signed { signer, slot: Slot { order: order.clone(), nonce }, payload }
            })
            .collect();
        let block = OrderedBlock { number: TributaryBlock(1), transactions, ..OrderedBlock::default() };
        let applied = cluster.nodes[0].step(|step| session::apply(step, set(), &block)).unwrap();
        prop_assert_eq!(applied, session::Applied::Done);
        prop_assert!(super::cluster::status(&cluster.nodes[0]).halted.is_none());
    }
}

#[test]
fn a_payload_over_its_bound_is_malformed() {
    assert!(Signed::from_bytes(&vec![0; MAX_PAYLOAD_BYTES + 1]).is_err());
    assert!(Provided::from_bytes(&vec![0; MAX_PAYLOAD_BYTES + 1]).is_err());
    assert!(Signed::from_bytes(&[0, 0xff, 0xff, 0xff, 0xff]).is_err(), "a length without bytes");
}

#[test]
fn the_longest_pieces_of_a_whole_set_fit_one_message() {
    // SIGN-15.
    for weights in [vec![1; 4], vec![20; 5], vec![1; 150]] {
        let declaration = declaration(&weights, Session(0));
        let spec = SetSpec::new(CHAIN, BaseBlock(0), BaseBlockHash::default(), &declaration).unwrap();
        let length = spec.max_piece_bytes().min(processor_messages::MAX_SIGNING_PIECE_BYTES);
        let piece = |i| (Participant::new(i).unwrap(), Bytes::new(vec![7; length]).unwrap());
        let preprocesses = List::new((1..=spec.n().0).map(piece).collect()).unwrap();
        let id = SignId { session: Session(0), id: SigningId::SlashReport, attempt: Attempt(0) };
        let message = ToProcessor::Sign(sign::ToProcessor::Preprocesses { id, preprocesses });
        assert!(processor_messages::encode(&message).len() <= processor_messages::codec::MAX_MESSAGE_BYTES);
    }
}

#[test]
fn a_longer_piece_is_a_fault_and_reaches_no_processor() {
    // SIGN-15: before, members together made a message which no queue takes, and every coordinator ended.
    let mut cluster = Cluster::new(&[20; 5], &[Honest; 5]);
    let id = SigningId::Batch(BatchId(0));
    let opened = Provided::Batch { id: BatchId(0), hash: [1; 32] };
    let mut transactions = vec![Ordered::Provided { kind: opened.kind(), payload: opened.to_bytes() }];
    for (index, longer) in [(1, 0), (2, 1), (3, 0)] {
        let piece = Bytes::new(vec![7; cluster.spec().max_piece_bytes() + longer]).unwrap();
        let pieces = List::new(vec![piece; 20]).unwrap();
        let payload = Signed::SigningData { id, attempt: Attempt(0), round: Round::Preprocess, pieces };
        let signer = cluster.nodes[index].validator();
        transactions.push(Ordered::Signed { signer, slot: payload.slot(), payload: payload.to_bytes() });
    }
    let block = OrderedBlock { number: TributaryBlock(1), transactions, ..OrderedBlock::default() };
    cluster.nodes[0].step(|step| session::apply(step, set(), &block)).unwrap();
    let status = super::cluster::status(&cluster.nodes[0]);
    assert_eq!(status.slashed.len(), 1, "{:?}", status.slashed);
    assert_eq!(status.slashed[0].validator, cluster.nodes[2].validator());
    assert_eq!(status.topics[0].preprocess_weight, 40);
}

#[test]
fn every_slot_is_of_one_payload_only_and_fits_the_tributary() {
    // SIGN-3: different topics, attempts and rounds have different slots.
    let attempt = |a| Attempt(a);
    let data = |id, a, round| Signed::SigningData { id, attempt: attempt(a), round, pieces: List::default() };
    let batch = |n| SigningId::Batch(BatchId(n));
    let longest = SigningId::Transaction(processor_messages::TransactionId([1; 32]));
    let participant = Participant::new(5).unwrap();
    let payloads = [
        Signed::DkgParticipation(Bytes::default()),
        Signed::Blame { validator: Validator([1; 32]) },
        Signed::Blame { validator: Validator([2; 32]) },
        Signed::ConfirmationShare { attempt: attempt(0), share: [0; 32] },
        Signed::ConfirmationShare { attempt: attempt(1), share: [0; 32] },
        data(batch(0), 0, Round::Preprocess),
        data(batch(0), 0, Round::Share),
        data(batch(0), 1, Round::Share),
        data(batch(1), 0, Round::Share),
        data(SigningId::SlashReport, 0, Round::Share),
        data(longest, 0, Round::Share),
        Signed::InvalidParticipant { id: longest, attempt: attempt(0), participant },
        Signed::SlashReport(List::default()),
    ];
    let slots: std::collections::BTreeSet<_> = payloads.iter().map(Signed::slot).collect();
    assert_eq!(slots.len(), payloads.len());
    assert!(slots.iter().all(|s| s.order.len() <= Slot::MAX_ORDER_BYTES));
    const { assert!(Slot::MAX_ORDER_BYTES <= tributary::MAX_ORDER_BYTES) };
}

#[test]
fn ref_01_a_transaction_of_a_non_member_is_dropped() {
    // SIGN-3: nobody is slashed for it, and nobody stops.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let payload = Signed::SlashReport(List::default());
    let signed =
        Ordered::Signed { signer: Validator([9; 32]), slot: payload.slot(), payload: payload.to_bytes() };
    let evidence = Ordered::Equivocation { validator: Validator([9; 32]) };
    let block = OrderedBlock {
        number: TributaryBlock(1),
        transactions: vec![signed, evidence],
        ..OrderedBlock::default()
    };
    for node in &mut cluster.nodes {
        let applied = node.step(|step| session::apply(step, set(), &block)).unwrap();
        assert_eq!(applied, session::Applied::Done);
        let status = super::cluster::status(node);
        assert!(status.slashed.is_empty() && status.halted.is_none(), "{status:?}");
    }
    cluster.assert_agreement();
}

#[test]
fn losing_the_threshold_halts_the_session_with_a_reason() {
    // SIGN-13, and defects 1, 2 and 28: recorded, neither a panic nor an endless loop.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let evidence = |index: usize| Ordered::Equivocation { validator: cluster.nodes[index].validator() };
    let block = OrderedBlock {
        number: TributaryBlock(1),
        transactions: vec![evidence(0), evidence(1)],
        ..OrderedBlock::default()
    };
    cluster.nodes[2].step(|step| session::apply(step, set(), &block)).unwrap();
    assert_eq!(super::cluster::status(&cluster.nodes[2]).halted.unwrap().code, "THRESHOLD_LOST");
}

#[test]
fn the_state_hash_tells_members_apart_who_applied_different_blocks() {
    // SIGN-1.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let number = TributaryBlock(1);
    let evidence = Ordered::Equivocation { validator: cluster.nodes[3].validator() };
    let with = OrderedBlock { number, transactions: vec![evidence], ..OrderedBlock::default() };
    let without = OrderedBlock { number, transactions: Vec::new(), ..OrderedBlock::default() };
    for (index, block) in [&with, &with, &without].into_iter().enumerate() {
        cluster.nodes[index].step(|step| session::apply(step, set(), block)).unwrap();
    }
    let hash = |index: usize| super::cluster::status(&cluster.nodes[index]).state_hash;
    assert_eq!(hash(0), hash(1));
    assert_ne!(hash(0), hash(2));
}

#[test]
fn what_can_be_proved_is_fatal_and_what_can_happen_to_the_honest_counts_points() {
    // SIGN-14.
    use session::slash::{Cause::*, Severity};
    let fatal = [
        Malformed,
        WrongSlot,
        Premature,
        Duplicate,
        WrongCount,
        InvalidShare,
        InvalidParticipation,
        InvalidSigningData,
        NotAMember,
        Equivocation,
    ];
    assert!(fatal.iter().all(|cause| cause.severity() == Severity::Fatal));
    assert_eq!(NotSelected.severity(), Severity::Points(100));
    assert_eq!(MissedShare.severity(), Severity::Points(10));
}
