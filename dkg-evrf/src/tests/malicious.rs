//! Malicious dealers, one for each constraint, are blamed, and nobody else is (EVRF-3, EVRF-4, EVRF-7, EVRF-8, GBP-5; transcript:
//! EVRF-6).

use std::collections::BTreeMap;
use std::sync::Mutex;

use divisor_circuit::DivisorCurve;

use super::{Set, rng};
use crate::curves::SigningCurve;
use crate::malicious::{Claimed, Fault, Lie, Relation, objection, participate_faultily, participate_looking};
use crate::participation::Participation;
use crate::{Ristretto, Secp256k1, ValidatorIndex, proof};
use arithmetic_bulletproofs::malicious::Objection;

const CHEAT: ValidatorIndex = ValidatorIndex(1);

/// Weights 2, 2, 1, 1.
fn set<C: SigningCurve>() -> Set<C> {
    Set::new(&[2, 2, 1, 1], 5)
}

fn faulty<C: SigningCurve>(set: &Set<C>, fault: Fault) -> Participation<C> {
    participate_faultily(&set.parameters, CHEAT, &set.secrets[1], fault, &mut rng(9)).unwrap()
}

/// Each is blamed, and nobody else; the last two honest participations are in every batch.
fn blamed<C: SigningCurve>(faults: &[Fault]) {
    let set = set::<C>();
    let mut all = honest_participations(&set);
    for fault in faults {
        let cheat = faulty(&set, *fault);
        let encoded = cheat.encode();
        assert_eq!(
            Participation::decode(&set.parameters, &encoded).as_ref(),
            Ok(&cheat),
            "{fault:?} is well formed"
        );
        all.insert(1, (CHEAT, cheat));
        let valid = set.verify(&all).iter().map(crate::Verdict::is_valid).collect::<Vec<_>>();
        assert_eq!(valid, [true, false, true, true], "{fault:?}");
        all.remove(1);
    }
}

/// The others' participations, which are the same in every test: made once for each curve.
fn honest_participations<C: SigningCurve>(set: &Set<C>) -> Vec<(ValidatorIndex, Participation<C>)> {
    static MADE: Mutex<BTreeMap<&[u8], [Vec<u8>; 3]>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let encoded = made.entry(C::ID).or_insert_with(|| [0, 2, 3].map(|i| set.participate(i).encode()));
    let decode = |bytes: &Vec<u8>| Participation::decode(&set.parameters, bytes).unwrap();
    [0, 2, 3].map(ValidatorIndex).into_iter().zip(encoded.iter().map(decode)).collect()
}

macro_rules! on_both_curves {
    ($($name:ident => [$($fault:expr),+ $(,)?]),+ $(,)?) => {$(
        #[test]
        fn $name() {
            let faults = [$($fault),+];
            blamed::<Ristretto>(&faults);
            blamed::<Secp256k1>(&faults);
        }
    )+};
}

on_both_curves! {
    evrf_3_another_key_than_the_registered_one_is_refused => [Fault::WrongKey],
    evrf_3_a_contribution_of_ones_own_choice_is_refused => [Fault::WrongContribution],
    evrf_3_a_contribution_proven_with_false_openings_is_refused => [Fault::WrongContributionOpenedRightly],
    evrf_4_a_wrong_pad_is_refused =>
        [Fault::WrongPad(0), Fault::WrongPad(1), Fault::WrongPad(3), Fault::WrongPad(4), Fault::WrongPad(5)],
    evrf_7_a_share_off_by_one_is_refused =>
        [Fault::ShareOffByOne(0), Fault::ShareOffByOne(2), Fault::ShareOffByOne(3), Fault::ShareOffByOne(5)],
    evrf_4_the_pad_of_another_seat_is_refused => [Fault::PadOfAnotherSeat],
    evrf_4_seats_in_another_order_are_refused => [Fault::SwappedSeats],
    evrf_4_ephemeral_keys_in_another_order_are_refused =>
        [Fault::SwappedEphemeralKeys(0), Fault::SwappedEphemeralKeys(1)],
    evrf_4_a_foreign_ephemeral_key_is_refused => [Fault::ForeignEphemeralKey(0), Fault::ForeignEphemeralKey(1)],
    evrf_8_a_blinding_polynomial_is_refused => [Fault::BlindingPolynomial],
    evrf_8_purity_under_another_polynomial_is_refused =>
        [Fault::WrongPurity(0), Fault::WrongPurity(2), Fault::WrongPurity(4)],
    gbp_5_a_wrong_inner_product_under_a_valid_transcript_is_refused =>
        [Fault::Argument(Lie::LastA), Fault::Argument(Lie::LastB)],
}

