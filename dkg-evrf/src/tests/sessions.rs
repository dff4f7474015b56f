//! What belongs to which session and dealer, what is the same after a restart, and what is refused.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use embedded_curves::registration::EmbeddedSecret;
use embedded_curves::{CurveId, EmbeddedCurve};

use super::{Set, close, rng, session};
use crate::{
    CloseError, Closed, CurveName, Ed25519, Error, Parameters, ParametersError, Participation, Progress,
    Purpose, Ristretto, Secp256k1, Session, SigningCurve, Validator, ValidatorIndex, VerifyError, Work,
    participate, recover, verify,
};

fn replay<C: SigningCurve>() {
    let set = Set::<C>::new(&[1, 1, 1], 2);
    let participation = set.participate(0);
    assert!(set.verify(&[(ValidatorIndex(0), participation.clone())])[0].is_valid());
    for dealer in [1, 2, 3, u16::MAX] {
        let verdicts = set.verify(&[(ValidatorIndex(dealer), participation.clone())]);
        assert!(!verdicts[0].is_valid(), "dealer {dealer}");
    }
    let others = [
        Set::in_session(&session(1), &[1, 1, 1], 2),
        Set::in_session(&Session { network: b"other".to_vec(), ..session(0) }, &[1, 1, 1], 2),
        Set::in_session(&Session { chain_genesis: [8; 32], ..session(0) }, &[1, 1, 1], 2),
        Set::new(&[1, 1, 1], 3),
        Set::new(&[1, 1, 1, 1], 2),
        Set::new(&[1, 1, 2], 3),
    ];
    for (i, other) in others.iter().enumerate() {
        assert_ne!(other.parameters.context(), set.parameters.context());
        assert!(!other.verify(&[(ValidatorIndex(0), participation.clone())])[0].is_valid(), "set {i}");
        if let Ok(decoded) = Participation::decode(&other.parameters, &participation.encode()) {
            assert!(!other.verify(&[(ValidatorIndex(0), decoded)])[0].is_valid(), "set {i}");
        }
    }
}

/// EVRF-2.
#[test]
fn evrf_2_a_participation_counts_for_its_session_and_dealer_only() {
    replay::<Ristretto>();
    replay::<Secp256k1>();
}

/// A set's two keys on one curve: other contexts, contributions and shares, and no replay in either direction.
fn purposes<C: SigningCurve>() {
    let [base, network] = [Purpose::BaseChain, Purpose::Network]
        .map(|purpose| Set::<C>::for_purpose(&session(0), purpose, &[1, 1, 1], 2));
    assert_ne!(base.parameters.context(), network.parameters.context());
    for (from, to) in [(&base, &network), (&network, &base)] {
        let (sent, expected) = (from.participate(0), to.participate(0));
        assert_ne!(sent.dealing.coefficients[0], expected.dealing.coefficients[0], "another contribution");
        assert!(
            sent.dealing.seats.iter().zip(&expected.dealing.seats).all(|(a, b)| a.x != b.x && a.y != b.y)
        );
        assert!(sent.dealing.shares.iter().zip(&expected.dealing.shares).all(|(a, b)| a != b));
        let verdicts = to.verify(&[(ValidatorIndex(0), sent.clone()), (ValidatorIndex(0), expected)]);
        assert_eq!(verdicts.iter().map(crate::Verdict::is_valid).collect::<Vec<_>>(), [false, true]);
        let bytes = Participation::decode(&to.parameters, &sent.encode()).unwrap();
        assert!(!to.verify(&[(ValidatorIndex(0), bytes)])[0].is_valid());
        let verified = from.verified([0, 1]);
        let error = close(&to.parameters, verified).err();
        assert_eq!(error, Some(CloseError::OtherSession(ValidatorIndex(0))));
    }
}

/// EVRF-2.
#[test]
fn evrf_2_a_participation_for_one_key_of_a_set_does_not_count_for_the_other() {
    purposes::<Ristretto>();
    purposes::<Ed25519>();
    purposes::<Secp256k1>();
}

fn restart<C: SigningCurve>() {
    let set = Set::<C>::new(&[2, 1, 1], 3);
    let participate = |seed| {
        let rng = &mut rng(seed);
        participate(&set.parameters, ValidatorIndex(0), &set.secrets[0], rng, Work::default()).unwrap()
    };
    let (before, after) = (participate(1), participate(2));
    assert_eq!(before.dealing, after.dealing, "statement and shares are the same");
    assert_ne!(before.argument, after.argument, "the proof is blinded anew");
    for participation in [before, after] {
        assert!(set.verify(&[(ValidatorIndex(0), participation)])[0].is_valid());
    }
}

