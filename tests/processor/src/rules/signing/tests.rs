use std::collections::BTreeSet;

use coordinator_base_chain::signing as base_signing;
use coordinator_store::Store;
use processor_messages::{KeyPair, ToProcessor};
use proptest::prelude::*;

use super::*;
use crate::tests::cluster::{CHAIN, Cluster, SESSION, batch_id, preprocesses_in, shares_in, sign_id};

fn invalid(letters: &[FromProcessor]) -> Vec<Participant> {
    letters
        .iter()
        .filter_map(|letter| match letter {
            FromProcessor::Sign(sign::FromProcessor::InvalidParticipant { participant, .. }) => {
                Some(*participant)
            }
            _ => None,
        })
        .collect()
}

fn four() -> (Cluster, KeyPair) {
    Cluster::with_keys(&[1, 1, 1, 1])
}

const SELECTED: [usize; 3] = [0, 1, 3];

/// A cosign whose preprocesses are in: the id and the pieces of the selected.
fn preprocessed(cluster: &Cluster) -> (SignId, Vec<(usize, OwnPieces)>) {
    let id = cluster.cosign(5);
    let mut all = cluster.preprocesses(id);
    assert_eq!(all.len(), cluster.nodes.len());
    all.retain(|(node, _)| SELECTED.contains(node));
    (id, all)
}

/// As [`preprocessed`], with the shares of the selected.
fn shared(cluster: &Cluster) -> (SignId, Vec<(usize, OwnPieces)>) {
    let (id, preprocesses) = preprocessed(cluster);
    cluster.send_preprocesses(&SELECTED, id, &cluster.pieces(&preprocesses));
    let shares = cluster.shares(&SELECTED, id);
    assert_eq!(shares.len(), SELECTED.len());
    (id, shares)
}

#[test]
fn each_selected_processor_completes_a_signature_of_the_session_s_key() {
    let (cluster, pair) = four();
    let (id, shares) = shared(&cluster);
    cluster.send_shares(&SELECTED, id, &cluster.pieces(&shares));
    for node in SELECTED {
        let letters = cluster.letters(node);
        assert!(letters.iter().any(|letter| Cluster::verify_cosign(&pair, letter)), "node {node}");
    }
}

#[test]
fn validators_of_several_shares_sign_with_each_of_them() {
    let (cluster, pair) = Cluster::with_keys(&[3, 3, 2, 2]);
    let id = cluster.cosign(5);
    let mut preprocesses = cluster.preprocesses(id);
    assert_eq!(preprocesses[0].1.len(), 3);
    preprocesses.remove(2);
    let selected = [0, 1, 3];
    cluster.send_preprocesses(&selected, id, &cluster.pieces(&preprocesses));
    let shares = cluster.shares(&selected, id);
    cluster.send_shares(&selected, id, &cluster.pieces(&shares));
    assert!(cluster.letters(3).iter().any(|letter| Cluster::verify_cosign(&pair, letter)));
}

#[test]
fn a_slash_report_is_signed_as_the_base_chain_verifies_it() {
    let (cluster, pair) = four();
    let report: SlashReport = List::default();
    cluster.tell_all(&ToProcessor::Coordinator(coordinator::ToProcessor::SignSlashReport {
        session: SESSION,
        report: report.clone(),
    }));
    let id = sign_id(SigningId::SlashReport, 0);
    let mut preprocesses = cluster.preprocesses(id);
    preprocesses.remove(2);
    cluster.send_preprocesses(&SELECTED, id, &cluster.pieces(&preprocesses));
    let shares = cluster.shares(&SELECTED, id);
    cluster.send_shares(&SELECTED, id, &cluster.pieces(&shares));
    let set = ValidatorSet { network: crate::tests::cluster::network(), session: SESSION };
    let message = base_signing::slash_report_message(CHAIN, set, &report);
    assert!(cluster.letters(0).iter().any(|letter| matches!(
        letter,
        FromProcessor::Coordinator(coordinator::FromProcessor::SignedSlashReport { signature, .. })
            if base_signing::verify(&pair.base, &message, signature)
    )));
}