fn honest<C: SigningCurve>() {
    let set = set::<C>();
    let participation = faulty(&set, Fault::None);
    assert_eq!(*participation.dealing, *set.participate(CHEAT.0).dealing);
    assert!(set.verify(&[(CHEAT, participation)])[0].is_valid());
}

/// EVRF-7.
#[test]
fn evrf_7_the_harness_itself_is_honest() {
    honest::<Ristretto>();
    honest::<Secp256k1>();
}

/// Where each kind of value stands on the tape of EVRF-7: digits of each scalar and sign, coefficients of each claim, coordinates.
fn tape_positions<C: SigningCurve>() -> Vec<usize> {
    let (digits, poles) = (C::Embedded::DIGITS, C::Embedded::POLES);
    // p, x_1, y_1, x_2, y_2: two signs each, with their first and last digits.
    let of_digits = (0..10).flat_map(|sign| [sign * digits, (sign + 1) * digits - 1]);
    let claims = 10 * digits;
    // p·B = P is public: no coordinates. Then p·Q_A and p·Q_B, committed.
    let public = [claims, claims + poles / 2, claims + poles - 1];
    let committed = claims + poles;
    let of_contribution = [committed, committed + poles - 1, committed + poles, committed + poles + 1];
    // Behind p·Q_B and the four public claims about seats: the first pad's two claims.
    let pad = committed + 2 * (poles + 2) + 4 * poles;
    let of_pad = [pad, pad + poles / 2, pad + poles, pad + poles + 1, pad + 2 * poles + 2];
    of_digits.chain(public).chain(of_contribution).chain(of_pad).collect()
}

/// Each kind of value off by one.
fn false_tape<C: SigningCurve>() {
    let tape_len = set::<C>().parameters.shape.tape_len;
    // The last pad's second y is the tape's last scalar.
    let positions = tape_positions::<C>().into_iter().chain([tape_len - 1]);
    blamed::<C>(&positions.map(Fault::FalseTape).collect::<Vec<_>>());
}

/// EVRF-7, GADGET-1.
#[test]
fn evrf_7_false_digits_coefficients_and_coordinates_are_refused_on_embedwards25519() {
    false_tape::<Ristretto>();
}

/// EVRF-7, GADGET-1.
#[test]
fn evrf_7_false_digits_coefficients_and_coordinates_are_refused_on_secq256k1() {
    false_tape::<Secp256k1>();
}

/// Components along `H` which cancel: the argument has nothing against them.
fn only_purity_objects<C: SigningCurve>() {
    let set = set::<C>();
    for fault in [Fault::BlindedContribution, Fault::BlindedCoefficient(0), Fault::BlindedCoefficient(3)] {
        let Participation { dealing, argument } = &faulty(&set, fault);
        let read = proof::read(&set.parameters, CHEAT, dealing, argument).unwrap();
        assert!(read.identity.holds(&set.parameters.generators, 1), "{fault:?}");
        assert!(read.vectors.holds(&set.parameters.generators, 1), "{fault:?}");
        blamed::<C>(&[fault]);
    }
}

/// EVRF-8.
#[test]
fn evrf_8_only_purity_objects_to_balanced_components_along_the_blinding_generator() {
    only_purity_objects::<Ristretto>();
    only_purity_objects::<Secp256k1>();
}

