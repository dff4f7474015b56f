//! BASE-9: what waits to be ordered.

use coordinator_base_chain::{Call, Coin, Refusal, SignedCall, Transaction};
use processor_messages::{Amount, BaseBlock};

use super::support::{TestChain, account, key, submit};
use crate::pool::{
    Admission, MAX_BLOCKS_WAITING, MAX_GAPPED, MAX_GAPPED_OF_ACCOUNT, MAX_WAITING, MAX_WAITING_OF_ACCOUNT,
    Pool, RESERVED,
};

fn give(chain: &TestChain, by: u64, nonce: u64, amount: u64) -> Transaction {
    let call = Call::Transfer { coin: Coin::Stake, to: account(&key(99)), amount: Amount(amount) };
    Transaction::Call(SignedCall::sign(&key(by), chain.chain, nonce, call))
}

/// A chain on which so many accounts from seed 300 on hold a coin.
fn with_holders(count: u64) -> TestChain {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let spread = |nonce: u64| {
        let call = Call::Transfer { coin: Coin::Stake, to: account(&key(300 + nonce)), amount: Amount(1) };
        Transaction::Call(SignedCall::sign(&key(1), chain.chain, nonce, call))
    };
    chain.block(&(0..count).map(spread).collect::<Vec<_>>());
    chain
}

/// Fills the places of calls with 64 calls of each holder, one after another; how many wait then.
fn fill(chain: &TestChain, pool: &mut Pool) -> usize {
    for (holder, nonce) in (300..).flat_map(|holder| (0..64).map(move |nonce| (holder, nonce))) {
        match submit(chain, pool, &give(chain, holder, nonce, 1)) {
            Ok(_) => {}
            Err(refusal) => {
                assert_eq!(refusal, Refusal::MempoolFull);
                break;
            }
        }
    }
    pool.len()
}

#[test]
fn a_transaction_is_admitted_once_and_known_when_final() {
    let (chain, mut pool) = (TestChain::new(&[1, 1, 1, 1]), Pool::default());
    let transaction = give(&chain, 1, 0, 5);
    assert_eq!(submit(&chain, &mut pool, &transaction), Ok(Admission::Admitted));
    assert_eq!(submit(&chain, &mut pool, &transaction), Ok(Admission::Waits));
    assert!(pool.contains(transaction.hash()));
    let block = chain.block(std::slice::from_ref(&transaction));
    chain.read(|db| pool.settle(db, block.number())).unwrap();
    assert!(pool.is_empty() && !pool.contains(transaction.hash()));
    assert_eq!(submit(&chain, &mut pool, &transaction), Ok(Admission::Final));
}

#[test]
fn calls_a_little_ahead_wait_in_their_order() {
    let (chain, mut pool) = (TestChain::new(&[1, 1, 1, 1]), Pool::default());
    for nonce in [2, 0, 1] {
        assert_eq!(submit(&chain, &mut pool, &give(&chain, 1, nonce, 5)), Ok(Admission::Admitted));
    }
    let nonces: Vec<_> = pool.candidates().iter().map(|waiting| waiting.transaction.clone()).collect();
    assert_eq!(nonces, [0, 1, 2].map(|nonce| give(&chain, 1, nonce, 5)));
    assert_eq!(submit(&chain, &mut pool, &give(&chain, 1, 1, 6)), Err(Refusal::NonceWaiting { nonce: 1 }));
    let far = Refusal::NonceAhead { nonce: 64, next: 0 };
    assert_eq!(submit(&chain, &mut pool, &give(&chain, 1, 64, 5)), Err(far));
}

#[test]
fn who_holds_nothing_takes_no_place() {
    // BASE-9: any number of keys could otherwise fill the pool with calls which never apply.
    let (chain, mut pool) = (TestChain::new(&[1, 1, 1, 1]), Pool::default());
    for stranger in 200..300 {
        let refused = submit(&chain, &mut pool, &give(&chain, stranger, 1, 5));
        assert_eq!(refused, Err(Refusal::InsufficientFunds));
    }
    assert!(pool.is_empty());
}

#[test]
fn calls_leave_room_for_set_keys_and_batches() {
    // BASE-9.
    let (chain, mut pool) = (with_holders(64), Pool::default());
    assert_eq!(fill(&chain, &mut pool), MAX_WAITING - RESERVED);
    let keys = chain.set_keys(0, &key(50), &[0, 1, 2]);
    assert_eq!(submit(&chain, &mut pool, &keys), Ok(Admission::Admitted));
}

