//! Fields and groups against arkworks, which shares no code with ours (CURVE-1, CURVE-2, CURVE-4, CURVE-6, CURVE-13, CURVE-14).
//!
//! ```text
//! random and edge values ──▶ ours   ── operation ──▶ ┐
//!                        └─▶ theirs ── operation ──▶ ┴ the same canonical bytes
//! ```
//!
//! secq256k1 and secp256k1 are arkworks' own; embedwards25519 is its generic short Weierstrass curve with the parameters of
//! `spec/embedded-curves.md`. Points of group operations are made by arkworks, so that no multiplication of ours is trusted.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(unexpected_cfgs, reason = "`MontConfig` asks for a feature of arkworks' own")]

use ark_ec::{
    AffineRepr, CurveConfig, CurveGroup, PrimeGroup, VariableBaseMSM,
    short_weierstrass::{Affine as TheirAffine, Projective, SWCurveConfig},
};
use ark_ff::{
    AdditiveGroup, BigInteger, Field as _, Fp256, LegendreSymbol, MontBackend, MontConfig, MontFp,
    PrimeField as TheirField, Zero,
};
use ff::Field;
use proptest::prelude::*;

use super::values::{bytes, element};
use crate::{
    curves::{Base, Curve, Embedwards25519, Scalar, Secp256k1, Secq256k1},
    field::{
        Accumulator, Element, Embedwards25519Order, Modulus, RistrettoOrder, Secp256k1FieldPrime,
        Secp256k1Order,
    },
    point::{Affine, Multiples, Point},
};

#[derive(MontConfig)]
#[modulus = "7237005577332262213973186563042994240857116359379907606001950938285454250989"]
#[generator = "2"]
struct TheirBaseConfig;
type TheirBase = Fp256<MontBackend<TheirBaseConfig, 4>>;

#[derive(MontConfig)]
#[modulus = "7237005577332262213973186563042994240793813580839397701054838879135596476779"]
#[generator = "10"]
struct TheirScalarConfig;
type TheirScalar = Fp256<MontBackend<TheirScalarConfig, 4>>;

/// embedwards25519.
struct TheirEmbedwards25519;

impl CurveConfig for TheirEmbedwards25519 {
    type BaseField = TheirBase;
    type ScalarField = TheirScalar;
    const COFACTOR: &'static [u64] = &[1];
    const COFACTOR_INV: TheirScalar = TheirScalar::ONE;
}

impl SWCurveConfig for TheirEmbedwards25519 {
    const COEFF_A: TheirBase = MontFp!("-3");
    const COEFF_B: TheirBase = MontFp!("0x0942593fc1cf26ca079d66ea233a90643e460d213620680b37203f853a60075f");
    const GENERATOR: TheirAffine<Self> = TheirAffine::new_unchecked(
        MontFp!("1"),
        MontFp!("0x0c02165626b076a3dfdac076d6813519b7360e9a19e2affb3d4a480a0818412e"),
    );
    // (0, 0) is not on the curve, and stands for the identity.
    type ZeroFlag = ();
}

/// A curve of ours which arkworks has too.
trait Both: Curve {
    type Theirs: SWCurveConfig<BaseField: TheirField>;
}

impl Both for Embedwards25519 {
    type Theirs = TheirEmbedwards25519;
}

impl Both for Secq256k1 {
    type Theirs = ark_secq256k1::Config;
}

impl Both for Secp256k1 {
    type Theirs = ark_secp256k1::Config;
}

type Group<C> = Projective<<C as Both>::Theirs>;
type TheirScalarOf<C> = <<C as Both>::Theirs as CurveConfig>::ScalarField;

/// Their element of the same value.
fn theirs<M: Modulus, F: TheirField>(ours: &Element<M>) -> F {
    F::from_le_bytes_mod_order(&ours.to_bytes())
}

/// Our element of the same value.
fn ours<M: Modulus, F: TheirField>(theirs: &F) -> Element<M> {
    let bytes: [u8; 32] = theirs.into_bigint().to_bytes_le().try_into().unwrap();
    Element::from_bytes(&bytes).unwrap()
}

