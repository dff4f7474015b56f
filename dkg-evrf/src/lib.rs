//! A one-round, publicly verifiable distributed key generation from exponent VRFs.
//!
//! Each validator of a set broadcasts one participation. Anyone can verify it without a secret. From any valid participations whose
//! dealers weigh at least the threshold, everybody obtains the group key and all verification shares, and every validator, also a
//! silent one, its secret shares. Nobody complains and nobody is waited for.
//!
//! ```text
//! Parameters::new ---> participate(own embedded secret) ---> encode ---> (agreement on an order, elsewhere)
//!        |                                                                   |
//!        +--> Participation::decode <----------------------------------------+
//!                    |
//!                 verify (one batch, with blame) ---> Verdict: Verified | Invalid       (Collection: in batches, as they arrive)
//!                                                         |
//!                             Closed::new (which ones count is agreed elsewhere) ---> recover(own embedded secret) ---> ThresholdKeys
//! ```
//!
//! It deliberately knows no session's log, store or messages: who sent a participation, which ones count and when collection closes
//! are its caller's. Callers uphold: embedded keys were registered with proofs of knowledge, by their owners, once for all sessions;
//! the dealer of a participation is the signer of the message that carried it; a participation is stored before it is sent; long
//! calls stay off asynchronous runtimes.
//!
//! The protocol stands in `spec/dkg-evrf.md` (rules EVRF-n). The format has version 1.

mod collection;
mod curves;
mod error;
#[cfg(any(test, feature = "malicious"))]
pub mod malicious;
mod parameters;
mod participate;
mod participation;
#[cfg(feature = "parts")]
pub mod parts;
#[cfg(not(feature = "parts"))]
mod parts;
mod proof;
mod recover;
mod secrets;
mod transcript;
mod verify;
mod work;

#[cfg(test)]
mod tests;

pub use ciphersuite::Secp256k1;
pub use collection::{Arrival, Batch, Collection, Decided, Given, Status};
pub use curves::{CurveName, SigningCurve, UnknownCurve};
pub use dalek_ff_group::{Ed25519, Ristretto};
pub use error::{
    CloseError, DecodeError, Error, MAX_NETWORK_LEN, MAX_SHARES, MAX_WEIGHT, ParametersError, VerifyError,
};
pub use parameters::{Parameters, Purpose, Session, VERSION, Validator, ValidatorIndex};
pub use participate::participate;
pub use participation::Participation;
pub use recover::{Closed, Verified, recover};
pub use verify::{Verdict, verify, verify_encoded};
pub use work::{Progress, Work};