/// What the circuit objects to of a fault, and which equations do not hold: the identity, the vectors, purity. It is blamed alone.
fn looked_at<C: SigningCurve>(fault: Fault) -> (Vec<Objection>, [bool; 3]) {
    let set = set::<C>();
    let (cheat, objections) =
        participate_looking(&set.parameters, CHEAT, &set.secrets[1], fault, &mut rng(9)).unwrap();
    let member = proof::equations(&set.parameters, CHEAT, &cheat.dealing, &cheat.argument).unwrap();
    let fails = [0, 1, 2].map(|i: usize| !member.equations[i].holds(&set.parameters.generators, 1));
    let mut all = honest_participations(&set);
    all.insert(1, (CHEAT, cheat));
    let valid = set.verify(&all).iter().map(crate::Verdict::is_valid).collect::<Vec<_>>();
    assert_eq!(valid, [true, false, true, true], "{fault:?}");
    (objections, fails)
}

const IDENTITY: [bool; 3] = [true, false, false];
const VECTORS: [bool; 3] = [false, true, false];
const PURITY: [bool; 3] = [false, false, true];

/// A lie in each message, with all that follows made for it: exactly one equation objects.
fn each_message<C: SigningCurve>() {
    let commitments = (0..4).map(Lie::Commitment);
    let vectors = [Lie::Product, Lie::Mu, Lie::Left(0), Lie::Right(3), Lie::Left(5), Lie::LastA, Lie::LastB];
    for lie in commitments.chain(vectors) {
        assert_eq!(looked_at::<C>(Fault::Argument(lie)).1, VECTORS, "{lie:?}");
    }
    for lie in [Lie::Coefficient(0), Lie::Coefficient(7), Lie::Tau] {
        assert_eq!(looked_at::<C>(Fault::Argument(lie)), (vec![], IDENTITY), "{lie:?}");
    }
    assert_eq!(looked_at::<C>(Fault::Argument(Lie::ProductOffByOne)), (vec![], [true, true, false]));
    assert_eq!(looked_at::<C>(Fault::TapeChangedLater), (vec![], VECTORS));
    assert_eq!(looked_at::<C>(Fault::WrongPurity(1)), (vec![], PURITY));
}

/// GBP-5, GBP-7, EVRF-8.
#[test]
fn gbp_7_a_lie_in_each_message_has_one_equation_against_it_on_ristretto() {
    each_message::<Ristretto>();
}

/// GBP-5, GBP-7, EVRF-8.
#[test]
fn gbp_7_a_lie_in_each_message_has_one_equation_against_it_on_secp256k1() {
    each_message::<Secp256k1>();
}

/// All relations that a claim stands in.
fn relations(claimed: Claimed) -> Vec<Relation> {
    let committed =
        !matches!(claimed, Claimed::Key | Claimed::EphemeralKey(_) | Claimed::SecondEphemeralKey(_));
    let rows = if committed { 0..4 } else { 0..3 };
    let of_row = |row| [Relation::Denominator(row), Relation::Numerator(row), Relation::Product(row)];
    let pair = committed.then_some(Relation::Pair);
    pair.into_iter().chain([Relation::Digits]).chain(rows.flat_map(of_row)).collect()
}

/// The claims of EVRF-7, of each kind one, and not the first.
const CLAIMS: [Claimed; 7] = [
    Claimed::Key,
    Claimed::Contribution,
    Claimed::SecondContribution,
    Claimed::EphemeralKey(1),
    Claimed::SecondEphemeralKey(1),
    Claimed::Pad(3),
    Claimed::SecondPad(3),
];

/// False claims of each kind which fit everything but one relation: only that one objects, and the dealer is blamed.
fn each_relation<C: SigningCurve>() {
    let set = set::<C>();
    for claimed in CLAIMS {
        for relation in relations(claimed) {
            let fault = Fault::FalseClaim(claimed, relation);
            let only = objection(&set.parameters, claimed, relation);
            assert_eq!(looked_at::<C>(fault), (vec![only], IDENTITY), "{fault:?}");
        }
    }
}

/// GADGET-4, EVRF-7.
#[test]
fn gadget_4_each_relation_of_a_false_claim_is_proven_on_embedwards25519() {
    each_relation::<Ristretto>();
}

