//! Any bytes for every decoder: each value has one encoding, or the bytes are refused; nothing panics.
//!
//! Participations, arguments, points of both kinds of curves, scalars of both fields, embedded secrets and keys, registrations, and
//! names of curves.

use arithmetic_bulletproofs::{Element, Proof, ProofCurve};
use dkg_evrf::{CurveName, Parameters, Participation, SigningCurve};
use embedded_curves::registration::{self, EmbeddedSecret};
use embedded_curves::{Affine, Base, EmbeddedCurve, POINT_BYTES, Scalar};

/// A participation, of whatever length.
pub(crate) fn participation<C: SigningCurve>(parameters: &Parameters<C>, bytes: &[u8]) {
    if let Ok(decoded) = Participation::decode(parameters, bytes) {
        assert_eq!(decoded.encode(), bytes, "one encoding for each participation");
    }
}

/// All others.
pub(crate) fn all<C: SigningCurve>(bytes: &[u8]) {
    points::<C>(bytes);
    scalars::<C>(bytes);
    arguments::<C>(bytes);
    registrations::<C>(bytes);
    if let Ok(name) = std::str::from_utf8(bytes)
        && let Ok(curve) = name.parse::<CurveName>()
    {
        assert_eq!(curve.to_string(), name);
    }
}

fn points<C: SigningCurve>(bytes: &[u8]) {
    for len in [C::Group::POINT_LEN, bytes.len()] {
        let Some(bytes) = bytes.get(..len) else { continue };
        if let Some(point) = Element::<C::Group>::decode(bytes) {
            assert_eq!(point.bytes(), bytes, "one encoding for each point");
            assert_eq!(Element::<C::Group>::new(point.point()), point);
        }
    }
    // As it is, and with the parity's byte cleared, so that many are points.
    let Some(key) = bytes.first_chunk::<POINT_BYTES>() else { return };
    let mut even = *key;
    even[POINT_BYTES - 1] = 0;
    for key in [*key, even] {
        let decoded = Affine::<C::Embedded>::from_bytes_vartime(&key);
        if let Some(point) = decoded {
            assert_eq!(point.to_bytes(), key, "one encoding for each point");
        }
        let x = registration::x_coordinate(C::Embedded::ID, &key).ok();
        assert_eq!(x, decoded.map(|point| point.x().to_bytes()));
    }
}

fn scalars<C: SigningCurve>(bytes: &[u8]) {
    let Some(bytes) = bytes.first_chunk::<32>() else { return };
    if let Some(scalar) = Option::<Base<C::Embedded>>::from(Base::<C::Embedded>::from_bytes(bytes)) {
        assert_eq!(scalar.to_bytes(), *bytes, "one encoding for each scalar");
    }
    if let Some(scalar) = Option::<Scalar<C::Embedded>>::from(Scalar::<C::Embedded>::from_bytes(bytes)) {
        assert_eq!(scalar.to_bytes(), *bytes, "one encoding for each scalar");
    }
    if let Ok(secret) = EmbeddedSecret::from_bytes(C::Embedded::ID, bytes) {
        assert_eq!(secret.as_bytes(), bytes, "one encoding for each secret");
        assert!(Affine::<C::Embedded>::from_bytes_vartime(&secret.key()).is_some());
    }
}

/// Arguments of a few sizes.
fn arguments<C: SigningCurve>(bytes: &[u8]) {
    for (rows, tape_len) in [(1, 1), (2, 5), (8, 8)] {
        let len = Proof::<C::Group>::encoded_len(rows, tape_len);
        for bytes in [bytes, bytes.get(..len).unwrap_or_default()] {
            if let Ok(proof) = Proof::<C::Group>::decode(bytes, rows, tape_len) {
                let mut encoded = Vec::new();
                proof.encode(&mut encoded);
                assert_eq!(encoded, bytes, "one encoding for each argument");
            }
        }
    }
}

/// A registration that somebody made without knowing a secret: never valid.
fn registrations<C: SigningCurve>(bytes: &[u8]) {
    for at in [0, POINT_BYTES.min(bytes.len()), bytes.len()] {
        let (key, proof) = bytes.split_at(at);
        for proof in [proof, proof.get(..registration::PROOF_BYTES).unwrap_or(proof)] {
            assert!(registration::verify(C::Embedded::ID, &[0; 32], &[0; 32], key, proof).is_err());
        }
    }
}
