//! Each signature is verified once: those found valid are remembered for two heights.

use std::collections::BTreeSet;

use coordinator_keys::Signature;

use crate::{Member, hash::hash, signing};

/// The most remembered of one height; beyond it signatures are verified again each time.
const MOST: usize = 16_384;

/// Valid signatures of consensus messages, by hash of (signer, message, signature).
#[derive(Debug, Default)]
pub(crate) struct Verified {
    now: BTreeSet<[u8; 32]>,
    former: BTreeSet<[u8; 32]>,
}

impl Verified {
    /// Forgets the height before the former one.
    pub(crate) fn rotate(&mut self) {
        self.former = std::mem::take(&mut self.now);
    }

    /// Whether `member` signed `message`.
    pub(crate) fn check(&mut self, member: &Member, message: &[u8], signature: &Signature) -> bool {
        let key = Self::key(member, message, signature);
        if self.now.contains(&key) || self.former.contains(&key) {
            return true;
        }
        let valid = member.key.verify(signing::CONSENSUS, message, signature);
        if valid && (self.now.len() < MOST) {
            self.now.insert(key);
        }
        valid
    }

    /// Remembers a signature of our own.
    pub(crate) fn own(&mut self, member: &Member, message: &[u8], signature: &Signature) {
        if self.now.len() < MOST {
            self.now.insert(Self::key(member, message, signature));
        }
    }

    fn key(member: &Member, message: &[u8], signature: &Signature) -> [u8; 32] {
        hash("tributary verified", &[&member.validator.0, message, &signature.0])
    }
}
