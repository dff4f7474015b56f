//! What was refused, and why: plain counters which the service exports as metrics.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident => $name:literal),* $(,)?) => {
        /// Why something was refused or dropped.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Reason {
            $($(#[$doc])* $variant),*
        }

        impl Reason {
            /// Every reason, in the order of declaration.
            pub const ALL: &[Reason] = &[$(Reason::$variant),*];

            /// The label for metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Reason::$variant => $name),* }
            }
        }
    };
}

counters! {
    /// A handshake that did not end in time.
    HandshakeTimeout => "handshake_timeout",
    /// A handshake whose bytes are not of our protocol, or which broke off.
    HandshakeMalformed => "handshake_malformed",
    /// A connection closed on arrival, as the most were in the handshake.
    TooManyHandshakes => "too_many_handshakes",
    /// An address of ours to dial at which another validator than expected answered.
    WrongValidator => "wrong_validator",
    /// A handshake for another base chain or protocol version.
    WrongChain => "wrong_chain",
    /// A handshake by a key which is not on the allow-list.
    NotAllowed => "not_allowed",
    /// A handshake whose signature does not verify.
    BadSignature => "bad_signature",
    /// A handshake by a validator which recently exceeded its quota.
    CoolingDown => "cooling_down",
    /// A connection closed as its validator sent too many bytes.
    ByteQuota => "byte_quota",
    /// A connection closed as its validator sent too many messages.
    MessageQuota => "message_quota",
    /// A connection closed as it did not answer a probe.
    Dead => "dead",
    /// A gossip message for a chain of which the sender is no member.
    NotMember => "not_member",
    /// A gossip message or request for a chain that is not open here.
    UnknownChain => "unknown_chain",
    /// Bytes that are not of the form which the protocol prescribes.
    Malformed => "malformed",
    /// A gossip message which its author did not sign.
    Forged => "forged",
    /// A request refused, as the answers to its sender exceed the quota.
    AnswerBudget => "answer_budget",
    /// A gossip message repeated long after its author sent it.
    Replayed => "replayed",
    /// A connection closed as its validator did not read what it was sent.
    SlowReader => "slow_reader",
    /// A message dropped as the chain's inbox is full.
    InboxFull => "inbox_full",
    /// A subscription beyond the bound for one peer.
    TooManySubscriptions => "too_many_subscriptions",
}

/// One counter for each [`Reason`].
#[derive(Debug, Default)]
pub struct Counters {
    counts: [AtomicU64; Reason::ALL.len()],
}

impl Counters {
    pub(crate) fn count(&self, reason: Reason) {
        if let Some(counter) = self.counts.get(reason as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often `reason` applied since the start.
    #[must_use]
    pub fn get(&self, reason: Reason) -> u64 {
        self.counts.get(reason as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Every reason with its count.
    pub fn snapshot(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.iter().map(|reason| (*reason, self.get(*reason)))
    }
}
