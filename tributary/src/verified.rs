//! Each signature is verified once, and those that arrive together are verified together.
//!
//! ```text
//! what arrived --claims--> verify_all: one batch --> valid: remembered          before the step, without the store
//!                            |  a false one is in it: parts of the senders --> this sender is suspected
//!                            +--of the suspected: each message alone, up to its first false one
//! step: check(claim) --> remembered? else verified alone
//! ```
//!
//! Verdicts are those of single verification, so remembering them is only time. A false claim is its sender's fault, as
//! who is honest verifies what it passes on. So of a message nothing is verified after the first false claim, and who
//! sent one takes nobody's claims along again.

use std::collections::{BTreeMap, BTreeSet};

use coordinator_keys::{Claim, Signature, are_all_true, verify_batch};
use processor_messages::Validator;

use crate::{Member, hash::hash};

/// The most remembered in one half; when it is full, the older half is forgotten. As many as the votes of the largest
/// set in thirty consensus rounds. Few in tests, so that they meet forgetting.
const MOST: usize = if cfg!(test) { 32 } else { 16_384 };

/// The most claims of a suspected message that are verified at a time.
const MOST_AT_ONCE: usize = 512;

/// From so many claims on, a sender is looked at alone if something is false.
const MUCH: usize = 8;

/// What names a claim: a hash of all its parts.
pub(crate) type ClaimId = [u8; 32];

/// Names "`member` signed `message` in `domain`".
pub(crate) fn claim_id(member: &Member, domain: &str, message: &[u8], signature: &Signature) -> ClaimId {
    hash("tributary verified", &[domain.as_bytes(), &member.validator.0, message, &signature.0])
}

/// A claim by its name.
pub(crate) type Named<'a> = (ClaimId, Claim<'a>);

/// What a member sent in one step: of each message the claims.
type Sender<'a> = (Validator, Vec<Vec<Named<'a>>>);

/// Whether a sender is looked at alone if something is false: within others its claims would be summed again and again.
fn sent_much((_, messages): &Sender<'_>) -> bool {
    messages.iter().map(Vec::len).sum::<usize>() >= MUCH
}

/// Claims which were verified.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    valid: BTreeSet<ClaimId>,
    older: BTreeSet<ClaimId>,
    invalid: BTreeSet<ClaimId>,
    /// Members which sent a false claim since the start.
    suspects: BTreeSet<Validator>,
    /// How many claims were verified, each as often as it was.
    #[cfg(test)]
    pub(crate) work: usize,
}

impl Verified {
    /// What is remembered of a claim.
    pub(crate) fn verdict(&self, id: &ClaimId) -> Option<bool> {
        if self.valid.contains(id) || self.older.contains(id) {
            return Some(true);
        }
        self.invalid.contains(id).then_some(false)
    }

    /// Verifies the claims of messages that arrived together, each once. There may be more than are remembered.
    pub(crate) fn verify_all(&mut self, claims: Claims<'_>) {
        let mut messages = claims.0;
        // A claim that several messages hold is verified in the one that most likely is verified to its end.
        messages.sort_by_key(|message| (self.suspects.contains(&message.from), message.claims.len()));
        let mut seen = BTreeSet::new();
        let mut senders = BTreeMap::<_, Vec<_>>::new();
        for Message { from, claims } in messages {
            let new: Vec<_> = self.unknown(claims).filter(|(id, _)| seen.insert(*id)).collect();
            senders.entry(from).or_default().push(new);
        }
        let (suspected, others): (Vec<_>, Vec<_>) =
            senders.into_iter().partition(|(from, _)| self.suspects.contains(from));
        self.search(others);
        for message in suspected.iter().flat_map(|(_, messages)| messages) {
            let _ = self.until_false(message);
        }
    }

