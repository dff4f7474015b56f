//! BASE-51, BASE-52, BASE-53, BASE-54: bad input on the JSON-RPC socket.

use coordinator_base_chain::{
    BaseChain, Refusal, TransactionHash, TransactionStatus,
    rpc::{self, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, REFUSED, Response},
};
use processor_messages::BaseBlock;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    support::{TestChain, genesis, key},
    testnet::{Served, Testnet, block, client, serve},
};
use crate::{
    Node,
    server::{MAX_JUDGED, MAX_WAITERS},
};

async fn one_node() -> (Testnet, Node) {
    let mut genesis = genesis(&[1, 1, 1, 1]);
    genesis.validators.iter_mut().skip(1).for_each(|validator| validator.consensus_weight = 0);
    let testnet = Testnet::new(&genesis);
    let node = testnet.start(0).await.0;
    (testnet, node)
}

async fn post(node: &Node, body: impl Into<reqwest::Body>) -> (u16, Response) {
    let url = format!("http://{}", node.rpc_address());
    let response = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

async fn code(node: &Node, method: &str, params: Value) -> i64 {
    let request = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let (_, response) = post(node, request.to_string()).await;
    assert_eq!(response.id, json!(7));
    response.error.map_or(0, |error| error.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_get_their_codes_and_the_chain_goes_on() {
    let (_testnet, node) = one_node().await;
    for (body, expected) in
        [("", PARSE_ERROR), ("{", PARSE_ERROR), ("[]", INVALID_REQUEST), ("7", INVALID_REQUEST)]
    {
        assert_eq!(post(&node, body).await.1.error.unwrap().code, expected, "{body}");
    }
    assert_eq!(code(&node, "chain_heads", json!({})).await, METHOD_NOT_FOUND);
    assert_eq!(code(&node, &"x".repeat(10_000), json!({})).await, METHOD_NOT_FOUND);
    for params in [
        json!([]),
        json!({ "number": -1 }),
        json!({ "number": "a" }),
        json!({}),
        json!({ "number": 1, "x": 2 }),
    ] {
        assert_eq!(code(&node, "chain_block", params).await, INVALID_PARAMS);
    }
    assert_eq!(code(&node, "chain_head", json!({ "x": 1 })).await, INVALID_PARAMS);
    assert_eq!(code(&node, "state_network", json!({ "network": "Bit Coin" })).await, INVALID_PARAMS);
    assert_eq!(code(&node, "state_account", json!({ "account": "zz" })).await, INVALID_PARAMS);
    assert_eq!(code(&node, "transaction_submit", json!({ "transaction": "abc" })).await, INVALID_PARAMS);
    let client = client(&node);
    let height = client.head().await.unwrap().number.0;
    block(&client, height + 2).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_transaction_is_refused_by_name() {
    let (_testnet, node) = one_node().await;
    for bytes in [vec![], vec![0; 10], vec![255; 40_000 / 2]] {
        let params = json!({ "transaction": hex::encode(bytes) });
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "transaction_submit", "params": params });
        let error = post(&node, request.to_string()).await.1.error.unwrap();
        assert_eq!((error.code, error.refusal()), (REFUSED, Some(Refusal::Malformed)));
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_body_is_refused_before_it_is_parsed() {
    let (_testnet, node) = one_node().await;
    let (status, response) = post(&node, vec![b' '; rpc::MAX_REQUEST_BYTES + 1]).await;
    assert_eq!((status, response.error.unwrap().code), (413, INVALID_REQUEST));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_http_end_their_connection_only() {
    let (_testnet, node) = one_node().await;
    for garbage in [&b"\0\0\0\0"[..], b"GET", b"POST / HTTP/9.9\r\n\r\n", &[255; 4096]] {
        let mut stream = TcpStream::connect(node.rpc_address()).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // An error status, a reset, or nothing: whatever, but it ends.
        let _ = stream.read_to_end(&mut answer).await;
    }
    client(&node).head().await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_wait_for_a_block_and_the_rest_is_served() {
    let (_testnet, node) = one_node().await;
    let far = json!({ "jsonrpc": "2.0", "id": 1, "method": "chain_block", "params": { "number": u64::MAX, "wait_ms": u64::MAX } });
    let url = format!("http://{}", node.rpc_address());
    let http = reqwest::Client::new();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..=MAX_WAITERS {
        let request = http.post(&url).body(far.to_string());
        waiting.spawn(async move { request.send().await.map(|response| response.status().as_u16()) });
    }
    // All others wait, so the first to end is the one that found no place.
    assert_eq!(waiting.join_next().await.unwrap().unwrap().unwrap(), 503);
    let client = client(&node);
    assert_eq!(client.block(BaseBlock(u64::MAX)).await, Ok(None));
    let unknown = TransactionHash([9; 32]);
    assert_eq!(client.inclusion(unknown).await, Ok(None));
    node.stop().await;
}

#[tokio::test]
async fn submissions_are_judged_a_few_at_once_and_hold_up_nobody_else() {
    // BASE-54: before, the confirmation of a set's keys was verified under the lock of the pool, by a worker of the
    // runtime.
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let Served { client, judges, .. } = &serve(&chain).await;
    let keys = chain.set_keys(0, &key(50), &[0, 1, 2]);
    let all = u32::try_from(MAX_JUDGED).unwrap();
    let turns = judges.clone().acquire_many_owned(all).await.unwrap();
    let (waiting, submitted) = (client.clone(), keys.clone());
    let submission = tokio::spawn(async move { waiting.submit(&submitted).await });
    for _ in 0..3 {
        client.head().await.unwrap();
        assert_eq!(client.transaction(keys.hash()).await, Ok(TransactionStatus::Unknown));
    }
    assert!(!submission.is_finished());
    drop(turns);
    assert_eq!(submission.await.unwrap(), Ok(keys.hash()));
    assert_eq!(client.transaction(keys.hash()).await, Ok(TransactionStatus::Waiting));
    // What is known needs no turn.
    let _turns = judges.clone().acquire_many_owned(all).await.unwrap();
    assert_eq!(client.submit(&keys).await, Ok(keys.hash()));
}

#[test]
fn no_request_panics_the_server() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_testnet, node) = runtime.block_on(one_node());
    let methods = prop::sample::select(vec![
        "chain_head",
        "chain_block",
        "transaction_submit",
        "transaction_status",
        "transaction_inclusion",
        "state_networks",
        "state_network",
        "state_set",
        "state_validators",
        "state_validator",
        "state_account",
    ]);
    let names = prop::sample::select(vec![
        "number",
        "hash",
        "network",
        "session",
        "validator",
        "account",
        "transaction",
    ]);
    let value = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,70}".prop_map(Value::from),
        "[0-9a-f]{64}".prop_map(Value::from),
        Just(Value::Null),
        Just(json!([[]])),
    ];
    let params = prop::collection::vec((names, value), 0..3);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(200));
    let outcome = runner.run(&(methods, params), |(method, params)| {
        let params: serde_json::Map<_, _> = params.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        let code = runtime.block_on(code(&node, method, Value::Object(params)));
        prop_assert!([0, INVALID_PARAMS, REFUSED].contains(&code), "{code}");
        Ok(())
    });
    outcome.unwrap();
    runtime.block_on(node.stop());
}
