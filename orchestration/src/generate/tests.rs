use std::time::Duration;

use super::*;

fn plan(dir: &Path) -> Plan {
    Plan::new(4, 1, None, Duration::from_secs(1), dir.to_owned()).unwrap()
}

/// `NET-6`: what was interrupted was never started, and is made anew.
#[test]
fn an_interrupted_making_is_begun_again_and_a_finished_one_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(dir.path());
    fs::write(layout.making(), b"").unwrap();
    private_dir(&layout.validator(0)).unwrap();
    private_file(&layout.validator_key(0), b"half").unwrap();
    fs::write(layout.genesis(), b"half").unwrap();

    let made = load_or_generate(&plan(dir.path())).unwrap();
    assert!(!layout.making().exists());
    coordinator_keys::read_key_file(&layout.validator_key(0)).unwrap();
    assert_eq!(load_or_generate(&plan(dir.path())).unwrap(), made);
}

#[test]
fn an_interrupted_making_is_not_begun_again_over_what_is_not_its_own() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(Layout::new(dir.path()).making(), b"").unwrap();
    for name in ["validator-x", "holiday.jpg"] {
        let path = dir.path().join(name);
        fs::write(&path, b"precious").unwrap();
        let error = load_or_generate(&plan(dir.path())).unwrap_err().to_string();
        assert!(error.contains(name) && path.exists(), "{error}");
        fs::remove_file(path).unwrap();
    }
}
