//! Generalized bulletproofs for arithmetic circuits over committed vectors, with batch verification.
