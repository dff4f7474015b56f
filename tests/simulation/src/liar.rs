//! What liars send: messages in the right form, signed with a liar's key, which no honest node sends.
//!
//! ```text
//! Ear: what was said on the chains, what the liar's own stores know ──▶ act: messages to everybody
//!                                                                  └─▶ twist: what its nodes say, changed
//! say: what its processor tells its coordinator, changed
//! ```
//!
//! What must come of it is for the oracles to say; nothing here does.

use std::collections::{BTreeMap, VecDeque};

use coordinator_core::session::{
    self, SetSpec,
    transaction::{Provided, Round, Signed},
};
use coordinator_keys::{SecretKey, Signature};
use coordinator_store::MemoryStore;
use coordinator_store::Store;
use processor_messages::{
    Attempt, BatchId, Bytes, FromProcessor, Genesis, List, Participant, SigningPiece, TributaryBlock,
    Validator, base_chain,
    codec::MAX_MESSAGE_BYTES,
    decode, encode,
    key_gen::{self, ParticipationBytes},
    sign,
    sign::{OwnPieces, SigningId},
};
use rand_chacha::ChaCha8Rng;
use rand_core::RngCore;
use simulated_processor::dkg::dealt;
use tributary::{
    Block, BlockHash, Certificate, ChainConfig, Conflict, DECIDED, DecidedBlock, Evidence, Header, Kind,
    Members, Output, SignedTransaction, Step, Transaction, chain, latest_decided, merkle_root,
    wiretap::{self, Heard},
};

use crate::manner::Manner;

/// Messages kept for being sent again by somebody else.
const MAX_SEEN: usize = 256;
/// Transactions of a spammer at a time, and in its floods so many more than a mempool keeps of one.
const SPAM: usize = 4;
const BURST: usize = 64;

/// What anybody may hear.
#[derive(Default)]
pub struct Ear {
    seen: VecDeque<(Genesis, Vec<u8>)>,
    /// Blocks which a liar changed, by the hash of what they were.
    swapped: BTreeMap<BlockHash, BlockHash>,
}

impl Ear {
    /// Somebody said this to everybody.
    pub fn hear(&mut self, genesis: Genesis, bytes: &[u8]) {
        self.seen.push_back((genesis, bytes.to_vec()));
        if self.seen.len() > MAX_SEEN {
            self.seen.pop_front();
        }
    }

    fn any(&self, rng: &mut ChaCha8Rng) -> Option<&(Genesis, Vec<u8>)> {
        self.seen.get(usize::try_from(below(rng, self.seen.len() as u64)).unwrap_or_default())
    }
}

/// One chain as a liar sees it.
pub struct Stage<'a> {
    /// The liar's key.
    pub key: &'a SecretKey,
    /// The chain's members.
    pub members: &'a Members,
    /// Where its node keeps the chain.
    pub store: &'a MemoryStore,
    /// The set whose tributary it is; none for the base chain.
    pub spec: Option<&'a SetSpec>,
}

fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    rng.next_u64() % bound.max(1)
}

fn noise(rng: &mut ChaCha8Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}

