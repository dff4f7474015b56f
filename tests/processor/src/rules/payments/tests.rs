use coordinator_base_chain::NetworkCurve;
use coordinator_store::Store;
use processor_messages::{
    Attempt, Incarnation, ToProcessor,
    sign::{self, SignId},
};

use super::*;
use crate::{
    dkg::dealt::Dealt,
    ledger::{MAX_OUTPUTS, Output},
    tests::cluster::{
        Cluster, Payments, SESSION, acknowledged, burning, burns, completions, from_the_beginning,
        preprocesses_in,
    },
};

const SELECTED: [usize; 3] = [0, 1, 3];

fn on(curve: NetworkCurve, weights: &[u16]) -> (Cluster, KeyPair, Payments) {
    let mut cluster = Cluster::on(curve, weights, std::sync::Arc::new(Dealt));
    let pair = cluster.generate();
    cluster.tell_all(&Cluster::set_keys(&pair));
    cluster.indices().for_each(|node| drop(cluster.letters(node)));
    (cluster, pair, Payments::new(curve))
}

fn four() -> (Cluster, KeyPair, Payments) {
    on(NetworkCurve::Secp256k1, &[1, 1, 1, 1])
}

/// Burns in a block; what each node says to it, which is the same.
fn burn(cluster: &Cluster, block: u64, count: u16) -> Vec<(Session, TransactionId)> {
    cluster.tell_all(&burning(block, burns(count)));
    let said: Vec<_> =
        cluster.indices().map(|node| acknowledged(&cluster.letters(node), block).unwrap()).collect();
    assert!(said.windows(2).all(|two| two[0] == two[1]));
    said[0].clone()
}

fn attempt(id: TransactionId, attempt: u32) -> SignId {
    SignId { session: SESSION, id: SigningId::Transaction(id), attempt: Attempt(attempt) }
}

/// The selected nodes sign, and one of them pays; everybody looks.
fn pay(cluster: &Cluster, payments: &Payments, id: TransactionId) {
    cluster.sign(attempt(id, 0), &SELECTED);
    payments.pay(cluster, SELECTED[0]);
    payments.watch_all(cluster);
}

/// `PROC-14`, `PROC-16`: from the burn to what everybody says of its payment, on either curve.
#[test]
fn burns_are_paid_to_their_destinations_and_everybody_says_so() {
    for (curve, weights) in [
        (NetworkCurve::Secp256k1, [1, 1, 1, 1]),
        (NetworkCurve::Ed25519, [1, 1, 1, 1]),
        (NetworkCurve::Secp256k1, [3, 3, 2, 2]),
    ] {
        let (cluster, pair, payments) = on(curve, &weights);
        let planned = burn(&cluster, 7, 3);
        let [(session, id)] = planned[..] else { panic!("one payment") };
        assert_eq!(session, SESSION);
        pay(&cluster, &payments, id);
        let paid = payments.all();
        let [SignedPayment { payment, from, .. }] = &paid[..] else { panic!("one payment") };
        assert_eq!(*from, pair.network);
        let outputs: Vec<_> = burns(3)
            .into_iter()
            .map(|Burn { amount, destination, .. }| Output { destination, amount })
            .collect();
        assert_eq!(payment.outputs.to_vec(), outputs);
        for node in cluster.indices() {
            assert_eq!(completions(&cluster.letters(node)), [(SESSION, id)], "node {node}");
            let standing = cluster.nodes[node].processor.standings().unwrap();
            assert_eq!(standing, [Standing { session: SESSION, open: 0, completed: 1 }]);
        }
    }
}

/// `PROC-14`.
#[test]
fn a_processor_which_is_in_no_set_plans_the_same_and_sees_it_paid() {
    let (cluster, pair, payments) = four();
    let outsider = Cluster::new(&[1, 1, 1, 1]);
    outsider.tell(0, Cluster::set_keys(&pair));
    let planned = burn(&cluster, 7, 1);
    outsider.tell(0, burning(7, burns(1)));
    let letters = outsider.letters(0);
    assert_eq!(acknowledged(&letters, 7).unwrap(), planned);
    assert_eq!(preprocesses_in(&letters, attempt(planned[0].1, 0)), None);
    pay(&cluster, &payments, planned[0].1);
    payments.watch(&outsider, 0);
    assert_eq!(completions(&outsider.letters(0)), planned);
}

