use std::os::unix::fs::PermissionsExt;

use super::*;
use curve25519_dalek::traits::Identity;

fn key(byte: u8) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[0] = byte;
    SecretKey::from_bytes(&bytes).unwrap()
}

#[test]
fn a_signature_verifies_for_its_key_domain_and_message_only() {
    let signature = key(5).sign("test", b"message");
    assert!(key(5).public().verify("test", b"message", &signature));
    assert!(!key(6).public().verify("test", b"message", &signature));
    assert!(!key(5).public().verify("tesu", b"message", &signature));
    assert!(!key(5).public().verify("test", b"messagf", &signature));
}

#[test]
fn signing_the_same_bytes_again_yields_the_same_signature() {
    assert_eq!(key(5).sign("test", b"message"), key(5).sign("test", b"message"));
}

#[test]
fn every_flipped_bit_of_a_signature_invalidates_it() {
    let signature = key(9).sign("test", b"m");
    for bit in 0..512 {
        let mut wrong = signature;
        wrong.0[bit / 8] ^= 1 << (bit % 8);
        assert!(!key(9).public().verify("test", b"m", &wrong), "bit {bit}");
    }
}

#[test]
fn the_identity_and_non_canonical_encodings_are_no_keys() {
    assert_eq!(PublicKey::from_bytes([0; 32]), Err(KeyError::Public));
    assert_eq!(PublicKey::from_bytes([0xff; 32]), Err(KeyError::Public));
    assert_eq!(SecretKey::from_bytes(&[0; 32]).err(), Some(KeyError::Secret));
    assert_eq!(SecretKey::from_bytes(&[0xff; 32]).err(), Some(KeyError::Secret));
}

#[test]
fn a_secret_key_prints_redacted() {
    let text = format!("{:?}", key(7));
    assert!(text.contains("redacted") && !text.contains(&hex::encode(key(7).to_bytes().as_ref())));
}

#[test]
fn a_key_file_is_private_and_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    write_key_file(&path, &key(3)).unwrap();
    assert_eq!(read_key_file(&path).unwrap().public(), key(3).public());
    assert!(matches!(write_key_file(&path, &key(4)), Err(KeyFileError::Io { .. })));

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(read_key_file(&path), Err(KeyFileError::Mode { mode: 0o640, .. })));
}

#[test]
fn a_key_file_without_a_key_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    write_key_file(&path, &key(3)).unwrap();
    std::fs::write(&path, "zz").unwrap();
    assert!(read_key_file(&path).unwrap_err().to_string().contains("not 64 hexadecimal digits"));
}

fn claims(keys: &[PublicKey], count: u8) -> Vec<Claim<'_>> {
    let claim = |n: u8| {
        let by = usize::from(n) % keys.len();
        let signature = key(u8::try_from(by).unwrap() + 1).sign("batch", &[n; 40]);
        Claim { key: &keys[by], domain: "batch", message: vec![n; 40], signature }
    };
    (0..count).map(claim).collect()
}

fn verdicts_alone(claims: &[Claim<'_>]) -> Vec<bool> {
    claims.iter().map(|claim| claim.key.verify(claim.domain, &claim.message, &claim.signature)).collect()
}

#[test]
fn a_batch_of_true_claims_is_true_whatever_its_length() {
    let keys: Vec<_> = (1..=5).map(|n| key(n).public()).collect();
    for count in [0, 1, 2, 3, 4, 5, 17, 250] {
        assert_eq!(verify_batch(&claims(&keys, count)), vec![true; usize::from(count)], "{count}");
        assert!(are_all_true(&claims(&keys, count)), "{count}");
    }
    let mut many: Vec<_> = (0..5).flat_map(|_| claims(&keys, 250)).collect();
    assert_eq!(verify_batch(&many), vec![true; 1250]);
    assert!(are_all_true(&many));
    many[1200].message[0] ^= 1;
    assert!(!are_all_true(&many), "also if the last of several sums alone is not zero");
}

type Edit<'a> = Box<dyn Fn(&mut Claim<'a>) + 'a>;

#[test]
fn a_batch_gives_the_verdicts_of_single_verification_for_every_kind_of_false_claim() {
    let keys: Vec<_> = (1..=3).map(|n| key(n).public()).collect();
    let other = key(9).public();
    let edits: Vec<Edit<'_>> = vec![
        Box::new(|claim| claim.message[0] ^= 1),
        Box::new(|claim| claim.domain = "batcg"),
        Box::new(|claim| claim.key = &other),
        Box::new(|claim| claim.signature.0[3] ^= 1),
        Box::new(|claim| claim.signature.0[40] ^= 1),
        Box::new(|claim| claim.signature.0[..32].fill(0xff)),
        Box::new(|claim| claim.signature.0[32..].fill(0xff)),
        Box::new(|claim| claim.signature.0[..32].fill(0)),
        Box::new(|claim| claim.signature.0.fill(0)),
    ];
    for (kind, edit) in edits.iter().enumerate() {
        for at in [0, 7, 15] {
            let mut claims = claims(&keys, 16);
            edit(&mut claims[at]);
            let verdicts = verify_batch(&claims);
            assert_eq!(verdicts, verdicts_alone(&claims), "kind {kind} at {at}");
            assert_eq!(verdicts.iter().filter(|valid| !**valid).count(), 1, "kind {kind} at {at}");
            assert!(!are_all_true(&claims), "kind {kind} at {at}");
            let few: Vec<_> = claims.iter().skip(at.saturating_sub(1)).take(2).collect();
            assert!(!are_all_true(&few), "kind {kind} at {at}");
        }
    }
}

/// Errors that cancel in a sum without weights do not cancel in ours.
#[test]
fn false_claims_whose_errors_cancel_are_found() {
    let keys = [key(1).public()];
    let mut claims = claims(&keys, 8);
    let shift = |signature: &mut Signature, by: Scalar| {
        let (_, response) = signature.parts().unwrap();
        signature.0[32..].copy_from_slice((response + by).as_bytes());
    };
    shift(&mut claims[2].signature, Scalar::ONE);
    shift(&mut claims[5].signature, -Scalar::ONE);
    let (first, second) = (claims[2].signature, claims[5].signature);
    let verdicts = verify_batch(&claims);
    assert_eq!(verdicts, verdicts_alone(&claims));
    assert!(!verdicts[2] && !verdicts[5]);
    // The same signatures the other way round are no claims of their messages either.
    (claims[2].signature, claims[5].signature) = (second, first);
    assert_eq!(verify_batch(&claims), verdicts_alone(&claims));
}

/// Such a signature would give the secret key away: nobody makes it in good faith, and nobody accepts it.
#[test]
fn a_signature_with_the_identity_as_nonce_is_refused() {
    let nonce = RistrettoPoint::identity().compress().0;
    let response = challenge("test", &nonce, &key(5).public().bytes, b"m") * key(5).scalar();
    let mut signature = Signature([0; 64]);
    signature.0[32..].copy_from_slice(response.as_bytes());
    assert!(!key(5).public().verify("test", b"m", &signature));
    let public = key(5).public();
    let claim = Claim { key: &public, domain: "test", message: b"m".to_vec(), signature };
    assert!(!are_all_true(&vec![claim.clone(); 5]));
    assert_eq!(verify_batch(&vec![claim; 5]), [false; 5]);
}
