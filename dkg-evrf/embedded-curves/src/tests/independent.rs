//! Fields and groups against textbook arithmetic on the integers of `crypto-bigint`, which shares no code with ours (CURVE-1, CURVE-4,
//! CURVE-15).
#![allow(clippy::unwrap_used, missing_docs)]

use crypto_bigint::{Encoding, U256};
use ff::{Field, PrimeField};
use proptest::prelude::*;

use super::values::{bytes, element};
use crate::{
    curves::{Base, Curve, Embedwards25519, Scalar, Secp256k1, Secq256k1},
    field::{
        Curve25519FieldPrime, Element, Embedwards25519Order, Modulus, RistrettoOrder, Secp256k1FieldPrime,
        Secp256k1Order,
    },
    point::{Affine, Point},
};

/// The integers modulo a prime, by division.
#[derive(Clone, Copy)]
struct Ring(U256);

impl Ring {
    fn of<M: Modulus>() -> Self {
        Self(U256::from_be_hex(M::HEX.trim_start_matches("0x")))
    }

    fn reduce(self, low: U256, high: U256) -> U256 {
        U256::const_rem_wide((low, high), &self.0).0
    }

    fn mul(self, a: U256, b: U256) -> U256 {
        let (low, high) = a.mul_wide(&b);
        self.reduce(low, high)
    }

    fn add(self, a: U256, b: U256) -> U256 {
        a.add_mod(&b, &self.0)
    }

    fn sub(self, a: U256, b: U256) -> U256 {
        a.sub_mod(&b, &self.0)
    }

    fn invert(self, a: U256) -> U256 {
        let (inverse, exists) = a.inv_odd_mod(&self.0);
        assert!(bool::from(exists));
        inverse
    }
}

fn integer<M: Modulus>(element: &Element<M>) -> U256 {
    U256::from_le_bytes(element.to_bytes())
}

/// CURVE-1, CURVE-15.
fn field_agrees<M: Modulus>(a: [u8; 32], b: [u8; 32]) {
    let ring = Ring::of::<M>();
    let mut wide = [0; 64];
    wide[..32].copy_from_slice(&a);
    wide[32..].copy_from_slice(&b);
    let [low, high] = [a, b].map(U256::from_le_bytes);
    assert_eq!(integer(&Element::<M>::from_bytes_wide(&wide)), ring.reduce(low, high));
    let canonical = Option::<Element<M>>::from(Element::from_bytes(&a));
    assert_eq!(canonical.is_some(), low < ring.0);
    let reduce = |limbs: U256| Element::<M>::from_limbs(limbs.to_words());
    let (x, y) = (reduce(low), reduce(high));
    let [i, j] = [low, high].map(|value| ring.reduce(value, U256::ZERO));
    assert_eq!((integer(&x), integer(&y)), (i, j));
    assert_eq!(integer(&(x * y)), ring.mul(i, j));
    assert_eq!(integer(&x.square()), ring.mul(i, i));
    assert_eq!(integer(&(x + y)), ring.add(i, j));
    assert_eq!(integer(&(x - y)), ring.sub(i, j));
    assert_eq!(integer(&-x), ring.sub(U256::ZERO, i));
    assert_eq!(
        integer(&Element::sum_of(&[(x, y), (y, y), (x, x)])),
        ring.add(ring.mul(i, j), ring.add(ring.mul(j, j), ring.mul(i, i)))
    );
    if i != U256::ZERO {
        assert_eq!(integer(&x.invert().unwrap()), ring.invert(i));
        assert_eq!(integer(&x.invert_vartime()), ring.invert(i));
    }
}

impl<M: Modulus> Element<M> {
    /// By the accumulator.
    fn sum_of(pairs: &[(Self, Self)]) -> Self {
        let mut sum = crate::field::Accumulator::default();
        for (a, b) in pairs {
            sum.add_product(a, b);
        }
        sum.reduce()
    }
}

/// A point of the plane, or the identity.
type Textbook = Option<(U256, U256)>;

