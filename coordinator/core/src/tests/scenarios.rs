//! Whole clusters through key generation, confirmation and the signing of batches.

use coordinator_store::Store;
use processor_messages::{
    Attempt, BatchId, SigningPiece, ToProcessor,
    sign::{self, SigningId},
};

use super::cluster::{Cluster, Manner::*, key_pair, set, status};
use crate::{
    halt,
    notice::Event,
    session::{
        slash::Cause,
        status::Stage,
        topic::Topic,
        transaction::{Round, Signed},
    },
};

#[test]
fn validators_of_one_share_each_generate_confirm_and_sign() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.batches = 3;
    cluster.run_to_batches(20);
    cluster.assert_agreement();
    assert_eq!(cluster.executed, [BatchId(0), BatchId(1), BatchId(2)]);
    for node in &cluster.nodes {
        let status = status(node);
        assert_eq!(status.stage, Stage::KeysSet);
        assert!(
            status.topics.is_empty() && status.slashed.is_empty() && status.halted.is_none(),
            "{status:?}"
        );
    }
}

#[test]
fn ref_07_multi_share_validators_generate_confirm_and_sign() {
    // SIGN-2, and defects 7 and 8 of a system which counted validators where it meant key shares.
    let mut cluster = Cluster::new(&[3, 3, 2, 2], &[Honest; 4]);
    cluster.run_to_batches(40);
    cluster.assert_agreement();
}

#[test]
fn one_silent_validator_of_four_stops_nothing() {
    for silent in 0..4 {
        let mut manners = [Honest; 4];
        manners[silent] = Silent;
        let mut cluster = Cluster::new(&[1, 1, 1, 1], &manners);
        cluster.run_to_batches(60);
        cluster.assert_agreement();
    }
}

#[test]
fn whoever_withholds_shares_is_passed_over_in_the_next_attempt() {
    // SIGN-8, SIGN-9, SIGN-25, CONF-6.
    for withholding in 0..4 {
        let mut manners = [Honest; 4];
        manners[withholding] = WithholdsShares;
        let mut cluster = Cluster::new(&[3, 3, 2, 2], &manners);
        cluster.run_to_batches(120);
        cluster.assert_agreement();
        if withholding < 3 {
            // Among the first whose weight reaches t: for the confirmation, and not again for the batch.
            assert_eq!(cluster.points(withholding), 10, "validator {withholding}");
        }
        assert!((0..4).all(|i| cluster.fatal(i).is_none()));
    }
}

#[test]
fn a_reported_preprocess_costs_its_author_alone() {
    // SIGN-8: who did not share because of it did right, is selected again, and is needed here.
    for liar in 0..4 {
        let mut manners = [Honest; 4];
        manners[liar] = BadPreprocess;
        let mut cluster = Cluster::new(&[3, 3, 2, 2], &manners);
        cluster.run_until(40, |c| c.set_keys.is_some());
        let before: Vec<_> = (0..4).map(|i| cluster.points(i)).collect();
        cluster.run_to_batches(20);
        cluster.assert_agreement();
        for i in (0..4).filter(|i| *i != liar) {
            assert_eq!(
                (cluster.points(i), cluster.fatal(i)),
                (before[i], None),
                "validator {i}, liar {liar}"
            );
        }
    }
}

#[test]
fn a_diverging_processor_is_seen_and_left_alone() {
    // CONF-3, CONF-9.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Diverges, Honest, Honest, Honest]);
    cluster.run_until(40, |c| c.set_keys.is_some());
    assert_eq!(cluster.set_keys.as_ref().unwrap().key_pair, key_pair(0));
    let halted = status(&cluster.nodes[0]).halted.unwrap();
    assert_eq!(halted.code, "KEY_PAIR_MISMATCH");
    assert!((1..4).all(|i| status(&cluster.nodes[i]).halted.is_none()));
}

