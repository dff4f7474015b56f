//! Reads what members tell each other, and makes messages which no honest node makes: for simulations of liars.
//!
//! ```text
//! bytes of a broadcast --hear--> Heard            a liar's key, real blocks --> votes, proposals, blocks, answers
//! ```
//!
//! Behind the feature `wiretap`. What is made here has the right form; whether it is refused is what a simulation is
//! to find out. [`weight`] counts a certificate again, so that an oracle need not trust [`Certificate::verify`].

use std::collections::BTreeSet;

use coordinator_keys::SecretKey;
use processor_messages::{Bytes, Genesis, List, Validator, decode, encode};

use crate::{
    Block, BlockHash, Certificate, DecidedBlock, Header, Limits, MAX_BODY_BYTES, Members, Step, Transaction,
    chain::Gossip,
    signing,
    wire::{Answer, Ask, Message, Proposal, Vote},
};

/// What a broadcast says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// A vote; `None` is nil.
    Vote {
        /// Which vote.
        step: Step,
        /// At which height.
        height: u64,
        /// In which consensus round.
        round: u32,
        /// For which block.
        value: Option<BlockHash>,
        /// Whose name it bears; not verified.
        by: Validator,
    },
    /// A proposal.
    Proposal {
        /// At which height.
        height: u64,
        /// In which consensus round.
        round: u32,
        /// Which block.
        value: BlockHash,
        /// The round in which it was found valid before.
        valid_round: Option<u32>,
        /// Whose name it bears; not verified.
        by: Validator,
    },
    /// A block in progress.
    Block(Box<Block>),
    /// A transaction of a tributary.
    Transaction(Box<Transaction>),
    /// Anything else.
    Other,
}

/// What a broadcast says; `None` if it is no message.
pub fn hear(bytes: &[u8], limits: Limits) -> Option<Vec<Heard>> {
    Some(vec![match Message::decode(bytes, limits).ok()? {
        Message::Vote(Vote { step, height, round, value, address, .. }) => {
            Heard::Vote { step, height, round, value, by: address }
        }
        Message::Proposal(Proposal { height, round, value, valid_round, address, .. }) => {
            Heard::Proposal { height, round, value, valid_round, by: address }
        }
        Message::Block(block) => Heard::Block(block),
        Message::Application(bytes) => gossip(&bytes),
        Message::Applications(list) => return Some(list.iter().map(|bytes| gossip(bytes)).collect()),
        Message::Polka(_) | Message::Round(_) | Message::Height(_) => Heard::Other,
    }])
}

fn gossip(bytes: &[u8]) -> Heard {
    match decode::<Gossip>(bytes, usize::MAX) {
        Ok(Gossip::Transaction(transaction)) => Heard::Transaction(transaction),
        Ok(_) | Err(_) => Heard::Other,
    }
}

/// The height of the first block of an answer of decided blocks.
pub fn first_height(bytes: &[u8], limits: Limits) -> Option<u64> {
    match Answer::decode(bytes, limits).ok()? {
        Answer::Blocks(blocks) => blocks.iter().next().map(|decided| decided.height().0),
        Answer::Status(_) | Answer::Body(_) => None,
    }
}

/// A vote, signed.
pub fn vote(
    key: &SecretKey,
    genesis: Genesis,
    (height, round): (u64, u32),
    step: Step,
    value: Option<BlockHash>,
) -> Vec<u8> {
    let address = Validator(key.public().to_bytes());
    let message = match step {
        Step::Prevote => signing::prevote(genesis, height, round, value, address),
        Step::Precommit => signing::precommit(genesis, height, round, value, address),
    };
    let signature = key.sign(signing::CONSENSUS, &message);
    Message::Vote(Vote { step, height, round, value, address, signature }).encode()
}

/// A proposal, signed.
pub fn proposal(
    key: &SecretKey,
    genesis: Genesis,
    (height, round): (u64, u32),
    value: BlockHash,
    valid_round: Option<u32>,
) -> Vec<u8> {
    let address = Validator(key.public().to_bytes());
    let message = signing::proposal(genesis, height, round, value, valid_round, address);
    let signature = key.sign(signing::CONSENSUS, &message);
    Message::Proposal(Proposal { height, round, value, valid_round, address, signature }).encode()
}

/// A block in progress.
pub fn block(block: Block) -> Vec<u8> {
    Message::Block(Box::new(block)).encode()
}

/// A block of another builder made into one of this key: with another body, for another round.
pub fn rebuilt(
    key: &SecretKey,
    members: &Members,
    of: &Block,
    round: u32,
    (root, body): ([u8; 32], Bytes<MAX_BODY_BYTES>),
) -> Block {
    let proposer = Validator(key.public().to_bytes());
    let body_hash = Block::body_hash(&body);
    let header = Header { round, proposer, root, body: body_hash, ..of.header.clone() };
    Block::sign(members, key, header, of.former.clone(), body)
}

/// A transaction as gossip.
pub fn transaction(transaction: &Transaction) -> Vec<u8> {
    let gossip = encode(&Gossip::Transaction(Box::new(transaction.clone())));
    // By hand, as one which is too long is no `Bytes`.
    let mut bytes = vec![6];
    bytes.extend(u32::try_from(gossip.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(gossip);
    bytes
}

/// "This is the latest height which I have decided."
pub fn height(height: u64) -> Vec<u8> {
    Message::Height(height).encode()
}

/// The question for decided blocks from a height on.
pub fn question(from: u64) -> Vec<u8> {
    encode(&Ask::Blocks(from))
}

/// An answer of decided blocks; as many as an answer may hold.
pub fn answer(blocks: Vec<DecidedBlock>) -> Vec<u8> {
    encode(&Answer::Blocks(List::new(blocks).unwrap_or_default()))
}

/// A certificate in which each of these keys signs, in this order, as often as it is named.
pub fn certificate(
    keys: &[&SecretKey],
    genesis: Genesis,
    (height, round): (u64, u32),
    block: BlockHash,
) -> Certificate {
    let sign = |key: &&SecretKey| {
        let by = Validator(key.public().to_bytes());
        let message = signing::precommit(genesis, height, round, Some(block), by);
        (by, key.sign(signing::CONSENSUS, &message))
    };
    let signatures = List::new(keys.iter().map(sign).collect()).unwrap_or_default();
    Certificate { height: processor_messages::TributaryBlock(height), round, block, signatures }
}

/// The weight of distinct members whose signatures in a certificate are valid.
pub fn weight(certificate: &Certificate, members: &Members) -> u64 {
    let (height, round) = (certificate.height.0, certificate.round);
    let mut signers = BTreeSet::new();
    for (by, signature) in &certificate.signatures {
        let message = signing::precommit(members.genesis(), height, round, Some(certificate.block), *by);
        let valid = members.get(by).is_some_and(|m| m.key.verify(signing::CONSENSUS, &message, signature));
        if valid {
            signers.insert(*by);
        }
    }
    signers.iter().filter_map(|by| members.get(by)).map(|member| u64::from(member.weight.0)).sum()
}
