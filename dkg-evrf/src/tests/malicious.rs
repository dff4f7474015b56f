//! Malicious dealers, one for each constraint: each makes the best proof it can for a false dealing, and is blamed
//! alone (EVRF-3, EVRF-4, EVRF-7, EVRF-8, GBP-5; transcript: EVRF-6).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arithmetic_bulletproofs::ProofCurve;
use ff::Field;
use zeroize::Zeroizing;

use super::{Set, rng};
use crate::curves::{Element, EmbeddedScalar, Scalar, SigningCurve};
use crate::participate::deal;
use crate::participation::{Argument, Dealing, Participation};
use crate::proof::{self, Witness, claims::Claims};
use crate::secrets::{Dealt, Secret};
use crate::{Parameters, Ristretto, Secp256k1, ValidatorIndex};

const CHEAT: ValidatorIndex = ValidatorIndex(1);

/// A dealer which departs from the protocol somewhere.
struct Cheat<C: SigningCurve> {
    set: Set<C>,
    secret: Secret<C>,
    dealt: Dealt<C>,
    dealing: Dealing<C>,
    witness: Witness<C>,
}

impl<C: SigningCurve> Cheat<C> {
    /// An honest dealer so far: weights 2, 2, 1, 1.
    fn new() -> Self {
        let set = Set::<C>::new(&[2, 2, 1, 1], 5);
        let secret = Secret::of(&set.parameters, CHEAT, &set.secrets[1]).unwrap();
        let dealt = Dealt::derive(&set.parameters, CHEAT, &secret).unwrap();
        let dealing = deal(&set.parameters, &dealt);
        let witness = witness(&set.parameters, &dealing, &dealt, &secret);
        Self { set, secret, dealt, dealing, witness }
    }

    /// Another scalar of the signing curve.
    fn scalar(seed: u64) -> Scalar<C> {
        C::Group::random_scalar(&mut rng(seed))
    }

    fn participation(self) -> (Set<C>, Participation<C>) {
        let Self { set, secret, dealing, witness, .. } = self;
        let argument =
            proof::prove_witness(&set.parameters, CHEAT, &dealing, witness, &secret, &mut rng(9), 1).unwrap();
        (set, Participation { dealing: Arc::new(dealing), argument })
    }

    /// The cheat is blamed, and nobody else.
    fn blame(self) {
        let (set, participation) = self.participation();
        blamed_alone(&set, participation);
    }
}

fn blamed_alone<C: SigningCurve>(set: &Set<C>, cheat: Participation<C>) {
    let encoded = cheat.encode();
    assert_eq!(Participation::decode(&set.parameters, &encoded).as_ref(), Ok(&cheat), "it is well formed");
    let mut all = honest_participations(set);
    all.insert(1, (CHEAT, cheat));
    let valid = set.verify(&all).iter().map(crate::Verdict::is_valid).collect::<Vec<_>>();
    assert_eq!(valid, [true, false, true, true]);
}

/// The others' participations, which are the same in every test: made once for each curve.
fn honest_participations<C: SigningCurve>(set: &Set<C>) -> Vec<(ValidatorIndex, Participation<C>)> {
    static MADE: Mutex<BTreeMap<&[u8], [Vec<u8>; 3]>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let encoded = made.entry(C::ID).or_insert_with(|| [0, 2, 3].map(|i| set.participate(i).encode()));
    let decode = |bytes: &Vec<u8>| Participation::decode(&set.parameters, bytes).unwrap();
    [0, 2, 3].map(ValidatorIndex).into_iter().zip(encoded.iter().map(decode)).collect()
}

/// The honest witness for a dealing.
fn witness<C: SigningCurve>(
    parameters: &Parameters<C>,
    dealing: &Dealing<C>,
    dealt: &Dealt<C>,
    secret: &Secret<C>,
) -> Witness<C> {
    let claims = Claims::new(parameters, CHEAT, dealing).unwrap();
    let openings = dealt.polynomial[..1].iter().chain(&dealt.pads).copied().collect::<Vec<_>>();
    Witness {
        tape: claims.fill(dealt, secret).unwrap(),
        blinds: Zeroizing::new(vec![Scalar::<C>::ZERO; openings.len()]),
        openings: Zeroizing::new(openings),
        polynomial: Zeroizing::new(dealt.polynomial.clone()),
    }
}

macro_rules! on_both_curves {
    ($($name:ident => $cheat:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            $cheat::<Ristretto>();
            $cheat::<Secp256k1>();
        }
    )+};
}

