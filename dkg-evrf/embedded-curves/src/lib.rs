//! The embedded curves embedwards25519 and secq256k1, on Montgomery fields of our own.

pub mod field;
