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
