//! BASE-5, BASE-7, BASE-8: which blocks of the engine are voted for, and what a decided one does.

use std::sync::Arc;

use borsh::BorshSerialize;
use coordinator_base_chain::{Call, Coin, SignedCall, Transaction, merkle_root};
use coordinator_keys::Signature;
use coordinator_store::{MemoryStore, Store};
use processor_messages::{Amount, Bytes, Genesis, KeyShares, TributaryBlock, encode};
use tributary::{
    Application, Block, BlockHash, Certificate, DecidedBlock, Halt, Header, Limits, Members, Slot, Verdict,
};

use super::support::{TestChain, account, free, key, submit, validator};
use crate::{
    application::{BaseApplication, BaseInput, MAX_AHEAD_MS, SharedPool, lock},
    query,
};

const NOW: u64 = 1_000_000;

struct Bench {
    chain: TestChain,
    pool: SharedPool,
    application: BaseApplication,
    members: Members,
}

fn bench() -> Bench {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let pool = SharedPool::default();
    let application = BaseApplication::new(pool.clone(), Arc::new(|| NOW));
    let validators: Vec<_> = chain.keys.iter().map(|key| (validator(key), KeyShares(1))).collect();
    let members = Members::new(Genesis(chain.chain.0), &validators, Limits::default()).unwrap();
    Bench { chain, pool, application, members }
}

#[derive(BorshSerialize)]
struct Body {
    time_unix_ms: u64,
    transactions: Vec<Vec<u8>>,
}

impl Bench {
    fn give(&self, nonce: u64, amount: u64) -> Transaction {
        let call = Call::Transfer { coin: Coin::Stake, to: account(&key(99)), amount: Amount(amount) };
        Transaction::Call(SignedCall::sign(&key(1), self.chain.chain, nonce, call))
    }

    /// A block of the engine on top of the latest, whatever its body says.
    fn block(&self, time_unix_ms: u64, transactions: &[Transaction]) -> Block {
        let hashes: Vec<_> = transactions.iter().map(Transaction::hash).collect();
        let body = Body { time_unix_ms, transactions: transactions.iter().map(encode).collect() };
        let head = self.chain.read(query::head).unwrap().unwrap();
        let header = Header {
            height: TributaryBlock(head.number.0 + 1),
            round: 0,
            proposer: validator(&key(1)),
            parent: BlockHash::default(),
            former: [0; 32],
            root: merkle_root(&hashes),
            state: head.hash.0,
            body: [0; 32],
        };
        Block {
            header,
            signature: Signature([0; 64]),
            former: None,
            body: Bytes::new(encode(&body)).unwrap(),
        }
    }

    fn check(&mut self, block: &Block) -> Verdict {
        let Self { chain, application, members, .. } = self;
        chain.read(|db| application.check(db, members, block)).unwrap()
    }

    fn decide(&mut self, block: Block) -> Result<(), Halt> {
        let Self { chain, application, members, .. } = self;
        let certificate = Certificate {
            height: block.header.height,
            round: 0,
            block: BlockHash::default(),
            signatures: vec![].try_into().unwrap(),
        };
        let decided = DecidedBlock { block, certificate };
        let store: &MemoryStore = &chain.store;
        let ((), _) = store.write(|txn| application.decided(txn, members, &decided).map(|_| ()))?;
        Ok(())
    }

    fn build(&mut self, limit: usize) -> tributary::Built {
        let Self { chain, application, members, .. } = self;
        let height = TributaryBlock(chain.number() + 1);
        chain.read(|db| application.build(db, members, Slot { height, round: 0, limit })).unwrap()
    }
}

fn is_invalid(verdict: &Verdict, reason: &str) -> bool {
    matches!(verdict, Verdict::Invalid(text) if text.contains(reason))
}

#[test]
fn what_is_built_is_valid_and_deciding_it_applies_it() {
    let mut bench = bench();
    for nonce in 0..3 {
        let transaction = bench.give(nonce, 5);
        submit(&bench.chain, &mut lock(&bench.pool), &transaction).unwrap();
    }
    let built = bench.build(10_000);
    let mut block = bench.block(NOW, &[]);
    (block.header.root, block.header.state, block.body) = (built.root, built.state, built.body);
    assert_eq!(bench.check(&block), Verdict::Valid);
    bench.decide(block).unwrap();
    assert_eq!(free(&bench.chain, &key(99)), 15);
    assert!(lock(&bench.pool).is_empty());
    let head = bench.chain.read(query::head).unwrap().unwrap();
    assert_eq!((head.number.0, head.time_unix_ms), (1, NOW));
}

