//! Cosigns among the rules' cluster, and who was away while things were agreed on, signed and done.

use coordinator_base_chain::Event as ChainEvent;
use coordinator_store::Store;
use processor_messages::{
    Account, Amount, Attempt, BaseBlock, BatchId, Burn, Bytes, TributaryBlock, sign::SigningId,
};

use super::cluster::{COSIGN_DISTANCE, Cluster, Manner, Manner::*, Node, network, payment, status};
use crate::{
    batch, cosign,
    notice::Event,
    session::{topic::Topic, transaction::Signed},
};

/// A block of the base chain with burns, so many blocks after the last one that it is to be cosigned; its number.
fn burn(cluster: &mut Cluster) -> BaseBlock {
    (0..2 * COSIGN_DISTANCE).for_each(|_| cluster.push_base(Vec::new()));
    let (from, amount) = (Account([9; 32]), Amount(5));
    let burn = Burn { from, amount, destination: Bytes::new(b"somewhere".to_vec()).unwrap() };
    cluster.push_base(vec![ChainEvent::Burn { network: network(), burn }]);
    cluster.base_blocks.last().unwrap().number()
}

/// A cluster which cosigns, and whose set has keys.
fn cosigning(weights: &[u16], manners: &[Manner]) -> Cluster {
    let mut cluster = Cluster::new(weights, manners);
    cluster.cosigns = true;
    cluster.batches = 2;
    cluster.run_until(60, |c| c.set_keys.is_some());
    cluster
}

fn latest(node: &Node) -> Option<BaseBlock> {
    node.store.read(|db| cosign::latest_of(db, network())).unwrap().map(|cosign| cosign.block)
}

/// The last attempt of a topic which a node saw.
fn attempts(node: &Node, of: Topic) -> Option<Attempt> {
    let attempt = |notice: &crate::Notice| match &notice.event {
        Event::AttemptStarted { topic, attempt } if *topic == of => Some(*attempt),
        _ => None,
    };
    node.notices.iter().filter_map(attempt).max()
}

#[test]
fn a_cosign_is_signed_in_a_later_attempt_and_closes_its_topic_at_every_node() {
    // COSIGN-3, COSIGN-4, SIGN-9: the first who answers keeps its share.
    let mut cluster = cosigning(&[3, 3, 2, 2], &[Honest; 4]);
    cluster.run_to_batches(80);
    cluster.nodes[0].manner = WithholdsShares;
    let block = burn(&mut cluster);
    let topic = Topic::Signing(SigningId::Cosign(block));
    let is_open = |node: &Node| status(node).topics.iter().any(|t| t.topic.contains("Cosign"));
    cluster.run_until(10, |c| c.nodes.iter().all(is_open));
    assert!(cluster.nodes.iter().all(|node| latest(node) != Some(block)));
    cluster.run_until(60, |c| c.nodes.iter().all(|node| latest(node) == Some(block)));
    (0..3).for_each(|_| cluster.turn());
    for node in &cluster.nodes {
        assert!(attempts(node, topic) >= Some(Attempt(1)), "{:?}", attempts(node, topic));
        assert!(!is_open(node), "{:?}", status(node).topics);
        assert_eq!(node.store.read(|db| cosign::wanted(db)).unwrap(), None, "nothing is waited for");
    }
    cluster.assert_agreement();
}

#[test]
fn who_missed_ten_thousand_blocks_says_nothing_which_is_no_longer_due() {
    // SIGN-24, COSIGN-3, SIGN-23: no preprocess of batches, payments and cosigns which are over, though its processor
    // answers to each block of those when they were not.
    let mut cluster = cosigning(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.nodes[3].down = true;
    cluster.run_to_batches(60);
    let mut blocks = Vec::new();
    for _ in 0..4 {
        blocks.push(burn(&mut cluster));
        let paid = blocks.len();
        cluster.run_until(60, |c| c.on_network.len() == paid);
        (0..20).for_each(|_| cluster.turn());
    }
    while cluster.log.len() < 10_000 {
        cluster.turn();
    }
    assert!(status(&cluster.nodes[0]).topics.is_empty(), "everything is over");
    assert!(blocks.iter().all(|block| cluster.on_network.contains(&payment(*block))));
    assert_eq!(latest(&cluster.nodes[0]), blocks.last().copied());

    let said = cluster.come_back(3);
    assert!(said.is_empty(), "{said:?}");
    (0..10).for_each(|_| cluster.turn());
    assert_eq!(status(&cluster.nodes[3]).applied_block, TributaryBlock(10_010));
    assert!(cluster.log[10_000..].iter().all(|block| block.transactions.is_empty()), "nor afterwards");
    cluster.assert_agreement();
    let expected = cluster.nodes[3].store.read(|db| batch::progress(db, network())).unwrap().verified;
    assert_eq!(expected, BatchId(2), "it knows what became of all of it");

    // And what is due it says.
    burn(&mut cluster);
    (0..4).for_each(|_| cluster.turn());
    let (me, mut says) = (cluster.nodes[3].validator(), Vec::new());
    for transaction in cluster.log[10_010..].iter().flat_map(|block| &block.transactions) {
        if let crate::session::transaction::Ordered::Signed { signer, payload, .. } = transaction
            && *signer == me
        {
            says.push(Signed::from_bytes(payload).unwrap());
        }
    }
    assert!(says.iter().any(|said| matches!(said, Signed::SigningData { id: SigningId::Cosign(_), .. })));
    assert!(
        says.iter().any(|said| matches!(said, Signed::SigningData { id: SigningId::Transaction(_), .. }))
    );
}

#[test]
fn ref_14_a_network_without_a_processor_here_is_followed_and_gathers_no_messages() {
    // Defect 14: an unknown pair of the queue ended it.
    let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
    let mut node = Node::new(3, Honest);
    node.identity.networks = Vec::new();
    cluster.nodes[3] = node;
    cluster.restart(3);
    cluster.run_to_batches(60);
    let waiting = cluster.nodes[3].store.read(|db| crate::outbox::messages(db, network())).unwrap();
    assert_eq!(waiting, 0);
    assert!(cluster.nodes[3].processor.received.is_empty() && status(&cluster.nodes[3]).halted.is_none());
    cluster.nodes[3].step(|step| crate::processor::deliver(step, network())).unwrap();
    assert_eq!(cluster.nodes[3].store.read(|db| crate::outbox::messages(db, network())).unwrap(), 0);
    cluster.assert_agreement();
}
