//! Keys dealt by a seed which everybody knows: for tests of everything around the key generation.

use std::collections::HashMap;

use ::dkg::{Interpolation, Participant, ThresholdKeys, ThresholdParams};
use blake2::{Blake2b512, Digest};
use ciphersuite::{Ciphersuite, group::ff::Field};
use processor_messages::key_gen::ParticipationBytes;
use zeroize::Zeroizing;

use super::{Context, KeyGenError, KeyGeneration, Keys};
use crate::secrets::EmbeddedSecrets;

/// A participation is valid if it is the member's index followed by `VALID`.
pub(crate) struct Dealt;

const VALID: &[u8] = b"dealt";

pub(crate) fn participation(member: u16) -> ParticipationBytes {
    ParticipationBytes::new([&member.to_le_bytes(), VALID].concat()).unwrap()
}

fn deal<C: Ciphersuite>(context: &Context, own: u16) -> Vec<ThresholdKeys<C>> {
    let seed = Blake2b512::digest(format!("{context:?}"));
    let f: Vec<C::F> = (0..context.threshold)
        .map(|k| C::hash_to_F(b"dealt", &[&seed[..], &k.to_le_bytes()].concat()))
        .collect();
    let n = context.total_shares();
    let at = |i: u16| f.iter().rev().fold(C::F::ZERO, |sum, a| sum * C::F::from(u64::from(i)) + a);
    let shares: HashMap<_, _> =
        (1..=n).map(|i| (Participant::new(i).unwrap(), C::generator() * at(i))).collect();
    let first = context.first_index(own).unwrap();
    let weight = context.members[usize::from(own)].shares.0;
    (first..first + weight)
        .map(|i| {
            let params = ThresholdParams::new(context.threshold, n, Participant::new(i).unwrap()).unwrap();
            let share = Zeroizing::new(at(i));
            ThresholdKeys::new(params, Interpolation::Lagrange, share, shares.clone()).unwrap()
        })
        .collect()
}

impl KeyGeneration for Dealt {
    fn check(&self, context: &Context) -> Result<(), KeyGenError> {
        if context.members.is_empty() {
            return Err(KeyGenError::Parameters("no members".to_owned()));
        }
        Ok(())
    }

    fn participate(
        &self,
        _: &Context,
        own: u16,
        _: &EmbeddedSecrets,
    ) -> Result<ParticipationBytes, KeyGenError> {
        Ok(participation(own))
    }

    fn verify(
        &self,
        _: &Context,
        participations: &[(u16, ParticipationBytes)],
    ) -> Result<Vec<bool>, KeyGenError> {
        Ok(participations.iter().map(|(member, bytes)| *bytes == participation(*member)).collect())
    }

    fn recover(
        &self,
        context: &Context,
        own: u16,
        _: &EmbeddedSecrets,
        dealers: &[(u16, ParticipationBytes)],
    ) -> Result<Keys, KeyGenError> {
        assert!(dealers.iter().all(|(member, bytes)| *bytes == participation(*member)));
        Ok(Keys { base: deal(context, own), network: deal(context, own) })
    }
}
