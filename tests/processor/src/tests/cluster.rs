//! Processors over stores in memory, driven step by step; the test plays the coordinators and their tributary.

use std::{cell::RefCell, sync::Arc};

use coordinator_base_chain::{NetworkCurve, signing as base_signing};
use coordinator_store::{MemoryStore, Store};
use processor_messages::{
    Account, Amount, Attempt, BaseBlock, BatchId, Burn, Bytes, ChainGenesis, FromProcessor, Incarnation,
    KeyPair, KeyShares, List, Participant, Session, ToProcessor, TributaryBlock, Validator, ValidatorSet,
    base_chain, coordinator,
    key_gen::{self, Member, ParticipationBytes},
    sign::{self, OwnPieces, SignId, SigningId},
    threshold,
};
use rand_core::OsRng;

use crate::{
    dkg::{KeyGeneration, dealt::Dealt},
    external_network::{ExternalNetwork, Pace},
    ledger::{self, Accepted, Ledger, SignedPayment},
    processor::{Processor, decode_letter},
    rules::{self, Identity, keys::Opened},
    secrets::EmbeddedSecrets,
    vault::Sealer,
};

pub(crate) const CHAIN: ChainGenesis = ChainGenesis([7; 32]);
pub(crate) const SESSION: Session = Session(0);
pub(crate) const PACE: Pace =
    Pace { start_unix_ms: 1_000_000, block_interval_ms: 1_000, blocks_between_deposits: 2, deposits: 3 };
/// When the session's keys are set.
pub(crate) const KEYS_AT_SECS: u64 = 2_000;

pub(crate) struct Node {
    pub(crate) store: MemoryStore,
    pub(crate) processor: Processor<MemoryStore>,
    secrets: Vec<u8>,
}

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    /// Which session the helpers are about.
    pub(crate) session: Session,
    /// Its members, and which nodes they are.
    pub(crate) members: Vec<Member>,
    pub(crate) seats: Vec<usize>,
    /// Everything that each node said.
    pub(crate) said: RefCell<Vec<Vec<FromProcessor>>>,
    pub(crate) through: u64,
    pub(crate) grace: u32,
    curve: NetworkCurve,
    dkg: Arc<dyn KeyGeneration>,
    log: Vec<Vec<(Validator, ParticipationBytes)>>,
}

pub(crate) fn validator(index: usize) -> Validator {
    Validator([u8::try_from(index + 1).unwrap(); 32])
}

pub(crate) fn network() -> processor_messages::Network {
    "bitcoin".parse().unwrap()
}

pub(crate) fn external() -> ExternalNetwork {
    ExternalNetwork::new(CHAIN, network(), PACE)
}

fn secrets(bytes: &[u8]) -> EmbeddedSecrets {
    EmbeddedSecrets::from_bytes(bytes).unwrap()
}

pub(crate) fn processor_identity(index: usize) -> Identity {
    Identity {
        network: network(),
        curve: NetworkCurve::Secp256k1,
        validator: validator(index),
        chain: CHAIN,
        incarnation: Incarnation(0),
        sealer: Sealer::new(&[u8::try_from(index).unwrap(); 32]),
        opened: Opened::default(),
        external: external(),
    }
}

pub(crate) fn processor(
    store: &MemoryStore,
    index: usize,
    secret: &[u8],
    incarnation: Incarnation,
    (external, curve): (ExternalNetwork, NetworkCurve),
    dkg: Arc<dyn KeyGeneration>,
) -> Processor<MemoryStore> {
    let me = Identity { curve, incarnation, external, ..processor_identity(index) };
    Processor::new(store.clone(), me, secrets(secret), dkg)
}

impl Cluster {
    /// With dealt keys.
    pub(crate) fn new(weights: &[u16]) -> Self {
        Self::with(weights, Arc::new(Dealt))
    }

    pub(crate) fn with(weights: &[u16], dkg: Arc<dyn KeyGeneration>) -> Self {
        Self::on(NetworkCurve::Secp256k1, weights, dkg)
    }

