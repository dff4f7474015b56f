//! Malicious dealers, one for each constraint: each makes the best proof it can for a false dealing.
//!
//! ```text
//! honest secrets, dealing and witness ── Fault ──▶ something of it is changed, all that follows from it made anew ──▶ Participation
//! ```
//!
//! `FalseClaim` and `Argument` go through the relations of EVRF-7, GADGET-4 and GBP-7 one by one, with everything else made to fit.
//!
//! For tests, benches and simulations of faulty validators: it exists with the feature `malicious` only. What it makes is well formed,
//! and is refused by [`verify`](crate::verify()) alone.

mod claims;

use std::sync::Arc;

pub use arithmetic_bulletproofs::malicious::Lie;
use arithmetic_bulletproofs::malicious::{Objection, prove_falsely};
use arithmetic_bulletproofs::{self as bulletproofs, ProofCurve, Variable};
use embedded_curves::registration::EmbeddedSecret;
use embedded_curves::{POINT_BYTES, Point};
use ff::Field as _;
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::curves::{Element, EmbeddedPoint, EmbeddedScalar, Scalar, SigningCurve};
use crate::error::Error;
use crate::parameters::{Parameters, ValidatorIndex};
use crate::participate::deal;
use crate::participation::{Dealing, EmbeddedElement, Participation};
use crate::proof::{Proving, Witness, claims::Claims};
use crate::secrets::{Dealt, Secret};

#[cfg(test)]
pub(crate) use claims::objection;
pub use claims::{Claimed, Relation};

/// What a malicious dealer departs from the protocol in. Positions count from 0, and wrap around.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// None: the harness itself.
    None,
    /// Everything is derived from, and proven for, a secret whose key is not the dealer's.
    WrongKey,
    /// Another `a_0`, with everything consistent except that it is no output of the eVRF.
    WrongContribution,
    /// The same, with the true `a_0` as witness.
    WrongContributionOpenedRightly,
    /// The pad of an index is arbitrary.
    WrongPad(usize),
    /// The pad of the first index is that of the second one.
    PadOfAnotherSeat,
    /// Seats published in one order, used and proven in the other. Needs two seats.
    SwappedSeats,
    /// The two ephemeral keys of a seat are published in the wrong order.
    SwappedEphemeralKeys(usize),
    /// `X_s` of a seat is a point whose logarithm the dealer does not know.
    ForeignEphemeralKey(usize),
    /// `c_j + 1` with the true pads, so that `Z_j` does not commit to `z_j`.
    ShareOffByOne(usize),
    /// A scalar of the tape is off by one: a digit, a coefficient or a coordinate.
    FalseTape(usize),
    /// `A_0` has a component along `H`, balanced by the pads: only purity is left to object.
    BlindedContribution,
    /// Several coefficients have components along `H`, balanced by the pads.
    BlindingPolynomial,
    /// As before, without one in `A_0`: the group key would be right.
    BlindedCoefficient(usize),
    /// Purity is proven for another polynomial.
    WrongPurity(usize),
    /// The tape is committed to with a digit off by one, and used with the true one.
    TapeChangedLater,
    /// A message of the argument is a lie, and all that follows is made for it; about a contribution of one's own choice where the lie
    /// needs a false statement.
    Argument(Lie),
    /// A claim is false, and made to fit all relations of EVRF-7 and GADGET-4 but one.
    FalseClaim(Claimed, Relation),
}

impl Fault {
    /// Faults of a dealer with one seat, of which no two are told apart by their positions only: they violate other relations, fail
    /// other equations, or lie in another message.
    pub const WITH_ONE_SEAT: [Self; 16] = [
        Self::WrongKey,
        Self::WrongContribution,
        Self::WrongContributionOpenedRightly,
        Self::WrongPad(1),
        Self::SwappedEphemeralKeys(0),
        Self::ForeignEphemeralKey(0),
        Self::ShareOffByOne(0),
        Self::FalseTape(1_500),
        Self::BlindedContribution,
        Self::WrongPurity(0),
        Self::TapeChangedLater,
        Self::Argument(Lie::Coefficient(0)),
        Self::Argument(Lie::Mu),
        Self::Argument(Lie::Product),
        Self::FalseClaim(Claimed::Key, Relation::Denominator(0)),
        Self::FalseClaim(Claimed::SecondPad(5), Relation::Product(1)),
    ];
}

