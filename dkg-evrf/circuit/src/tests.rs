#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use arithmetic_bulletproofs::{Circuit, Variable};
use embedded_curves::{Affine, Base, Embedwards25519, Point, Scalar, Secq256k1, hash_to_curve};
use proptest::prelude::*;

use crate::{Challenge, Claims, Digits, DivisorCurve, Error, Output, Table};

fn affine<C: DivisorCurve>(point: Point<C>) -> Affine<C> {
    point.to_affine().unwrap()
}

/// k·B public, k·P and l·P committed, with P another base.
struct Example<C: DivisorCurve> {
    claims: Claims<C>,
    scalars: [Scalar<C>; 2],
    other: Affine<C>,
    outputs: [Output; 2],
}

fn example<C: DivisorCurve>(k: Scalar<C>, l: Scalar<C>) -> Example<C> {
    let other: Affine<C> = hash_to_curve("test base ", &[]);
    let mut claims = Claims::new();
    let (first, second) = (claims.scalar(), claims.scalar());
    let generator = claims.table(&Arc::new(Table::new(Affine::GENERATOR)));
    let base = claims.table(&Arc::new(Table::new(other)));
    claims.public(first, generator, affine(Point::GENERATOR * k));
    let outputs = [claims.committed(first, base), claims.committed(second, base)];
    Example { claims, scalars: [k, l], other, outputs }
}

impl<C: DivisorCurve> Example<C> {
    fn tape(&self) -> Vec<Base<C>> {
        let digits = self.scalars.map(|scalar| Digits::new(&scalar).unwrap());
        self.claims.witness(&digits, 2).unwrap().tape.to_vec()
    }

    /// The first constraint that a tape leaves unsatisfied, under a challenge from `seed`.
    fn unsatisfied(&self, tape: Vec<Base<C>>, seed: u8) -> Result<Option<usize>, Error> {
        let challenge = self.claims.challenge(&[seed; 64]);
        self.unsatisfied_under(tape, &challenge)
    }

    fn unsatisfied_under(
        &self,
        tape: Vec<Base<C>>,
        challenge: &Challenge<C>,
    ) -> Result<Option<usize>, Error> {
        let mut circuit = Circuit::proving(tape, Vec::new());
        self.claims.constrain(&mut circuit, challenge)?;
        assert_eq!(circuit.rows(), self.claims.rows());
        Ok(circuit.unsatisfied())
    }
}

fn position(variable: Variable) -> usize {
    match variable {
        Variable::Committed(position) => position,
        _ => panic!("outputs are on the tape"),
    }
}

/// GADGET-7: honest claims satisfy the circuit, and their outputs are the multiples.
fn completeness<C: DivisorCurve>(k: Scalar<C>, l: Scalar<C>) {
    let example = example::<C>(k, l);
    let tape = example.tape();
    assert_eq!(tape.len(), example.claims.tape_len());
    for (output, scalar) in example.outputs.iter().zip(example.scalars) {
        let expected = affine(Point::from(example.other) * scalar);
        assert_eq!(tape[position(output.x)], expected.x());
        assert_eq!(tape[position(output.y)], expected.y());
    }
    assert_eq!(example.unsatisfied(tape, 1), Ok(None));
}

fn wide<C: DivisorCurve>(bytes: [[u8; 32]; 2]) -> Scalar<C> {
    Scalar::<C>::from_bytes_wide(bytes.concat().as_slice().try_into().unwrap())
}

macro_rules! curves {
    ($name:ident, $Curve:ty) => {
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(24))]
                #[test]
                fn honest_claims_hold(k in any::<[[u8; 32]; 2]>(), l in any::<[[u8; 32]; 2]>()) {
                    completeness::<$Curve>(wide::<$Curve>(k), wide::<$Curve>(l));
                }
            }

            #[test]
            fn honest_claims_hold_for_corner_scalars() {
                corners::<$Curve>();
            }

            #[test]
            fn each_false_value_leaves_the_circuit_unsatisfied() {
                false_values::<$Curve>();
            }
        }
    };
}
curves!(embedwards25519, Embedwards25519);
curves!(secq256k1, Secq256k1);

/// GADGET-8: one path through the tree serves few points, many, none, equal sums and opposite ones.
fn corners<C: DivisorCurve>() {
    let small = |value| Scalar::<C>::from_u64(value);
    for (k, l) in [(1, 2), (3, 4), (9, 10), (13, 26)] {
        completeness::<C>(small(k), small(l));
        completeness::<C>(-small(k), -small(l));
    }
    completeness::<C>(small(5), small(5));
    completeness::<C>(small(5), -small(5));
    assert_eq!(Digits::<C>::new(&small(0)).err(), Some(Error::ZeroScalar));
}

