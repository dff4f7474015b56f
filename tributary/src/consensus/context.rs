//! Our types in Malachite's terms.

use std::{fmt, sync::Arc};

use coordinator_keys::{PublicKey, Signature};
use malachitebft_core_types as mt;
use malachitebft_core_types::{LinearTimeouts, NilOrVal, Round, SignedExtension, VoteType};
use processor_messages::Validator;

use crate::{BlockHash, Members};

#[derive(Clone, Debug)]
pub(crate) struct Ctx(pub(crate) Arc<Members>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Address(pub(crate) Validator);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl mt::Address for Address {}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Height(pub(crate) u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl mt::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);
    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }
    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }
    fn as_u64(&self) -> u64 {
        self.0
    }
}

impl mt::Value for BlockHash {
    type Id = Self;
    fn id(&self) -> Self {
        *self
    }
}

/// Bodies travel as messages of ours, so the core sees no parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NoPart {}
impl mt::ProposalPart<Ctx> for NoPart {
    fn is_first(&self) -> bool {
        match *self {}
    }
    fn is_last(&self) -> bool {
        match *self {}
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Scheme;
impl mt::SigningScheme for Scheme {
    type DecodingError = &'static str;
    type Signature = Signature;
    type PublicKey = PublicKey;
    // The core never signs; the key stays with `Consensus`.
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<Signature, &'static str> {
        bytes.try_into().map(Signature).map_err(|_| "a signature has 64 bytes")
    }
    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }
    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, &'static str> {
        let bytes = bytes.try_into().map_err(|_| "a public key has 32 bytes")?;
        PublicKey::from_bytes(bytes).map_err(|_| "not a public key")
    }
    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        key.to_bytes().to_vec()
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CtxMember {
    address: Address,
    key: PublicKey,
    weight: u64,
}
impl mt::Validator<Ctx> for CtxMember {
    fn address(&self) -> &Address {
        &self.address
    }
    fn public_key(&self) -> &PublicKey {
        &self.key
    }
    fn voting_power(&self) -> u64 {
        self.weight
    }
}

/// Shared: the core clones its validator set often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CtxMembers(Arc<Vec<CtxMember>>);

impl CtxMembers {
    pub(crate) fn new(members: &Members) -> Self {
        let member = |m: &crate::Member| CtxMember {
            address: Address(m.validator),
            key: m.key,
            weight: u64::from(m.weight.0),
        };
        Self(Arc::new(members.iter().map(member).collect()))
    }
}

impl mt::ValidatorSet<Ctx> for CtxMembers {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn total_voting_power(&self) -> u64 {
        self.0.iter().map(|m| m.weight).sum()
    }
    fn get_by_address(&self, address: &Address) -> Option<&CtxMember> {
        self.0.iter().find(|m| m.address == *address)
    }
    fn get_by_index(&self, index: usize) -> Option<&CtxMember> {
        self.0.get(index)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Proposal {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) value: BlockHash,
    pub(crate) pol_round: Round,
    pub(crate) address: Address,
}
impl mt::Proposal<Ctx> for Proposal {
    fn height(&self) -> Height {
        self.height
    }
    fn round(&self) -> Round {
        self.round
    }
    fn value(&self) -> &BlockHash {
        &self.value
    }
    fn take_value(self) -> BlockHash {
        self.value
    }
    fn pol_round(&self) -> Round {
        self.pol_round
    }
    fn validator_address(&self) -> &Address {
        &self.address
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Vote {
    pub(crate) kind: VoteType,
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) value: NilOrVal<BlockHash>,
    pub(crate) address: Address,
}
impl mt::Vote<Ctx> for Vote {
    fn height(&self) -> Height {
        self.height
    }
    fn round(&self) -> Round {
        self.round
    }
    fn value(&self) -> &NilOrVal<BlockHash> {
        &self.value
    }
    fn take_value(self) -> NilOrVal<BlockHash> {
        self.value
    }
    fn vote_type(&self) -> VoteType {
        self.kind
    }
    fn validator_address(&self) -> &Address {
        &self.address
    }
    fn extension(&self) -> Option<&SignedExtension<Ctx>> {
        None
    }
    fn take_extension(&mut self) -> Option<SignedExtension<Ctx>> {
        None
    }
    fn extend(self, _: SignedExtension<Ctx>) -> Self {
        self
    }
}

impl mt::Context for Ctx {
    type Address = Address;
    type Height = Height;
    type ProposalPart = NoPart;
    type Proposal = Proposal;
    type Validator = CtxMember;
    type ValidatorSet = CtxMembers;
    type Timeouts = LinearTimeouts;
    type Value = BlockHash;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Scheme;

    fn select_proposer<'a>(&self, members: &'a CtxMembers, height: Height, round: Round) -> &'a CtxMember {
        let proposer = self.0.proposer(height.0, round.as_u32().unwrap_or(0));
        let found = members.0.iter().find(|m| m.address.0 == proposer.validator);
        found.expect("both are made from the same members")
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: BlockHash,
        pol_round: Round,
        address: Address,
    ) -> Proposal {
        Proposal { height, round, value, pol_round, address }
    }

    fn new_prevote(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockHash>,
        address: Address,
    ) -> Vote {
        Vote { kind: VoteType::Prevote, height, round, value, address }
    }

    fn new_precommit(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockHash>,
        address: Address,
    ) -> Vote {
        Vote { kind: VoteType::Precommit, height, round, value, address }
    }
}
