//! Blocks: a header which binds everything, the former block's certificate, and a body.
//!
//! The engine does not look into a body: the [`crate::Application`] gives it meaning.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_keys::{SecretKey, Signature};
use coordinator_store::Table;
use processor_messages::{Bytes, Genesis, List, TributaryBlock, Validator, encode};

use crate::{MAX_BODY_BYTES, MAX_MEMBERS, Members, hash::hash, signing};

/// The hash of a block's header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize, BorshDeserialize)]
pub struct BlockHash(pub [u8; 32]);

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a block's hash covers.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// Its height; the first is 1.
    pub height: TributaryBlock,
    /// The consensus round it was built for.
    pub round: u32,
    /// Who built it: the proposer of that round.
    pub proposer: Validator,
    /// The former block; zero for the first.
    pub parent: BlockHash,
    /// Hash of the former block's commit certificate as carried by this block; zero for the first.
    pub former: [u8; 32],
    /// The application's root over the body, such as a Merkle root over transactions.
    pub root: [u8; 32],
    /// The application's replicated state after the former block.
    pub state: [u8; 32],
    /// Hash of the body's bytes.
    pub body: [u8; 32],
}

impl Header {
    /// The block's hash.
    pub fn hash(&self, genesis: Genesis) -> BlockHash {
        BlockHash(hash("tributary block", &[&genesis.0, &encode(self)]))
    }
}

/// Precommits of more than two thirds of the weight for one block. Nodes hold different ones of a
/// height; what counts is the copy in the next block.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Certificate {
    /// The block's height.
    pub height: TributaryBlock,
    /// The consensus round that decided.
    pub round: u32,
    /// The block.
    pub block: BlockHash,
    /// Signatures of distinct validators, strictly ascending by account.
    pub signatures: List<(Validator, Signature), MAX_MEMBERS>,
}

impl Certificate {
    /// The hash by which the next block's header binds it.
    pub fn hash(&self) -> [u8; 32] {
        hash("tributary certificate", &[&encode(self)])
    }

    /// Who signed.
    pub fn signers(&self) -> impl Iterator<Item = &Validator> {
        self.signatures.iter().map(|(validator, _)| validator)
    }

    /// Whether distinct members with more than two thirds of the weight signed this very block.
    /// Unknown accounts and malformed signatures make it invalid, nothing else happens (`TRIB-6`).
    #[must_use]
    pub fn verify(&self, members: &Members) -> bool {
        self.verify_with(members, |member, message, signature| {
            member.key.verify(signing::CONSENSUS, message, signature)
        })
    }

    pub(crate) fn verify_with(
        &self,
        members: &Members,
        mut check: impl FnMut(&crate::Member, &[u8], &Signature) -> bool,
    ) -> bool {
        let of = |validator| {
            signing::precommit(members.genesis(), self.height.0, self.round, Some(self.block), validator)
        };
        let is_signed = |(validator, signature): &(Validator, Signature)| {
            members.get(validator).is_some_and(|member| check(member, &of(*validator), signature))
        };
        self.claims_quorum(members) && self.signatures.iter().all(is_signed)
    }

    /// Whether it is by distinct members of enough weight, in their order, if all have signed. Costs no signature.
    pub(crate) fn claims_quorum(&self, members: &Members) -> bool {
        let mut weight = 0u64;
        let mut former = None;
        for validator in self.signers() {
            let distinct = former.is_none_or(|former| former < validator) || mutated!(DuplicateVote);
            let Some(member) = members.get(validator).filter(|_| distinct) else {
                return false;
            };
            former = Some(validator);
            weight = weight.saturating_add(u64::from(member.weight.0));
        }
        members.is_quorum(weight)
    }
}

/// A block.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Block {
    /// What its hash covers.
    pub header: Header,
    /// By the builder over the hash: who built a block needs no trust in who sent it.
    pub signature: Signature,
    /// The former block's certificate; none for the first.
    pub former: Option<Certificate>,
    /// The application's bytes.
    pub body: Bytes<MAX_BODY_BYTES>,
}

impl Block {
    /// Builds and signs a block.
    pub(crate) fn sign(
        members: &Members,
        key: &SecretKey,
        header: Header,
        former: Option<Certificate>,
        body: Bytes<MAX_BODY_BYTES>,
    ) -> Self {
        let signature = key.sign(signing::BLOCK, &header.hash(members.genesis()).0);
        Self { header, signature, former, body }
    }

    /// The hash of a body's bytes, as the header holds it.
    pub fn body_hash(body: &[u8]) -> [u8; 32] {
        hash("tributary body", &[body])
    }

    /// Whether the parts are the ones the header binds, the builder is the proposer of its round, and the
    /// builder signed. Says nothing about the parent, the certificate's signatures or the body's meaning.
    #[must_use]
    pub fn is_authentic(&self, members: &Members) -> bool {
        self.is_authentic_with(members, |member, message, signature| {
            member.key.verify(signing::BLOCK, message, signature)
        })
    }

    pub(crate) fn is_authentic_with(
        &self,
        members: &Members,
        check: impl FnOnce(&crate::Member, &[u8], &Signature) -> bool,
    ) -> bool {
        let header = &self.header;
        let builder = members.proposer(header.height.0, header.round);
        self.is_bound(members) && check(builder, &header.hash(members.genesis()).0, &self.signature)
    }

    /// Whether the parts are the ones the header binds, and the builder is the proposer of its round.
    pub(crate) fn is_bound(&self, members: &Members) -> bool {
        let header = &self.header;
        (self.body.len() <= members.limits().body())
            && (members.proposer(header.height.0, header.round).validator == header.proposer)
            && (header.former == self.former.as_ref().map_or([0; 32], Certificate::hash))
            && (header.body == Self::body_hash(&self.body))
    }

    /// Whether it follows on the block of this height and hash, of which its former certificate claims to be. Says
    /// nothing about signatures.
    pub(crate) fn follows(&self, members: &Members, height: u64, hash: BlockHash) -> bool {
        let linked = match &self.former {
            None => height == 0,
            Some(former) => {
                (height > 0)
                    && (former.height.0 == height)
                    && (former.block == hash)
                    && former.claims_quorum(members)
            }
        };
        linked && (self.header.parent == hash)
    }
}

/// A block with its certificate: final.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct DecidedBlock {
    /// The block.
    pub block: Block,
    /// This node's certificate of it; others hold others.
    pub certificate: Certificate,
}

impl DecidedBlock {
    /// Whether all of it fits together and on top of the block before `height` as it names that, if everybody signed.
    pub(crate) fn claims_to_be(&self, members: &Members, height: u64) -> bool {
        let (block, certificate) = (&self.block, &self.certificate);
        (self.height().0 == height)
            && (certificate.height.0 == height)
            && block.follows(members, height.saturating_sub(1), block.header.parent)
            && (certificate.block == block.header.hash(members.genesis()))
            && certificate.claims_quorum(members)
            && block.is_bound(members)
    }

    /// The block's height.
    pub fn height(&self) -> TributaryBlock {
        self.block.header.height
    }
}

/// The decided blocks of every chain, by genesis and height. The engine writes them, everyone reads.
pub const DECIDED: Table<(Genesis, TributaryBlock), DecidedBlock> = Table::new("tributary/decided");
