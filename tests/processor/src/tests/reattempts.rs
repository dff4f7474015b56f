//! An attempt which fails and the one that follows, of each kind of signing (`PROC-7`).

use std::{collections::BTreeSet, sync::Arc};

use coordinator_base_chain::{NetworkCurve, signing};
use processor_messages::{
    Attempt, FromProcessor, KeyPair, List, ToProcessor, ValidatorSet, coordinator,
    sign::{self, OwnPieces, SignId, SigningId},
};

use super::cluster::{
    CHAIN, Cluster, KEYS_AT_SECS, Payments, SESSION, acknowledged, batch_id, burning, burns, network, sign_id,
};
use crate::{dkg::dealt::Dealt, rules::batches::ACTIVATION_MS};

/// Who is selected for the attempts which fail, in turn, and who of them never shares.
const FAILING: [([usize; 3], usize); 3] = [([0, 1, 3], 1), ([0, 2, 3], 2), ([1, 2, 3], 3)];
/// Who is selected for the one which succeeds.
const LAST: [usize; 3] = [0, 1, 2];
/// How many attempts fail.
const FAILURES: u32 = 9;
/// A time at which the session has a batch to make.
const NOW: u64 = KEYS_AT_SECS * 1_000 + ACTIVATION_MS + 10_000;

/// Begins a cosign, a batch, a slash report and a payment.
fn begin(cluster: &Cluster) -> [SignId; 4] {
    let cosign = cluster.cosign(5);
    for node in cluster.indices() {
        while cluster.nodes[node].processor.scan(NOW).unwrap().0 {}
    }
    cluster.tell_all(&ToProcessor::Coordinator(coordinator::ToProcessor::SignSlashReport {
        session: SESSION,
        report: List::default(),
    }));
    cluster.indices().for_each(|node| drop(cluster.letters(node)));
    cluster.tell_all(&burning(7, burns(2)));
    let said = acknowledged(&cluster.letters(0), 7).unwrap();
    [
        cosign,
        batch_id(0, 0),
        sign_id(SigningId::SlashReport, 0),
        sign_id(SigningId::Transaction(said[0].1), 0),
    ]
}

/// The pieces which these nodes preprocessed for an attempt.
fn preprocessed(cluster: &Cluster, nodes: &[usize], id: SignId) -> Vec<(usize, OwnPieces)> {
    nodes.iter().map(|node| (*node, cluster.preprocessed(*node, id).unwrap())).collect()
}

/// The selected exchange what they preprocessed; their shares.
fn share(cluster: &Cluster, selected: &[usize], id: SignId) -> Vec<(usize, OwnPieces)> {
    let preprocesses = preprocessed(cluster, selected, id);
    cluster.send_preprocesses(selected, id, &cluster.pieces(&preprocesses));
    let shares = cluster.shares(selected, id);
    assert_eq!(shares.len(), selected.len(), "everybody shares: {id:?}");
    shares
}

/// Whether a node said what the session's key signed under this id, or holds the payment for the network to take.
fn is_signed(cluster: &Cluster, pair: &KeyPair, node: usize, id: SigningId) -> bool {
    use coordinator::FromProcessor as C;
    let set = ValidatorSet { network: network(), session: SESSION };
    drop(cluster.letters(node));
    let said = cluster.said.borrow()[node].clone();
    let verifies = |message: Vec<u8>, signature| signing::verify(&pair.base, &message, signature);
    said.iter().any(|letter| match (letter, id) {
        (FromProcessor::Coordinator(C::CosignedBlock { .. }), SigningId::Cosign(_)) => {
            Cluster::verify_cosign(pair, letter)
        }
        (FromProcessor::Coordinator(C::SignedBatch { batch: signed, .. }), SigningId::Batch(batch)) => {
            (signed.batch.id == batch)
                && verifies(signing::batch_message(CHAIN, &signed.batch), &signed.signature)
        }
        (
            FromProcessor::Coordinator(C::SignedSlashReport { report, signature, .. }),
            SigningId::SlashReport,
        ) => verifies(signing::slash_report_message(CHAIN, set, report), signature),
        _ => false,
    })
}

