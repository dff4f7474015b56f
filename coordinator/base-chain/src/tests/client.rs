//! BASE-53: a client against nodes that answer anything.

use std::time::Duration;

use processor_messages::BaseBlock;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::CHAIN;
use crate::{BaseChain, ChainError, ClientConfig, RpcClient};

/// A server that gives every connection these bytes once a request arrived, then holds it open.
async fn server(answer: Vec<u8>) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok() && stream.write_all(&answer).await.is_ok() {
                open.push(stream);
            }
        }
    };
    (url, tokio::spawn(serve))
}

fn http(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn ask(answer: Vec<u8>) -> ChainError {
    let (url, server) = server(answer).await;
    let config = ClientConfig {
        timeout: Duration::from_millis(500),
        max_response_bytes: 10_000,
        ..ClientConfig::new(url, Some(CHAIN))
    };
    let error = RpcClient::new(config).unwrap().block(BaseBlock(0)).await.unwrap_err();
    server.abort();
    error
}

fn reason(error: &ChainError) -> &str {
    match error {
        ChainError::Protocol { reason, .. } | ChainError::Unreachable { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

fn result(id: u64, result: &Value) -> Vec<u8> {
    http(&json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string())
}

#[tokio::test]
async fn what_is_no_answer_is_a_protocol_error_that_does_not_repeat_itself() {
    let answers = [
        http("nonsense"),
        http("{}"),
        result(7, &json!(null)),
        result(0, &json!({ "header": 1 })),
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
        http(&json!({ "jsonrpc": "2.0", "id": 0, "error": { "code": -32603, "message": "no" } }).to_string()),
    ];
    for answer in answers {
        let error = ask(answer).await;
        assert!(matches!(error, ChainError::Protocol { .. }) && !error.is_temporary(), "{error}");
    }
}

#[tokio::test]
async fn an_answer_larger_than_the_bound_is_not_read_to_its_end() {
    let error = ask(http(&" ".repeat(10_001))).await;
    assert!(reason(&error).contains("more than 10000 bytes"), "{error}");
}

#[tokio::test]
async fn silence_garbage_and_a_closed_port_are_temporary() {
    for answer in
        [vec![], b"\0\0\0\0\r\n\r\n".to_vec(), b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".to_vec()]
    {
        let error = ask(answer).await;
        assert!(error.is_temporary(), "{error}");
    }
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = RpcClient::new(ClientConfig::new(format!("http://{free}"), None)).unwrap();
    let error = client.head().await.unwrap_err();
    assert!(error.is_temporary() && error.to_string().contains(&free.to_string()), "{error}");
    assert!(RpcClient::new(ClientConfig::new("no url", None)).is_err());
}

#[tokio::test]
async fn a_busy_node_is_asked_again() {
    let busy = http(
        &json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32001, "message": "" } }).to_string(),
    );
    let unavailable = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".to_vec();
    for answer in [busy, unavailable] {
        let error = ask(answer).await;
        assert!(matches!(error, ChainError::Busy { .. }) && error.is_temporary(), "{error}");
    }
}

#[tokio::test]
async fn a_block_that_is_not_what_was_asked_or_committed_to_is_refused() {
    let chain = crate::MemoryChain::new("memory", CHAIN, vec![], 1, vec![]);
    let good = chain.push(2, vec![], vec![]);
    let mut lie = chain.block(BaseBlock(0)).await.unwrap().unwrap();
    lie.transactions.push(crate::TransactionHash([1; 32]));
    let mut elsewhere = good.clone();
    elsewhere.header.chain.0[0] ^= 1;
    let error = ask(result(0, &serde_json::to_value(&good).unwrap())).await;
    assert!(reason(&error).contains("asked for block 0, got 1"), "{error}");
    let error = ask(result(0, &serde_json::to_value(&lie).unwrap())).await;
    assert!(reason(&error).contains("not what its header commits to"), "{error}");
    let error = ask(result(0, &serde_json::to_value(&elsewhere).unwrap())).await;
    assert!(matches!(error, ChainError::WrongChain { expected: CHAIN, .. }), "{error}");
}
