use coordinator_base_chain::{
    Call, CosignParameters, Event, Refusal, SetState, Transaction, UndeclaredReason,
};
use processor_messages::{Amount, BaseBlock, KeyShares, Session};

use super::support::{
    EPOCH, KEY_GEN, PER_SHARE, REPORT, TestChain, bitcoin, genesis, key, set, state_of, validator,
};
use crate::{query, rules};

/// BASE-2
#[test]
fn genesis_declares_session_zero_of_each_network() {
    let chain = TestChain::new(&[3, 3, 2, 2]);
    let block = chain.read(|db| query::block(db, BaseBlock(0))).unwrap().unwrap();
    let declared = block.events.iter().find_map(|event| match event {
        Event::SetDeclared(declaration) => Some(declaration.clone()),
        _ => None,
    });
    let declared = declared.unwrap();
    assert_eq!(
        (declared.set, declared.total_shares(), declared.threshold),
        (set(0), KeyShares(10), KeyShares(7))
    );
    assert_eq!(declared.key_gen_deadline, BaseBlock(KEY_GEN));
    assert_eq!(declared.shares().iter().map(|shares| shares.0).collect::<Vec<_>>(), [3, 3, 2, 2]);
    assert!(
        declared.members.iter().all(|m| (m.embedded.base.len() == 33) && (m.embedded.network.len() == 33))
    );
    assert!(block.is_consistent());
    // BASE-18.
    let cosign = CosignParameters { distance_blocks: 7, stake_per_share: Amount(PER_SHARE) };
    assert_eq!(declared.cosign, cosign);
}

/// BASE-40
#[test]
fn the_first_set_with_keys_is_in_charge_at_once() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let block = chain.block(&[chain.set_keys(0, &key(50), &[0, 1, 3])]);
    assert!(matches!(&block.events[..], [Event::KeysSet { set: of, .. }] if *of == set(0)));
    assert_eq!(state_of(&chain, 0), SetState::InCharge);
}

/// BASE-40
#[test]
fn keys_are_set_once() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let transaction = chain.set_keys(0, &key(50), &[0, 1, 2]);
    chain.block(std::slice::from_ref(&transaction));
    assert_eq!(chain.judge(&transaction), Err(Refusal::KeysAlreadySet));
    assert_eq!(chain.judge(&chain.set_keys(0, &key(51), &[0, 1, 2, 3])), Err(Refusal::KeysAlreadySet));
}

/// BASE-40
#[test]
fn signers_below_the_threshold_set_no_keys() {
    let chain = TestChain::new(&[3, 3, 2, 2]);
    let refused = |signers: &[usize]| chain.judge(&chain.set_keys(0, &key(50), signers));
    let few = |weight| Err(Refusal::TooFewSigners { weight, threshold: KeyShares(7) });
    assert_eq!(refused(&[0, 1]), few(6));
    assert_eq!(refused(&[2, 3]), few(4));
    assert_eq!(refused(&[0, 2]), few(5));
    assert_eq!(refused(&[0, 1, 2]), Ok(()));
    assert_eq!(refused(&[0, 2, 3]), Ok(()));
}

/// BASE-40
#[test]
fn every_part_of_a_confirmation_is_checked() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let Transaction::SetKeys(good) = chain.set_keys(0, &key(50), &[0, 1, 2]) else { unreachable!() };
    let judge = |change: &dyn Fn(&mut coordinator_base_chain::SetKeys)| {
        let mut call = good.clone();
        change(&mut call);
        chain.judge(&Transaction::SetKeys(call))
    };
    assert_eq!(judge(&|_| {}), Ok(()));
    assert_eq!(judge(&|call| call.set.session = Session(1)), Err(Refusal::UnknownSet));
    assert_eq!(judge(&|call| call.signature[40] ^= 1), Err(Refusal::BadSignature));
    assert_eq!(judge(&|call| call.key_pair.base = key(51).public().to_bytes()), Err(Refusal::BadSignature));
    assert_eq!(judge(&|call| call.key_pair.base = [0; 32]), Err(Refusal::BadKeyPair));
    assert_eq!(
        judge(&|call| call.key_pair.network = vec![4; 33].try_into().unwrap()),
        Err(Refusal::BadKeyPair)
    );
    let signers = |bits: Vec<bool>| coordinator_base_chain::Signers(bits.try_into().unwrap());
    let with = |bits: Vec<bool>| judge(&|call| call.signers = signers(bits.clone()));
    assert_eq!(with(vec![true, true, false, true]), Err(Refusal::BadSignature));
    assert_eq!(with(vec![true; 4]), Err(Refusal::BadSignature));
    assert_eq!(with(vec![true; 3]), Err(Refusal::BadSigners));
    assert_eq!(with(vec![true; 5]), Err(Refusal::BadSigners));
    assert_eq!(with(vec![]), Err(Refusal::BadSigners));
}

/// BASE-42
#[test]
fn a_set_without_keys_is_dropped_and_the_next_epoch_declares_another() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let late = chain.set_keys(0, &key(50), &[0, 1, 2]);
    chain.run_to(KEY_GEN - 1);
    assert_eq!(state_of(&chain, 0), SetState::Declared);
    assert_eq!(chain.block(&[]).events, [Event::SetDropped { set: set(0) }]);
    assert_eq!(chain.judge(&late), Err(Refusal::SetDropped));

    let events = chain.run_to(EPOCH);
    assert!(matches!(&events[..], [Event::SetDeclared(declared)] if declared.set == set(1)));
    chain.block(&[chain.set_keys(1, &key(51), &[0, 1, 2])]);
    assert_eq!(state_of(&chain, 1), SetState::InCharge);
}

