//! The JSON-RPC 2.0 interface of a base-chain node, as both ends see it (`BASE-50` to `BASE-53`).
//!
//! One request per HTTP POST to `/`, `params` always an object, no batches. Unknown parameters are refused.

use processor_messages::{Account, BaseBlock, Network, Session, Validator};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::Value;

use crate::{MAX_TRANSACTION_BYTES, Refusal, TransactionHash};

/// The largest request body, in bytes: a transaction in hex and what is around it.
pub const MAX_REQUEST_BYTES: usize = (2 * MAX_TRANSACTION_BYTES) + 4096;
/// The largest answer which a client reads, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;
/// The longest that a node holds a request for a block to come, in milliseconds.
pub const MAX_WAIT_MS: u64 = 30_000;

/// The body is not JSON.
pub const PARSE_ERROR: i64 = -32_700;
/// The body is no JSON-RPC request, or a batch of them.
pub const INVALID_REQUEST: i64 = -32_600;
/// No such method.
pub const METHOD_NOT_FOUND: i64 = -32_601;
/// The parameters are not the method's.
pub const INVALID_PARAMS: i64 = -32_602;
/// The node failed.
pub const INTERNAL_ERROR: i64 = -32_603;
/// The transaction was refused; `data` is the [`Refusal`].
pub const REFUSED: i64 = -32_000;
/// The node holds as many requests as it may.
pub const BUSY: i64 = -32_001;

/// Names of methods.
pub mod method {
    /// The latest finalized block: [`crate::Head`].
    pub const HEAD: &str = "chain_head";
    /// A finalized block or null: [`super::BlockParams`], [`crate::Block`].
    pub const BLOCK: &str = "chain_block";
    /// Submits: [`super::SubmitParams`], [`crate::TransactionHash`].
    pub const SUBMIT: &str = "transaction_submit";
    /// Where a transaction is: [`super::HashParams`], [`crate::TransactionStatus`].
    pub const STATUS: &str = "transaction_status";
    /// Proof that a transaction is in a block, or null: [`super::HashParams`], [`crate::Inclusion`].
    pub const INCLUSION: &str = "transaction_inclusion";
    /// All networks: a list of [`crate::NetworkInfo`].
    pub const NETWORKS: &str = "state_networks";
    /// A network or null: [`super::NetworkParams`], [`crate::NetworkInfo`].
    pub const NETWORK: &str = "state_network";
    /// A set or null: [`super::SetParams`], [`crate::SetInfo`].
    pub const SET: &str = "state_set";
    /// All validators: a list of [`crate::ValidatorInfo`].
    pub const VALIDATORS: &str = "state_validators";
    /// A validator or null: [`super::ValidatorParams`], [`crate::ValidatorInfo`].
    pub const VALIDATOR: &str = "state_validator";
    /// An account: [`super::AccountParams`], [`crate::AccountInfo`].
    pub const ACCOUNT: &str = "state_account";
}

/// No parameters.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Which block, and how long to wait for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockParams {
    /// Its number.
    pub number: BaseBlock,
    /// How long to wait until it is finalized, in milliseconds; more than [`MAX_WAIT_MS`] counts as that.
    #[serde(default)]
    pub wait_ms: u64,
}

/// A transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitParams {
    /// Its encoding, in hex.
    #[serde(with = "hex")]
    pub transaction: Vec<u8>,
}

/// Which transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashParams {
    /// Its hash.
    pub hash: TransactionHash,
}

/// Which network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkParams {
    /// Its name.
    pub network: Network,
}

/// Which set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetParams {
    /// Of which network.
    pub network: Network,
    /// Which of its sets.
    pub session: Session,
}

/// Which validator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorParams {
    /// Its account.
    pub validator: Validator,
}

/// Which account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountParams {
    /// Its key.
    pub account: Account,
}

/// A request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Always `2.0`.
    pub jsonrpc: String,
    /// Given back with the answer: a number, a string, or null.
    #[serde(default)]
    pub id: Value,
    /// One of [`method`].
    pub method: String,
    /// An object; absent counts as empty.
    #[serde(default = "empty_object")]
    pub params: Value,
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}

impl Request {
    /// A request of this protocol's version.
    pub fn new(id: u64, method: &str, params: Value) -> Self {
        Self { jsonrpc: "2.0".to_owned(), id: id.into(), method: method.to_owned(), params }
    }
}

/// An error object.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct RpcError {
    /// One of this module's codes.
    pub code: i64,
    /// What is wrong, for people.
    pub message: String,
    /// The [`Refusal`] if the code is [`REFUSED`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl RpcError {
    /// An error without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// A refused transaction.
    pub fn refused(refusal: &Refusal) -> Self {
        Self { code: REFUSED, message: refusal.to_string(), data: serde_json::to_value(refusal).ok() }
    }

    /// The refusal which this error carries, if it is one that we know.
    pub fn refusal(&self) -> Option<Refusal> {
        (self.code == REFUSED).then(|| serde_json::from_value(self.data.clone()?).ok()).flatten()
    }
}

/// A response: a result or an error.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Response {
    /// Always `2.0`.
    pub jsonrpc: String,
    /// The request's, or null where it could not be read.
    pub id: Value,
    /// Present on success; may be null.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub result: Option<Value>,
    /// Present on failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RpcError>,
}

/// Keeps a null result apart from a missing one.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Response {
    /// The answer to the request with this id.
    pub fn new(id: Value, outcome: Result<Value, RpcError>) -> Self {
        let (result, error) = match outcome {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(error)),
        };
        Self { jsonrpc: "2.0".to_owned(), id, result, error }
    }
}

/// Reads a request body.
///
/// # Errors
/// [`RpcError`] with [`PARSE_ERROR`] if it is no JSON, with [`INVALID_REQUEST`] if it is no request.
pub fn parse_request(body: &[u8]) -> Result<Request, RpcError> {
    if serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return Err(RpcError::new(PARSE_ERROR, "the body is not JSON"));
    }
    let invalid =
        |reason: &str| RpcError::new(INVALID_REQUEST, format!("not a JSON-RPC 2.0 request: {reason}"));
    if body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[') {
        return Err(invalid("batches are not supported, send one request at a time"));
    }
    let request: Request = serde_json::from_slice(body).map_err(|e| invalid(&e.to_string()))?;
    if request.jsonrpc != "2.0" {
        return Err(invalid("jsonrpc must be \"2.0\""));
    }
    if !matches!(request.id, Value::Null | Value::Number(_) | Value::String(_)) {
        return Err(invalid("id must be a number, a string or null"));
    }
    Ok(request)
}