    /// For a network of this curve.
    pub(crate) fn on(curve: NetworkCurve, weights: &[u16], dkg: Arc<dyn KeyGeneration>) -> Self {
        let mut nodes = Vec::new();
        for index in 0..weights.len() {
            let bytes = EmbeddedSecrets::random(&mut OsRng).to_bytes().to_vec();
            let store = MemoryStore::default();
            let processor =
                processor(&store, index, &bytes, Incarnation(0), (external(), curve), dkg.clone());
            nodes.push(Node { store, processor, secrets: bytes });
        }
        let said = RefCell::new(vec![Vec::new(); nodes.len()]);
        let (members, seats, log) = (Vec::new(), Vec::new(), Vec::new());
        let mut cluster =
            Self { nodes, session: SESSION, members, seats, said, through: 0, grace: 3, curve, dkg, log };
        let seats: Vec<_> = weights.iter().copied().enumerate().collect();
        cluster.seat(SESSION, &seats);
        cluster
    }

    /// From here on the helpers are about this session of these nodes with these key shares.
    pub(crate) fn seat(&mut self, session: Session, seats: &[(usize, u16)]) {
        let member = |(node, weight): &(usize, u16)| Member {
            validator: validator(*node),
            shares: KeyShares(*weight),
            embedded: secrets(&self.nodes[*node].secrets).public(self.curve),
        };
        self.members = seats.iter().map(member).collect();
        self.seats = seats.iter().map(|(node, _)| *node).collect();
        (self.session, self.through, self.log) = (session, 0, Vec::new());
    }

    pub(crate) fn n(&self) -> u16 {
        self.members.iter().map(|m| m.shares.0).sum()
    }

    pub(crate) fn t(&self) -> u16 {
        threshold(KeyShares(self.n())).0
    }

    pub(crate) fn indices(&self) -> std::ops::Range<usize> {
        0..self.nodes.len()
    }

    /// The secret bytes of a node's embedded keys.
    pub(crate) fn secret(&self, node: usize) -> &[u8] {
        &self.nodes[node].secrets
    }

    /// Starts a node again over the same store.
    pub(crate) fn restart(&mut self, node: usize) {
        let store = self.nodes[node].store.crash();
        self.replace(node, store, Incarnation(0));
    }

    /// Starts a node with an empty store.
    pub(crate) fn wipe(&mut self, node: usize, now_unix_ms: u64) {
        let store = MemoryStore::default();
        let begun = store.write(|txn| rules::incarnation(txn, false, now_unix_ms)).unwrap();
        self.replace(node, store, begun.0);
        drop(self.nodes[node].processor.begin().unwrap());
    }

    fn replace(&mut self, node: usize, store: MemoryStore, incarnation: Incarnation) {
        let secret = self.nodes[node].secrets.clone();
        self.nodes[node].processor =
            processor(&store, node, &secret, incarnation, (external(), self.curve), self.dkg.clone());
        self.nodes[node].store = store;
    }

    pub(crate) fn tell(&self, node: usize, message: ToProcessor) {
        drop(self.nodes[node].processor.handle(message).unwrap());
    }

    pub(crate) fn tell_all(&self, message: &ToProcessor) {
        for node in self.indices() {
            self.tell(node, message.clone());
        }
    }

    pub(crate) fn tell_members(&self, message: &ToProcessor) {
        for node in &self.seats {
            self.tell(*node, message.clone());
        }
    }

    /// Takes the letters of a node.
    pub(crate) fn letters(&self, node: usize) -> Vec<FromProcessor> {
        let processor = &self.nodes[node].processor;
        let letters = processor.letters(1_000).unwrap();
        for (intent, _) in &letters {
            drop(processor.sent(intent).unwrap());
        }
        let letters: Vec<_> = letters.iter().map(|(_, bytes)| decode_letter(bytes).unwrap()).collect();
        self.said.borrow_mut()[node].extend(letters.clone());
        letters
    }

    /// Does all long computations of a node.
    pub(crate) fn work(&self, node: usize) {
        let Node { processor, store, .. } = &self.nodes[node];
        while let Some(job) = processor.next_job().unwrap() {
            assert!(store.read(|db| rules::key_gen::is_wanted(db, &job)).unwrap());
            drop(processor.record(&job.context, processor.compute(&job)).unwrap());
        }
    }