/// Elements print as redacted: what is compared is their bytes.
fn assert_same<M: Modulus, F: TheirField>(ours: Element<M>, theirs: F) {
    assert_eq!(ours.to_bytes().to_vec(), theirs.into_bigint().to_bytes_le());
}

/// CURVE-1: the two numbers, and their 512 bits together.
fn field_agrees<M: Modulus, F: TheirField>(a: [u8; 32], b: [u8; 32]) {
    let wide: [u8; 64] = [a, b].concat().try_into().unwrap();
    assert_same(Element::<M>::from_bytes_wide(&wide), F::from_le_bytes_mod_order(&wide));
    let words = |bytes: [u8; 32]| std::array::from_fn(|i| u64::from_le_bytes(bytes.as_chunks::<8>().0[i]));
    let [x, y] = [a, b].map(|bytes| Element::<M>::from_limbs(words(bytes)));
    let [i, j] = [a, b].map(|bytes| F::from_le_bytes_mod_order(&bytes));
    assert_same(x, i);
    assert_same(y, j);
    assert_same(x + y, i + j);
    assert_same(x - y, i - j);
    assert_same(-x, -i);
    assert_same(x.double(), i.double());
    assert_same(x * y, i * j);
    assert_same(x.square(), i.square());
    assert_same(x.pow_vartime(words(b)), i.pow(words(b)));
    assert_eq!(bool::from(x.is_zero()), i.is_zero());
    inverse_and_root_agree(x, i);
    inverse_and_root_agree(x.square(), i.square());
}

fn inverse_and_root_agree<M: Modulus, F: TheirField>(x: Element<M>, i: F) {
    let inverse = i.inverse();
    assert_eq!(
        Option::from(x.invert()).map(|x: Element<M>| x.to_bytes()),
        inverse.map(|i| ours::<M, F>(&i).to_bytes())
    );
    assert_same(x.invert_vartime(), inverse.unwrap_or(F::ZERO));
    assert_eq!(x.is_square_vartime(), i.legendre() != LegendreSymbol::QuadraticNonResidue);
    let root = Option::<Element<M>>::from(x.sqrt());
    let their_root = i.sqrt().map(|root| ours::<M, F>(&root));
    assert_eq!(root.is_some(), their_root.is_some());
    // Either root may be given.
    assert!(root.zip(their_root).is_none_or(|(root, their)| root == their || root == -their));
}

/// CURVE-1: sums of products, reduced once.
fn sums_of_products_agree<M: Modulus, F: TheirField>(pairs: &[(Element<M>, Element<M>)]) {
    let mut sum = Accumulator::default();
    let mut their_sum = F::ZERO;
    for (a, b) in pairs {
        sum.add_product(a, b);
        their_sum += theirs::<M, F>(a) * theirs::<M, F>(b);
    }
    assert_same(sum.reduce(), their_sum);
}

/// CURVE-1: the greatest values, also of the representation, which is 2^256 times the value: their sums need the ninth limb.
fn greatest_sums_agree<M: Modulus, F: TheirField>() {
    let one = Element::<M>::ONE;
    let of_representation = Element::<M>::from_u64(2).pow_vartime([256, 0, 0, 0]).invert_vartime();
    let greatest = [-one, -of_representation, of_representation - one, one];
    for len in [1, 2, 15, 16, 17, 255, 256, 257, 1_000] {
        for (a, b) in greatest.iter().flat_map(|a| greatest.iter().map(move |b| (*a, *b))) {
            sums_of_products_agree::<M, F>(&vec![(a, b); len]);
        }
    }
}

/// Our point with their coordinates, which must be on the curve.
fn our_point<C: Both>(theirs: &Group<C>) -> Point<C> {
    our_affine::<C>(theirs).map_or(Point::IDENTITY, Point::from)
}

fn our_affine<C: Both>(theirs: &Group<C>) -> Option<Affine<C>> {
    let (x, y) = theirs.into_affine().xy()?;
    Some(Affine::from_coordinates(ours(&x), ours(&y)).unwrap())
}

fn assert_same_point<C: Both>(ours: Point<C>, theirs: Group<C>) {
    let coordinates = ours.to_affine_vartime().map(|point| [point.x().to_bytes(), point.y().to_bytes()]);
    let their_coordinates = theirs.into_affine().xy();
    let canonical = |element| self::ours::<C::BaseModulus, _>(&element).to_bytes();
    assert_eq!(coordinates, their_coordinates.map(|(x, y)| [canonical(x), canonical(y)]));
}

