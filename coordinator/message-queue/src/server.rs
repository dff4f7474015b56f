//! The HTTP server: verifies, then reads, then acts; every refusal is a code and a remedy.
//!
//! ```text
//! headers -> decode -> network known -> signature -> boot and number unused -> Next | Acknowledge | body -> Send
//!   unauthenticated: 4xx, unsigned, nothing read or stored   |  authenticated: every answer is signed
//! ```

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::post,
};
use coordinator_keys::Signature;
use coordinator_store::Store;
use processor_messages::{FromProcessor, codec::MAX_MESSAGE_BYTES, decode, encode};

use crate::{
    Direction, MessageQueue, Pushed, QueueError,
    coordinator::{Peer, wake},
    queue,
    wire::{
        self, Code, MAX_REQUEST_BYTES, MAX_WAIT_MS, Operation, PATH, REQUEST_HEADER, Refusal, Request,
        SIGNATURE_HEADER,
    },
};

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

impl<S: Store> MessageQueue<S> {
    /// The routes to mount: [`PATH`] only.
    pub fn router(&self) -> Router {
        let queue = post(handle::<S>).fallback(async || refuse(Code::MethodNotAllowed));
        let other = async || refuse(Code::NotFound);
        Router::new().route(PATH, queue).fallback(other).with_state(self.clone())
    }
}

/// An answer before it is signed.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    fn ok(body: Vec<u8>) -> Self {
        Self { status: 200, body }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let body = serde_json::to_vec(&refusal).expect("a refusal is plain strings and numbers");
        Self { status: refusal.code.status(), body }
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Self(Box::new(Refusal::from(code)))
    }
}

/// Boxed so that the good path stays small.
struct Refused(Box<Refusal>);

/// An answer to somebody unknown.
fn refuse(code: Code) -> Response {
    respond(Refusal::from(code).into(), None)
}

async fn handle<S: Store>(State(queue): State<MessageQueue<S>>, headers: HeaderMap, body: Body) -> Response {
    let (request, peer) = match authenticate(&queue, &headers) {
        Ok(authenticated) => authenticated,
        Err(code) => {
            tracing::debug!(?code, "refused an unauthenticated request to the message queue");
            return respond(Refusal::from(code).into(), None);
        }
    };
    let answer = match act(&queue, peer, &request, body).await {
        Ok(answer) => answer,
        Err(Refused(refusal)) => {
            tracing::debug!(network = %request.network, code = ?refusal.code, "refused a processor's request");
            (*refusal).into()
        }
    };
    let signature = wire::sign_response(&queue.0.key, &request, answer.status, &answer.body);
    respond(answer, Some(signature))
}

fn respond(answer: Answer, signature: Option<Signature>) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status.is_success() { "application/octet-stream" } else { "application/json" };
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let signature = signature.and_then(|s| HeaderValue::from_str(&hex::encode(s.0)).ok());
    if let Some(signature) = signature {
        response.headers_mut().insert(SIGNATURE_HEADER, signature);
    }
    response
}

fn header_bytes(headers: &HeaderMap, name: &str, limit: usize) -> Result<Vec<u8>, Code> {
    let value = headers.get(name).ok_or(Code::Unsigned)?;
    if value.len() > 2 * limit {
        return Err(Code::MalformedRequest);
    }
    hex::decode(value.as_bytes()).map_err(|_| Code::Unsigned)
}

/// Whose request this is, without reading its body.
fn authenticate<'a, S: Store>(
    queue: &'a MessageQueue<S>,
    headers: &HeaderMap,
) -> Result<(Request, &'a Peer), Code> {
    let request = header_bytes(headers, REQUEST_HEADER, MAX_REQUEST_BYTES)?;
    let signature = header_bytes(headers, SIGNATURE_HEADER, 64)?;
    let signature = Signature(signature.try_into().map_err(|_| Code::Unsigned)?);
    let request: Request = decode(&request, MAX_REQUEST_BYTES).map_err(|_| Code::MalformedRequest)?;
    let peer = queue.peer(request.network).map_err(|_| Code::UnknownNetwork)?;
    if !request.verify(&peer.key, &signature) {
        return Err(Code::WrongSignature);
    }
    Ok((request, peer))
}

async fn act<S: Store>(
    queue: &MessageQueue<S>,
    peer: &Peer,
    request: &Request,
    body: Body,
) -> Result<Answer, Refused> {
    use_number(queue, peer, request)?;
    match request.operation {
        Operation::Next { wait_ms } => next(queue, peer, request, wait_ms).await,
        Operation::Acknowledge { id } => acknowledge(queue, peer, request, id).await,
        Operation::Send { length, hash } => {
            let message = read_body(queue, body, length, hash).await?;
            send(queue, peer, request, message).await
        }
    }
}

