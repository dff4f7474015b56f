//! An attempt which fails and the one that follows, of each kind of signing (`PROC-7`).

use std::{collections::BTreeSet, sync::Arc};

use coordinator_base_chain::{NetworkCurve, signing};
use processor_messages::{
    FromProcessor, KeyPair, List, ToProcessor, ValidatorSet, coordinator,
    sign::{self, OwnPieces, SignId, SigningId},
};

use super::cluster::{
    CHAIN, Cluster, KEYS_AT_SECS, Payments, SESSION, acknowledged, batch_id, burning, burns, network, sign_id,
};
use crate::{dkg::dealt::Dealt, rules::batches::ACTIVATION_MS};

/// Who is selected for attempt 0, of whom one never shares.
const FIRST: [usize; 3] = [0, 1, 3];
const SILENT: usize = 1;
/// Who is selected for attempt 1: two of them have shared before.
const SECOND: [usize; 3] = [0, 2, 3];
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

/// `PROC-7`: in attempt 0 somebody's shares never come; attempt 1, with another set, is valid. No nonce and no share
/// is in both, and what was preprocessed for attempt 0 signs with no other set, even then.
#[test]
fn every_kind_of_signing_succeeds_in_a_second_attempt_with_nonces_of_its_own() {
    for (curve, weights) in [(NetworkCurve::Secp256k1, [1, 1, 1, 1]), (NetworkCurve::Ed25519, [3, 3, 2, 2])] {
        let mut cluster = Cluster::on(curve, &weights, Arc::new(Dealt));
        let pair = cluster.generate();
        cluster.tell_all(&Cluster::set_keys(&pair));
        let all: Vec<usize> = cluster.indices().collect();
        let mut seen = BTreeSet::new();
        for id in begin(&cluster) {
            let first = preprocessed(&cluster, &all, id);
            let shares = share(&cluster, &FIRST, id);
            let told: Vec<_> = shares.iter().filter(|(node, _)| *node != SILENT).cloned().collect();
            cluster.send_shares(&FIRST, id, &cluster.pieces(&told));

            let next = SignId { attempt: id.attempt.next(), ..id };
            cluster.tell_all(&ToProcessor::Sign(sign::ToProcessor::Reattempt { id: next }));
            let second = preprocessed(&cluster, &all, next);
            let others: Vec<_> = first.iter().filter(|(node, _)| SECOND.contains(node)).cloned().collect();
            cluster.send_preprocesses(&FIRST, id, &cluster.pieces(&others));
            assert_eq!(cluster.shares(&FIRST, id), [], "a second set for the nonces of attempt 0: {id:?}");

            let again = share(&cluster, &SECOND, next);
            for piece in each(&first).chain(each(&shares)).chain(each(&second)).chain(each(&again)) {
                assert!(seen.insert(piece), "twice the same: {id:?}");
            }
            cluster.send_shares(&SECOND, next, &cluster.pieces(&again));
            for node in SECOND {
                let signed =
                    is_signed(&cluster, &pair, node, id.id) || is_paid(&cluster, &pair, curve, node, id.id);
                assert!(signed, "node {node}: {id:?} on {curve}");
            }
        }
    }
}
