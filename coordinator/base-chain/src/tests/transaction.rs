use processor_messages::{Amount, ChainGenesis, KeyShares, encode};
use proptest::prelude::*;

use super::{CHAIN, key, network};
use crate::{Call, MAX_TRANSACTION_BYTES, SignedCall, Signers, Transaction};

fn signed() -> SignedCall {
    SignedCall::sign(&key(1), CHAIN, 4, Call::Allocate { network: network(), amount: Amount(9) })
}

/// BASE-30
#[test]
fn a_call_is_bound_to_chain_account_nonce_and_content() {
    let call = signed();
    assert!(call.verify(CHAIN));
    assert!(!call.verify(ChainGenesis([1; 32])));
    let mut other = call.clone();
    other.nonce = 5;
    assert!(!other.verify(CHAIN));
    let mut other = call.clone();
    other.account = processor_messages::Account(key(2).public().to_bytes());
    assert!(!other.verify(CHAIN));
    let mut other = call;
    other.call = Call::Deallocate { network: network(), amount: Amount(9) };
    assert!(!other.verify(CHAIN));
}

#[test]
fn signers_select_only_with_one_bit_for_each_member() {
    let signers = Signers(vec![true, false, true].try_into().unwrap());
    let shares = [3, 2, 4].map(KeyShares);
    assert_eq!(signers.weight(&shares), Some(7));
    assert_eq!(signers.weight(&shares[..2]), None);
    assert_eq!(signers.select(&["a", "b", "c"]), Some(vec![&"a", &"c"]));
}

#[test]
fn a_transaction_longer_than_the_bound_does_not_decode() {
    let mut bytes = encode(&Transaction::Call(signed()));
    assert_eq!(Transaction::decode(&bytes), Ok(Transaction::Call(signed())));
    bytes.push(0);
    assert!(Transaction::decode(&bytes).is_err());
    assert!(Transaction::decode(&vec![0; MAX_TRANSACTION_BYTES + 1]).is_err());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_decode_canonically(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(transaction) = Transaction::decode(&bytes) {
            prop_assert_eq!(encode(&transaction), bytes);
        }
    }
}