/// `PROC-7`: our own preprocess on the tributary differs from the one which the store holds.
#[test]
fn an_attempt_with_another_own_preprocess_is_refused_for_good() {
    let (cluster, _) = four();
    let (id, mut preprocesses) = preprocessed(&cluster);
    let right = cluster.pieces(&preprocesses);
    preprocesses[0].1 = preprocesses[1].1.clone();
    cluster.send_preprocesses(&[0], id, &cluster.pieces(&preprocesses));
    assert_eq!(cluster.letters(0), []);
    // Under another intent than the first, as another life's would be.
    let mut rng = rand_core::OsRng;
    let processor = &cluster.nodes[0];
    let again = processor.store.write(|txn| {
        let me = crate::tests::cluster::processor_identity(0);
        let mut step = Step::new(txn, &me, &mut rng);
        on_preprocesses(&mut step, id, right)?;
        Ok::<_, Error>(step.notices)
    });
    assert!(matches!(again.unwrap().0[..], [Notice::Ignored { .. }]));
    assert_eq!(cluster.letters(0), []);
}

/// `PROC-7`: nonces sign with the first set only, whatever comes later.
#[test]
fn a_second_signing_set_of_an_attempt_gets_no_share() {
    let (cluster, _) = four();
    let id = cluster.cosign(5);
    let all = cluster.preprocesses(id);
    let set = |nodes: [usize; 3]| {
        let chosen: Vec<_> = all.iter().filter(|(node, _)| nodes.contains(node)).cloned().collect();
        cluster.pieces(&chosen)
    };
    cluster.send_preprocesses(&[0], id, &set([0, 1, 2]));
    assert!(shares_in(&cluster.letters(0), id).is_some());
    let mut rng = rand_core::OsRng;
    let second = cluster.nodes[0].store.write(|txn| {
        let me = crate::tests::cluster::processor_identity(0);
        let mut step = Step::new(txn, &me, &mut rng);
        on_preprocesses(&mut step, id, set([0, 1, 3]))?;
        Ok::<_, Error>(step.notices)
    });
    assert!(matches!(second.unwrap().0[..], [Notice::Ignored { .. }]));
    assert_eq!(cluster.letters(0), []);
}

/// `PROC-7`: a crash between any two steps changes no byte of what is sent.
#[test]
fn a_restart_sends_the_same_preprocess_and_share_again() {
    let (mut cluster, pair) = four();
    let (id, preprocesses) = preprocessed(&cluster);
    cluster.restart(0);
    let pieces = cluster.pieces(&preprocesses);
    let before = cluster.nodes[0].store.clone();
    cluster.send_preprocesses(&SELECTED, id, &pieces);
    let letters = cluster.nodes[0].processor.letters(10).unwrap();
    cluster.restart(0);
    assert_eq!(cluster.nodes[0].processor.letters(10).unwrap(), letters);
    drop(before);
    let shares = cluster.shares(&SELECTED, id);
    cluster.restart(0);
    cluster.send_shares(&SELECTED, id, &cluster.pieces(&shares));
    assert!(cluster.letters(0).iter().any(|letter| Cluster::verify_cosign(&pair, letter)));
}

#[test]
fn a_malformed_preprocess_names_its_participant() {
    for bytes in [vec![], vec![0; 64], vec![0xff; 64], vec![1; 65]] {
        let (cluster, _) = four();
        let (id, mut preprocesses) = preprocessed(&cluster);
        preprocesses[1].1 = List::new(vec![SigningPiece::new(bytes).unwrap()]).unwrap();
        cluster.send_preprocesses(&[0, 3], id, &cluster.pieces(&preprocesses));
        for node in [0, 3] {
            let letters = cluster.letters(node);
            assert_eq!(invalid(&letters), [Participant::new(2).unwrap()]);
            assert_eq!(shares_in(&letters, id), None);
        }
    }
}

#[test]
fn a_malformed_or_wrong_share_names_its_participant() {
    for wrong in [None, Some(vec![]), Some(vec![0xff; 32]), Some(vec![0; 33])] {
        let (cluster, _) = four();
        let (id, mut shares) = shared(&cluster);
        let wrong = wrong.unwrap_or_else(|| {
            let mut share = shares[1].1[0].to_vec();
            share[0] ^= 1;
            share
        });
        shares[1].1 = List::new(vec![SigningPiece::new(wrong).unwrap()]).unwrap();
        cluster.send_shares(&[0, 3], id, &cluster.pieces(&shares));
        for node in [0, 3] {
            assert_eq!(invalid(&cluster.letters(node)), [Participant::new(2).unwrap()]);
        }
    }
}

