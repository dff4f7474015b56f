//! Deliberate faults: what the simulation must catch, chosen at run time.
//!
//! ```text
//! crate under test: mutated!(SkipFsync) ──feature `mutations`──▶ mutation::is(SkipFsync)
//!                                       └─without it────────────▶ false, and this crate is not linked
//! simulation --mutate skip-fsync ──▶ mutation::set
//! ```
//!
//! A crate whose rules can be broken depends on this one optionally, behind its feature `mutations`, which no
//! default feature enables (`tests/tidy` looks). One mutation at a time is in force, for the whole process.
//!
//! What this deliberately does not do: know what a mutation breaks. The place which asks does.

use std::sync::atomic::{AtomicUsize, Ordering};

macro_rules! mutations {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One deliberate fault.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Mutation {
            $($(#[$doc])* $variant,)*
        }

        impl Mutation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name on a command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

mutations! {
    /// The store says that a step is durable before it is.
    SkipFsync = "skip-fsync",
    /// A process sends what a step decided before the step is durable.
    OutputBeforeCommit = "output-before-commit",
    /// The processor draws the same seed for every attempt.
    ReuseNonce = "reuse-nonce",
    /// The coordinator draws the same seed for every attempt of the confirmation.
    ReuseConfirmationNonce = "reuse-confirmation-nonce",
    /// A validator's second transaction of an order gets the first one's place.
    TwoPayloadsInASlot = "two-payloads-in-a-slot",
    /// A share counts from whoever sends it, selected or not.
    ShareFromOutside = "share-from-outside",
    /// A new set's batches do not wait for the former set's.
    DropHandoverRule = "drop-handover-rule",
    /// Batches are published, and executed, in whatever order they are signed.
    PublishAhead = "publish-ahead",
    /// A certificate counts every signature, also the same one twice.
    DuplicateVote = "duplicate-vote",
    /// A quarter of the weight is a quorum of a certificate.
    BelowQuorum = "below-quorum",
    /// A restarted node forgets what it signed in the height in progress.
    SkipReplay = "skip-replay",
    /// A fetched block's certificate is not looked at.
    ForgedCertificate = "forged-certificate",
    /// The feed does not wait until a batch is verified.
    FeedBeforeVerification = "feed-before-verification",
    /// One vote is enough to slash whom it names.
    BlameOnOneVote = "blame-on-one-vote",
    /// Evidence of equivocation is believed unseen.
    EvidenceUnseen = "evidence-unseen",
    /// What is sent again to a processor which lost its disk has the intents of the former life.
    IgnoreIncarnation = "ignore-incarnation",
    /// A provided transaction is voted for without having been derived.
    ForeignProvided = "foreign-provided",
    /// Blocks of the base chain are taken as they come.
    SkipChainCheck = "skip-chain-check",
    /// Messages and transactions of strangers are taken as members'.
    TakeStrangers = "take-strangers",
    /// The mempool has no bound.
    UnboundedMempool = "unbounded-mempool",
    /// A transaction of a proposed block may be of any size.
    AnySize = "any-size",
    /// The base chain executes what a batch says, whoever signed it.
    UnsignedBatch = "unsigned-batch",
    /// A cosign is believed, whoever signed it.
    UnsignedCosign = "unsigned-cosign",
    /// Nobody is selected anew after a failed attempt: the same again and again.
    NoNewSelection = "no-new-selection",
}

const NONE: usize = usize::MAX;
static CURRENT: AtomicUsize = AtomicUsize::new(NONE);

/// Puts a mutation in force, for the whole process; `None` ends it.
pub fn set(mutation: Option<Mutation>) {
    let place = mutation.and_then(|mutation| Mutation::ALL.iter().position(|m| *m == mutation));
    CURRENT.store(place.unwrap_or(NONE), Ordering::Relaxed);
}

/// Whether this mutation is in force.
pub fn is(mutation: Mutation) -> bool {
    Mutation::ALL.get(CURRENT.load(Ordering::Relaxed)) == Some(&mutation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mutation_at_a_time_is_in_force_and_none_at_first() {
        assert!(Mutation::ALL.iter().all(|mutation| !is(*mutation)));
        for mutation in Mutation::ALL {
            set(Some(*mutation));
            let those: Vec<_> = Mutation::ALL.iter().filter(|other| is(**other)).collect();
            assert_eq!(those, [mutation]);
        }
        set(None);
        assert!(Mutation::ALL.iter().all(|mutation| !is(*mutation)));
    }

    #[test]
    fn every_name_is_one_mutation_s() {
        for (at, mutation) in Mutation::ALL.iter().enumerate() {
            assert!(Mutation::ALL.iter().skip(at + 1).all(|other| other.name() != mutation.name()));
        }
    }
}