/// EVRF-5.
#[test]
fn evrf_5_the_statement_is_the_same_after_a_restart() {
    restart::<Ristretto>();
    restart::<Secp256k1>();
}

/// The same (bad) randomness under two statements gives two blindings.
/// EVRF-5.
#[test]
fn evrf_5_equal_randomness_never_blinds_two_statements_alike() {
    let [first, second] = [0, 1].map(|number| {
        let set = Set::<Ristretto>::in_session(&session(number), &[1, 1], 2);
        let rng = &mut rng(1);
        participate(&set.parameters, ValidatorIndex(0), &set.secrets[0], rng, Work::default()).unwrap()
    });
    assert_ne!(first.argument.purity.nonce, second.argument.purity.nonce);
    assert_ne!(first.argument.tape, second.argument.tape);
}

fn retained<C: SigningCurve>() {
    let set = Set::<C>::new(&[2, 1, 1], 3);
    let encoded = [0, 1, 2].map(|i| (ValidatorIndex(i), set.participate(i).encode()));
    let keys = |order: [usize; 3]| {
        let decode =
            |i: usize| (encoded[i].0, Participation::decode(&set.parameters, &encoded[i].1).unwrap());
        let verdicts = set.verify(&order.map(decode));
        let closed =
            close(&set.parameters, verdicts.into_iter().filter_map(crate::Verdict::verified).collect())
                .unwrap();
        let own = recover(&set.parameters, &closed, ValidatorIndex(0), &set.secrets[0]).unwrap();
        own.iter().map(|key| key.serialize().to_vec()).collect::<Vec<_>>()
    };
    let original = keys([0, 1, 2]);
    assert_eq!(original.len(), 2);
    assert_eq!(keys([2, 0, 1]), original, "the order of arrival is nothing to the keys");
}

/// EVRF-11.
#[test]
fn evrf_11_recovery_from_retained_participations_gives_the_original_shares() {
    retained::<Ristretto>();
    retained::<Secp256k1>();
}

/// EVRF-11.
#[test]
fn evrf_11_only_enough_weight_of_distinct_dealers_closes() {
    let set = Set::<Ristretto>::new(&[2, 1, 1], 3);
    let verified = set.verified([0, 1, 2]);
    let chosen = |chosen: &[usize]| chosen.iter().map(|i| verified[*i].clone()).collect::<Vec<_>>();
    let of_agreed = |agreed: &[u16], given| {
        let agreed = agreed.iter().copied().map(ValidatorIndex).collect::<Vec<_>>();
        Closed::new(&set.parameters, &agreed, chosen(given)).err()
    };
    assert_eq!(of_agreed(&[0, 2], &[0, 1, 2]), Some(CloseError::NotAgreed(ValidatorIndex(1))));
    assert_eq!(of_agreed(&[0, 1, 2], &[0, 2]), Some(CloseError::Missing(ValidatorIndex(1))));
    assert_eq!(of_agreed(&[2, 0], &[0, 2]), None);
    let close = |given: &[usize]| close(&set.parameters, chosen(given));
    assert_eq!(close(&[]).err(), Some(CloseError::TooLight { weight: 0, threshold: 3 }));
    assert_eq!(close(&[1, 2]).err(), Some(CloseError::TooLight { weight: 2, threshold: 3 }));
    assert_eq!(close(&[0, 1, 0]).err(), Some(CloseError::Twice(ValidatorIndex(0))));
    assert!(close(&[0, 1]).is_ok());
    assert_eq!(close(&[2, 0]).unwrap().dealers(), [ValidatorIndex(0), ValidatorIndex(2)]);
    let other = Set::<Ristretto>::in_session(&session(1), &[2, 1, 1], 3);
    let foreign = super::close(&other.parameters, verified.clone()).err();
    assert_eq!(foreign, Some(CloseError::OtherSession(ValidatorIndex(0))));
    let closed = close(&[0, 1, 2]).unwrap();
    let error = recover(&other.parameters, &closed, ValidatorIndex(0), &other.secrets[0]).err();
    assert_eq!(error, Some(Error::OtherSession));
}

