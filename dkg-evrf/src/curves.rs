//! The signing curves: a ciphersuite for the result, a group for the argument, and the curve embedded over its scalars.

mod ed25519;

use std::fmt;
use std::str::FromStr;

use arithmetic_bulletproofs::ProofCurve;
use ciphersuite::Ciphersuite;
use divisor_circuit::DivisorCurve;
use embedded_curves::{Base, CurveId, Embedwards25519, Secq256k1};
use ff::PrimeField;
use group::GroupEncoding;
use zeroize::Zeroizing;

/// The curves that keys can be generated for, by name: for configuration, and for choosing among the types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CurveName {
    /// [`Ristretto`](crate::Ristretto).
    Ristretto,
    /// [`Ed25519`](crate::Ed25519).
    Ed25519,
    /// [`Secp256k1`](crate::Secp256k1).
    Secp256k1,
}

impl CurveName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ristretto, Self::Ed25519, Self::Secp256k1];

    /// The curve on which a validator's key must be registered.
    pub fn embedded(self) -> CurveId {
        match self {
            Self::Ristretto | Self::Ed25519 => CurveId::Embedwards25519,
            Self::Secp256k1 => CurveId::Secq256k1,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ristretto => "ristretto",
            Self::Ed25519 => "ed25519",
            Self::Secp256k1 => "secp256k1",
        }
    }
}

impl fmt::Display for CurveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no curve of this name: choose one of `ristretto`, `ed25519` and `secp256k1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("keys are generated for ristretto, ed25519 and secp256k1 only")]
pub struct UnknownCurve;

impl FromStr for CurveName {
    type Err = UnknownCurve;
    fn from_str(name: &str) -> Result<Self, UnknownCurve> {
        Self::ALL.into_iter().find(|curve| curve.name() == name).ok_or(UnknownCurve)
    }
}

/// A curve that keys can be generated for.
pub trait SigningCurve: Ciphersuite {
    /// Its name.
    const NAME: CurveName;
    /// Its group, as the argument uses it.
    type Group: ProofCurve<Scalar = Base<Self::Embedded>>;
    /// The curve over the field of its scalars.
    type Embedded: DivisorCurve;

    /// A scalar, as the ciphersuite has it.
    fn scalar(scalar: &Base<Self::Embedded>) -> Self::F;

    /// A point, as the ciphersuite has it.
    fn point(point: &Point<Self>) -> Self::G {
        let mut repr = <Self::G as GroupEncoding>::Repr::default();
        let encoding = Self::Group::encode(point);
        if *point == Self::Group::identity() {
            return <Self::G as group::Group>::identity();
        }
        repr.as_mut().copy_from_slice(encoding.as_ref());
        Option::from(Self::G::from_bytes(&repr)).expect("both libraries have the same encodings")
    }
}

/// A point of the signing curve, as the argument has it.
pub(crate) type Point<C> = <<C as SigningCurve>::Group as ProofCurve>::Point;
/// A point of the signing curve with its encoding.
pub(crate) type Element<C> = arithmetic_bulletproofs::Element<<C as SigningCurve>::Group>;
/// A scalar of the signing curve: a coordinate of the embedded curve.
pub(crate) type Scalar<C> = Base<<C as SigningCurve>::Embedded>;
/// A scalar of the embedded curve.
pub(crate) type EmbeddedScalar<C> = embedded_curves::Scalar<<C as SigningCurve>::Embedded>;
/// A point of the embedded curve.
pub(crate) type EmbeddedPoint<C> = embedded_curves::Affine<<C as SigningCurve>::Embedded>;

/// Moves a scalar between libraries, whose encodings differ in their order of bytes only.
fn convert<F: PrimeField>(mut bytes: Zeroizing<[u8; 32]>, big_endian: bool) -> F {
    if big_endian {
        bytes.reverse();
    }
    let mut repr = F::Repr::default();
    repr.as_mut().copy_from_slice(&*bytes);
    let scalar = Option::from(F::from_repr(repr)).expect("both libraries have the same field");
    zeroize::Zeroize::zeroize(repr.as_mut());
    scalar
}

/// Ristretto as `modular-frost` signs with it.
impl SigningCurve for dalek_ff_group::Ristretto {
    const NAME: CurveName = CurveName::Ristretto;
    type Group = arithmetic_bulletproofs::Ristretto;
    type Embedded = Embedwards25519;

    fn scalar(scalar: &Base<Embedwards25519>) -> Self::F {
        convert(Zeroizing::new(scalar.to_bytes()), false)
    }
}

/// The ciphersuite crate's own Ristretto, which is another type; the contexts of both are the same.
impl SigningCurve for ciphersuite::Ristretto {
    const NAME: CurveName = CurveName::Ristretto;
    type Group = arithmetic_bulletproofs::Ristretto;
    type Embedded = Embedwards25519;

    fn scalar(scalar: &Base<Embedwards25519>) -> Self::F {
        convert(Zeroizing::new(scalar.to_bytes()), false)
    }
}

impl SigningCurve for ciphersuite::Secp256k1 {
    const NAME: CurveName = CurveName::Secp256k1;
    type Group = arithmetic_bulletproofs::Secp256k1;
    type Embedded = Secq256k1;

    fn scalar(scalar: &Base<Secq256k1>) -> Self::F {
        convert(Zeroizing::new(scalar.to_bytes()), true)
    }
}
