//! Transactions on the network: agreed on, signed, seen, over.

use processor_messages::{
    Account, Amount, Attempt, BaseBlock, Burn, Bytes, FromProcessor, Session, TransactionId, base_chain,
};

use super::cluster::{Cluster, Manner, Manner::*, network, payment, set, status};
use coordinator_base_chain::Event;
use coordinator_store::Store;

use crate::session::{own, transaction::Provided};

/// A cluster with keys whose first batches are executed.
fn settled(weights: &[u16], manners: &[Manner]) -> Cluster {
    let mut cluster = Cluster::new(weights, manners);
    cluster.run_to_batches(120);
    cluster
}

/// Burns in a block of the base chain; its number.
fn burn(cluster: &mut Cluster) -> BaseBlock {
    let burn = Burn {
        from: Account([9; 32]),
        amount: Amount(5),
        destination: Bytes::new(b"somewhere".to_vec()).unwrap(),
    };
    cluster.push_base(vec![Event::Burn { network: network(), burn }]);
    cluster.base_blocks.last().unwrap().number()
}

fn open(cluster: &Cluster) -> usize {
    status(&cluster.nodes[0]).topics.len()
}

/// `SIGN-23`, `COORD-17`.
#[test]
fn a_transaction_is_signed_and_its_topic_closes_once_the_network_has_it() {
    let mut cluster = settled(&[1, 1, 1, 1], &[Honest; 4]);
    let blocks = [burn(&mut cluster), burn(&mut cluster)];
    cluster.run_until(40, |c| c.on_network.len() == 2);
    (0..3).for_each(|_| cluster.turn());
    assert_eq!(open(&cluster), 0, "{:?}", status(&cluster.nodes[0]).topics);
    assert!(blocks.iter().all(|block| cluster.on_network.contains(&payment(*block))));
    cluster.assert_agreement();
    let length = cluster.log.len();
    (0..40).for_each(|_| cluster.turn());
    let after = &cluster.log[length..];
    assert!(after.iter().all(|block| block.transactions.is_empty()), "nothing is left to say");
}

#[test]
fn an_open_transaction_is_shown_with_its_attempt() {
    let mut cluster = settled(&[1, 1, 1, 1], &[Honest; 4]);
    let block = burn(&mut cluster);
    cluster.run_until(40, |c| open(c) == 1);
    let topic = &status(&cluster.nodes[0]).topics[0];
    assert!(topic.topic.contains(&payment(block).to_string()), "{topic:?}");
    assert_eq!(topic.attempt, Attempt(0));
}

/// Whoever of less than a third is silent, keeps its shares, or sends preprocesses which are none: the others pay.
#[test]
fn any_t_weight_of_honest_validators_pays_whatever_the_others_do() {
    for manner in [Silent, WithholdsShares, BadPreprocess] {
        for faulty in 0..4 {
            let mut manners = [Honest; 4];
            manners[faulty] = manner;
            let mut cluster = settled(&[1, 1, 1, 1], &manners);
            burn(&mut cluster);
            cluster.run_until(120, |c| c.on_network.len() == 1);
            (0..3).for_each(|_| cluster.turn());
            assert_eq!(open(&cluster), 0, "{manner:?} {faulty}");
            assert!((0..4).all(|i| (i == faulty) || cluster.fatal(i).is_none()));
            cluster.assert_agreement();
        }
    }
}

#[test]
fn validators_of_several_shares_pay_while_one_is_silent() {
    let mut cluster = settled(&[3, 3, 2, 2], &[Honest, Honest, Honest, Silent]);
    burn(&mut cluster);
    cluster.run_until(40, |c| c.on_network.len() == 1);
    cluster.assert_agreement();
}

/// `SIGN-23`: the network may be seen before the base chain is.
#[test]
fn a_completion_before_the_agreement_closes_the_topic_at_once() {
    let mut cluster = settled(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.on_network.push(payment(BaseBlock(77)));
    (0..3).for_each(|_| cluster.turn());
    let early = TransactionId([77; 32]);
    for node in &mut cluster.nodes {
        let transactions = processor_messages::List::new(vec![(Session(0), early)]).unwrap();
        let acknowledged =
            base_chain::FromProcessor::BlockAcknowledged { block: BaseBlock(77), transactions };
        node.hear(FromProcessor::BaseChain(acknowledged));
    }
    (0..3).for_each(|_| cluster.turn());
    assert_eq!(open(&cluster), 0);
    cluster.assert_agreement();
}

/// `COORD-17`.
#[test]
fn transactions_of_a_session_which_is_not_ours_or_over_are_dropped() {
    let mut cluster = settled(&[1, 1, 1, 1], &[Honest; 4]);
    let genesis = cluster.spec().genesis;
    let completed = |session| {
        let id = TransactionId([3; 32]);
        FromProcessor::BaseChain(base_chain::FromProcessor::TransactionCompleted { session, id })
    };
    let kind = Provided::TransactionCompleted { id: TransactionId([3; 32]) }.kind();
    let provided = |cluster: &Cluster| {
        cluster.nodes[0].store.read(|db| own::provided(db, genesis, kind, 0, 9)).unwrap().len()
    };
    cluster.nodes[0].hear(completed(Session(4)));
    assert_eq!(provided(&cluster), 0);
    cluster.nodes[0].hear(completed(Session(0)));
    assert_eq!(provided(&cluster), 1);
    cluster.push_base(vec![Event::SetRetired { set: set(), reported: true }]);
    cluster.nodes[0].hear(completed(Session(0)));
    assert_eq!(provided(&cluster), 1);
}
