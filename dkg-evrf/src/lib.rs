//! A one-round, publicly verifiable distributed key generation from exponent VRFs.
