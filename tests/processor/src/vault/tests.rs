use super::*;

fn passphrase(text: &str) -> Passphrase {
    Passphrase(Zeroizing::new(text.as_bytes().to_vec()))
}

fn written() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    write_encrypted(&path, &passphrase("right"), &"public", b"the secret").unwrap();
    (dir, path)
}

/// `PROC-1`.
#[test]
fn a_key_file_opens_with_its_passphrase_only() {
    let (_dir, path) = written();
    let (public, secret) = read_encrypted::<String>(&path, &passphrase("right")).unwrap();
    assert_eq!((public.as_str(), secret.as_slice()), ("public", b"the secret".as_slice()));
    assert!(matches!(read_encrypted::<String>(&path, &passphrase("wrong")), Err(VaultError::Locked(_))));
}

#[test]
fn a_key_file_holds_no_secret_in_the_clear_and_is_private() {
    let (_dir, path) = written();
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("public") && !text.contains("secret") && !text.contains(&hex::encode("the secret"))
    );
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = read_encrypted::<String>(&path, &passphrase("right")).err().unwrap();
    let failure = Failure::from(error);
    assert_eq!(failure.code, "KEY_FILE_MODE");
    assert!(failure.to_string().contains("chmod 600"), "{failure}");
}

#[test]
fn a_key_file_is_never_overwritten() {
    let (_dir, path) = written();
    assert!(matches!(write_encrypted(&path, &passphrase("x"), &"y", b"z"), Err(VaultError::Io { .. })));
}

#[test]
fn a_changed_clear_part_or_ciphertext_does_not_open() {
    let (_dir, path) = written();
    let text = fs::read_to_string(&path).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["public"] = "publik".into();
    fs::write(&path, json.to_string()).unwrap();
    assert!(matches!(read_encrypted::<String>(&path, &passphrase("right")), Err(VaultError::Locked(_))));
    json["public"] = "public".into();
    let ciphertext = json["ciphertext"].as_str().unwrap().to_owned();
    let flipped = if ciphertext.starts_with('0') { "1" } else { "0" };
    json["ciphertext"] = format!("{flipped}{}", &ciphertext[1..]).into();
    fs::write(&path, json.to_string()).unwrap();
    assert!(matches!(read_encrypted::<String>(&path, &passphrase("right")), Err(VaultError::Locked(_))));
}

#[test]
fn a_file_which_asks_for_all_memory_is_refused() {
    let (_dir, path) = written();
    let text = fs::read_to_string(&path).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["kdf"]["memory_kib"] = u32::MAX.into();
    fs::write(&path, json.to_string()).unwrap();
    assert!(matches!(read_encrypted::<String>(&path, &passphrase("right")), Err(VaultError::Format { .. })));
}

#[test]
fn an_empty_passphrase_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("passphrase");
    write_private(&path, b"\nsecond line").unwrap();
    assert!(matches!(Passphrase::read(&path), Err(VaultError::Passphrase(_))));
}

#[test]
fn a_sealed_value_opens_in_its_place_only() {
    let sealer = Sealer::new(&[7; 32]);
    let sealed = sealer.seal(&mut OsRng, "keys", b"a", b"value");
    assert_eq!(sealer.open("keys", b"a", &sealed).unwrap().as_slice(), b"value");
    assert!(sealer.open("keys", b"b", &sealed).is_err());
    assert!(sealer.open("seeds", b"a", &sealed).is_err());
    assert!(Sealer::new(&[8; 32]).open("keys", b"a", &sealed).is_err());
    for at in 0..sealed.len() {
        let mut wrong = sealed.clone();
        wrong[at] ^= 1;
        assert!(sealer.open("keys", b"a", &wrong).is_err());
    }
    assert!(sealer.open("keys", b"a", &[]).is_err());
}
