//! What happens at each bound.

use super::*;
use crate::{P2pError, Quota, Reason, envelope::seal, network::Command};

fn victim(seed: u64, quota: Quota) -> Config {
    let small = Config {
        max_message_bytes: 64 << 10,
        max_request_bytes: 64 << 10,
        max_response_bytes: 64 << 10,
        inbox_bytes: 64 << 20,
        ..config()
    };
    if seed == 0 { Config { quota, ..small } } else { small }
}

/// Publishes without end until the victim, node 0, no longer counts the author, node 2, as connected.
async fn flood(cluster: &Cluster, bytes: usize) {
    let mut connected = cluster.nodes[0].watch_connected();
    let flooding = async {
        loop {
            let _ = cluster.nodes[2].publish(genesis(1), vec![7; bytes]).await;
        }
    };
    soon(async {
        tokio::select! {
            () = flooding => {}
            gone = connected.wait_for(|set| !set.contains(&validator(2))) => drop(gone.unwrap()),
        }
    })
    .await;
}

async fn others_go_on(cluster: &Cluster, inboxes: &mut [Inbox]) {
    cluster.nodes[1].publish(genesis(2), b"unharmed".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut inboxes[0]).await.bytes, b"unharmed");
    assert!(cluster.nodes[0].watch_connected().borrow().contains(&validator(1)));
}

/// P2P-12
#[tokio::test]
async fn a_validator_over_its_message_quota_is_disconnected_and_the_others_go_on() {
    let quota = Quota { messages_per_second: 1, burst_messages: 200, ..Quota::default() };
    let cluster = Cluster::start_with(3, |seed| victim(seed, quota)).await;
    let mut calm = cluster.chain(genesis(2), &[0, 1]).await;
    let _inboxes = cluster.chain(genesis(1), &[0, 2]).await;
    flood(&cluster, 10).await;
    assert!(cluster.nodes[0].counters().get(Reason::MessageQuota) >= 1);
    until(|| cluster.nodes[0].counters().get(Reason::CoolingDown) >= 1).await;
    others_go_on(&cluster, &mut calm).await;
}

/// P2P-12
#[tokio::test]
async fn a_validator_over_its_byte_quota_is_disconnected_and_the_others_go_on() {
    let quota = Quota { bytes_per_second: 1_000, burst_bytes: 256 << 10, ..Quota::default() };
    let cluster = Cluster::start_with(3, |seed| victim(seed, quota)).await;
    let mut calm = cluster.chain(genesis(2), &[0, 1]).await;
    let _inboxes = cluster.chain(genesis(1), &[0, 2]).await;
    flood(&cluster, 60 << 10).await;
    until(|| cluster.nodes[0].counters().get(Reason::ByteQuota) >= 1).await;
    until(|| cluster.nodes[0].counters().get(Reason::CoolingDown) >= 1).await;
    others_go_on(&cluster, &mut calm).await;
}

/// P2P-9: the author is who signed, and who passes on what nobody signed is charged a hundredfold.
#[tokio::test]
async fn a_member_that_forges_is_never_believed_and_soon_disconnected() {
    let quota = Quota { messages_per_second: 1, burst_messages: 1_000, ..Quota::default() };
    let node = start(victim(0, quota), key(0)).await.unwrap();
    let forger = start(config(), key(1)).await.unwrap();
    node.set_peers(vec![(validator(1), Vec::new())]).await.unwrap();
    forger.set_peers(vec![(validator(0), vec![node.listen_address().to_string()])]).await.unwrap();
    let mut inbox = node.open_chain(genesis(1), members([0, 1])).await.unwrap();
    let forgers = forger.open_chain(genesis(1), members([0, 1])).await.unwrap();
    all_reachable(&forgers, 1).await;
    let mut connected = node.watch_connected();
    soon(connected.wait_for(|set| set.len() == 1)).await.unwrap();

    let publish = |sealed| forger.ask(|reply| Command::Publish { genesis: genesis(1), sealed, reply });
    let stranger = seal(&key(99), genesis(1), 0, b"by a stranger");
    publish(stranger).await.unwrap().unwrap();
    until(|| node.counters().get(Reason::NotMember) == 1).await;
    let other_chain = seal(&key(1), genesis(2), 0, b"of another chain");
    publish(other_chain).await.unwrap().unwrap();
    until(|| node.counters().get(Reason::Forged) == 1).await;
    publish(b"short".to_vec()).await.unwrap().unwrap();
    until(|| node.counters().get(Reason::Malformed) == 1).await;
    soon(async {
        for nonce in 0u64.. {
            let mut forged = seal(&key(1), genesis(1), nonce, b"as somebody else");
            forged[..32].copy_from_slice(&validator(0).0);
            // Fails once we are disconnected.
            let _ = publish(forged).await.unwrap();
            tokio::task::yield_now().await;
            if connected.borrow().is_empty() {
                return;
            }
        }
    })
    .await;
    let forged = node.counters().get(Reason::Forged);
    assert!((9..=11).contains(&forged), "{forged}");
    assert!(inbox.try_recv().is_none());
}

/// P2P-15
#[tokio::test]
async fn a_full_inbox_drops_and_counts_and_delays_no_other_chain() {
    let small = |_| Config { max_message_bytes: 1_024, inbox_bytes: 64 << 10, ..config() };
    let cluster = Cluster::start_with(2, small).await;
    let mut unread = cluster.chain(genesis(1), &[0, 1]).await;
    let mut read = cluster.chain(genesis(2), &[0, 1]).await;
    // A member may fill a quarter: 16 KiB hold eight messages of 1 KiB and 1 KiB each for their entries.
    for _ in 0..12 {
        cluster.nodes[0].publish(genesis(1), vec![1; 1_024]).await.unwrap();
    }
    cluster.nodes[0].publish(genesis(2), b"through".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut read[1]).await.bytes, b"through");
    assert_eq!(cluster.nodes[1].counters().get(Reason::InboxFull), 4);
    for _ in 0..8 {
        gossip(&mut unread[1]).await;
    }
    assert!(unread[1].try_recv().is_none());
    cluster.nodes[0].publish(genesis(1), b"room again".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut unread[1]).await.bytes, b"room again");
}