/// Accepts a request of this boot with a number above all others of its lane (`MQ-7`).
fn use_number<S: Store>(queue: &MessageQueue<S>, peer: &Peer, request: &Request) -> Result<(), Refused> {
    let mut state = peer.state();
    let last = state.last(request.operation.lane());
    if (request.boot != queue.0.boot) || (request.number <= *last) {
        let refusal = Refusal {
            boot: Some(hex::encode(queue.0.boot)),
            last: Some(*last),
            ..Refusal::from(Code::Resync)
        };
        return Err(Refused(Box::new(refusal)));
    }
    *last = request.number;
    drop(state);
    if request.operation.lane() == wire::Lane::Receive {
        // Ends an older wait, which must not disclose what comes now.
        wake(&peer.to_processor);
    }
    Ok(())
}

async fn next<S: Store>(
    queue: &MessageQueue<S>,
    peer: &Peer,
    request: &Request,
    wait_ms: u32,
) -> Result<Answer, Refused> {
    let mut changed = peer.to_processor.subscribe();
    let wait = Duration::from_millis(wait_ms.min(MAX_WAIT_MS).into());
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        changed.mark_unchanged();
        // Under the lock, so that a newer request either ends this one or sees its delivery.
        {
            let mut state = peer.state();
            if *state.last(wire::Lane::Receive) != request.number {
                return Err(Code::Superseded.into());
            }
            let head = queue.0.store.read(|db| queue::head(db, request.network, Direction::ToProcessor));
            if let Some((id, message)) = head.map_err(store_failed)? {
                state.delivered = Some(id);
                let mut body = id.to_le_bytes().to_vec();
                body.extend(message);
                return Ok(Answer::ok(body));
            }
        }
        if !matches!(tokio::time::timeout_at(deadline, changed.changed()).await, Ok(Ok(()))) {
            return Ok(Answer { status: 204, body: Vec::new() });
        }
    }
}

async fn acknowledge<S: Store>(
    queue: &MessageQueue<S>,
    peer: &Peer,
    request: &Request,
    id: u64,
) -> Result<Answer, Refused> {
    if peer.state().delivered.is_none_or(|delivered| id > delivered) {
        return Err(Code::NotDelivered.into());
    }
    let step = |txn: &mut dyn coordinator_store::Transaction| {
        queue::acknowledge(txn, request.network, Direction::ToProcessor, id)
    };
    let ((), commit) = queue.0.store.write(step).map_err(queue_refusal)?;
    commit.await.map_err(store_failed)?;
    Ok(Answer::ok(Vec::new()))
}

async fn read_body<S: Store>(
    queue: &MessageQueue<S>,
    body: Body,
    length: u32,
    hash: [u8; 32],
) -> Result<Vec<u8>, Refused> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_MESSAGE_BYTES {
        return Err(Code::TooLarge.into());
    }
    let _permit = queue.0.bodies.try_acquire().map_err(|_| Code::Busy)?;
    let bytes = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, length)).await;
    let bytes = bytes.map_err(|_| Code::BodyTimeout)?.map_err(|_| Code::BodyMismatch)?;
    if (bytes.len() != length) || (wire::hash(&bytes) != hash) {
        return Err(Code::BodyMismatch.into());
    }
    Ok(bytes.to_vec())
}

async fn send<S: Store>(
    queue: &MessageQueue<S>,
    peer: &Peer,
    request: &Request,
    bytes: Vec<u8>,
) -> Result<Answer, Refused> {
    let message: FromProcessor = decode(&bytes, MAX_MESSAGE_BYTES).map_err(|_| Code::MalformedMessage)?;
    let intent = message.intent(request.network);
    let step = |txn: &mut dyn coordinator_store::Transaction| {
        queue::push(txn, request.network, Direction::FromProcessor, &intent, bytes)
    };
    let (pushed, commit): (Pushed, _) = queue.0.store.write(step).map_err(queue_refusal)?;
    // A duplicate's first copy may still be on its way to the disk, so this waits in both cases.
    commit.await.map_err(store_failed)?;
    wake(&peer.from_processor);
    Ok(Answer::ok(encode(&pushed)))
}

fn store_failed(error: coordinator_store::StoreError) -> Refused {
    tracing::error!(%error, "the message queue cannot use the store");
    Code::StoreFailed.into()
}

fn queue_refusal(error: QueueError) -> Refused {
    match error {
        QueueError::Full { .. } => Code::Full.into(),
        QueueError::NotDelivered { .. } => Code::NotDelivered.into(),
        QueueError::TooLong { .. } => Code::TooLarge.into(),
        QueueError::UnknownNetwork(_) => Code::UnknownNetwork.into(),
        QueueError::Store(error) => store_failed(error),
    }
}
