//! What members of chains may count on.

use coordinator_keys::SecretKey;

use super::*;
use crate::{P2pError, StartError};

/// P2P-5, P2P-7
#[tokio::test]
async fn gossip_reaches_every_member_of_its_chain_and_nobody_else() {
    let cluster = Cluster::start(4).await;
    let mut all = cluster.chain(genesis(1), &[0, 1, 2, 3]).await;
    let mut three = cluster.chain(genesis(2), &[0, 1, 2]).await;
    let mut pair = cluster.chain(genesis(3), &[2, 3]).await;

    cluster.nodes[0].publish(genesis(2), b"for three".to_vec()).await.unwrap();
    cluster.nodes[0].publish(genesis(1), b"for all".to_vec()).await.unwrap();
    cluster.nodes[3].publish(genesis(3), b"for two".to_vec()).await.unwrap();

    for inbox in &mut all[1..] {
        assert_eq!(gossip(inbox).await.bytes, b"for all");
    }
    for inbox in &mut three[1..] {
        let message = gossip(inbox).await;
        assert_eq!((message.from, message.bytes.as_slice()), (validator(0), b"for three".as_slice()));
    }
    assert_eq!(gossip(&mut pair[0]).await.bytes, b"for two");
    assert!(pair[1].try_recv().is_none(), "an author does not receive its own message");
}

/// P2P-8
#[tokio::test]
async fn the_same_bytes_published_again_arrive_again() {
    let cluster = Cluster::start(2).await;
    let mut inboxes = cluster.chain(genesis(1), &[0, 1]).await;
    for _ in 0..3 {
        cluster.nodes[0].publish(genesis(1), b"vote".to_vec()).await.unwrap();
        assert_eq!(gossip(&mut inboxes[1]).await.bytes, b"vote");
    }
}

/// P2P-9: with no connection between author and reader, a message takes the way through a third.
#[tokio::test]
async fn a_message_is_relayed_to_a_member_that_its_author_cannot_reach() {
    let mut nodes = Vec::new();
    for seed in 0..3 {
        nodes.push(start(config(), key(seed)).await.unwrap());
    }
    let address = |seed: usize| vec![nodes[seed].listen_address().to_string()];
    let ends = vec![(validator(0), address(0)), (validator(2), address(2))];
    nodes[1].set_peers(ends).await.unwrap();
    nodes[0].set_peers(vec![(validator(1), address(1)), (validator(2), Vec::new())]).await.unwrap();
    nodes[2].set_peers(vec![(validator(1), address(1)), (validator(0), Vec::new())]).await.unwrap();
    let mut inboxes = Vec::new();
    for node in &nodes {
        inboxes.push(node.open_chain(genesis(1), members(0..3)).await.unwrap());
    }
    all_reachable(&inboxes[1], 2).await;
    all_reachable(&inboxes[0], 1).await;
    all_reachable(&inboxes[2], 1).await;

    // A relay goes to the mesh, which forms with a heartbeat: publish until one arrives.
    let relayed = async {
        loop {
            nodes[0].publish(genesis(1), b"around the corner".to_vec()).await.unwrap();
            gossip(&mut inboxes[1]).await;
            if let Some(Inbound::Gossip(message)) = inboxes[2].try_recv() {
                return message;
            }
        }
    };
    let message = soon(relayed).await;
    assert_eq!((message.from, message.bytes.as_slice()), (validator(0), b"around the corner".as_slice()));
}

/// P2P-6: a subscription announced before we opened the chain counts once we do.
#[tokio::test]
async fn a_chain_opened_late_reaches_members_that_opened_it_before() {
    let cluster = Cluster::start(2).await;
    cluster.all_connected().await;
    let mut early = cluster.nodes[0].open_chain(genesis(1), members(0..2)).await.unwrap();
    // A round trip in another chain proves that the announcement has arrived.
    let mut other = cluster.chain(genesis(9), &[0, 1]).await;
    cluster.nodes[0].publish(genesis(9), b"after".to_vec()).await.unwrap();
    gossip(&mut other[1]).await;

    let mut late = cluster.nodes[1].open_chain(genesis(1), members(0..2)).await.unwrap();
    all_reachable(&late, 1).await;
    all_reachable(&early, 1).await;
    cluster.nodes[1].publish(genesis(1), b"here I am".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut early).await.bytes, b"here I am");
    cluster.nodes[0].publish(genesis(1), b"welcome".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut late).await.bytes, b"welcome");
}

/// P2P-10
#[tokio::test]
async fn publishing_to_nobody_is_told_to_the_caller() {
    let node = start(config(), key(0)).await.unwrap();
    assert_eq!(node.publish(genesis(1), vec![1]).await, Err(P2pError::UnknownChain));
    let _inbox = node.open_chain(genesis(1), members(0..4)).await.unwrap();
    assert_eq!(node.publish(genesis(1), vec![1]).await, Err(P2pError::NoPeers));
    let too_large = vec![0; config().max_message_bytes + 1];
    assert_eq!(node.publish(genesis(1), too_large).await, Err(P2pError::TooLarge));
    assert_eq!(node.open_chain(genesis(1), members(0..4)).await.unwrap_err(), P2pError::ChainOpen);
}

/// P2P-7: the largest message travels whole.
#[tokio::test]
async fn the_largest_message_arrives() {
    let cluster = Cluster::start(2).await;
    let mut inboxes = cluster.chain(genesis(1), &[0, 1]).await;
    let bytes = vec![0xa5; config().max_message_bytes];
    cluster.nodes[0].publish(genesis(1), bytes.clone()).await.unwrap();
    assert!(gossip(&mut inboxes[1]).await.bytes == bytes);
}

