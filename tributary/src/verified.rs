//! Each signature is verified once, and those that arrive together are verified together.
//!
//! ```text
//! what arrived --claims--> verify_all: one batch --> valid: remembered          before the step, without the store
//!                                                    false: remembered too, for a while
//! step: check(claim) --> remembered? else verified alone
//! ```
//!
//! Verdicts are those of single verification, so remembering them is only time.

use std::collections::BTreeSet;

use coordinator_keys::{Claim, Signature, verify_batch};

use crate::{Member, hash::hash};

/// The most remembered in one half; when it is full, the older half is forgotten. As many as the votes of the largest
/// set in thirty consensus rounds. Few in tests, so that they meet forgetting.
const MOST: usize = if cfg!(test) { 32 } else { 16_384 };

/// What names a claim: a hash of all its parts.
pub(crate) type ClaimId = [u8; 32];

/// Names "`member` signed `message` in `domain`".
pub(crate) fn claim_id(member: &Member, domain: &str, message: &[u8], signature: &Signature) -> ClaimId {
    hash("tributary verified", &[domain.as_bytes(), &member.validator.0, message, &signature.0])
}

/// Claims which were verified.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    valid: BTreeSet<ClaimId>,
    older: BTreeSet<ClaimId>,
    invalid: BTreeSet<ClaimId>,
}

impl Verified {
    /// What is remembered of a claim.
    pub(crate) fn verdict(&self, id: &ClaimId) -> Option<bool> {
        if self.valid.contains(id) || self.older.contains(id) {
            return Some(true);
        }
        self.invalid.contains(id).then_some(false)
    }

    /// Verifies all claims together, each once; whether all are true. There may be more than are remembered.
    pub(crate) fn verify_all(&mut self, claims: Vec<(ClaimId, Claim<'_>)>) -> bool {
        let mut all = true;
        let mut seen = BTreeSet::new();
        let new = |(id, _): &(ClaimId, Claim<'_>)| {
            let verdict = self.verdict(id);
            all &= verdict.unwrap_or(true);
            verdict.is_none() && seen.insert(*id)
        };
        let (ids, claims): (Vec<_>, Vec<_>) = claims.into_iter().filter(new).unzip();
        for (id, valid) in ids.into_iter().zip(verify_batch(&claims)) {
            all &= valid;
            self.note(id, valid);
        }
        all
    }

    fn note(&mut self, id: ClaimId, valid: bool) {
        if !valid {
            if self.invalid.len() >= MOST {
                self.invalid.clear();
            }
            self.invalid.insert(id);
            return;
        }
        if self.valid.len() >= MOST {
            self.older = std::mem::take(&mut self.valid);
        }
        self.valid.insert(id);
    }

    /// Whether `member` signed `message` in `domain`.
    pub(crate) fn check(
        &mut self,
        member: &Member,
        domain: &str,
        message: &[u8],
        signature: &Signature,
    ) -> bool {
        let id = claim_id(member, domain, message, signature);
        if let Some(valid) = self.verdict(&id) {
            return valid;
        }
        let valid = member.key.verify(domain, message, signature);
        self.note(id, valid);
        valid
    }

    /// Remembers a signature of our own.
    pub(crate) fn own(&mut self, member: &Member, domain: &str, message: &[u8], signature: &Signature) {
        self.note(claim_id(member, domain, message, signature), true);
    }
}

/// Claims of what arrived, gathered before they are verified.
#[derive(Debug, Default)]
pub(crate) struct Claims<'a>(Vec<(ClaimId, Claim<'a>)>);

impl<'a> Claims<'a> {
    pub(crate) fn add(
        &mut self,
        member: &'a Member,
        domain: &'static str,
        message: Vec<u8>,
        signature: &Signature,
    ) {
        let id = claim_id(member, domain, &message, signature);
        self.0.push((id, Claim { key: &member.key, domain, message, signature: *signature }));
    }

    pub(crate) fn into_inner(self) -> Vec<(ClaimId, Claim<'a>)> {
        self.0
    }
}
