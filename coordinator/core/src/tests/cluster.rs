//! Coordinators' rules over an ordered log which a test drives: real stores, real confirmation, scripted
//! processors and a scripted base chain.

use std::collections::{BTreeMap, BTreeSet};

use coordinator_base_chain::{
    Block, CosignParameters, Event, MemoryChain, NetworkCurve, SetDeclaration, SetKeys, SetMember,
    TributaryParameters, signing,
};
use coordinator_keys::SecretKey;
use coordinator_store::{MemoryStore, Store};
use modular_frost::{
    algorithm::{Hram, SchnorrSignature},
    curve::{Ciphersuite, IetfRistrettoHram, Ristretto},
};
use processor_messages::{
    Attempt, BaseBlock, BaseBlockHash, BaseSignature, Batch, BatchId, Bytes, ChainGenesis, EmbeddedKeys,
    FromProcessor, Genesis, KeyPair, KeyShares, List, Network, NetworkBlockHash, Session, SignedBatch,
    SigningPiece, SlashReport, ToProcessor, TransactionId, TributaryBlock, Validator, ValidatorSet,
    base_chain, coordinator, decode, key_gen, sign, threshold,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use zeroize::Zeroizing;

use crate::{
    Error, Identity, Notice, Step, base_chain as base_chain_rules, cosign, outbox, processor,
    session::{
        self, own,
        transaction::{Ordered, OrderedBlock, PROVIDED_KINDS, Signed, Slot},
    },
};

pub(super) const CHAIN: ChainGenesis = ChainGenesis([7; 32]);

/// In blocks of the base chain.
pub(super) const COSIGN_DISTANCE: u32 = 5;

pub(super) fn network() -> Network {
    Network::new("bitcoin").unwrap()
}

pub(super) fn set() -> ValidatorSet {
    ValidatorSet { network: network(), session: Session(0) }
}

/// How one validator misbehaves, or that it does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Manner {
    #[default]
    Honest,
    /// Nothing of it is ever ordered.
    Silent,
    /// Its shares are never ordered.
    WithholdsShares,
    /// Its processor generates another key pair.
    Diverges,
    /// Its processor's preprocesses are none.
    BadPreprocess,
}

/// The first byte of a preprocess which is none.
const BAD: u8 = 0xbb;

/// The key of every honest processor's key generation, known so that signatures can be made.
fn group_secret() -> Zeroizing<<Ristretto as Ciphersuite>::F> {
    Zeroizing::new(Ristretto::hash_to_F(b"test", b"group"))
}

pub(super) fn key_pair(tweak: u8) -> KeyPair {
    use ciphersuite::group::GroupEncoding;
    let base = (Ristretto::generator() * *group_secret()).to_bytes();
    KeyPair { base, network: Bytes::new(vec![tweak; 33]).unwrap() }
}

fn sign_with_group(message: &[u8]) -> BaseSignature {
    use ciphersuite::group::Group;
    let nonce = Ristretto::hash_to_F(b"test", message);
    let point = Ristretto::generator() * nonce;
    assert!(!bool::from(point.is_identity()));
    let key = Ristretto::generator() * *group_secret();
    let c = IetfRistrettoHram::hram(&point, &key, message);
    signing::to_signature(&SchnorrSignature::<Ristretto>::sign(&group_secret(), Zeroizing::new(nonce), c))
}

fn sign_batch(batch: &Batch) -> SignedBatch {
    SignedBatch { batch: batch.clone(), signature: sign_with_group(&signing::batch_message(CHAIN, batch)) }
}

pub(super) fn signed_report(session: Session, report: SlashReport) -> coordinator::FromProcessor {
    let set = ValidatorSet { network: network(), session };
    let signature = sign_with_group(&signing::slash_report_message(CHAIN, set, &report));
    coordinator::FromProcessor::SignedSlashReport { session, report, signature }
}

pub(super) fn batch(id: u32) -> Batch {
    Batch {
        network: network(),
        id: BatchId(id),
        block: NetworkBlockHash([u8::try_from(id).unwrap(); 32]),
        instructions: List::default(),
    }
}