/// EVRF-1.
#[test]
fn evrf_1_only_ones_own_secret_takes_part() {
    let set = Set::<Ristretto>::new(&[1, 1, 1], 2);
    let closed = set.close([0, 1]);
    let foreign = EmbeddedSecret::random(CurveId::Secq256k1, &mut rng(1));
    for (validator, secret, error) in [
        (0, &set.secrets[1], Error::WrongSecret(ValidatorIndex(0))),
        (0, &foreign, Error::WrongSecret(ValidatorIndex(0))),
        (3, &set.secrets[0], Error::NoSuchValidator(ValidatorIndex(3))),
    ] {
        let validator = ValidatorIndex(validator);
        let participation = participate(&set.parameters, validator, secret, &mut rng(1), Work::default());
        assert_eq!(participation.err(), Some(error));
        assert_eq!(recover(&set.parameters, &closed, validator, secret).err(), Some(error));
    }
}

/// EVRF-10.
#[test]
fn evrf_10_verification_reports_progress_and_can_be_cancelled() {
    let set = Set::<Ristretto>::new(&[1, 1, 1], 2);
    let participations = [0, 1, 2].map(|i| (ValidatorIndex(i), set.participate(i)));
    let mut seen = Vec::new();
    let mut hook = |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    };
    let two = NonZeroUsize::new(2).unwrap();
    let work = Work::threads(two).on_progress(&mut hook);
    let verdicts = verify(&set.parameters, &participations, &mut rng(1), work).unwrap();
    assert!(verdicts.iter().all(crate::Verdict::is_valid));
    let read = |done| Progress::Read { done, of: 3 };
    assert_eq!(seen, [read(0), read(2), read(3), Progress::Checking]);
    for stop in 0..4 {
        let mut calls = 0;
        let mut hook = |_| {
            calls += 1;
            if calls > stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let work = Work::threads(two).on_progress(&mut hook);
        assert_eq!(
            verify(&set.parameters, &participations, &mut rng(1), work).err(),
            Some(VerifyError::Cancelled)
        );
    }
}

/// EVRF-1.
#[test]
fn evrf_1_invalid_declarations_are_refused() {
    let secrets =
        (0..4).map(|i| EmbeddedSecret::random(CurveId::Embedwards25519, &mut rng(i))).collect::<Vec<_>>();
    let set = |weights: &[u16]| {
        let validator = |(i, weight): (usize, &u16)| Validator {
            key: [u8::try_from(i).unwrap(); 32],
            weight: *weight,
            embedded_key: secrets[i].key(),
        };
        weights.iter().enumerate().map(validator).collect::<Vec<_>>()
    };
    let error = |t: u16, validators: &[Validator]| {
        Parameters::<Ristretto>::new(&session(0), Purpose::Network, t, validators).err()
    };
    let weight = |validator, weight| ParametersError::Weight { validator: ValidatorIndex(validator), weight };
    assert_eq!(error(2, &set(&[1, 1, 1])), None);
    assert_eq!(error(1, &[]), Some(ParametersError::Shares { shares: 0 }));
    assert_eq!(error(2, &set(&[150, 1])), Some(ParametersError::Shares { shares: 151 }));
    assert_eq!(error(2, &set(&[u16::MAX; 4])), Some(ParametersError::Shares { shares: 4 * 65_535 }));
    assert_eq!(error(0, &set(&[1, 1])), Some(ParametersError::Threshold { threshold: 0, shares: 2 }));
    assert_eq!(error(3, &set(&[1, 1])), Some(ParametersError::Threshold { threshold: 3, shares: 2 }));
    assert_eq!(error(2, &set(&[1, 0, 1])), Some(weight(1, 0)));
    assert_eq!(error(2, &set(&[1, 2, 1])), Some(weight(1, 2)));
    assert_eq!(error(60, &set(&[20, 21, 20])), Some(weight(1, 21)));
    assert_eq!(error(1, &set(&[1])), Some(weight(0, 1)));
    let network = Session { network: vec![0; 65], ..session(0) };
    let long = Parameters::<Ristretto>::new(&network, Purpose::Network, 2, &set(&[1, 1])).err();
    assert_eq!(long, Some(ParametersError::Network { len: 65 }));
}

