//! Errors of this crate.

/// Why a proof cannot be made, read or checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The caller chose a number of rows that the argument does not have.
    #[error("{rows} rows: choose a power of two of at most 32768")]
    Rows {
        /// The number chosen.
        rows: usize,
    },
    /// The caller's circuit does not fit the rows it chose.
    #[error("the circuit has {needed} rows, more than the {rows} chosen")]
    CircuitTooLarge {
        /// Rows of the circuit.
        needed: usize,
        /// Rows chosen.
        rows: usize,
    },
    /// The caller's commitments do not belong to this circuit.
    #[error("the circuit and its commitments disagree on their number")]
    Mismatch,
    /// The prover called without a witness.
    #[error("a proof needs a circuit with its witness")]
    NoWitness,
    /// A challenge was zero, which happens with negligible probability: the author of the proof is at fault.
    #[error("a challenge of this proof is zero")]
    ZeroChallenge,
    /// The author's encoding is not canonical, or of another length.
    #[error("the encoding of the proof is not canonical")]
    Encoding,
    /// The caller asked a batch to stop.
    #[error("cancelled")]
    Cancelled,
    /// A batch's sums contradict each other: a fault of this machine, for which nobody is blamed.
    #[error("two sums of the same equations differ: check this machine's hardware, and start again")]
    WrongSum,
}
