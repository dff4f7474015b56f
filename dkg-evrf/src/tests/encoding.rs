//! Foreign bytes: one encoding for each participation, every field counts, nothing panics.

use arithmetic_bulletproofs::ProofCurve;
use embedded_curves::Affine;
use proptest::prelude::*;

use super::{Set, rng};
use crate::curves::{Element, Scalar, SigningCurve};
use crate::malicious::{Field, fields};
use crate::{
    DecodeError, Ed25519, Participation, Ristretto, Secp256k1, ValidatorIndex, Work, verify_encoded,
};

/// Another valid encoding for a field.
fn replacement<C: SigningCurve>(field: Field, bytes: &[u8]) -> Vec<u8> {
    match field {
        Field::Point => Element::<C>::new(C::Group::generator()).bytes().to_vec(),
        Field::Embedded => Affine::<C::Embedded>::GENERATOR.to_bytes().to_vec(),
        Field::Scalar => {
            let value = Scalar::<C>::from_bytes(bytes.try_into().unwrap()).unwrap();
            (value + Scalar::<C>::ONE).to_bytes().to_vec()
        }
    }
}

fn tampering<C: SigningCurve>() {
    let set = Set::<C>::new(&[1, 1], 2);
    let honest = set.participate(0);
    let bytes = honest.encode();
    assert_eq!(bytes.len(), Participation::encoded_len(&set.parameters));
    assert_eq!(Participation::decode(&set.parameters, &bytes).as_ref(), Ok(&honest));
    let mut tampered = vec![(ValidatorIndex(0), honest)];
    let mut start = 1;
    for (i, field) in fields(&set.parameters).into_iter().enumerate() {
        let range = start..start + field.len::<C>();
        start = range.end;
        let mut other = bytes.clone();
        other[range.clone()].copy_from_slice(&replacement::<C>(field, &bytes[range.clone()]));
        assert_ne!(other, bytes, "field {i}");
        tampered.push((ValidatorIndex(0), Participation::decode(&set.parameters, &other).unwrap()));
        other[range].fill(0xff);
        let decoded = Participation::decode(&set.parameters, &other);
        assert!(matches!(decoded, Err(DecodeError::Field(_))), "field {i}");
    }
    assert_eq!(start, bytes.len(), "every byte belongs to a field");
    let verdicts = set.verify(&tampered);
    let valid = (0..).zip(&verdicts).filter(|(_, verdict)| verdict.is_valid()).map(|(i, _): (usize, _)| i);
    assert_eq!(valid.collect::<Vec<_>>(), [0]);
}

/// EVRF-9.
#[test]
fn evrf_9_each_field_of_a_participation_counts() {
    tampering::<Ristretto>();
    tampering::<Secp256k1>();
}

fn lengths<C: SigningCurve>() {
    let set = Set::<C>::new(&[1, 1], 2);
    let bytes = set.participate(0).encode();
    let expected = bytes.len();
    let decode = |bytes: &[u8]| Participation::decode(&set.parameters, bytes);
    for found in (0..expected).step_by(7).chain([expected - 1, expected + 1, 2 * expected]) {
        let other = bytes.iter().copied().cycle().take(found).collect::<Vec<_>>();
        assert_eq!(decode(&other), Err(DecodeError::Length { expected, found }));
    }
    for other in [0, 2, u8::MAX] {
        let mut version = bytes.clone();
        version[0] = other;
        assert_eq!(decode(&version), Err(DecodeError::Version(other)));
    }
    // The identity of Ristretto is 32 zeros; of secp256k1, nothing with 33 bytes is.
    let mut identity = bytes;
    identity[1..=C::Group::POINT_LEN].fill(0);
    assert_eq!(decode(&identity), Err(DecodeError::Field("a coefficient's commitment")));
}

/// EVRF-9.
#[test]
fn evrf_9_the_parameters_determine_the_length() {
    lengths::<Ristretto>();
    lengths::<Secp256k1>();
}

/// Every byte of a participation, changed in one bit or in all, is refused: when it is decoded or when it is verified.
fn every_byte<C: SigningCurve>() {
    let set = Set::<C>::new(&[1, 1], 2);
    let honest = set.participate(0).encode();
    // Every bit is reached in some byte of every field.
    let altered = |at: usize| {
        [1 << (at % 8), 0xff].map(|bits| {
            let mut bytes = honest.clone();
            bytes[at] ^= bits;
            (ValidatorIndex(0), bytes)
        })
    };
    let positions = (0..honest.len()).collect::<Vec<_>>();
    for positions in positions.chunks(128) {
        let mut all = vec![(ValidatorIndex(0), honest.clone())];
        all.extend(positions.iter().flat_map(|at| altered(*at)));
        let verdicts = verify_encoded(&set.parameters, &all, &mut rng(4), Work::default()).unwrap();
        let valid = verdicts.iter().map(crate::Verdict::is_valid).enumerate().filter(|(_, valid)| *valid);
        let valid = valid.map(|(i, _)| i).collect::<Vec<_>>();
        assert_eq!(valid, [0], "from byte {}", positions[0]);
    }
}

/// EVRF-9, EVRF-10.
#[test]
fn evrf_9_each_byte_of_a_participation_counts_on_ristretto() {
    every_byte::<Ristretto>();
}

/// EVRF-9, EVRF-10.
#[test]
fn evrf_9_each_byte_of_a_participation_counts_on_secp256k1() {
    every_byte::<Secp256k1>();
}

/// EVRF-9, EVRF-10.
#[test]
fn evrf_9_each_byte_of_a_participation_counts_on_ed25519() {
    every_byte::<Ed25519>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// EVRF-9: whatever arrives is decoded or refused.
    #[test]
    fn evrf_9_no_bytes_panic(noise in proptest::collection::vec(any::<u8>(), 0 .. 6000), at in any::<usize>()) {
        thread_local! {
            static SET: (Set<Ristretto>, Vec<u8>) = {
                let set = Set::new(&[1, 1], 2);
                let bytes = set.participate(0).encode();
                (set, bytes)
            };
        }
        SET.with(|(set, honest)| {
            let _ = Participation::decode(&set.parameters, &noise);
            // Of the right length, with honest bytes up to somewhere.
            let at = at % honest.len();
            let mut bytes = honest.clone();
            for (byte, noise) in bytes[at ..].iter_mut().zip(&noise) {
                *byte = *noise;
            }
            if let Ok(decoded) = Participation::decode(&set.parameters, &bytes) {
                prop_assert_eq!(decoded.encode(), bytes, "one encoding for each participation");
            }
            Ok(())
        })?;
    }
}