/// A processor by script: what it knows of one session.
#[derive(Default)]
pub(super) struct Processor {
    pub(super) received: Vec<ToProcessor>,
    participated: BTreeSet<Validator>,
    members: Vec<key_gen::Member>,
    threshold: u16,
    generated: bool,
    own: usize,
    report: Option<SlashReport>,
    /// Transactions whose signatures it completed.
    signed: Vec<TransactionId>,
    /// How many of the network's transactions it saw.
    pub(super) seen: usize,
    /// Whose participations it finds invalid.
    pub(super) rejects: Vec<Validator>,
    blamed: BTreeSet<Validator>,
    /// Blocks it was asked to cosign.
    cosigns: BTreeMap<BaseBlock, BaseBlockHash>,
}

pub(super) struct Node {
    pub(super) store: MemoryStore,
    pub(super) identity: Identity,
    pub(super) manner: Manner,
    pub(super) processor: Processor,
    pub(super) notices: Vec<Notice>,
    rng: ChaCha20Rng,
    applied: usize,
    /// It does not run; what is said to its coordinator waits.
    pub(super) down: bool,
    /// How much of a block it applies in a step; `None` for what is usual.
    pub(super) part_bytes: Option<usize>,
    base_applied: usize,
}

pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) weights: Vec<u16>,
    pub(super) chain: MemoryChain,
    pub(super) base_blocks: Vec<Block>,
    pub(super) log: Vec<OrderedBlock>,
    pub(super) set_keys: Option<SetKeys>,
    pub(super) executed: Vec<BatchId>,
    pub(super) batches: u32,
    /// The network's transactions in its order.
    pub(super) on_network: Vec<TransactionId>,
    nonces: BTreeMap<(Validator, Vec<u8>), u32>,
    provided: BTreeMap<u8, u64>,
    /// To be put into the next block, as its signer's.
    pub(super) injected: Vec<(usize, Slot, Vec<u8>)>,
    /// Evidence against whom stands in the next block.
    convicted: Vec<usize>,
    time: u64,
    /// The signed report which nodes submit; all the same.
    pub(super) reported: Option<SlashReport>,
    /// Whether the base chain applies it.
    pub(super) applies_reports: bool,
    retired: bool,
    /// These proposers leave this one out of every certificate.
    pub(super) left_out: Option<(&'static [usize], usize)>,
    /// Nodes observe what is final, and tell each other of cosigns.
    pub(super) cosigns: bool,
}

fn secret(index: usize) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[0] = u8::try_from(index).unwrap() + 1;
    SecretKey::from_bytes(&bytes).unwrap()
}

pub(super) fn declaration(weights: &[u16], session: Session) -> SetDeclaration {
    let member = |(index, weight): (usize, &u16)| SetMember {
        validator: Validator(secret(index).public().to_bytes()),
        shares: KeyShares(*weight),
        embedded: EmbeddedKeys { base: Bytes::default(), network: Bytes::default() },
    };
    let n = weights.iter().sum();
    SetDeclaration {
        set: ValidatorSet { network: network(), session },
        curve: NetworkCurve::Secp256k1,
        members: weights.iter().enumerate().map(member).collect(),
        threshold: threshold(KeyShares(n)),
        key_gen_deadline: BaseBlock(1000),
        tributary: TributaryParameters { attempt_blocks: 6, longest_attempt: 3, grace_blocks: 0 },
        cosign: CosignParameters { distance_blocks: COSIGN_DISTANCE, ..CosignParameters::default() },
    }
}

impl Node {
    pub(super) fn new(index: usize, manner: Manner) -> Self {
        let key = secret(index);
        let identity = Identity { key, chain: CHAIN, networks: vec![network()] };
        Self {
            store: MemoryStore::default(),
            identity,
            manner,
            processor: Processor::default(),
            notices: Vec::new(),
            rng: ChaCha20Rng::seed_from_u64(index as u64),
            applied: 0,
            down: false,
            part_bytes: None,
            base_applied: 0,
        }
    }

    fn takes_part(&self) -> bool {
        !self.down && (self.manner != Manner::Silent)
    }

    pub(super) fn validator(&self) -> Validator {
        self.identity.validator()
    }