#[test]
fn calls_with_gaps_take_few_places() {
    // BASE-9: before, who held one coin filled 63 places for 256 blocks, and 61 such accounts filled all.
    let (chain, mut pool) = (with_holders(40), Pool::default());
    let gapped = |holder: u64| (0..63).map(move |turn| (holder, 63 - turn));
    for (holder, nonce) in (300..340).flat_map(gapped) {
        if let Err(refusal) = submit(&chain, &mut pool, &give(&chain, holder, nonce, 1)) {
            assert_eq!(refusal, Refusal::MempoolFull);
        }
    }
    assert_eq!(pool.len(), MAX_GAPPED);
    let full = MAX_GAPPED / MAX_GAPPED_OF_ACCOUNT;
    let of = |pool: &Pool, holder: u64| {
        let has = |nonce: &u64| pool.contains(give(&chain, holder, *nonce, 1).hash());
        (0..64).filter(has).count()
    };
    for holder in (300..340).take(full) {
        assert_eq!(of(&pool, holder), MAX_GAPPED_OF_ACCOUNT);
    }
    // Whose turn it is finds a place, and so does what follows without a gap.
    for nonce in 0..8 {
        assert_eq!(submit(&chain, &mut pool, &give(&chain, 339, nonce, 1)), Ok(Admission::Admitted));
    }
}

#[test]
fn a_gap_which_closes_makes_room_for_another() {
    // BASE-9.
    let (chain, mut pool) = (with_holders(1), Pool::default());
    let offer = |pool: &mut Pool, nonce| submit(&chain, pool, &give(&chain, 300, nonce, 1));
    for nonce in 1..=MAX_GAPPED_OF_ACCOUNT as u64 {
        assert_eq!(offer(&mut pool, nonce), Ok(Admission::Admitted));
    }
    assert_eq!(offer(&mut pool, 40), Err(Refusal::MempoolFull));
    // All of them are behind this one now.
    assert_eq!(offer(&mut pool, 0), Ok(Admission::Admitted));
    assert_eq!(offer(&mut pool, 40), Ok(Admission::Admitted));
}

#[test]
fn a_call_whose_turn_it_is_always_finds_a_place() {
    // BASE-9: before, it was refused as long as others' calls which cannot be applied yet filled the pool.
    let (chain, mut pool) = (with_holders(64), Pool::default());
    let full = fill(&chain, &mut pool);
    assert_eq!(full, MAX_WAITING - RESERVED);
    for by in 2..=4 {
        assert_eq!(submit(&chain, &mut pool, &give(&chain, by, 1, 1)), Err(Refusal::MempoolFull), "a gap");
        assert_eq!(submit(&chain, &mut pool, &give(&chain, by, 0, 1)), Ok(Admission::Admitted), "ready");
        assert_eq!(pool.len(), full, "in the place of one which was not");
    }
    // What is ready gives its place to nobody, and every account's calls are tried in order.
    for holder in 300..359 {
        assert!(pool.contains(give(&chain, holder, 0, 1).hash()), "{holder}");
    }
}

#[test]
fn a_forged_call_ahead_is_not_admitted() {
    let (chain, mut pool) = (TestChain::new(&[1, 1, 1, 1]), Pool::default());
    let Transaction::Call(mut forged) = give(&chain, 2, 3, 5) else { unreachable!() };
    forged.account = account(&key(1));
    assert_eq!(submit(&chain, &mut pool, &Transaction::Call(forged)), Err(Refusal::BadSignature));
    assert!(pool.is_empty());
}

#[test]
fn one_account_takes_only_so_much_room() {
    let (chain, mut pool) = (TestChain::new(&[1, 1, 1, 1]), Pool::default());
    for nonce in 0..MAX_WAITING_OF_ACCOUNT as u64 {
        assert_eq!(submit(&chain, &mut pool, &give(&chain, 1, nonce, 1)), Ok(Admission::Admitted));
    }
    chain.block(&[give(&chain, 1, 0, 2)]);
    let more = give(&chain, 1, MAX_WAITING_OF_ACCOUNT as u64, 1);
    assert_eq!(submit(&chain, &mut pool, &more), Err(Refusal::MempoolFull));
    assert_eq!(submit(&chain, &mut pool, &give(&chain, 2, 0, 1)), Ok(Admission::Admitted));
}

#[test]
fn what_waits_too_long_or_can_no_longer_be_applied_is_dropped() {
    let (chain, mut pool) = (TestChain::new(&[1, 1, 1, 1]), Pool::default());
    let keys = chain.set_keys(0, &key(50), &[0, 1, 2]);
    submit(&chain, &mut pool, &keys).unwrap();
    submit(&chain, &mut pool, &give(&chain, 1, 0, 5)).unwrap();
    // Other keys were set meanwhile.
    chain.block(&[chain.set_keys(0, &key(51), &[0, 1, 2])]);
    chain.read(|db| pool.settle(db, BaseBlock(1))).unwrap();
    assert!(!pool.contains(keys.hash()) && !pool.is_empty());
    chain.read(|db| pool.settle(db, BaseBlock(MAX_BLOCKS_WAITING + 2))).unwrap();
    assert!(pool.is_empty());
}
