//! The handshake alone, against dialers that deviate from it byte by byte.

use std::sync::Arc;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{
    PeerId,
    core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
    identity::Keypair,
    noise,
    tcp::tokio::TcpStream,
};
use tokio::net::TcpListener;

use super::*;
use crate::{
    Counters, Quota, Reason,
    handshake::{Handshake, PROTOCOL, Role, statement},
    identity,
    peers::AllowList,
};

const DOMAIN: &str = "headwater p2p handshake v1";

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialed = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (TcpStream(dialed), TcpStream(listener.accept().await.unwrap().0))
}

fn side(seed: u64, knows: &[u64]) -> Handshake {
    let allow = AllowList::default();
    let known: Vec<_> = knows.iter().copied().map(validator).collect();
    allow.set(&known, &Quota::default(), std::time::Instant::now());
    let counters = Arc::new(Counters::default());
    Handshake { chain: CHAIN, secret: Arc::new(key(seed)), allow: Arc::new(allow), counters }
}

/// A noise channel as dialer, without our proof: what an attacker has.
async fn channel(socket: TcpStream) -> (PeerId, PeerId, noise::Output<TcpStream>) {
    let identity = Keypair::generate_ed25519();
    let local = identity.public().to_peer_id();
    let noise = noise::Config::new(&identity).unwrap();
    let (remote, io) = noise.upgrade_outbound(socket, PROTOCOL).await.unwrap();
    (local, remote, io)
}

fn honest_hello(local: PeerId, remote: PeerId) -> Vec<u8> {
    let statement = statement(Role::Dialer, CHAIN, local, remote, validator(1), None);
    let mut hello = vec![1];
    hello.extend(CHAIN.0);
    hello.extend(validator(1).0);
    hello.extend(key(1).sign(DOMAIN, &statement).0);
    hello
}

/// Runs a listener that knows validator 1 against `dialer`; what it counted, or whom it accepted.
async fn listen_to<F: Future<Output = ()>>(dialer: impl FnOnce(TcpStream) -> F) -> Result<PeerId, Reason> {
    let (dialed, accepted) = sockets().await;
    let listener = side(0, &[1]);
    let counters = listener.counters.clone();
    let (outcome, ()) =
        soon(async { tokio::join!(listener.upgrade_inbound(accepted, PROTOCOL), dialer(dialed)) }).await;
    match outcome {
        Ok((peer, _)) => Ok(peer),
        Err(_) => Err(counters.snapshot().find(|(_, count)| *count > 0).expect("a failure is counted").0),
    }
}

async fn send(socket: TcpStream, hello: impl FnOnce(PeerId, PeerId) -> Vec<u8>) {
    let (local, remote, mut io) = channel(socket).await;
    io.write_all(&hello(local, remote)).await.unwrap();
    io.flush().await.unwrap();
    let _ = io.read_to_end(&mut Vec::new()).await;
}

/// P2P-1, P2P-3
#[tokio::test]
async fn two_validators_prove_their_keys_to_each_other() {
    let (dialed, accepted) = sockets().await;
    let dialing = side(1, &[0]).upgrade_outbound(dialed, PROTOCOL);
    let listening = side(0, &[1]).upgrade_inbound(accepted, PROTOCOL);
    let (dialer, listener) = soon(async { tokio::join!(dialing, listening) }).await;
    assert_eq!(identity::validator(&dialer.unwrap().0), Some(validator(0)));
    assert_eq!(identity::validator(&listener.unwrap().0), Some(validator(1)));
}

/// P2P-1
#[tokio::test]
async fn an_honest_hello_by_hand_is_accepted_and_any_changed_byte_is_refused() {
    let mut dialers = 0;
    let accepted = listen_to(|socket| async {
        let (local, remote, mut io) = channel(socket).await;
        io.write_all(&honest_hello(local, remote)).await.unwrap();
        io.flush().await.unwrap();
        io.read_exact(&mut [0]).await.unwrap();
    });
    assert_eq!(accepted.await.map(|peer| identity::validator(&peer)), Ok(Some(validator(1))));
    for byte in 0..129 {
        let refused = listen_to(|socket| {
            send(socket, |local, remote| {
                let mut hello = honest_hello(local, remote);
                hello[byte] ^= 1;
                hello
            })
        })
        .await;
        let expected = match byte {
            0..33 => Reason::WrongChain,
            33..65 => Reason::NotAllowed,
            _ => Reason::BadSignature,
        };
        assert_eq!(refused, Err(expected), "byte {byte}");
        dialers += 1;
    }
    assert_eq!(dialers, 129);
}

/// P2P-1: a proof is good for the connection it was made for.
#[tokio::test]
async fn a_proof_of_another_connection_is_refused() {
    let other = Keypair::generate_ed25519().public().to_peer_id();
    let same_listener = listen_to(|socket| send(socket, |_, remote| honest_hello(other, remote))).await;
    assert_eq!(same_listener, Err(Reason::BadSignature));
    let same_dialer = listen_to(|socket| send(socket, |local, _| honest_hello(local, other))).await;
    assert_eq!(same_dialer, Err(Reason::BadSignature));
}

/// P2P-1: what a listener signs is no dialer's proof.
#[tokio::test]
async fn a_proof_for_the_other_role_is_refused() {
    let refused = listen_to(|socket| {
        send(socket, |local, remote| {
            let statement = statement(Role::Listener, CHAIN, local, remote, validator(1), None);
            let mut hello = honest_hello(local, remote);
            hello.truncate(65);
            hello.extend(key(1).sign(DOMAIN, &statement).0);
            hello
        })
    })
    .await;
    assert_eq!(refused, Err(Reason::BadSignature));
}

/// P2P-1: our own key, reflected, is nobody's.
#[tokio::test]
async fn a_validator_does_not_connect_to_itself() {
    let (dialed, accepted) = sockets().await;
    let dialing = side(0, &[0]).upgrade_outbound(dialed, PROTOCOL);
    let listener = side(0, &[0]);
    let counters = listener.counters.clone();
    let (dialer, listener) =
        soon(async { tokio::join!(dialing, listener.upgrade_inbound(accepted, PROTOCOL)) }).await;
    assert!(dialer.is_err() && listener.is_err());
    assert_eq!(counters.get(Reason::NotAllowed), 1);
}

/// P2P-2: a stranger learns a verdict, and not who we are.
#[tokio::test]
async fn a_refused_dialer_is_told_one_byte() {
    let refused = listen_to(|socket| async {
        let (local, remote, mut io) = channel(socket).await;
        let mut hello = honest_hello(local, remote);
        hello[40] ^= 1;
        io.write_all(&hello).await.unwrap();
        io.flush().await.unwrap();
        let mut told = Vec::new();
        io.read_to_end(&mut told).await.unwrap();
        assert_eq!(told, [2]);
    });
    assert_eq!(refused.await, Err(Reason::NotAllowed));
}
