//! The embedded curves embedwards25519 and secq256k1, on Montgomery fields of our own.
//!
//! ```text
//! field ──▶ point (generic over curves::Curve) ──▶ hash_to_curve (RFC 9380)
//!                                              └─▶ registration (keys and proofs, in bytes)
//! ```
//!
//! An embedded curve is defined over the scalars of a signing curve, so that a circuit over those scalars
//! can do its arithmetic natively. secp256k1 itself is here too, for the proofs' own multiplications.
//!
//! What this crate deliberately does not do: the proof system, and anything that knows a session. What is
//! called `vartime` must see public values only; everything else may see secrets.
//!
//! # Mathematics
//!
//! *Fields.* An integer a modulo a prime p of 252 to 256 bits is kept as a·2^256 mod p, so that a product is reduced by adding
//! multiples of p that clear its low half. Selections are by masks. *Points* are (X : Y : Z) with formulas that hold for every pair; where
//! many additions are independent, they are made in affine form, λ = (y₂ − y₁)/(x₂ − x₁), and all divisions of a level share one inversion:
//! Π of all denominators is inverted, and multiplied back by the others. *Many multiples*: for secrets, each window of five bits of a scalar
//! is an odd digit, so that each takes one addition whatever it is; for public values, points are piled by digit and the piles added
//! up, secp256k1's scalars being halved by k = k₁ + λ·k₂ with λ·(x, y) = (β·x, y). *Hashes to a curve* are two field elements, each mapped by
//! Shallue and van de Woestijne's three candidates for x, of which one has a y, and added.
//!
//! # Use
//!
//! ```
//! use embedded_curves::{Point, Scalar, Secq256k1, hash_to_curve};
//!
//! let five = Scalar::<Secq256k1>::from_u64(5);
//! let point = Point::from(hash_to_curve::<Secq256k1>("documentation ", &[b"message"]));
//! assert!(point * five == point.double().double() + point);
//! ```
//!
//! `examples/registration.rs` makes, registers and checks a key.
//!
//! Specification: `spec/embedded-curves.md` (CURVE-n).

pub mod curves;
pub mod field;
pub mod hash_to_curve;
pub mod point;
pub mod registration;

pub use curves::{Base, Curve, EmbeddedCurve, Embedwards25519, Scalar, Secp256k1, Secq256k1};
pub use hash_to_curve::hash_to_curve;
pub use point::{Affine, POINT_BYTES, Point};
pub use registration::CurveId;

#[cfg(test)]
mod tests;
