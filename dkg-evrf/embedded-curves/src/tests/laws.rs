//! One suite for every curve: what a curve of prime order must obey.
#![allow(clippy::unwrap_used, missing_docs)]

use ff::{Field, PrimeField};
use proptest::prelude::*;

use crate::{
    curves::{Base, Curve, Embedwards25519, Scalar, Secp256k1, Secq256k1},
    field::{Element, Modulus},
    point::{Affine, Point},
};

fn scalar<C: Curve>() -> impl Strategy<Value = Scalar<C>> {
    prop_oneof![
        3 => any::<[[u8; 32]; 2]>().prop_map(|halves| Element::from_bytes_wide(
            halves.concat().as_slice().try_into().unwrap()
        )),
        1 => (0u64..20).prop_map(Element::from_u64),
        1 => (0u64..20).prop_map(|v| -Element::from_u64(v)),
    ]
}

/// CURVE-4: complete addition; CURVE-6: the constant-time multiplication agrees with the others.
fn group_laws<C: Curve>(a: Scalar<C>, b: Scalar<C>) {
    let g = Point::<C>::GENERATOR;
    let (pa, pb) = (g * a, g * b);
    assert_eq!(pa + pb, g * (a + b));
    assert_eq!(pa + pb, pb + pa);
    assert_eq!(pa - pb, g * (a - b));
    assert_eq!(pa + Point::IDENTITY, pa);
    assert_eq!(pa + -pa, Point::IDENTITY);
    assert_eq!(pa.double(), pa + pa);
    assert_eq!(pa.double(), g * a.double());
    assert_eq!(pa * b, g * (a * b));
    assert_eq!(g.mul_vartime(&a), pa);
    assert_eq!(Point::straus_vartime(&[(a, g), (b, pb)]), pa + pb * b);
    let affine = Option::<Affine<C>>::from(pa.to_affine());
    assert_eq!(affine, pa.to_affine_vartime());
    assert_eq!(affine.is_none(), a == Scalar::<C>::ZERO);
    if let Some(affine) = affine {
        assert_eq!(Affine::<C>::from_coordinates(affine.x(), affine.y()), Some(affine));
        assert_eq!(Affine::from_bytes_vartime(&affine.to_bytes()), Some(affine));
        assert_eq!(Point::from(-affine), -pa);
        assert_eq!(pb.add_affine(&affine), pa + pb);
        assert_eq!(pa.add_affine(&affine), pa.double());
        assert_eq!((-pa).add_affine(&affine), Point::IDENTITY);
        let several = [pa, pa.double(), g];
        let batch = Point::batch_to_affine(&several).unwrap();
        assert_eq!(batch, Point::batch_to_affine_vartime(&several).unwrap());
        assert!(batch.iter().zip(several).all(|(affine, point)| Point::from(*affine) == point));
        assert!(Point::batch_to_affine(&[pa, Point::IDENTITY]).is_none());
    }
}

/// CURVE-13: many scalars at once, with points and scalars that meet in every way.
fn multiscalar_laws<C: Curve>(a: Scalar<C>, b: Scalar<C>) {
    let g = Affine::<C>::GENERATOR;
    let h = Option::<Affine<C>>::from((Point::from(g) * Scalar::<C>::from_u64(77)).to_affine()).unwrap();
    let (zero, one) = (Scalar::<C>::ZERO, Scalar::<C>::ONE);
    let mut terms =
        vec![(a, g), (b, h), (a, g), (a, -g), (zero, h), (one, g), (-one, h), (-a, h), (b, g), (b, -g)];
    for count in [0, 1, 2, 3, 10, 70] {
        while terms.len() < count {
            let (scalar, point) = terms[terms.len() - 7];
            terms.push((scalar.double() + a, point));
        }
        let (scalars, points): (Vec<_>, Vec<_>) = terms[..count].iter().copied().unzip();
        let expected: Point<C> =
            terms[..count].iter().map(|(scalar, point)| Point::from(*point) * *scalar).sum();
        assert_eq!(Point::multiscalar_mul(&scalars, &points), expected, "{count}");
        assert_eq!(Point::multiscalar_mul_vartime(&scalars, &points), expected, "{count}");
    }
}

/// CURVE-14: many sums with the same scalars.
fn fold_laws<C: Curve>(a: Scalar<C>, b: Scalar<C>) {
    let points: Vec<_> = (1..20u64)
        .map(|i| (Point::<C>::GENERATOR * Scalar::<C>::from_u64(i / 2 + 1)).to_affine().unwrap())
        .collect();
    let (zero, one) = (Scalar::<C>::ZERO, Scalar::<C>::ONE);
    for scalars in [&[][..], &[a], &[a, -a], &[zero, one, -one], &[a, b, a + b, zero, -b]] {
        let sums = Point::fold_vartime(scalars, &points);
        let len = points.len() / scalars.len().max(1);
        assert_eq!(sums.len(), len);
        for (i, sum) in sums.into_iter().enumerate() {
            let terms =
                scalars.iter().enumerate().map(|(j, scalar)| Point::from(points[i + j * len]) * *scalar);
            assert_eq!(sum, terms.sum());
        }
    }
}