impl Stage<'_> {
    fn me(&self) -> Validator {
        Validator(self.key.public().to_bytes())
    }

    fn genesis(&self) -> Genesis {
        self.members.genesis()
    }

    /// What the liar says now, each to everybody else of the chain.
    pub fn act(&self, manner: Manner, ear: &Ear, rng: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
        match manner {
            Manner::Equivocator => self.vote_again(ear),
            Manner::Premature => self.premature(rng),
            Manner::Spammer => self.spam(rng),
            Manner::Replayer => replayed(ear, rng),
            Manner::BadEvidence => self.bad_evidence(rng),
            Manner::ForgedCertificate => {
                let decided = self.decided();
                vec![wiretap::height(decided + 1 + below(rng, 3)), wiretap::question(decided)]
            }
            Manner::Oversized => self.oversized(rng),
            Manner::NonMember => self.strange(ear, rng),
            _ => Vec::new(),
        }
    }

    fn decided(&self) -> u64 {
        self.store.read(|db| latest_decided(db, self.genesis())).map_or(0, |height| height.0)
    }

    fn victim(&self, rng: &mut ChaCha8Rng) -> Option<Validator> {
        let others: Vec<_> = self.members.iter().map(|m| m.validator).filter(|v| *v != self.me()).collect();
        others.get(usize::try_from(below(rng, others.len() as u64)).ok()?).copied()
    }

    /// Votes against its own latest votes.
    fn vote_again(&self, ear: &Ear) -> Vec<Vec<u8>> {
        let own = ear.seen.iter().rev().filter(|(genesis, _)| *genesis == self.genesis());
        let own = own.filter_map(|(_, bytes)| wiretap::hear(bytes, self.members.limits())).flatten();
        let votes = own.filter_map(|heard| match heard {
            Heard::Vote { step, height, round, value, by } if by == self.me() => {
                let other = value.map_or(Some(BlockHash([9; 32])), |_| None);
                Some(wiretap::vote(self.key, self.genesis(), (height, round), step, other))
            }
            _ => None,
        });
        votes.take(2).collect()
    }

    fn signed(&self, payload: &Signed, nonce: Option<u32>) -> Vec<u8> {
        let slot = payload.slot();
        self.signed_bytes(slot.order, nonce.unwrap_or(slot.nonce), payload.to_bytes())
    }

    fn signed_bytes(&self, order: Vec<u8>, nonce: u32, payload: Vec<u8>) -> Vec<u8> {
        let order = Bytes::new(order).unwrap_or_default();
        let payload = Bytes::new(payload).unwrap_or_default();
        let signed = SignedTransaction::sign(self.genesis(), self.key, order, nonce, payload);
        wiretap::transaction(&Transaction::Signed(signed))
    }

    fn premature(&self, rng: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
        let Some(spec) = self.spec else { return Vec::new() };
        let Some(own) = spec.index_of(self.me()) else { return Vec::new() };
        let weight = usize::from(spec.weight(own));
        let mut says = Vec::new();
        let open = self.store.read(|db| session::open_topics(db, spec.genesis, 16)).unwrap_or_default();
        for (topic, state) in open {
            let session::topic::Topic::Signing(id) = topic else { continue };
            let selected = state.selection.as_ref().map(|s| s.members.contains(&own));
            let arrived = state.arrived.iter().any(|(member, _)| *member == own);
            if arrived && (selected != Some(true)) {
                says.push(self.signed(&signing_data(id, state.attempt, Round::Share, weight), None));
            }
        }
        // What is fatal, at last: an attempt which has not begun, or what nobody agreed on.
        if below(rng, 512) == 0 {
            let id = SigningId::Batch(BatchId(1_000_000));
            says.push(self.signed(&signing_data(id, Attempt(0), Round::Preprocess, weight), None));
        }
        says
    }

    fn spam(&self, rng: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
        // Once a block holds any of it nobody listens any more: the flood comes first.
        let flood = self.decided() < 3;
        let count = if flood { ChainConfig::default().pending_per_signer + BURST } else { SPAM };
        let mut says = Vec::new();
        for _ in 0..count {
            let payload = noise(rng);
            says.push(self.signed_bytes(noise(rng).to_vec(), 0, payload.to_vec()));
        }
        for _ in 0..count / 2 {
            let payload = Bytes::new(noise(rng).to_vec()).unwrap_or_default();
            says.push(wiretap::transaction(&Transaction::Unsigned(payload)));
        }
        says.push(wiretap::height(rng.next_u64()));
        says
    }

    fn bad_evidence(&self, rng: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
        let Some(victim) = self.victim(rng) else { return Vec::new() };
        let mut signature = || {
            let (a, b) = (noise(rng), noise(rng));
            let mut bytes = [0; 64];
            bytes.iter_mut().zip(a.iter().chain(&b)).for_each(|(to, from)| *to = *from);
            Signature(bytes)
        };
        let conflict =
            Conflict::Votes(Step::Prevote, (None, signature()), (Some(BlockHash([1; 32])), signature()));
        let height = self.decided() + 1;
        let evidence = Evidence { validator: victim, height, round: 0, conflict };
        let mut says = vec![wiretap::transaction(&Transaction::Evidence(evidence))];
        let Some(spec) = self.spec else { return says };
        says.push(self.signed(&Signed::Blame { validator: victim }, None));
        let participant = Participant::new(1 + u16::try_from(below(rng, u64::from(spec.n().0))).unwrap_or(0));
        let open = self.store.read(|db| session::open_topics(db, spec.genesis, 4)).unwrap_or_default();
        for (topic, state) in open {
            if let (session::topic::Topic::Signing(id), Some(participant)) = (topic, participant) {
                let vote = Signed::InvalidParticipant { id, attempt: state.attempt, participant };
                says.push(self.signed(&vote, None));
            }
        }
        says
    }

    fn oversized(&self, rng: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
        // The longest payload that the type holds: with its frame it is over the limit.
        let much = vec![7; self.members.limits().transaction()];
        match below(rng, 8) {
            0 => vec![wiretap::transaction(&Transaction::Unsigned(Bytes::new(much).unwrap_or_default()))],
            1 | 2 => vec![self.signed_bytes(noise(rng).to_vec(), 0, much)],
            // A length which promises gigabytes.
            3 => vec![[vec![6], u32::MAX.to_le_bytes().to_vec(), noise(rng).to_vec()].concat()],
            _ => vec![[vec![u8::try_from(below(rng, 8)).unwrap_or_default()], vec![7; 600]].concat()],
        }
    }

    /// A stranger takes part as if it were a member.
    fn strange(&self, ear: &Ear, rng: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
        let height = self.decided() + 1;
        let mut says = vec![
            wiretap::vote(self.key, self.genesis(), (height, 0), Step::Prevote, None),
            wiretap::vote(self.key, self.genesis(), (height, 0), Step::Precommit, Some(BlockHash([5; 32]))),
            self.signed_bytes(noise(rng).to_vec(), 0, noise(rng).to_vec()),
            wiretap::height(height + 100),
        ];
        says.extend(replayed(ear, rng));
        says
    }

    /// What the liar's node says, changed.
    pub fn twist(&self, manner: Manner, ear: &mut Ear, output: Output, rng: &mut ChaCha8Rng) -> Vec<Output> {
        match (manner, output) {
            (Manner::FalseProvider | Manner::Oversized, Output::Broadcast(bytes)) => {
                self.twist_proposal(manner, ear, bytes).into_iter().map(Output::Broadcast).collect()
            }
            (Manner::ForgedCertificate, Output::Respond { id, bytes }) => {
                let forged = self.forged_blocks(&bytes, rng).or_else(|| self.forged_next(rng));
                vec![Output::Respond { id, bytes: forged.unwrap_or(bytes) }]
            }
            (_, output) => vec![output],
        }
    }

    fn twist_proposal(&self, manner: Manner, ear: &mut Ear, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        match wiretap::hear(&bytes, self.members.limits()).and_then(|mut heard| heard.pop()) {
            Some(Heard::Block(block)) if self.spec.is_some() && block.header.proposer == self.me() => {
                let Ok(mut transactions) = chain::transactions(&block) else { return vec![bytes] };
                match manner {
                    Manner::FalseProvider if block.header.round == 0 => {
                        let payload = Provided::Batch { id: BatchId(77), hash: [7; 32] }.to_bytes();
                        let payload = Bytes::new(payload).unwrap_or_default();
                        transactions.insert(0, Transaction::Provided { kind: Kind(0), payload });
                    }
                    Manner::Oversized => {
                        let payload = vec![7; self.members.limits().transaction()];
                        let payload = Bytes::new(payload).unwrap_or_default();
                        let first = transactions.iter().position(|t| matches!(t, Transaction::Signed(_)));
                        let at = first.unwrap_or(transactions.len());
                        transactions.insert(at, Transaction::Unsigned(payload));
                    }
                    _ => return vec![bytes],
                }
                let hashes: Vec<_> = transactions.iter().map(Transaction::hash).collect();
                let body = encode(&transactions);
                let Ok(body) = Bytes::new(body) else { return vec![bytes] };
                let content = (merkle_root(&hashes), body);
                let round = block.header.round;
                let changed = wiretap::rebuilt(self.key, self.members, &block, round, content);
                let genesis = self.genesis();
                ear.swapped.insert(block.header.hash(genesis), changed.header.hash(genesis));
                vec![wiretap::block(changed)]
            }
            Some(Heard::Proposal { height, round, value, valid_round, by }) if by == self.me() => {
                match ear.swapped.get(&value) {
                    Some(changed) => {
                        let at = (height, round);
                        vec![wiretap::proposal(self.key, self.genesis(), at, *changed, valid_round)]
                    }
                    None => vec![bytes],
                }
            }
            _ => vec![bytes],
        }
    }

    /// Instead of the blocks which were asked for: the first of them as one of ours, with a certificate which is none.
    fn forged_blocks(&self, answer: &[u8], rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
        let first = wiretap::first_height(answer, self.members.limits())?;
        let key = (self.genesis(), TributaryBlock(first));
        let real = self.store.read(|db| DECIDED.get(db, &key)).ok().flatten()?;
        let round = self.own_round(first, real.block.header.round + 1)?;
        let content = (real.block.header.root, real.block.body.clone());
        let block = wiretap::rebuilt(self.key, self.members, &real.block, round, content);
        Some(self.forged(block, &real.certificate, rng))
    }

    /// A round from `least` on in which we propose.
    fn own_round(&self, height: u64, least: u32) -> Option<u32> {
        (least..least + 64).find(|round| self.members.proposer(height, *round).validator == self.me())
    }

    /// An empty block of a tributary on top of the latest one.
    fn forged_next(&self, rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
        self.spec?;
        let (genesis, decided) = (self.genesis(), self.decided());
        let height = TributaryBlock(decided);
        let tip = self.store.read(|db| DECIDED.get(db, &(genesis, height))).ok().flatten()?;
        let state = self.store.read(|db| chain::state_hash(db, genesis)).ok()?;
        let header = Header {
            height: height.next(),
            parent: tip.block.header.hash(genesis),
            former: tip.certificate.hash(),
            state,
            ..tip.block.header.clone()
        };
        let body = Bytes::new(encode(&Vec::<Transaction>::new())).ok()?;
        let of = Block { header, former: Some(tip.certificate.clone()), ..tip.block };
        let round = self.own_round(of.header.height.0, 0)?;
        let content = (merkle_root(&[]), body);
        let block = wiretap::rebuilt(self.key, self.members, &of, round, content);
        Some(self.forged(block, &tip.certificate, rng))
    }

    /// An answer of this block with a certificate which is none.
    fn forged(&self, block: Block, real: &Certificate, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let hash = block.header.hash(self.genesis());
        let at = (block.header.height.0, block.header.round);
        let mut certificate = match below(rng, 4) {
            0 => wiretap::certificate(&[self.key], self.genesis(), at, hash),
            1 => wiretap::certificate(&[self.key; 64], self.genesis(), at, hash),
            2 => wiretap::certificate(&[], self.genesis(), at, hash),
            _ => Certificate { height: block.header.height, ..real.clone() },
        };
        certificate.block = hash;
        wiretap::answer(vec![DecidedBlock { block, certificate }])
    }
}

