//! Every key encodes in order and back.

use std::fmt::Debug;

use processor_messages::{
    Attempt, BaseBlock, BatchId, Genesis, Incarnation, Network, Session, TransactionId, TributaryBlock,
    Validator, ValidatorSet,
};
use proptest::prelude::*;

use crate::Key;

fn encode(key: &impl Key) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.encode_to(&mut bytes);
    bytes
}

/// STORE-11: round trip, self-delimiting, in order.
fn lawful<K: Key + Ord + Debug>(a: &K, b: &K) {
    for key in [a, b] {
        let mut bytes = encode(key);
        let whole = bytes.clone();
        bytes.extend(*b"rest");
        let mut rest = bytes.as_slice();
        assert_eq!(K::decode(&mut rest).as_ref(), Some(key));
        assert_eq!(rest, b"rest");
        for cut in 0..whole.len() {
            assert_eq!(K::decode(&mut &whole[..cut]), None, "a part of a key is no key");
        }
    }
    assert_eq!(encode(a).cmp(&encode(b)), a.cmp(b));
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // Small bytes often, since zero is what is escaped.
    proptest::collection::vec(prop_oneof![0..3_u8, Just(0xff), any::<u8>()], 0..6)
}

fn network() -> impl Strategy<Value = Network> {
    "[a-z][a-z0-9]{0,5}".prop_map(|name| Network::new(&name).unwrap())
}

fn set() -> impl Strategy<Value = ValidatorSet> {
    (network(), any::<u32>().prop_map(Session))
        .prop_map(|(network, session)| ValidatorSet { network, session })
}

proptest! {
    #[test]
    fn integers_are_lawful(a: (u8, u16, u32, u64), b: (u8, u16, u32, u64)) {
        lawful(&a.0, &b.0);
        lawful(&a.1, &b.1);
        lawful(&a.2, &b.2);
        lawful(&a.3, &b.3);
        lawful(&a, &b);
    }

    #[test]
    fn byte_strings_are_lawful(a in bytes(), b in bytes()) {
        lawful(&a, &b);
    }

    #[test]
    fn numbers_are_lawful(a: (u32, u64), b: (u32, u64)) {
        lawful(&Session(a.0), &Session(b.0));
        lawful(&BatchId(a.0), &BatchId(b.0));
        lawful(&Attempt(a.0), &Attempt(b.0));
        lawful(&BaseBlock(a.1), &BaseBlock(b.1));
        lawful(&TributaryBlock(a.1), &TributaryBlock(b.1));
        lawful(&Incarnation(a.1), &Incarnation(b.1));
    }

    #[test]
    fn identities_are_lawful(a: [u8; 32], b: [u8; 32]) {
        lawful(&a, &b);
        lawful(&Validator(a), &Validator(b));
        lawful(&Genesis(a), &Genesis(b));
        lawful(&TransactionId(a), &TransactionId(b));
    }

    #[test]
    fn networks_and_sets_are_lawful(a in (network(), set()), b in (network(), set())) {
        lawful(&a.0, &b.0);
        lawful(&a.1, &b.1);
    }

    #[test]
    fn tuples_are_lawful(a in (bytes(), bytes(), any::<u8>()), b in (bytes(), bytes(), any::<u8>())) {
        lawful(&a, &b);
        lawful(&(a.0.clone(), a.2), &(b.0.clone(), b.2));
        lawful(&(), &());
    }

    #[test]
    fn any_bytes_decode_to_a_key_or_none(bytes in bytes()) {
        let _ = Vec::<u8>::decode(&mut bytes.as_slice());
        let _ = ValidatorSet::decode(&mut bytes.as_slice());
        let _ = <(u8, Vec<u8>, u16, Network)>::decode(&mut bytes.as_slice());
    }
}
