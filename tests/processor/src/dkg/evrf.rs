//! The key generation by `dkg-evrf`, for Ristretto and a network's curve.
//!
//! ```text
//! participation = borsh(base participation, network participation), each of the length which its parameters fix
//! verify : decode both -> batch on each curve -> valid if both are; a hook is told and may end it
//! recover: what was verified in this process, or verified again -> Closed -> ThresholdKeys on each curve
//! ```

use std::{
    collections::{HashMap, HashSet, VecDeque},
    num::NonZeroUsize,
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ::dkg::ThresholdKeys;
use blake2::{Blake2b, Digest, digest::consts::U32};
use ciphersuite::group::GroupEncoding;
use coordinator_base_chain::NetworkCurve;
use dkg_evrf::{
    Closed, Error, Parameters, Purpose, Session, SigningCurve, Validator, ValidatorIndex, Verdict, Verified,
    VerifyError, Work,
};
use embedded_curves::registration::EmbeddedSecret;
use modular_frost::curve::{Ed25519, Ristretto, Secp256k1};
use processor_messages::{
    Bytes, KeyBytes, KeyPair, MAX_PARTICIPATION_BYTES, decode, encode, key_gen::ParticipationBytes,
};
use rand_core::OsRng;

use super::{
    Context, KeyGenError, KeyGeneration, Keys, NetworkKeys,
    progress::{Hook, Progress, to_the_end},
};
use crate::secrets::EmbeddedSecrets;

/// The most verified participations which are kept for the recovery; then all are forgotten and verified again.
const MAX_VERIFIED: usize = 512;
/// The most sets whose parameters, with the tables of their embedded keys, are kept.
const MAX_SETS: usize = 4;

/// One key for each own key share, on the base chain's curve and on the network's.
type OnBoth<C> = (Vec<ThresholdKeys<Ristretto>>, Vec<ThresholdKeys<C>>);
/// The embedded secrets for the base chain's curve and the network's.
type Secrets<'a> = (&'a EmbeddedSecret, &'a EmbeddedSecret);
type Part = Bytes<MAX_PARTICIPATION_BYTES>;
/// Both contexts, dealer, and the hash of the participation's bytes.
type Key = ([[u8; 64]; 2], u16, [u8; 32]);

/// A dealer's two participations, verified.
#[derive(Clone)]
struct Both<C: SigningCurve> {
    base: Verified<Ristretto>,
    network: Verified<C>,
}

/// What was verified, by context, dealer and bytes.
type Kept<C> = Mutex<HashMap<Key, Both<C>>>;

/// A curve on which networks have their keys.
trait OfNetwork: SigningCurve {
    fn kept(evrf: &Evrf) -> &Kept<Self>;
}

impl OfNetwork for Secp256k1 {
    fn kept(evrf: &Evrf) -> &Kept<Self> {
        &evrf.secp256k1
    }
}

impl OfNetwork for Ed25519 {
    fn kept(evrf: &Evrf) -> &Kept<Self> {
        &evrf.ed25519
    }
}

/// The shipped key generation.
#[derive(Default)]
pub struct Evrf {
    threads: Option<NonZeroUsize>,
    secp256k1: Kept<Secp256k1>,
    ed25519: Kept<Ed25519>,
    sets: Mutex<VecDeque<(Context, AnySet)>>,
}

/// The parameters of a set for both curves.
struct Set<C: SigningCurve> {
    base: Parameters<Ristretto>,
    network: Parameters<C>,
}

/// A set of a network of either curve.
#[derive(Clone)]
enum AnySet {
    Secp256k1(Arc<Set<Secp256k1>>),
    Ed25519(Arc<Set<Ed25519>>),
}

impl Evrf {
    /// With so many threads for each computation; the default is one, the caller's, whose processor time the log tells.
    pub fn with_threads(threads: NonZeroUsize) -> Self {
        Self { threads: Some(threads), ..Self::default() }
    }

    fn work<'a>(&self) -> Work<'a> {
        self.threads.map_or_else(Work::default, Work::threads)
    }

    /// The parameters of a set, made once: their tables take longer than a verification.
    fn set(&self, context: &Context) -> Result<AnySet, KeyGenError> {
        if let Some((_, set)) = lock(&self.sets).iter().find(|(known, _)| known == context) {
            return Ok(set.clone());
        }
        let set = match context.curve {
            NetworkCurve::Secp256k1 => AnySet::Secp256k1(Arc::new(Set::new(context)?)),
            NetworkCurve::Ed25519 => AnySet::Ed25519(Arc::new(Set::new(context)?)),
        };
        let mut sets = lock(&self.sets);
        sets.truncate(MAX_SETS - 1);
        sets.push_front((context.clone(), set.clone()));
        Ok(set)
    }

    fn decode_and_verify<C: SigningCurve>(
        &self,
        parameters: &Parameters<C>,
        parts: &[(ValidatorIndex, Vec<u8>)],
        mut hook: impl FnMut(dkg_evrf::Progress) -> ControlFlow<()>,
    ) -> Result<HashMap<u16, Verified<C>>, KeyGenError> {
        let work = self.work().on_progress(&mut hook);
        let verdicts = dkg_evrf::verify_encoded(parameters, parts, &mut OsRng, work).map_err(verify_error)?;
        let valid = verdicts.into_iter().filter_map(Verdict::verified);
        Ok(valid.map(|verified| (verified.dealer().0, verified)).collect())
    }

    /// What is valid of these, by dealer; kept for the recovery, unless the hook ended it.
    fn verify_both<C: OfNetwork>(
        &self,
        set: &Set<C>,
        participations: &[(u16, ParticipationBytes)],
        hook: Hook<'_>,
    ) -> Result<HashMap<u16, Both<C>>, KeyGenError> {
        let (mut valid, mut base, mut network) = (HashMap::new(), Vec::new(), Vec::new());
        for (dealer, bytes) in participations {
            let known = lock(C::kept(self)).get(&set.key(*dealer, bytes)).cloned();
            match (known, decode::<(Part, Part)>(bytes, MAX_PARTICIPATION_BYTES)) {
                (Some(both), _) => drop(valid.insert(*dealer, both)),
                (None, Ok((b, n))) => {
                    base.push((ValidatorIndex(*dealer), b.into_inner()));
                    network.push((ValidatorIndex(*dealer), n.into_inner()));
                }
                (None, Err(_)) => {}
            }
        }
        let of = base.len() + network.len();
        let mut base = self.decode_and_verify(&set.base, &base, steps(hook, 0, of))?;
        // Whoever is invalid on one curve needs no verification on the other.
        network.retain(|(dealer, _)| base.contains_key(&dealer.0));
        let before = of - network.len();
        for (dealer, network) in self.decode_and_verify(&set.network, &network, steps(hook, before, of))? {
            if let Some(base) = base.remove(&dealer) {
                valid.insert(dealer, Both { base, network });
            }
        }
        self.keep(set, participations, &valid);
        Ok(valid)
    }

    /// Our keys on both curves.
    fn recover_both<C: OfNetwork>(
        &self,
        set: &Set<C>,
        own: u16,
        secrets: Secrets<'_>,
        dealers: &[(u16, ParticipationBytes)],
        hook: Hook<'_>,
    ) -> Result<OnBoth<C>, KeyGenError> {
        let verified = self.verify_both(set, dealers, hook)?;
        if verified.len() != dealers.len() {
            let reason = "a participation which was found valid is not: check this machine and its disk";
            return Err(KeyGenError::Internal(reason.to_owned()));
        }
        let agreed: Vec<_> = dealers.iter().map(|(dealer, _)| ValidatorIndex(*dealer)).collect();
        let base = verified.values().map(|both| both.base.clone());
        let network = verified.values().map(|both| both.network.clone());
        Ok((
            recover_on(&set.base, &agreed, base, own, secrets.0)?,
            recover_on(&set.network, &agreed, network, own, secrets.1)?,
        ))
    }

    /// The key pair which follows from these members' participations: anybody's to compute, without a secret.
    ///
    /// # Errors
    /// [`KeyGenError`], also if one of them is not valid.
    pub fn key_pair(
        &self,
        context: &Context,
        dealers: &[(u16, ParticipationBytes)],
    ) -> Result<KeyPair, KeyGenError> {
        let (base, network) = match self.set(context)? {
            AnySet::Secp256k1(set) => self.group_keys(&set, dealers)?,
            AnySet::Ed25519(set) => self.group_keys(&set, dealers)?,
        };
        let wrong = || KeyGenError::Internal("a group key of another length".to_owned());
        let network = KeyBytes::new(network).map_err(|e| KeyGenError::Internal(e.to_string()))?;
        Ok(KeyPair { base: base.try_into().map_err(|_| wrong())?, network })
    }

    fn group_keys<C: OfNetwork>(
        &self,
        set: &Set<C>,
        dealers: &[(u16, ParticipationBytes)],
    ) -> Result<(Vec<u8>, Vec<u8>), KeyGenError> {
        let verified = self.verify_both(set, dealers, &mut to_the_end)?;
        let agreed: Vec<_> = dealers.iter().map(|(dealer, _)| ValidatorIndex(*dealer)).collect();
        let base = verified.values().map(|both| both.base.clone());
        let network = verified.values().map(|both| both.network.clone());
        Ok((group_key_on(&set.base, &agreed, base)?, group_key_on(&set.network, &agreed, network)?))
    }

    fn keep<C: OfNetwork>(
        &self,
        set: &Set<C>,
        participations: &[(u16, ParticipationBytes)],
        valid: &HashMap<u16, Both<C>>,
    ) {
        let mut kept = lock(C::kept(self));
        if kept.len() + valid.len() > MAX_VERIFIED {
            kept.clear();
        }
        for (dealer, bytes) in participations {
            if let Some(both) = valid.get(dealer) {
                kept.insert(set.key(*dealer, bytes), both.clone());
            }
        }
    }
}

/// What the hook is told of a verification on one curve, which begins after so many steps of all.
fn steps(hook: Hook<'_>, before: usize, of: usize) -> impl FnMut(dkg_evrf::Progress) -> ControlFlow<()> {
    let mut done = before;
    move |progress| {
        if let dkg_evrf::Progress::Read { done: read, .. } = progress {
            done = before + read;
        }
        hook(Progress { done, of })
    }
}

/// A panicking holder leaves a whole value behind, so poison means nothing here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: OfNetwork> Set<C> {
    fn new(context: &Context) -> Result<Self, KeyGenError> {
        let session = Session {
            chain_genesis: context.chain.0,
            network: context.network.as_str().as_bytes().to_vec(),
            session: context.session.0,
        };
        let validators = |key: fn(&processor_messages::EmbeddedKeys) -> &KeyBytes| {
            let validator = |member: &processor_messages::key_gen::Member| {
                let embedded_key = key(&member.embedded)[..].try_into().map_err(|_| {
                    KeyGenError::Parameters(format!("the embedded key of {} is no point", member.validator))
                })?;
                Ok(Validator { key: member.validator.0, weight: member.shares.0, embedded_key })
            };
            context.members.iter().map(validator).collect::<Result<Vec<_>, KeyGenError>>()
        };
        let wrong = |e: dkg_evrf::ParametersError| KeyGenError::Parameters(e.to_string());
        let base = validators(|keys| &keys.base)?;
        let network = validators(|keys| &keys.network)?;
        Ok(Self {
            base: Parameters::new(&session, Purpose::BaseChain, context.threshold, &base).map_err(wrong)?,
            network: Parameters::new(&session, Purpose::Network, context.threshold, &network)
                .map_err(wrong)?,
        })
    }

    fn participate(
        &self,
        own: u16,
        secrets: Secrets<'_>,
        work: impl Fn() -> Work<'static>,
    ) -> Result<ParticipationBytes, KeyGenError> {
        let own = ValidatorIndex(own);
        let base = dkg_evrf::participate(&self.base, own, secrets.0, &mut OsRng, work());
        let base = base.map_err(key_gen_error)?.encode();
        let network = dkg_evrf::participate(&self.network, own, secrets.1, &mut OsRng, work());
        let network = network.map_err(key_gen_error)?.encode();
        let too_long = |e: processor_messages::DecodeError| KeyGenError::Internal(e.to_string());
        let parts = (Part::new(base).map_err(too_long)?, Part::new(network).map_err(too_long)?);
        ParticipationBytes::new(encode(&parts)).map_err(too_long)
    }

    fn key(&self, dealer: u16, bytes: &ParticipationBytes) -> Key {
        let contexts = [*self.base.context(), *self.network.context()];
        (contexts, dealer, Blake2b::<U32>::digest(&**bytes).into())
    }
}

