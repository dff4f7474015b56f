use coordinator_base_chain::{Call, Event, Refusal};
use processor_messages::{Amount, Network};

use crate::query;

use super::support::{EPOCH, KEY_GEN, REPORT, TestChain, bitcoin, free, key, staked, validator};

fn allocate(amount: u64) -> Call {
    Call::Allocate { network: bitcoin(), amount: Amount(amount) }
}

fn deallocate(amount: u64) -> Call {
    Call::Deallocate { network: bitcoin(), amount: Amount(amount) }
}

/// BASE-15
#[test]
fn stake_counts_for_the_sets_declared_after_it() {
    let chain = TestChain::new(&[2, 2, 2, 2, 2]).with_session_zero(&key(50));
    let block = chain.block(&[chain.call(&key(1), allocate(100))]);
    let changed =
        Event::StakeChanged { validator: validator(&key(1)), network: bitcoin(), stake: Amount(300) };
    assert_eq!(block.events, [changed]);
    assert_eq!((staked(&chain, &key(1)), free(&chain, &key(1))), (300, 900));
    let events = chain.run_to(EPOCH);
    let [Event::SetDeclared(declared)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(declared.members[0].validator, validator(&key(1)));
    assert_eq!(declared.shares().iter().map(|s| s.0).collect::<Vec<_>>(), [3, 2, 2, 2, 2]);
}

/// BASE-15
#[test]
fn a_stake_is_none_or_enough_for_a_share() {
    let chain = TestChain::new(&[2, 2, 2, 2]);
    let judge = |by: u64, call| chain.judge(&chain.call(&key(by), call));
    let small = Err(Refusal::StakeTooSmall { least: Amount(100) });
    assert_eq!(judge(1, deallocate(101)), small);
    assert_eq!(judge(1, deallocate(100)), Ok(()));
    assert_eq!(judge(1, deallocate(200)), Ok(()));
    assert_eq!(judge(1, deallocate(201)), Err(Refusal::InsufficientFunds));
    assert_eq!(judge(1, deallocate(0)), Err(Refusal::ZeroAmount));
    assert_eq!(judge(1, allocate(0)), Err(Refusal::ZeroAmount));
    assert_eq!(judge(1, allocate(1_001)), Err(Refusal::InsufficientFunds));
    assert_eq!(judge(1, allocate(u64::MAX)), Err(Refusal::Overflow));
    assert_eq!(judge(77, allocate(50)), small);
    let elsewhere = Call::Allocate { network: Network::new("dogecoin").unwrap(), amount: Amount(100) };
    assert_eq!(judge(1, elsewhere), Err(Refusal::UnknownNetwork));
}

/// BASE-16
#[test]
fn stake_which_no_set_needs_is_free_at_once() {
    let chain = TestChain::new(&[2, 2, 2, 2]);
    chain.run_to(KEY_GEN);
    chain.block(&[chain.call(&key(1), deallocate(200))]);
    assert_eq!((staked(&chain, &key(1)), free(&chain, &key(1))), (0, 1_200));
}

/// BASE-16
#[test]
fn stake_is_free_when_the_set_that_needed_it_is_dropped() {
    let chain = TestChain::new(&[2, 2, 2, 2]);
    chain.block(&[chain.call(&key(1), deallocate(100))]);
    assert_eq!((staked(&chain, &key(1)), free(&chain, &key(1))), (100, 1_000));
    chain.run_to(KEY_GEN);
    assert_eq!(free(&chain, &key(1)), 1_100);
}

/// BASE-16
#[test]
fn stake_is_held_until_the_last_set_that_needs_it_is_retired() {
    let chain = TestChain::new(&[2, 2, 2, 2, 2]).with_session_zero(&key(50));
    chain.run_to(EPOCH);
    // Session 1 needs it now, and session 0 still.
    chain.block(&[chain.call(&key(1), deallocate(200))]);
    chain.block(&[chain.set_keys(1, &key(51), &[0, 1, 2, 3])]);
    chain.block(&[chain.batch(0, &key(51), &[])]);
    chain.run_to(chain.number() + REPORT);
    assert_eq!(free(&chain, &key(1)), 1_000, "session 0 is retired, session 1 in charge");
    chain.run_to(2 * EPOCH);
    chain.block(&[chain.set_keys(2, &key(52), &[0, 1, 2])]);
    chain.block(&[chain.batch(1, &key(52), &[])]);
    assert_eq!(free(&chain, &key(1)), 1_000, "session 1 retires but may be slashed");
    chain.run_to(chain.number() + REPORT);
    assert_eq!(free(&chain, &key(1)), 1_200);
}

/// BASE-16: a later set that is dropped hands what it held back to the set before it.
#[test]
fn a_dropped_set_does_not_free_what_an_earlier_one_needs() {
    let chain = TestChain::new(&[2, 2, 2, 2]).with_session_zero(&key(50));
    chain.run_to(EPOCH);
    chain.block(&[chain.call(&key(1), deallocate(200))]);
    chain.run_to(EPOCH + KEY_GEN);
    assert_eq!(free(&chain, &key(1)), 1_000);
}

/// Who staked, is in a live set or makes blocks is listed; who only registered is not.
#[test]
fn validators_are_listed_while_they_matter() {
    let mut genesis = super::support::genesis(&[2, 2, 2, 2, 2]);
    genesis.validators[0].consensus_weight = 0;
    let chain = TestChain::from_genesis(&genesis);
    let gift = Call::Transfer {
        coin: coordinator_base_chain::Coin::Stake,
        to: super::support::account(&key(70)),
        amount: Amount(1),
    };
    chain.block(&[chain.call(&key(1), deallocate(200)), chain.call(&key(2), gift)]);
    let addresses = vec![].try_into().unwrap();
    chain.block(&[chain.call(&key(70), Call::RegisterAddresses { addresses })]);
    let listed = || {
        let infos = chain.read(query::validators).unwrap();
        infos.into_iter().map(|info| info.validator).collect::<Vec<_>>()
    };
    assert!(listed().contains(&validator(&key(1))), "a member of session 0, without stake");
    chain.run_to(KEY_GEN);
    assert!(!listed().contains(&validator(&key(1))) && listed().contains(&validator(&key(2))));
    assert!(!listed().contains(&validator(&key(70))));
    assert!(chain.read(|db| query::validator(db, validator(&key(70)))).unwrap().is_some());
}
