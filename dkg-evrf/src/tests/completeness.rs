//! Honest sessions: keys come out, and they sign.

use std::collections::HashMap;

use dkg::{Participant, ThresholdKeys};
use ff::Field;
use modular_frost::algorithm::{Hram, IetfSchnorr, SchnorrSignature};
use modular_frost::curve::{
    Curve, Ed25519, IetfEd25519Hram, IetfRistrettoHram, IetfSecp256k1Hram, Ristretto, Secp256k1,
};
use modular_frost::sign::{AlgorithmMachine, PreprocessMachine, SignMachine, SignatureMachine};
use rand_core::RngCore;

use super::{Set, rng};
use crate::{SigningCurve, ValidatorIndex, recover};

/// All threshold keys of a set, by participant.
fn all_keys<C: SigningCurve>(set: &Set<C>, dealers: &[u16]) -> HashMap<Participant, ThresholdKeys<C>> {
    let closed = set.close(dealers.iter().copied());
    let mut keys = HashMap::new();
    for validator in 0..set.parameters.validators() {
        let secret = &set.secrets[usize::from(validator)];
        let own = recover(&set.parameters, &closed, ValidatorIndex(validator), secret).unwrap();
        assert_eq!(own.len(), usize::from(set.parameters.weight(ValidatorIndex(validator)).unwrap()));
        for key in own {
            assert_eq!(key.group_key(), closed.group_key());
            let index = key.params().i();
            assert_eq!(Some(key.original_verification_share(index)), closed.verification_share(index));
            assert_eq!(
                C::generator() * **key.original_secret_share(),
                key.original_verification_share(index)
            );
            assert!(keys.insert(index, key).is_none());
        }
    }
    assert_eq!(keys.len(), usize::from(set.parameters.shares()));
    keys
}

/// The group's secret, interpolated from the shares of these participants.
fn interpolate<C: SigningCurve>(keys: &HashMap<Participant, ThresholdKeys<C>>, indices: &[u16]) -> C::F {
    let scalar = |i: u16| C::F::from(u64::from(i));
    indices
        .iter()
        .map(|i| {
            let others = indices.iter().filter(|j| *j != i);
            let factor =
                others.fold(C::F::ONE, |f, j| f * scalar(*j) * (scalar(*j) - scalar(*i)).invert().unwrap());
            **keys[&Participant::new(*i).unwrap()].original_secret_share() * factor
        })
        .sum()
}

/// Random subsets of size `t`.
fn subset(n: u16, t: u16, seed: u64) -> Vec<u16> {
    let mut rng = rng(seed);
    let mut indices = (1..=n).collect::<Vec<_>>();
    for i in (1..indices.len()).rev() {
        let j = usize::try_from(rng.next_u64() % (u64::try_from(i).unwrap() + 1)).unwrap();
        indices.swap(i, j);
    }
    indices.truncate(usize::from(t));
    indices
}

/// A FROST signature by these signers, as in RFC 9591.
fn sign<C: Curve, H: Hram<C>>(
    keys: &HashMap<Participant, ThresholdKeys<C>>,
    signers: &[u16],
    message: &[u8],
) -> SchnorrSignature<C> {
    let rng = &mut rng(3);
    let signers = signers.iter().map(|i| Participant::new(*i).unwrap()).collect::<Vec<_>>();
    let mut machines = HashMap::new();
    let mut preprocesses = HashMap::new();
    for signer in &signers {
        let machine = AlgorithmMachine::new(IetfSchnorr::<C, H>::ietf(), keys[signer].clone());
        let (machine, preprocess) = machine.preprocess(rng);
        machines.insert(*signer, machine);
        preprocesses.insert(*signer, preprocess);
    }
    let without = |signer: &Participant| {
        preprocesses.iter().filter(|(i, _)| *i != signer).map(|(i, p)| (*i, p.clone())).collect()
    };
    let mut signing = HashMap::new();
    let mut shares = HashMap::new();
    for (signer, machine) in machines {
        let (machine, share) = machine.sign(without(&signer), message).unwrap();
        signing.insert(signer, machine);
        shares.insert(signer, share);
    }
    let machine = signing.remove(&signers[0]).unwrap();
    shares.remove(&signers[0]);
    machine.complete(shares).unwrap()
}