/// BASE-42
#[test]
fn no_set_is_declared_before_the_latest_took_over() {
    let chain = TestChain::new(&[1, 1, 1, 1]).with_session_zero(&key(50));
    let events = chain.run_to(EPOCH);
    assert!(matches!(&events[..], [Event::SetDeclared(declared)] if declared.set == set(1)));
    chain.block(&[chain.set_keys(1, &key(51), &[0, 1, 2])]);
    assert_eq!(state_of(&chain, 1), SetState::Waiting);
    let pending = Event::SetNotDeclared { network: bitcoin(), reason: UndeclaredReason::HandoverPending };
    assert_eq!(chain.run_to(2 * EPOCH), [pending]);
}

/// BASE-42: the former set stays in charge of batches.
#[test]
fn a_dropped_successor_leaves_the_former_set_in_charge() {
    let chain = TestChain::new(&[1, 1, 1, 1]).with_session_zero(&key(50));
    chain.run_to(EPOCH);
    assert_eq!(chain.run_to(EPOCH + KEY_GEN), [Event::SetDropped { set: set(1) }]);
    chain.block(&[chain.batch(0, &key(50), &[])]);
    let events = chain.run_to(2 * EPOCH);
    assert!(matches!(&events[..], [Event::SetDeclared(declared)] if declared.set == set(2)));
}

/// BASE-43: the events name the set that retires (and which accepted), and its deadline.
#[test]
fn a_handover_retires_the_former_set_with_or_without_its_report() {
    let chain = TestChain::new(&[1, 1, 1, 1]).with_session_zero(&key(50));
    chain.run_to(EPOCH);
    chain.block(&[chain.set_keys(1, &key(51), &[0, 1, 2])]);
    chain.block(&[chain.batch(0, &key(50), &[])]);
    let block = chain.block(&[chain.batch(1, &key(51), &[])]);
    let deadline = BaseBlock(block.number().0 + REPORT);
    let handover = Event::HandoverAccepted {
        retiring: set(0),
        accepted_by: Session(1),
        slash_report_deadline: deadline,
    };
    assert_eq!(block.events[0], handover);
    assert!(matches!(&block.events[1], Event::BatchExecuted { batch, .. } if batch.publisher == Session(1)));
    assert_eq!(
        (state_of(&chain, 0), state_of(&chain, 1)),
        (SetState::Retiring { deadline }, SetState::InCharge)
    );
    assert_eq!(chain.judge(&chain.batch(2, &key(50), &[])), Err(Refusal::BadSignature));
    let retired = chain.run_to(deadline.0);
    assert!(retired.contains(&Event::SetRetired { set: set(0), reported: false }));
    assert_eq!(state_of(&chain, 0), SetState::Retired);
}

/// BASE-12
#[test]
fn who_lacks_an_embedded_key_enters_no_set() {
    let mut genesis = genesis(&[1, 1, 1, 1, 1]);
    genesis.validators[0].embedded_keys.pop();
    genesis.validators[1].embedded_keys.remove(0);
    genesis.networks[0].min_key_shares = 3;
    let chain = TestChain::from_genesis(&genesis);
    let info = chain.read(|db| query::set(db, set(0))).unwrap().unwrap();
    assert_eq!(info.declaration.total_shares(), KeyShares(3));
    assert!(!info.declaration.contains(validator(&key(1))) && !info.declaration.contains(validator(&key(2))));
}

/// BASE-12
#[test]
fn too_few_validators_make_no_set() {
    let chain = TestChain::new(&[1, 1, 1]);
    assert!(chain.read(|db| query::set(db, set(0))).unwrap().is_none());
    let few = Event::SetNotDeclared { network: bitcoin(), reason: UndeclaredReason::TooFewValidators };
    assert_eq!(chain.run_to(EPOCH), std::slice::from_ref(&few));
    // A fourth comes with the next epoch's end: it stakes what is free.
    let owner = key(1);
    chain.block(&[chain.call(&owner, Call::Allocate { network: bitcoin(), amount: Amount(500) })]);
    assert_eq!(chain.run_to(2 * EPOCH), [few]);
}

/// BASE-3, BASE-6
#[test]
fn the_same_blocks_give_the_same_roots_and_any_change_gives_others() {
    let run = |extra: bool| {
        let chain = TestChain::new(&[1, 1, 1, 1]).with_session_zero(&key(50));
        chain.block(&[chain.batch(0, &key(50), &[(super::support::account(&key(9)), 5)])]);
        if extra {
            let call = Call::Deallocate { network: bitcoin(), amount: Amount(100) };
            chain.block(&[chain.call(&key(1), call)]);
        } else {
            chain.block(&[]);
        }
        let head = chain.read(query::head).unwrap().unwrap();
        let block = chain.read(|db| query::block(db, head.number)).unwrap().unwrap();
        (head.hash, block.header.state_root)
    };
    assert_eq!(run(false), run(false));
    assert_ne!(run(false).1, run(true).1);
}

/// BASE-6: numbers, parents and times go on without gaps.
#[test]
fn blocks_follow_one_another_without_gaps() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    chain.run_to(30);
    let blocks: Vec<_> =
        (0..=30).map(|n| chain.read(|db| query::block(db, BaseBlock(n))).unwrap().unwrap()).collect();
    for (former, next) in blocks.iter().zip(&blocks[1..]) {
        assert_eq!(next.header.parent, former.hash());
        assert_eq!(next.number(), former.number().next());
        assert!(next.header.time_unix_ms > former.header.time_unix_ms);
        assert!(next.is_consistent());
    }
}

#[test]
fn a_builder_without_genesis_is_an_error() {
    let store = coordinator_store::MemoryStore::default();
    let begin = coordinator_store::Store::read(&store, |db| rules::BlockBuilder::begin(db, 0).map(|_| ()));
    assert!(begin.is_err());
}
