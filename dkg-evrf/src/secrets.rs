//! What a dealer derives from its embedded secret: always the same in one context (rule EVRF-5).

use std::hint::black_box;

use arithmetic_bulletproofs::ProofCurve;
use blake2::{Blake2b512, Digest};
use embedded_curves::hash_to_curve;
use embedded_curves::registration::EmbeddedSecret;
use embedded_curves::{EmbeddedCurve, Point};
use ff::Field;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::curves::{EmbeddedPoint, EmbeddedScalar, Scalar, SigningCurve};
use crate::error::Error;
use crate::parameters::{Parameters, ValidatorIndex};
use crate::transcript;

/// A validator's embedded secret, in the field of its curve.
pub(crate) struct Secret<C: SigningCurve>(pub(crate) Zeroizing<EmbeddedScalar<C>>);

impl<C: SigningCurve> Secret<C> {
    /// The secret of this validator's registered key.
    pub(crate) fn of(
        parameters: &Parameters<C>,
        validator: ValidatorIndex,
        secret: &EmbeddedSecret,
    ) -> Result<Self, Error> {
        let member = parameters.member(validator)?;
        if (secret.curve() != C::Embedded::ID) || (secret.key() != member.embedded_key_bytes) {
            return Err(Error::WrongSecret(validator));
        }
        let scalar = EmbeddedScalar::<C>::from_bytes(secret.as_bytes());
        Option::from(scalar).map(Zeroizing::new).map(Self).ok_or(Error::WrongSecret(validator))
    }

    /// 64 bytes of `H(p_i, context, label, index, counter)`.
    fn derive(&self, context: &[u8], label: &[u8], index: u16, counter: u8) -> Zeroizing<[u8; 64]> {
        let key = Zeroizing::new(self.0.to_bytes());
        hash_secret(&[transcript::DERIVE, &*key, context, label, &index.to_le_bytes(), &[counter]])
    }

    /// The first of the derived values which is not zero.
    fn nonzero<F: Field + Zeroize>(
        &self,
        context: &[u8],
        (label, index): (&[u8], u16),
        reduce: impl Fn(&[u8; 64]) -> F,
    ) -> Zeroizing<F> {
        (0..=u8::MAX)
            .map(|counter| Zeroizing::new(reduce(&self.derive(context, label, index, counter))))
            .find(|value| !bool::from(value.is_zero()))
            .expect("256 hashes are all zero with probability 2^-60000")
    }

    /// A generator for the blinding of the proof's next messages: depends on all messages before them and on fresh randomness.
    ///
    /// So no blinding meets two statements or two tapes, whatever the machine's randomness is worth. That of a tape can meet two
    /// arguments, if the first seed's fresh bytes repeat and the second's do not: harmless, since each argument masks it anew.
    pub(crate) fn blinding(&self, state: &[u8; 64], rng: &mut (impl RngCore + CryptoRng)) -> Blinding {
        let mut fresh = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *fresh);
        let key = Zeroizing::new(self.0.to_bytes());
        let digest = hash_secret(&[transcript::BLINDING, &*key, state, &*fresh]);
        let mut seed = Zeroizing::new([0; 32]);
        seed.copy_from_slice(&digest[..32]);
        Blinding(Box::new(ChaCha20Rng::from_seed(*seed)))
    }
}

/// A generator of blinding, which is overwritten when it is dropped: its library does not do that.
pub(crate) struct Blinding(Box<ChaCha20Rng>);

impl Drop for Blinding {
    fn drop(&mut self) {
        *self.0 = ChaCha20Rng::from_seed([0; 32]);
        black_box(&mut *self.0);
    }
}

impl RngCore for Blinding {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.try_fill_bytes(bytes)
    }
}

impl CryptoRng for Blinding {}

/// Blake2b-512 over length-delimited parts, some of them secret. The hash's state is overwritten: its library does not do that.
fn hash_secret(parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    let mut hash = Box::new(Blake2b512::new());
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = Zeroizing::new(hash.finalize_reset().into());
    *hash = Blake2b512::new();
    black_box(&mut *hash);
    digest
}

