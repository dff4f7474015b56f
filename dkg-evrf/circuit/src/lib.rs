//! Discrete-logarithm claims inside an arithmetic circuit, by elliptic-curve divisors.
