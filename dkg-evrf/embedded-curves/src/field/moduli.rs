//! The five primes.

use super::Modulus;

/// The order of Ristretto, 2^252 + 27742317777372353535851937790883648493.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RistrettoOrder;

impl Modulus for RistrettoOrder {
    const LIMBS: [u64; 4] = [0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6, 0, 0x1000_0000_0000_0000];
    const HEX: &'static str = "0x1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed";
    const GENERATOR: u64 = 2;
    const NAME: &'static str = "RistrettoScalar";
}

/// The order of embedwards25519.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Embedwards25519Order;

impl Modulus for Embedwards25519Order {
    const LIMBS: [u64; 4] =
        [0x7706_3f03_06ee_f96b, 0xe53f_4deb_b78f_f968, 0xffff_ffff_ffff_ffff, 0x0fff_ffff_ffff_ffff];
    const HEX: &'static str = "0x0fffffffffffffffffffffffffffffffe53f4debb78ff96877063f0306eef96b";
    const GENERATOR: u64 = 10;
    const NAME: &'static str = "Embedwards25519Scalar";
}

/// The order of secp256k1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Secp256k1Order;

impl Modulus for Secp256k1Order {
    const LIMBS: [u64; 4] =
        [0xbfd2_5e8c_d036_4141, 0xbaae_dce6_af48_a03b, 0xffff_ffff_ffff_fffe, 0xffff_ffff_ffff_ffff];
    const HEX: &'static str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    const GENERATOR: u64 = 7;
    const NAME: &'static str = "Secp256k1Scalar";
}

/// The field prime of secp256k1, 2^256 − 2^32 − 977, which is the order of secq256k1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Secp256k1FieldPrime;

impl Modulus for Secp256k1FieldPrime {
    const LIMBS: [u64; 4] =
        [0xffff_fffe_ffff_fc2f, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff];
    const HEX: &'static str = "0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";
    const GENERATOR: u64 = 3;
    const NAME: &'static str = "Secq256k1Scalar";
}

/// 2^255 − 19, the field prime of edwards25519.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Curve25519FieldPrime;

impl Modulus for Curve25519FieldPrime {
    const LIMBS: [u64; 4] = [0xffff_ffff_ffff_ffed, u64::MAX, u64::MAX, 0x7fff_ffff_ffff_ffff];
    const HEX: &'static str = "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
    const GENERATOR: u64 = 2;
    const NAME: &'static str = "Curve25519Field";
}