fn add<C: Curve>(ring: Ring, left: Textbook, right: Textbook) -> Textbook {
    let (Some((x1, y1)), Some((x2, y2))) = (left, right) else { return left.or(right) };
    let slope = if x1 != x2 {
        ring.mul(ring.sub(y2, y1), ring.invert(ring.sub(x2, x1)))
    } else if y1 == y2 {
        let squared = ring.mul(x1, x1);
        let rise = ring.add(ring.add(squared, ring.add(squared, squared)), integer(&C::A));
        ring.mul(rise, ring.invert(ring.add(y1, y1)))
    } else {
        return None;
    };
    let x = ring.sub(ring.sub(ring.mul(slope, slope), x1), x2);
    Some((x, ring.sub(ring.mul(slope, ring.sub(x1, x)), y1)))
}

fn multiply<C: Curve>(ring: Ring, scalar: U256, point: Textbook) -> Textbook {
    scalar.to_le_bytes().iter().rev().flat_map(|byte| (0..8).rev().map(move |bit| (byte >> bit) & 1)).fold(
        None,
        |sum, bit| {
            let doubled = add::<C>(ring, sum, sum);
            if bit == 1 { add::<C>(ring, doubled, point) } else { doubled }
        },
    )
}

fn textbook<C: Curve>(point: &Point<C>) -> Textbook {
    point.to_affine_vartime().map(|point| (integer(&point.x()), integer(&point.y())))
}

fn base<C: Curve>() -> (U256, U256) {
    (integer(&C::GENERATOR.0), integer(&C::GENERATOR.1))
}

/// The same point as one of ours, which must be on the curve.
fn ours<C: Curve>((x, y): (U256, U256)) -> Affine<C> {
    let [x, y] = [x, y].map(|coordinate| Base::<C>::from_limbs(coordinate.to_words()));
    Affine::from_coordinates(x, y).unwrap()
}

/// CURVE-4, CURVE-13, CURVE-14: sums, multiples and sums of multiples of all pairs of some edge values.
fn group_agrees<C: Curve>() {
    let ring = Ring::of::<C::BaseModulus>();
    let scalar = |seed: u8| Scalar::<C>::from_bytes_wide(&[seed; 64]);
    let (one, zero) = (Scalar::<C>::ONE, Scalar::<C>::ZERO);
    let base = Some(base::<C>());
    let scalars = [zero, one, -one, one + one, Scalar::<C>::TWO_INV, scalar(7), scalar(0x5b), -scalar(7)];
    let expected = scalars.map(|scalar| multiply::<C>(ring, integer(&scalar), base));
    let points = scalars.map(|scalar| Point::<C>::GENERATOR * scalar);
    for (i, (point, is)) in points.iter().zip(&expected).enumerate() {
        assert_eq!(textbook(point), *is, "multiple {i}");
        assert_eq!(textbook(&Point::<C>::GENERATOR.mul_vartime(&scalars[i])), *is, "multiple {i}");
        assert_eq!(textbook(&point.double()), add::<C>(ring, *is, *is), "double {i}");
        for (other, other_is) in points.iter().zip(&expected) {
            assert_eq!(textbook(&(*point + *other)), add::<C>(ring, *is, *other_is));
        }
    }
    // All but the identity, with the scalars in another order.
    let affine: Vec<Affine<C>> = points.iter().filter_map(Point::to_affine_vartime).collect();
    let chosen = &scalars[..affine.len()];
    let sum = chosen.iter().zip(expected.iter().flatten()).fold(None, |sum, (scalar, point)| {
        add::<C>(ring, sum, multiply::<C>(ring, integer(scalar), Some(*point)))
    });
    assert_eq!(textbook(&Point::multiscalar_mul(chosen, &affine)), sum);
    assert_eq!(textbook(&Point::multiscalar_mul_vartime(chosen, &affine)), sum);
}

/// CURVE-4, CURVE-6: two multiples of the generator, their sums, and a multiple of a multiple.
fn pair_agrees<C: Curve>(a: Scalar<C>, b: Scalar<C>) {
    let ring = Ring::of::<C::BaseModulus>();
    let [p, q] = [a, b].map(|scalar| Point::<C>::GENERATOR * scalar);
    let [p_is, q_is] = [a, b].map(|scalar| multiply::<C>(ring, integer(&scalar), Some(base::<C>())));
    assert_eq!([p, q].map(|point| textbook(&point)), [p_is, q_is]);
    let minus_q_is = q_is.map(|(x, y)| (x, ring.sub(U256::ZERO, y)));
    assert_eq!(textbook(&(p + q)), add::<C>(ring, p_is, q_is));
    assert_eq!(textbook(&(p - q)), add::<C>(ring, p_is, minus_q_is));
    assert_eq!(textbook(&p.double()), add::<C>(ring, p_is, p_is));
    let multiple = multiply::<C>(ring, integer(&b), p_is);
    assert_eq!([p * b, p.mul_vartime(&b)].map(|point| textbook(&point)), [multiple; 2]);
}