#[test]
fn a_reattempt_succeeds_after_a_faulty_attempt_with_fresh_nonces() {
    let (cluster, pair) = four();
    let (id, mut shares) = shared(&cluster);
    shares[1].1 = List::new(vec![SigningPiece::new(vec![0; 32]).unwrap()]).unwrap();
    cluster.send_shares(&SELECTED, id, &cluster.pieces(&shares));
    cluster.indices().for_each(|node| drop(cluster.letters(node)));
    let next = SignId { attempt: id.attempt.next(), ..id };
    cluster.tell_all(&ToProcessor::Sign(sign::ToProcessor::Reattempt { id: next }));
    let preprocesses = cluster.preprocesses(next);
    let set: Vec<_> = preprocesses.into_iter().filter(|(node, _)| *node != 1).collect();
    cluster.send_preprocesses(&[0, 2, 3], next, &cluster.pieces(&set));
    let shares = cluster.shares(&[0, 2, 3], next);
    cluster.send_shares(&[0, 2, 3], next, &cluster.pieces(&shares));
    assert!(cluster.letters(2).iter().any(|letter| Cluster::verify_cosign(&pair, letter)));
}

#[test]
fn no_two_attempts_share_a_nonce() {
    let (cluster, _) = four();
    let id = cluster.cosign(5);
    let mut seen = BTreeSet::new();
    for attempt in 0..10 {
        let id = SignId { attempt: Attempt(attempt), ..id };
        if attempt > 0 {
            cluster.tell_all(&ToProcessor::Sign(sign::ToProcessor::Reattempt { id }));
        }
        for (_, pieces) in cluster.preprocesses(id) {
            assert!(seen.insert(pieces[0].to_vec()));
        }
    }
    assert_eq!(seen.len(), 40);
}

#[test]
fn an_attempt_which_was_passed_is_not_begun() {
    let (cluster, _) = four();
    let id = cluster.cosign(5);
    drop(cluster.preprocesses(id));
    let at = |attempt| SignId { attempt: Attempt(attempt), ..id };
    cluster.tell(0, ToProcessor::Sign(sign::ToProcessor::Reattempt { id: at(3) }));
    assert!(preprocesses_in(&cluster.letters(0), at(3)).is_some());
    cluster.tell(0, ToProcessor::Sign(sign::ToProcessor::Reattempt { id: at(2) }));
    assert_eq!(cluster.letters(0), []);
}

#[test]
fn lists_which_no_honest_coordinator_hands_over_are_refused_without_blame() {
    let make = |cluster: &Cluster, preprocesses: &[(usize, OwnPieces)], kind: usize| -> Pieces {
        let mut list = cluster.pieces(preprocesses).into_inner();
        match kind {
            // Fewer than the threshold, a repeated one, not ascending, not of this set.
            0 => drop(list.pop()),
            1 => list.push(list[2].clone()),
            2 => list.swap(1, 2),
            _ => list[2].0 = Participant::new(9).unwrap(),
        }
        List::new(list).unwrap()
    };
    for kind in 0..4 {
        let (cluster, _) = four();
        let (id, preprocesses) = preprocessed(&cluster);
        cluster.send_preprocesses(&[0], id, &make(&cluster, &preprocesses, kind));
        assert_eq!(cluster.letters(0), [], "kind {kind}");
    }
}

#[test]
fn messages_of_unknown_signings_and_attempts_are_ignored() {
    let (cluster, _) = four();
    let (id, preprocesses) = preprocessed(&cluster);
    let pieces = cluster.pieces(&preprocesses);
    for unknown in
        [SignId { attempt: Attempt(7), ..id }, batch_id(9, 0), SignId { session: Session(4), ..id }]
    {
        cluster.send_preprocesses(&[0], unknown, &pieces);
        cluster.send_shares(&[0], unknown, &pieces);
        cluster.tell(
            0,
            ToProcessor::Sign(sign::ToProcessor::Reattempt { id: SignId { attempt: Attempt(8), ..unknown } }),
        );
    }
    assert!(invalid(&cluster.letters(0)).is_empty());
    // Shares before the preprocesses.
    cluster.send_shares(&[1], id, &pieces);
    assert_eq!(cluster.letters(1), []);
}

/// `PROC-9`.
#[test]
fn keys_on_the_base_chain_which_are_not_ours_halt_the_session() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    let mut pair = cluster.generate();
    pair.base = [1; 32];
    cluster.tell_all(&Cluster::set_keys(&pair));
    let id = cluster.cosign(5);
    assert!(cluster.preprocesses(id).is_empty());
}