on_both_curves! {
    evrf_7_the_harness_itself_is_honest => honest,
    evrf_3_another_key_than_the_registered_one_is_refused => wrong_key,
    evrf_3_a_contribution_of_ones_own_choice_is_refused => wrong_contribution,
    evrf_3_a_contribution_proven_with_false_openings_is_refused => wrong_contribution_opened_rightly,
    evrf_4_a_wrong_pad_is_refused => wrong_pad,
    evrf_4_the_pad_of_another_seat_is_refused => pad_of_another_seat,
    evrf_4_seats_in_another_order_are_refused => swapped_seats,
    evrf_4_a_foreign_ephemeral_key_is_refused => foreign_ephemeral_key,
    evrf_7_a_share_off_by_one_is_refused => share_off_by_one,
    evrf_7_a_false_digit_is_refused => false_digit,
    evrf_8_a_blinded_contribution_balanced_by_the_pads_is_refused => blinded_contribution,
    evrf_8_a_blinding_polynomial_is_refused => blinding_polynomial,
    evrf_8_purity_under_another_polynomial_is_refused => wrong_purity,
    gbp_5_a_wrong_inner_product_under_a_valid_transcript_is_refused => wrong_inner_product,
}

fn honest<C: SigningCurve>() {
    let (set, participation) = Cheat::<C>::new().participation();
    assert_eq!(*participation.dealing, *set.participate(CHEAT.0).dealing);
    assert!(set.verify(&[(CHEAT, participation)])[0].is_valid());
}

/// Everything is derived from, and proven for, a secret whose key is not the dealer's.
fn wrong_key<C: SigningCurve>() {
    let mut cheat = Cheat::<C>::new();
    let foreign = Cheat::<C>::new().set.parameters;
    let mut foreign = Parameters { members: foreign.members, ..foreign };
    let secret = EmbeddedScalar::<C>::random(&mut rng(77));
    let key = embedded_curves::Point::<C::Embedded>::GENERATOR * secret;
    foreign.members[usize::from(CHEAT.0)].embedded_key = key.to_affine().unwrap();
    cheat.secret = Secret(Zeroizing::new(secret));
    cheat.dealt = Dealt::derive(&cheat.set.parameters, CHEAT, &cheat.secret).unwrap();
    cheat.dealing = deal(&cheat.set.parameters, &cheat.dealt);
    // The tables are still the registered keys': only the claim about the dealer's own key is false.
    cheat.witness = witness(&foreign, &cheat.dealing, &cheat.dealt, &cheat.secret);
    cheat.blame();
}

/// Another `a_0`, with everything consistent except that it is no output of the eVRF.
fn wrong_contribution<C: SigningCurve>() {
    let mut cheat = Cheat::<C>::new();
    cheat.dealt.polynomial[0] = Cheat::<C>::scalar(1);
    cheat.dealing = deal(&cheat.set.parameters, &cheat.dealt);
    cheat.witness = witness(&cheat.set.parameters, &cheat.dealing, &cheat.dealt, &cheat.secret);
    cheat.blame();
}

/// The same, with the true `a_0` as witness.
fn wrong_contribution_opened_rightly<C: SigningCurve>() {
    let mut cheat = Cheat::<C>::new();
    let contribution = cheat.dealt.polynomial[0];
    cheat.dealt.polynomial[0] = Cheat::<C>::scalar(1);
    cheat.dealing = deal(&cheat.set.parameters, &cheat.dealt);
    cheat.witness = witness(&cheat.set.parameters, &cheat.dealing, &cheat.dealt, &cheat.secret);
    cheat.witness.openings[0] = contribution;
    cheat.blame();
}

fn wrong_pad<C: SigningCurve>() {
    for index in 0..6 {
        let mut cheat = Cheat::<C>::new();
        cheat.dealt.pads[index] = Cheat::<C>::scalar(2);
        cheat.dealing = deal(&cheat.set.parameters, &cheat.dealt);
        cheat.witness = witness(&cheat.set.parameters, &cheat.dealing, &cheat.dealt, &cheat.secret);
        cheat.blame();
    }
}

/// The first index of validator 0 is padded with its second seat.
fn pad_of_another_seat<C: SigningCurve>() {
    let mut cheat = Cheat::<C>::new();
    assert_ne!(cheat.dealt.pads[0], cheat.dealt.pads[1]);
    cheat.dealt.pads[0] = cheat.dealt.pads[1];
    cheat.dealing = deal(&cheat.set.parameters, &cheat.dealt);
    cheat.witness = witness(&cheat.set.parameters, &cheat.dealing, &cheat.dealt, &cheat.secret);
    cheat.blame();
}

