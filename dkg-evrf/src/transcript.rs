//! Every label and domain separator of this crate, and the order of what the proof's challenges depend on.

use arithmetic_bulletproofs::{ProofCurve, Transcript};
use embedded_curves::registration::KeyBytes;

use crate::curves::{Element, Scalar, SigningCurve};
use crate::parameters::{Parameters, Purpose, ValidatorIndex};
use crate::participation::Dealing;

/// Of the hash over the parameters.
pub(crate) const CONTEXT: &[u8] = b"headwater dkg-evrf context";
/// Of a participation's transcript.
const PARTICIPATION: &[u8] = b"headwater dkg-evrf participation";
/// Of the two points behind a dealer's contribution: labels of the hash to the embedded curve.
pub(crate) const CONTRIBUTION_POINTS: [&str; 2] =
    ["headwater dkg-evrf contribution A", "headwater dkg-evrf contribution B"];
/// Of the scalars a dealer derives from its embedded secret.
pub(crate) const DERIVE: &[u8] = b"headwater dkg-evrf derive";
/// The polynomial's coefficients.
pub(crate) const COEFFICIENT: &[u8] = b"coefficient";
/// The ephemeral scalars.
pub(crate) const EPHEMERAL_X: &[u8] = b"ephemeral x";
/// The ephemeral scalars.
pub(crate) const EPHEMERAL_Y: &[u8] = b"ephemeral y";
/// Of the seed of a proof's randomness.
pub(crate) const BLINDING: &[u8] = b"headwater dkg-evrf blinding";

/// Of what a key is for, in the hash over the parameters.
pub(crate) const fn purpose(purpose: Purpose) -> &'static [u8] {
    match purpose {
        Purpose::BaseChain => b"base chain",
        Purpose::Network => b"network",
    }
}

/// A participation's transcript with its whole statement absorbed (rule EVRF-6).
pub(crate) fn statement<C: SigningCurve>(
    parameters: &Parameters<C>,
    dealer: ValidatorIndex,
    key: &KeyBytes,
    dealing: &Dealing<C>,
) -> Transcript {
    let mut transcript = Transcript::new(PARTICIPATION);
    transcript.append(b"context", &parameters.context);
    transcript.append(b"dealer", &dealer.0.to_le_bytes());
    transcript.append(b"P", key);
    for coefficient in &dealing.coefficients {
        transcript.append(b"A", coefficient.bytes());
    }
    for seat in &dealing.seats {
        transcript.append(b"X", &seat.x.bytes);
        transcript.append(b"Y", &seat.y.bytes);
    }
    for share in &dealing.shares {
        transcript.append(b"c", &share.to_bytes());
    }
    transcript
}

/// The seed of the gadget's line, after the tape's commitments (rule EVRF-7).
pub(crate) fn divisor_seed(transcript: &mut Transcript) -> [u8; 64] {
    transcript.challenge(b"divisor")
}

/// The challenge which combines the coefficients, after the argument (rule EVRF-8).
pub(crate) fn purity_combination<C: SigningCurve>(transcript: &mut Transcript) -> Scalar<C> {
    C::Group::scalar_from_wide(&transcript.challenge(b"purity r"))
}

/// The challenge of the Schnorr proof.
pub(crate) fn purity_challenge<C: SigningCurve>(
    transcript: &mut Transcript,
    nonce: &Element<C>,
) -> Scalar<C> {
    transcript.append(b"purity R", nonce.bytes());
    C::Group::scalar_from_wide(&transcript.challenge(b"purity e"))
}

/// The hash of the transcript after the proof's last message, which binds a batch's weights to everything that was sent.
pub(crate) fn binding<C: SigningCurve>(transcript: &mut Transcript, response: &Scalar<C>) -> [u8; 64] {
    transcript.append(b"purity s", &response.to_bytes());
    transcript.challenge(b"batch")
}

/// The hash of a transcript's state, for the seed of the proof's randomness; the transcript itself stays as it is.
pub(crate) fn fingerprint(transcript: &Transcript) -> [u8; 64] {
    transcript.clone().challenge(b"fingerprint")
}