/// Exhaustive, so that a new error forces the question of what is reported.
fn key_gen_error(error: Error) -> KeyGenError {
    match error {
        Error::WrongSecret(_) => KeyGenError::EmbeddedKeyMissing,
        Error::WrongShare(_) => KeyGenError::ShareMismatch,
        Error::NoSuchValidator(_) | Error::Degenerate | Error::SelfCheck | Error::OtherSession => {
            KeyGenError::Internal(error.to_string())
        }
        Error::Cancelled => KeyGenError::Cancelled,
    }
}

fn verify_error(error: VerifyError) -> KeyGenError {
    match error {
        VerifyError::Cancelled => KeyGenError::Cancelled,
        VerifyError::WrongSum => KeyGenError::Internal(error.to_string()),
    }
}

fn group_key_on<C: SigningCurve>(
    parameters: &Parameters<C>,
    agreed: &[ValidatorIndex],
    verified: impl Iterator<Item = Verified<C>>,
) -> Result<Vec<u8>, KeyGenError> {
    let closed =
        Closed::new(parameters, agreed, verified).map_err(|e| KeyGenError::Internal(e.to_string()))?;
    Ok(closed.group_key().to_bytes().as_ref().to_vec())
}

fn recover_on<C: SigningCurve>(
    parameters: &Parameters<C>,
    agreed: &[ValidatorIndex],
    verified: impl Iterator<Item = Verified<C>>,
    own: u16,
    secret: &EmbeddedSecret,
) -> Result<Vec<ThresholdKeys<C>>, KeyGenError> {
    let closed =
        Closed::new(parameters, agreed, verified).map_err(|e| KeyGenError::Internal(e.to_string()))?;
    dkg_evrf::recover(parameters, &closed, ValidatorIndex(own), secret).map_err(key_gen_error)
}