/// Published in one order, used and proven in the other.
fn swapped_seats<C: SigningCurve>() {
    let mut cheat = Cheat::<C>::new();
    let published = cheat.dealing.seats.clone();
    cheat.dealt.seats.swap(0, 1);
    cheat.dealt.pads.swap(0, 1);
    cheat.dealt.pads.swap(2, 3);
    for (index, member) in [(4, 2), (5, 3)] {
        let key = cheat.set.parameters.members[member].embedded_key;
        cheat.dealt.pads[index] = *cheat.dealt.seats[0].pad(&key);
    }
    cheat.dealing = deal(&cheat.set.parameters, &cheat.dealt);
    cheat.witness = witness(&cheat.set.parameters, &cheat.dealing, &cheat.dealt, &cheat.secret);
    cheat.dealing.seats = published;
    cheat.blame();
}

/// `X_s` is another dealer's, whose logarithm the cheat does not know.
fn foreign_ephemeral_key<C: SigningCurve>() {
    for seat in 0..2 {
        let mut cheat = Cheat::<C>::new();
        cheat.dealing.seats[seat].x = cheat.set.participate(0).dealing.seats[seat].x.clone();
        cheat.blame();
    }
}

/// `c_j + 1` with the true pads, so that `Z_j` does not commit to `z_j`.
fn share_off_by_one<C: SigningCurve>() {
    for index in 0..6 {
        let mut cheat = Cheat::<C>::new();
        cheat.dealing.shares[index] += Scalar::<C>::ONE;
        cheat.blame();
    }
}

/// The first digit of `p` is off by one: another integer, for three claims at once.
fn false_digit<C: SigningCurve>() {
    let mut cheat = Cheat::<C>::new();
    cheat.witness.tape[0] += Scalar::<C>::ONE;
    cheat.blame();
}

/// Adds components along `H` to the commitments which cancel in every equation of the argument: only purity is left to object.
fn blinded<C: SigningCurve>(components: &[Scalar<C>]) {
    let mut cheat = Cheat::<C>::new();
    let blinding = cheat.set.parameters.generators.blinding();
    for (coefficient, component) in cheat.dealing.coefficients.iter_mut().zip(components) {
        *coefficient = Element::<C>::new(coefficient.point() + C::Group::mul(component, &blinding));
    }
    cheat.witness.blinds[0] = components[0];
    for (index, blind) in (1u64..).zip(&mut cheat.witness.blinds[1..]) {
        let index = Scalar::<C>::from(index);
        *blind = -components.iter().rev().fold(Scalar::<C>::ZERO, |sum, d| (sum * index) + *d);
    }
    let (set, participation) = cheat.participation();
    let Participation { dealing, argument } = &participation;
    let read = proof::read(&set.parameters, CHEAT, dealing, argument).unwrap();
    assert!(read.identity.holds(&set.parameters.generators, 1), "the argument has nothing against it");
    assert!(read.vectors.holds(&set.parameters.generators, 1));
    blamed_alone(&set, participation);
}

fn blinded_contribution<C: SigningCurve>() {
    blinded::<C>(&[Cheat::<C>::scalar(3)]);
}

fn blinding_polynomial<C: SigningCurve>() {
    blinded::<C>(&[3, 4, 5, 6, 7].map(Cheat::<C>::scalar));
    // None in the contribution itself, so that the group key would be right.
    blinded::<C>(&[Scalar::<C>::ZERO, Cheat::<C>::scalar(3), Scalar::<C>::ZERO]);
}

fn wrong_purity<C: SigningCurve>() {
    let mut cheat = Cheat::<C>::new();
    cheat.witness.polynomial[2] += Scalar::<C>::ONE;
    cheat.blame();
}

/// The argument's last scalar is off by one, and purity is proven for the transcript which that gives.
fn wrong_inner_product<C: SigningCurve>() {
    let polynomial = Cheat::<C>::new().dealt.polynomial.clone();
    let (set, participation) = Cheat::<C>::new().participation();
    let dealing = participation.dealing.clone();
    let mut bytes = participation.encode();
    let end = bytes.len() - C::Group::POINT_LEN - 32;
    let a = &mut bytes[end - 64..end - 32];
    let value = Scalar::<C>::from_bytes(&(&*a).try_into().unwrap()).unwrap();
    a.copy_from_slice(&(value + Scalar::<C>::ONE).to_bytes());
    let Argument { tape, proof, .. } = Participation::decode(&set.parameters, &bytes).unwrap().argument;
    let argument = Argument { tape, proof, purity: participation.argument.purity };
    let mut read = proof::read(&set.parameters, CHEAT, &dealing, &argument).unwrap();
    let purity = proof::purity::prove(&mut read.transcript, &polynomial, |_| rng(8));
    let participation = Participation { dealing, argument: Argument { purity, ..argument } };
    let equations = proof::equations(&set.parameters, CHEAT, &participation.dealing, &participation.argument);
    let holds = equations
        .unwrap()
        .equations
        .iter()
        .map(|e| e.holds(&set.parameters.generators, 1))
        .collect::<Vec<_>>();
    assert_eq!(holds, [true, false, true]);
    blamed_alone(&set, participation);
}
