//! A validator set as the base chain declared it, with the arithmetic of its weights.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::{SetDeclaration, TributaryParameters};
use processor_messages::{
    BaseBlock, BaseBlockHash, ChainGenesis, Genesis, KeyShares, List, Participant, Validator, ValidatorSet,
    codec::MAX_MESSAGE_BYTES, key_gen,
};
use tributary::{Limits, Spec, SpecValidator};

/// What a message to a processor holds beside the bytes of as many pieces as there can be.
const MESSAGE_OVERHEAD: usize = 64 * 1024;

/// Index of a validator in set order, from 0.
pub type MemberIndex = u16;

/// A validator set. Built from base-chain facts only, so that every member builds the same.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct SetSpec {
    /// What its tributary is made from.
    pub tributary: Spec,
    /// The tributary's id.
    pub genesis: Genesis,
    /// The block which declared it.
    pub declared: BaseBlock,
    /// The block by which it must have keys.
    pub deadline: BaseBlock,
    /// How long things last. The tributary's id commits to them, as it does to the declaring block.
    pub parameters: TributaryParameters,
}

impl SetSpec {
    /// From the declaration in the block of this number and hash.
    ///
    /// `None` if the declaration has more validators than any set may.
    pub fn new(
        chain: ChainGenesis,
        declared: BaseBlock,
        hash: BaseBlockHash,
        declaration: &SetDeclaration,
    ) -> Option<Self> {
        let validators = declaration.members.iter().map(|m| SpecValidator {
            validator: m.validator,
            weight: m.shares,
            embedded: m.embedded.clone(),
        });
        let validators = List::new(validators.collect()).ok()?;
        let limits = Limits::default();
        let tributary = Spec { chain, set: declaration.set, block: hash, validators, limits };
        let genesis = tributary.genesis();
        let (deadline, parameters) = (declaration.key_gen_deadline, declaration.tributary);
        Some(Self { tributary, genesis, declared, deadline, parameters })
    }

    /// Which set.
    pub fn set(&self) -> ValidatorSet {
        self.tributary.set
    }

    /// Sum of the key shares.
    pub fn n(&self) -> KeyShares {
        self.tributary.n()
    }

    /// Key shares needed to sign.
    pub fn t(&self) -> KeyShares {
        self.tributary.t()
    }

    /// How many validators.
    pub fn count(&self) -> usize {
        self.tributary.validators.len()
    }

    /// All indices, in set order.
    pub fn indices(&self) -> impl Iterator<Item = MemberIndex> + use<> {
        0..MemberIndex::try_from(self.count()).unwrap_or(MemberIndex::MAX)
    }

    /// The place of a validator in set order; `None` if it is not a member.
    pub fn index_of(&self, validator: Validator) -> Option<MemberIndex> {
        let place = self.tributary.validators.iter().position(|m| m.validator == validator)?;
        MemberIndex::try_from(place).ok()
    }

    /// The validator at a place.
    pub fn validator(&self, index: MemberIndex) -> Option<Validator> {
        self.tributary.validators.get(usize::from(index)).map(|m| m.validator)
    }

    /// Key shares of a member; none if there is no such member.
    pub fn weight(&self, index: MemberIndex) -> u16 {
        self.tributary.validators.get(usize::from(index)).map_or(0, |m| m.weight.0)
    }

    /// Key shares of several distinct members together.
    pub fn weight_of(&self, members: impl IntoIterator<Item = MemberIndex>) -> u16 {
        members.into_iter().fold(0, |sum, index| sum.saturating_add(self.weight(index)))
    }

    /// Whether these distinct members weigh at least the threshold.
    pub fn reaches_threshold(&self, members: impl IntoIterator<Item = MemberIndex>) -> bool {
        self.weight_of(members) >= self.t().0
    }

    /// Whether at least one of these distinct members is honest if at most `n - t` key shares are not.
    pub fn includes_honest(&self, members: impl IntoIterator<Item = MemberIndex>) -> bool {
        self.weight_of(members) > self.n().0.saturating_sub(self.t().0)
    }

    /// The consecutive participants of a member (`SIGN-2`).
    pub fn participants(&self, index: MemberIndex) -> impl Iterator<Item = Participant> + use<> {
        let first = self.weight_of(0..index).saturating_add(1);
        (first..first.saturating_add(self.weight(index))).filter_map(Participant::new)
    }

    /// The member who holds a participant's key share.
    pub fn owner(&self, participant: Participant) -> Option<MemberIndex> {
        let mut last = 0_u16;
        self.indices().find(|index| {
            last = last.saturating_add(self.weight(*index));
            participant.get() <= last
        })
    }

    /// The longest piece of signing data: all pieces of a selection fit into one message to a processor
    /// (`SIGN-15`).
    pub fn max_piece_bytes(&self) -> usize {
        (MAX_MESSAGE_BYTES - MESSAGE_OVERHEAD) / usize::from(self.n().0.max(1))
    }

    /// The members as the key generation knows them.
    pub fn dkg_members(&self) -> Vec<key_gen::Member> {
        let member = |m: &SpecValidator| key_gen::Member {
            validator: m.validator,
            shares: m.weight,
            embedded: m.embedded.clone(),
        };
        self.tributary.validators.iter().map(member).collect()
    }
}
