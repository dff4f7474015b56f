//! The one hash of this crate: Blake2b-256 with a domain and length-prefixed parts.

use blake2::{Blake2b, Digest, digest::consts::U32};

/// Hashes `parts` under `domain`; no two different inputs share an encoding.
pub(crate) fn hash(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Blake2b::<U32>::new();
    let mut absorb = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    absorb(b"headwater v1");
    absorb(domain.as_bytes());
    for part in parts {
        absorb(part);
    }
    digest.finalize().into()
}
