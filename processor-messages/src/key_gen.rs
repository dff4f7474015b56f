//! Messages of the key generation.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    Bytes, ChainGenesis, EmbeddedKeys, Incarnation, KeyPair, KeyShares, List, MAX_KEY_SHARES,
    MAX_PARTICIPATION_BYTES, Session, TributaryBlock, Validator,
};

/// The participations of both curves by one validator, as the processor encoded them.
pub type ParticipationBytes = Bytes<MAX_PARTICIPATION_BYTES>;

/// A validator as the DKG knows it.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Member {
    /// Its account.
    pub validator: Validator,
    /// How many consecutive participant indices it holds.
    pub shares: KeyShares,
    /// What its shares are encrypted to.
    pub embedded: EmbeddedKeys,
}

/// From the coordinator.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum ToProcessor {
    /// Take part in the key generation of a session.
    GenerateKey {
        /// The session of the processor's network.
        session: Session,
        /// For which life of the processor's disk this was sent.
        incarnation: Incarnation,
        /// The base chain, part of the DKG's context.
        chain: ChainGenesis,
        /// Key shares needed to sign.
        threshold: KeyShares,
        /// After how many further tributary blocks a collection closes which has reached the threshold.
        grace: u32,
        /// In set order.
        members: List<Member, { MAX_KEY_SHARES as usize }>,
    },
    /// One block of the session's tributary, also when it holds no participation.
    Block {
        /// The session of the processor's network.
        session: Session,
        /// For which life of the processor's disk this was sent.
        incarnation: Incarnation,
        /// Consecutive from 1.
        block: TributaryBlock,
        /// In the order of the block, each with its signer.
        participations: List<(Validator, ParticipationBytes), { MAX_KEY_SHARES as usize }>,
    },
}

/// Why a session's key generation cannot complete.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum FailureReason {
    /// The validators still outstanding cannot bring valid weight to the threshold.
    TooFewValid,
    /// Our own secret share does not match our verification share.
    ShareMismatch,
    /// The processor lacks the embedded secret which the set was declared with.
    EmbeddedKeyMissing,
    /// `GenerateKey` itself cannot be a key generation.
    InvalidParameters,
}

/// From the processor.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum FromProcessor {
    /// Our participation, to be published on the tributary.
    Participation {
        /// The session.
        session: Session,
        /// For both curves.
        participation: ParticipationBytes,
    },
    /// The key generation completed, and our secret shares match their verification shares.
    GeneratedKeyPair {
        /// The session.
        session: Session,
        /// Its keys.
        key_pair: KeyPair,
    },
    /// A validator's participation was proved invalid.
    Blame {
        /// The session.
        session: Session,
        /// The culprit.
        validator: Validator,
    },
    /// The key generation cannot complete.
    Failed {
        /// The session.
        session: Session,
        /// Why.
        reason: FailureReason,
        /// The validators whose participations were invalid.
        culprits: List<Validator, { MAX_KEY_SHARES as usize }>,
    },
    /// The processor lost its disk: send again everything of this session which it needs.
    Resend {
        /// The session.
        session: Session,
        /// Its new life.
        incarnation: Incarnation,
    },
}