#[test]
fn a_built_body_keeps_to_its_limit() {
    let mut bench = bench();
    for nonce in 0..30 {
        let transaction = bench.give(nonce, 1);
        submit(&bench.chain, &mut lock(&bench.pool), &transaction).unwrap();
    }
    for limit in [100, 500, 1_000, 2_000] {
        let built = bench.build(limit);
        assert!(built.body.len() <= limit, "{} of {limit}", built.body.len());
    }
    assert!(bench.build(2_000).body.len() > 1_500);
}

/// What waits but can no longer be applied is left out instead of making the block invalid.
#[test]
fn a_built_block_leaves_out_what_the_rules_refuse() {
    let mut bench = bench();
    let (first, second) = (bench.give(0, 700), bench.give(1, 700));
    for transaction in [first.clone(), second] {
        submit(&bench.chain, &mut lock(&bench.pool), &transaction).unwrap();
    }
    assert_eq!(bench.build(10_000).root, merkle_root(&[first.hash()]));
}

#[test]
fn a_block_is_not_voted_for_unless_everything_fits() {
    let mut bench = bench();
    let good = [bench.give(0, 5), bench.give(1, 5)];
    let block = bench.block(NOW, &good);
    assert_eq!(bench.check(&block), Verdict::Valid);

    let refused = bench.block(NOW, &[bench.give(1, 5)]);
    assert!(is_invalid(&bench.check(&refused), "transaction 0: nonce 1 is ahead"));
    let twice = bench.block(NOW, &[good[0].clone(), good[0].clone()]);
    assert!(is_invalid(&bench.check(&twice), "transaction 1: nonce 0 was used"));
    let mut root = block.clone();
    root.header.root[0] ^= 1;
    assert!(is_invalid(&bench.check(&root), "root"));
    let mut state = block.clone();
    state.header.state[0] ^= 1;
    assert!(is_invalid(&bench.check(&state), "another state"));
    let mut height = block.clone();
    height.header.height = TributaryBlock(2);
    assert!(is_invalid(&bench.check(&height), "height"));
    for body in [vec![], vec![255; 100], [block.body.to_vec(), vec![0]].concat()] {
        let mut garbage = block.clone();
        garbage.body = Bytes::new(body).unwrap();
        assert!(is_invalid(&bench.check(&garbage), "body does not decode"));
    }
}

#[test]
fn times_increase_and_keep_close_to_our_clock() {
    let mut bench = bench();
    let genesis_time = bench.chain.read(query::head).unwrap().unwrap().time_unix_ms;
    let early = bench.block(genesis_time, &[]);
    assert!(is_invalid(&bench.check(&early), "time"));
    let next = bench.block(genesis_time + 1, &[]);
    assert_eq!(bench.check(&next), Verdict::Valid);
    let bound = bench.block(NOW + MAX_AHEAD_MS, &[]);
    assert_eq!(bench.check(&bound), Verdict::Valid);
    let ahead = bench.block(NOW + MAX_AHEAD_MS + 1, &[]);
    assert!(matches!(bench.check(&ahead), Verdict::Missing(_)));
    // The others' clocks agree: what they decided stands.
    bench.decide(ahead).unwrap();
}

#[test]
fn a_decided_block_that_our_rules_refuse_halts_and_changes_nothing() {
    let mut bench = bench();
    let refused = bench.block(NOW, &[bench.give(1, 5)]);
    let halt = bench.decide(refused).unwrap_err();
    assert!(halt.reason.contains("our rules refuse"), "{}", halt.reason);
    assert_eq!(bench.chain.number(), 0);
}

/// BASE-9
#[test]
fn gossip_of_members_is_admitted_or_ignored() {
    let mut bench = bench();
    let good = bench.give(0, 5);
    let forged = Transaction::Call(match bench.give(1, 5) {
        Transaction::Call(call) => SignedCall { nonce: 2, ..call },
        other => panic!("{other:?}"),
    });
    let Bench { chain, pool, application, members } = &mut bench;
    for bytes in [vec![], vec![7; 50_000], encode(&forged), encode(&good), encode(&good)] {
        let heard = chain.store.write(|txn| application.heard(txn, members, validator(&key(2)), &bytes));
        assert!(heard.unwrap().0.is_empty());
    }
    assert!(lock(pool).contains(good.hash()) && !lock(pool).contains(forged.hash()));
    // What others told us is theirs to repeat.
    assert!(chain.read(|db| application.resend(db, members)).unwrap().is_empty());
    assert!(chain.read(|db| application.due(db)).unwrap());
    let told = chain.store.write(|txn| application.input(txn, members, BaseInput::Submitted(vec![1])));
    assert_eq!(told.unwrap().0.len(), 1);
}
