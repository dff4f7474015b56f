#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod collection;
mod completeness;
mod encoding;
mod malicious;
mod memory;
mod sessions;
mod vectors;

use embedded_curves::EmbeddedCurve;
use embedded_curves::registration::EmbeddedSecret;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::{
    CloseError, Closed, Parameters, Participation, Purpose, Session, SigningCurve, Validator, ValidatorIndex,
    Verdict, Verified, Work, participate, verify,
};

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A validator set with its secrets.
pub(crate) struct Set<C: SigningCurve> {
    pub(crate) parameters: Parameters<C>,
    pub(crate) secrets: Vec<EmbeddedSecret>,
}

pub(crate) fn session(number: u32) -> Session {
    Session { chain_genesis: [7; 32], network: b"test".to_vec(), session: number }
}

impl<C: SigningCurve> Set<C> {
    pub(crate) fn new(weights: &[u16], threshold: u16) -> Self {
        Self::in_session(&session(0), weights, threshold)
    }

    pub(crate) fn in_session(session: &Session, weights: &[u16], threshold: u16) -> Self {
        Self::for_purpose(session, Purpose::Network, weights, threshold)
    }

    pub(crate) fn for_purpose(session: &Session, purpose: Purpose, weights: &[u16], threshold: u16) -> Self {
        let secrets = (0..)
            .zip(weights)
            .map(|(i, _)| EmbeddedSecret::random(C::Embedded::ID, &mut rng(i)))
            .collect::<Vec<_>>();
        let validators = (0u8..)
            .zip(weights)
            .zip(&secrets)
            .map(|((i, weight), secret)| Validator {
                key: [i; 32],
                weight: *weight,
                embedded_key: secret.key(),
            })
            .collect::<Vec<_>>();
        Self { parameters: Parameters::new(session, purpose, threshold, &validators).unwrap(), secrets }
    }

    pub(crate) fn participate(&self, dealer: u16) -> Participation<C> {
        let secret = &self.secrets[usize::from(dealer)];
        let rng = &mut rng(1000 + u64::from(dealer));
        participate(&self.parameters, ValidatorIndex(dealer), secret, rng, Work::default()).unwrap()
    }

    pub(crate) fn verify(&self, participations: &[(ValidatorIndex, Participation<C>)]) -> Vec<Verdict<C>> {
        verify(&self.parameters, participations, &mut rng(5), Work::default()).unwrap()
    }

    /// The participations of these dealers, verified.
    pub(crate) fn verified(&self, dealers: impl IntoIterator<Item = u16>) -> Vec<Verified<C>> {
        let participations =
            dealers.into_iter().map(|i| (ValidatorIndex(i), self.participate(i))).collect::<Vec<_>>();
        self.verify(&participations).into_iter().map(|verdict| verdict.verified().unwrap()).collect()
    }

    pub(crate) fn close(&self, dealers: impl IntoIterator<Item = u16>) -> Closed<C> {
        close(&self.parameters, self.verified(dealers)).unwrap()
    }
}

/// Closes with the dealers of these participations as the agreed ones.
pub(crate) fn close<C: SigningCurve>(
    parameters: &Parameters<C>,
    verified: Vec<Verified<C>>,
) -> Result<Closed<C>, CloseError> {
    let agreed = verified.iter().map(Verified::dealer).collect::<Vec<_>>();
    Closed::new(parameters, &agreed, verified)
}