/// `PROC-14`.
#[test]
fn a_block_of_many_burns_makes_several_payments_each_of_its_own() {
    let (cluster, ..) = four();
    let most = u16::try_from(MAX_OUTPUTS).unwrap();
    assert_eq!(burn(&cluster, 7, most).len(), 1);
    let two = burn(&cluster, 8, most + 1);
    let full = burn(&cluster, 9, 1_024);
    assert_eq!((two.len(), full.len()), (2, 16));
    let all: std::collections::BTreeSet<_> = two.iter().chain(&full).collect();
    assert_eq!(all.len(), 18);
    assert_eq!(burn(&cluster, 10, 0), []);
}

/// `PROC-14`: the session whose keys came last before the block pays.
#[test]
fn the_session_whose_keys_came_last_pays() {
    let (cluster, mut pair, _) = four();
    assert_eq!(burn(&cluster, 7, 1)[0].0, SESSION);
    pair.base = [1; 32];
    cluster.tell_all(&Cluster::set_keys_of(Session(3), &pair));
    assert_eq!(burn(&cluster, 8, 1)[0].0, Session(3));
}

#[test]
fn burns_before_any_keys_are_acknowledged_and_not_planned() {
    let cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.tell(0, burning(7, burns(2)));
    assert_eq!(acknowledged(&cluster.letters(0), 7), Some(Vec::new()));
}

/// `PROC-16`: completions are said in the order of the account, whoever looked when.
#[test]
fn everybody_says_completions_in_the_account_s_order() {
    let (cluster, _, payments) = four();
    let ids: Vec<_> = (0..4).map(|i| burn(&cluster, 7 + i, 1)[0].1).collect();
    for id in &ids {
        cluster.sign(attempt(*id, 0), &SELECTED);
    }
    // Each of the signers is the first to hand over another.
    let waiting = cluster.nodes[0].processor.payments(9).unwrap();
    assert_eq!(waiting.len(), 4);
    for (turn, at) in [2_usize, 0, 3, 1].into_iter().enumerate() {
        payments.submit(&waiting[at]).unwrap();
        payments.watch(&cluster, turn % 2);
    }
    for node in SELECTED {
        payments.pay(&cluster, node);
    }
    payments.watch_all(&cluster);
    let expected: Vec<_> = [2, 0, 3, 1].iter().map(|at: &usize| (SESSION, ids[*at])).collect();
    for node in cluster.indices() {
        assert_eq!(completions(&cluster.letters(node)), expected, "node {node}");
    }
    assert_eq!(payments.all().len(), 4, "each was taken once");
}

/// `PROC-16`.
#[test]
fn a_payment_seen_before_its_burns_waits_and_so_does_what_comes_after_it() {
    let (cluster, _, payments) = four();
    let late = 2;
    let tell = |block| {
        for node in SELECTED {
            cluster.tell(node, burning(block, burns(1)));
        }
    };
    let ids: Vec<_> = [7, 8]
        .into_iter()
        .map(|block| {
            tell(block);
            let said = acknowledged(&cluster.letters(0), block).unwrap();
            for node in SELECTED {
                drop(cluster.letters(node));
            }
            said[0].1
        })
        .collect();
    // Paid in the order 8, 7.
    pay(&cluster, &payments, ids[1]);
    pay(&cluster, &payments, ids[0]);
    assert_eq!(completions(&cluster.letters(late)), []);
    cluster.tell(late, burning(7, burns(1)));
    payments.watch(&cluster, late);
    assert_eq!(completions(&cluster.letters(late)), [], "the first of the account is of block 8");
    cluster.tell(late, burning(8, burns(1)));
    payments.watch(&cluster, late);
    let expected = [(SESSION, ids[1]), (SESSION, ids[0])];
    for node in cluster.indices() {
        drop(cluster.letters(node));
        assert_eq!(completions(&cluster.said.borrow()[node]), expected);
    }
}