/// CURVE-13, CURVE-14: each point is the former one, its opposite, or a stride further, so that its logarithm is known as an integer.
fn sum_agrees<C: Curve>(stride: Scalar<C>, terms: &[(Scalar<C>, u8)]) {
    let (ring, logarithms) = (Ring::of::<C::BaseModulus>(), Ring::of::<C::ScalarModulus>());
    let stride = integer(&stride);
    let step = multiply::<C>(ring, stride, Some(base::<C>()));
    let (mut point, mut logarithm) = (Some(base::<C>()), U256::ONE);
    let (mut scalars, mut points, mut sum) = (Vec::new(), Vec::new(), U256::ZERO);
    for (scalar, turn) in terms {
        (point, logarithm) = match turn {
            0 => (point, logarithm),
            1 => {
                let opposite = point.map(|(x, y)| (x, ring.sub(U256::ZERO, y)));
                (opposite, logarithms.sub(U256::ZERO, logarithm))
            }
            _ => (add::<C>(ring, point, step), logarithms.add(logarithm, stride)),
        };
        // The identity has no coordinates.
        points.extend(point.map(ours::<C>));
        scalars.extend(point.map(|_| *scalar));
        sum = logarithms.add(sum, logarithms.mul(integer(scalar), logarithm));
    }
    let sum = multiply::<C>(ring, sum, Some(base::<C>()));
    assert_eq!(textbook(&Point::multiscalar_mul(&scalars, &points)), sum);
    assert_eq!(textbook(&Point::multiscalar_mul_vartime(&scalars, &points)), sum);
}

macro_rules! fields {
    ($($name:ident: $Modulus:ty),+ $(,)?) => {$(
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            #[test]
            fn $name(a in bytes(), b in bytes()) {
                field_agrees::<$Modulus>(a, b);
            }
        }
    )+};
}
fields! {
    ristretto_order_agrees_with_integers: RistrettoOrder,
    embedwards25519_order_agrees_with_integers: Embedwards25519Order,
    secp256k1_order_agrees_with_integers: Secp256k1Order,
    secp256k1_field_agrees_with_integers: Secp256k1FieldPrime,
    curve25519_field_agrees_with_integers: Curve25519FieldPrime,
}

macro_rules! groups {
    ($($name:ident: $Curve:ty),+ $(,)?) => {$(
        mod $name {
            use super::*;

            #[test]
            fn edge_values_agree_with_the_textbook() {
                group_agrees::<$Curve>();
            }

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(12))]
                #[test]
                fn pairs_agree_with_the_textbook(a in element(), b in element()) {
                    pair_agrees::<$Curve>(a, b);
                }

                #[test]
                fn sums_of_many_agree_with_the_textbook(
                    stride in element(),
                    terms in prop::collection::vec((element(), 0u8..6), 0..=400),
                ) {
                    sum_agrees::<$Curve>(stride, &terms);
                }
            }
        }
    )+};
}
groups! {
    embedwards25519: Embedwards25519,
    secq256k1: Secq256k1,
    secp256k1: Secp256k1,
}

/// CURVE-2: the curve's coefficients, by the generator.
#[test]
fn generators_are_on_their_curves_by_the_textbook() {
    fn on_curve<C: Curve>() {
        let ring = Ring::of::<C::BaseModulus>();
        let (x, y) = (integer::<C::BaseModulus>(&C::GENERATOR.0), integer::<C::BaseModulus>(&C::GENERATOR.1));
        let [a, b] = [C::A, C::B].map(|constant: Base<C>| integer(&constant));
        let right = ring.add(ring.mul(ring.add(ring.mul(x, x), a), x), b);
        assert_eq!(ring.mul(y, y), right);
    }
    on_curve::<Embedwards25519>();
    on_curve::<Secq256k1>();
    on_curve::<Secp256k1>();
}
