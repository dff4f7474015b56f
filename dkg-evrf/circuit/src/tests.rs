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
        self.claims.witness(&digits).unwrap().tape.to_vec()
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

/// GADGET-1 to GADGET-6, from the attacker's side.
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
