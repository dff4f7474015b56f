//! The network's process: payments over HTTP, kept on disk.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /` | which network, and how many payments |
//! | `POST /payments`, a signed payment as JSON | its id and its place in the account's order, once it is on disk |
//! | `GET /payments?from=0&limit=64` | all payments from a number on, in order |
//! | `GET /accounts/KEY/payments?from=0&limit=64` | those of one account from a place on |
//!
//! A refusal is `{"code", "what"}`. Bounds (`PROC-18`): a body of [`MAX_BODY_BYTES`] within [`BODY_TIMEOUT`], so many
//! requests at once as [`MAX_REQUESTS`], then "busy" with status 503; connections by [`BoundedListener`].

use std::{future::Future, path::Path as FilePath, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use coordinator_startup::{BoundedListener, Failure, Kind, open_store, store_failure};
use coordinator_store::{Store, StoreError};
use processor_messages::{KeyBytes, Network};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::Semaphore};

use super::{Ledger, MAX_LISTED, Refusal, SignedPayment, all, config::Config, count, of_account};

/// The largest body: a payment of as many outputs as there can be, as JSON.
pub const MAX_BODY_BYTES: usize = 32 * 1024;
/// How long a body may take to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The most requests which are served at once.
pub const MAX_REQUESTS: usize = 64;
/// The most open connections.
const MAX_CONNECTIONS: usize = 256;
/// A connection ends on which nothing moved for so long.
const IDLE: Duration = Duration::from_mins(2);

/// What `GET /` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Info {
    /// Which network.
    #[serde(flatten)]
    pub ledger: Ledger,
    /// How many payments it has.
    pub payments: u64,
}

/// Which payments are asked for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    #[serde(default)]
    from: u64,
    #[serde(default = "most")]
    limit: usize,
}

fn most() -> usize {
    MAX_LISTED
}

/// Why a request has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Problem {
    Refused(Refusal),
    BadRequest(&'static str),
    TooLarge,
    Slow,
    Busy,
    NotFound,
    Store,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, what) = match self {
            Self::Refused(refusal) => {
                let code = serde_json::to_value(refusal).unwrap_or_default();
                let body = serde_json::json!({ "code": code, "what": refusal.to_string() });
                return (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response();
            }
            Self::BadRequest(what) => (StatusCode::BAD_REQUEST, "bad_request", what),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "a body has at most 32 KiB"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "slow", "the body did not arrive within 10 s"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "ask again later"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "see `GET /`"),
            Self::Store => (StatusCode::INTERNAL_SERVER_ERROR, "store_failed", "the log says why"),
        };
        (status, Json(serde_json::json!({ "code": code, "what": what }))).into_response()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the network's store failed");
        Self::Store
    }
}

struct Shared<S> {
    ledger: Ledger,
    store: S,
    requests: Semaphore,
}

type Server<S> = State<Arc<Shared<S>>>;

/// The routes of a network over its store.
pub fn router<S: Store>(ledger: Ledger, store: S) -> Router {
    let shared = Arc::new(Shared { ledger, store, requests: Semaphore::new(MAX_REQUESTS) });
    let payments = post(submit::<S>).get(list_all::<S>);
    Router::new()
        .route("/", get(info::<S>))
        .route("/payments", payments)
        .route("/accounts/{account}/payments", get(list::<S>))
        .fallback(async || Problem::NotFound)
        .with_state(shared)
}

async fn info<S: Store>(State(server): Server<S>) -> Result<Json<Info>, Problem> {
    let _place = server.requests.try_acquire().map_err(|_| Problem::Busy)?;
    let payments = server.store.read(|db| count(db))?;
    Ok(Json(Info { ledger: server.ledger, payments }))
}

async fn submit<S: Store>(State(server): Server<S>, body: Body) -> Result<Json<super::Accepted>, Problem> {
    let _place = server.requests.try_acquire().map_err(|_| Problem::Busy)?;
    let body = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await;
    let body = body.map_err(|_| Problem::Slow)?.map_err(|_| Problem::TooLarge)?;
    let signed: SignedPayment = serde_json::from_slice(&body).map_err(|_| Refusal::Malformed)?;
    let (accepted, commit) = server.store.write(|txn| server.ledger.submit(txn, &signed))?;
    commit.await?;
    let accepted = accepted?;
    if !accepted.known {
        let outputs = signed.payment.outputs.len();
        tracing::info!(stage = "paid", id = %accepted.id, place = accepted.place, outputs, "took a payment");
    }
    Ok(Json(accepted))
}

async fn list_all<S: Store>(
    State(server): Server<S>,
    range: Result<Query<Range>, QueryRejection>,
) -> Result<Json<Vec<SignedPayment>>, Problem> {
    let _place = server.requests.try_acquire().map_err(|_| Problem::Busy)?;
    let Query(Range { from, limit }) = range.map_err(|_| WRONG_RANGE)?;
    Ok(Json(server.store.read(|db| all(db, from, limit))?))
}

const WRONG_RANGE: Problem = Problem::BadRequest("write ?from=NUMBER&limit=NUMBER");

async fn list<S: Store>(
    State(server): Server<S>,
    Path(account): Path<String>,
    range: Result<Query<Range>, QueryRejection>,
) -> Result<Json<Vec<SignedPayment>>, Problem> {
    let _place = server.requests.try_acquire().map_err(|_| Problem::Busy)?;
    let Query(Range { from, limit }) = range.map_err(|_| WRONG_RANGE)?;
    let account = hex::decode(&account).ok().and_then(|bytes| KeyBytes::new(bytes).ok());
    let account = account.ok_or(Problem::BadRequest("an account is a public key in hexadecimal digits"))?;
    Ok(Json(server.store.read(|db| of_account(db, &account, from, limit))?))
}

fn other_owner(path: &FilePath, network: Network) -> Failure {
    Failure {
        kind: Kind::Config,
        code: "WRONG_DATA_DIR",
        what: format!("{} is not of network {network} of this chain", path.display()),
        remedy: "correct the configuration, or name another data_dir".to_owned(),
    }
}

/// Runs the network of a configuration file until `shutdown` completes.
///
/// # Errors
/// [`Failure`].
pub async fn run(config: &FilePath, shutdown: impl Future<Output = ()>) -> Result<(), Failure> {
    let Config { ledger, listen, data_dir } = Config::read(config)?;
    let refused = |error| Failure::listen("the network", listen, &error);
    let listener = TcpListener::bind(listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let store = open_store(&data_dir)?;
    let disk = |error: StoreError| store_failure(&error);
    let (ours, commit) = store.write(|txn| ledger.claim(txn)).map_err(disk)?;
    commit.await.map_err(disk)?;
    if !ours {
        return Err(other_owner(&data_dir, ledger.network));
    }
    let network = ledger.network;
    tracing::info!(stage = "started", %network, %address, "the simulated network runs");
    let listener = BoundedListener::new(listener, MAX_CONNECTIONS, IDLE);
    let router = router(ledger, store.clone());
    tokio::select! {
        ended = axum::serve(listener, router) => {
            let what = format!("the network's server ended: {ended:?}");
            let remedy = "keep the log and report it".to_owned();
            return Err(Failure { kind: Kind::Internal, code: "INTERNAL", what, remedy });
        }
        () = shutdown => {}
    }
    store.close().map_err(disk)?;
    tracing::info!(stage = "stopped", "the simulated network stopped");
    Ok(())
}
