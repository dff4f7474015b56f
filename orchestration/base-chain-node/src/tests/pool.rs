//! BASE-9: what waits to be ordered.

use coordinator_base_chain::{Call, Coin, Refusal, SignedCall, Transaction};
use processor_messages::{Amount, BaseBlock};

use super::support::{TestChain, account, key};
use crate::pool::{Admission, MAX_BLOCKS_WAITING, MAX_WAITING, MAX_WAITING_OF_ACCOUNT, Pool, RESERVED};

fn give(chain: &TestChain, by: u64, nonce: u64, amount: u64) -> Transaction {
    let call = Call::Transfer { coin: Coin::Stake, to: account(&key(99)), amount: Amount(amount) };
    Transaction::Call(SignedCall::sign(&key(by), chain.chain, nonce, call))
}

fn submit(chain: &TestChain, pool: &mut Pool, transaction: &Transaction) -> Result<Admission, Refusal> {
    chain.read(|db| pool.submit(db, transaction.clone(), true)).unwrap()
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
    let nonces: Vec<_> = pool.candidates().iter().map(|(transaction, _)| (*transaction).clone()).collect();
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
    let (chain, mut pool) = (TestChain::new(&[1, 1, 1, 1]), Pool::default());
    let spread = |nonce: u64| {
        let call = Call::Transfer { coin: Coin::Stake, to: account(&key(300 + nonce)), amount: Amount(1) };
        Transaction::Call(SignedCall::sign(&key(1), chain.chain, nonce, call))
    };
    chain.block(&(0..64).map(spread).collect::<Vec<_>>());
    let mut admitted = 0;
    for (holder, nonce) in (300..364).flat_map(|holder| (0..64).map(move |nonce| (holder, nonce))) {
        match submit(&chain, &mut pool, &give(&chain, holder, nonce, 1)) {
            Ok(_) => admitted += 1,
            Err(refusal) => {
                assert_eq!(refusal, Refusal::MempoolFull);
                break;
            }
        }
    }
    assert_eq!(admitted, MAX_WAITING - RESERVED);
    let keys = chain.set_keys(0, &key(50), &[0, 1, 2]);
    assert_eq!(submit(&chain, &mut pool, &keys), Ok(Admission::Admitted));
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
