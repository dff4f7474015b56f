//! The operator's HTTP: `/livez`, `/readyz`, `/status` (JSON), `/metrics` (Prometheus).
//!
//! Reads only. Without authentication: loopback or a private network.

pub mod metrics;
pub mod status;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use coordinator_store::Store;

use status::{Problem, Sources};

/// The routes.
pub fn router<S: Store>(sources: Arc<Sources<S>>) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz::<S>))
        .route("/status", get(full::<S>))
        .route("/metrics", get(scrape::<S>))
        .fallback(unknown)
        .with_state(sources)
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn unknown() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "no such path; there are /livez, /readyz, /status and /metrics\n")
}

async fn readyz<S: Store>(State(sources): State<Arc<Sources<S>>>) -> Response {
    let problems: Vec<Problem> = sources.problems();
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(problems)).into_response()
}

async fn full<S: Store>(State(sources): State<Arc<Sources<S>>>) -> Response {
    match sources.status() {
        Ok(status) => Json(status).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn scrape<S: Store>(State(sources): State<Arc<Sources<S>>>) -> Response {
    match sources.status() {
        Ok(status) => {
            let text = sources.metrics().render(&status, &sources.tasks());
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
