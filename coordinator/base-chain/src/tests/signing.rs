//! The confirmation and a set's signatures, made with `modular_frost` as signers make them.

use std::collections::HashMap;

use coordinator_keys::SecretKey;
use modular_frost::{
    Participant,
    algorithm::SchnorrSignature,
    curve::{Ciphersuite, Ristretto},
    dkg::ThresholdKeys,
    sign::{
        AlgorithmMachine, AlgorithmSignMachine, CachedPreprocess, PreprocessMachine, SignMachine,
        SignatureMachine, Writable,
    },
};
use processor_messages::{BaseBlock, BaseBlockHash, Slash, Validator};
use zeroize::Zeroizing;

use super::{CHAIN, batch, key, key_pair, rng, set};
use crate::signing::{self, SetSchnorr};

type Scalar = <Ristretto as Ciphersuite>::F;
type Point = <Ristretto as Ciphersuite>::G;

fn secret(key: &SecretKey) -> Zeroizing<Scalar> {
    let bytes = key.to_bytes();
    Zeroizing::new(<Ristretto as Ciphersuite>::read_F(&mut bytes.as_slice()).unwrap())
}

fn point(key: &SecretKey) -> Point {
    <Ristretto as Ciphersuite>::read_G(&mut key.public().to_bytes().as_slice()).unwrap()
}

fn accounts(keys: &[&SecretKey]) -> Vec<Validator> {
    keys.iter().map(|key| Validator(key.public().to_bytes())).collect()
}

/// What one validator keeps (the cached preprocess) and publishes (the commitments) before the signers
/// are known: made against the MuSig of its own key alone.
fn preprocess(key: &SecretKey, context: [u8; 32], seed: u64) -> (Zeroizing<[u8; 32]>, Vec<u8>) {
    let own = dkg_musig::musig::<Ristretto>(context, secret(key), &[point(key)]).unwrap();
    let (machine, preprocess) = AlgorithmMachine::new(signing::algorithm(), own).preprocess(&mut rng(seed));
    (machine.cache().0, preprocess.serialize())
}

/// Completes a MuSig among `signers`, each from what it kept.
fn confirm(
    context: [u8; 32],
    message: &[u8],
    signers: &[&SecretKey],
    kept: &[(Zeroizing<[u8; 32]>, Vec<u8>)],
) -> [u8; 64] {
    let points: Vec<_> = signers.iter().map(|key| point(key)).collect();
    let mut machines = Vec::new();
    let mut shares = HashMap::new();
    for (i, key) in (1..).zip(signers) {
        let (cache, published) = &kept[usize::from(i - 1u16)];
        let keys = dkg_musig::musig::<Ristretto>(context, secret(key), &points).unwrap();
        let cache = CachedPreprocess(cache.clone());
        let (machine, rebuilt) = AlgorithmSignMachine::from_cache(signing::algorithm(), keys, cache);
        assert_eq!(&rebuilt.serialize(), published, "commitments depend on the seed and the own key only");
        let others = (1..).zip(kept).filter(|(j, _)| *j != i).map(|(j, (_, bytes))| {
            (Participant::new(j).unwrap(), machine.read_preprocess(&mut bytes.as_slice()).unwrap())
        });
        let others = others.collect();
        let (machine, share) = machine.sign(others, message).unwrap();
        shares.insert(Participant::new(i).unwrap(), share.serialize());
        machines.push((Participant::new(i).unwrap(), machine));
    }
    let (own, machine) = machines.remove(0);
    let others = shares.iter().filter(|(i, _)| **i != own);
    let others = others.map(|(i, bytes)| (*i, machine.read_share(&mut bytes.as_slice()).unwrap())).collect();
    signing::to_signature(&machine.complete(others).unwrap())
}

/// BASE-21, and the way of section "confirmation": two of three, preprocessed before anybody knew which two.
#[test]
fn a_confirmation_preprocessed_alone_completes_among_signers_known_later() {
    let keys = [key(1), key(2), key(3)];
    let context = signing::set_keys_context(CHAIN, set(0));
    let kept: Vec<_> = (10..).zip(&keys).map(|(seed, key)| preprocess(key, context, seed)).collect();
    let message = signing::set_keys_message(CHAIN, set(0), &key_pair());

    let signers = [&keys[0], &keys[2]];
    let signature = confirm(context, &message, &signers, &[kept[0].clone(), kept[2].clone()]);

    let verify = |chain, set, pair: &_, signers: &[&SecretKey], signature: &_| {
        signing::verify_set_keys(chain, set, pair, &accounts(signers), signature)
    };
    assert!(verify(CHAIN, set(0), &key_pair(), &signers, &signature));
    assert!(!verify(processor_messages::ChainGenesis([8; 32]), set(0), &key_pair(), &signers, &signature));
    assert!(!verify(CHAIN, set(1), &key_pair(), &signers, &signature));
    let mut other = key_pair();
    other.base[0] ^= 1;
    assert!(!verify(CHAIN, set(0), &other, &signers, &signature));
    for wrong in [vec![&keys[0]], vec![&keys[0], &keys[1]], vec![&keys[2], &keys[0]], keys.iter().collect()] {
        assert!(!verify(CHAIN, set(0), &key_pair(), &wrong, &signature));
    }
    for byte in 0..64 {
        let mut signature = signature;
        signature[byte] ^= 1;
        assert!(!verify(CHAIN, set(0), &key_pair(), &signers, &signature), "byte {byte}");
    }
}

/// BASE-21
#[test]
fn no_confirmation_verifies_for_nobody_somebody_twice_or_a_non_key() {
    let one = Validator(key(1).public().to_bytes());
    for signers in [vec![], vec![one, one], vec![one, Validator([255; 32])], vec![one, Validator([0; 32])]] {
        assert!(!signing::verify_set_keys(CHAIN, set(0), &key_pair(), &signers, &[0; 64]));
    }
}

