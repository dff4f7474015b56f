//! Fields and groups against textbook arithmetic on the integers of `crypto-bigint`, which shares no code with ours (CURVE-1, CURVE-4,
//! CURVE-15).
#![allow(clippy::unwrap_used, missing_docs)]

use crypto_bigint::{Encoding, U256};
use ff::{Field, PrimeField};
use proptest::prelude::*;

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

/// Random bytes, and those near the ends of words and of the range.
fn bytes() -> impl Strategy<Value = [u8; 32]> {
    prop_oneof![
        3 => any::<[u8; 32]>(),
        1 => (any::<[bool; 4]>(), any::<[u8; 4]>()).prop_map(|(high, low)| {
            let mut bytes = [0; 32];
            for (word, (high, low)) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(high.into_iter().zip(low)) {
                *word = if high { (u64::MAX - u64::from(low)).to_le_bytes() } else { u64::from(low).to_le_bytes() };
            }
            bytes
        }),
    ]
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

fn multiply<C: Curve>(ring: Ring, scalar: &Scalar<C>, point: Textbook) -> Textbook {
    scalar.to_bytes().iter().rev().flat_map(|byte| (0..8).rev().map(move |bit| (byte >> bit) & 1)).fold(
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

/// CURVE-4, CURVE-13, CURVE-14: sums, multiples and sums of multiples, edge values among them.
fn group_agrees<C: Curve>() {
    let ring = Ring::of::<C::BaseModulus>();
    let scalar = |seed: u8| Scalar::<C>::from_bytes_wide(&[seed; 64]);
    let (one, zero) = (Scalar::<C>::ONE, Scalar::<C>::ZERO);
    let base = Some((integer(&C::GENERATOR.0), integer(&C::GENERATOR.1)));
    let scalars = [zero, one, -one, one + one, Scalar::<C>::TWO_INV, scalar(7), scalar(0x5b), -scalar(7)];
    let expected = scalars.map(|scalar| multiply::<C>(ring, &scalar, base));
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
    let sum = chosen
        .iter()
        .zip(expected.iter().flatten())
        .fold(None, |sum, (scalar, point)| add::<C>(ring, sum, multiply::<C>(ring, scalar, Some(*point))));
    assert_eq!(textbook(&Point::multiscalar_mul(chosen, &affine)), sum);
    assert_eq!(textbook(&Point::multiscalar_mul_vartime(chosen, &affine)), sum);
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

#[test]
fn embedwards25519_agrees_with_the_textbook() {
    group_agrees::<Embedwards25519>();
}

#[test]
fn secq256k1_agrees_with_the_textbook() {
    group_agrees::<Secq256k1>();
}

#[test]
fn secp256k1_agrees_with_the_textbook() {
    group_agrees::<Secp256k1>();
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