/// Their generator is not always ours: their point with our generator's coordinates.
fn generator<C: Both>() -> Group<C> {
    TheirAffine::new(theirs(&C::GENERATOR.0), theirs(&C::GENERATOR.1)).into()
}

/// CURVE-4, CURVE-6.
fn group_agrees<C: Both>(a: Scalar<C>, b: Scalar<C>) {
    let g = generator::<C>();
    let [i, j] = [a, b].map(|scalar| theirs::<_, TheirScalarOf<C>>(&scalar));
    let [p_is, q_is] = [g * i, g * j];
    let [p, q] = [p_is, q_is].map(|point| our_point::<C>(&point));
    assert_same_point(Point::<C>::GENERATOR * a, p_is);
    assert_same_point(Point::<C>::GENERATOR.mul_vartime(&b), q_is);
    for (other, other_is) in [(q, q_is), (p, p_is), (-p, -p_is), (Point::IDENTITY, Group::<C>::zero())] {
        assert_same_point(p + other, p_is + other_is);
        assert_same_point(p - other, p_is - other_is);
        if let Some(affine) = other.to_affine_vartime() {
            assert_same_point(p.add_affine(&affine), p_is + other_is);
        }
    }
    assert_same_point(-p, -p_is);
    assert_same_point(p.double(), p_is.double());
    assert_same_point(p * b, p_is * j);
    assert_same_point(p.mul_vartime(&b), p_is * j);
    assert_same_point(Point::straus_vartime(&[(a, q), (b, p)]), q_is * i + p_is * j);
}

/// CURVE-13, CURVE-14: of each term the scalar, and the logarithm of its point.
fn sum_agrees<C: Both>(terms: &[(Scalar<C>, Scalar<C>)]) {
    let g = generator::<C>();
    let terms =
        terms.iter().map(|(scalar, logarithm)| (*scalar, g * theirs::<_, TheirScalarOf<C>>(logarithm)));
    // The identity has no coordinates.
    let (scalars, points): (Vec<_>, Vec<_>) = terms.filter(|(_, point)| !point.is_zero()).unzip();
    let their_scalars = scalars.iter().map(theirs).collect::<Vec<_>>();
    let sum = Group::<C>::msm(&Projective::normalize_batch(&points), &their_scalars).unwrap();
    let points = points.iter().filter_map(our_affine::<C>).collect::<Vec<_>>();
    assert_same_point(Point::multiscalar_mul(&scalars, &points), sum);
    assert_same_point(Multiples::new(&points).multiply(&scalars), sum);
    assert_same_point(Point::multiscalar_mul_vartime(&scalars, &points), sum);
}

/// CURVE-14: many sums with the same scalars. Each point has this logarithm, or is the former one or its opposite.
fn folds_agree<C: Both>(scalars: &[Scalar<C>], logarithms: &[(Scalar<C>, u8)]) {
    let mut points: Vec<Group<C>> = Vec::new();
    for (logarithm, turn) in logarithms {
        let point = match (turn, points.last()) {
            (0, Some(last)) => *last,
            (1, Some(last)) => -*last,
            _ => generator::<C>() * theirs::<_, TheirScalarOf<C>>(logarithm),
        };
        // The identity has no coordinates, but a sum may be it.
        points.extend((!point.is_zero()).then_some(point));
    }
    let affine = points.iter().filter_map(our_affine::<C>).collect::<Vec<_>>();
    let sums = Point::fold_vartime(scalars, &affine);
    let len = points.len() / scalars.len().max(1);
    assert_eq!(sums.len(), len);
    for (i, sum) in sums.into_iter().enumerate() {
        let terms = scalars.iter().enumerate();
        let terms = terms.map(|(j, scalar)| points[i + j * len] * theirs::<_, TheirScalarOf<C>>(scalar));
        assert_same_point(sum, terms.sum());
    }
}