    pub(super) fn step<T>(
        &mut self,
        rule: impl FnOnce(&mut Step<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Self { store, identity, rng, notices, part_bytes, .. } = self;
        let (value, _) = store.write(|txn| {
            let mut step = Step::new(txn, identity, rng);
            step.part_bytes = part_bytes.unwrap_or(step.part_bytes);
            let value = rule(&mut step)?;
            notices.append(&mut step.notices);
            Ok::<_, Error>(value)
        })?;
        Ok(value)
    }

    /// Applies a block, which is the next one; returns in how many steps.
    pub(super) fn apply(&mut self, block: &OrderedBlock) -> usize {
        let mut steps = 1;
        while self.step(|step| session::apply(step, set(), block)).unwrap() == session::Applied::InPart {
            steps += 1;
        }
        steps
    }

    pub(super) fn hear(&mut self, message: FromProcessor) {
        self.step(|step| processor::apply(step, network(), message)).unwrap();
    }

    fn take_messages(&mut self) -> Vec<ToProcessor> {
        let mut taken = Vec::new();
        while self
            .store
            .write(|txn| {
                outbox::move_message(txn, network(), |_, _, bytes| {
                    taken.push(decode(&bytes, usize::MAX).unwrap());
                    Ok::<_, Error>(())
                })
            })
            .unwrap()
            .0
        {}
        taken
    }

    /// Lets the scripted processor answer everything which waits for it.
    fn run_processor(&mut self, batches: u32) {
        for message in self.take_messages() {
            self.processor.received.push(message.clone());
            for answer in self.answer(message, batches) {
                self.hear(answer);
            }
        }
    }

    fn pieces(&self, tag: u8) -> sign::OwnPieces {
        let bad = (self.manner == Manner::BadPreprocess) && tag.is_multiple_of(2);
        let tag = if bad { BAD } else { tag };
        let piece = |i: usize| SigningPiece::new(vec![tag, u8::try_from(i).unwrap()]).unwrap();
        List::new((0..self.processor.own).map(piece).collect()).unwrap()
    }

    fn answer(&mut self, message: ToProcessor, batches: u32) -> Vec<FromProcessor> {
        match message {
            ToProcessor::KeyGen(message) => self.answer_key_gen(message),
            ToProcessor::Sign(message) => self.answer_sign(message),
            ToProcessor::BaseChain(base_chain::ToProcessor::SetKeys { session, .. }) => {
                (0..batches).flat_map(|id| self.batch_messages(session, id)).collect()
            }
            ToProcessor::Coordinator(coordinator::ToProcessor::SignSlashReport { session, report }) => {
                self.processor.report = Some(report);
                let id = sign::SignId { session, id: sign::SigningId::SlashReport, attempt: Attempt(0) };
                let preprocesses = self.pieces(0);
                vec![FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses })]
            }
            ToProcessor::BaseChain(base_chain::ToProcessor::Block { number, burns, .. })
                if !burns.is_empty() =>
            {
                self.answer_burns(number)
            }
            ToProcessor::Coordinator(coordinator::ToProcessor::CosignBlock { session, block, hash }) => {
                self.processor.cosigns.insert(block, hash);
                let id = sign::SignId { session, id: sign::SigningId::Cosign(block), attempt: Attempt(0) };
                let preprocesses = self.pieces(0);
                vec![FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses })]
            }
            ToProcessor::BaseChain(_) => Vec::new(),
        }
    }

    /// Our processor makes a batch, and its preprocess of it.
    pub(super) fn hear_batch(&mut self, id: u32) {
        for message in self.batch_messages(Session(0), id) {
            self.hear(message);
        }
    }

    /// A batch, and our preprocess of it.
    fn batch_messages(&self, session: Session, id: u32) -> [FromProcessor; 2] {
        let made = base_chain::FromProcessor::Batch { session, batch: batch(id) };
        let id = sign::SignId { session, id: sign::SigningId::Batch(BatchId(id)), attempt: Attempt(0) };
        let preprocesses = sign::FromProcessor::Preprocesses { id, preprocesses: self.pieces(0) };
        [FromProcessor::BaseChain(made), FromProcessor::Sign(preprocesses)]
    }

    fn answer_burns(&self, block: BaseBlock) -> Vec<FromProcessor> {
        let (session, payment) = (Session(0), payment(block));
        let transactions = List::new(vec![(session, payment)]).unwrap();
        let acknowledged = base_chain::FromProcessor::BlockAcknowledged { block, transactions };
        let id = sign::SignId { session, id: sign::SigningId::Transaction(payment), attempt: Attempt(0) };
        let preprocesses = sign::FromProcessor::Preprocesses { id, preprocesses: self.pieces(0) };
        vec![FromProcessor::Sign(preprocesses), FromProcessor::BaseChain(acknowledged)]
    }

    fn answer_key_gen(&mut self, message: key_gen::ToProcessor) -> Vec<FromProcessor> {
        let me = self.validator();
        match message {
            key_gen::ToProcessor::GenerateKey { session, threshold, members, .. } => {
                self.processor.own =
                    members.iter().find(|m| m.validator == me).map_or(0, |m| usize::from(m.shares.0));
                self.processor.members = members.into_inner();
                self.processor.threshold = threshold.0;
                let participation = Bytes::new(me.0.to_vec()).unwrap();
                vec![FromProcessor::KeyGen(key_gen::FromProcessor::Participation { session, participation })]
            }
            key_gen::ToProcessor::Block { session, participations, .. } => {
                for (author, bytes) in participations {
                    assert_eq!(bytes.to_vec(), author.0.to_vec());
                    self.processor.participated.insert(author);
                }
                let rejected = self.reject(session);
                if self.processor.generated || self.valid_weight() < self.processor.threshold {
                    return rejected;
                }
                self.processor.generated = true;
                let key_pair = key_pair(u8::from(self.manner == Manner::Diverges));
                vec![FromProcessor::KeyGen(key_gen::FromProcessor::GeneratedKeyPair { session, key_pair })]
            }
        }
    }

    fn cosigned(&self, session: Session, block: BaseBlock) -> coordinator::FromProcessor {
        let hash = self.processor.cosigns[&block];
        let set = ValidatorSet { network: network(), session };
        let signature = sign_with_group(&signing::cosign_message(CHAIN, set, block, hash));
        coordinator::FromProcessor::CosignedBlock { session, block, hash, signature }
    }

    fn observe_blocks(&mut self, blocks: &[Block]) {
        let next = self.store.read(|db| cosign::next_block(db)).unwrap();
        for block in &blocks[usize::try_from(next.0).unwrap()..] {
            let observed = self.step(|step| cosign::observe(step, block)).unwrap();
            assert_eq!(observed, cosign::Observed::Done);
        }
    }

    /// Gives the tributary what we have to say; what that is.
    fn hand_over(&mut self, genesis: Genesis) -> Vec<Signed> {
        let pending = self.store.read(|db| own::pending(db, genesis, 100)).unwrap();
        let hand_over = |step: &mut Step<'_>| {
            for (slot, _) in &pending {
                own::handed_over(step.txn, genesis, slot);
            }
            Ok(())
        };
        self.step(hand_over).unwrap();
        pending.iter().map(|(_, payload)| Signed::from_bytes(payload).unwrap()).collect()
    }

    fn valid_weight(&self) -> u16 {
        let Processor { participated, rejects, members, .. } = &self.processor;
        let is_valid =
            |m: &&key_gen::Member| participated.contains(&m.validator) && !rejects.contains(&m.validator);
        members.iter().filter(is_valid).map(|m| m.shares.0).sum()
    }

    /// Blames the authors of invalid participations, and fails if the valid ones of all members are too few.
    fn reject(&mut self, session: Session) -> Vec<FromProcessor> {
        let Processor { participated, rejects, members, blamed, .. } = &mut self.processor;
        let new: Vec<_> =
            rejects.iter().filter(|of| participated.contains(of) && !blamed.contains(of)).copied().collect();
        blamed.extend(&new);
        let all = participated.len() == members.len();
        let failed = (all && self.valid_weight() < self.processor.threshold).then(|| {
            let culprits = List::new(self.processor.rejects.clone()).unwrap();
            key_gen::FromProcessor::Failed { session, reason: key_gen::FailureReason::TooFewValid, culprits }
        });
        let blames = new.into_iter().map(|validator| key_gen::FromProcessor::Blame { session, validator });
        blames.chain(failed).map(FromProcessor::KeyGen).collect()
    }

    fn answer_sign(&mut self, message: sign::ToProcessor) -> Vec<FromProcessor> {
        match message {
            sign::ToProcessor::Preprocesses { id, preprocesses } => {
                assert!(preprocesses.windows(2).all(|pair| pair[0].0 < pair[1].0), "ascending");
                let bad = preprocesses.iter().find(|(_, piece)| piece.first() == Some(&BAD));
                if let Some((participant, _)) = bad.filter(|_| self.manner == Manner::Honest) {
                    let participant = *participant;
                    return vec![FromProcessor::Sign(sign::FromProcessor::InvalidParticipant {
                        id,
                        participant,
                    })];
                }
                let tag = u8::try_from(id.attempt.0).unwrap() * 2 + 1;
                let shares = self.pieces(tag);
                vec![FromProcessor::Sign(sign::FromProcessor::Shares { id, shares })]
            }
            sign::ToProcessor::Shares { id, .. } => {
                if id.id == sign::SigningId::SlashReport {
                    let report = self.processor.report.clone().unwrap();
                    let signed = signed_report(id.session, report);
                    return vec![FromProcessor::Coordinator(signed)];
                }
                if let sign::SigningId::Cosign(block) = id.id {
                    return vec![FromProcessor::Coordinator(self.cosigned(id.session, block))];
                }
                if let sign::SigningId::Transaction(id) = id.id {
                    self.processor.signed.push(id);
                }
                let sign::SigningId::Batch(batch_id) = id.id else { return Vec::new() };
                let batch = sign_batch(&batch(batch_id.0));
                let signed = coordinator::FromProcessor::SignedBatch { session: id.session, batch };
                vec![FromProcessor::Coordinator(signed)]
            }
            sign::ToProcessor::Reattempt { id } => {
                let tag = u8::try_from(id.attempt.0).unwrap() * 2;
                let preprocesses = self.pieces(tag);
                vec![FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses })]
            }
        }
    }
}