/// `PROC-19`, and defect 12 of a system whose cosigner panicked here.
#[test]
fn preprocesses_of_a_superseded_cosign_after_a_newer_one_began_do_no_harm() {
    let (cluster, pair) = four();
    let (older, preprocesses) = preprocessed(&cluster);
    let newer = cluster.cosign(6);
    let newer_preprocesses = cluster.preprocesses(newer);
    cluster.send_preprocesses(&SELECTED, older, &cluster.pieces(&preprocesses));
    let shares = cluster.shares(&SELECTED, older);
    let chosen: Vec<_> = newer_preprocesses.into_iter().filter(|(node, _)| SELECTED.contains(node)).collect();
    cluster.send_preprocesses(&SELECTED, newer, &cluster.pieces(&chosen));
    let newer_shares = cluster.shares(&SELECTED, newer);
    cluster.send_shares(&SELECTED, newer, &cluster.pieces(&newer_shares));
    cluster.send_shares(&SELECTED, older, &cluster.pieces(&shares));
    for node in SELECTED {
        let cosigns: Vec<_> =
            cluster.letters(node).into_iter().filter(|l| Cluster::verify_cosign(&pair, l)).collect();
        assert_eq!(cosigns.len(), 2, "both are signed, each with its own nonces");
    }
}

/// `PROC-19`: what is forgotten is bounded, whatever comes about it in whichever round.
#[test]
fn ref_12_a_cosign_which_many_newer_ones_superseded_is_forgotten_with_its_nonces() {
    let (cluster, pair) = four();
    let (forgotten, preprocesses) = preprocessed(&cluster);
    let (_, kept_shares) = {
        let pieces = cluster.pieces(&preprocesses);
        cluster.send_preprocesses(&[3], forgotten, &pieces);
        (pieces, cluster.shares(&[3], forgotten))
    };
    let last = 6 + MAX_COSIGNS as u64;
    for block in 6..=last {
        cluster.cosign(block);
    }
    cluster.indices().for_each(|node| drop(cluster.letters(node)));
    cluster.send_preprocesses(&SELECTED, forgotten, &cluster.pieces(&preprocesses));
    cluster.send_shares(&[3], forgotten, &cluster.pieces(&kept_shares));
    cluster.tell_all(&ToProcessor::Sign(sign::ToProcessor::Reattempt {
        id: SignId { attempt: Attempt(1), ..forgotten },
    }));
    for node in cluster.indices() {
        assert_eq!(cluster.letters(node), [], "node {node}");
        let left =
            cluster.nodes[node].store.read(|db| ATTEMPTS.scan(db, &SESSION, None, 2 * MAX_COSIGNS)).unwrap();
        assert_eq!(left.len(), MAX_COSIGNS);
    }
    // The latest is signed all the same.
    let id = cluster.id(SigningId::Cosign(BaseBlock(last)), 0);
    cluster.sign(id, &SELECTED);
    assert!(cluster.letters(0).iter().any(|letter| Cluster::verify_cosign(&pair, letter)));
}

#[test]
fn a_completed_signing_leaves_no_nonce_behind() {
    let (cluster, _) = four();
    let (id, shares) = shared(&cluster);
    cluster.send_shares(&SELECTED, id, &cluster.pieces(&shares));
    let left = cluster.nodes[0].store.read(|db| ATTEMPTS.scan(db, &SESSION, None, 9)).unwrap();
    assert!(left.is_empty());
    assert_eq!(cluster.nodes[2].store.read(|db| ATTEMPTS.scan(db, &SESSION, None, 9)).unwrap().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any foreign bytes end in a share, a named culprit other than us, or a refusal: never a panic.
    #[test]
    fn foreign_pieces_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..130), which in 1..3_usize, share_round in any::<bool>(),
    ) {
        let (cluster, _) = four();
        let wrong: OwnPieces = List::new(vec![SigningPiece::new(bytes).unwrap()]).unwrap();
        let (id, mut pieces) = if share_round { shared(&cluster) } else { preprocessed(&cluster) };
        pieces[which].1 = wrong;
        let pieces = cluster.pieces(&pieces);
        if share_round {
            cluster.send_shares(&[0], id, &pieces);
        } else {
            cluster.send_preprocesses(&[0], id, &pieces);
        }
        for culprit in invalid(&cluster.letters(0)) {
            prop_assert_eq!(Some(culprit), Participant::new([1, 2, 4][which]));
        }
    }
}
