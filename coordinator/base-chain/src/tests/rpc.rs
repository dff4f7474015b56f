use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    Refusal,
    rpc::{self, INVALID_REQUEST, PARSE_ERROR, Request, Response, RpcError, parse_request},
};

fn code(body: &str) -> i64 {
    parse_request(body.as_bytes()).unwrap_err().code
}

/// BASE-51
#[test]
fn what_is_no_request_gets_its_code() {
    assert_eq!(code(""), PARSE_ERROR);
    assert_eq!(code("{"), PARSE_ERROR);
    assert_eq!(code("\"a\""), INVALID_REQUEST);
    assert_eq!(code("{}"), INVALID_REQUEST);
    assert_eq!(code(r#"{"jsonrpc":"1.0","id":1,"method":"chain_head"}"#), INVALID_REQUEST);
    assert_eq!(code(r#"{"jsonrpc":"2.0","id":{},"method":"chain_head"}"#), INVALID_REQUEST);
    assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":7}"#), INVALID_REQUEST);
}

/// BASE-51
#[test]
fn a_batch_of_requests_is_refused() {
    let one = r#"{"jsonrpc":"2.0","id":1,"method":"chain_head"}"#;
    assert_eq!(code(&format!(" [{one},{one}]")), INVALID_REQUEST);
    assert_eq!(parse_request(one.as_bytes()).unwrap().method, rpc::method::HEAD);
}

/// BASE-51: JSON that is nested as deeply as the body allows.
#[test]
fn deep_nesting_is_an_error() {
    assert_eq!(code(&"[".repeat(rpc::MAX_REQUEST_BYTES)), PARSE_ERROR);
    assert_eq!(code(&"{\"a\":".repeat(10_000)), PARSE_ERROR);
}

#[test]
fn a_refusal_travels_as_data() {
    let refusal = Refusal::NonceAhead { nonce: 4, next: 2 };
    let response = Response::new(json!(1), Err(RpcError::refused(&refusal)));
    let text = serde_json::to_string(&response).unwrap();
    let back: Response = serde_json::from_str(&text).unwrap();
    assert_eq!(back.error.unwrap().refusal(), Some(refusal));
    let unknown = RpcError { data: Some(json!("made_up")), ..RpcError::new(rpc::REFUSED, "") };
    assert_eq!(unknown.refusal(), None);
}

#[test]
fn a_null_result_is_a_result() {
    let text = serde_json::to_string(&Response::new(json!(1), Ok(Value::Null))).unwrap();
    let back: Response = serde_json::from_str(&text).unwrap();
    assert_eq!((back.result, back.error), (Some(Value::Null), None));
}

proptest! {
    #[test]
    fn arbitrary_bodies_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_request(&body).map(|request: Request| request.method);
    }
}