/// EVRF-1.
#[test]
fn evrf_1_embedded_keys_are_valid_and_distinct_up_to_sign() {
    let set = Set::<Ristretto>::new(&[1, 1, 1], 2);
    let keys = set.secrets.iter().map(EmbeddedSecret::key).collect::<Vec<_>>();
    let error = |keys: &[[u8; 33]]| {
        let validator = |(i, key): (u8, &[u8; 33])| Validator { key: [i; 32], weight: 1, embedded_key: *key };
        let validators = (0..).zip(keys).map(validator).collect::<Vec<_>>();
        Parameters::<Ristretto>::new(&session(0), Purpose::Network, 2, &validators).err()
    };
    let same = ParametersError::SameEmbeddedKey { first: ValidatorIndex(0), second: ValidatorIndex(2) };
    assert_eq!(error(&keys), None);
    assert_eq!(error(&[keys[0], keys[1], keys[0]]), Some(same));
    let mut opposite = keys[0];
    opposite[32] ^= 1;
    assert_eq!(error(&[keys[0], keys[1], opposite]), Some(same));
    let invalid = ParametersError::EmbeddedKey { validator: ValidatorIndex(1) };
    for bytes in [[0xff; 33], [0; 33]] {
        let found = error(&[keys[0], bytes, keys[1]]);
        assert!(found == Some(invalid) || bytes == [0; 33] && found.is_some());
    }
    let twice = [0, 0].map(|i: usize| Validator { key: [0; 32], weight: 1, embedded_key: keys[i] });
    let mut twice = twice.to_vec();
    twice[1].embedded_key = keys[1];
    let found = Parameters::<Ristretto>::new(&session(0), Purpose::Network, 2, &twice).err();
    let same = ParametersError::SameValidator { first: ValidatorIndex(0), second: ValidatorIndex(1) };
    assert_eq!(found, Some(same));
}

/// EVRF-12: nothing here prints a secret. (That only verified participations are decrypted is a doc test of `Closed`.)
#[test]
fn evrf_12_debug_output_holds_no_secret() {
    let set = Set::<Ristretto>::new(&[1, 1], 2);
    let verified = set.verified([0, 1]);
    assert_eq!(format!("{:?}", verified[0]), "Verified { dealer: ValidatorIndex(0), .. }");
    let closed = close(&set.parameters, verified).unwrap();
    assert_eq!(format!("{closed:?}"), "Closed { dealers: [ValidatorIndex(0), ValidatorIndex(1)], .. }");
    let parameters = format!("{:?}", set.parameters);
    assert_eq!(parameters, "Parameters { threshold: 2, shares: 2, validators: 2, .. }");
    let keys = recover(&set.parameters, &closed, ValidatorIndex(0), &set.secrets[0]).unwrap();
    let secret = **keys[0].original_secret_share();
    assert!(!format!("{:?}", keys[0]).contains(&format!("{secret:?}")));
}

/// EVRF-12: a participation that is returned has been verified by its dealer.
#[test]
fn evrf_12_a_returned_participation_is_valid() {
    let set = Set::<Secp256k1>::new(&[1, 1], 2);
    let mut reported = Vec::new();
    let mut hook = |progress| {
        reported.push(progress);
        ControlFlow::Continue(())
    };
    let work = Work::default().on_progress(&mut hook);
    let participation =
        participate(&set.parameters, ValidatorIndex(1), &set.secrets[1], &mut rng(1), work).unwrap();
    assert_eq!(reported, [Progress::Checking]);
    assert!(set.verify(&[(ValidatorIndex(1), participation)])[0].is_valid());
}

/// EVRF-13: a name for each curve, and the embedded curve whose key it needs.
#[test]
fn evrf_13_curves_are_chosen_by_name() {
    for curve in CurveName::ALL {
        assert_eq!(curve.to_string().parse(), Ok(curve));
    }
    assert_eq!("p256".parse::<CurveName>(), Err(crate::UnknownCurve));
    let matches = |name: CurveName, embedded| assert_eq!(name.embedded(), embedded);
    matches(Ristretto::NAME, <Ristretto as SigningCurve>::Embedded::ID);
    matches(Ed25519::NAME, <Ed25519 as SigningCurve>::Embedded::ID);
    matches(Secp256k1::NAME, <Secp256k1 as SigningCurve>::Embedded::ID);
}

/// EVRF-13, EVRF-2: one embedded key serves both curves, and a participation counts on one of them only.
#[test]
fn evrf_13_a_participation_for_ristretto_does_not_count_for_ed25519() {
    let (ristretto, ed25519) = (Set::<Ristretto>::new(&[1, 1], 2), Set::<Ed25519>::new(&[1, 1], 2));
    assert_eq!(ristretto.secrets[0].key(), ed25519.secrets[0].key());
    assert_ne!(ristretto.parameters.context(), ed25519.parameters.context());
    let foreign = Participation::decode(&ed25519.parameters, &ristretto.participate(0).encode()).unwrap();
    assert!(!ed25519.verify(&[(ValidatorIndex(0), foreign)])[0].is_valid());
}