impl Cluster {
    pub(super) fn new(weights: &[u16], manners: &[Manner]) -> Self {
        let declared = Event::SetDeclared(declaration(weights, Session(0)));
        let chain = MemoryChain::new("test", CHAIN, Vec::new(), 1, vec![declared]);
        let nodes = manners.iter().enumerate().map(|(i, manner)| Node::new(i, *manner)).collect();
        let mut cluster = Self {
            nodes,
            weights: weights.to_vec(),
            chain,
            base_blocks: Vec::new(),
            log: Vec::new(),
            set_keys: None,
            executed: Vec::new(),
            batches: 1,
            on_network: Vec::new(),
            nonces: BTreeMap::new(),
            provided: BTreeMap::new(),
            injected: Vec::new(),
            convicted: Vec::new(),
            time: 1,
            left_out: None,
            reported: None,
            applies_reports: true,
            retired: false,
            cosigns: false,
        };
        let genesis = futures_free_block(&cluster.chain);
        cluster.base_block(genesis);
        cluster
    }

    pub(super) fn spec(&self) -> session::SetSpec {
        self.nodes[0].store.read(|db| session::get(db, set())).unwrap().unwrap().spec
    }

    /// Finalizes a base-chain block and lets every node handle it.
    pub(super) fn push_base(&mut self, events: Vec<Event>) {
        self.time += 1000;
        let block = self.chain.push(self.time, Vec::new(), events);
        self.base_block(block);
    }