/// CURVE-14: pairs of equal and of opposite points, with scalars whose products cancel, add up or are zero.
fn folds_of_edge_values_agree<C: Both>() {
    let (zero, one) = (Scalar::<C>::ZERO, Scalar::<C>::ONE);
    let edges = [zero, one, -one, one + one, (one + one).invert_vartime(), -Scalar::<C>::from_u64(8)];
    // The halves of the points for two scalars are equal, or opposite.
    let logarithms = |turn| [(one, 2), (-one, 2)].into_iter().cycle().take(6).chain([(one, turn); 6]);
    for (a, b) in edges.iter().flat_map(|a| edges.iter().map(move |b| (*a, *b))) {
        for turn in 0..3 {
            let logarithms = logarithms(turn).collect::<Vec<_>>();
            folds_agree::<C>(&[a, b], &logarithms);
            folds_agree::<C>(&[a, b, -a, zero, a, -b], &logarithms);
        }
    }
    folds_agree::<C>(&[], &[]);
    folds_agree::<C>(&[], &[(one, 2)]);
    folds_agree::<C>(&[one, one], &[(one, 2)]);
}

macro_rules! fields {
    ($($name:ident: $Modulus:ty, $Theirs:ty),+ $(,)?) => {$(
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(256))]
                #[test]
                fn operations_agree(
                    a in bytes(),
                    b in bytes(),
                    x in element::<$Modulus>(),
                    y in element::<$Modulus>(),
                ) {
                    field_agrees::<$Modulus, $Theirs>(a, b);
                    field_agrees::<$Modulus, $Theirs>(x.to_bytes(), y.to_bytes());
                }
            }

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(32))]
                #[test]
                fn long_sums_of_products_agree(
                    pairs in prop::collection::vec((element(), element()), 0..=1_000),
                ) {
                    sums_of_products_agree::<$Modulus, $Theirs>(&pairs);
                }
            }

            #[test]
            fn sums_of_the_greatest_products_agree() {
                greatest_sums_agree::<$Modulus, $Theirs>();
            }
        }
    )+};
}
fields! {
    base_field_of_embedwards25519: RistrettoOrder, TheirBase,
    scalar_field_of_embedwards25519: Embedwards25519Order, TheirScalar,
    base_field_of_secq256k1: Secp256k1Order, ark_secq256k1::Fq,
    scalar_field_of_secq256k1: Secp256k1FieldPrime, ark_secq256k1::Fr,
}

macro_rules! groups {
    ($($name:ident: $Curve:ty),+ $(,)?) => {$(
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(64))]
                #[test]
                fn group_agrees_with_arkworks(a in element(), b in element()) {
                    group_agrees::<$Curve>(a, b);
                }
            }

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(16))]
                #[test]
                fn sums_of_many_agree_with_arkworks(
                    terms in prop::collection::vec((element(), element()), 0..=400),
                ) {
                    sum_agrees::<$Curve>(&terms);
                }

                #[test]
                fn folds_agree_with_arkworks(
                    scalars in prop::collection::vec(element(), 0..=9),
                    logarithms in prop::collection::vec((element(), 0u8..6), 0..=64),
                ) {
                    folds_agree::<$Curve>(&scalars, &logarithms);
                }
            }

            #[test]
            fn folds_of_edge_values_agree_with_arkworks() {
                folds_of_edge_values_agree::<$Curve>();
            }

            #[test]
            fn parameters_agree_with_arkworks() {
                parameters_agree::<$Curve>();
            }
        }
    )+};
}
groups! {
    embedwards25519: Embedwards25519,
    secq256k1: Secq256k1,
    secp256k1: Secp256k1,
}

/// CURVE-2: the primes, the coefficients, and that the order is that of our generator.
fn parameters_agree<C: Both>() {
    assert_same(Base::<C>::ZERO - Base::<C>::ONE, -<C::Theirs as CurveConfig>::BaseField::ONE);
    assert_same(Scalar::<C>::ZERO - Scalar::<C>::ONE, -TheirScalarOf::<C>::ONE);
    assert_same(C::A, <C::Theirs as SWCurveConfig>::COEFF_A);
    assert_same(C::B, <C::Theirs as SWCurveConfig>::COEFF_B);
    let order = TheirScalarOf::<C>::MODULUS;
    assert!(generator::<C>().mul_bigint(order).is_zero());
}
