//! The curves, as constants.
//!
//! A curve's type is its name: `Point<Secq256k1>`. What may differ between curves is here; everything
//! else is generic. The tests prove order, primality and embedding degree from these constants.

use crate::{
    field::{
        Element, Embedwards25519Order, Modulus, RistrettoOrder, RistrettoScalar, Secp256k1FieldPrime,
        Secp256k1Order, Secp256k1Scalar, Secq256k1Scalar,
    },
    point::Endomorphism,
    registration::CurveId,
};

/// A curve y² = x³ + ax + b of prime order, over a prime field.
pub trait Curve: 'static + Copy + Send + Sync + PartialEq + Eq + std::fmt::Debug {
    /// The prime of the field it is defined over.
    type BaseModulus: Modulus;
    /// Its order.
    type ScalarModulus: Modulus;
    /// Its name in errors and debug output.
    const NAME: &'static str;
    /// a.
    const A: Base<Self>;
    /// b.
    const B: Base<Self>;
    /// The generator's coordinates.
    const GENERATOR: (Base<Self>, Base<Self>);
    /// A multiplication that costs nothing, for those curves whose multi-scalar multiplications use it.
    const ENDOMORPHISM: Option<Endomorphism<Self>> = None;

    /// a·value, without a multiplication.
    fn mul_by_a(value: &Base<Self>) -> Base<Self>;
    /// 3b·value.
    fn mul_by_3b(value: &Base<Self>) -> Base<Self>;
}

/// The field a curve is defined over.
pub type Base<C> = Element<<C as Curve>::BaseModulus>;
/// The integers modulo a curve's order.
pub type Scalar<C> = Element<<C as Curve>::ScalarModulus>;

/// A curve over the scalars of a signing curve, with its hash to the curve and its registered keys.
pub trait EmbeddedCurve: Curve {
    /// Which one, in bytes and messages.
    const ID: CurveId;
    /// The suite id of RFC 9380, section 8.10.
    const HASH_SUITE: &'static str;
    /// The constant Z of the Shallue–van de Woestijne map, by RFC 9380, appendix H.1.
    const HASH_Z: Base<Self>;
    /// The map's third constant: the even square root of −g(Z)·(3Z² + 4a).
    const HASH_C3: Base<Self>;
    /// The map's fourth constant: −4·g(Z) / (3Z² + 4a).
    const HASH_C4: Base<Self>;
}

/// Over the scalars of Ristretto, and so of Ed25519.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Embedwards25519;

impl Curve for Embedwards25519 {
    type BaseModulus = RistrettoOrder;
    type ScalarModulus = Embedwards25519Order;
    const NAME: &'static str = "embedwards25519";
    const A: RistrettoScalar = RistrettoScalar::from_u64(3).neg_const();
    const B: RistrettoScalar = RistrettoScalar::from_limbs(EMBEDWARDS25519_B);
    const GENERATOR: (RistrettoScalar, RistrettoScalar) =
        (RistrettoScalar::ONE, RistrettoScalar::from_limbs(EMBEDWARDS25519_Y));

    #[inline]
    fn mul_by_a(value: &RistrettoScalar) -> RistrettoScalar {
        -(*value + value + value)
    }

    #[inline]
    fn mul_by_3b(value: &RistrettoScalar) -> RistrettoScalar {
        const B3: RistrettoScalar = RistrettoScalar::from_u64(3).mul_const(&Embedwards25519::B);
        *value * B3
    }
}

impl EmbeddedCurve for Embedwards25519 {
    const ID: CurveId = CurveId::Embedwards25519;
    const HASH_SUITE: &'static str = "embedwards25519_XMD:SHA-512_SVDW_RO_";
    const HASH_Z: RistrettoScalar = RistrettoScalar::ONE;
    const HASH_C3: RistrettoScalar = RistrettoScalar::from_limbs([
        0x07ba_11e9_5e5d_1bb0,
        0xfbe4_3811_07b8_d645,
        0x9f90_4164_8383_9f4c,
        0x0406_4302_7411_63eb,
    ]);
    const HASH_C4: RistrettoScalar = RistrettoScalar::from_limbs([
        0x9cef_d854_ba48_410f,
        0xa794_94bd_2264_ab09,
        0x3c45_f4d9_d6c4_b1f3,
        0x0256_608e_1d3f_9f76,
    ]);
}

/// Over the scalars of secp256k1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Secq256k1;

/// 21·value by additions.
#[inline]
fn times_21<M: Modulus>(value: &Element<M>) -> Element<M> {
    let twice = *value + value;
    let four = twice + twice;
    let sixteen = (four + four) + (four + four);
    sixteen + four + value
}

impl Curve for Secq256k1 {
    type BaseModulus = Secp256k1Order;
    type ScalarModulus = Secp256k1FieldPrime;
    const NAME: &'static str = "secq256k1";
    const A: Secp256k1Scalar = Secp256k1Scalar::ZERO;
    const B: Secp256k1Scalar = Secp256k1Scalar::from_u64(7);
    const GENERATOR: (Secp256k1Scalar, Secp256k1Scalar) =
        (Secp256k1Scalar::ONE, Secp256k1Scalar::from_limbs(SECQ256K1_Y));