    fn base_block(&mut self, block: Block) {
        self.base_blocks.push(block);
        (0..self.nodes.len()).for_each(|index| self.follow(index));
    }

    fn follow(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.down {
            return;
        }
        if self.cosigns {
            node.observe_blocks(&self.base_blocks);
        }
        for block in &self.base_blocks[node.base_applied..] {
            let handled = node.step(|step| base_chain_rules::apply(step, block)).unwrap();
            assert_eq!(handled, base_chain_rules::Handled::Done);
        }
        node.base_applied = self.base_blocks.len();
    }

    /// Starts a node again which was down.
    pub(super) fn restart(&mut self, index: usize) {
        self.nodes[index].down = false;
        self.follow(index);
        self.catch_up(index);
    }

    /// As [`Self::restart`], while its processor answers and what it has to say is handed over after each block. Returns
    /// what it said until it had applied all of them.
    pub(super) fn come_back(&mut self, index: usize) -> Vec<Signed> {
        self.nodes[index].down = false;
        self.follow(index);
        self.gossip();
        let genesis = self.spec().genesis;
        let Self { nodes, log, batches, .. } = self;
        let node = &mut nodes[index];
        let mut said = Vec::new();
        while let Some(block) = log.get(node.applied) {
            node.run_processor(*batches);
            said.extend(node.hand_over(genesis));
            node.apply(block);
            node.applied += 1;
        }
        said
    }

