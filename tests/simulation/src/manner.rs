//! How validators misbehave, by name.
//!
//! | Manner | What it does beside running its nodes (all but the silent do) |
//! |---|---|
//! | the first column of [`Manner`] | its documentation |

use serde::Serialize;

/// How a validator misbehaves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// Runs as it should.
    Honest,
    /// Never starts.
    Silent,
    /// Its coordinator runs twice with one key, and it votes against its own votes.
    Equivocator,
    /// Its processor makes no signature shares.
    Withholder,
    /// Signs data of topics nobody agreed on and of attempts which have not begun, and shares without being
    /// selected.
    Premature,
    /// Floods with transactions, signed and unsigned.
    Spammer,
    /// Sends others' messages again, also on other chains, and damaged.
    Replayer,
    /// Its processor deals an invalid participation.
    BadShareDealer,
    /// Its processor sends preprocesses which are none.
    BadPreprocess,
    /// Its processor sends shares which are none.
    BadShare,
    /// Sends evidence which is none, and votes against honest validators.
    BadEvidence,
    /// Claims great heights and answers with blocks whose certificates are forged; submits batches and keys which
    /// nobody signed.
    ForgedCertificate,
    /// Sends messages, transactions and blocks beyond every limit.
    Oversized,
    /// Proposes provided transactions which nobody derived.
    FalseProvider,
    /// Its processor tells of batches which its network did not make.
    FalseBatch,
    /// Tells of cosigns which no set made: of other blocks, under its own key, or of sets which are not there.
    FalseCosigner,
    /// A stranger, who is no validator of any set, takes part in everything.
    NonMember,
}

impl Manner {
    /// All but the honest.
    pub const LIARS: [Self; 16] = [
        Self::Silent,
        Self::Equivocator,
        Self::Withholder,
        Self::Premature,
        Self::Spammer,
        Self::Replayer,
        Self::BadShareDealer,
        Self::BadPreprocess,
        Self::BadShare,
        Self::BadEvidence,
        Self::ForgedCertificate,
        Self::Oversized,
        Self::FalseProvider,
        Self::FalseBatch,
        Self::NonMember,
        Self::FalseCosigner,
    ];

    /// Whether it acts by itself from time to time, besides what it changes of what its nodes say.
    pub const fn acts(self) -> bool {
        matches!(
            self,
            Self::Equivocator
                | Self::Premature
                | Self::Spammer
                | Self::Replayer
                | Self::BadEvidence
                | Self::ForgedCertificate
                | Self::Oversized
                | Self::FalseCosigner
                | Self::NonMember
        )
    }
}
