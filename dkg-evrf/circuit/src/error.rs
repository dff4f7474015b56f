//! Errors: all of them are of the prover's own making, or of negligible probability.

/// Why a witness cannot be made, or a circuit not be filled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The scalar is zero, whose multiples have no coordinates.
    #[error("a claimed logarithm is zero; choose another scalar")]
    ZeroScalar,
    /// None of the scalar's representations has few enough digits (probability below 2^-128).
    #[error("a scalar has no representation with few enough digits; choose another scalar")]
    NoRepresentation,
    /// The divisor has no function with constant coefficient 1 (probability 2^-250).
    #[error("a divisor's function vanishes where it is normalized; choose another scalar")]
    Degenerate,
    /// A denominator of the witness is zero under this challenge (probability 2^-240).
    #[error("the challenge meets a point of the witness; prove again with fresh blinding")]
    ZeroDenominator,
    /// The number of digit vectors differs from the number of scalars claimed about.
    #[error("{given} vectors of digits for claims about {expected} scalars; a mistake of the caller")]
    Scalars {
        /// How many the claims have.
        expected: usize,
        /// How many were given.
        given: usize,
    },
    /// A claim's public point is not the multiple that the witness has.
    #[error("claim {claim} is false: its public point is not that multiple; a mistake of the caller")]
    FalseClaim {
        /// Which claim, from 0.
        claim: usize,
    },
}
