//! The confirmation's MuSig against the base chain's verification.

use coordinator_base_chain::signing;
use coordinator_keys::SecretKey;
use processor_messages::Validator;
use zeroize::Zeroizing;

use super::cluster::{CHAIN, key_pair, set};
use crate::session::musig::{self, MusigError, Share, Signing};

struct Party {
    key: SecretKey,
    seed: Zeroizing<[u8; 32]>,
    commitments: [u8; 64],
}

fn parties(count: u8) -> Vec<Party> {
    let party = |index: u8| {
        let key =
            SecretKey::from_bytes(&std::array::from_fn(|i| if i == 0 { index + 1 } else { 0 })).unwrap();
        let seed = Zeroizing::new([index + 50; 32]);
        let commitments = musig::preprocess(CHAIN, set(), &key, &seed).unwrap();
        Party { key, seed, commitments }
    };
    (0..count).map(party).collect()
}

fn validator(party: &Party) -> Validator {
    Validator(party.key.public().to_bytes())
}

fn signing_of(parties: &[Party]) -> Signing {
    let signers: Vec<_> = parties.iter().map(|p| (validator(p), p.commitments)).collect();
    Signing::new(CHAIN, set(), &key_pair(0), &signers).unwrap()
}

fn shares(parties: &[Party]) -> Vec<Share> {
    parties.iter().map(|p| signing_of(parties).sign(&p.key, p.seed.clone()).unwrap()).collect()
}

#[test]
fn shares_made_from_cached_preprocesses_add_up_to_what_the_base_chain_verifies() {
    // CONF-8: preprocessed alone, before the signers were known.
    for count in [1, 2, 5] {
        let parties = parties(count);
        let shares = shares(&parties);
        let signing = signing_of(&parties);
        assert!((0..shares.len()).all(|i| signing.verify_share(i, &shares[i])), "{count} signers");
        let signature = signing.aggregate(&shares).unwrap();
        let validators: Vec<_> = parties.iter().map(validator).collect();
        assert!(signing::verify_set_keys(CHAIN, set(), &key_pair(0), &validators, &signature));
        assert!(!signing::verify_set_keys(CHAIN, set(), &key_pair(1), &validators, &signature));
    }
}

#[test]
fn a_tampered_share_fails_for_its_author_alone() {
    // CONF-7.
    let parties = parties(3);
    let shares = shares(&parties);
    let signing = signing_of(&parties);
    for (place, share) in shares.iter().enumerate() {
        let mut wrong = *share;
        wrong[0] ^= 1;
        assert!(!signing.verify_share(place, &wrong));
        assert!(!signing.verify_share((place + 1) % 3, share), "not another's");
    }
    assert!(!signing.verify_share(0, &[0xff; 32]), "not canonical");
    assert!(!signing.verify_share(3, &shares[0]), "no such signer");
    assert!(signing.aggregate(&shares[..2]).is_none());
}

#[test]
fn a_share_is_refused_over_commitments_which_are_not_ours() {
    // CONF-4.
    let parties = parties(3);
    let signing = signing_of(&parties);
    let other = Zeroizing::new([99; 32]);
    assert_eq!(signing.sign(&parties[0].key, other), Err(MusigError::ForeignCommitments));
    let outsider = SecretKey::from_bytes(&std::array::from_fn(|i| u8::from(i == 1))).unwrap();
    assert_eq!(signing.sign(&outsider, Zeroizing::new([1; 32])), Err(MusigError::NotASigner));
}

#[test]
fn malformed_keys_and_commitments_are_errors() {
    let party = &parties(1)[0];
    for commitments in [[0; 64], [0xff; 64]] {
        assert!(!musig::are_commitments(&commitments));
        let signers = [(validator(party), commitments)];
        assert!(matches!(Signing::new(CHAIN, set(), &key_pair(0), &signers), Err(MusigError::Malformed)));
    }
    let twice = [(validator(party), party.commitments), (validator(party), party.commitments)];
    assert!(matches!(Signing::new(CHAIN, set(), &key_pair(0), &twice), Err(MusigError::Malformed)));
}

#[test]
fn a_stored_seed_is_masked_by_the_key_and_its_purpose() {
    let party = &parties(1)[0];
    let masked = musig::mask(&party.key, b"a", &party.seed);
    assert_ne!(*masked, *party.seed);
    assert_eq!(*musig::mask(&party.key, b"a", &masked), *party.seed);
    assert_ne!(*musig::mask(&party.key, b"b", &masked), *party.seed);
}
