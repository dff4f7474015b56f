//! The proof and its encoding, whose length the number of rows and of tape scalars determine.

#![deny(clippy::indexing_slicing)]

use ff::PrimeField;

use crate::curve::{Element, ProofCurve};
use crate::error::Error;
use crate::inner_product::InnerProductProof;
use crate::layout::Layout;

const SCALAR_LEN: usize = 32;

/// A proof that a circuit is satisfied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof<C: ProofCurve> {
    pub(crate) inputs: Element<C>,
    pub(crate) outputs: Element<C>,
    pub(crate) blinding_left: Element<C>,
    pub(crate) blinding_right: Element<C>,
    pub(crate) coefficients: Vec<Element<C>>,
    pub(crate) product: C::Scalar,
    pub(crate) tau: C::Scalar,
    pub(crate) mu: C::Scalar,
    pub(crate) inner_product: InnerProductProof<C>,
}

impl<C: ProofCurve> Proof<C> {
    /// The length of an encoded proof over `rows` rows (a power of two) and a tape of `tape_len` scalars.
    pub fn encoded_len(rows: usize, tape_len: usize) -> usize {
        let points = 4 + Layout::new(tape_len, rows).coefficients_len() + (2 * rounds(rows));
        (points * C::POINT_LEN) + (5 * SCALAR_LEN)
    }

    /// Appends the encoding: points and scalars in the order of the transcript.
    pub fn encode(&self, into: &mut Vec<u8>) {
        for point in [&self.inputs, &self.outputs, &self.blinding_left, &self.blinding_right] {
            into.extend_from_slice(point.bytes());
        }
        for point in &self.coefficients {
            into.extend_from_slice(point.bytes());
        }
        for scalar in [&self.product, &self.tau, &self.mu] {
            into.extend_from_slice(scalar.to_repr().as_ref());
        }
        for (left, right) in &self.inner_product.rounds {
            into.extend_from_slice(left.bytes());
            into.extend_from_slice(right.bytes());
        }
        for scalar in [&self.inner_product.a, &self.inner_product.b] {
            into.extend_from_slice(scalar.to_repr().as_ref());
        }
    }

    /// Decodes exactly one proof.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`] for another length, a point or scalar that is not canonical, or an identity.
    pub fn decode(bytes: &[u8], rows: usize, tape_len: usize) -> Result<Self, Error> {
        if bytes.len() != Self::encoded_len(rows, tape_len) {
            return Err(Error::Encoding);
        }
        let mut reader = Reader { bytes };
        let [inputs, outputs, blinding_left, blinding_right] =
            [reader.point()?, reader.point()?, reader.point()?, reader.point()?];
        let coefficients = (0..Layout::new(tape_len, rows).coefficients_len())
            .map(|_| reader.point())
            .collect::<Result<Vec<_>, _>>()?;
        let [product, tau, mu] = [reader.scalar::<C>()?, reader.scalar::<C>()?, reader.scalar::<C>()?];
        let rounds = (0..rounds(rows))
            .map(|_| Ok((reader.point()?, reader.point()?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let inner_product = InnerProductProof { rounds, a: reader.scalar::<C>()?, b: reader.scalar::<C>()? };
        Ok(Self {
            inputs,
            outputs,
            blinding_left,
            blinding_right,
            coefficients,
            product,
            tau,
            mu,
            inner_product,
        })
    }

    /// Whether the proof has the shape for this many rows and commitments.
    pub(crate) fn fits(&self, rows: usize, layout: Layout) -> bool {
        (self.coefficients.len() == layout.coefficients_len())
            && (self.inner_product.rounds.len() == rounds(rows))
    }
}

fn rounds(rows: usize) -> usize {
    usize::try_from(rows.trailing_zeros()).expect("a usize has few bits")
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, len: usize) -> Result<&[u8], Error> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(Error::Encoding)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn point<C: ProofCurve>(&mut self) -> Result<Element<C>, Error> {
        Element::decode(self.take(C::POINT_LEN)?).ok_or(Error::Encoding)
    }

    fn scalar<C: ProofCurve>(&mut self) -> Result<C::Scalar, Error> {
        let bytes = self.take(SCALAR_LEN)?;
        let mut repr = <C::Scalar as PrimeField>::Repr::default();
        if repr.as_ref().len() != bytes.len() {
            return Err(Error::Encoding);
        }
        repr.as_mut().copy_from_slice(bytes);
        Option::from(C::Scalar::from_repr(repr)).ok_or(Error::Encoding)
    }
}
