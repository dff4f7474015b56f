use std::os::unix::fs::PermissionsExt;

use super::*;

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