/// The two points whose multiples make a dealer's contribution (rule EVRF-3).
pub(crate) fn contribution_points<C: SigningCurve>(
    parameters: &Parameters<C>,
    dealer: ValidatorIndex,
) -> [EmbeddedPoint<C>; 2] {
    transcript::CONTRIBUTION_POINTS
        .map(|label| hash_to_curve::<C::Embedded>(label, &[&parameters.context, &dealer.0.to_le_bytes()]))
}

/// `x(scalar · point)`, in constant time.
pub(crate) fn x_of_multiple<C: SigningCurve>(
    scalar: &EmbeddedScalar<C>,
    point: &EmbeddedPoint<C>,
) -> Zeroizing<Scalar<C>> {
    let multiple = Zeroizing::new(Point::from(*point) * *scalar);
    let affine =
        multiple.to_affine().expect("neither the scalar nor the point is zero, and the order is prime");
    Zeroizing::new(affine.x())
}

/// A pair of ephemeral scalars.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Ephemeral<C: SigningCurve> {
    pub(crate) x: EmbeddedScalar<C>,
    pub(crate) y: EmbeddedScalar<C>,
}

impl<C: SigningCurve> Ephemeral<C> {
    /// The pad for a key: `x(x·P) + x(y·P)`.
    pub(crate) fn pad(&self, key: &EmbeddedPoint<C>) -> Zeroizing<Scalar<C>> {
        Zeroizing::new(*x_of_multiple::<C>(&self.x, key) + *x_of_multiple::<C>(&self.y, key))
    }
}

/// Everything secret in a dealing.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Dealt<C: SigningCurve> {
    /// `a_0 .. a_(t-1)`
    pub(crate) polynomial: Vec<Scalar<C>>,
    pub(crate) seats: Vec<Ephemeral<C>>,
    /// `z_1 .. z_n`
    pub(crate) pads: Vec<Scalar<C>>,
}

impl<C: SigningCurve> Dealt<C> {
    /// What this dealer deals in this context, always the same.
    pub(crate) fn derive(
        parameters: &Parameters<C>,
        dealer: ValidatorIndex,
        secret: &Secret<C>,
    ) -> Result<Self, Error> {
        let [a, b] = contribution_points(parameters, dealer);
        let contribution =
            Zeroizing::new(*x_of_multiple::<C>(&secret.0, &a) + *x_of_multiple::<C>(&secret.0, &b));
        if bool::from(contribution.is_zero()) {
            return Err(Error::Degenerate);
        }
        let context = &parameters.context;
        let mut polynomial = Vec::with_capacity(usize::from(parameters.threshold));
        polynomial.push(*contribution);
        polynomial.extend(
            (1..parameters.threshold)
                .map(|k| *secret.nonzero(context, (transcript::COEFFICIENT, k), C::Group::scalar_from_wide)),
        );
        let ephemeral =
            |label, seat| *secret.nonzero(context, (label, seat), EmbeddedScalar::<C>::from_bytes_wide);
        let seats = (1..=parameters.shape.seats)
            .map(|seat| Ephemeral {
                x: ephemeral(transcript::EPHEMERAL_X, seat),
                y: ephemeral(transcript::EPHEMERAL_Y, seat),
            })
            .collect::<Vec<_>>();
        let pads = pads(parameters, &seats);
        Ok(Self { polynomial, seats, pads })
    }

    /// `f(index)`
    pub(crate) fn evaluate(&self, index: u16) -> Zeroizing<Scalar<C>> {
        let index = Scalar::<C>::from(u64::from(index));
        Zeroizing::new(self.polynomial.iter().rev().fold(Scalar::<C>::ZERO, |sum, a| (sum * index) + *a))
    }
}

/// The pads of all indices, in order: the k-th index of a validator has the k-th seat.
fn pads<C: SigningCurve>(parameters: &Parameters<C>, seats: &[Ephemeral<C>]) -> Vec<Scalar<C>> {
    // Reserved at once: a vector that grows leaves secrets behind.
    let mut pads = Vec::with_capacity(usize::from(parameters.shares));
    for member in &parameters.members {
        let seats = seats.iter().take(usize::from(member.weight));
        pads.extend(seats.map(|seat| *seat.pad(&member.embedded_key)));
    }
    pads
}
