//! BASE-5, BASE-8, BASE-50: whole nodes.

use coordinator_base_chain::{BaseChain, ChainError, Event, Refusal, SetState, TransactionStatus};
use processor_messages::{BaseBlock, BatchId};

use super::{
    support::{TestChain, account, bitcoin, genesis, key, set},
    testnet::{Testnet, block, finalized},
};
use crate::rules::GenesisState;

/// Four validators serve the networks; this many also make blocks.
fn chain_of(consensus: usize) -> GenesisState {
    let mut genesis = genesis(&[1, 1, 1, 1]);
    genesis.validators.iter_mut().skip(consensus).for_each(|validator| validator.consensus_weight = 0);
    genesis
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_is_a_chain_that_sets_keys_and_executes_a_batch() {
    let genesis = chain_of(1);
    let testnet = Testnet::new(&genesis);
    let (node, client) = testnet.start(0).await;
    // Makes transactions against the same genesis.
    let maker = TestChain::from_genesis(&genesis);
    assert_eq!(maker.chain, node.chain());

    let declared = block(&client, 0).await.events;
    assert!(declared.iter().any(|event| matches!(event, Event::SetDeclared(d) if d.set == set(0))));
    let early = maker.batch(0, &key(50), &[(account(&key(9)), 5)]);
    assert_eq!(client.submit(&early).await, Err(ChainError::Refused(Refusal::NoKeys)));

    let keys = maker.set_keys(0, &key(50), &[0, 1, 2]);
    assert_eq!(client.transaction(keys.hash()).await.unwrap(), TransactionStatus::Unknown);
    assert_eq!(client.submit(&keys).await, Ok(keys.hash()));
    let events = finalized(&client, &keys).await.events;
    assert!(matches!(&events[..], [Event::KeysSet { .. }]));
    // The same bytes again, any number of times.
    assert_eq!(client.submit(&keys).await, Ok(keys.hash()));

    assert_eq!(client.submit(&early).await, Ok(early.hash()));
    let executed = finalized(&client, &early).await;
    assert!(matches!(&executed.events[..], [Event::BatchExecuted { .. }]));
    let proof = client.inclusion(early.hash()).await.unwrap().unwrap();
    assert_eq!((proof.header, proof.transaction), (executed.header, early.hash()));

    let info = client.set(set(0)).await.unwrap().unwrap();
    assert_eq!((info.state, info.declared_in), (SetState::InCharge, block(&client, 0).await.hash()));
    assert_eq!(client.network(bitcoin()).await.unwrap().unwrap().next_batch, BatchId(1));
    assert_eq!(client.networks().await.unwrap().len(), 1);
    assert_eq!(client.validators().await.unwrap().len(), 4);
    assert_eq!(client.account(account(&key(9))).await.unwrap().coins.len(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_node_goes_on_where_it_stopped() {
    let genesis = chain_of(1);
    let testnet = Testnet::new(&genesis);
    let maker = TestChain::from_genesis(&genesis);
    let keys = maker.set_keys(0, &key(50), &[0, 1, 2]);
    let (node, client) = testnet.start(0).await;
    client.submit(&keys).await.unwrap();
    let before = finalized(&client, &keys).await;
    node.stop().await;

    let (node, client) = testnet.start(0).await;
    assert_eq!(block(&client, before.number().0).await, before);
    assert_eq!(client.submit(&keys).await, Ok(keys.hash()), "known as final");
    block(&client, before.number().0 + 3).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_nodes_agree_go_on_without_one_and_let_it_catch_up() {
    let genesis = chain_of(4);
    let testnet = Testnet::new(&genesis);
    let maker = TestChain::from_genesis(&genesis);
    let mut nodes = Vec::new();
    for place in 0..4 {
        nodes.push(testnet.start(place).await);
    }
    // Submitted at one, ordered by all.
    let keys = maker.set_keys(0, &key(50), &[1, 2, 3]);
    nodes[3].1.submit(&keys).await.unwrap();
    let mut blocks = Vec::new();
    for (_, client) in &nodes {
        blocks.push(finalized(client, &keys).await);
    }
    assert!(blocks.windows(2).all(|pair| pair[0] == pair[1]));

    let (gone, _) = nodes.remove(3);
    gone.stop().await;
    let batch = maker.batch(0, &key(50), &[(account(&key(9)), 5)]);
    nodes[0].1.submit(&batch).await.unwrap();
    let executed = finalized(&nodes[1].1, &batch).await;
    let (back, client) = testnet.start(3).await;
    assert_eq!(finalized(&client, &batch).await, executed);
    let ahead = nodes[0].1.head().await.unwrap().number.0 + 3;
    assert_eq!(block(&client, ahead).await, block(&nodes[0].1, ahead).await);
    back.stop().await;
    for (node, _) in nodes {
        node.stop().await;
    }
}

/// BASE-61: a validator that lost its store must not sign again what it may have signed: it follows the others first.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_store_is_lost_follows_before_it_signs() {
    let genesis = chain_of(4);
    let testnet = Testnet::new(&genesis);
    let mut nodes = Vec::new();
    for place in 0..4 {
        nodes.push(testnet.start(place).await);
    }
    block(&nodes[3].1, 2).await;
    let (lost, _) = nodes.remove(3);
    lost.stop().await;
    std::fs::remove_dir_all(&testnet.configs[3].data_dir).unwrap();
    let (wiped, client) = testnet.start(3).await;
    assert!(wiped.handle().status().borrow().node.recovering);
    block(&client, 6).await;
    let mut status = wiped.handle().status();
    status.wait_for(|status| !status.node.recovering).await.unwrap();
    wiped.stop().await;
    for (node, _) in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_another_chain_names_both() {
    let testnet = Testnet::new(&chain_of(1));
    let (node, _) = testnet.start(0).await;
    let other = processor_messages::ChainGenesis([1; 32]);
    let url = format!("http://{}", node.rpc_address());
    let config = coordinator_base_chain::ClientConfig::new(url.clone(), Some(other));
    let client = coordinator_base_chain::RpcClient::new(config).unwrap();
    let wrong = Err(ChainError::WrongChain { url, expected: other, found: node.chain() });
    assert_eq!(client.head().await, wrong);
    assert_eq!(client.block(BaseBlock(0)).await.map(|_| ()), wrong.map(|_: coordinator_base_chain::Head| ()));
    node.stop().await;
}