/// GADGET-1: each value counts. GADGET-3, GADGET-4.
fn false_values<C: DivisorCurve>() {
    let (k, l) = (wide::<C>([[3; 32]; 2]), wide::<C>([[4; 32]; 2]));
    let example = example::<C>(k, l);
    let honest = example.tape();
    let one = Base::<C>::ONE;
    // Any single value of the tape, off by one: digits of both signs, coefficients of each claim, outputs.
    let digits = 2 * C::DIGITS;
    let claims = 2 * digits;
    let of_second = claims + C::POLES;
    let positions = [0, C::DIGITS - 1, C::DIGITS, digits - 1, digits, claims - 1]
        .into_iter()
        .chain([claims, claims + 1, of_second - 1, of_second, of_second + C::POLES - 1])
        .chain(example.outputs.iter().flat_map(|output| [position(output.x), position(output.y)]));
    for changed in positions {
        let mut tape = honest.clone();
        tape[changed] += one;
        assert!(example.unsatisfied(tape, 2).unwrap().is_some(), "position {changed}");
    }
}

/// What an attacker may put on the tape for a claim: the function for other digits, an output of its choice.
fn swapped<C: DivisorCurve>(example: &Example<C>, k: Scalar<C>, l: Scalar<C>) -> Vec<Base<C>> {
    let base = Arc::new(Table::new(example.other));
    let mut claims = Claims::new();
    let (first, second) = (claims.scalar(), claims.scalar());
    let generator = claims.table(&Arc::new(Table::new(Affine::GENERATOR)));
    let base = claims.table(&base);
    claims.public(first, generator, affine(Point::GENERATOR * k));
    claims.committed(second, base);
    claims.committed(second, base);
    claims.witness(&[Digits::new(&k).unwrap(), Digits::new(&l).unwrap()], 1).unwrap().tape.to_vec()
}

fn attacks<C: DivisorCurve>() {
    let (k, l) = (wide::<C>([[3; 32]; 2]), wide::<C>([[4; 32]; 2]));
    let example = example::<C>(k, l);
    let honest = example.tape();
    let refused = |tape| example.unsatisfied(tape, 3).unwrap().is_some();
    let [first, second] = example.outputs;

    // GADGET-6: the second claim on k has l·P with a divisor of its own that is right for l.
    assert!(refused(swapped(&example, k, l)));

    // A valid point which is not the multiple, and the negative of the one that is.
    let mut tape = honest.clone();
    (tape[position(first.x)], tape[position(first.y)]) = (tape[position(second.x)], tape[position(second.y)]);
    assert!(refused(tape));
    let mut tape = honest.clone();
    tape[position(first.y)] = -tape[position(first.y)];
    assert!(refused(tape));

    // GADGET-4: outputs off the curve, (0, 0) among them.
    for (x, y) in [(0, 0), (1, 1), (0, 1)] {
        let mut tape = honest.clone();
        tape[position(first.x)] = Base::<C>::from_u64(x);
        tape[position(first.y)] = Base::<C>::from_u64(y);
        assert!(refused(tape));
    }

    // GADGET-3: no coefficients and no digits is the function 1, which proves nothing; it cannot be 0.
    let mut tape = honest.clone();
    tape.fill(Base::<C>::ZERO);
    assert!(refused(tape.clone()));
    tape[..4 * C::DIGITS].copy_from_slice(&honest[..4 * C::DIGITS]);
    assert!(refused(tape));

    // Another multiple by the same digits in another order of signs.
    let mut tape = honest;
    let (plus, rest) = tape.split_at_mut(C::DIGITS);
    plus.swap_with_slice(&mut rest[..C::DIGITS]);
    assert!(refused(tape));
}

#[test]
fn attacks_leave_the_circuit_unsatisfied() {
    attacks::<Embedwards25519>();
    attacks::<Secq256k1>();
}

/// A line through the point and another one of the curve.
fn line_is_refused<C: DivisorCurve>(point: Affine<C>, why: &str) {
    let table = Arc::new(Table::new(Affine::<C>::GENERATOR));
    let other = hash_to_curve::<C>("test line ", &[]);
    let output = hash_to_curve::<C>("test output ", &[]);
    let through = |a, b| Challenge::through(a, b, std::slice::from_ref(&table), &[output]);
    assert!(through(other, hash_to_curve("test line ", &[b"2"])).is_some());
    // Through it as A₀, as A₁ and as the third point.
    assert!(through(point, other).is_none(), "{why}");
    assert!(through(other, point).is_none(), "{why}");
    let third = -(Point::from(point) + other.into());
    assert!(through(other, affine(third)).is_none(), "{why}");
}

