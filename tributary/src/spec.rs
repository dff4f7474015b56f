//! The facts of the base chain from which a validator set's tributary follows.

use borsh::{BorshDeserialize, BorshSerialize};
use processor_messages::{
    BaseBlockHash, ChainGenesis, EmbeddedKeys, Genesis, KeyShares, List, MAX_KEY_SHARES, Participant,
    Validator, ValidatorSet, threshold,
};

use crate::{Limits, Members, MembersError, hash::hash};

/// One validator of a set, as the base chain declared it.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct SpecValidator {
    /// Its account.
    pub validator: Validator,
    /// Its key shares.
    pub weight: KeyShares,
    /// Its public keys on the embedded curves.
    pub embedded: EmbeddedKeys,
}

/// What a tributary is made from; everyone who reads the same base chain has the same.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Spec {
    /// Which base chain.
    pub chain: ChainGenesis,
    /// Which network and session.
    pub set: ValidatorSet,
    /// The block which declared the set.
    pub block: BaseBlockHash,
    /// The validators in the base chain's order.
    pub validators: List<SpecValidator, { MAX_KEY_SHARES as usize }>,
    /// Bounds on blocks and transactions.
    pub limits: Limits,
}

impl Spec {
    /// The tributary's id: a hash over every field, so that a different set of validators, weights,
    /// embedded keys or limits is a different chain (`TRIB-1`).
    pub fn genesis(&self) -> Genesis {
        Genesis(hash("tributary genesis", &[&processor_messages::encode(self)]))
    }

    /// The chain's members.
    ///
    /// # Errors
    /// [`MembersError`] if the base chain declared something no chain can run with.
    pub fn members(&self) -> Result<Members, MembersError> {
        let validators: Vec<_> = self.validators.iter().map(|v| (v.validator, v.weight)).collect();
        Members::new(self.genesis(), &validators, self.limits)
    }

    /// The sum of key shares.
    pub fn n(&self) -> KeyShares {
        KeyShares(self.validators.iter().fold(0, |n, v| n.saturating_add(v.weight.0)))
    }

    /// The threshold of key shares.
    pub fn t(&self) -> KeyShares {
        threshold(self.n())
    }

    /// The consecutive participants of a validator; empty for one who is not in the set.
    pub fn participants(&self, validator: &Validator) -> Vec<Participant> {
        let mut next = 1u16;
        for entry in &self.validators {
            let end = next.saturating_add(entry.weight.0);
            if entry.validator == *validator {
                return (next..end).filter_map(Participant::new).collect();
            }
            next = end;
        }
        Vec::new()
    }

    /// The validator who holds a participant.
    pub fn holder(&self, participant: Participant) -> Option<Validator> {
        let mut end = 1u16;
        self.validators.iter().find_map(|entry| {
            end = end.saturating_add(entry.weight.0);
            (participant.get() < end).then_some(entry.validator)
        })
    }
}
