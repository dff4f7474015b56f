//! A processor's end.

use std::time::Duration;

use coordinator_keys::{PublicKey, SecretKey, Signature};
use processor_messages::{
    DecodeError, FromProcessor, Network, ToProcessor, codec::MAX_MESSAGE_BYTES, decode, encode,
};
use reqwest::StatusCode;
use tokio::sync::Mutex;

use crate::{
    Pushed,
    wire::{self, Boot, Code, Operation, PATH, REQUEST_HEADER, Refusal, Request, SIGNATURE_HEADER},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Beyond the wait which a request asks for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// A request of a stale boot is made again this often; more means two processors share a key.
const RESYNCS: usize = 3;

/// Why a request to the coordinator's queue failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No answer. Temporary: retry.
    #[error(
        "the coordinator's queue at {url} does not answer: {source}; start the coordinator or correct the URL"
    )]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What the transport said.
        source: reqwest::Error,
    },
    /// An answer which the coordinator's service key did not sign.
    #[error(
        "{url} answered {status} without the coordinator's signature ({reason}); check the URL and both public service keys"
    )]
    Unsigned {
        /// Who answered.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The refusal's code, if it looks like one; not proven to be the coordinator's.
        reason: String,
    },
    /// The coordinator refused.
    #[error("the coordinator refused the request: {code:?}; {}", code.remedy())]
    Refused {
        /// Why.
        code: Code,
    },
    /// The coordinator's answer does not decode.
    #[error("the coordinator's answer does not decode ({0}); run the same version of both")]
    Malformed(#[from] DecodeError),
}

impl ClientError {
    /// Whether the same request may succeed later without anybody changing a configuration.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Unsigned { .. } | Self::Malformed(_) => false,
            Self::Refused { code } => matches!(
                code,
                Code::Resync
                    | Code::Superseded
                    | Code::BodyTimeout
                    | Code::NotDelivered
                    | Code::Full
                    | Code::Busy
                    | Code::StoreFailed
            ),
        }
    }
}

/// A processor's connection to its coordinator's queue. Each lane makes one request at a time.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    network: Network,
    key: SecretKey,
    coordinator: PublicKey,
    receive: Mutex<LaneState>,
    send: Mutex<LaneState>,
}

#[derive(Debug, Default)]
struct LaneState {
    boot: Boot,
    number: u64,
}

struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl Client {
    /// Talks to the queue served at `url` (`http://host:port`), as the processor of `network`, which holds the
    /// service key `key`, with the coordinator which holds the service key `coordinator`.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if the system gives no HTTP client.
    pub fn new(
        url: &str,
        network: Network,
        key: SecretKey,
        coordinator: PublicKey,
    ) -> Result<Self, ClientError> {
        let url = format!("{}{PATH}", url.trim_end_matches('/'));
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|source| ClientError::Unreachable { url: url.clone(), source })?;
        let (receive, send) = (Mutex::default(), Mutex::default());
        Ok(Self { http, url, network, key, coordinator, receive, send })
    }

    /// Queues a message; returns once it is durable at the coordinator.
    ///
    /// # Errors
    /// [`ClientError`]; after one the message may or may not be queued, and is to be sent again.
    pub async fn send(&self, message: &FromProcessor) -> Result<Pushed, ClientError> {
        self.send_encoded(encode(message)).await
    }

    /// As [`Client::send`], of an encoded message.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_encoded(&self, body: Vec<u8>) -> Result<Pushed, ClientError> {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let operation = Operation::Send { length, hash: wire::hash(&body) };
        let answer = self.call(&self.send, operation, body, Duration::ZERO).await?;
        Ok(decode(&answer.body, 16)?)
    }

    /// The next message and its id, waiting for one up to `wait`; the same again until it is acknowledged.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn next(&self, wait: Duration) -> Result<Option<(u64, ToProcessor)>, ClientError> {
        let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).min(wire::MAX_WAIT_MS);
        let wait = Duration::from_millis(wait_ms.into());
        let answer = self.call(&self.receive, Operation::Next { wait_ms }, Vec::new(), wait).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let Some((id, message)) = answer.body.split_first_chunk() else {
            return Err(DecodeError::Malformed("no message id".to_owned()).into());
        };
        Ok(Some((u64::from_le_bytes(*id), decode(message, MAX_MESSAGE_BYTES)?)))
    }

    /// Removes the message with this id, whose effects are durable here.
    ///
    /// # Errors
    /// [`ClientError`]; the message may then come again.
    pub async fn acknowledge(&self, id: u64) -> Result<(), ClientError> {
        let operation = Operation::Acknowledge { id };
        self.call(&self.receive, operation, Vec::new(), Duration::ZERO).await.map(|_| ())
    }

    async fn call(
        &self,
        lane: &Mutex<LaneState>,
        operation: Operation,
        body: Vec<u8>,
        wait: Duration,
    ) -> Result<Answer, ClientError> {
        let mut lane = lane.lock().await;
        for _ in 0..RESYNCS {
            lane.number = lane.number.saturating_add(1);
            let request = Request { network: self.network, boot: lane.boot, number: lane.number, operation };
            let answer = self.exchange(&request, body.clone(), wait).await?;
            if answer.status.is_success() {
                return Ok(answer);
            }
            let refusal: Refusal =
                serde_json::from_slice(&answer.body).map_err(|e| DecodeError::Malformed(e.to_string()))?;
            let boot = refusal.boot.as_ref().map(|boot| {
                let mut bytes = Boot::default();
                hex::decode_to_slice(boot, &mut bytes).map(|()| bytes)
            });
            match (refusal.code, boot, refusal.last) {
                (Code::Resync, Some(Ok(boot)), Some(last)) => *lane = LaneState { boot, number: last },
                (code, _, _) => return Err(ClientError::Refused { code }),
            }
        }
        Err(ClientError::Refused { code: Code::Resync })
    }

    /// One request and its verified answer.
    async fn exchange(
        &self,
        request: &Request,
        body: Vec<u8>,
        wait: Duration,
    ) -> Result<Answer, ClientError> {
        let unreachable = |source| ClientError::Unreachable { url: self.url.clone(), source };
        let response = self
            .http
            .post(&self.url)
            .header(REQUEST_HEADER, hex::encode(encode(request)))
            .header(SIGNATURE_HEADER, hex::encode(request.sign(&self.key).0))
            .timeout(wait + ANSWER_TIMEOUT)
            .body(body)
            .send()
            .await
            .map_err(unreachable)?;
        let status = response.status();
        let signature = response.headers().get(SIGNATURE_HEADER).and_then(|value| {
            let mut bytes = [0; 64];
            hex::decode_to_slice(value.as_bytes(), &mut bytes).ok().map(|()| Signature(bytes))
        });
        let body = self.read_bounded(response).await?;
        let signed = signature.is_some_and(|signature| {
            wire::verify_response(&self.coordinator, request, status.as_u16(), &body, &signature)
        });
        if !signed {
            let refusal = serde_json::from_slice::<Refusal>(&body);
            let reason = refusal.map_or_else(|_| "no reason given".to_owned(), |r| format!("{:?}", r.code));
            return Err(ClientError::Unsigned { url: self.url.clone(), status: status.as_u16(), reason });
        }
        Ok(Answer { status, body })
    }

    async fn read_bounded(&self, mut response: reqwest::Response) -> Result<Vec<u8>, ClientError> {
        const LIMIT: usize = MAX_MESSAGE_BYTES + 8;
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|source| ClientError::Unreachable { url: self.url.clone(), source })?
        {
            if body.len() + chunk.len() > LIMIT {
                return Err(DecodeError::TooLong { length: body.len() + chunk.len(), limit: LIMIT }.into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}