    /// Each node hears the latest cosigns of all others.
    /// Every running processor makes one more batch, and its preprocess of it.
    pub(super) fn make_batch(&mut self) {
        let id = self.batches;
        self.batches += 1;
        for node in self.nodes.iter_mut().filter(|node| node.takes_part()) {
            node.hear_batch(id);
        }
    }

    fn gossip(&mut self) {
        if !self.cosigns {
            return;
        }
        let latest = |node: &Node| node.store.read(|db| cosign::latest(db)).unwrap();
        let cosigns: Vec<cosign::Cosign> = self.nodes.iter().flat_map(latest).collect();
        for node in self.nodes.iter_mut().filter(|node| !node.down) {
            for cosign in &cosigns {
                node.step(|step| cosign::take(step, cosign)).unwrap();
            }
        }
    }

    /// What more than two thirds of the weight derived, next of each kind.
    fn agreed_provided(&mut self) -> Vec<Ordered> {
        let genesis = self.spec().genesis;
        let mut ordered = Vec::new();
        for kind in PROVIDED_KINDS {
            loop {
                let from = self.provided.get(&kind.0).copied().unwrap_or(0);
                let next = |node: &Node| {
                    let rows = node.store.read(|db| own::provided(db, genesis, kind, from, 1)).unwrap();
                    rows.into_iter().next()
                };
                let derived: Vec<_> = self.nodes.iter().map(next).collect();
                let Some(payload) = derived.iter().flatten().next().cloned() else { break };
                let weight: u16 = derived
                    .iter()
                    .zip(&self.weights)
                    .filter(|(d, _)| d.as_ref() == Some(&payload))
                    .map(|(_, w)| w)
                    .sum();
                if weight * 3 <= self.weights.iter().sum::<u16>() * 2 {
                    break;
                }
                *self.provided.entry(kind.0).or_default() += 1;
                ordered.push(Ordered::Provided { kind, payload });
            }
        }
        ordered
    }

    fn take_nonce(&mut self, signer: Validator, slot: &Slot) -> bool {
        let next = self.nonces.entry((signer, slot.order.clone())).or_default();
        let fits = *next == slot.nonce;
        *next += u32::from(fits);
        fits
    }