fn signing_data(id: SigningId, attempt: Attempt, round: Round, weight: usize) -> Signed {
    let bytes = if round == Round::Share { vec![7; 32] } else { vec![7; 64] };
    let piece = SigningPiece::new(bytes).unwrap_or_default();
    let pieces = OwnPieces::new(vec![piece; weight]).unwrap_or_default();
    Signed::SigningData { id, attempt, round, pieces }
}

fn replayed(ear: &Ear, rng: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
    let mut says = Vec::new();
    for _ in 0..3 {
        let Some((_, bytes)) = ear.any(rng) else { break };
        let mut bytes = bytes.clone();
        if below(rng, 3) == 0 {
            let at = usize::try_from(below(rng, bytes.len() as u64)).unwrap_or_default();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << below(rng, 8);
            }
        }
        says.push(bytes);
    }
    says
}

/// A participation which is invalid: one that nobody dealt, or a real one which decodes and whose proof does not hold.
fn spoiled(participation: ParticipationBytes) -> ParticipationBytes {
    let dealt = dealt::participation(u16::MAX);
    if participation.len() <= dealt.len() {
        return dealt;
    }
    // Within the last scalar of the proof.
    let mut bytes = participation.into_inner();
    if let Some(byte) = bytes.len().checked_sub(20).and_then(|at| bytes.get_mut(at)) {
        *byte ^= 1;
    }
    ParticipationBytes::new(bytes).unwrap_or_default()
}

