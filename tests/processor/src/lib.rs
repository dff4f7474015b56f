//! A processor with a real DKG, real FROST signing and a simulated external network.
