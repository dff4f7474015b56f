#![allow(clippy::unwrap_used, missing_docs)]

use super::*;
use crate::curves::{Embedwards25519, Secq256k1};

/// RFC 9380, appendix K.3 (CURVE-7).
#[test]
fn expansion_yields_the_vectors_of_the_rfc() {
    let domain: &[&[u8]] = &[b"QUUX-V01-CS02-", b"with-expander-SHA512-256"];
    for (message, expected) in [
        (&b""[..], "6b9a7312411d92f921c6f68ca0b6380730a1a4d982c507211a90964c394179ba"),
        (b"abc", "0da749f12fbe5483eb066a5f595055679b976e93abe9be6f0f6318bce7aca8dc"),
        (b"abcdef0123456789", "087e45a86e2939ee8b91100af1583c4938e0f5fc6c9db4b107b83346bc967f58"),
    ] {
        let mut out = [0; 32];
        expand_message_xmd(&[message], domain, &mut out);
        assert_eq!(hex::encode(out), expected);
    }
}

#[test]
fn a_long_domain_is_hashed_first() {
    let (mut long, mut hashed) = ([0; 100], [0; 100]);
    let domain = [7; 256];
    expand_message_xmd(&[b"m"], &[&domain], &mut long);
    let short = Sha512::new().chain_update(b"H2C-OVERSIZE-DST-").chain_update(domain).finalize();
    expand_message_xmd(&[b"m"], &[&short], &mut hashed);
    assert_eq!(long, hashed);
}

/// RFC 9380, appendix H.1: 1, −1, 2, −2, … until the four conditions hold (CURVE-8).
fn constants_follow_the_procedure<C: EmbeddedCurve>() {
    let g = Affine::<C>::right_side;
    let four = Base::<C>::from_u64(4);
    let h = |z: &Base<C>| z.square() * Base::<C>::from_u64(3) + four * C::A;
    let fits = |z: &Base<C>| {
        let ratio = -h(z) * (four * g(z)).invert_vartime();
        g(z) != Base::<C>::ZERO
            && ratio != Base::<C>::ZERO
            && ratio.is_square_vartime()
            && (g(z).is_square_vartime() || g(&-(*z * Base::<C>::TWO_INV)).is_square_vartime())
    };
    let mut candidates = (1..).map(Base::<C>::from_u64).flat_map(|z| [z, -z]);
    let z = candidates.find(fits).unwrap();
    assert_eq!(z, C::HASH_Z);
    assert_eq!(C::HASH_C3.square(), -g(&z) * h(&z));
    assert_eq!(C::HASH_C3.parity().unwrap_u8(), 0);
    assert_eq!(C::HASH_C4 * h(&z), -four * g(&z));
}

#[test]
fn the_constants_of_the_map_follow_the_procedure_of_the_rfc() {
    constants_follow_the_procedure::<Embedwards25519>();
    constants_follow_the_procedure::<Secq256k1>();
}

fn every_element_maps_onto_the_curve<C: EmbeddedCurve>() {
    // ±1/√c1 make a denominator 0 where they exist; 0 is the map's own corner.
    let c1 = Affine::<C>::right_side(&C::HASH_Z);
    let corners: Vec<Base<C>> =
        [c1, -c1].iter().filter_map(|c| Option::from(c.invert_vartime().sqrt())).collect();
    assert!(!corners.is_empty());
    let elements = corners.into_iter().flat_map(|c| [c, -c]).chain((0..50).map(Base::<C>::from_u64));
    for u in elements {
        let point = map_to_curve::<C>(&u);
        assert!(Affine::<C>::from_coordinates(point.x(), point.y()).is_some());
        assert_eq!(point.y().parity().unwrap_u8(), u.parity().unwrap_u8());
    }
}

#[test]
fn the_map_is_total() {
    every_element_maps_onto_the_curve::<Embedwards25519>();
    every_element_maps_onto_the_curve::<Secq256k1>();
}

fn hashes_are<C: EmbeddedCurve>(expected: [&str; 3]) {
    for (message, expected) in [&b""[..], b"abc", &[b'a'; 200]].into_iter().zip(expected) {
        assert_eq!(hex::encode(hash_to_curve::<C>("test ", &[message]).to_bytes()), expected);
    }
}

/// Computed by an independent implementation (CURVE-9).
#[test]
fn hashes_to_the_curves_are_frozen() {
    hashes_are::<Embedwards25519>([
        "735c4d3113f4b4b12e79d0e5023ee1e904a229343d2ee9136b1877a25db7d70d00",
        "022071612933c09adbeb337808cfd309204ffb2f8115f31cac7bd859599faa0000",
        "4cb3ab8f7ea46624c047ce36fe4001418a87b4e54fc879f3bc6330f9fec07a0d00",
    ]);
    hashes_are::<Secq256k1>([
        "8dd31b9deb46322afb52a0cc5ba8fa8c8160d0d5720e9c8a4e0ab76f1f764a7400",
        "c821f866b5231a1cd0b318b68d51253c58b84b68a1c6f35cf0dfa4978a2ee00b01",
        "fbae371c6f6089165c3e182fa0f59c9149954b30c62fb7e0c6b911596ded9f8f01",
    ]);
}
