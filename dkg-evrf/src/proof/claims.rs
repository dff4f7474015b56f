//! The claims of a dealing about discrete logarithms, and the circuit that they make (rule EVRF-7).
//!
//! ```text
//! scalar   claims
//! p        p·B = P          p·Q_A, p·Q_B committed      x(p·Q_A) + x(p·Q_B) = opening 0, inside A_0
//! x_s      x_s·B = X_s      x_s·P_v committed           x(x_s·P_v) + x(y_s·P_v) = opening j, inside Z_j,
//! y_s      y_s·B = Y_s      y_s·P_v committed           for the s-th index j of each validator v
//! ```

#![deny(clippy::indexing_slicing)]

use std::sync::Arc;

use arithmetic_bulletproofs::{Circuit, LinearCombination, Transcript, Variable};
use divisor_circuit::{Challenge, Digits, DivisorCurve, Output, ScalarIndex, Table};
use zeroize::Zeroizing;

use super::Refused;
use crate::curves::{EmbeddedPoint, EmbeddedScalar, Scalar, SigningCurve};
use crate::error::Error;
use crate::parameters::{Member, Parameters, ValidatorIndex};
use crate::participation::Dealing;
use crate::secrets::{Dealt, Secret, contribution_points};
use crate::transcript;

/// The size of a session's argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    /// Pairs of ephemeral keys: the greatest weight.
    pub(crate) seats: u16,
    /// Rows of the circuit, padded.
    pub(crate) rows: usize,
    /// Scalars committed to before the challenge.
    pub(crate) tape_len: usize,
}

impl Shape {
    pub(crate) fn new<C: SigningCurve>(shares: u16, seats: u16) -> Self {
        let (shares, pairs) = (usize::from(shares), 2 * usize::from(seats));
        let scalars = 1 + pairs;
        let public = 1 + pairs;
        let committed = 2 + (2 * shares);
        let claims = public + committed;
        let digits = scalars * 2 * C::Embedded::DIGITS;
        let tape_len = digits + (claims * C::Embedded::POLES) + (2 * committed);
        let rows = choose_rows(tape_len, (3 * claims) + committed);
        Self { seats, rows, tape_len }
    }

    /// The number of vector commitments.
    pub(crate) fn commitments(&self) -> usize {
        self.tape_len.div_ceil(self.rows)
    }
}

/// The power of two which costs least, in multiplications of points: fewer rows save generators, more rows save commitments.
///
/// The prover blinds and folds every row's two generators. Each commitment of the tape comes with two commitments to coefficients:
/// three points to send, and to decode and weigh by everyone who verifies, besides a share of the product polynomial.
fn choose_rows(tape_len: usize, needed: usize) -> usize {
    let least = needed.next_power_of_two();
    let cost = |rows: usize| {
        let commitments = tape_len.div_ceil(rows);
        (20 * rows) + (300 * commitments) + ((commitments * commitments * rows) / 200)
    };
    (0..6).map(|shift| least << shift).min_by_key(|rows| cost(*rows)).unwrap_or(least)
}

/// Tables which every dealing of a session uses: of the generator and of the registered keys.
pub(crate) struct Tables<C: SigningCurve> {
    generator: Arc<Table<C::Embedded>>,
    keys: Vec<Arc<Table<C::Embedded>>>,
}

impl<C: SigningCurve> Tables<C> {
    pub(crate) fn new(members: &[Member<C>]) -> Self {
        let mut points = vec![embedded_curves::Affine::GENERATOR];
        points.extend(members.iter().map(|member| member.embedded_key));
        let mut tables = Table::many(&points).into_iter().map(Arc::new);
        let generator = tables.next().expect("one table for each point");
        Self { generator, keys: tables.collect() }
    }
}

/// The claims of one dealing.
pub(crate) struct Claims<C: SigningCurve> {
    claims: divisor_circuit::Claims<C::Embedded>,
    /// The two outputs whose x-coordinates add up to each opening.
    pub(crate) openings: Vec<[Output; 2]>,
}

impl<C: SigningCurve> Claims<C> {
    pub(crate) fn new(
        parameters: &Parameters<C>,
        dealer: ValidatorIndex,
        dealing: &Dealing<C>,
    ) -> Result<Self, Refused> {
        let member = parameters.member(dealer).map_err(|_| Refused)?;
        Self::of_key(parameters, dealer, &member.embedded_key, dealing)
    }

    /// The claims of a dealing by the owner of a key, which is the dealer's registered one if they are honest.
    pub(crate) fn of_key(
        parameters: &Parameters<C>,
        dealer: ValidatorIndex,
        dealers_key: &EmbeddedPoint<C>,
        dealing: &Dealing<C>,
    ) -> Result<Self, Refused> {
        let mut claims = divisor_circuit::Claims::new();
        let secret = claims.scalar();
        let seats: Vec<[ScalarIndex; 2]> =
            dealing.seats.iter().map(|_| [claims.scalar(), claims.scalar()]).collect();

        let generator = claims.table(&parameters.tables.generator);
        let bases = Table::many(&contribution_points(parameters, dealer)).into_iter();
        let bases: Vec<_> = bases.map(|table| claims.table(&Arc::new(table))).collect();
        let keys: Vec<_> = parameters.tables.keys.iter().map(|table| claims.table(table)).collect();

        let [a, b] = *bases else { return Err(Refused) };
        claims.public(secret, generator, *dealers_key);
        let mut openings = vec![[claims.committed(secret, a), claims.committed(secret, b)]];
        for ([x, y], seat) in seats.iter().zip(&dealing.seats) {
            claims.public(*x, generator, seat.x.point);
            claims.public(*y, generator, seat.y.point);
        }
        for (member, key) in parameters.members.iter().zip(keys) {
            for [x, y] in seats.iter().take(usize::from(member.weight)) {
                openings.push([claims.committed(*x, key), claims.committed(*y, key)]);
            }
        }
        Ok(Self { claims, openings })
    }

    /// The tape, from the dealer's secrets.
    pub(crate) fn fill(
        &self,
        dealt: &Dealt<C>,
        secret: &Secret<C>,
        threads: usize,
    ) -> Result<Zeroizing<Vec<Scalar<C>>>, Error> {
        let digits = |scalar: &EmbeddedScalar<C>| Digits::new(scalar).map_err(|_| Error::Degenerate);
        let mut all = vec![digits(&secret.0)?];
        for seat in &dealt.seats {
            all.extend([digits(&seat.x)?, digits(&seat.y)?]);
        }
        // A claim that is false here contradicts what was dealt from the same secrets.
        self.claims.witness(&all, threads).map(|witness| witness.tape).map_err(|error| match error {
            divisor_circuit::Error::FalseClaim { .. } => Error::SelfCheck,
            _ => Error::Degenerate,
        })
    }

    /// The challenge. The transcript has absorbed the statement and the tape's commitments.
    pub(crate) fn challenge(&self, transcript: &mut Transcript) -> Challenge<C::Embedded> {
        self.claims.challenge(&transcript::divisor_seed(transcript))
    }

    /// The circuit.
    pub(crate) fn constrain(
        &self,
        challenge: &Challenge<C::Embedded>,
        circuit: &mut Circuit<Scalar<C>>,
    ) -> Result<(), Error> {
        self.claims.constrain(circuit, challenge).map_err(|_| Error::Degenerate)?;
        for (index, [x, y]) in self.openings.iter().enumerate() {
            let sum = LinearCombination::from(x.x).term(y.x, Scalar::<C>::ONE);
            circuit.constrain(sum.term(Variable::Opening(index), -Scalar::<C>::ONE));
        }
        Ok(())
    }
}