/// A session's account pays what nobody planned: more than t of its key shares would have signed it.
fn unplanned(cluster: &Cluster, payments: &Payments, block: u64) -> SignedPayment {
    let payment = Payment {
        session: SESSION,
        block: BaseBlock(block),
        index: 40,
        outputs: List::new(vec![Output {
            destination: Bytes::new(vec![1]).unwrap(),
            amount: processor_messages::Amount(1),
        }])
        .unwrap(),
    };
    let id = payment.id(&payments.ledger);
    let mut rng = rand_core::OsRng;
    for node in SELECTED {
        let me = crate::tests::cluster::processor_identity(node);
        let subject = Subject::Transaction { id, payment: payment.clone() };
        let store = &cluster.nodes[node].store;
        drop(
            store.write(|txn| signing::start(&mut Step::new(txn, &me, &mut rng), SESSION, subject)).unwrap(),
        );
    }
    cluster.sign(attempt(id, 0), &SELECTED);
    let signed = cluster.nodes[0].processor.payments(9).unwrap();
    signed.into_iter().find(|signed| signed.payment == payment).unwrap()
}

/// `PROC-16`: the order is the same for all who pass what is no plan, and nobody who is behind passes it too early.
#[test]
fn a_payment_which_is_no_plan_is_passed_once_its_block_is() {
    let (cluster, _, payments) = four();
    let foreign = unplanned(&cluster, &payments, 9);
    payments.submit(&foreign).unwrap();
    let id = burn(&cluster, 8, 1)[0].1;
    pay(&cluster, &payments, id);
    for node in cluster.indices() {
        assert_eq!(completions(&cluster.letters(node)), [], "block 9 might still hold a burn");
    }
    cluster.tell_all(&burning(9, Vec::new()));
    payments.watch_all(&cluster);
    for node in cluster.indices() {
        assert_eq!(completions(&cluster.letters(node)), [(SESSION, id)]);
    }
}

/// What is signed reaches the network, whatever happens between.
#[test]
fn a_signed_payment_is_handed_over_again_until_the_network_has_it() {
    let (mut cluster, _, payments) = four();
    let id = burn(&cluster, 7, 1)[0].1;
    cluster.sign(attempt(id, 0), &SELECTED);
    let before = cluster.nodes[0].processor.payments(9).unwrap();
    assert_eq!(before.len(), 1);
    cluster.restart(0);
    assert_eq!(cluster.nodes[0].processor.payments(9).unwrap(), before);
    // The network takes it, and the answer is lost.
    let first = payments.submit(&before[0]).unwrap();
    cluster.restart(0);
    let again = payments.submit(&cluster.nodes[0].processor.payments(9).unwrap()[0]).unwrap();
    assert_eq!((first.known, again.known, first.place), (false, true, again.place));
    payments.pay(&cluster, 0);
    assert_eq!(cluster.nodes[0].processor.payments(9).unwrap(), []);
    // Whoever has not handed it over needs not any more.
    assert_eq!(cluster.nodes[1].processor.payments(9).unwrap().len(), 1);
    payments.watch(&cluster, 1);
    assert_eq!(cluster.nodes[1].processor.payments(9).unwrap(), []);
    assert_eq!(payments.all().len(), 1);
}

#[test]
fn what_is_paid_is_signed_no_more() {
    let (cluster, _, payments) = four();
    let id = burn(&cluster, 7, 1)[0].1;
    pay(&cluster, &payments, id);
    cluster.indices().for_each(|node| drop(cluster.letters(node)));
    let id = attempt(id, 1);
    cluster.tell_all(&ToProcessor::Sign(sign::ToProcessor::Reattempt { id }));
    assert!(cluster.preprocesses(id).is_empty());
}