    /// Of a message, what is not known to be valid, up to the first that is known to be false.
    fn unknown<'a>(&self, claims: Vec<Named<'a>>) -> impl Iterator<Item = Named<'a>> {
        let known = claims.into_iter().map(|claim| (self.verdict(&claim.0), claim));
        known.take_while(|(verdict, _)| *verdict != Some(false)).filter_map(
            |(verdict, claim)| match verdict {
                None => Some(claim),
                Some(_) => None,
            },
        )
    }

    /// Verifies the messages of these senders together; if any claim is false, those of parts of the senders.
    fn search(&mut self, mut senders: Vec<Sender<'_>>) {
        let claims: Vec<_> = senders.iter().flat_map(|(_, messages)| messages.iter().flatten()).collect();
        self.count(claims.len());
        if are_all_true(&claims.iter().map(|(_, claim)| claim).collect::<Vec<_>>()) {
            for (id, _) in claims {
                self.note(*id, true);
            }
        } else if let [(from, messages)] = senders.as_slice() {
            self.suspects.insert(*from);
            for message in messages {
                let _ = self.until_false(message);
            }
        } else {
            let (much, mut few): (Vec<_>, Vec<_>) = senders.drain(..).partition(sent_much);
            for sender in much {
                self.search(vec![sender]);
            }
            let half = few.split_off(few.len() / 2);
            self.search(few);
            self.search(half);
        }
    }

    /// Verifies one claim, then two, then four; whether all are true. Ends at the first that is false, which so has
    /// cost no more than the true ones before it.
    fn until_false(&mut self, claims: &[Named<'_>]) -> bool {
        let (mut rest, mut most) = (claims, 1usize);
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(most.min(rest.len()));
            self.count(piece.len());
            let verdicts = verify_batch(&piece.iter().map(|(_, claim)| claim).collect::<Vec<_>>());
            for ((id, _), valid) in piece.iter().zip(&verdicts) {
                self.note(*id, *valid);
            }
            if verdicts.contains(&false) {
                return false;
            }
            (rest, most) = (others, most.saturating_mul(2).min(MOST_AT_ONCE));
        }
        true
    }

    /// Whether all claims of one message are true. Verifies none after a false one.
    pub(crate) fn verify_message(&mut self, claims: Vec<Named<'_>>) -> bool {
        if claims.iter().any(|(id, _)| self.verdict(id) == Some(false)) {
            return false;
        }
        let unknown: Vec<_> = self.unknown(claims).collect();
        self.until_false(&unknown)
    }

    #[cfg(test)]
    fn count(&mut self, claims: usize) {
        self.work = self.work.saturating_add(claims);
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, reason = "as in tests")]
    fn count(&self, _: usize) {}

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
        self.count(1);
        let valid = member.key.verify(domain, message, signature);
        self.note(id, valid);
        valid
    }

    /// Remembers a signature of our own.
    pub(crate) fn own(&mut self, member: &Member, domain: &str, message: &[u8], signature: &Signature) {
        self.note(claim_id(member, domain, message, signature), true);
    }
}

/// The claims of one message, in its order.
#[derive(Debug)]
struct Message<'a> {
    from: Validator,
    claims: Vec<Named<'a>>,
}

/// Claims of what arrived, by message, gathered before they are verified.
#[derive(Debug, Default)]
pub(crate) struct Claims<'a>(Vec<Message<'a>>);

impl<'a> Claims<'a> {
    /// What is added from now on is of a message for which `from` answers.
    pub(crate) fn begin(&mut self, from: Validator) {
        self.0.push(Message { from, claims: Vec::new() });
    }

    /// Adds a claim of the message begun last; without one, nothing.
    pub(crate) fn add(
        &mut self,
        member: &'a Member,
        domain: &'static str,
        message: Vec<u8>,
        signature: &Signature,
    ) {
        let id = claim_id(member, domain, &message, signature);
        self.add_named((id, Claim { key: &member.key, domain, message, signature: *signature }));
    }

    pub(crate) fn add_named(&mut self, claim: Named<'a>) {
        if let Some(message) = self.0.last_mut() {
            message.claims.push(claim);
        }
    }
}
