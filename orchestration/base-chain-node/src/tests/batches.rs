use coordinator_base_chain::{Call, Event, Refusal, SetState, Transaction, signing};
use processor_messages::{
    Amount, BatchId, Bytes, Instruction, MAX_BATCH_BYTES, Session, SignedBatch, encode,
};

use super::support::{EPOCH, TestChain, account, bitcoin, coins, key, sign, state_of};
use crate::{query, rules::MAX_BURNS_IN_BLOCK};

fn in_charge() -> TestChain {
    TestChain::new(&[1, 1, 1, 1]).with_session_zero(&key(50))
}

/// BASE-41
#[test]
fn a_batch_mints_and_its_event_says_what_succeeded() {
    let chain = in_charge();
    let mints = [(account(&key(9)), 5), (account(&key(9)), 0), (account(&key(8)), 7)];
    let block = chain.block(&[chain.batch(0, &key(50), &mints)]);
    let [Event::BatchExecuted { batch, .. }] = &block.events[..] else { panic!("{:?}", block.events) };
    assert_eq!((batch.id, batch.publisher), (BatchId(0), Session(0)));
    assert_eq!(&batch.results[..], [true, false, true]);
    assert_eq!((coins(&chain, &key(9)), coins(&chain, &key(8))), (5, 7));
    let info = chain.read(|db| query::network(db, bitcoin())).unwrap().unwrap();
    assert_eq!((info.next_batch, info.supply), (BatchId(1), Amount(12)));
}

/// BASE-41: one instruction fails on its own.
#[test]
fn an_instruction_that_would_overflow_fails_alone() {
    let chain = in_charge();
    let mints = [(account(&key(9)), u64::MAX), (account(&key(8)), 1), (account(&key(9)), 1)];
    let block = chain.block(&[chain.batch(0, &key(50), &mints)]);
    let [Event::BatchExecuted { batch, .. }] = &block.events[..] else { panic!("{:?}", block.events) };
    assert_eq!(&batch.results[..], [true, false, false]);
    assert_eq!((coins(&chain, &key(9)), coins(&chain, &key(8))), (u64::MAX, 0));
}

/// BASE-41
#[test]
fn batch_ids_are_consecutive_and_one_a_block() {
    let chain = in_charge();
    let ahead = Refusal::BatchAhead { id: BatchId(1), next: BatchId(0) };
    assert_eq!(chain.judge(&chain.batch(1, &key(50), &[])), Err(ahead));
    chain.block(&[chain.batch(0, &key(50), &[])]);
    let stale = Refusal::BatchStale { id: BatchId(0), next: BatchId(1) };
    assert_eq!(chain.judge(&chain.batch(0, &key(50), &[])), Err(stale));

    let second_in_block = chain.read(|db| {
        let mut builder = crate::rules::BlockBuilder::begin(db, 0).unwrap();
        assert_eq!(builder.push(&chain.batch(1, &key(50), &[])).unwrap(), Ok(()));
        builder.push(&chain.batch(2, &key(50), &[])).unwrap()
    });
    assert_eq!(second_in_block, Err(Refusal::BatchInBlock));
}

/// BASE-41
#[test]
fn only_the_key_in_charge_signs_batches() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    assert_eq!(chain.judge(&chain.batch(0, &key(50), &[])), Err(Refusal::NoKeys));
    let chain = chain.with_session_zero(&key(50));
    assert_eq!(chain.judge(&chain.batch(0, &key(51), &[])), Err(Refusal::BadSignature));
    let Transaction::ExecuteBatch(mut signed) = chain.batch(0, &key(50), &[]) else { unreachable!() };
    signed.batch.block.0[0] ^= 1;
    assert_eq!(chain.judge(&Transaction::ExecuteBatch(signed.clone())), Err(Refusal::BadSignature));
    signed.batch.network = processor_messages::Network::new("dogecoin").unwrap();
    assert_eq!(chain.judge(&Transaction::ExecuteBatch(signed)), Err(Refusal::UnknownNetwork));
}