/// `PROC-8`: a new life begins no attempt of a payment which the former may have begun.
#[test]
fn a_new_life_plans_the_same_and_begins_only_what_the_former_life_cannot_have_begun() {
    let (mut cluster, pair, payments) = four();
    let planned = [burn(&cluster, 7, 1), burn(&cluster, 8, 1)].concat();
    pay(&cluster, &payments, planned[0].1);
    cluster.wipe(1, 5_000_000);
    let life = Incarnation(5_000_000);
    cluster.resend(1, life);
    cluster.work(1);
    // Of the middle: of which session it would be is not known.
    cluster.tell(1, burning(8, burns(1)));
    assert_eq!(acknowledged(&cluster.letters(1), 8), None);
    cluster.tell(1, from_the_beginning(life, 8));
    cluster.tell(1, Cluster::set_keys(&pair));
    for block in [7, 8, 9] {
        cluster.tell(1, burning(block, burns(1)));
    }
    let letters = cluster.letters(1);
    let again: Vec<_> = [7, 8].iter().flat_map(|block| acknowledged(&letters, *block).unwrap()).collect();
    assert_eq!(again, planned);
    let new = acknowledged(&letters, 9).unwrap()[0].1;
    let began = |id| preprocesses_in(&letters, attempt(id, 0)).is_some();
    assert_eq!((began(planned[0].1), began(planned[1].1), began(new)), (false, false, true));
    // It takes part in the next attempt, and looks at the account from its beginning.
    let next = attempt(planned[1].1, 1);
    cluster.tell(1, ToProcessor::Sign(sign::ToProcessor::Reattempt { id: next }));
    assert!(preprocesses_in(&cluster.letters(1), next).is_some());
    payments.watch(&cluster, 1);
    assert_eq!(completions(&cluster.letters(1)), [planned[0]]);
}

#[test]
fn a_retired_session_is_not_looked_at_and_its_plans_are_forgotten() {
    let (cluster, mut pair, _) = four();
    let id = burn(&cluster, 7, 1)[0].1;
    pair.base = [1; 32];
    cluster.tell_all(&Cluster::set_keys_of(Session(1), &pair));
    let retired = base_chain::ToProcessor::SlashesReported { session: SESSION };
    cluster.tell(0, ToProcessor::BaseChain(retired));
    assert!(cluster.nodes[0].store.read(|db| are_settled_before(db, Session(1))).unwrap());
    assert!(!cluster.nodes[1].store.read(|db| are_settled_before(db, Session(1))).unwrap());
    let accounts = cluster.nodes[0].processor.accounts().unwrap();
    assert_eq!(accounts.iter().map(|(session, _)| *session).collect::<Vec<_>>(), [Session(1)]);
    assert!(preprocesses_in(&cluster.letters(0), attempt(id, 1)).is_none());
}

/// One of four sends rubbish or nothing in whichever round: the others complete in the next attempt.
#[test]
fn any_three_of_four_pay_whatever_the_fourth_does() {
    for faulty in 0..4_usize {
        for share_round in [false, true] {
            let (cluster, _, payments) = four();
            let id = burn(&cluster, 7, 1)[0].1;
            let others: Vec<_> = (0..4).filter(|node| *node != faulty).collect();
            let with: Vec<_> = (0..4).filter(|node| *node != others[2]).collect();
            let rubbish = || List::new(vec![processor_messages::SigningPiece::default()]).unwrap();
            let first = attempt(id, 0);
            let mut pieces: Vec<_> =
                with.iter().map(|node| (*node, cluster.preprocessed(*node, first).unwrap())).collect();
            let at = pieces.iter().position(|(node, _)| *node == faulty).unwrap();
            if share_round {
                cluster.send_preprocesses(&with, first, &cluster.pieces(&pieces));
                pieces = cluster.shares(&with, first);
                pieces[at].1 = rubbish();
                cluster.send_shares(&others[..2], first, &cluster.pieces(&pieces));
            } else {
                pieces[at].1 = rubbish();
                cluster.send_preprocesses(&others[..2], first, &cluster.pieces(&pieces));
            }
            let culprit = cluster.participants(faulty)[0];
            for node in &others[..2] {
                let letters = cluster.letters(*node);
                let blamed = FromProcessor::Sign(sign::FromProcessor::InvalidParticipant {
                    id: first,
                    participant: culprit,
                });
                assert!(letters.contains(&blamed), "{faulty} {share_round}");
            }
            let next = attempt(id, 1);
            cluster.tell_all(&ToProcessor::Sign(sign::ToProcessor::Reattempt { id: next }));
            cluster.sign(next, &others);
            payments.pay(&cluster, others[0]);
            payments.watch_all(&cluster);
            assert_eq!(completions(&cluster.letters(others[1])), [(SESSION, id)]);
        }
    }
}