impl KeyGeneration for Evrf {
    fn check(&self, context: &Context) -> Result<(), KeyGenError> {
        self.set(context).map(|_| ())
    }

    fn participate(
        &self,
        context: &Context,
        own: u16,
        secrets: &EmbeddedSecrets,
    ) -> Result<ParticipationBytes, KeyGenError> {
        let network = secrets.network(context.curve);
        match self.set(context)? {
            AnySet::Secp256k1(set) => set.participate(own, (secrets.base(), network), || self.work()),
            AnySet::Ed25519(set) => set.participate(own, (secrets.base(), network), || self.work()),
        }
    }

    fn verify_with(
        &self,
        context: &Context,
        participations: &[(u16, ParticipationBytes)],
        hook: Hook<'_>,
    ) -> Result<Vec<bool>, KeyGenError> {
        let valid: HashSet<u16> = match self.set(context)? {
            AnySet::Secp256k1(set) => self.verify_both(&set, participations, hook)?.into_keys().collect(),
            AnySet::Ed25519(set) => self.verify_both(&set, participations, hook)?.into_keys().collect(),
        };
        Ok(participations.iter().map(|(dealer, _)| valid.contains(dealer)).collect())
    }

    fn recover_with(
        &self,
        context: &Context,
        own: u16,
        secrets: &EmbeddedSecrets,
        dealers: &[(u16, ParticipationBytes)],
        hook: Hook<'_>,
    ) -> Result<Keys, KeyGenError> {
        let secrets = (secrets.base(), secrets.network(context.curve));
        let (base, network) = match self.set(context)? {
            AnySet::Secp256k1(set) => {
                let (base, network) = self.recover_both(&set, own, secrets, dealers, hook)?;
                (base, NetworkKeys::Secp256k1(network))
            }
            AnySet::Ed25519(set) => {
                let (base, network) = self.recover_both(&set, own, secrets, dealers, hook)?;
                (base, NetworkKeys::Ed25519(network))
            }
        };
        Ok(Keys { base, network })
    }
}

#[cfg(test)]
mod tests;