fn session_makes_keys_that_sign<C: SigningCurve + Curve, H: Hram<C>>(
    weights: &[u16],
    t: u16,
    dealers: &[u16],
) {
    let set = Set::<C>::new(weights, t);
    let keys = all_keys(&set, dealers);
    let group_key = keys[&Participant::new(1).unwrap()].group_key();
    for seed in 0..3 {
        let indices = subset(set.parameters.shares(), t, seed);
        let generator = <C as ciphersuite::Ciphersuite>::generator();
        assert_eq!(generator * interpolate(&keys, &indices), group_key, "any t shares make the key");
        assert_ne!(generator * interpolate(&keys, &indices[1..]), group_key, "t - 1 shares do not");
        let signature = sign::<C, H>(&keys, &indices, b"message");
        assert!(signature.verify(group_key, H::hram(&signature.R, &group_key, b"message")));
        assert!(!signature.verify(group_key, H::hram(&signature.R, &group_key, b"another")));
    }
}

/// EVRF-11.
#[test]
fn evrf_11_four_equal_validators_make_keys_that_sign() {
    session_makes_keys_that_sign::<Ristretto, IetfRistrettoHram>(&[1, 1, 1, 1], 3, &[0, 1, 2, 3]);
    session_makes_keys_that_sign::<Ed25519, IetfEd25519Hram>(&[1, 1, 1, 1], 3, &[0, 1, 2, 3]);
    session_makes_keys_that_sign::<Secp256k1, IetfSecp256k1Hram>(&[1, 1, 1, 1], 3, &[0, 1, 2, 3]);
}

/// EVRF-11.
#[test]
fn evrf_11_a_silent_validator_obtains_its_shares() {
    session_makes_keys_that_sign::<Ristretto, IetfRistrettoHram>(&[1, 1, 1, 1], 3, &[3, 0, 2]);
    session_makes_keys_that_sign::<Ed25519, IetfEd25519Hram>(&[1, 1, 1, 1], 3, &[3, 0, 2]);
    session_makes_keys_that_sign::<Secp256k1, IetfSecp256k1Hram>(&[1, 1, 1, 1], 3, &[1, 2, 3]);
}

/// EVRF-4.
#[test]
fn evrf_4_validators_with_several_shares_make_keys_that_sign() {
    session_makes_keys_that_sign::<Ristretto, IetfRistrettoHram>(&[3, 3, 2, 2], 7, &[0, 1, 2, 3]);
    session_makes_keys_that_sign::<Ed25519, IetfEd25519Hram>(&[3, 3, 2, 2], 7, &[0, 1, 2, 3]);
    session_makes_keys_that_sign::<Secp256k1, IetfSecp256k1Hram>(&[3, 3, 2, 2], 7, &[0, 1, 3]);
}

/// EVRF-1.
#[test]
fn evrf_1_many_sizes_are_complete() {
    for (weights, t) in [
        (&[1, 1][..], 2),
        (&[1, 1, 1], 2),
        (&[2, 1], 3),
        (&[1, 2, 1], 4),
        (&[1, 1, 1, 1, 1], 4),
        (&[3, 2, 2, 1, 1, 1, 1], 8),
    ] {
        let dealers = (0u16..).zip(weights).map(|(i, _)| i).collect::<Vec<_>>();
        session_makes_keys_that_sign::<Ristretto, IetfRistrettoHram>(weights, t, &dealers);
        session_makes_keys_that_sign::<Ed25519, IetfEd25519Hram>(weights, t, &dealers);
        session_makes_keys_that_sign::<Secp256k1, IetfSecp256k1Hram>(weights, t, &dealers);
    }
}
