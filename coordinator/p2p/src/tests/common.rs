//! Topics of everybody on the allow-list.

use super::*;
use crate::{P2pError, Quota, Reason};

const TOPIC: u8 = 0xc0;

async fn common(cluster: &Cluster) -> Vec<Inbox> {
    let mut inboxes = Vec::new();
    for node in &cluster.nodes {
        inboxes.push(node.open_common(genesis(TOPIC)).await.unwrap());
    }
    inboxes
}

/// P2P-16
#[tokio::test]
async fn everybody_on_the_allow_list_is_a_member_whenever_it_joins() {
    let mut cluster = Cluster::start(3).await;
    let (two, all) = (cluster.peers()[..2].to_vec(), cluster.peers());
    for node in &cluster.nodes[..2] {
        node.set_peers(two.clone()).await.unwrap();
    }
    let mut inboxes = common(&cluster).await;
    all_reachable(&inboxes[0], 1).await;
    cluster.nodes[0].publish(genesis(TOPIC), b"two of us".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut inboxes[1]).await.bytes, b"two of us");

    for node in &cluster.nodes[..2] {
        node.set_peers(all.clone()).await.unwrap();
    }
    for inbox in &inboxes {
        all_reachable(inbox, 2).await;
    }
    cluster.nodes[2].publish(genesis(TOPIC), b"three of us".to_vec()).await.unwrap();
    for inbox in &mut inboxes[..2] {
        let message = gossip(inbox).await;
        assert_eq!((message.from, message.bytes.as_slice()), (validator(2), b"three of us".as_slice()));
    }

    // A question to one of them, and its answer.
    let ask = cluster.nodes[0].request(validator(2), genesis(TOPIC), b"what is new?".to_vec());
    let answer = async {
        let Some(Inbound::Request(request)) = soon(inboxes[2].recv()).await else { panic!("a request") };
        let (from, _, responder) = request.into_parts();
        assert_eq!(from, validator(0));
        responder.respond(b"nothing".to_vec());
    };
    let (answered, ()) = soon(async { tokio::join!(ask, answer) }).await;
    assert_eq!(answered, Ok(b"nothing".to_vec()));

    // Who leaves the list is no member any more.
    for node in &cluster.nodes[..2] {
        node.set_peers(two.clone()).await.unwrap();
    }
    all_reachable(&inboxes[0], 1).await;
    let gone = cluster.nodes[0].request(validator(2), genesis(TOPIC), Vec::new()).await;
    assert_eq!(gone, Err(P2pError::Unreachable));
    cluster.nodes.truncate(2);
    cluster.nodes[1].publish(genesis(TOPIC), b"two again".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut inboxes[0]).await.bytes, b"two again");
}

/// P2P-16
#[tokio::test]
async fn a_member_has_room_of_its_own_and_no_more() {
    let cluster = Cluster::start(3).await;
    let mut inboxes = common(&cluster).await;
    for inbox in &inboxes {
        all_reachable(inbox, 2).await;
    }
    for _ in 0..4 {
        cluster.nodes[1].publish(genesis(TOPIC), vec![1; 16 << 10]).await.unwrap();
    }
    until(|| cluster.nodes[0].counters().get(Reason::InboxFull) >= 3).await;
    cluster.nodes[2].publish(genesis(TOPIC), b"room".to_vec()).await.unwrap();
    let mut read = Vec::new();
    while !read.contains(&validator(2)) {
        read.push(gossip(&mut inboxes[0]).await.from);
    }
    assert_eq!(read, [validator(1), validator(2)]);
    assert_eq!(cluster.nodes[0].open_common(genesis(TOPIC)).await.unwrap_err(), P2pError::ChainOpen);
    cluster.nodes[0].close_chain(genesis(TOPIC)).await.unwrap();
    assert!(cluster.nodes[0].open_common(genesis(TOPIC)).await.is_ok());
}

/// P2P-16
#[tokio::test]
async fn a_validator_that_is_charged_beyond_its_quota_is_disconnected() {
    let quota = Quota { messages_per_second: 1, burst_messages: 350, ..Quota::default() };
    let cluster = Cluster::start_with(3, |_| Config { quota, ..config() }).await;
    cluster.all_connected().await;
    let mut connected = cluster.nodes[0].watch_connected();
    for _ in 0..4 {
        cluster.nodes[0].charge(validator(1)).await.unwrap();
    }
    soon(connected.wait_for(|set| !set.contains(&validator(1)))).await.unwrap();
    assert!(cluster.nodes[0].counters().get(Reason::Forged) >= 4);
    assert!(cluster.nodes[0].watch_connected().borrow().contains(&validator(2)));
}