/// What a processor of this manner says instead of what its rules decided; `None` if it keeps silent.
pub fn say(manner: Manner, bytes: Vec<u8>) -> Option<Vec<u8>> {
    let Ok(message) = decode::<FromProcessor>(&bytes, MAX_MESSAGE_BYTES) else { return Some(bytes) };
    let rubbish = |pieces: usize| {
        let piece = SigningPiece::new(vec![7; 32]).unwrap_or_default();
        List::new(vec![piece; pieces]).unwrap_or_default()
    };
    let said = match (manner, message) {
        (
            Manner::BadShareDealer,
            FromProcessor::KeyGen(key_gen::FromProcessor::Participation { session, participation }),
        ) => {
            let participation = spoiled(participation);
            FromProcessor::KeyGen(key_gen::FromProcessor::Participation { session, participation })
        }
        (
            Manner::BadPreprocess,
            FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses }),
        ) => {
            let preprocesses = rubbish(preprocesses.len());
            FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses })
        }
        (Manner::BadShare, FromProcessor::Sign(sign::FromProcessor::Shares { id, shares })) => {
            FromProcessor::Sign(sign::FromProcessor::Shares { id, shares: rubbish(shares.len()) })
        }
        (Manner::Withholder, FromProcessor::Sign(sign::FromProcessor::Shares { .. })) => return None,
        (
            Manner::FalseBatch,
            FromProcessor::BaseChain(base_chain::FromProcessor::Batch { session, mut batch }),
        ) => {
            batch.instructions = List::default();
            FromProcessor::BaseChain(base_chain::FromProcessor::Batch { session, batch })
        }
        _ => return Some(bytes),
    };
    Some(encode(&said))
}