#[test]
fn a_garbage_payload_slashes_its_signer_fatally_and_nobody_else_notices() {
    // SIGN-3.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let slot = Signed::SlashReport(processor_messages::List::default()).slot();
    cluster.injected.push((3, slot, vec![0xff; 40]));
    cluster.run_to_batches(60);
    cluster.assert_agreement();
    assert_eq!(cluster.fatal(3), Some(Cause::Malformed));
    assert!((0..3).all(|i| cluster.fatal(i).is_none()));
}

#[test]
fn a_payload_in_a_foreign_slot_is_a_fatal_fault() {
    // SIGN-3.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let elsewhere = Signed::SlashReport(processor_messages::List::default()).slot();
    let blame = Signed::Blame { validator: cluster.nodes[0].validator() };
    cluster.injected.push((2, elsewhere, blame.to_bytes()));
    cluster.turn();
    assert_eq!(cluster.fatal(2), Some(Cause::WrongSlot));
}

#[test]
fn ref_01_data_of_a_topic_nobody_agreed_on_or_of_a_future_attempt_is_a_fatal_fault() {
    // SIGN-5, and defect 1: an unknown signing id harms its author alone.
    let pieces = || processor_messages::List::new(vec![SigningPiece::default()]).unwrap();
    let mut cluster = Cluster::new(&[1, 1, 1, 1, 1, 1, 1], &[Honest; 7]);
    let (id, round) = (SigningId::Batch(BatchId(9)), Round::Preprocess);
    cluster.inject(6, &Signed::SigningData { id, attempt: Attempt(0), round, pieces: pieces() });
    let commitments = [1; 64];
    cluster
        .inject(5, &Signed::ConfirmationNonces { attempt: Attempt(0), commitments, key_pair: key_pair(0) });
    cluster.turn();
    assert_eq!(cluster.fatal(6), Some(Cause::Premature));
    assert_eq!(cluster.fatal(5), Some(Cause::Malformed), "commitments which are no points");
    cluster.run_to_batches(60);
    cluster.assert_agreement();
}

#[test]
fn ref_02_voting_against_a_non_member_slashes_the_voter() {
    // Defect 2: not the account which was named.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.inject(1, &Signed::Blame { validator: processor_messages::Validator([9; 32]) });
    cluster.run_to_batches(60);
    assert_eq!(cluster.fatal(1), Some(Cause::NotAMember));
    cluster.assert_agreement();
}

#[test]
fn ref_02_a_report_of_signing_data_of_a_non_member_slashes_who_reported_and_nobody_else() {
    // SIGN-11, and defect 2: whether its topic is known or not.
    for known in [true, false] {
        let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
        if known {
            cluster.run_until(60, |c| status(&c.nodes[0]).topics.iter().any(|t| t.topic.contains("Batch")));
        }
        let (id, attempt) = (SigningId::Batch(BatchId(0)), Attempt(0));
        let participant = processor_messages::Participant::new(5).unwrap();
        cluster.inject(1, &Signed::InvalidParticipant { id, attempt, participant });
        cluster.turn();
        assert_eq!(cluster.fatal(1), Some(Cause::NotAMember), "{known}");
        cluster.run_to_batches(60);
        cluster.assert_agreement();
        for index in [0, 2, 3] {
            assert_eq!((cluster.fatal(index), cluster.points(index)), (None, 0), "{index}");
        }
    }
}

#[test]
fn ref_06_a_share_of_a_batch_of_a_validator_who_is_not_selected_is_used_by_nobody() {
    // SIGN-2, SIGN-6, SIGN-7, and defect 6.
    let selected = |n: &crate::Notice| {
        let Event::Selected { topic, .. } = &n.event else { return false };
        *topic == Topic::Signing(SigningId::Batch(BatchId(0)))
    };
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.run_until(60, |c| c.nodes[0].notices.iter().any(selected));
    let pieces = processor_messages::List::new(vec![SigningPiece::new(vec![0xee]).unwrap()]).unwrap();
    let (id, attempt) = (SigningId::Batch(BatchId(0)), Attempt(0));
    cluster.inject(3, &Signed::SigningData { id, attempt, round: Round::Share, pieces });
    cluster.run_to_batches(60);
    assert_eq!((cluster.points(3), cluster.fatal(3)), (100, None));
    cluster.assert_agreement();
    let shares = |message: &ToProcessor| match message {
        ToProcessor::Sign(sign::ToProcessor::Shares { shares, .. }) => Some(shares.clone().into_inner()),
        _ => None,
    };
    let handed: Vec<_> =
        cluster.nodes.iter().flat_map(|n| n.processor.received.iter()).filter_map(shares).collect();
    assert_eq!(handed.len(), 3, "to each who is selected");
    assert!(handed.iter().flatten().all(|(of, piece)| (of.get() != 4) && (**piece != [0xee])));
}

