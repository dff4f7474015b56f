//! Hashing to a curve: RFC 9380, with the Shallue–van de Woestijne map.
//!
//! ```text
//! message ── expand_message_xmd (SHA-512) ──▶ 96 bytes ──▶ two field elements ── map ──▶ two points ── sum
//! ```
//!
//! The simplified map of that RFC does not apply to a = 0, so both curves use the general one. The
//! result is indifferentiable from a random oracle to the curve, except that it is never the identity:
//! should the two points cancel (probability 2^-252), it is the first one.
//!
//! What this module deliberately does not do: run in constant time. Everything hashed here is public.
//!
//! Sources: RFC 9380, sections 5.2, 5.3.1, 6.6.1, 8.10 and appendices F.1, H.1.

use ff::{Field, PrimeField};
use sha2::{Digest, Sha512};

use crate::{
    curves::{Base, EmbeddedCurve},
    field::{Element, Modulus},
    point::{Affine, Point},
};

/// Bytes hashed for one field element: 128 bits more than the field has.
const ELEMENT_BYTES: usize = 48;

/// Hashes a message to a point; `label` separates the uses, the curve's suite id is appended to it.
///
/// The message comes in parts, which are joined as they are: their lengths are fixed by the caller's format, or among the parts.
pub fn hash_to_curve<C: EmbeddedCurve>(label: &str, message: &[&[u8]]) -> Affine<C> {
    let mut uniform = [0; 2 * ELEMENT_BYTES];
    expand_message_xmd(message, &[label.as_bytes(), C::HASH_SUITE.as_bytes()], &mut uniform);
    let [first, second] = [0, 1].map(|i| {
        let mut bytes = [0; ELEMENT_BYTES];
        bytes.copy_from_slice(&uniform[i * ELEMENT_BYTES..(i + 1) * ELEMENT_BYTES]);
        map_to_curve::<C>(&element(&bytes))
    });
    let sum = Point::from(first).add_affine(&second);
    sum.to_affine_vartime().unwrap_or(first)
}

/// Hashes a message to bytes, RFC 9380 section 5.3.1 with SHA-512. The domain comes in parts.
///
/// # Panics
/// If more than 255·64 bytes are asked for: the caller's constant.
pub fn expand_message_xmd(message: &[&[u8]], domain: &[&[u8]], out: &mut [u8]) {
    let blocks = u8::try_from(out.len().div_ceil(64)).expect("at most 255 blocks are asked for");
    let length = u16::try_from(out.len()).expect("255 blocks of 64 bytes are fewer than 2^16");
    let mut domain = domain.concat();
    if domain.len() > 255 {
        domain = Sha512::new().chain_update(b"H2C-OVERSIZE-DST-").chain_update(&domain).finalize().to_vec();
    }
    domain.push(u8::try_from(domain.len()).expect("longer domains were hashed above"));

    let mut first = Sha512::new().chain_update([0; 128]);
    for part in message {
        first.update(part);
    }
    let first = first.chain_update(length.to_be_bytes()).chain_update([0]).chain_update(&domain).finalize();
    let mut block = [0; 64];
    for (index, chunk) in (1..=blocks).zip(out.chunks_mut(64)) {
        for (to, from) in block.iter_mut().zip(&first) {
            *to ^= from;
        }
        let hash = Sha512::new().chain_update(block).chain_update([index]).chain_update(&domain).finalize();
        block = hash.into();
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
}

/// A field element from 48 big-endian bytes: RFC 9380, section 5.2.
fn element<M: Modulus>(bytes: &[u8; ELEMENT_BYTES]) -> Element<M> {
    let mut wide = [0; 64];
    for (to, from) in wide.iter_mut().zip(bytes.iter().rev()) {
        *to = *from;
    }
    Element::from_bytes_wide(&wide)
}

/// The Shallue–van de Woestijne map, in the steps of RFC 9380, appendix F.1; total.
fn map_to_curve<C: EmbeddedCurve>(u: &Base<C>) -> Affine<C> {
    let z = C::HASH_Z;
    let c1 = Affine::<C>::right_side(&z);
    let c2 = -(z * Base::<C>::TWO_INV);
    let scaled = u.square() * c1;
    let (minus, plus) = (Base::<C>::ONE - scaled, Base::<C>::ONE + scaled);
    let inverse = (minus * plus).invert_vartime();
    let step = *u * minus * inverse * C::HASH_C3;
    let on_curve = |x: &Base<C>| Affine::<C>::right_side(x).is_square_vartime();
    let third = || (plus.square() * inverse).square() * C::HASH_C4 + z;
    let x = [c2 - step, c2 + step].into_iter().find(on_curve).unwrap_or_else(third);
    let y = Affine::<C>::right_side(&x).sqrt().expect("one of the three x-coordinates is on the curve");
    let same_sign = bool::from(!(u.parity() ^ y.parity()));
    Affine::from_curve(x, if same_sign { y } else { -y })
}

#[cfg(test)]
mod tests;