    #[inline]
    fn mul_by_a(_: &Secp256k1Scalar) -> Secp256k1Scalar {
        Secp256k1Scalar::ZERO
    }

    #[inline]
    fn mul_by_3b(value: &Secp256k1Scalar) -> Secp256k1Scalar {
        times_21(value)
    }
}

impl EmbeddedCurve for Secq256k1 {
    const ID: CurveId = CurveId::Secq256k1;
    const HASH_SUITE: &'static str = "secq256k1_XMD:SHA-512_SVDW_RO_";
    const HASH_Z: Secp256k1Scalar = Secp256k1Scalar::ONE;
    const HASH_C3: Secp256k1Scalar = Secp256k1Scalar::from_limbs([
        0xd03d_d026_d232_3162,
        0xd1f4_a17d_ab16_878f,
        0x9cc6_33ea_182d_519b,
        0xf6c8_0d02_c694_c709,
    ]);
    const HASH_C4: Secp256k1Scalar = Secp256k1Scalar::from_limbs([
        0x7fe1_945d_e024_2b76,
        0xd1c9_e899_ca30_6ad2,
        0xaaaa_aaaa_aaaa_aaa9,
        0xaaaa_aaaa_aaaa_aaaa,
    ]);
}

/// secp256k1 itself, on the same field code: a signing curve, not an embedded one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Secp256k1;

impl Curve for Secp256k1 {
    type BaseModulus = Secp256k1FieldPrime;
    type ScalarModulus = Secp256k1Order;
    const NAME: &'static str = "secp256k1";
    const A: Secq256k1Scalar = Secq256k1Scalar::ZERO;
    const B: Secq256k1Scalar = Secq256k1Scalar::from_u64(7);
    const GENERATOR: (Secq256k1Scalar, Secq256k1Scalar) =
        (Secq256k1Scalar::from_limbs(SECP256K1_X), Secq256k1Scalar::from_limbs(SECP256K1_Y));

    const ENDOMORPHISM: Option<Endomorphism<Self>> = Some(Endomorphism {
        beta: Secq256k1Scalar::from_limbs([
            0xc139_6c28_7195_01ee,
            0x9cf0_4975_12f5_8995,
            0x6e64_479e_ac34_34e9,
            0x7ae9_6a2b_657c_0710,
        ]),
        lambda: Secp256k1Scalar::from_limbs([
            0xdf02_967c_1b23_bd72,
            0x122e_22ea_2081_6678,
            0xa526_1c02_8812_645a,
            0x5363_ad4c_c05c_30e0,
        ]),
        quotients: [
            [0xe893_209a_45db_b031, 0x3daa_8a14_71e8_ca7f, 0xe86c_90e4_9284_eb15, 0x3086_d221_a7d4_6bcd],
            [0x1571_b4ae_8ac4_7f71, 0x2212_08ac_9df5_06c6, 0x6f54_7fa9_0abf_e4c4, 0xe443_7ed6_010e_8828],
        ],
        minus_b: [
            Secp256k1Scalar::from_limbs([0x6f54_7fa9_0abf_e4c3, 0xe443_7ed6_010e_8828, 0, 0]),
            Secp256k1Scalar::from_limbs([0xe86c_90e4_9284_eb15, 0x3086_d221_a7d4_6bcd, 0, 0]).neg_const(),
        ],
    });

    #[inline]
    fn mul_by_a(_: &Secq256k1Scalar) -> Secq256k1Scalar {
        Secq256k1Scalar::ZERO
    }

    #[inline]
    fn mul_by_3b(value: &Secq256k1Scalar) -> Secq256k1Scalar {
        times_21(value)
    }
}

const EMBEDWARDS25519_B: [u64; 4] =
    [0x3720_3f85_3a60_075f, 0x3e46_0d21_3620_680b, 0x079d_66ea_233a_9064, 0x0942_593f_c1cf_26ca];
const EMBEDWARDS25519_Y: [u64; 4] =
    [0x3d4a_480a_0818_412e, 0xb736_0e9a_19e2_affb, 0xdfda_c076_d681_3519, 0x0c02_1656_26b0_76a3];
const SECQ256K1_Y: [u64; 4] =
    [0xc1b8_00d1_ffc2_78c0, 0x4891_6189_041f_2af0, 0x4909_abdf_82c9_bd02, 0x0c7c_9704_5a20_7463];
const SECP256K1_X: [u64; 4] =
    [0x59f2_815b_16f8_1798, 0x029b_fcdb_2dce_28d9, 0x55a0_6295_ce87_0b07, 0x79be_667e_f9dc_bbac];
const SECP256K1_Y: [u64; 4] =
    [0x9c47_d08f_fb10_d4b8, 0xfd17_b448_a685_5419, 0x5da4_fbfc_0e11_08a8, 0x483a_da77_26a3_c465];
