//! A chain without consensus: the rules over a store in memory, block by block.

use std::collections::HashMap;

use coordinator_base_chain::{
    Block, Call, EmbeddedCurve, Event, NetworkCurve, NetworkParameters, Refusal, SetKeys, SignedCall,
    Signers, Transaction, TributaryParameters, signing,
};
use coordinator_keys::SecretKey;
use coordinator_store::{MemoryStore, Store, StoreError};
use embedded_curves::registration::{self, EmbeddedSecret};
use modular_frost::{
    Participant,
    algorithm::{Hram, SchnorrSignature},
    curve::{Ciphersuite, IetfRistrettoHram, Ristretto},
    sign::{AlgorithmMachine, PreprocessMachine, SignMachine, SignatureMachine},
};
use processor_messages::{
    Account, Amount, Batch, BatchId, Bytes, ChainGenesis, Instruction, KeyPair, Network, NetworkBlockHash,
    Session, SignedBatch, Validator, ValidatorSet,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::{
    pool::{Admission, Pool, judge},
    query,
    rules::{self, BlockBuilder, GenesisKey, GenesisState, GenesisValidator, commit},
};

pub(super) const CHAIN_ID: &str = "headwater-test";
pub(super) const PER_SHARE: u64 = 100;
pub(super) const EPOCH: u64 = 20;
pub(super) const KEY_GEN: u64 = 8;
pub(super) const REPORT: u64 = 6;

pub(super) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(super) fn key(seed: u64) -> SecretKey {
    SecretKey::random(&mut rng(seed))
}

pub(super) fn account(key: &SecretKey) -> Account {
    Account(key.public().to_bytes())
}

pub(super) fn validator(key: &SecretKey) -> Validator {
    Validator(key.public().to_bytes())
}

pub(super) fn bitcoin() -> Network {
    Network::new("bitcoin").unwrap()
}

pub(super) fn set(session: u32) -> ValidatorSet {
    ValidatorSet { network: bitcoin(), session: Session(session) }
}

/// A fresh embedded key with its proof.
pub(super) fn embedded(owner: &SecretKey, curve: EmbeddedCurve, seed: u64) -> GenesisKey {
    let id = match curve {
        EmbeddedCurve::Embedwards25519 => embedded_curves::CurveId::Embedwards25519,
        EmbeddedCurve::Secq256k1 => embedded_curves::CurveId::Secq256k1,
    };
    let secret = EmbeddedSecret::random(id, &mut rng(seed));
    let chain = signing::registration_chain(CHAIN_ID);
    let proof = registration::prove(&chain.0, &owner.public().to_bytes(), &secret, &mut rng(seed + 1));
    GenesisKey {
        curve,
        key: Bytes::new(secret.key().to_vec()).unwrap(),
        proof: Bytes::new(proof.to_vec()).unwrap(),
    }
}

pub(super) fn parameters(name: Network) -> NetworkParameters {
    NetworkParameters {
        name,
        curve: NetworkCurve::Secp256k1,
        min_key_shares: 4,
        stake_per_share: Amount(PER_SHARE),
        epoch_blocks: EPOCH,
        key_gen_deadline_blocks: KEY_GEN,
        slash_report_deadline_blocks: REPORT,
        tributary: TributaryParameters::default(),
    }
}

/// Validators with these key shares in `bitcoin`, and as many free coins; keys from seeds 1 on.
pub(super) fn genesis(shares: &[u64]) -> GenesisState {
    let validator = |(seed, shares): (u64, &u64)| {
        let owner = key(seed);
        GenesisValidator {
            validator: validator(&owner),
            consensus_weight: 1,
            addresses: vec![Bytes::new(b"/ip4/127.0.0.1/tcp/1".to_vec()).unwrap()].try_into().unwrap(),
            free: Amount(PER_SHARE * 10),
            stakes: vec![(bitcoin(), Amount(shares * PER_SHARE))],
            embedded_keys: vec![
                embedded(&owner, EmbeddedCurve::Embedwards25519, 1000 + (seed * 4)),
                embedded(&owner, EmbeddedCurve::Secq256k1, 1002 + (seed * 4)),
            ],
        }
    };
    GenesisState {
        chain_id: CHAIN_ID.to_owned(),
        time_unix_ms: 1_000,
        cosign_distance: 7,
        networks: vec![parameters(bitcoin())],
        validators: (1..).zip(shares).map(validator).collect(),
    }
}

pub(super) struct TestChain {
    pub(super) store: MemoryStore,
    pub(super) chain: ChainGenesis,
    pub(super) keys: Vec<SecretKey>,
}

impl TestChain {
    pub(super) fn new(shares: &[u64]) -> Self {
        Self::from_genesis(&genesis(shares))
    }

    pub(super) fn from_genesis(genesis: &GenesisState) -> Self {
        let store = MemoryStore::default();
        let (_, writes) = store.read(|db| rules::init(db, genesis)).unwrap();
        write(&store, writes);
        let keys = (1..).take(genesis.validators.len()).map(key).collect();
        Self { store, chain: genesis.hash(), keys }
    }

    /// Reads the state.
    pub(super) fn read<T>(&self, read: impl FnOnce(&dyn coordinator_store::Read) -> T) -> T {
        self.store.read(read)
    }

    pub(super) fn number(&self) -> u64 {
        self.store.read(query::head).unwrap().unwrap().number.0
    }

    /// Finalizes a block; every transaction must be applied.
    pub(super) fn block(&self, transactions: &[Transaction]) -> Block {
        let (block, writes) = self.store.read(|db| {
            let mut builder = BlockBuilder::begin(db, 0).unwrap();
            for transaction in transactions {
                assert_eq!(builder.push(transaction).unwrap(), Ok(()));
            }
            builder.finish().unwrap()
        });
        write(&self.store, writes);
        block
    }

    /// What the rules say to a transaction in the next block; nothing is kept.
    pub(super) fn judge(&self, transaction: &Transaction) -> Result<(), Refusal> {
        self.store.read(|db| BlockBuilder::begin(db, 0).unwrap().push(transaction).unwrap())
    }

    /// Finalizes empty blocks up to this one; its events.
    pub(super) fn run_to(&self, number: u64) -> Vec<Event> {
        assert!(self.number() < number, "block {number} is past");
        while self.number() + 1 < number {
            self.block(&[]);
        }
        self.block(&[]).events
    }

    pub(super) fn call(&self, by: &SecretKey, call: Call) -> Transaction {
        let nonce = self.store.read(|db| query::account(db, account(by))).unwrap().nonce;
        Transaction::Call(SignedCall::sign(by, self.chain, nonce, call))
    }

    /// Confirms keys for a set by these of its members, by their places in set order.
    pub(super) fn set_keys(&self, session: u32, base: &SecretKey, signers: &[usize]) -> Transaction {
        let info = self.store.read(|db| query::set(db, set(session))).unwrap().unwrap();
        let members = info.declaration.validators();
        let by_account = |v: &Validator| self.keys.iter().find(|key| validator(key) == *v).unwrap();
        let signing: Vec<_> = signers.iter().map(|place| by_account(&members[*place])).collect();
        let bits: Vec<_> = (0..members.len()).map(|place| signers.contains(&place)).collect();
        let key_pair = key_pair(base);
        let message = signing::set_keys_message(self.chain, set(session), &key_pair);
        let context = signing::set_keys_context(self.chain, set(session));
        Transaction::SetKeys(SetKeys {
            set: set(session),
            key_pair,
            signers: Signers(bits.try_into().unwrap()),
            signature: musig(context, &signing, &message),
        })
    }

    pub(super) fn batch(&self, id: u32, by: &SecretKey, mints: &[(Account, u64)]) -> Transaction {
        let mint = |(to, amount): &(Account, u64)| Instruction::Mint { to: *to, amount: Amount(*amount) };
        let instructions: Vec<_> = mints.iter().map(mint).collect();
        let batch = Batch {
            network: bitcoin(),
            id: BatchId(id),
            block: NetworkBlockHash([7; 32]),
            instructions: instructions.try_into().unwrap(),
        };
        let signature = sign(by, &signing::batch_message(self.chain, &batch));
        Transaction::ExecuteBatch(SignedBatch { batch, signature })
    }

    /// Sets the keys of session 0: in charge from here on.
    pub(super) fn with_session_zero(self, base: &SecretKey) -> Self {
        let everybody: Vec<_> = (0..self.keys.len()).collect();
        self.block(&[self.set_keys(0, base, &everybody)]);
        self
    }
}

/// Offers a transaction to a pool, as a node does.
pub(super) fn submit(
    chain: &TestChain,
    pool: &mut Pool,
    transaction: &Transaction,
) -> Result<Admission, Refusal> {
    chain
        .read(|db| {
            if let Some(known) = pool.known(db, transaction, true)? {
                return Ok(known);
            }
            match judge(db, transaction)? {
                Ok(()) => pool.admit(db, transaction.clone(), true),
                Err(refusal) => Ok::<_, StoreError>(Err(refusal)),
            }
        })
        .unwrap()
}

pub(super) fn write(store: &MemoryStore, writes: coordinator_store::Writes) {
    let step = |txn: &mut dyn coordinator_store::Transaction| {
        commit(txn, writes);
        Ok::<_, StoreError>(())
    };
    // In memory and synchronous: durable when it returns.
    let ((), _) = store.write(step).unwrap();
}

pub(super) fn key_pair(base: &SecretKey) -> KeyPair {
    let point = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    KeyPair { base: base.public().to_bytes(), network: Bytes::new(hex::decode(point).unwrap()).unwrap() }
}

fn scalar(key: &SecretKey) -> Zeroizing<<Ristretto as Ciphersuite>::F> {
    Zeroizing::new(<Ristretto as Ciphersuite>::read_F(&mut key.to_bytes().as_slice()).unwrap())
}

fn point(key: &SecretKey) -> <Ristretto as Ciphersuite>::G {
    <Ristretto as Ciphersuite>::read_G(&mut key.public().to_bytes().as_slice()).unwrap()
}

/// A signature as a threshold of the key's holders would make it.
pub(super) fn sign(key: &SecretKey, message: &[u8]) -> [u8; 64] {
    let nonce = SecretKey::random(&mut rng(message.len() as u64));
    let challenge = IetfRistrettoHram::hram(&point(&nonce), &point(key), message);
    let signature = SchnorrSignature::<Ristretto>::sign(&scalar(key), scalar(&nonce), challenge);
    signing::to_signature(&signature)
}

fn musig(context: [u8; 32], signers: &[&SecretKey], message: &[u8]) -> [u8; 64] {
    let points: Vec<_> = signers.iter().map(|key| point(key)).collect();
    let (mut machines, mut preprocesses) = (Vec::new(), HashMap::new());
    for (i, key) in (1_u16..).zip(signers) {
        let i = Participant::new(i).unwrap();
        let keys = dkg_musig::musig::<Ristretto>(context, scalar(key), &points).unwrap();
        let machine = AlgorithmMachine::new(signing::algorithm(), keys);
        let (machine, preprocess) = machine.preprocess(&mut rng(u64::from(u16::from(i))));
        machines.push((i, machine));
        preprocesses.insert(i, preprocess);
    }
    let (mut shares, mut own) = (HashMap::new(), None);
    for (i, machine) in machines {
        let mut others = preprocesses.clone();
        others.remove(&i);
        let (machine, share) = machine.sign(others, message).unwrap();
        match own {
            None => own = Some(machine),
            Some(_) => drop(shares.insert(i, share)),
        }
    }
    signing::to_signature(&own.unwrap().complete(shares).unwrap())
}

pub(super) fn state_of(chain: &TestChain, session: u32) -> coordinator_base_chain::SetState {
    chain.read(|db| query::set(db, set(session))).unwrap().unwrap().state
}

pub(super) fn coins(chain: &TestChain, of: &SecretKey) -> u64 {
    let info = chain.read(|db| query::account(db, account(of))).unwrap();
    info.coins.iter().map(|(_, amount)| amount.0).sum()
}

pub(super) fn free(chain: &TestChain, of: &SecretKey) -> u64 {
    chain.read(|db| query::account(db, account(of))).unwrap().free.0
}

pub(super) fn staked(chain: &TestChain, of: &SecretKey) -> u64 {
    let info = chain.read(|db| query::validator(db, validator(of))).unwrap().unwrap();
    info.stakes.iter().map(|(_, amount)| amount.0).sum()
}