    pub(crate) fn work_all(&self) {
        self.seats.iter().for_each(|node| self.work(*node));
    }

    pub(crate) fn generate_key(&self, incarnation: Incarnation) -> ToProcessor {
        ToProcessor::KeyGen(key_gen::ToProcessor::GenerateKey {
            session: self.session,
            incarnation,
            chain: CHAIN,
            threshold: KeyShares(self.t()),
            grace: self.grace,
            members: List::new(self.members.clone()).unwrap(),
        })
    }

    pub(crate) fn declare(&self) {
        self.tell_members(&self.generate_key(Incarnation(0)));
    }

    fn block_message(
        &self,
        block: u64,
        incarnation: Incarnation,
        participations: Vec<(Validator, ParticipationBytes)>,
    ) -> ToProcessor {
        ToProcessor::KeyGen(key_gen::ToProcessor::Block {
            session: self.session,
            incarnation,
            block: TributaryBlock(block),
            participations: List::new(participations).unwrap(),
        })
    }

    /// The next block of the tributary, to all.
    pub(crate) fn block(&mut self, participations: Vec<(Validator, ParticipationBytes)>) {
        self.log.push(participations.clone());
        self.through += 1;
        self.tell_members(&self.block_message(self.through, Incarnation(0), participations));
    }

    /// What the coordinator of a node sends on `Resend`.
    pub(crate) fn resend(&self, node: usize, incarnation: Incarnation) {
        self.tell(node, self.generate_key(incarnation));
        for (block, participations) in (1..).zip(&self.log) {
            self.tell(node, self.block_message(block, incarnation, participations.clone()));
        }
    }

    /// The participation which a node made.
    pub(crate) fn participation(&self, node: usize) -> (Validator, ParticipationBytes) {
        self.work(node);
        let found = self.letters(node).into_iter().find_map(|letter| match letter {
            FromProcessor::KeyGen(key_gen::FromProcessor::Participation { participation, .. }) => {
                Some(participation)
            }
            _ => None,
        });
        (validator(node), found.unwrap())
    }

    /// The key pair which a node reports.
    pub(crate) fn generated(&self, node: usize) -> Option<KeyPair> {
        self.letters(node).into_iter().find_map(|letter| match letter {
            FromProcessor::KeyGen(key_gen::FromProcessor::GeneratedKeyPair { key_pair, .. }) => {
                Some(key_pair)
            }
            _ => None,
        })
    }

    /// A whole key generation in which everybody takes part.
    pub(crate) fn generate(&mut self) -> KeyPair {
        self.declare();
        let all = self.seats.iter().map(|node| self.participation(*node)).collect();
        self.block(all);
        self.work_all();
        let pairs: Vec<KeyPair> = self.seats.iter().map(|node| self.generated(*node).unwrap()).collect();
        assert!(pairs.windows(2).all(|two| two[0] == two[1]));
        pairs[0].clone()
    }

    pub(crate) fn set_keys(pair: &KeyPair) -> ToProcessor {
        Self::set_keys_of(SESSION, pair)
    }

    pub(crate) fn set_keys_of(session: Session, pair: &KeyPair) -> ToProcessor {
        let key_pair = pair.clone();
        let time_unix_secs = KEYS_AT_SECS;
        ToProcessor::BaseChain(base_chain::ToProcessor::SetKeys { time_unix_secs, session, key_pair })
    }

    /// A cluster with keys on the base chain.
    pub(crate) fn with_keys(weights: &[u16]) -> (Self, KeyPair) {
        let mut cluster = Self::new(weights);
        let pair = cluster.generate();
        cluster.tell_all(&Self::set_keys(&pair));
        (cluster, pair)
    }

    pub(crate) fn participants(&self, node: usize) -> Vec<Participant> {
        let place = self.seats.iter().position(|seat| *seat == node).unwrap();
        let first = 1 + self.members[..place].iter().map(|m| m.shares.0).sum::<u16>();
        (first..first + self.members[place].shares.0).map(|i| Participant::new(i).unwrap()).collect()
    }

