//! What a set of the largest size sends fits where it is sent.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use coordinator_core::session::transaction::{MAX_PAYLOAD_BYTES, Signed};
use coordinator_keys::SecretKey;
use dkg_evrf::{
    MAX_SHARES, MAX_WEIGHT, Parameters, Participation, Purpose, Session, SigningCurve, Validator,
};
use embedded_curves::{EmbeddedCurve, registration::EmbeddedSecret};
use modular_frost::curve::{Ed25519, Ristretto, Secp256k1};
use processor_messages::{Bytes, Genesis, MAX_PARTICIPATION_BYTES, encode, key_gen::ParticipationBytes};
use rand_core::OsRng;
use tributary::{Limits, SignedTransaction, Transaction};

/// How often everything longest must fit: a limit which is met exactly is no limit to rely on.
const TIMES: usize = 2;

/// As many validators of this weight as make the largest set, and one with what is left.
fn weights(weight: u16) -> Vec<u16> {
    let (equal, rest) = (usize::from(MAX_SHARES / weight), MAX_SHARES % weight);
    let mut weights = vec![weight; equal];
    weights.extend((rest > 0).then_some(rest));
    weights
}

/// The length of every participation in a set with these weights.
fn length<C: SigningCurve>(weights: &[u16]) -> usize {
    let validator = |(index, weight): (u16, &u16)| {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&index.to_le_bytes());
        let embedded_key = EmbeddedSecret::random(C::Embedded::ID, &mut OsRng).key();
        Validator { key, weight: *weight, embedded_key }
    };
    let validators: Vec<_> = (0..).zip(weights).map(validator).collect();
    let session = Session { chain_genesis: [0; 32], network: b"bitcoin".to_vec(), session: 0 };
    let t = (2 * MAX_SHARES) / 3 + 1;
    let parameters = Parameters::<C>::new(&session, Purpose::Network, t, &validators).unwrap();
    Participation::encoded_len(&parameters)
}

/// The transaction which carries the participations for both curves, as long as `TIMES` what they are.
fn transaction(base: usize, network: usize) -> Transaction {
    let part = |length: usize| Bytes::<MAX_PARTICIPATION_BYTES>::new(vec![7; TIMES * length]).unwrap();
    let both = encode(&(part(base), part(network)));
    let participation = Signed::DkgParticipation(ParticipationBytes::new(both).unwrap());
    let (slot, payload) = (participation.slot(), participation.to_bytes());
    assert!(payload.len() < MAX_PAYLOAD_BYTES);
    let (order, payload) = (Bytes::new(slot.order).unwrap(), Bytes::new(payload).unwrap());
    let key = SecretKey::random(&mut OsRng);
    Transaction::Signed(SignedTransaction::sign(Genesis([7; 32]), &key, order, slot.nonce, payload))
}

/// With each greatest weight: it decides, with the number of shares, how long a participation is.
#[test]
fn participations_of_the_largest_sets_fit_a_transaction_twice_over() {
    for weight in [1, 2, 3, 5, 7, 10, 15, MAX_WEIGHT] {
        let weights = weights(weight);
        assert_eq!(weights.iter().sum::<u16>(), MAX_SHARES);
        let base = length::<Ristretto>(&weights);
        for network in [length::<Secp256k1>(&weights), length::<Ed25519>(&weights)] {
            let size = encode(&transaction(base, network)).len();
            assert!(size > TIMES * (base + network));
            assert!(size <= Limits::default().transaction(), "weight {weight}: {size} bytes");
            assert!(size < 1024 * 1024, "weight {weight}: {size} bytes");
        }
    }
}
