//! The JSON-RPC 2.0 server (`BASE-50` to `BASE-53`).
//!
//! ```text
//! POST /  ──permit, body bounded in size and time──▶ parse ──▶ method ──▶ read durable state ──▶ answer
//!                                                        └─ chain_block may wait for the next block
//! ```
//!
//! Bounds: [`MAX_REQUESTS`] at once and as many waiting for a block as [`MAX_WAITERS`]; beyond either the
//! answer is "busy" with status 503. Of them [`MAX_JUDGED`] submissions are judged at once, on threads of their own; a
//! further one waits for its turn. A malformed request gets the error code of JSON-RPC and harms nobody.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use coordinator_base_chain::{
    Refusal, Transaction, TransactionHash, TransactionStatus,
    rpc::{self, BUSY, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, RpcError, method},
};
use coordinator_store::{Read, Store, StoreError};
use processor_messages::{TributaryBlock, ValidatorSet};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::{
    application::{SharedPool, lock},
    pool::{self, Admission},
    query,
};

/// The most requests which are served at once, without those that wait for a block.
pub const MAX_REQUESTS: usize = 256;
/// The most requests which wait for a block.
pub const MAX_WAITERS: usize = 256;
/// The most submissions which are judged at once: a set's keys take milliseconds.
pub const MAX_JUDGED: usize = 2;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What the server works on.
pub struct Server<S> {
    store: S,
    pool: SharedPool,
    /// Encoded transactions which were admitted here. If it is full, the engine's `resend` tells the others.
    submitted: mpsc::Sender<Vec<u8>>,
    height: watch::Receiver<TributaryBlock>,
    requests: Semaphore,
    waiters: Semaphore,
    pub(crate) judges: Arc<Semaphore>,
}

impl<S: Store> Server<S> {
    /// A server over durable state; `height` tells the latest durable block: the engine's height is its number.
    pub fn new(
        store: S,
        pool: SharedPool,
        submitted: mpsc::Sender<Vec<u8>>,
        height: watch::Receiver<TributaryBlock>,
    ) -> Self {
        let (requests, waiters) = (Semaphore::new(MAX_REQUESTS), Semaphore::new(MAX_WAITERS));
        let judges = Arc::new(Semaphore::new(MAX_JUDGED));
        Self { store, pool, submitted, height, requests, waiters, judges }
    }

    /// The routes to serve: `/` only.
    pub fn router(self) -> Router {
        Router::new().route("/", post(handle::<S>)).with_state(Arc::new(self))
    }
}

type Answer = Result<Value, RpcError>;

async fn handle<S: Store>(State(server): State<Arc<Server<S>>>, body: Body) -> Response {
    let Ok(permit) = server.requests.try_acquire() else {
        return respond(StatusCode::SERVICE_UNAVAILABLE, Value::Null, Err(busy()));
    };
    let body = match read_body(body).await {
        Ok(body) => body,
        Err((status, error)) => return respond(status, Value::Null, Err(error)),
    };
    let request = match rpc::parse_request(&body) {
        Ok(request) => request,
        Err(error) => return respond(StatusCode::OK, Value::Null, Err(error)),
    };
    let answer = if request.method == method::BLOCK {
        // Waiting takes a waiter's place, not a request's.
        drop(permit);
        server.block(request.params).await
    } else {
        server.answer(&request.method, request.params).await
    };
    let status = match &answer {
        Err(error) if error.code == BUSY => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    respond(status, request.id, answer)
}

async fn read_body(body: Body) -> Result<Vec<u8>, (StatusCode, RpcError)> {
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, rpc::MAX_REQUEST_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
        Ok(Err(_)) => {
            let message = format!("the body is longer than {} bytes, or broke off", rpc::MAX_REQUEST_BYTES);
            Err((StatusCode::PAYLOAD_TOO_LARGE, RpcError::new(INVALID_REQUEST, message)))
        }
        Err(_) => {
            let error = RpcError::new(INVALID_REQUEST, "the body did not arrive within 10 s");
            Err((StatusCode::REQUEST_TIMEOUT, error))
        }
    }
}

fn respond(status: StatusCode, id: Value, answer: Answer) -> Response {
    (status, Json(rpc::Response::new(id, answer))).into_response()
}

fn busy() -> RpcError {
    RpcError::new(BUSY, "as many requests as the node serves at once; ask again later")
}

fn params<T: DeserializeOwned>(params: Value) -> Result<T, RpcError> {
    serde_json::from_value(params).map_err(|error| {
        // What is wrong may quote the whole value.
        let what: String = error.to_string().chars().take(200).collect();
        RpcError::new(INVALID_PARAMS, format!("invalid parameters: {what}"))
    })
}

fn value(value: &impl Serialize) -> Answer {
    serde_json::to_value(value).map_err(|e| RpcError::new(INTERNAL_ERROR, e.to_string()))
}