    fn own_transactions(&mut self) -> Vec<Ordered> {
        let genesis = self.spec().genesis;
        let mut ordered = Vec::new();
        for index in std::mem::take(&mut self.convicted) {
            ordered.push(Ordered::Equivocation { validator: self.nodes[index].validator() });
        }
        for (index, slot, payload) in std::mem::take(&mut self.injected) {
            let signer = self.nodes[index].validator();
            assert!(self.take_nonce(signer, &slot), "an injected transaction has the next nonce");
            ordered.push(Ordered::Signed { signer, slot, payload });
        }
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            if node.down {
                continue;
            }
            let (signer, manner) = (node.validator(), node.manner);
            let pending = node.store.read(|db| own::pending(db, genesis, 100)).unwrap();
            for (slot, payload) in pending {
                let withheld = match manner {
                    Manner::Silent => true,
                    Manner::WithholdsShares => is_share(&payload),
                    Manner::Honest | Manner::Diverges | Manner::BadPreprocess => false,
                };
                if !withheld && self.take_nonce(signer, &slot) {
                    ordered.push(Ordered::Signed { signer, slot, payload });
                }
            }
        }
        ordered
    }

    /// One turn: processors answer, a block is ordered and applied, the base chain takes what it is given.
    pub(super) fn turn(&mut self) {
        for node in &mut self.nodes {
            if node.takes_part() {
                node.run_processor(self.batches);
            }
        }
        self.run_network();
        self.gossip();
        let mut transactions = self.agreed_provided();
        transactions.extend(self.own_transactions());
        let number = TributaryBlock(self.log.len() as u64 + 1);
        let (proposer, voters) = self.proposer_and_voters(number);
        self.log.push(OrderedBlock { number, proposer, voters, transactions });
        for index in 0..self.nodes.len() {
            self.catch_up(index);
        }
        self.run_base_chain();
    }

    /// Each running node in turn, and all of them; a scenario may set which proposers leave out whom.
    fn proposer_and_voters(&self, number: TributaryBlock) -> (Validator, Vec<Validator>) {
        let mut up: Vec<usize> = (0..self.nodes.len()).filter(|i| self.nodes[*i].takes_part()).collect();
        if up.is_empty() {
            up.push(0);
        }
        let proposer = up[usize::try_from(number.0).unwrap() % up.len()];
        let left_out = self.left_out.filter(|(by, _)| by.contains(&proposer)).map(|(_, who)| who);
        let voters =
            up.iter().filter(|i| Some(**i) != left_out).map(|i| self.nodes[*i].validator()).collect();
        (self.nodes[proposer].validator(), voters)
    }

    /// What an honest processor signed is on the network, and every processor sees it there.
    fn run_network(&mut self) {
        for node in self.nodes.iter().filter(|node| node.manner == Manner::Honest) {
            let new = node.processor.signed.iter().filter(|id| !self.on_network.contains(id));
            let new: Vec<_> = new.copied().collect();
            self.on_network.extend(new);
        }
        for node in &mut self.nodes {
            for id in self.on_network.iter().skip(node.processor.seen) {
                let completed =
                    base_chain::FromProcessor::TransactionCompleted { session: Session(0), id: *id };
                node.hear(FromProcessor::BaseChain(completed));
            }
            node.processor.seen = self.on_network.len();
        }
    }

    fn catch_up(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.down {
            return;
        }
        for block in &self.log[node.applied..] {
            node.apply(block);
        }
        node.applied = self.log.len();
    }

    fn run_base_chain(&mut self) {
        let mut events = Vec::new();
        if self.set_keys.is_none() {
            for keys in self.nodes.iter().flat_map(|n| n.store.read(|db| outbox::set_keys(db, 10)).unwrap()) {
                let validators: Vec<_> = self.nodes.iter().map(Node::validator).collect();
                let signers: Vec<_> =
                    keys.signers.select(&validators).unwrap().into_iter().copied().collect();
                let shares: Vec<_> = self.weights.iter().map(|w| KeyShares(*w)).collect();
                let weight = keys.signers.weight(&shares).unwrap();
                assert!(weight >= u32::from(self.spec().t().0));
                assert!(signing::verify_set_keys(CHAIN, set(), &keys.key_pair, &signers, &keys.signature));
                self.set_keys = Some(keys);
            }
            if let Some(keys) = &self.set_keys {
                let (key_pair, signers) = (keys.key_pair.clone(), keys.signers.clone());
                events.push(Event::KeysSet { set: set(), key_pair, signers });
            }
        }
        let next = BatchId(u32::try_from(self.executed.len()).unwrap());
        let waiting = |node: &Node| node.store.read(|db| outbox::batch(db, network(), next)).unwrap();
        if let Some(signed) = self.nodes.iter().find_map(waiting) {
            let message = signing::batch_message(CHAIN, &signed.batch);
            assert!(signing::verify(&key_pair(0).base, &message, &signed.signature));
            events.push(executed_event(&signed.batch));
            self.executed.push(next);
        }
        for call in self.nodes.iter().flat_map(|n| n.store.read(|db| outbox::slash_reports(db, 10)).unwrap())
        {
            let message = signing::slash_report_message(CHAIN, call.set, &call.report);
            assert!(signing::verify(&key_pair(0).base, &message, &call.signature));
            assert_eq!(self.reported.get_or_insert(call.report.clone()), &call.report);
        }
        if let Some(report) = self.reported.clone().filter(|_| self.applies_reports && !self.retired) {
            self.retired = true;
            events.push(Event::SlashesReported { set: set(), report });
            events.push(Event::SetRetired { set: set(), reported: true });
        }
        if !events.is_empty() {
            self.push_base(events);
        }
    }

    /// The base chain accepts the handover to the next session.
    pub(super) fn hand_over(&mut self) {
        let (retiring, accepted_by, slash_report_deadline) = (set(), Session(1), BaseBlock(500));
        self.push_base(vec![Event::HandoverAccepted { retiring, accepted_by, slash_report_deadline }]);
    }

    /// Turns until the condition holds.
    pub(super) fn run_until(&mut self, turns: usize, done: impl Fn(&Self) -> bool) {
        for _ in 0..turns {
            if done(self) {
                return;
            }
            self.turn();
        }
        let status: Vec<_> = self.nodes.iter().map(status).collect();
        panic!("not reached in {turns} turns: {status:#?}");
    }

    pub(super) fn run_to_batches(&mut self, turns: usize) {
        let batches = self.batches as usize;
        self.run_until(turns, |c| c.executed.len() == batches);
        // What the last base-chain block caused is ordered too.
        (0..3).for_each(|_| self.turn());
    }

    /// Every node's replicated state is the same.
    pub(super) fn assert_agreement(&self) {
        let genesis = self.spec().genesis;
        let hash = |node: &Node| node.store.read(|db| session::state_hash(db, genesis)).unwrap();
        let hashes: BTreeSet<_> = self.nodes.iter().map(hash).collect();
        assert_eq!(hashes.len(), 1, "replicated state differs");
    }

    /// Evidence against a member stands in the next block.
    pub(super) fn convict(&mut self, index: usize) {
        self.convicted.push(index);
    }

    pub(super) fn inject(&mut self, index: usize, payload: &Signed) {
        self.injected.push((index, payload.slot(), payload.to_bytes()));
    }

    pub(super) fn fatal(&self, index: usize) -> Option<session::slash::Cause> {
        let (genesis, validator) = (self.spec().genesis, self.nodes[index].validator());
        let read =
            |node: &Node| node.store.read(|db| session::slash::record(db, genesis, validator)).unwrap();
        read(&self.nodes[0]).fatal.map(|(cause, _)| cause)
    }

    pub(super) fn points(&self, index: usize) -> u32 {
        let (genesis, validator) = (self.spec().genesis, self.nodes[index].validator());
        self.nodes[0].store.read(|db| session::slash::record(db, genesis, validator)).unwrap().points
    }
}

