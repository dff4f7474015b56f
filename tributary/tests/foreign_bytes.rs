//! Bytes of a member choose no allocation (`TRIB-23`), measured. One test alone in its process, as it counts what all of
//! that allocates.

#![allow(clippy::unwrap_used)]

use std::alloc::System;

use coordinator_keys::{SecretKey, Signature};
use coordinator_store::{MemoryStore, Store, StoreError};
use processor_messages::{Bytes, Genesis, KeyShares, List, TributaryBlock, Validator, decode, encode};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tributary::{
    Block, BlockHash, Certificate, Chain, ChainConfig, ChainInput, Config, Halt, Header, Input, Limits,
    MAX_BODY_BYTES, Members, Node, Open, SignedTransaction, Timer, Transaction,
    chain::{MAX_TRANSACTIONS, transactions},
    merkle_root,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What may be allocated for each byte that arrives: copies, decoded values, claims with their hashes.
const FOR_EACH_BYTE: usize = 64;
/// And for an input of any length.
const FOR_EACH_INPUT: usize = 64 * 1024;

fn key(index: u8) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[0] = index + 1;
    SecretKey::from_bytes(&bytes).unwrap()
}

fn validator(index: u8) -> Validator {
    Validator(key(index).public().to_bytes())
}

#[derive(Debug)]
struct Failed;
impl From<StoreError> for Failed {
    fn from(_: StoreError) -> Self {
        Self
    }
}
impl From<Halt> for Failed {
    fn from(_: Halt) -> Self {
        Self
    }
}

struct Peer {
    members: Members,
    store: MemoryStore,
    node: Node<Chain>,
}

impl Peer {
    fn open() -> Self {
        let validators: Vec<_> = (0..4).map(|index| (validator(index), KeyShares(1))).collect();
        let members = Members::new(Genesis([7; 32]), &validators, Limits::default()).unwrap();
        let store = MemoryStore::default();
        let open = Open { config: Config::default(), store_is_current: true };
        let chain = Chain::new(key(0), ChainConfig::default());
        let opened =
            store.write(|txn| Node::open(txn, members.clone(), key(0), chain, open).map_err(Failed::from));
        let node = opened.unwrap().0.0;
        let mut peer = Self { members, store, node };
        peer.step(Input::Fired(Timer::Heartbeat));
        peer
    }

    fn step(&mut self, input: Input<ChainInput>) {
        let stepped = self.store.write(|txn| self.node.step(txn, input).map_err(Failed::from));
        drop(stepped.unwrap());
    }

    /// Fails if `bytes` make it allocate more than their length explains.
    fn measure(&mut self, bytes: &[u8]) {
        let from = validator(1);
        let inputs = [
            Input::Message { from, bytes: bytes.to_vec() },
            Input::Response { from, bytes: bytes.to_vec() },
            Input::Request { from, id: 0, bytes: bytes.to_vec() },
        ];
        for input in inputs {
            let region = Region::new(ALLOCATOR);
            self.step(input);
            let allocated = region.change().bytes_allocated;
            let most = FOR_EACH_INPUT + (FOR_EACH_BYTE * bytes.len());
            assert!(allocated <= most, "{} bytes allocate {allocated}: {:?}", bytes.len(), bytes.get(..64));
        }
    }

    /// The block of the first height with this body, which its proposer signed.
    fn block(&self, body: Vec<u8>, root: [u8; 32]) -> Block {
        let proposer = self.members.proposer(1, 0).validator;
        let by = (0..4).find(|index| validator(*index) == proposer).unwrap();
        let body = Bytes::new(body).unwrap();
        let header = Header {
            height: TributaryBlock(1),
            round: 0,
            proposer,
            parent: BlockHash::default(),
            former: [0; 32],
            root,
            state: [0; 32],
            body: Block::body_hash(&body),
        };
        let hash = header.hash(self.members.genesis());
        let signature = key(by).sign("headwater tributary block v1", &hash.0);
        Block { header, signature, former: None, body }
    }
}

/// An encoding of each kind of what a member may say or answer, by the byte that names it.
fn samples(peer: &Peer) -> Vec<Vec<u8>> {
    let (height, round, value, signature) = (1u64, 0u32, BlockHash([1; 32]), Signature([7; 64]));
    let by = validator(1);
    let certificate = Certificate {
        height: TributaryBlock(1),
        round,
        block: value,
        signatures: List::new(vec![(by, signature)]).unwrap(),
    };
    let order = Bytes::new(vec![1; 8]).unwrap();
    let payload = Bytes::new(vec![2; 100]).unwrap();
    let signed = SignedTransaction::sign(peer.members.genesis(), &key(1), order, 0, payload);
    let signed = Transaction::Signed(signed);
    let gossip = encode(&(0u8, &signed));
    let body = encode(&vec![signed.clone(), signed.clone()]);
    let block = peer.block(body, merkle_root(&[signed.hash(), signed.hash()]));
    let polka = (height, round, value, vec![(by, signature)]);
    let votes = (height, round, true, vec![(1u8, Some(value), by, signature)]);
    vec![
        encode(&(0u8, (0u8, height, round, Some(value), by, signature))),
        encode(&(1u8, (height, round, value, Some(0u32), by, signature))),
        encode(&(2u8, polka)),
        encode(&(3u8, votes)),
        encode(&(4u8, &block)),
        encode(&(5u8, height)),
        encode(&(6u8, &gossip)),
        encode(&(6u8, encode(&(1u8, vec![(0u8, 0u32, [7u8; 32])])))),
        encode(&(7u8, vec![gossip.clone(), gossip])),
        encode(&(0u8, Some(&certificate))),
        encode(&(1u8, vec![(&block, &certificate)])),
        encode(&(2u8, &block)),
    ]
}

const CLAIMS: [u32; 6] = [u32::MAX, 1 << 24, 4_000_000, 60_000, 1_000, 200];

/// `TRIB-23`, `TRIB-12`: whatever four bytes of a message, an answer, a question, or a body under an honest header are
/// replaced by a length.
#[test]
fn ref_05_no_length_that_a_member_claims_is_allocated() {
    let mut peer = Peer::open();
    let samples = samples(&peer);
    for sample in &samples {
        peer.measure(sample);
        for at in 0..sample.len().saturating_sub(3) {
            for claim in CLAIMS {
                let mut wrong = sample.clone();
                wrong.splice(at..at + 4, claim.to_le_bytes());
                peer.measure(&wrong);
            }
        }
    }
    bodies(&mut peer);
}

/// Bodies are decoded when the header and its signature are right, and by readers of decided blocks.
fn bodies(peer: &mut Peer) {
    let order = Bytes::new(vec![1; 8]).unwrap();
    let signed = SignedTransaction::sign(peer.members.genesis(), &key(1), order, 0, Bytes::default());
    let good = encode(&vec![Transaction::Signed(signed)]);
    for at in 0..good.len().saturating_sub(3) {
        for claim in CLAIMS {
            let mut wrong = good.clone();
            wrong.splice(at..at + 4, claim.to_le_bytes());
            let block = peer.block(wrong.clone(), [0; 32]);
            let most = FOR_EACH_INPUT + (FOR_EACH_BYTE * wrong.len());
            let region = Region::new(ALLOCATOR);
            let _ = transactions(&block);
            let _ = decode::<List<Transaction, MAX_TRANSACTIONS>>(&wrong, MAX_BODY_BYTES);
            assert!(region.change().bytes_allocated <= most, "{claim} at {at}");
            // A node of its own for each: of one proposer and round it looks at two.
            let mut judge = Peer::open();
            judge.measure(&encode(&(4u8, &block)));
        }
    }
}
