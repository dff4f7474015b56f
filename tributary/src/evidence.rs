//! Proof that a validator signed two different messages where it may sign one.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_keys::Signature;
use processor_messages::Validator;

use crate::{BlockHash, Members, signing};

/// Which of a validator's messages in one consensus round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, BorshSerialize, BorshDeserialize)]
pub enum Step {
    /// The first vote.
    Prevote,
    /// The second vote.
    Precommit,
}

/// One of two conflicting contents with its signature.
pub type Signed<T> = (T, Signature);

/// Evidence of equivocation. Self-contained: whoever knows the chain's members can check it.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Evidence {
    /// Who equivocated.
    pub validator: Validator,
    /// At which height.
    pub height: u64,
    /// In which consensus round.
    pub round: u32,
    /// With what.
    pub conflict: Conflict,
}

/// The two messages.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Conflict {
    /// Two votes of one step for different values, `None` being nil.
    Votes(Step, Signed<Option<BlockHash>>, Signed<Option<BlockHash>>),
    /// Two proposals: (block, valid round).
    Proposals(Signed<(BlockHash, Option<u32>)>, Signed<(BlockHash, Option<u32>)>),
}

impl Evidence {
    /// Whether both messages are by this member, for this chain, height, round and step, and differ.
    #[must_use]
    pub fn verify(&self, members: &Members) -> bool {
        let Some(member) = members.get(&self.validator) else { return false };
        if mutated!(EvidenceUnseen) {
            return true;
        }
        let genesis = members.genesis();
        let check = |message: Vec<u8>, signature: &Signature| {
            member.key.verify(signing::CONSENSUS, &message, signature)
        };
        match &self.conflict {
            Conflict::Votes(step, (first, first_signature), (second, second_signature)) => {
                let message = |value| match step {
                    Step::Prevote => {
                        signing::prevote(genesis, self.height, self.round, value, self.validator)
                    }
                    Step::Precommit => {
                        signing::precommit(genesis, self.height, self.round, value, self.validator)
                    }
                };
                (first != second)
                    && check(message(*first), first_signature)
                    && check(message(*second), second_signature)
            }
            Conflict::Proposals((first, first_signature), (second, second_signature)) => {
                let message = |(value, valid_round): (BlockHash, Option<u32>)| {
                    signing::proposal(genesis, self.height, self.round, value, valid_round, self.validator)
                };
                (first != second)
                    && check(message(*first), first_signature)
                    && check(message(*second), second_signature)
            }
        }
    }
}