/// GADGET-4, EVRF-7.
#[test]
fn gadget_4_each_relation_of_a_false_claim_is_proven_on_secq256k1() {
    each_relation::<Secp256k1>();
}

/// Four kinds of faulty dealers at once, with weights of 1, until all kinds have been seen.
fn all_at_once<C: SigningCurve>() {
    let set = Set::<C>::new(&[1; 8], 5);
    let take_part = |dealer: u16, fault| {
        let (index, secret) = (ValidatorIndex(dealer), &set.secrets[usize::from(dealer)]);
        (index, participate_faultily(&set.parameters, index, secret, fault, &mut rng(9)).unwrap())
    };
    let honest = [0, 2, 4, 6].map(|dealer| take_part(dealer, Fault::None));
    for faults in Fault::WITH_ONE_SEAT.as_chunks::<4>().0 {
        let faulty = [1, 3, 5, 7].into_iter().zip(faults).map(|(dealer, fault)| take_part(dealer, *fault));
        let mut all = honest.iter().cloned().chain(faulty).collect::<Vec<_>>();
        all.sort_by_key(|(dealer, _)| dealer.0);
        let valid = set.verify(&all).iter().map(crate::Verdict::is_valid).collect::<Vec<_>>();
        assert_eq!(valid, [true, false, true, false, true, false, true, false], "{faults:?}");
    }
}

/// EVRF-10.
#[test]
fn ref_09_evrf_10_all_faulty_dealers_are_named_and_no_honest_one() {
    all_at_once::<Ristretto>();
    all_at_once::<Secp256k1>();
}

/// The message that lies, by its label in the transcript (EVRF-6, GBP-4): the first that is not what the values of the others demand.
fn lying_message(fault: Fault) -> &'static str {
    match fault {
        Fault::None => "",
        Fault::WrongKey => "P",
        Fault::WrongContribution
        | Fault::WrongContributionOpenedRightly
        | Fault::BlindedContribution
        | Fault::BlindingPolynomial
        | Fault::BlindedCoefficient(_) => "A",
        Fault::ForeignEphemeralKey(_) | Fault::SwappedEphemeralKeys(_) | Fault::SwappedSeats => "X",
        Fault::WrongPad(_) | Fault::PadOfAnotherSeat | Fault::ShareOffByOne(_) => "c",
        Fault::FalseTape(_)
        | Fault::TapeChangedLater
        | Fault::FalseClaim(_, Relation::Pair | Relation::Digits) => "C",
        Fault::FalseClaim(_, Relation::Denominator(_) | Relation::Numerator(_)) => "A_I",
        Fault::FalseClaim(_, Relation::Product(_)) => "A_O",
        Fault::Argument(lie) => match lie {
            Lie::Commitment(which) => ["A_I", "A_O", "S_L", "S_R"][which % 4],
            Lie::Coefficient(_) => "T",
            Lie::Product | Lie::ProductOffByOne => "t",
            Lie::Tau => "tau",
            Lie::Mu => "mu",
            Lie::Left(_) => "L",
            Lie::Right(_) => "R",
            Lie::LastA => "a",
            Lie::LastB => "b",
        },
        Fault::WrongPurity(_) => "purity s",
    }
}

/// EVRF-10: the bench of blame has as many kinds of malicious provers as faulty dealers. What tells them apart is what the circuit
/// objects to and which equations fail; and only where the circuit objects to nothing, the message that lies.
#[test]
fn evrf_10_sixteen_faulty_dealers_depart_in_sixteen_kinds() {
    let kinds = Fault::WITH_ONE_SEAT.map(|fault| {
        let (objections, fails) = looked_at::<Ristretto>(fault);
        let message = if objections.is_empty() { lying_message(fault) } else { "" };
        (objections, fails, message)
    });
    for (i, kind) in kinds.iter().enumerate() {
        let same = kinds[..i].iter().position(|other| other == kind);
        assert_eq!(same.map(|j| Fault::WITH_ONE_SEAT[j]), None, "{:?}", Fault::WITH_ONE_SEAT[i]);
    }
}