/// What the scripted processors pay for the burns of a block.
pub(super) fn payment(block: BaseBlock) -> TransactionId {
    TransactionId([u8::try_from(block.0).unwrap(); 32])
}

pub(super) fn status(node: &Node) -> session::status::SessionStatus {
    node.store.read(|db| {
        let record = session::get(db, set()).unwrap().unwrap();
        session::status::read(db, &record).unwrap()
    })
}

pub(super) fn executed_event(batch: &Batch) -> Event {
    let executed = base_chain::ExecutedBatch {
        id: batch.id,
        publisher: Session(0),
        block: batch.block,
        instructions_hash: signing::instructions_hash(batch),
        results: List::default(),
    };
    Event::BatchExecuted { network: network(), batch: executed }
}

fn is_share(payload: &[u8]) -> bool {
    matches!(
        Signed::from_bytes(payload),
        Ok(Signed::ConfirmationShare { .. }
            | Signed::SigningData { round: session::transaction::Round::Share, .. })
    )
}

pub(super) fn futures_free_block(chain: &MemoryChain) -> Block {
    use coordinator_base_chain::BaseChain;
    use std::task::{Context, Poll, Waker};
    let mut answer = Box::pin(chain.block(BaseBlock(0)));
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(block) => block.unwrap().unwrap(),
        Poll::Pending => panic!("a scripted chain answers at once"),
    }
}