    /// An attempt to sign something with this session's key.
    pub(crate) fn id(&self, id: SigningId, attempt: u32) -> SignId {
        SignId { session: self.session, id, attempt: Attempt(attempt) }
    }

    /// What a node preprocessed for an attempt, now or before.
    pub(crate) fn preprocessed(&self, node: usize, id: SignId) -> Option<OwnPieces> {
        drop(self.letters(node));
        preprocesses_in(&self.said.borrow()[node], id)
    }

    /// These nodes exchange everything of an attempt, whose preprocesses they made.
    pub(crate) fn sign(&self, id: SignId, selected: &[usize]) {
        let preprocesses: Vec<_> =
            selected.iter().map(|node| (*node, self.preprocessed(*node, id).unwrap())).collect();
        self.send_preprocesses(selected, id, &self.pieces(&preprocesses));
        let shares = self.shares(selected, id);
        self.send_shares(selected, id, &self.pieces(&shares));
    }

    /// The pieces of the selected nodes as coordinators hand them over.
    pub(crate) fn pieces(&self, of: &[(usize, OwnPieces)]) -> sign::Pieces {
        let mut all = Vec::new();
        for (node, pieces) in of {
            all.extend(self.participants(*node).into_iter().zip(pieces.clone()));
        }
        all.sort_by_key(|(participant, _)| *participant);
        List::new(all).unwrap()
    }

    pub(crate) fn send_preprocesses(&self, to: &[usize], id: SignId, preprocesses: &sign::Pieces) {
        for node in to {
            let preprocesses = preprocesses.clone();
            self.tell(*node, ToProcessor::Sign(sign::ToProcessor::Preprocesses { id, preprocesses }));
        }
    }

    pub(crate) fn send_shares(&self, to: &[usize], id: SignId, shares: &sign::Pieces) {
        for node in to {
            let shares = shares.clone();
            self.tell(*node, ToProcessor::Sign(sign::ToProcessor::Shares { id, shares }));
        }
    }

    pub(crate) fn cosign(&self, block: u64) -> SignId {
        self.tell_all(&ToProcessor::Coordinator(coordinator::ToProcessor::CosignBlock {
            session: self.session,
            block: BaseBlock(block),
            hash: processor_messages::BaseBlockHash([9; 32]),
        }));
        self.id(SigningId::Cosign(BaseBlock(block)), 0)
    }

    /// The preprocesses which each node leaves for an attempt.
    pub(crate) fn preprocesses(&self, id: SignId) -> Vec<(usize, OwnPieces)> {
        self.indices().filter_map(|node| Some((node, preprocesses_in(&self.letters(node), id)?))).collect()
    }

    /// The shares which each node leaves for an attempt.
    pub(crate) fn shares(&self, nodes: &[usize], id: SignId) -> Vec<(usize, OwnPieces)> {
        nodes.iter().filter_map(|node| Some((*node, shares_in(&self.letters(*node), id)?))).collect()
    }

    /// Whether the key signed the cosign of a block.
    pub(crate) fn verify_cosign(pair: &KeyPair, letter: &FromProcessor) -> bool {
        let FromProcessor::Coordinator(coordinator::FromProcessor::CosignedBlock {
            session,
            block,
            hash,
            signature,
        }) = letter
        else {
            return false;
        };
        let set = ValidatorSet { network: network(), session: *session };
        let message = base_signing::cosign_message(CHAIN, set, *block, *hash);
        base_signing::verify(&pair.base, &message, signature)
    }
}

/// The network's payments, without a server between.
pub(crate) struct Payments {
    pub(crate) store: MemoryStore,
    pub(crate) ledger: Ledger,
}

impl Payments {
    pub(crate) fn new(curve: NetworkCurve) -> Self {
        let ledger = Ledger { chain: CHAIN, network: network(), curve };
        Self { store: MemoryStore::default(), ledger }
    }

