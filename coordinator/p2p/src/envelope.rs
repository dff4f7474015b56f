//! What travels in gossip: a payload with its author's signature, so that a relay is believed.
//!
//! ```text
//! author (32)  nonce (8)  signature (64)  payload        signed: genesis, nonce, payload
//! ```
//!
//! The nonce is random: the same payload published again is a new message to gossipsub, which would otherwise
//! suppress what a chain means to repeat. A recorded envelope can be replayed by anyone; chains take the same
//! payload twice without harm.

use coordinator_keys::{PublicKey, SecretKey, Signature};
use processor_messages::{Genesis, Validator};

const DOMAIN: &str = "headwater p2p gossip v1";

/// What precedes a payload.
pub(crate) const HEADER_BYTES: usize = 32 + 8 + 64;

/// An envelope as received: of the right form, its signature not verified yet.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) author: Validator,
    nonce: [u8; 8],
    signature: Signature,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn seal(secret: &SecretKey, genesis: Genesis, nonce: [u8; 8], payload: &[u8]) -> Vec<u8> {
    let signature = secret.sign(DOMAIN, &statement(genesis, nonce, payload));
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend(secret.public().to_bytes());
    bytes.extend(nonce);
    bytes.extend(signature.0);
    bytes.extend(payload);
    bytes
}

fn statement(genesis: Genesis, nonce: [u8; 8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 + 8 + payload.len());
    bytes.extend(genesis.0);
    bytes.extend(nonce);
    bytes.extend(payload);
    bytes
}

impl Envelope {
    pub(crate) fn parse(mut bytes: Vec<u8>) -> Option<Self> {
        let (author, rest) = bytes.split_first_chunk::<32>()?;
        let (nonce, rest) = rest.split_first_chunk::<8>()?;
        let (signature, _) = rest.split_first_chunk::<64>()?;
        let (author, nonce, signature) = (Validator(*author), *nonce, Signature(*signature));
        bytes.drain(..HEADER_BYTES);
        Some(Self { author, nonce, signature, payload: bytes })
    }

    /// Whether the author signed this for `genesis`.
    pub(crate) fn verify(&self, genesis: Genesis) -> bool {
        let statement = statement(genesis, self.nonce, &self.payload);
        PublicKey::from_bytes(self.author.0)
            .is_ok_and(|author| author.verify(DOMAIN, &statement, &self.signature))
    }
}
