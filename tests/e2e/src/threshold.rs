//! FROST signatures by random subsets of all key shares.

use std::collections::HashMap;

use dkg::{Participant, ThresholdKeys};
use modular_frost::{
    algorithm::{Hram, IetfSchnorr, SchnorrSignature},
    curve::Curve,
    sign::{AlgorithmMachine, PreprocessMachine, SignMachine, SignatureMachine},
};
use rand_core::{OsRng, RngCore};

/// Whether `t` key shares drawn at random sign, and the signature verifies under the group key.
pub fn random_subset_signs<C: Curve, H: Hram<C>>(shares: &[ThresholdKeys<C>], message: &[u8]) -> bool {
    random_subset_signature::<C, H>(shares, message).is_some()
}

/// A signature under the group key by `t` key shares drawn at random; `None` if it does not verify.
pub fn random_subset_signature<C: Curve, H: Hram<C>>(
    shares: &[ThresholdKeys<C>],
    message: &[u8],
) -> Option<SchnorrSignature<C>> {
    let first = shares.first()?;
    let t = usize::from(first.params().t());
    let mut pool: Vec<&ThresholdKeys<C>> = shares.iter().collect();
    let mut machines = HashMap::new();
    let mut preprocesses = HashMap::new();
    for _ in 0..t {
        let at = usize::try_from(OsRng.next_u32()).unwrap_or(0) % pool.len();
        let keys = pool.swap_remove(at);
        let machine = AlgorithmMachine::new(IetfSchnorr::<C, H>::ietf(), keys.clone());
        let (machine, preprocess) = machine.preprocess(&mut OsRng);
        machines.insert(keys.params().i(), machine);
        preprocesses.insert(keys.params().i(), preprocess);
    }
    let mut signers = HashMap::new();
    let mut signature_shares = HashMap::new();
    for (i, machine) in machines {
        let (machine, share) = machine.sign(without(&preprocesses, i), message).expect("honest preprocesses");
        signers.insert(i, machine);
        signature_shares.insert(i, share);
    }
    let complete = |(i, machine): (Participant, modular_frost::sign::AlgorithmSignatureMachine<C, _>)| {
        let signature: SchnorrSignature<C> =
            machine.complete(without(&signature_shares, i)).expect("honest shares");
        let challenge = H::hram(&signature.R, &first.group_key(), message);
        signature.verify(first.group_key(), challenge).then_some(signature)
    };
    signers.into_iter().map(complete).collect::<Option<Vec<_>>>()?.pop()
}

fn without<T: Clone>(all: &HashMap<Participant, T>, own: Participant) -> HashMap<Participant, T> {
    all.iter().filter(|(i, _)| **i != own).map(|(i, value)| (*i, value.clone())).collect()
}
