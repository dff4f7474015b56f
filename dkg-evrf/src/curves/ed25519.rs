//! Ed25519: arguments over Ristretto, keys on edwards25519.
//!
//! ```text
//! point of the argument ── Ristretto encoding ──▶ s ── RFC 9496, decoding ──▶ some point of the coset ── 8⁻¹·(8·point) ──▶ point of order ℓ
//! ```
//!
//! Both groups have the order ℓ, and Ristretto's elements are cosets of torsion points on edwards25519, the generator's coset being
//! that of Ed25519's base point B. So the element a·G stands for the coset of a·B, and multiplying by 8 and by 1/8 modulo ℓ removes what
//! is torsion. Points of participations are Ristretto elements: no torsion can be in them, and each has one encoding. Plain
//! decompression of Edwards points would let torsion in, which a batch with random weights finds or not, differently on each machine.

use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar as Native;
use embedded_curves::Embedwards25519;
use embedded_curves::field::Curve25519Field;
use ff::Field;
use group::GroupEncoding;
use zeroize::Zeroizing;

use super::{CurveName, Point, SigningCurve, convert};
use crate::curves::Scalar;

impl SigningCurve for dalek_ff_group::Ed25519 {
    const NAME: CurveName = CurveName::Ed25519;
    type Group = arithmetic_bulletproofs::Ristretto;
    type Embedded = Embedwards25519;

    fn scalar(scalar: &Scalar<Self>) -> Self::F {
        convert(Zeroizing::new(scalar.to_bytes()), false)
    }

    fn point(point: &Point<Self>) -> Self::G {
        let bytes = torsion_free(point.compress().to_bytes());
        Option::from(Self::G::from_bytes(&bytes)).expect("a multiple of 8 has no torsion")
    }
}

/// The one point of order ℓ, or the identity, in a coset; encoded as in RFC 8032.
fn torsion_free(ristretto: [u8; 32]) -> [u8; 32] {
    let some = CompressedEdwardsY(representative(ristretto)).decompress();
    let some = some.expect("an element's representatives are on the curve");
    let eighth = Native::from(8_u64).invert();
    (some.mul_by_cofactor() * eighth).compress().to_bytes()
}

/// A point of the coset which a Ristretto encoding stands for: RFC 9496, section 4.3.1, without the checks that the encoding is one.
fn representative(ristretto: [u8; 32]) -> [u8; 32] {
    let one = Curve25519Field::ONE;
    let s: Curve25519Field =
        Option::from(Curve25519Field::from_bytes(&ristretto)).expect("the encoding is canonical");
    // −121665/121666.
    let d = -Curve25519Field::from_u64(121_665) * Curve25519Field::from_u64(121_666).invert_vartime();
    let (u1, u2) = (one - s.square(), one + s.square());
    let v = -(d * u1.square()) - u2.square();
    let inverse = (v * u2.square()).invert_vartime().sqrt();
    let inverse: Curve25519Field = Option::from(inverse).expect("the encoding is an element's");
    // y = u₁·y_denominator; x is the even one of ±x, so that its sign, the encoding's last bit, is 0.
    let x_denominator = inverse * u2;
    let y_denominator = inverse * x_denominator * v;
    (u1 * y_denominator).to_bytes()
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, RISTRETTO_BASEPOINT_POINT};
    use curve25519_dalek::edwards::EdwardsPoint;
    use group::Group;

    use super::*;

    fn scalars() -> impl Iterator<Item = Native> {
        let small = (1..40_u64).map(Native::from);
        small
            .clone()
            .chain(small.map(|scalar| -scalar))
            .chain((0..60).map(|i| Native::hash_from_bytes::<blake2::Blake2b512>(&[i])))
    }

    /// EVRF-13.
    #[test]
    fn evrf_13_an_element_becomes_the_multiple_of_ed25519s_base_point() {
        for scalar in scalars() {
            let found =
                <dalek_ff_group::Ed25519 as SigningCurve>::point(&(RISTRETTO_BASEPOINT_POINT * scalar));
            assert_eq!(found.to_bytes(), (ED25519_BASEPOINT_POINT * scalar).compress().to_bytes());
            let free: EdwardsPoint =
                CompressedEdwardsY(found.to_bytes()).decompress().expect("it is a point");
            assert!(free.is_torsion_free() && !free.is_small_order());
        }
    }

    /// EVRF-13.
    #[test]
    fn evrf_13_the_identity_stays_the_identity() {
        let identity = curve25519_dalek::ristretto::RistrettoPoint::default();
        let found = <dalek_ff_group::Ed25519 as SigningCurve>::point(&identity);
        assert!(bool::from(found.is_identity()));
    }
}