#[test]
fn blame_by_votes_until_the_threshold_is_lost_halts_the_set_at_every_node_for_good() {
    // SIGN-12, SIGN-13, COORD-9: each of three has a vote of another of them, and then those of four.
    let mut cluster = Cluster::new(&[1; 7], &[Honest; 7]);
    let of = |cluster: &Cluster, index: usize| Signed::Blame { validator: cluster.nodes[index].validator() };
    for (who, whom) in [(4, 6), (5, 4), (6, 5)] {
        let blame = of(&cluster, whom);
        cluster.inject(who, &blame);
    }
    cluster.turn();
    for (who, whom) in (0..4).flat_map(|who| [(who, 4), (who, 5)]) {
        let blame = of(&cluster, whom);
        cluster.inject(who, &blame);
    }
    cluster.turn();
    assert!((4..6).all(|i| cluster.fatal(i) == Some(Cause::InvalidParticipation)));
    assert!(cluster.nodes.iter().all(|node| status(node).halted.is_none()), "five of seven are t");
    for who in 0..4 {
        let blame = of(&cluster, 6);
        cluster.inject(who, &blame);
    }
    cluster.turn();
    cluster.assert_agreement();
    let reason = halt::Reason::ThresholdLost { remaining: 4, needed: 5 };
    for node in &cluster.nodes {
        let recorded = node.store.read(|db| halt::of_session(db, set())).unwrap();
        assert_eq!(recorded, Some(reason.clone()));
        let shown = status(node);
        assert_eq!((shown.stage, shown.halted.unwrap().code), (Stage::Halted, "THRESHOLD_LOST"));
    }
    let before = status(&cluster.nodes[0]);
    (0..3).for_each(|_| cluster.turn());
    assert_eq!(
        status(&cluster.nodes[0]).applied_block,
        before.applied_block,
        "nothing of it is applied any more"
    );
}

#[test]
fn a_key_generation_with_too_few_valid_participations_ends_at_once_and_says_whose_are_not() {
    // SIGN-12, COORD-4: two of four find those of the others invalid, so nobody is slashed, and no key is possible.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let validators: Vec<_> = cluster.nodes.iter().map(super::cluster::Node::validator).collect();
    for (index, node) in cluster.nodes.iter_mut().enumerate() {
        node.processor.rejects = if index < 2 { validators[2..].to_vec() } else { validators[..2].to_vec() };
    }
    cluster.run_until(6, |c| c.nodes.iter().all(|node| status(node).stage == Stage::Failed));
    for (index, node) in cluster.nodes.iter().enumerate() {
        let shown = status(node);
        let culprits = &node.processor.rejects;
        assert_eq!(shown.failure.unwrap(), format!("TooFewValid {culprits:?}"), "{index}");
        assert!(shown.halted.is_none(), "the base chain decides what becomes of it");
    }
    (0..20).for_each(|_| cluster.turn());
    assert!((0..4).all(|i| cluster.fatal(i).is_none()), "two of four are no threshold");
    assert!(cluster.set_keys.is_none());
    cluster.assert_agreement();
    cluster.push_base(vec![coordinator_base_chain::Event::SetDropped { set: set() }]);
    assert!(cluster.nodes.iter().all(|node| status(node).stage == Stage::Dropped));
}