/// Miller and Rabin's test with forty fixed bases.
fn is_prime<M: Modulus>() -> bool {
    // In the ring of integers modulo M: −1 = 2^s·d.
    let s = Element::<M>::S;
    let p = M::LIMBS;
    let minus_one = [p[0] - 1, p[1], p[2], p[3]];
    let mut odd = minus_one;
    for _ in 0..s {
        odd = std::array::from_fn(|i| (odd[i] >> 1) | (odd.get(i + 1).unwrap_or(&0) << 63));
    }
    (2..42).all(|base| {
        let mut power = Element::<M>::from_u64(base).pow_vartime(odd);
        let mut passes = power == Element::ONE;
        for _ in 0..s {
            passes |= power == -Element::<M>::ONE;
            power = power.square();
        }
        passes
    })
}

/// CURVE-2: prime order, of the generator and so (Hasse) of the group; CURVE-3: no small embedding degree.
fn order_is_prime_and_right<C: Curve>() {
    assert!(is_prime::<C::BaseModulus>() && is_prime::<C::ScalarModulus>());
    let g = Affine::<C>::from_coordinates(C::GENERATOR.0, C::GENERATOR.1).unwrap();
    let q = C::ScalarModulus::LIMBS;
    // q·G by doubling and adding, since a scalar cannot hold q.
    let mut sum = Point::<C>::IDENTITY;
    for i in (0..256).rev() {
        sum = sum.double();
        if (q[i / 64] >> (i % 64)) & 1 == 1 {
            sum = sum.add_affine(&g);
        }
    }
    assert_eq!(sum, Point::IDENTITY);
    // 4a³ + 27b² ≠ 0.
    let four_a3 = C::A * C::A * C::A * Base::<C>::from_u64(4);
    assert_ne!(four_a3 + C::B * C::B * Base::<C>::from_u64(27), Base::<C>::ZERO);
    // |q − (p + 1)| < 2^129 − …: then no other multiple of q is in Hasse's interval.
    let (high, low) = (i128::from(q[3] >> 1), i128::from(C::BaseModulus::LIMBS[3] >> 1));
    assert!((high - low).abs() <= 1);
    // The order of p modulo q exceeds 10,000 (a curve with a small one would have a weak pairing), and p ≠ q.
    let p = Scalar::<C>::from_limbs(C::BaseModulus::LIMBS);
    let mut power = p;
    for degree in 1..10_000 {
        assert_ne!(power, Scalar::<C>::ONE, "embedding degree {degree}");
        power *= p;
    }
    assert_ne!(C::BaseModulus::LIMBS, q);
}

macro_rules! laws {
    ($name:ident, $Curve:ty) => {
        mod $name {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(40))]
                #[test]
                fn obeys_the_group_laws(a in scalar::<$Curve>(), b in scalar::<$Curve>()) {
                    group_laws::<$Curve>(a, b);
                }
            }
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(8))]
                #[test]
                fn multiplies_many_points_at_once(a in scalar::<$Curve>(), b in scalar::<$Curve>()) {
                    multiscalar_laws::<$Curve>(a, b);
                    fold_laws::<$Curve>(a, b);
                }
            }
            #[test]
            fn opposite_and_equal_scalars_obey_the_group_laws() {
                let two = Scalar::<$Curve>::from_u64(2);
                group_laws::<$Curve>(two, two);
                group_laws::<$Curve>(two, -two);
                group_laws::<$Curve>(two, Scalar::<$Curve>::ZERO);
            }
            #[test]
            fn has_the_prime_order_that_it_claims() {
                order_is_prime_and_right::<$Curve>();
            }
        }
    };
}
laws!(embedwards25519, Embedwards25519);
laws!(secq256k1, Secq256k1);
laws!(secp256k1, Secp256k1);

#[test]
fn secp256k1_agrees_with_k256() {
    use k256::elliptic_curve::{PrimeField as _, sec1::ToEncodedPoint};
    let scalar = Scalar::<Secp256k1>::from_bytes_wide(&[9; 64]);
    let mut bytes = scalar.to_bytes();
    bytes.reverse();
    let theirs = k256::ProjectivePoint::GENERATOR * k256::Scalar::from_repr(bytes.into()).unwrap();
    let theirs = theirs.to_affine().to_encoded_point(false);
    let ours = (Point::<Secp256k1>::GENERATOR * scalar).to_affine().unwrap();
    let mut x = ours.x().to_bytes();
    x.reverse();
    assert_eq!(theirs.x().unwrap().as_slice(), x);
}

