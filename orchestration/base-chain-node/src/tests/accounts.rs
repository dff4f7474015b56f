use coordinator_base_chain::{Call, Coin, Refusal, SignedCall, Transaction};
use processor_messages::{Amount, Bytes, ChainGenesis, Network};

use super::support::{TestChain, account, bitcoin, free, key};

fn give(amount: u64) -> Call {
    Call::Transfer { coin: Coin::Stake, to: account(&key(99)), amount: Amount(amount) }
}

/// BASE-31
#[test]
fn nonces_are_used_in_order_and_once() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let call = |nonce| Transaction::Call(SignedCall::sign(&key(1), chain.chain, nonce, give(1)));
    assert_eq!(chain.judge(&call(1)), Err(Refusal::NonceAhead { nonce: 1, next: 0 }));
    chain.block(&[call(0), call(1)]);
    assert_eq!(chain.judge(&call(1)), Err(Refusal::NonceUsed { nonce: 1, next: 2 }));
    assert_eq!(free(&chain, &key(99)), 2);
}

/// BASE-30
#[test]
fn a_call_signed_by_another_or_for_another_chain_is_refused() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let elsewhere = SignedCall::sign(&key(1), ChainGenesis([3; 32]), 0, give(1));
    assert_eq!(chain.judge(&Transaction::Call(elsewhere)), Err(Refusal::BadSignature));
    let mut stolen = SignedCall::sign(&key(2), chain.chain, 0, give(1));
    stolen.account = account(&key(1));
    assert_eq!(chain.judge(&Transaction::Call(stolen)), Err(Refusal::BadSignature));
}

/// BASE-32
#[test]
fn nobody_gives_what_they_do_not_have() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let judge = |by: u64, call: Call| chain.judge(&chain.call(&key(by), call));
    assert_eq!(judge(1, give(1_001)), Err(Refusal::InsufficientFunds));
    assert_eq!(judge(1, give(0)), Err(Refusal::ZeroAmount));
    assert_eq!(judge(77, give(1)), Err(Refusal::InsufficientFunds));
    let of = |network| Call::Transfer { coin: Coin::Of(network), to: account(&key(99)), amount: Amount(1) };
    assert_eq!(judge(1, of(bitcoin())), Err(Refusal::InsufficientFunds));
    assert_eq!(judge(1, of(Network::new("dogecoin").unwrap())), Err(Refusal::UnknownNetwork));
    let burn =
        |amount| Call::Burn { network: bitcoin(), amount: Amount(amount), destination: Bytes::default() };
    assert_eq!(judge(1, burn(1)), Err(Refusal::InsufficientFunds));
    assert_eq!(judge(1, burn(0)), Err(Refusal::ZeroAmount));
    let own = Call::Transfer { coin: Coin::Stake, to: account(&key(1)), amount: Amount(1_000) };
    chain.block(&[chain.call(&key(1), own)]);
    assert_eq!(free(&chain, &key(1)), 1_000);
}

/// BASE-7: what is refused changes nothing, the nonce neither.
#[test]
fn a_refused_transaction_leaves_the_block_as_it_was() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let refused = chain.call(&key(1), give(1_001));
    let roots = chain.read(|db| {
        let with = |transactions: &[&Transaction]| {
            let mut builder = crate::rules::BlockBuilder::begin(db, 5_000).unwrap();
            let outcomes: Vec<_> = transactions.iter().map(|t| builder.push(t).unwrap().is_ok()).collect();
            (outcomes, builder.finish().unwrap().0)
        };
        let (outcomes, block) = with(&[&refused]);
        assert_eq!(outcomes, [false]);
        (block, with(&[]).1)
    });
    assert_eq!(roots.0, roots.1);
}
