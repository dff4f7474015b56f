//! An ordered, verifiable broadcast: one BFT chain per validator set, without I/O.
