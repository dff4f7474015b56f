use coordinator_base_chain::{Call, EmbeddedCurve, Event, Refusal};
use processor_messages::Bytes;

use super::support::{EPOCH, TestChain, account, bitcoin, embedded, key, set, validator};
use crate::{query, rules::GenesisKey};

const CURVE: EmbeddedCurve = EmbeddedCurve::Embedwards25519;

fn register(key: GenesisKey) -> Call {
    Call::RegisterEmbeddedKey { curve: key.curve, key: key.key, proof: key.proof }
}

/// BASE-13
#[test]
fn a_new_key_counts_for_the_next_set_and_not_for_the_declared_one() {
    let chain = TestChain::new(&[1, 1, 1, 1]).with_session_zero(&key(50));
    let fresh = embedded(&key(1), CURVE, 9_000);
    let of = |session| {
        let info = chain.read(|db| query::set(db, set(session))).unwrap().unwrap();
        let member = info.declaration.members.iter().find(|m| m.validator == validator(&key(1))).cloned();
        member.unwrap().embedded.base
    };
    let before = of(0);
    chain.block(&[chain.call(&key(1), register(fresh.clone()))]);
    assert_eq!(of(0), before);
    chain.run_to(EPOCH);
    assert_eq!(of(1), fresh.key);
}

/// BASE-13: P and −P are one key, whoever registers it and however long ago.
#[test]
fn no_key_is_ever_registered_twice() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let fresh = embedded(&key(1), CURVE, 9_000);
    chain.block(&[chain.call(&key(1), register(fresh.clone()))]);
    assert_eq!(chain.judge(&chain.call(&key(1), register(fresh))), Err(Refusal::KeyReused));
    // The same secret with another owner's valid proof, and the key which genesis registered.
    assert_eq!(
        chain.judge(&chain.call(&key(2), register(embedded(&key(2), CURVE, 9_000)))),
        Err(Refusal::KeyReused)
    );
    let first = embedded(&key(1), CURVE, 1_004);
    assert_eq!(chain.judge(&chain.call(&key(1), register(first))), Err(Refusal::KeyReused));
}

/// BASE-13
#[test]
fn a_key_without_its_owners_proof_is_refused() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let judge = |key_of: GenesisKey| chain.judge(&chain.call(&key(1), register(key_of)));
    let good = embedded(&key(1), CURVE, 9_000);
    assert_eq!(judge(good.clone()), Ok(()));
    assert_eq!(judge(embedded(&key(2), CURVE, 9_000)), Err(Refusal::BadKeyProof));
    assert_eq!(
        judge(GenesisKey { curve: EmbeddedCurve::Secq256k1, ..good.clone() }),
        Err(Refusal::BadKeyProof)
    );
    for bytes in [vec![], vec![0; 33], vec![255; 33], vec![1; 96]] {
        let key = Bytes::new(bytes).unwrap();
        assert_eq!(judge(GenesisKey { key, ..good.clone() }), Err(Refusal::BadKeyProof));
    }
    let mut proof = good.proof.to_vec();
    proof[40] ^= 1;
    let proof = Bytes::new(proof).unwrap();
    assert_eq!(judge(GenesisKey { proof, ..good }), Err(Refusal::BadKeyProof));
}

/// BASE-14
#[test]
fn addresses_are_announced_and_printable() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let register = |address: &[u8]| {
        let addresses = vec![Bytes::new(address.to_vec()).unwrap()].try_into().unwrap();
        Call::RegisterAddresses { addresses }
    };
    let block = chain.block(&[chain.call(&key(1), register(b"/ip4/10.0.0.1/tcp/7"))]);
    assert!(
        matches!(&block.events[..], [Event::AddressesChanged { validator: of, .. }] if *of == validator(&key(1)))
    );
    for bad in [&b""[..], b"a b", b"\n", &[200]] {
        assert_eq!(chain.judge(&chain.call(&key(1), register(bad))), Err(Refusal::BadAddress));
    }
}

/// BASE-13, BASE-14: entries cost something.
#[test]
fn who_holds_no_stake_coins_registers_nothing() {
    let chain = TestChain::new(&[1, 1, 1, 1]);
    let stranger = key(70);
    let keys = register(embedded(&stranger, CURVE, 9_000));
    assert_eq!(chain.judge(&chain.call(&stranger, keys)), Err(Refusal::NotAValidator));
    let addresses = Call::RegisterAddresses { addresses: vec![].try_into().unwrap() };
    assert_eq!(chain.judge(&chain.call(&stranger, addresses)), Err(Refusal::NotAValidator));
    let _ = (account(&stranger), bitcoin());
}
