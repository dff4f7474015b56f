//! False claims that violate one relation each (rules EVRF-7, GADGET-4).
//!
//! ```text
//! pair's sum:   x + x′ = opening          violated, or made to hold by a false x
//! digits' sum:  w₀ + w₁ + w₂ = … + v      violated then, or made to hold by a false w_j or v
//! its row:      factor, product, output   one of the three is violated then
//! ```

use arithmetic_bulletproofs::Circuit;
#[cfg(test)]
use arithmetic_bulletproofs::malicious::Objection;

use crate::curves::{Scalar, SigningCurve};
use crate::parameters::Parameters;

/// A claim which a malicious dealer proves falsely.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Claimed {
    /// `p·B = P`: everything is derived from another secret.
    Key,
    /// `x_s·B = X_s` of a seat: `X_s` is another point.
    EphemeralKey(usize),
    /// `y_s·B = Y_s` of a seat: `Y_s` is another point.
    SecondEphemeralKey(usize),
    /// `p·Q_A`, and with it `a_0`, which is arbitrary.
    Contribution,
    /// `p·Q_B`, and with it `a_0`, which is arbitrary.
    SecondContribution,
    /// `x_s·P_v`, and with it the pad of an index, which is arbitrary.
    Pad(usize),
    /// `y_s·P_v`, and with it the pad of an index, which is arbitrary.
    SecondPad(usize),
}

impl Claimed {
    /// Whether it is the second claim of a pair.
    pub(super) fn is_second(self) -> bool {
        matches!(self, Self::SecondEphemeralKey(_) | Self::SecondContribution | Self::SecondPad(_))
    }
}

/// A relation which a false claim violates, all others being made to hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Relation {
    /// The sum of two x-coordinates is the opening; of committed outputs only, and the same for both claims of a pair.
    Pair,
    /// The sum of quotients is that of the digits.
    Digits,
    /// A row's left factor is its denominator: `f(A_j)` for row j = 0, 1, 2; in row 3, of committed outputs only, `μ + y + λ·x`.
    Denominator(usize),
    /// A row's output is its numerator, `∂f(A_j)` or 1.
    Numerator(usize),
    /// A row's output is the product of its factors.
    Product(usize),
}

/// Where a claim stands among all, and its first row: three for each public claim, four for each committed one (EVRF-7, GADGET-9).
fn place<C: SigningCurve>(parameters: &Parameters<C>, claimed: Claimed) -> (usize, usize) {
    let (seats, shares) = (usize::from(parameters.shape.seats), usize::from(parameters.shares));
    let second = usize::from(claimed.is_second());
    match claimed {
        Claimed::Key => (0, 0),
        Claimed::Contribution | Claimed::SecondContribution => (1 + second, 3 + (4 * second)),
        Claimed::EphemeralKey(seat) | Claimed::SecondEphemeralKey(seat) => {
            let before = (2 * (seat % seats)) + second;
            (3 + before, 11 + (3 * before))
        }
        Claimed::Pad(index) | Claimed::SecondPad(index) => {
            let before = (2 * (index % shares)) + second;
            (3 + (2 * seats) + before, 11 + (6 * seats) + (4 * before))
        }
    }
}

/// The constraint of a claim's digits: behind two for each row.
fn digits_constraint<C: SigningCurve>(
    circuit: &Circuit<Scalar<C>>,
    parameters: &Parameters<C>,
    claimed: Claimed,
) -> usize {
    (2 * circuit.rows()) + place(parameters, claimed).0
}

/// The one objection to a false claim.
#[cfg(test)]
pub(crate) fn objection<C: SigningCurve>(
    parameters: &Parameters<C>,
    claimed: Claimed,
    relation: Relation,
) -> Objection {
    let (seats, shares) = (usize::from(parameters.shape.seats), usize::from(parameters.shares));
    let (claims, rows) = (3 + (2 * seats) + (2 * shares), 11 + (6 * seats) + (8 * shares));
    let (claim, first_row) = place(parameters, claimed);
    match (relation, claimed) {
        (Relation::Pair, Claimed::Pad(index) | Claimed::SecondPad(index)) => {
            Objection::Constraint((2 * rows) + claims + 1 + (index % shares))
        }
        (Relation::Pair, _) => Objection::Constraint((2 * rows) + claims),
        (Relation::Digits, _) => Objection::Constraint((2 * rows) + claim),
        (Relation::Denominator(row), _) => Objection::Constraint(2 * (first_row + row)),
        (Relation::Numerator(row), _) => Objection::Constraint((2 * (first_row + row)) + 1),
        (Relation::Product(row), _) => Objection::Row(first_row + row),
    }
}

/// Makes a row's quotient fit the digits, and all but one of the row's relations fit the quotient.
pub(crate) fn lie_in_row<C: SigningCurve>(
    circuit: &mut Circuit<Scalar<C>>,
    parameters: &Parameters<C>,
    claimed: Claimed,
    relation: Relation,
) {
    let (Relation::Denominator(row) | Relation::Numerator(row) | Relation::Product(row)) = relation else {
        return;
    };
    let residual = circuit.residual(digits_constraint::<C>(circuit, parameters, claimed));
    let place = place(parameters, claimed).1 + row;
    let [left, right, output] = circuit.row(place);
    // The quotient of a committed output stands on the other side.
    let quotient = if row == 3 { right + residual } else { right - residual };
    circuit.set_row(
        place,
        match relation {
            Relation::Denominator(_) => [output * quotient.invert_vartime(), quotient, output],
            Relation::Numerator(_) => [left, quotient, left * quotient],
            _ => [left, quotient, output],
        },
    );
}
