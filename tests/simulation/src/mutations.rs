//! Which profile shows which mutation soonest, and whether it does.

use mutation::Mutation;

use crate::{faults::Profile, run::Outcome};

/// Under which profile a mutation shows soonest.
pub const fn profile(mutation: Mutation) -> Profile {
    use Mutation as M;
    match mutation {
        M::SkipFsync | M::SkipReplay | M::ReuseConfirmationNonce | M::IgnoreIncarnation => Profile::Crash,
        M::DropHandoverRule => Profile::Rotation,
        M::ShareFromOutside
        | M::DuplicateVote
        | M::BelowQuorum
        | M::ForgedCertificate
        | M::BlameOnOneVote
        | M::EvidenceUnseen
        | M::ForeignProvided
        | M::TakeStrangers
        | M::UnboundedMempool
        | M::AnySize
        | M::UnsignedBatch
        | M::UnsignedCosign
        | M::NoNewSelection => Profile::Byzantine,
        M::OutputBeforeCommit
        | M::ReuseNonce
        | M::TwoPayloadsInASlot
        | M::PublishAhead
        | M::FeedBeforeVerification
        | M::SkipChainCheck => Profile::Default,
    }
}

/// The first seed of its [`profile`] which shows a mutation, as `spec/simulation.md` lists it: where a quick test looks.
pub const fn seed(mutation: Mutation) -> u64 {
    use Mutation as M;
    match mutation {
        M::SkipFsync
        | M::OutputBeforeCommit
        | M::ReuseNonce
        | M::TwoPayloadsInASlot
        | M::DropHandoverRule
        | M::PublishAhead
        | M::SkipReplay => 0,
        M::ReuseConfirmationNonce | M::IgnoreIncarnation => 1,
        M::NoNewSelection => 2,
        M::ShareFromOutside | M::SkipChainCheck => 3,
        M::UnboundedMempool => 4,
        M::TakeStrangers => 5,
        M::BlameOnOneVote | M::EvidenceUnseen => 9,
        M::DuplicateVote | M::BelowQuorum | M::ForgedCertificate | M::UnsignedBatch => 10,
        M::AnySize => 11,
        M::ForeignProvided => 12,
        M::UnsignedCosign => 15,
        M::FeedBeforeVerification => 97,
    }
}

/// Runs seeds until one catches the mutation which is in force; the row of the table, or `None` if none of `seeds`
/// does. `run` runs so many seeds of a profile, or up to the first violation.
pub fn catch(mutation: Mutation, seeds: u64, run: impl Fn(Profile, u64) -> Vec<Outcome>) -> Option<String> {
    let profile = profile(mutation);
    let outcomes = run(profile, seeds);
    let caught = outcomes.into_iter().find(|outcome| !outcome.violations.is_empty())?;
    let what = caught.violations.first().map(|what| shortened(what)).unwrap_or_default();
    let (name, seed) = (mutation.name(), caught.seed);
    Some(format!("| `{name}` | {} | {seed} | {what} |", profile.name()))
}

/// Without the middle of long words, which are ids.
fn shortened(what: &str) -> String {
    let word = |word: &str| match (word.get(..8), word.len() > 40) {
        (Some(head), true) => format!("{head}…"),
        _ => word.to_owned(),
    };
    let words: Vec<_> = what.split(' ').map(word).collect();
    let mut text = words.join(" ");
    if let Some((end, _)) = text.char_indices().nth(160) {
        text.truncate(end);
        text.push('…');
    }
    text.replace('|', "/")
}
