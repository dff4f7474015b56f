#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;

const CURVES: [CurveId; 2] = [CurveId::Embedwards25519, CurveId::Secq256k1];
const GENESIS: [u8; 32] = [1; 32];
const VALIDATOR: [u8; 32] = [2; 32];

fn secret(curve: CurveId) -> EmbeddedSecret {
    EmbeddedSecret::random(curve, &mut ChaCha20Rng::from_seed([3; 32]))
}

fn proof(secret: &EmbeddedSecret) -> ProofBytes {
    prove(&GENESIS, &VALIDATOR, secret, &mut ChaCha20Rng::from_seed([4; 32]))
}

/// CURVE-12.
#[test]
fn a_registration_verifies_for_its_chain_validator_curve_and_key_only() {
    for curve in CURVES {
        let (secret, other) = (secret(curve), EmbeddedSecret::from_bytes(curve, &[5; 32]));
        let (proof, key) = (proof(&secret), secret.key());
        assert_eq!(verify(curve, &GENESIS, &VALIDATOR, &key, &proof), Ok(()));
        let refused = Err(RegistrationError::Proof);
        assert_eq!(verify(curve, &VALIDATOR, &VALIDATOR, &key, &proof), refused);
        assert_eq!(verify(curve, &GENESIS, &GENESIS, &key, &proof), refused);
        assert_eq!(verify(curve, &GENESIS, &VALIDATOR, &other.unwrap().key(), &proof), refused);
        let mut negative = key;
        negative[32] ^= 1;
        assert_eq!(verify(curve, &GENESIS, &VALIDATOR, &negative, &proof), refused);
        assert_eq!(x_coordinate(curve, &negative), x_coordinate(curve, &key));
    }
}

#[test]
fn every_flipped_bit_of_a_proof_is_refused() {
    for curve in CURVES {
        let secret = secret(curve);
        let proof = proof(&secret);
        for bit in 0..8 * PROOF_BYTES {
            let mut wrong = proof;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(curve, &GENESIS, &VALIDATOR, &secret.key(), &wrong).is_err(), "bit {bit}");
        }
    }
}

/// A response of s + q would be a second encoding of the same proof (CURVE-12).
#[test]
fn a_response_that_is_not_canonical_is_refused() {
    let secret = secret(CurveId::Embedwards25519);
    let mut proof = proof(&secret);
    let order = <crate::field::Embedwards25519Order as Modulus>::LIMBS.map(u64::to_le_bytes).concat();
    let mut carry = 0;
    for (byte, add) in proof[POINT_BYTES..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    let found = verify(secret.curve(), &GENESIS, &VALIDATOR, &secret.key(), &proof);
    assert_eq!(found, Err(RegistrationError::Proof));
}

/// CURVE-5.
#[test]
fn keys_have_one_encoding_and_the_identity_none() {
    for curve in CURVES {
        let key = secret(curve).key();
        for sign in 2..=255 {
            let mut wrong = key;
            wrong[32] = sign;
            assert_eq!(x_coordinate(curve, &wrong), Err(RegistrationError::Key));
        }
        assert_eq!(x_coordinate(curve, &key[..32]), Err(RegistrationError::Key));
        assert_eq!(x_coordinate(curve, &[]), Err(RegistrationError::Key));
        assert_eq!(x_coordinate(curve, &[0xff; 33]), Err(RegistrationError::Key));
        assert!(EmbeddedSecret::from_bytes(curve, &[0; 32]).is_err());
        assert!(EmbeddedSecret::from_bytes(curve, &[0xff; 32]).is_err());
    }
    // x + p is below 2^256 on embedwards25519 and must not decode as x.
    let mut shifted = Affine::<Embedwards25519>::GENERATOR.to_bytes();
    let prime = <crate::field::RistrettoOrder as Modulus>::LIMBS.map(u64::to_le_bytes).concat();
    shifted[..32].copy_from_slice(&prime);
    shifted[0] += 1;
    assert_eq!(x_coordinate(CurveId::Embedwards25519, &shifted), Err(RegistrationError::Key));
}

/// CURVE-11: fresh bytes alone change the nonce, and so does the statement under the same bytes.
#[test]
fn a_nonce_depends_on_the_statement_and_on_fresh_bytes() {
    for curve in CURVES {
        let secret = secret(curve);
        let nonce = |proof: ProofBytes| proof[..POINT_BYTES].to_vec();
        let first = nonce(proof(&secret));
        let other = prove(&VALIDATOR, &VALIDATOR, &secret, &mut ChaCha20Rng::from_seed([4; 32]));
        assert_ne!(first, nonce(other));
        let later = prove(&GENESIS, &VALIDATOR, &secret, &mut ChaCha20Rng::from_seed([5; 32]));
        assert_ne!(first, nonce(later));
    }
}

/// CURVE-10.
#[test]
fn a_fresh_key_is_that_of_its_secret() {
    for curve in CURVES {
        let secret = secret(curve);
        assert_eq!(EmbeddedSecret::from_bytes(curve, &secret.to_bytes()).unwrap().key(), secret.key());
        assert_eq!(format!("{secret:?}"), format!("EmbeddedSecret({curve:?}, redacted)"));
    }
}

/// Frozen: chains hold such keys (CURVE-5, CURVE-12).
#[test]
fn encodings_of_keys_and_proofs_are_frozen() {
    let found = CURVES.map(|curve| {
        let secret = EmbeddedSecret::from_bytes(curve, &[7; 32]).unwrap();
        let digest = Sha512::digest(proof(&secret));
        (hex::encode(secret.key()), hex::encode(&digest[..16]))
    });
    let expected = [
        (
            "6941d957a72da9d6d0e0253b0a780374598aaa86a88be84bc31c4eb1eaec3b0100",
            "c4d714fc48ecf4020297db1488b14071",
        ),
        (
            "5e408ecfe62cd870bef8980a4ef7715d68f21747877dc785064b110edd7fba4501",
            "ce6dec8b7f53d8f57c481162dee3a7e6",
        ),
    ];
    assert_eq!(found.each_ref().map(|(key, proof)| (key.as_str(), proof.as_str())), expected);
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(
        key in prop::collection::vec(any::<u8>(), 0..70),
        bytes in prop::collection::vec(any::<u8>(), 0..140),
        second in any::<bool>(),
    ) {
        let curve = CURVES[usize::from(second)];
        prop_assert!(verify(curve, &GENESIS, &VALIDATOR, &key, &bytes).is_err());
        let secret = secret(curve);
        prop_assert!(verify(curve, &GENESIS, &VALIDATOR, &secret.key(), &bytes).is_err());
        let _: Result<_, _> = x_coordinate(curve, &key);
    }
}