fn threshold_sign(keys: &HashMap<Participant, ThresholdKeys<Ristretto>>, message: &[u8]) -> [u8; 64] {
    let machines = keys.iter().map(|(i, keys)| {
        (*i, AlgorithmMachine::<Ristretto, SetSchnorr>::new(signing::algorithm(), keys.clone()))
    });
    let mut preprocesses = HashMap::new();
    let mut signing = HashMap::new();
    for (i, machine) in machines {
        let (machine, preprocess) = machine.preprocess(&mut rng(u64::from(u16::from(i))));
        preprocesses.insert(i, preprocess);
        signing.insert(i, machine);
    }
    let mut shares = HashMap::new();
    let mut last = None;
    for (i, machine) in signing {
        let mut others = preprocesses.clone();
        others.remove(&i);
        let (machine, share) = machine.sign(others, message).unwrap();
        shares.insert(i, share);
        last = Some((i, machine));
    }
    let (i, machine) = last.unwrap();
    shares.remove(&i);
    signing::to_signature(&machine.complete(shares).unwrap())
}

/// A 2-of-3 key, dealt: what matters here is the signature, not how the key came to be.
fn dealt_key() -> HashMap<Participant, ThresholdKeys<Ristretto>> {
    use modular_frost::dkg::{Interpolation, ThresholdParams};
    let (a0, a1) = (secret(&key(40)), secret(&key(41)));
    let share = |i: u16| Zeroizing::new(*a0 + (*a1 * Scalar::from(u64::from(i))));
    let verification: HashMap<_, _> = (1..=3)
        .map(|i| (Participant::new(i).unwrap(), <Ristretto as Ciphersuite>::generator() * *share(i)))
        .collect();
    let keys = |i| {
        let params = ThresholdParams::new(2, 3, Participant::new(i).unwrap()).unwrap();
        ThresholdKeys::new(params, Interpolation::Lagrange, share(i), verification.clone()).unwrap()
    };
    [1, 3].map(|i| (Participant::new(i).unwrap(), keys(i))).into()
}

/// BASE-20, BASE-22, BASE-23, BASE-24
#[test]
fn a_sets_signature_verifies_for_its_own_message_only() {
    let keys = dealt_key();
    let group = key(40).public().to_bytes();
    let report = vec![(Validator(key(1).public().to_bytes()), Slash::Points(3))].try_into().unwrap();
    let messages = [
        signing::batch_message(CHAIN, &batch(0)),
        signing::batch_message(CHAIN, &batch(1)),
        signing::slash_report_message(CHAIN, set(0), &report),
        signing::cosign_message(CHAIN, set(0), BaseBlock(5), BaseBlockHash([1; 32])),
        signing::cosign_message(CHAIN, set(1), BaseBlock(5), BaseBlockHash([1; 32])),
    ];
    for (i, message) in messages.iter().enumerate() {
        let signature = threshold_sign(&keys, message);
        assert!(SchnorrSignature::<Ristretto>::read(&mut signature.as_slice()).is_ok());
        for (j, other) in messages.iter().enumerate() {
            assert_eq!(signing::verify(&group, other, &signature), i == j);
        }
        assert!(!signing::verify(&key(41).public().to_bytes(), message, &signature));
    }
}

/// BASE-20
#[test]
fn bytes_that_are_no_key_or_no_signature_never_verify() {
    for key in [[0; 32], [255; 32]] {
        assert!(!signing::is_base_key(&key));
        assert!(!signing::verify(&key, b"message", &[0; 64]));
    }
    assert!(!signing::verify(&key(1).public().to_bytes(), b"message", &[255; 64]));
    assert!(!signing::verify(&key(1).public().to_bytes(), b"message", &[0; 64]));
}

#[test]
fn a_networks_key_is_a_compressed_point_and_nothing_else() {
    let curve = crate::NetworkCurve::Secp256k1;
    let generator = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let generator = hex::decode(generator).unwrap();
    assert!(signing::is_network_key(curve, &generator));
    assert!(!signing::is_network_key(curve, &generator[..32]));
    assert!(!signing::is_network_key(curve, &[generator.clone(), vec![0]].concat()));
    assert!(!signing::is_network_key(curve, &[4; 33]));
    assert!(!signing::is_network_key(curve, &[0; 33]));
    assert!(!signing::is_network_key(curve, &[]));
}

/// `BASE-40`: the base point of RFC 8032; no torsion, no second encoding, no identity.
#[test]
fn a_key_on_ed25519_is_of_prime_order() {
    let curve = crate::NetworkCurve::Ed25519;
    let generator = hex::decode(format!("58{}", "66".repeat(31))).unwrap();
    assert!(signing::is_network_key(curve, &generator));
    assert!(!signing::is_network_key(curve, &generator[..31]));
    assert!(!signing::is_network_key(curve, &[generator.clone(), vec![0]].concat()));
    let identity = [vec![1], vec![0; 31]].concat();
    let of_order_2 = hex::decode(format!("ec{}7f", "ff".repeat(30))).unwrap();
    let of_order_4 = vec![0; 32];
    let not_canonical = hex::decode(format!("ee{}7f", "ff".repeat(30))).unwrap();
    // The base point plus the point of order 2: −x, −y.
    let mixed = hex::decode(format!("95{}99", "99".repeat(30))).unwrap();
    for bytes in [identity, of_order_2, of_order_4, not_canonical, mixed] {
        assert!(!signing::is_network_key(curve, &bytes), "{}", hex::encode(bytes));
    }
}