fn failed(error: &StoreError) -> RpcError {
    tracing::error!(%error, "the base chain's store failed");
    RpcError::new(INTERNAL_ERROR, "the node's store failed; its log says why")
}

impl<S: Store> Server<S> {
    fn read<T: Serialize>(&self, read: impl FnOnce(&dyn Read) -> Result<T, StoreError>) -> Answer {
        value(&self.store.read(read).map_err(|e| failed(&e))?)
    }

    async fn answer(&self, name: &str, given: Value) -> Answer {
        match name {
            method::HEAD => {
                let rpc::NoParams {} = params(given)?;
                self.read(query::head)
            }
            method::SUBMIT => self.submit(&params::<rpc::SubmitParams>(given)?.transaction).await,
            method::STATUS => self.status(params::<rpc::HashParams>(given)?.hash),
            method::INCLUSION => {
                let rpc::HashParams { hash } = params(given)?;
                self.read(|db| query::inclusion(db, hash))
            }
            method::NETWORKS => {
                let rpc::NoParams {} = params(given)?;
                self.read(query::networks)
            }
            method::NETWORK => {
                let rpc::NetworkParams { network } = params(given)?;
                self.read(|db| query::network(db, network))
            }
            method::SET => {
                let rpc::SetParams { network, session } = params(given)?;
                self.read(|db| query::set(db, ValidatorSet { network, session }))
            }
            method::VALIDATORS => {
                let rpc::NoParams {} = params(given)?;
                self.read(query::validators)
            }
            method::VALIDATOR => {
                let rpc::ValidatorParams { validator } = params(given)?;
                self.read(|db| query::validator(db, validator))
            }
            method::ACCOUNT => {
                let rpc::AccountParams { account } = params(given)?;
                self.read(|db| query::account(db, account))
            }
            other => {
                let name: String = other.chars().take(64).collect();
                Err(RpcError::new(METHOD_NOT_FOUND, format!("no method `{name}`")))
            }
        }
    }

    async fn block(&self, given: Value) -> Answer {
        let rpc::BlockParams { number, wait_ms } = params(given)?;
        let mut height = self.height.clone();
        if (wait_ms > 0) && (height.borrow_and_update().0 < number.0) {
            let _waiter = self.waiters.try_acquire().map_err(|_| busy())?;
            let wait = Duration::from_millis(wait_ms.min(rpc::MAX_WAIT_MS));
            // Whether it came or not, the state has the answer.
            let _ = tokio::time::timeout(wait, height.wait_for(|height| height.0 >= number.0)).await;
        }
        self.read(|db| query::block(db, number))
    }

    /// What the rules say to a transaction, on a thread which may take its time, without the pool.
    async fn judge(&self, transaction: Transaction) -> Result<(Transaction, Result<(), Refusal>), RpcError> {
        let _turn = self.judges.acquire().await.map_err(|_| busy())?;
        let store = self.store.clone();
        let judge = move || {
            let verdict = store.read(|db| pool::judge(db, &transaction));
            verdict.map(|verdict| (transaction, verdict))
        };
        let judged = tokio::task::spawn_blocking(judge).await;
        judged.map_err(|e| RpcError::new(INTERNAL_ERROR, e.to_string()))?.map_err(|e| failed(&e))
    }

    /// What becomes of a submission.
    async fn offer(&self, transaction: Transaction) -> Result<Result<Admission, Refusal>, RpcError> {
        let known = self.store.read(|db| lock(&self.pool).known(db, &transaction, true));
        if let Some(known) = known.map_err(|e| failed(&e))? {
            return Ok(known);
        }
        match self.judge(transaction).await? {
            (transaction, Ok(())) => {
                let admitted = self.store.read(|db| lock(&self.pool).admit(db, transaction, true));
                admitted.map_err(|e| failed(&e))
            }
            (_, Err(refusal)) => Ok(Err(refusal)),
        }
    }

    async fn submit(&self, bytes: &[u8]) -> Answer {
        let Ok(transaction) = Transaction::decode(bytes) else {
            return Err(RpcError::refused(&Refusal::Malformed));
        };
        let hash = transaction.hash();
        match self.offer(transaction).await? {
            Err(refusal) => return Err(RpcError::refused(&refusal)),
            Ok(Admission::Admitted) => {
                tracing::info!(%hash, "admitted a transaction");
                // Full or closed: told to the others at the next resend, or lost with the node.
                let _ = self.submitted.try_send(bytes.to_vec());
            }
            Ok(Admission::Waits | Admission::Final) => {}
        }
        value(&hash)
    }

    fn status(&self, hash: TransactionHash) -> Answer {
        let included = self.store.read(|db| query::included(db, hash)).map_err(|e| failed(&e))?;
        value(&match included {
            Some((block, _)) => TransactionStatus::Final { block },
            None if lock(&self.pool).contains(hash) => TransactionStatus::Waiting,
            None => TransactionStatus::Unknown,
        })
    }
}