async fn answer(inbox: &mut Inbox, answer: Option<Vec<u8>>) {
    let Some(Inbound::Request(request)) = soon(inbox.recv()).await else { panic!("expected a request") };
    let (from, bytes, responder) = request.into_parts();
    assert_eq!((from, bytes.as_slice()), (validator(0), b"height 4?".as_slice()));
    if let Some(answer) = answer {
        responder.respond(answer);
    }
}

/// P2P-11
#[tokio::test]
async fn a_request_is_answered_refused_or_fails_by_name() {
    let cluster = Cluster::start(3).await;
    let mut inboxes = cluster.chain(genesis(1), &[0, 1]).await;
    let ask = |to| cluster.nodes[0].request(validator(to), genesis(1), b"height 4?".to_vec());

    let (answered, ()) =
        soon(async { tokio::join!(ask(1), answer(&mut inboxes[1], Some(vec![9; 100]))) }).await;
    assert_eq!(answered, Ok(vec![9; 100]));
    let (refused, ()) = soon(async { tokio::join!(ask(1), answer(&mut inboxes[1], None)) }).await;
    assert_eq!(refused, Err(P2pError::Refused));
    assert_eq!(ask(2).await, Err(P2pError::Unreachable), "connected, but no member");
    let unknown = cluster.nodes[0].request(validator(1), genesis(2), Vec::new()).await;
    assert_eq!(unknown, Err(P2pError::UnknownChain));

    cluster.nodes[1].close_chain(genesis(1)).await.unwrap();
    assert_eq!(ask(1).await, Err(P2pError::Refused), "the chain is closed there");
}

/// P2P-13
#[tokio::test]
async fn a_restarted_validator_is_reached_again() {
    let mut cluster = Cluster::start(3).await;
    let mut inboxes = cluster.chain(genesis(1), &[0, 1, 2]).await;
    let address = cluster.nodes[1].listen_address();
    drop(cluster.nodes.remove(1));
    drop(inboxes.remove(1));
    all_reachable(&inboxes[0], 1).await;

    let again = start(Config { listen: address, ..config() }, key(1)).await.unwrap();
    cluster.nodes.insert(1, again);
    cluster.nodes[1].set_peers(cluster.peers()).await.unwrap();
    let mut inbox = cluster.nodes[1].open_chain(genesis(1), members(0..3)).await.unwrap();
    all_reachable(&inbox, 2).await;
    all_reachable(&inboxes[0], 2).await;
    cluster.nodes[0].publish(genesis(1), b"back?".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut inbox).await.bytes, b"back?");
}

/// P2P-4
#[tokio::test]
async fn who_leaves_the_allow_list_is_disconnected_and_who_returns_is_connected() {
    let cluster = Cluster::start(3).await;
    cluster.all_connected().await;
    let mut peers = cluster.peers();
    let removed = peers.remove(2);
    cluster.nodes[0].set_peers(peers).await.unwrap();
    let mut connected = cluster.nodes[0].watch_connected();
    soon(connected.wait_for(|set| !set.contains(&validator(2)))).await.unwrap();
    assert!(cluster.nodes[0].connected().iter().all(|info| info.validator != removed.0));

    cluster.nodes[0].set_peers(cluster.peers()).await.unwrap();
    soon(connected.wait_for(|set| set.contains(&validator(2)))).await.unwrap();
    let infos = cluster.nodes[0].connected();
    assert_eq!(infos.len(), 2);
    assert!(infos.iter().all(|info| (info.bytes_in > 0) && (info.bytes_out > 0)));
}

/// P2P-14
#[tokio::test]
async fn a_taken_or_foreign_address_is_named_at_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = start(Config { listen: address, ..config() }, key(0)).await.unwrap_err();
    assert!(matches!(&error, StartError::AddressInUse { address: a } if *a == address), "{error}");

    let running = start(config(), key(0)).await.unwrap();
    let again = start(Config { listen: running.listen_address(), ..config() }, key(0)).await.unwrap_err();
    assert!(matches!(again, StartError::AddressInUse { .. }), "another node's port is taken too: {again}");

    let foreign = SocketAddr::from(([203, 0, 113, 1], 4000));
    let error = start(Config { listen: foreign, ..config() }, key(0)).await.unwrap_err();
    assert!(matches!(error, StartError::AddressNotAvailable { .. }), "{error}");

    let nothing = Config { inbox_bytes: 10, ..config() };
    assert!(matches!(start(nothing, key(0)).await.unwrap_err(), StartError::Config(_)));
}

/// P2P-13: names are looked up at each attempt, and bad ones harm nobody.
#[tokio::test]
async fn an_address_may_be_a_name_and_unusable_ones_are_skipped() {
    let a = start(config(), key(0)).await.unwrap();
    let b = start(config(), key(1)).await.unwrap();
    let name = format!("localhost:{}", a.listen_address().port());
    let bad = ["no port".to_owned(), "127.0.0.1:99999".to_owned(), name];
    a.set_peers(vec![(validator(1), Vec::new())]).await.unwrap();
    b.set_peers(vec![(validator(0), bad.to_vec())]).await.unwrap();
    soon(b.watch_connected().wait_for(|set| set.len() == 1)).await.unwrap();
    soon(a.watch_connected().wait_for(|set| set.len() == 1)).await.unwrap();
}

#[tokio::test]
async fn the_network_ends_with_its_last_handle() {
    let node: Handle = start(config(), SecretKey::clone(&key(0))).await.unwrap();
    let mut inbox = node.open_chain(genesis(1), members(0..4)).await.unwrap();
    drop(node);
    assert!(soon(inbox.recv()).await.is_none());
}
