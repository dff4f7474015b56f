//! Whole clusters from one seed, under virtual time, with faults and oracles.
