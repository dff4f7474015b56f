//! What travels in gossip: a payload with its author's signature, so that a relay is believed.
//!
//! ```text
//! author (32)  stamp (8)  signature (64)  payload        signed: genesis, stamp, payload
//! ```
//!
//! The stamp is the author's time and never repeats: the same payload published again is a new message to
//! gossipsub, which would otherwise suppress what a chain means to repeat. A recorded envelope is a repetition
//! to gossipsub for a minute; once it is a minute older than its author's newest, [`Newest`] drops it unverified.
//! So nobody fills an author's room with what it said long ago. Clocks need not agree: stamps of one author are
//! compared with each other.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime},
};

use coordinator_keys::{PublicKey, SecretKey, Signature};
use processor_messages::{Genesis, Validator};

const DOMAIN: &str = "headwater p2p gossip v1";

/// What precedes a payload.
pub(crate) const HEADER_BYTES: usize = 32 + 8 + 64;

/// How much older than its author's newest an envelope may be: as long as gossipsub knows what it has seen.
pub(crate) const WINDOW: Duration = Duration::from_mins(1);

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Microseconds since 1970, which never go back while the process lives.
#[derive(Debug)]
pub(crate) struct Stamps {
    began: Instant,
    began_at: u64,
    last: AtomicU64,
}

impl Stamps {
    pub(crate) fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), began_at: micros(since), last: AtomicU64::new(0) }
    }

    pub(crate) fn now(&self) -> u64 {
        self.began_at.saturating_add(micros(self.began.elapsed()))
    }

    /// A stamp greater than all before.
    pub(crate) fn next(&self) -> u64 {
        let now = self.now();
        let later = |last: u64| now.max(last.saturating_add(1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(later(last)));
        last.map_or(now, later)
    }
}

/// The newest stamps of the authors of each chain. Bounded by the members of open chains: only verified ones are noted.
#[derive(Debug, Default)]
pub(crate) struct Newest(HashMap<(Genesis, Validator), u64>);

impl Newest {
    pub(crate) fn is_replay(&self, genesis: Genesis, author: Validator, stamp: u64) -> bool {
        let newest = self.0.get(&(genesis, author));
        newest.is_some_and(|newest| stamp.saturating_add(micros(WINDOW)) < *newest)
    }

    /// Notes a verified stamp. One far in the future counts as a little ahead of us: an author whose clock was
    /// wrong, and is right again, is heard again at once.
    pub(crate) fn note(&mut self, genesis: Genesis, author: Validator, stamp: u64, now: u64) {
        let stamp = stamp.min(now.saturating_add(micros(WINDOW)));
        let newest = self.0.entry((genesis, author)).or_default();
        *newest = stamp.max(*newest);
    }

    pub(crate) fn forget(&mut self, genesis: Genesis) {
        self.0.retain(|(of, _), _| *of != genesis);
    }
}

/// An envelope as received: of the right form, its signature not verified yet.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) author: Validator,
    pub(crate) stamp: u64,
    signature: Signature,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn seal(secret: &SecretKey, genesis: Genesis, stamp: u64, payload: &[u8]) -> Vec<u8> {
    let signature = secret.sign(DOMAIN, &statement(genesis, stamp, payload));
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend(secret.public().to_bytes());
    bytes.extend(stamp.to_le_bytes());
    bytes.extend(signature.0);
    bytes.extend(payload);
    bytes
}

fn statement(genesis: Genesis, stamp: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 + 8 + payload.len());
    bytes.extend(genesis.0);
    bytes.extend(stamp.to_le_bytes());
    bytes.extend(payload);
    bytes
}

impl Envelope {
    pub(crate) fn parse(mut bytes: Vec<u8>) -> Option<Self> {
        let (author, rest) = bytes.split_first_chunk::<32>()?;
        let (stamp, rest) = rest.split_first_chunk::<8>()?;
        let (signature, _) = rest.split_first_chunk::<64>()?;
        let (author, stamp) = (Validator(*author), u64::from_le_bytes(*stamp));
        let signature = Signature(*signature);
        bytes.drain(..HEADER_BYTES);
        Some(Self { author, stamp, signature, payload: bytes })
    }

    /// Whether the author signed this for `genesis`.
    pub(crate) fn verify(&self, genesis: Genesis) -> bool {
        let statement = statement(genesis, self.stamp, &self.payload);
        PublicKey::from_bytes(self.author.0)
            .is_ok_and(|author| author.verify(DOMAIN, &statement, &self.signature))
    }
}