/// Whether the network takes what a node holds of a payment as signed by the session's account.
fn is_paid(cluster: &Cluster, pair: &KeyPair, curve: NetworkCurve, node: usize, id: SigningId) -> bool {
    let payments = Payments::new(curve);
    payments.pay(cluster, node);
    let taken = |signed: &crate::ledger::SignedPayment| {
        (signed.from == pair.network) && (SigningId::Transaction(signed.payment.id(&payments.ledger)) == id)
    };
    payments.all().iter().any(taken)
}

/// All pieces one by one.
fn each(pieces: &[(usize, OwnPieces)]) -> impl Iterator<Item = Vec<u8>> {
    pieces.iter().flat_map(|(_, own)| own.iter().map(|piece| piece.to_vec()))
}

/// `PROC-7`: in nine attempts somebody's shares never come, and the tenth is valid. No nonce and no share is in two, and what was preprocessed for an attempt signs with no other set, also when a later one is under way.
#[test]
fn every_kind_of_signing_succeeds_in_a_later_attempt_with_nonces_of_its_own() {
    for (curve, weights) in [(NetworkCurve::Secp256k1, [1, 1, 1, 1]), (NetworkCurve::Ed25519, [3, 3, 2, 2])] {
        let mut cluster = Cluster::on(curve, &weights, Arc::new(Dealt));
        let pair = cluster.generate();
        cluster.tell_all(&Cluster::set_keys(&pair));
        let mut seen = BTreeSet::new();
        for id in begin(&cluster) {
            let signed = |node: usize| {
                is_signed(&cluster, &pair, node, id.id) || is_paid(&cluster, &pair, curve, node, id.id)
            };
            let mut former = None;
            let failing = FAILING.into_iter().cycle().map(|(selected, silent)| (selected, Some(silent)));
            let attempts = failing.take(FAILURES as usize).chain([(LAST, None)]);
            for ((selected, silent), attempt) in attempts.zip(0..) {
                assert!(!cluster.indices().any(signed), "before attempt {attempt}: {id:?}");
                let id = SignId { attempt: Attempt(attempt), ..id };
                attempt_with(&cluster, id, (&selected, silent), &mut seen);
                if let Some((id, former)) = former.replace((id, selected)) {
                    refuse_a_second_set(&cluster, id, &former, &selected);
                }
            }
            for node in cluster.indices() {
                assert_eq!(signed(node), LAST.contains(&node), "node {node}: {id:?} on {curve}");
            }
        }
    }
}

/// All preprocess, the selected share, and hear of all shares but those of the silent one.
fn attempt_with(
    cluster: &Cluster,
    id: SignId,
    (selected, silent): (&[usize], Option<usize>),
    seen: &mut BTreeSet<Vec<u8>>,
) {
    if id.attempt > Attempt(0) {
        cluster.tell_all(&ToProcessor::Sign(sign::ToProcessor::Reattempt { id }));
    }
    let all: Vec<usize> = cluster.indices().collect();
    let preprocesses = preprocessed(cluster, &all, id);
    let shares = share(cluster, selected, id);
    for piece in each(&preprocesses).chain(each(&shares)) {
        assert!(seen.insert(piece), "twice the same: {id:?}");
    }
    let told: Vec<_> = shares.into_iter().filter(|(node, _)| Some(*node) != silent).collect();
    cluster.send_shares(selected, id, &cluster.pieces(&told));
}

/// What was preprocessed for a former attempt, sent with the pieces of those who are selected now.
fn refuse_a_second_set(cluster: &Cluster, id: SignId, former: &[usize], now: &[usize]) {
    let others = preprocessed(cluster, now, id);
    cluster.send_preprocesses(former, id, &cluster.pieces(&others));
    assert_eq!(cluster.shares(former, id), [], "a second set for the nonces of an attempt: {id:?}");
}