/// What kind of value stands in a field of an encoded participation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// A point of the signing curve.
    Point,
    /// A point of the embedded curve.
    Embedded,
    /// A scalar.
    Scalar,
}

impl Field {
    /// Its length in bytes.
    #[allow(clippy::len_without_is_empty, reason = "no field is empty")]
    pub fn len<C: SigningCurve>(self) -> usize {
        match self {
            Self::Point => C::Group::POINT_LEN,
            Self::Embedded => POINT_BYTES,
            Self::Scalar => 32,
        }
    }
}

/// The fields of a participation, in order, behind the version.
pub fn fields<C: SigningCurve>(parameters: &Parameters<C>) -> Vec<Field> {
    let shape = &parameters.shape;
    let commitments = shape.commitments();
    let rounds = shape.rows.ilog2() as usize;
    [
        (Field::Point, usize::from(parameters.threshold)),
        (Field::Embedded, 2 * usize::from(shape.seats)),
        (Field::Scalar, usize::from(parameters.shares)),
        (Field::Point, commitments),
        (Field::Point, 4 + (2 * commitments) + 5),
        (Field::Scalar, 3),
        (Field::Point, 2 * rounds),
        (Field::Scalar, 2),
        (Field::Point, 1),
        (Field::Scalar, 1),
    ]
    .into_iter()
    .flat_map(|(field, count)| core::iter::repeat_n(field, count))
    .collect()
}

/// A dealer which departs from the protocol somewhere.
struct Cheat<'a, C: SigningCurve> {
    parameters: &'a Parameters<C>,
    dealer: ValidatorIndex,
    /// The key that it proves knowledge of.
    key: EmbeddedPoint<C>,
    secret: Secret<C>,
    dealt: Dealt<C>,
    dealing: Dealing<C>,
    witness: Witness<C>,
}