/// BASE-43: while the former set is in charge its signature counts for it, and changes nothing else.
#[test]
fn the_former_sets_batch_is_no_handover() {
    let chain = in_charge();
    chain.run_to(EPOCH);
    // Declared, without keys: nobody but the set in charge may sign.
    assert_eq!(chain.judge(&chain.batch(0, &key(51), &[])), Err(Refusal::BadSignature));
    chain.block(&[chain.set_keys(1, &key(51), &[0, 1, 2])]);
    chain.block(&[chain.batch(0, &key(50), &[])]);
    assert_eq!((state_of(&chain, 0), state_of(&chain, 1)), (SetState::InCharge, SetState::Waiting));
}

/// BASE-41
#[test]
fn a_batch_of_the_largest_size_fits_a_transaction_and_a_larger_one_is_refused() {
    let chain = in_charge();
    let signed = |count: usize| {
        let mints: Vec<_> = (0..count).map(|_| (account(&key(9)), 1)).collect();
        chain.batch(0, &key(50), &mints)
    };
    let Transaction::ExecuteBatch(empty) = signed(0) else { unreachable!() };
    let instruction = encode(&Instruction::Mint { to: account(&key(9)), amount: Amount(1) }).len();
    let most = (MAX_BATCH_BYTES - encode(&empty.batch).len()) / instruction;
    let largest = signed(most);
    assert_eq!(Transaction::decode(&encode(&largest)), Ok(largest.clone()));
    assert_eq!(chain.judge(&largest), Ok(()));
    assert_eq!(chain.judge(&signed(most + 1)), Err(Refusal::BatchTooLarge));
}

/// BASE-33
#[test]
fn minted_coins_are_transferred_and_burnt_with_an_instruction_to_pay_out() {
    let chain = in_charge();
    chain.block(&[chain.batch(0, &key(50), &[(account(&key(9)), 100)])]);
    let coin = coordinator_base_chain::Coin::Of(bitcoin());
    let give = Call::Transfer { coin, to: account(&key(8)), amount: Amount(40) };
    chain.block(&[chain.call(&key(9), give)]);
    assert_eq!((coins(&chain, &key(9)), coins(&chain, &key(8))), (60, 40));
    let destination = Bytes::new(b"somewhere".to_vec()).unwrap();
    let burn = Call::Burn { network: bitcoin(), amount: Amount(15), destination: destination.clone() };
    let block = chain.block(&[chain.call(&key(8), burn)]);
    let [Event::Burn { burn, .. }] = &block.events[..] else { panic!("{:?}", block.events) };
    assert_eq!((burn.from, burn.amount, &burn.destination), (account(&key(8)), Amount(15), &destination));
    assert_eq!(coins(&chain, &key(8)), 25);
    let info = chain.read(|db| query::network(db, bitcoin())).unwrap().unwrap();
    assert_eq!(info.supply, Amount(85));
}

/// BASE-33: no block pays out more often than one message to a processor holds.
#[test]
fn burns_of_one_block_are_bounded() {
    let chain = in_charge();
    chain.block(&[chain.batch(0, &key(50), &[(account(&key(9)), 10_000)])]);
    let burn = |nonce| {
        let call = Call::Burn { network: bitcoin(), amount: Amount(1), destination: Bytes::default() };
        Transaction::Call(coordinator_base_chain::SignedCall::sign(&key(9), chain.chain, nonce, call))
    };
    let outcome = chain.read(|db| {
        let mut builder = crate::rules::BlockBuilder::begin(db, 0).unwrap();
        for nonce in 0..u64::from(MAX_BURNS_IN_BLOCK) {
            assert_eq!(builder.push(&burn(nonce)).unwrap(), Ok(()));
        }
        builder.push(&burn(u64::from(MAX_BURNS_IN_BLOCK))).unwrap()
    });
    assert_eq!(outcome, Err(Refusal::BurnsInBlock));
}

/// BASE-20: a signature for one chain is none for another.
#[test]
fn a_batch_signed_for_another_chain_is_refused() {
    let chain = in_charge();
    let Transaction::ExecuteBatch(signed) = chain.batch(0, &key(50), &[]) else { unreachable!() };
    let other = processor_messages::ChainGenesis([3; 32]);
    let signature = sign(&key(50), &signing::batch_message(other, &signed.batch));
    let replayed = Transaction::ExecuteBatch(SignedBatch { signature, ..signed });
    assert_eq!(chain.judge(&replayed), Err(Refusal::BadSignature));
}