/// GADGET-5: each kind of line that has a public denominator of 0.
fn lines<C: DivisorCurve>() {
    let g = Point::<C>::GENERATOR;
    let last = (0..C::DIGITS - 1).fold(g, |point, _| point.double() + point);
    for point in [g, -g, g.double() + g, last, -last] {
        line_is_refused::<C>(affine(point), "a point of the table");
    }
    line_is_refused::<C>(-hash_to_curve::<C>("test output ", &[]), "minus a public output");
    let a = hash_to_curve::<C>("test line ", &[]);
    let through = |a, b| Challenge::<C>::through(a, b, &[], &[]);
    assert!(through(a, a).is_none(), "one point twice");
    assert!(through(a, -a).is_none(), "a vertical line");
    let double = affine(Point::from(a).double());
    assert!(through(a, -double).is_none(), "a tangent at the first point");
    assert!(through(-double, a).is_none(), "a tangent at the second point");
    // A₂ = A₁ if A₀ = −2A₁; A₂ = A₀ if A₁ = −2A₀: both are above. The rest of the lines are fine.
    assert!(through(a, double).is_some());
}

#[test]
fn lines_with_a_denominator_of_zero_are_passed_over() {
    lines::<Embedwards25519>();
    lines::<Secq256k1>();
}

/// GADGET-5: prover and verifier draw the same line, another one for another seed.
#[test]
fn a_challenge_depends_on_its_seed_alone() {
    let claims = example::<Secq256k1>(Scalar::<Secq256k1>::ONE, Scalar::<Secq256k1>::ONE).claims;
    let slope = |seed| claims.challenge(&[seed; 64]).slope;
    assert_eq!(slope(1), slope(1));
    assert_ne!(slope(1), slope(2));
}

/// GADGET-6: the points ±3^i·T of a table are distinct.
fn multiples_are_distinct<C: DivisorCurve>() {
    let table = Table::<C>::new(Affine::GENERATOR);
    let xs: std::collections::HashSet<_> = table.points().iter().map(|point| point.x().to_bytes()).collect();
    assert_eq!(xs.len(), C::DIGITS);
}

/// GADGET-2: few digits, which stand for the scalar.
fn digits_stand_for<C: DivisorCurve>(scalar: Scalar<C>) {
    let mut tape = Vec::new();
    Digits::<C>::new(&scalar).unwrap().write(&mut tape);
    let (plus, minus) = tape.split_at(C::DIGITS);
    let (zero, one) = (Base::<C>::ZERO, Base::<C>::ONE);
    assert!(tape.iter().all(|digit| *digit == zero || *digit == one));
    assert!(tape.iter().filter(|digit| **digit == one).count() <= C::POLES);
    let three = Scalar::<C>::from_u64(3);
    let value = plus.iter().zip(minus).rev().fold(Scalar::<C>::ZERO, |sum, (plus, minus)| {
        let digit = [(*plus, Scalar::<C>::ONE), (*minus, -Scalar::<C>::ONE)];
        digit.iter().filter(|(here, _)| *here == one).fold(sum * three, |sum, (_, digit)| sum + digit)
    });
    assert!(value == scalar);
}

#[test]
fn digits_are_few_and_stand_for_their_scalar() {
    multiples_are_distinct::<Embedwards25519>();
    multiples_are_distinct::<Secq256k1>();
    for byte in 0..40 {
        digits_stand_for::<Embedwards25519>(wide::<Embedwards25519>([[byte; 32], [255 - byte; 32]]));
        digits_stand_for::<Secq256k1>(wide::<Secq256k1>([[byte; 32], [255 - byte; 32]]));
    }
    digits_stand_for::<Embedwards25519>(Scalar::<Embedwards25519>::ONE);
    digits_stand_for::<Secq256k1>(-Scalar::<Secq256k1>::ONE);
}

/// GADGET-9.
#[test]
fn claims_cost_what_the_specification_says() {
    let table = Arc::new(Table::<Embedwards25519>::new(Affine::GENERATOR));
    let mut claims = Claims::new();
    let scalar = claims.scalar();
    let base = claims.table(&table);
    assert_eq!((claims.tape_len(), claims.rows()), (330, 0));
    claims.public(scalar, base, Affine::GENERATOR);
    assert_eq!((claims.tape_len(), claims.rows()), (330 + 105, 3));
    claims.committed(scalar, base);
    assert_eq!((claims.tape_len(), claims.rows()), (330 + 105 + 107, 7));
}

/// GADGET-7: a caller's mistakes and zero are told, not proven.
#[test]
fn false_claims_are_told_to_the_prover() {
    let example =
        example::<Embedwards25519>(Scalar::<Embedwards25519>::from_u64(3), -Scalar::<Embedwards25519>::ONE);
    let [three, one] = [3, 1].map(|k| Digits::new(&Scalar::<Embedwards25519>::from_u64(k)).unwrap());
    let found = example.claims.witness(std::slice::from_ref(&three), 1).err();
    assert_eq!(found, Some(Error::Scalars { expected: 2, given: 1 }));
    assert_eq!(example.claims.witness(&[one, three], 2).err(), Some(Error::FalseClaim { claim: 0 }));
}