/// Takes part with a fault.
///
/// # Errors
///
/// As [`participate`](crate::participate()).
pub fn participate_faultily<C: SigningCurve>(
    parameters: &Parameters<C>,
    validator: ValidatorIndex,
    secret: &EmbeddedSecret,
    fault: Fault,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<Participation<C>, Error> {
    participate_looking(parameters, validator, secret, fault, rng).map(|(participation, _)| participation)
}

/// The same, with everything that the circuit objects to.
pub(crate) fn participate_looking<C: SigningCurve>(
    parameters: &Parameters<C>,
    validator: ValidatorIndex,
    secret: &EmbeddedSecret,
    fault: Fault,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<(Participation<C>, Vec<Objection>), Error> {
    let mut cheat = Cheat::honest(parameters, validator, Secret::of(parameters, validator, secret)?)?;
    cheat.apply(fault, rng)?;
    cheat.prove(fault, rng)
}

impl<'a, C: SigningCurve> Cheat<'a, C> {
    fn honest(
        parameters: &'a Parameters<C>,
        dealer: ValidatorIndex,
        secret: Secret<C>,
    ) -> Result<Self, Error> {
        let key = parameters.member(dealer)?.embedded_key;
        let dealt = Dealt::derive(parameters, dealer, &secret)?;
        let dealing = deal(parameters, &dealt);
        let witness = witness(parameters, (dealer, &key), &dealing, &dealt, &secret)?;
        Ok(Self { parameters, dealer, key, secret, dealt, dealing, witness })
    }

    /// Deals and proves what is dealt now.
    fn renew(&mut self) -> Result<(), Error> {
        self.dealing = deal(self.parameters, &self.dealt);
        let owner = (self.dealer, &self.key);
        self.witness = witness(self.parameters, owner, &self.dealing, &self.dealt, &self.secret)?;
        Ok(())
    }

    fn apply(&mut self, fault: Fault, rng: &mut (impl RngCore + CryptoRng)) -> Result<(), Error> {
        let pads = self.dealt.pads.len();
        let seats = self.dealt.seats.len();
        let contribution = self.dealt.polynomial[0];
        match fault {
            Fault::Argument(Lie::Product) => self.false_claim(Claimed::Contribution, Relation::Pair, rng)?,
            Fault::None | Fault::Argument(_) => {}
            Fault::TapeChangedLater => self.witness.tape[0] += Scalar::<C>::ONE,
            Fault::FalseClaim(claimed, relation) => self.false_claim(claimed, relation, rng)?,
            Fault::WrongKey => self.wrong_key(rng)?,
            Fault::WrongContribution | Fault::WrongContributionOpenedRightly => {
                self.dealt.polynomial[0] = C::Group::random_scalar(rng);
                self.renew()?;
                if fault == Fault::WrongContributionOpenedRightly {
                    self.witness.openings[0] = contribution;
                }
            }
            Fault::WrongPad(index) => {
                self.dealt.pads[index % pads] = C::Group::random_scalar(rng);
                self.renew()?;
            }
            Fault::PadOfAnotherSeat => {
                self.dealt.pads[0] = self.dealt.pads[1 % pads];
                self.renew()?;
            }
            Fault::SwappedSeats => self.swap_seats()?,
            Fault::SwappedEphemeralKeys(seat) => {
                let seat = &mut self.dealing.seats[seat % seats];
                std::mem::swap(&mut seat.x, &mut seat.y);
            }
            Fault::ForeignEphemeralKey(seat) => self.dealing.seats[seat % seats].x = foreign::<C>(rng)?,
            Fault::ShareOffByOne(index) => self.dealing.shares[index % pads] += Scalar::<C>::ONE,
            Fault::FalseTape(position) => {
                let len = self.witness.tape.len();
                self.witness.tape[position % len] += Scalar::<C>::ONE;
            }
            Fault::BlindedContribution => self.blind(|k| k == 0, rng),
            Fault::BlindingPolynomial => self.blind(|_| true, rng),
            Fault::BlindedCoefficient(position) => {
                let others = self.dealt.polynomial.len() - 1;
                self.blind(|k| k == 1 + (position % others.max(1)), rng);
            }
            Fault::WrongPurity(k) => {
                let k = k % self.witness.polynomial.len();
                self.witness.polynomial[k] += Scalar::<C>::ONE;
            }
        }
        Ok(())
    }

    /// The tables are still the registered keys': only the claim about the dealer's own key is false.
    fn wrong_key(&mut self, rng: &mut (impl RngCore + CryptoRng)) -> Result<(), Error> {
        let secret = EmbeddedScalar::<C>::random(rng);
        let key = (Point::<C::Embedded>::GENERATOR * secret).to_affine();
        self.key = Option::from(key).ok_or(Error::Degenerate)?;
        self.secret = Secret(Zeroizing::new(secret));
        self.dealt = Dealt::derive(self.parameters, self.dealer, &self.secret)?;
        self.renew()
    }

    fn swap_seats(&mut self) -> Result<(), Error> {
        let published = self.dealing.seats.clone();
        self.dealt.seats.swap(0, 1);
        let members = self.parameters.members.iter();
        let seats = &self.dealt.seats;
        let pads = members.flat_map(|member| {
            seats.iter().take(usize::from(member.weight)).map(|seat| *seat.pad(&member.embedded_key))
        });
        self.dealt.pads = pads.collect();
        self.renew()?;
        self.dealing.seats = published;
        Ok(())
    }

    /// Adds components along `H` to the chosen commitments, which cancel in every equation of the argument.
    fn blind(&mut self, chosen: impl Fn(usize) -> bool, rng: &mut (impl RngCore + CryptoRng)) {
        let blinding = self.parameters.generators.blinding();
        let mut components = vec![Scalar::<C>::ZERO; self.dealing.coefficients.len()];
        for (k, coefficient) in self.dealing.coefficients.iter_mut().enumerate().filter(|(k, _)| chosen(*k)) {
            components[k] = C::Group::random_scalar(rng);
            *coefficient = Element::<C>::new(coefficient.point() + C::Group::mul(&components[k], &blinding));
        }
        self.witness.blinds[0] = components[0];
        for (index, blind) in (1_u64..).zip(&mut self.witness.blinds[1..]) {
            let index = Scalar::<C>::from(index);
            *blind = -components.iter().rev().fold(Scalar::<C>::ZERO, |sum, d| (sum * index) + *d);
        }
    }

    /// Makes the claim false, and the pairs fit it if another relation is to object.
    fn false_claim(
        &mut self,
        claimed: Claimed,
        relation: Relation,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), Error> {
        let opening = match claimed {
            Claimed::Key => return self.wrong_key(rng),
            Claimed::EphemeralKey(seat) => return self.apply(Fault::ForeignEphemeralKey(seat), rng),
            Claimed::SecondEphemeralKey(seat) => {
                let seats = self.dealing.seats.len();
                self.dealing.seats[seat % seats].y = foreign::<C>(rng)?;
                return Ok(());
            }
            Claimed::Contribution | Claimed::SecondContribution => {
                self.apply(Fault::WrongContribution, rng)?;
                0
            }
            Claimed::Pad(index) | Claimed::SecondPad(index) => {
                self.apply(Fault::WrongPad(index), rng)?;
                1 + (index % self.dealt.pads.len())
            }
        };
        if relation != Relation::Pair {
            let [first, second] = self.outputs(opening)?;
            let (false_one, true_one) = if claimed.is_second() { (second, first) } else { (first, second) };
            self.witness.tape[false_one] = self.witness.openings[opening] - self.witness.tape[true_one];
        }
        Ok(())
    }

    /// Where the x-coordinates of an opening's pair stand on the tape.
    fn outputs(&self, opening: usize) -> Result<[usize; 2], Error> {
        let claims =
            Claims::new(self.parameters, self.dealer, &self.dealing).map_err(|_| Error::Degenerate)?;
        let place = |variable| match variable {
            Variable::Committed(position) => Ok(position),
            _ => Err(Error::Degenerate),
        };
        let [first, second] = claims.openings[opening];
        Ok([place(first.x)?, place(second.x)?])
    }

    fn prove(
        self,
        fault: Fault,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(Participation<C>, Vec<Objection>), Error> {
        let Self { parameters, dealer, secret, dealing, witness, .. } = self;
        let first = witness.tape[0];
        let mut proving = Proving::new(parameters, dealer, &dealing, witness, &secret, rng, 1)?;
        match fault {
            Fault::FalseClaim(claimed, relation) => {
                claims::lie_in_row(&mut proving.circuit, parameters, claimed, relation);
            }
            Fault::TapeChangedLater => proving.circuit.set_tape(0, first - Scalar::<C>::ONE),
            _ => {}
        }
        let objections = proving.circuit.objections();
        let argument = proving.finish(&secret, rng, |transcript, circuit, sides, rng| match fault {
            Fault::Argument(lie) => {
                prove_falsely(&parameters.generators, transcript, circuit, sides, rng, lie)
            }
            _ => bulletproofs::prove(&parameters.generators, transcript, circuit, sides.0, sides.1, rng, 1),
        })?;
        Ok((Participation { dealing: Arc::new(dealing), argument }, objections))
    }
}

/// A point whose logarithm is forgotten.
fn foreign<C: SigningCurve>(rng: &mut (impl RngCore + CryptoRng)) -> Result<EmbeddedElement<C>, Error> {
    let point = Point::<C::Embedded>::GENERATOR * EmbeddedScalar::<C>::random(rng);
    Option::from(point.to_affine()).map(EmbeddedElement::new).ok_or(Error::Degenerate)
}

/// The honest witness for a dealing, for a dealer with this key.
fn witness<C: SigningCurve>(
    parameters: &Parameters<C>,
    (dealer, key): (ValidatorIndex, &EmbeddedPoint<C>),
    dealing: &Dealing<C>,
    dealt: &Dealt<C>,
    secret: &Secret<C>,
) -> Result<Witness<C>, Error> {
    let claims = Claims::of_key(parameters, dealer, key, dealing).map_err(|_| Error::Degenerate)?;
    let openings = dealt.polynomial[..1].iter().chain(&dealt.pads).copied().collect::<Vec<_>>();
    Ok(Witness {
        tape: claims.fill(dealt, secret, 1)?,
        blinds: Zeroizing::new(vec![Scalar::<C>::ZERO; openings.len()]),
        openings: Zeroizing::new(openings),
        polynomial: Zeroizing::new(dealt.polynomial.clone()),
    })
}