    pub(crate) fn submit(&self, signed: &SignedPayment) -> Result<Accepted, ledger::Refusal> {
        self.store.write(|txn| self.ledger.submit(txn, signed)).unwrap().0
    }

    pub(crate) fn all(&self) -> Vec<SignedPayment> {
        self.store.read(|db| ledger::all(db, 0, ledger::MAX_LISTED)).unwrap()
    }

    /// A node hands over what it signed.
    pub(crate) fn pay(&self, cluster: &Cluster, node: usize) {
        let processor = &cluster.nodes[node].processor;
        for signed in processor.payments(100).unwrap() {
            self.submit(&signed).unwrap();
            drop(processor.taken(&signed.payment).unwrap());
        }
    }

    /// A node looks at what the sessions' accounts paid.
    pub(crate) fn watch(&self, cluster: &Cluster, node: usize) {
        let processor = &cluster.nodes[node].processor;
        for (session, account) in processor.accounts().unwrap() {
            let paid = self.store.read(|db| ledger::of_account(db, &account.key, account.next, 100)).unwrap();
            drop(processor.seen(session, account.next, &paid).unwrap());
        }
    }

    pub(crate) fn watch_all(&self, cluster: &Cluster) {
        cluster.indices().for_each(|node| self.watch(cluster, node));
    }
}

/// Burns to be paid in one block.
pub(crate) fn burns(count: u16) -> Vec<Burn> {
    let burn = |index: u16| Burn {
        from: Account([9; 32]),
        amount: Amount(u64::from(index) + 1),
        destination: Bytes::new(format!("destination {index}").into_bytes()).unwrap(),
    };
    (0..count).map(burn).collect()
}

/// A block of the base chain with burns.
pub(crate) fn burning(block: u64, burns: Vec<Burn>) -> ToProcessor {
    ToProcessor::BaseChain(base_chain::ToProcessor::Block {
        number: BaseBlock(block),
        batches: List::default(),
        burns: List::new(burns).unwrap(),
    })
}

/// What a node says to a block which it handled.
pub(crate) fn acknowledged(
    letters: &[FromProcessor],
    of: u64,
) -> Option<Vec<(Session, processor_messages::TransactionId)>> {
    letters.iter().find_map(|letter| match letter {
        FromProcessor::BaseChain(base_chain::FromProcessor::BlockAcknowledged { block, transactions })
            if *block == BaseBlock(of) =>
        {
            Some(transactions.to_vec())
        }
        _ => None,
    })
}

/// The completions which were said, in order.
pub(crate) fn completions(letters: &[FromProcessor]) -> Vec<(Session, processor_messages::TransactionId)> {
    letters
        .iter()
        .filter_map(|letter| match letter {
            FromProcessor::BaseChain(base_chain::FromProcessor::TransactionCompleted { session, id }) => {
                Some((*session, *id))
            }
            _ => None,
        })
        .collect()
}

/// What a coordinator says before it sends the base chain's feed again.
pub(crate) fn from_the_beginning(incarnation: Incarnation, through: u64) -> ToProcessor {
    let through = BaseBlock(through);
    ToProcessor::BaseChain(base_chain::ToProcessor::FromTheBeginning { incarnation, through })
}

pub(crate) fn sign_id(id: SigningId, attempt: u32) -> SignId {
    SignId { session: SESSION, id, attempt: Attempt(attempt) }
}

pub(crate) fn batch_id(batch: u32, attempt: u32) -> SignId {
    sign_id(SigningId::Batch(BatchId(batch)), attempt)
}

pub(crate) fn preprocesses_in(letters: &[FromProcessor], attempt: SignId) -> Option<OwnPieces> {
    letters.iter().find_map(|letter| match letter {
        FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses }) if *id == attempt => {
            Some(preprocesses.clone())
        }
        _ => None,
    })
}

pub(crate) fn shares_in(letters: &[FromProcessor], attempt: SignId) -> Option<OwnPieces> {
    letters.iter().find_map(|letter| match letter {
        FromProcessor::Sign(sign::FromProcessor::Shares { id, shares }) if *id == attempt => {
            Some(shares.clone())
        }
        _ => None,
    })
}