fn to_k256(scalar: &Scalar<Secp256k1>) -> k256::Scalar {
    use k256::elliptic_curve::PrimeField as _;
    let mut bytes = scalar.to_bytes();
    bytes.reverse();
    k256::Scalar::from_repr(bytes.into()).unwrap()
}

/// A sum of many multiples by an independent library, term by term.
fn sum_by_k256(terms: &[(Scalar<Secp256k1>, Scalar<Secp256k1>)]) -> Vec<u8> {
    use k256::elliptic_curve::sec1::ToEncodedPoint;
    let product = |(scalar, log): &(_, _)| k256::ProjectivePoint::GENERATOR * to_k256(log) * to_k256(scalar);
    terms
        .iter()
        .map(product)
        .sum::<k256::ProjectivePoint>()
        .to_affine()
        .to_encoded_point(false)
        .as_bytes()
        .to_vec()
}

fn encoded(point: Point<Secp256k1>) -> Vec<u8> {
    let Some(affine) = point.to_affine_vartime() else { return vec![0] };
    let [x, y] = [affine.x(), affine.y()].map(|coordinate| {
        let mut bytes = coordinate.to_bytes();
        bytes.reverse();
        bytes
    });
    [&[4][..], &x, &y].concat()
}

/// CURVE-13, CURVE-14: random terms among all pairs of edge values, for every width of windows that sizes up to 600 choose.
#[test]
fn secp256k1_multiplies_many_points_as_k256_does() {
    let lambda = Secp256k1::ENDOMORPHISM.unwrap().lambda;
    let one = Scalar::<Secp256k1>::ONE;
    let half = Scalar::<Secp256k1>::TWO_INV;
    let power = |i: u64| Scalar::<Secp256k1>::from_u64(2).pow_vartime([i]);
    let edges = [
        Scalar::<Secp256k1>::ZERO,
        one,
        -one,
        lambda,
        -lambda,
        half,
        -half,
        power(127),
        power(128),
        power(255),
    ];
    // Points by their logarithms: equal, opposite, and λ times each other.
    let logs = [one, -one, lambda, half, power(128)];
    let mut random = (0u64..).map(|i| {
        Scalar::<Secp256k1>::from_bytes_wide(&[i.to_le_bytes()[0].wrapping_mul(37) ^ 0x5a; 64])
            * power(i % 256)
    });
    let mut terms: Vec<_> = edges.iter().flat_map(|edge| logs.map(|log| (*edge, log))).collect();
    for count in [0, 1, 2, 5, 50, 51, 80, 200, 600] {
        while terms.len() < count {
            terms.push((random.next().unwrap(), random.next().unwrap()));
        }
        let terms = &terms[..count];
        let scalars: Vec<_> = terms.iter().map(|(scalar, _)| *scalar).collect();
        let points: Vec<_> =
            terms.iter().map(|(_, log)| (Point::GENERATOR * *log).to_affine().unwrap()).collect();
        let expected = sum_by_k256(terms);
        assert_eq!(encoded(Point::multiscalar_mul_vartime(&scalars, &points)), expected, "{count}");
        assert_eq!(encoded(Point::multiscalar_mul(&scalars, &points)), expected, "{count}");
    }
}

/// CURVE-13: all in one pile, and piles whose points cancel.
#[test]
fn piles_of_equal_and_opposite_points_are_added_up_rightly() {
    let scalar = Scalar::<Secp256k1>::from_bytes_wide(&[7; 64]);
    for count in [2u64, 3, 64, 257] {
        let scalars: Vec<_> = (0..count).map(|_| scalar).collect();
        let mut points: Vec<_> = (0..count).map(|_| Affine::<Secp256k1>::GENERATOR).collect();
        let expected = Point::GENERATOR * (scalar * Scalar::<Secp256k1>::from_u64(count));
        assert_eq!(Point::multiscalar_mul_vartime(&scalars, &points), expected);
        assert_eq!(Point::multiscalar_mul(&scalars, &points), expected);
        points.iter_mut().step_by(2).for_each(|point| *point = -*point);
        let expected = if count % 2 == 0 { Point::IDENTITY } else { -(Point::GENERATOR * scalar) };
        assert_eq!(Point::multiscalar_mul_vartime(&scalars, &points), expected);
        assert_eq!(Point::multiscalar_mul(&scalars, &points), expected);
    }
}
