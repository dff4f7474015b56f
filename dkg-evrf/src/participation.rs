//! The one message of a dealer, and its encoding (rule EVRF-9).
//!
//! ```text
//! version 1 | A_0 .. A_(t-1) | X_1 Y_1 .. X_W Y_W | c_1 .. c_n | tape's commitments | argument | purity: R, s
//! ```
//!
//! The parameters determine its length, so that nothing in it does: a message of another length is refused before anything is
//! allocated. Each value has one encoding, and the identity has none.

#![deny(clippy::indexing_slicing)]

use std::sync::Arc;

use arithmetic_bulletproofs::{Proof, ProofCurve};
use embedded_curves::POINT_BYTES;

use crate::curves::{Element, EmbeddedPoint, Scalar, SigningCurve};
use crate::error::DecodeError;
use crate::parameters::{Parameters, VERSION};

const SCALAR_BYTES: usize = 32;

/// A point of the embedded curve with its encoding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EmbeddedElement<C: SigningCurve> {
    pub(crate) point: EmbeddedPoint<C>,
    pub(crate) bytes: [u8; POINT_BYTES],
}

impl<C: SigningCurve> EmbeddedElement<C> {
    pub(crate) fn new(point: EmbeddedPoint<C>) -> Self {
        Self { point, bytes: point.to_bytes() }
    }
}

/// The ephemeral keys which one seat of every validator is padded with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seat<C: SigningCurve> {
    pub(crate) x: EmbeddedElement<C>,
    pub(crate) y: EmbeddedElement<C>,
}

/// The statement: what a dealer deals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Dealing<C: SigningCurve> {
    /// `A_0 .. A_(t-1)`
    pub(crate) coefficients: Vec<Element<C>>,
    pub(crate) seats: Vec<Seat<C>>,
    /// `c_1 .. c_n`
    pub(crate) shares: Vec<Scalar<C>>,
}

/// The proof: that the dealing is right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Argument<C: SigningCurve> {
    pub(crate) tape: Vec<Element<C>>,
    pub(crate) proof: Proof<C::Group>,
    pub(crate) purity: Purity<C>,
}

/// A Schnorr proof of knowledge of `w` in `Σ r^k·A_k = w·G`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Purity<C: SigningCurve> {
    pub(crate) nonce: Element<C>,
    pub(crate) response: Scalar<C>,
}

/// What a validator broadcasts to take part, decoded but not verified.
///
/// The dealer is not part of it: who signed the transaction that carried it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Participation<C: SigningCurve> {
    pub(crate) dealing: Arc<Dealing<C>>,
    pub(crate) argument: Argument<C>,
}

impl<C: SigningCurve> Participation<C> {
    /// The length of every participation in a session.
    pub fn encoded_len(parameters: &Parameters<C>) -> usize {
        let shape = &parameters.shape;
        let group_points = usize::from(parameters.threshold) + shape.commitments() + 1;
        let embedded_points = 2 * usize::from(shape.seats);
        let scalars = usize::from(parameters.shares) + 1;
        1 + (group_points * C::Group::POINT_LEN)
            + (embedded_points * POINT_BYTES)
            + (scalars * SCALAR_BYTES)
            + Proof::<C::Group>::encoded_len(shape.rows, shape.tape_len)
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        let Dealing { coefficients, seats, shares } = &*self.dealing;
        let mut bytes = vec![VERSION];
        for point in coefficients {
            bytes.extend_from_slice(point.bytes());
        }
        for seat in seats {
            bytes.extend_from_slice(&seat.x.bytes);
            bytes.extend_from_slice(&seat.y.bytes);
        }
        for share in shares {
            bytes.extend_from_slice(&share.to_bytes());
        }
        for point in &self.argument.tape {
            bytes.extend_from_slice(point.bytes());
        }
        self.argument.proof.encode(&mut bytes);
        bytes.extend_from_slice(self.argument.purity.nonce.bytes());
        bytes.extend_from_slice(&self.argument.purity.response.to_bytes());
        bytes
    }

    /// Decodes exactly one participation in the session of these parameters.
    ///
    /// # Errors
    ///
    /// A [`DecodeError`], for which the author of the message is at fault.
    pub fn decode(parameters: &Parameters<C>, bytes: &[u8]) -> Result<Self, DecodeError> {
        let expected = Self::encoded_len(parameters);
        if bytes.len() != expected {
            return Err(DecodeError::Length { expected, found: bytes.len() });
        }
        let mut reader = Reader { bytes };
        let [version] = reader.array("the version")?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let shape = &parameters.shape;
        let dealing = Dealing {
            coefficients: reader
                .points::<C>("a coefficient's commitment", usize::from(parameters.threshold))?,
            seats: (0..shape.seats).map(|_| reader.seat()).collect::<Result<_, _>>()?,
            shares: (0..parameters.shares)
                .map(|_| reader.scalar::<C>("a share"))
                .collect::<Result<_, _>>()?,
        };
        let argument = Argument {
            tape: reader.points::<C>("a commitment of the tape", shape.commitments())?,
            proof: reader.proof::<C>(shape.rows, shape.tape_len)?,
            purity: Purity {
                nonce: reader.point::<C>("the purity nonce")?,
                response: reader.scalar::<C>("the purity response")?,
            },
        };
        Ok(Self { dealing: Arc::new(dealing), argument })
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, name: &'static str, len: usize) -> Result<&[u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(DecodeError::Field(name))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], DecodeError> {
        self.take(name, N)?.try_into().map_err(|_| DecodeError::Field(name))
    }

    fn point<C: SigningCurve>(&mut self, name: &'static str) -> Result<Element<C>, DecodeError> {
        Element::<C>::decode(self.take(name, C::Group::POINT_LEN)?).ok_or(DecodeError::Field(name))
    }

    fn points<C: SigningCurve>(
        &mut self,
        name: &'static str,
        len: usize,
    ) -> Result<Vec<Element<C>>, DecodeError> {
        (0..len).map(|_| self.point::<C>(name)).collect()
    }

    fn scalar<C: SigningCurve>(&mut self, name: &'static str) -> Result<Scalar<C>, DecodeError> {
        let bytes = self.array(name)?;
        Option::from(Scalar::<C>::from_bytes(&bytes)).ok_or(DecodeError::Field(name))
    }

    fn embedded<C: SigningCurve>(&mut self) -> Result<EmbeddedElement<C>, DecodeError> {
        let name = "an ephemeral key";
        let bytes = self.array(name)?;
        let point = EmbeddedPoint::<C>::from_bytes_vartime(&bytes).ok_or(DecodeError::Field(name))?;
        Ok(EmbeddedElement { point, bytes })
    }

    fn seat<C: SigningCurve>(&mut self) -> Result<Seat<C>, DecodeError> {
        Ok(Seat { x: self.embedded()?, y: self.embedded()? })
    }

    fn proof<C: SigningCurve>(
        &mut self,
        rows: usize,
        tape_len: usize,
    ) -> Result<Proof<C::Group>, DecodeError> {
        let name = "the argument";
        let bytes = self.take(name, Proof::<C::Group>::encoded_len(rows, tape_len))?;
        Proof::decode(bytes, rows, tape_len).map_err(|_| DecodeError::Field(name))
    }
}