#[test]
fn ref_06_a_share_of_a_validator_who_is_not_selected_is_counted_against_it_and_used_by_nobody() {
    // SIGN-6, SIGN-7, and defect 6.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.run_until(40, |c| status(&c.nodes[0]).stage == Stage::ConfirmationShares);
    // The first three are selected; the fourth published its nonces in the same block.
    cluster.inject(3, &Signed::ConfirmationShare { attempt: Attempt(0), share: [1; 32] });
    cluster.run_to_batches(60);
    assert_eq!(cluster.points(3), 100);
    assert!(cluster.fatal(3).is_none());
    cluster.assert_agreement();
}

#[test]
fn a_wrong_share_of_the_confirmation_names_its_author_at_every_node_and_the_next_attempt_succeeds() {
    // CONF-7.
    let mut cluster = Cluster::new(&[3, 3, 2, 2], &[WithholdsShares, Honest, Honest, Honest]);
    cluster.run_until(40, |c| status(&c.nodes[1]).stage == Stage::ConfirmationShares);
    cluster.inject(0, &Signed::ConfirmationShare { attempt: Attempt(0), share: [1; 32] });
    cluster.turn();
    assert_eq!(cluster.fatal(0), Some(Cause::InvalidShare));
    cluster.run_to_batches(60);
    cluster.assert_agreement();
    assert!((1..4).all(|i| cluster.fatal(i).is_none()));
}

#[test]
fn attempts_grow_by_the_time_of_the_first_up_to_a_bound() {
    // SIGN-9: six blocks, and at most four times as many. Two who answer are no quorum, so nothing shortens or renews them.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let is_last = |n: &crate::Notice| matches!(n.event, Event::Participation { weight: 4, .. });
    cluster.run_until(20, |c| c.nodes[0].notices.iter().any(is_last));
    (2..4).for_each(|index| cluster.nodes[index].manner = Silent);
    let mut began = Vec::new();
    for turn in 0_usize..120 {
        cluster.turn();
        let is_start = |n: &&crate::Notice| matches!(n.event, Event::AttemptStarted { .. });
        let attempts = cluster.nodes[0].notices.iter().filter(is_start).count();
        began.resize(attempts, turn);
    }
    let lasted: Vec<usize> = began.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(lasted[..4], [12, 18, 24, 24]);
}

#[test]
fn pieces_which_are_not_one_for_each_key_share_are_a_fatal_fault() {
    let mut cluster = Cluster::new(&[3, 3, 2, 2], &[Honest, Honest, Honest, WithholdsShares]);
    cluster.run_until(60, |c| c.log.iter().any(|b| format!("{b:?}").contains("kind: Kind(0)")));
    cluster.turn();
    let pieces = processor_messages::List::new(vec![SigningPiece::default()]).unwrap();
    let id = SigningId::Batch(BatchId(0));
    // The next nonce of that order is the share's.
    cluster.inject(3, &Signed::SigningData { id, attempt: Attempt(0), round: Round::Share, pieces });
    cluster.turn();
    assert_eq!(cluster.fatal(3), Some(Cause::WrongCount));
}

#[test]
fn nonces_under_our_name_which_are_not_ours_are_refused_for_that_attempt_alone() {
    // CONF-4, as after the restoration of an older backup.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest, Honest, Honest, Silent]);
    let commitments = {
        let key = coordinator_keys::SecretKey::from_bytes(&[1; 32]).unwrap();
        let seed = zeroize::Zeroizing::new([9; 32]);
        crate::session::musig::preprocess(super::cluster::CHAIN, set(), &key, &seed).unwrap()
    };
    cluster
        .inject(0, &Signed::ConfirmationNonces { attempt: Attempt(0), commitments, key_pair: key_pair(0) });
    cluster.run_to_batches(80);
    cluster.assert_agreement();
    let refused =
        |n: &crate::Notice| matches!(n.event, Event::ConfirmationRefused { attempt: Attempt(0), .. });
    assert!(cluster.nodes[0].notices.iter().any(refused));
    assert_eq!(cluster.points(0), 10, "it missed the share of that attempt");
}
