//! Keys dealt by a seed which everybody knows: for tests of everything around the key generation.

use std::{collections::HashMap, ops::ControlFlow};

use ::dkg::{Interpolation, Participant, ThresholdKeys, ThresholdParams};
use blake2::{Blake2b512, Digest};
use ciphersuite::{
    Ciphersuite,
    group::{GroupEncoding, ff::Field},
};
use coordinator_base_chain::NetworkCurve;
use modular_frost::curve::{Ed25519, Ristretto, Secp256k1};
use processor_messages::{KeyBytes, KeyPair, key_gen::ParticipationBytes};
use zeroize::Zeroizing;

use super::{
    Context, KeyGenError, KeyGeneration, Keys, NetworkKeys,
    progress::{Hook, Progress},
};
use crate::secrets::EmbeddedSecrets;

/// A participation is valid if it is the member's index followed by `VALID`.
pub struct Dealt;

const VALID: &[u8] = b"dealt";

/// The participation of a member.
///
/// # Panics
/// Never: it is short.
pub fn participation(member: u16) -> ParticipationBytes {
    ParticipationBytes::new([&member.to_le_bytes(), VALID].concat()).expect("short")
}

fn polynomial<C: Ciphersuite>(context: &Context) -> Vec<C::F> {
    let seed = Blake2b512::digest(format!("{context:?}"));
    (0..context.threshold).map(|k| C::hash_to_F(b"dealt", &[&seed[..], &k.to_le_bytes()].concat())).collect()
}

/// The group key of dealt keys, from what was dealt alone.
fn group_key<C: Ciphersuite>(context: &Context) -> Vec<u8> {
    let secret = polynomial::<C>(context).first().copied().unwrap_or(C::F::ZERO);
    (C::generator() * secret).to_bytes().as_ref().to_vec()
}

/// The key pair of dealt keys, from what was dealt alone; `None` never: each key has its curve's length.
pub fn key_pair(context: &Context) -> Option<KeyPair> {
    let network = match context.curve {
        NetworkCurve::Secp256k1 => group_key::<Secp256k1>(context),
        NetworkCurve::Ed25519 => group_key::<Ed25519>(context),
    };
    let base = group_key::<Ristretto>(context).try_into().ok()?;
    Some(KeyPair { base, network: KeyBytes::new(network).ok()? })
}

fn deal<C: Ciphersuite>(context: &Context, own: u16) -> Option<Vec<ThresholdKeys<C>>> {
    let f = polynomial::<C>(context);
    let n = context.total_shares();
    let at = |i: u16| f.iter().rev().fold(C::F::ZERO, |sum, a| sum * C::F::from(u64::from(i)) + a);
    let shares: HashMap<_, _> =
        (1..=n).filter_map(|i| Some((Participant::new(i)?, C::generator() * at(i)))).collect();
    let first = context.first_index(own)?;
    let weight = context.members.get(usize::from(own))?.shares.0;
    (first..first.checked_add(weight)?)
        .map(|i| {
            let params = ThresholdParams::new(context.threshold, n, Participant::new(i)?).ok()?;
            ThresholdKeys::new(params, Interpolation::Lagrange, Zeroizing::new(at(i)), shares.clone()).ok()
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

    fn verify_with(
        &self,
        _: &Context,
        participations: &[(u16, ParticipationBytes)],
        hook: Hook<'_>,
    ) -> Result<Vec<bool>, KeyGenError> {
        let of = participations.len();
        let verify = |(done, (member, bytes)): (usize, &(u16, ParticipationBytes))| match hook(Progress {
            done,
            of,
        }) {
            ControlFlow::Continue(()) => Ok(*bytes == participation(*member)),
            ControlFlow::Break(()) => Err(KeyGenError::Cancelled),
        };
        participations.iter().enumerate().map(verify).collect()
    }

    fn recover_with(
        &self,
        context: &Context,
        own: u16,
        _: &EmbeddedSecrets,
        _: &[(u16, ParticipationBytes)],
        _: Hook<'_>,
    ) -> Result<Keys, KeyGenError> {
        let network = match context.curve {
            NetworkCurve::Secp256k1 => deal(context, own).map(NetworkKeys::Secp256k1),
            NetworkCurve::Ed25519 => deal(context, own).map(NetworkKeys::Ed25519),
        };
        let (Some(base), Some(network)) = (deal(context, own), network) else {
            return Err(KeyGenError::Parameters("no such set can be dealt keys".to_owned()));
        };
        Ok(Keys { base, network })
    }
}
