//! Strangers, liars, and members of other chains.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::Reason;

/// Reads until the other end closes.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is as good as an orderly end.
    let _ = soon(stream.read_to_end(&mut rest)).await;
}

/// P2P-1
#[tokio::test]
async fn ref_34_an_unknown_key_is_refused_in_the_handshake() {
    let node = start(config(), key(0)).await.unwrap();
    let stranger = start(config(), key(66)).await.unwrap();
    node.set_peers(vec![(validator(1), Vec::new())]).await.unwrap();
    stranger.set_peers(vec![(validator(0), vec![node.listen_address().to_string()])]).await.unwrap();
    until(|| node.counters().get(Reason::NotAllowed) >= 2).await;
    assert!(node.connected().is_empty());
    assert!(stranger.connected().is_empty());
}

/// P2P-1
#[tokio::test]
async fn a_validator_of_another_base_chain_is_refused() {
    let node = start(config(), key(0)).await.unwrap();
    let other = Config { chain: ChainGenesis([8; 32]), ..config() };
    let other = start(other, key(1)).await.unwrap();
    node.set_peers(vec![(validator(1), Vec::new())]).await.unwrap();
    other.set_peers(vec![(validator(0), vec![node.listen_address().to_string()])]).await.unwrap();
    until(|| node.counters().get(Reason::WrongChain) >= 1).await;
    assert!(node.connected().is_empty());
}

/// P2P-1: whoever answers at a validator's address must hold its key.
#[tokio::test]
async fn an_impostor_at_a_validators_address_is_not_connected() {
    let node = start(config(), key(5)).await.unwrap();
    let impostor = start(config(), key(1)).await.unwrap();
    impostor.set_peers(vec![(validator(5), Vec::new())]).await.unwrap();
    let address = impostor.listen_address().to_string();
    node.set_peers(vec![(validator(0), vec![address]), (validator(1), Vec::new())]).await.unwrap();
    until(|| node.counters().get(Reason::WrongValidator) >= 2).await;
    assert!(node.connected().is_empty());
}

/// P2P-2
#[tokio::test]
async fn garbage_on_the_socket_closes_that_connection_alone() {
    let cluster = Cluster::start(2).await;
    let mut inboxes = cluster.chain(genesis(1), &[0, 1]).await;
    let address = cluster.nodes[0].listen_address();
    for garbage in
        [&[0xff; 4096][..], b"GET / HTTP/1.1\r\n\r\n", &[0; 100], b"\x13/multistream/1.0.0\n\xff\xff\xff\xff"]
    {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        closed(&mut stream).await;
    }
    until(|| cluster.nodes[0].counters().get(Reason::HandshakeMalformed) == 4).await;
    cluster.nodes[1].publish(genesis(1), b"still here".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut inboxes[0]).await.bytes, b"still here");
}

/// P2P-2
#[tokio::test]
async fn a_silent_connection_is_closed_after_the_handshake_timeout() {
    let node =
        start(Config { handshake_timeout: Duration::from_millis(100), ..config() }, key(0)).await.unwrap();
    let mut silent = TcpStream::connect(node.listen_address()).await.unwrap();
    let mut half = TcpStream::connect(node.listen_address()).await.unwrap();
    half.write_all(b"\x13/multistream/1.0.0\n").await.unwrap();
    closed(&mut silent).await;
    closed(&mut half).await;
    until(|| node.counters().get(Reason::HandshakeTimeout) == 2).await;
}

/// P2P-2: one address takes a quarter of the places at most; whoever is turned away may come again.
#[tokio::test]
async fn connections_beyond_the_bound_on_handshakes_are_closed_on_arrival() {
    let node = start(Config { max_handshakes: 8, ..config() }, key(0)).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(node.listen_address()).await.unwrap();
        stream.write_all(b"\x13/multistream/1.0.0\n").await.unwrap();
        // The answer shows that this handshake is under way.
        soon(stream.read_exact(&mut [0; 20])).await.unwrap();
        held.push(stream);
    }
    let mut beyond = TcpStream::connect(node.listen_address()).await.unwrap();
    closed(&mut beyond).await;
    assert_eq!(node.counters().get(Reason::TooManyHandshakes), 1);

    drop(held);
    until(|| node.counters().get(Reason::HandshakeMalformed) == 2).await;
    let friend = start(config(), key(1)).await.unwrap();
    node.set_peers(vec![(validator(1), Vec::new())]).await.unwrap();
    friend.set_peers(vec![(validator(0), vec![node.listen_address().to_string()])]).await.unwrap();
    soon(node.watch_connected().wait_for(|set| set.len() == 1)).await.unwrap();
}

/// P2P-5
#[tokio::test]
async fn a_known_key_cannot_speak_in_a_chain_of_which_it_is_no_member() {
    let cluster = Cluster::start(4).await;
    let mut shared = cluster.chain(genesis(1), &[0, 1, 2, 3]).await;
    // Node 3 opens the chain of the others, and believes that all four are members.
    let mut private = cluster.chain(genesis(2), &[0, 1, 2]).await;
    let mut intruder = cluster.nodes[3].open_chain(genesis(2), members(0..4)).await.unwrap();
    all_reachable(&intruder, 3).await;

    cluster.nodes[3].publish(genesis(2), b"inject".to_vec()).await.unwrap();
    cluster.nodes[3].publish(genesis(1), b"after it".to_vec()).await.unwrap();
    for inbox in &mut shared[..3] {
        assert_eq!(gossip(inbox).await.bytes, b"after it");
    }
    for inbox in &mut private {
        assert!(inbox.try_recv().is_none());
    }
    for node in &cluster.nodes[..3] {
        assert_eq!(node.counters().get(Reason::NotMember), 1);
    }
    let request = cluster.nodes[3].request(validator(0), genesis(2), b"give".to_vec());
    assert_eq!(soon(request).await, Err(crate::P2pError::Refused));
    assert_eq!(cluster.nodes[0].counters().get(Reason::NotMember), 2);

    // Nor does it hear what the members say.
    cluster.nodes[0].publish(genesis(2), b"among us".to_vec()).await.unwrap();
    cluster.nodes[0].publish(genesis(1), b"to all".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut shared[3]).await.bytes, b"to all");
    assert!(intruder.try_recv().is_none());
}
