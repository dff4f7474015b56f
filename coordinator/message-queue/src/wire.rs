//! What client and server sign, and the reasons of a refusal.
//!
//! ```text
//! POST /v1/queue
//!   x-queue-request:   hex(borsh(Request))      network, boot, number, operation with the body's hash
//!   x-queue-signature: hex(Schnorr by the processor's service key)
//! 200 | 204 | 4xx | 5xx
//!   x-queue-signature: hex(Schnorr by the coordinator's service key over request hash, status, body hash)
//! ```
//!
//! The server verifies the request's signature before it reads a byte of the body. No signed request is
//! accepted twice (`MQ-7`): `boot` is drawn by the server at its start, `number` increases in each lane.

use blake2::{Blake2b, Digest, digest::consts::U32};
use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_keys::{PublicKey, SecretKey, Signature};
use processor_messages::{Network, encode};
use serde::{Deserialize, Serialize};

/// Where the queue is served.
pub const PATH: &str = "/v1/queue";
/// The header of the encoded [`Request`].
pub const REQUEST_HEADER: &str = "x-queue-request";
/// The header of the signature, in both directions.
pub const SIGNATURE_HEADER: &str = "x-queue-signature";
/// The longest wait for a next message, in milliseconds.
pub const MAX_WAIT_MS: u32 = 20_000;
/// The longest encoded [`Request`], in bytes.
pub const MAX_REQUEST_BYTES: usize = 128;

const REQUEST_DOMAIN: &str = "headwater message queue request v1";
const RESPONSE_DOMAIN: &str = "headwater message queue response v1";

/// One life of a server's process.
pub type Boot = [u8; 16];

/// What a processor asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Operation {
    /// The next message, waiting for one at most this long; at most [`MAX_WAIT_MS`].
    Next {
        /// In milliseconds.
        wait_ms: u32,
    },
    /// The processor committed the effects of the message with this id.
    Acknowledge {
        /// As delivered.
        id: u64,
    },
    /// Queue the message in the body.
    Send {
        /// Of the body, in bytes.
        length: u32,
        /// Blake2b-256 of the body.
        hash: [u8; 32],
    },
}

/// The sequence in which a request's number counts. Requests of one lane are made one after another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// `Next` and `Acknowledge`.
    Receive,
    /// `Send`.
    Send,
}

impl Operation {
    /// Where the request's number counts.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Next { .. } | Self::Acknowledge { .. } => Lane::Receive,
            Self::Send { .. } => Lane::Send,
        }
    }
}

/// The signed part of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Request {
    /// Whose processor asks.
    pub network: Network,
    /// Which life of the server is meant.
    pub boot: Boot,
    /// Greater than every number of this lane and boot before.
    pub number: u64,
    /// What is asked.
    pub operation: Operation,
}

impl Request {
    /// Signs with the processor's service key.
    pub fn sign(&self, key: &SecretKey) -> Signature {
        key.sign(REQUEST_DOMAIN, &encode(self))
    }

    /// Whether this processor's service key signed.
    #[must_use]
    pub fn verify(&self, key: &PublicKey, signature: &Signature) -> bool {
        key.verify(REQUEST_DOMAIN, &encode(self), signature)
    }
}

/// Blake2b-256, as in [`Operation::Send`].
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(bytes).into()
}

fn response_message(request: &Request, status: u16, body: &[u8]) -> Vec<u8> {
    encode(&(hash(&encode(request)), status, hash(body)))
}

/// Signs an answer to exactly this request with the coordinator's service key.
pub fn sign_response(key: &SecretKey, request: &Request, status: u16, body: &[u8]) -> Signature {
    key.sign(RESPONSE_DOMAIN, &response_message(request, status, body))
}

/// Whether the coordinator's service key signed this answer to this request.
#[must_use]
pub fn verify_response(
    key: &PublicKey,
    request: &Request,
    status: u16,
    body: &[u8],
    signature: &Signature,
) -> bool {
    key.verify(RESPONSE_DOMAIN, &response_message(request, status, body), signature)
}

/// Why a request is refused: stable codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// Not a POST to the queue.
    MethodNotAllowed,
    /// Another path than the queue's.
    NotFound,
    /// A header is missing or not hexadecimal.
    Unsigned,
    /// The request does not decode.
    MalformedRequest,
    /// The coordinator serves no such network.
    UnknownNetwork,
    /// The signature is not by the network's processor.
    WrongSignature,
    /// Of another boot, or a number used before.
    Resync,
    /// A later request of the same processor ended this wait.
    Superseded,
    /// The body is larger than any message.
    TooLarge,
    /// The body is not the one whose length and hash were signed.
    BodyMismatch,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body is no message.
    MalformedMessage,
    /// The id was not delivered in this boot.
    NotDelivered,
    /// The queue is at its bound.
    Full,
    /// Too many bodies are being read.
    Busy,
    /// The coordinator's store failed.
    StoreFailed,
}

impl Code {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::MethodNotAllowed => 405,
            Self::Unsigned | Self::WrongSignature => 401,
            Self::MalformedRequest | Self::BodyMismatch | Self::MalformedMessage => 400,
            Self::NotFound | Self::UnknownNetwork => 404,
            Self::Resync | Self::Superseded | Self::NotDelivered => 409,
            Self::TooLarge => 413,
            Self::BodyTimeout => 408,
            Self::Full => 429,
            Self::Busy | Self::StoreFailed => 503,
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::MethodNotAllowed | Self::NotFound => "POST to /v1/queue",
            Self::Unsigned => "send the headers x-queue-request and x-queue-signature in hexadecimal",
            Self::MalformedRequest | Self::MalformedMessage => {
                "run a processor of the same version as the coordinator"
            }
            Self::UnknownNetwork => "add the network to the coordinator's configuration",
            Self::WrongSignature => "give the coordinator the public service key of this processor",
            Self::Resync => "sign again with the boot and a number above the one given here",
            Self::Superseded => "run one processor for each network",
            Self::TooLarge => "send at most 2 MiB",
            Self::BodyMismatch => "send the body whose length and hash were signed",
            Self::BodyTimeout => "send the body within 10 seconds",
            Self::NotDelivered => "ask for the next message before acknowledging it",
            Self::Full => "retry later: the coordinator has to handle what is queued first",
            Self::Busy => "retry later",
            Self::StoreFailed => "see the coordinator's log: its disk failed",
        }
    }
}

/// The JSON body of a refusal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// What to do about it.
    pub remedy: String,
    /// This life of the server, if that is what was wrong; hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub boot: Option<String>,
    /// The greatest number used in the lane, if that is what was wrong.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<u64>,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, remedy: code.remedy().to_owned(), boot: None, last: None }
    }
}
