#![allow(clippy::unwrap_used, missing_docs)]

use curve25519_dalek::scalar::Scalar as Dalek;
use ff::{Field, PrimeField};
use proptest::prelude::*;

use super::{
    Accumulator, Curve25519FieldPrime, Element, Embedwards25519Order, Embedwards25519Scalar, Modulus,
    RistrettoOrder, RistrettoScalar, Secp256k1FieldPrime, Secp256k1Order, Secp256k1Scalar, batch_invert,
    batch_invert_vartime,
};

/// An element from 64 bytes, or one near the edges of the representation.
fn element<M: Modulus>() -> impl Strategy<Value = Element<M>> {
    prop_oneof![
        4 => any::<[u8; 32]>().prop_flat_map(|a| any::<[u8; 32]>().prop_map(move |b| {
            let mut wide = [0; 64];
            wide[..32].copy_from_slice(&a);
            wide[32..].copy_from_slice(&b);
            Element::from_bytes_wide(&wide)
        })),
        1 => (0u64..4).prop_map(Element::from_u64),
        1 => (0u64..4).prop_map(|v| -Element::<M>::from_u64(v)),
        1 => (0u64..4).prop_map(|v| Element::<M>::from_limbs([v.wrapping_neg(), u64::MAX, u64::MAX, u64::MAX])),
    ]
}

/// CURVE-1, CURVE-15.
fn field_laws<M: Modulus>(a: Element<M>, b: Element<M>, c: Element<M>) {
    assert_eq!(a + b, b + a);
    assert_eq!(a * b, b * a);
    assert_eq!((a + b) + c, a + (b + c));
    assert_eq!((a * b) * c, a * (b * c));
    assert_eq!((a + b) * c, a * c + b * c);
    assert_eq!(a - b, a + (-b));
    assert_eq!(a.square(), a * a);
    assert_eq!(a.double(), a + a);
    assert_eq!(Element::from_bytes(&a.to_bytes()).unwrap(), a);
    assert_eq!(a.invert_vartime(), a.invert().unwrap_or(Element::ZERO));
    if a != Element::ZERO {
        assert_eq!(a * a.invert().unwrap(), Element::ONE);
    }
    let root = a.square().sqrt().unwrap();
    assert!(root == a || root == -a);
    assert_eq!(bool::from(a.sqrt().is_some()), a.is_square_vartime());
    let mut sum = Accumulator::default();
    for (x, y) in [(a, b), (b, c), (a, c), (a, a)] {
        sum.add_product(&x, &y);
    }
    assert_eq!(sum.reduce(), a * b + b * c + a * c + a * a);
    let mut all = [a, Element::ZERO, b, c];
    batch_invert(&mut all);
    assert_eq!(all.map(|x| x.invert_vartime()), [a, Element::ZERO, b, c]);
    batch_invert_vartime(&mut all);
    assert_eq!(all, [a, Element::ZERO, b, c]);
}

fn constants_hold<M: Modulus>() {
    let [a, b, c, d] = Element::<M>::P;
    assert_eq!(format!("0x{d:016x}{c:016x}{b:016x}{a:016x}"), M::HEX);
    assert_eq!(Element::<M>::TWO_INV.double(), Element::ONE);
    assert_eq!(Element::<M>::ROOT_OF_UNITY * Element::<M>::ROOT_OF_UNITY_INV, Element::ONE);
    let order = 1u64 << (Element::<M>::S - 1);
    assert_eq!(Element::<M>::ROOT_OF_UNITY.pow_vartime([order]), -Element::<M>::ONE);
    assert!(!Element::<M>::MULTIPLICATIVE_GENERATOR.is_square_vartime());
    // The prime itself, and everything up to 2^256, is no canonical encoding.
    for add in [0u64, 1, 5] {
        let (limbs, carry) = super::limbs::add(&Element::<M>::P, &[add, 0, 0, 0]);
        if carry == 0 {
            let mut bytes = [0; 32];
            for (to, limb) in bytes.chunks_exact_mut(8).zip(limbs) {
                to.copy_from_slice(&limb.to_le_bytes());
            }
            assert!(bool::from(Element::<M>::from_bytes(&bytes).is_none()));
        }
    }
    assert!(bool::from(Element::<M>::from_bytes(&[0xff; 32]).is_none()));
}

macro_rules! laws {
    ($name:ident, $Modulus:ty) => {
        mod $name {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(128))]
                #[test]
                fn obeys_the_field_laws(a in element::<$Modulus>(), b in element(), c in element()) {
                    field_laws(a, b, c);
                }
            }
            #[test]
            fn constants_are_what_they_are_called() {
                constants_hold::<$Modulus>();
            }
        }
    };
}
laws!(ristretto_order, RistrettoOrder);
laws!(embedwards25519_order, Embedwards25519Order);
laws!(secp256k1_order, Secp256k1Order);
laws!(secp256k1_field_prime, Secp256k1FieldPrime);
laws!(curve25519_field_prime, Curve25519FieldPrime);

fn dalek(a: &RistrettoScalar) -> Dalek {
    Dalek::from_canonical_bytes(a.to_bytes()).unwrap()
}

fn k256(a: &Secp256k1Scalar) -> k256::Scalar {
    let mut bytes = a.to_bytes();
    bytes.reverse();
    k256::Scalar::from_repr(bytes.into()).unwrap()
}

proptest! {
    #[test]
    fn agrees_with_the_scalars_of_curve25519_dalek(
        a in element::<RistrettoOrder>(),
        b in element(),
        low in any::<[u8; 32]>(),
        high in any::<[u8; 32]>(),
    ) {
        assert_eq!(dalek(&(a * b)), dalek(&a) * dalek(&b));
        assert_eq!(dalek(&(a + b)), dalek(&a) + dalek(&b));
        assert_eq!(dalek(&(a - b)), dalek(&a) - dalek(&b));
        let mut wide = [0; 64];
        wide[..32].copy_from_slice(&low);
        wide[32..].copy_from_slice(&high);
        assert_eq!(dalek(&RistrettoScalar::from_bytes_wide(&wide)), Dalek::from_bytes_mod_order_wide(&wide));
        assert_eq!(
            bool::from(RistrettoScalar::from_bytes(&low).is_some()),
            bool::from(Dalek::from_canonical_bytes(low).is_some())
        );
    }

    #[test]
    fn agrees_with_the_scalars_of_k256(a in element::<Secp256k1Order>(), b in element()) {
        assert_eq!(k256(&(a * b)), k256(&a) * k256(&b));
        assert_eq!(k256(&(a + b)), k256(&a) + k256(&b));
        assert_eq!(k256(&(a - b)), k256(&a) - k256(&b));
    }
}

#[test]
fn elements_print_redacted() {
    assert_eq!(format!("{:?}", Embedwards25519Scalar::from_u64(5)), "Embedwards25519Scalar(redacted)");
}