/// P2P-11: neither a request nor a response above the reader's bound is read.
#[tokio::test]
async fn oversized_requests_and_responses_are_refused_by_the_reader() {
    let small = |seed| {
        let bytes = if seed == 0 { 1_024 } else { 64 << 10 };
        Config { max_request_bytes: bytes, max_response_bytes: bytes, ..config() }
    };
    let cluster = Cluster::start_with(2, small).await;
    let mut inboxes = cluster.chain(genesis(1), &[0, 1]).await;

    let asked = cluster.nodes[0].request(validator(1), genesis(1), vec![1]);
    let answered = async {
        let Some(Inbound::Request(request)) = inboxes[1].recv().await else { panic!("expected a request") };
        request.into_parts().2.respond(vec![0; 2_048]);
    };
    let (outcome, ()) = soon(async { tokio::join!(asked, answered) }).await;
    assert_eq!(outcome, Err(P2pError::NoResponse));

    let outcome = soon(cluster.nodes[1].request(validator(0), genesis(1), vec![0; 2_048])).await;
    assert_eq!(outcome, Err(P2pError::NoResponse));
    until(|| cluster.nodes[0].counters().get(Reason::Malformed) == 2).await;
    assert!(inboxes[0].try_recv().is_none());
}

/// P2P-11: who asks for more than its quota in answers is refused, and not disconnected.
#[tokio::test]
async fn answers_beyond_the_quota_are_refused() {
    let quota = Quota { bytes_per_second: 1, burst_bytes: 128 << 10, ..Quota::default() };
    let cluster = Cluster::start_with(2, |seed| victim(seed, quota)).await;
    let mut inboxes = cluster.chain(genesis(1), &[0, 1]).await;
    let answers = async {
        while let Some(Inbound::Request(request)) = inboxes[0].recv().await {
            request.into_parts().2.respond(vec![0; 50 << 10]);
        }
    };
    let asks = async {
        let mut outcomes = Vec::new();
        for _ in 0..4 {
            let answer = cluster.nodes[1].request(validator(0), genesis(1), vec![1]).await;
            outcomes.push(answer.map(|bytes| bytes.len()));
        }
        outcomes
    };
    let outcomes = soon(async {
        tokio::select! {
            outcomes = asks => outcomes,
            () = answers => panic!("the inbox ended"),
        }
    });
    let answered = Ok(50 << 10);
    assert_eq!(outcomes.await, [answered, answered, answered, Err(P2pError::Refused)]);
    assert_eq!(cluster.nodes[0].counters().get(Reason::AnswerBudget), 1);
    assert!(!cluster.nodes[0].watch_connected().borrow().is_empty());
}

/// P2P-7: a gossip frame above the reader's bound is not read; it silences its sender, and nobody else.
#[tokio::test]
async fn an_oversized_gossip_frame_is_not_delivered_and_harms_nobody() {
    let small = |seed| {
        let most = if seed == 0 { 2_048 } else { 1 << 20 };
        Config { max_message_bytes: most, ..config() }
    };
    let cluster = Cluster::start_with(3, small).await;
    let mut inboxes = cluster.chain(genesis(1), &[0, 1]).await;
    let mut calm = cluster.chain(genesis(2), &[0, 2]).await;
    let from_sender = || {
        let infos = cluster.nodes[0].connected();
        infos.iter().find(|info| info.validator == validator(1)).map_or(0, |info| info.bytes_in)
    };
    let before = from_sender();
    cluster.nodes[1].publish(genesis(1), vec![0; 1 << 19]).await.unwrap();
    until(|| from_sender() > before + 2_048).await;
    cluster.nodes[2].publish(genesis(2), b"calm".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut calm[0]).await.bytes, b"calm");
    assert!(inboxes[0].try_recv().is_none());
}

/// P2P-9: what an author said long ago is dropped, so that nobody fills its room or its share of relays with it.
#[tokio::test]
async fn an_envelope_much_older_than_its_authors_newest_is_dropped() {
    let cluster = Cluster::start(2).await;
    let mut inboxes = cluster.chain(genesis(1), &[0, 1]).await;
    let replay = |stamp, text: &'static [u8]| {
        let sealed = seal(&key(1), genesis(1), stamp, text);
        cluster.nodes[1].ask(|reply| Command::Publish { genesis: genesis(1), sealed, reply })
    };
    cluster.nodes[1].publish(genesis(1), b"new".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut inboxes[0]).await.bytes, b"new");
    let now = crate::envelope::Stamps::new().now();
    replay(now - 120_000_000, b"two minutes old").await.unwrap().unwrap();
    until(|| cluster.nodes[0].counters().get(Reason::Replayed) == 1).await;
    replay(now - 30_000_000, b"late").await.unwrap().unwrap();
    assert_eq!(gossip(&mut inboxes[0]).await.bytes, b"late");
    // A clock that was wrong by an hour and is right again costs nothing.
    replay(now + 3_600_000_000, b"in the future").await.unwrap().unwrap();
    assert_eq!(gossip(&mut inboxes[0]).await.bytes, b"in the future");
    cluster.nodes[1].publish(genesis(1), b"right again".to_vec()).await.unwrap();
    assert_eq!(gossip(&mut inboxes[0]).await.bytes, b"right again");
    assert!(inboxes[0].try_recv().is_none());
}
