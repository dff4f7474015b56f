use super::*;

const GOOD: &str = r#"
data_dir = "data"
key_file = "validator.key"
[base_chain]
url = "http://127.0.0.1:9944"
chain = "0707070707070707070707070707070707070707070707070707070707070707"
[p2p]
listen = "127.0.0.1:0"
advertise = ["localhost:3000"]
[queue]
listen = "127.0.0.1:0"
key_file = "/keys/service.key"
[queue.processors]
bitcoin = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
[api]
listen = "127.0.0.1:0"
"#;

fn load(text: &str) -> Result<Config, Failure> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("coordinator.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path)
}

/// The one line which an operator reads for this text.
fn line(text: &str) -> String {
    let failure = load(text).unwrap_err();
    assert_eq!(failure.kind.exit_code(), 78);
    let line = failure.to_string();
    assert!(line.starts_with("CONFIG_INVALID: ") && !line.contains('\n'), "{line}");
    line
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = load(GOOD).unwrap();
    assert!(config.data_dir.is_absolute() && config.data_dir.ends_with("data"));
    assert_eq!(config.queue.key_file, Path::new("/keys/service.key"));
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn an_unknown_key_is_named_with_file_line_and_remedy() {
    // COORD-20.
    let text = line(&GOOD.replace("[p2p]", "[p2p]\nlissen = 3"));
    assert!(text.contains("coordinator.toml:8") && text.contains("lissen"), "{text}");
}

#[test]
fn a_wrong_type_is_named_with_its_value() {
    let text = line(&GOOD.replace("\"127.0.0.1:0\"\nadvertise", "\"nowhere\"\nadvertise"));
    assert!(text.contains("coordinator.toml:8") && text.contains("nowhere"), "{text}");
    let text = line(&GOOD.replace("e2f2ae0a", "zzzzzzzz"));
    assert!(text.contains("64 hexadecimal digits"), "{text}");
    let text = line(&GOOD.replace("bitcoin =", "Bit_coin ="));
    assert!(text.contains("a-z"), "{text}");
}

#[test]
fn a_bad_url_is_named_without_what_may_be_a_password() {
    for url in ["ftp://host", "127.0.0.1:9944", "http://"] {
        let text = line(&GOOD.replace("http://127.0.0.1:9944", url));
        assert!(text.contains("coordinator.toml:5") && text.contains(url), "{text}");
        assert!(text.contains("http://host:port"), "{text}");
    }
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://user:hunter2@host");
        let text = line(&GOOD.replace("http://127.0.0.1:9944", &url));
        assert!(text.contains("base_chain.url") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn an_address_which_nobody_can_dial_is_named() {
    for address in ["host", "host:0", ":30", "host:port"] {
        let text = line(&GOOD.replace("localhost:3000", address));
        assert!(text.contains("advertise") && text.contains("host:port at which"), "{text}");
    }
}

#[test]
fn what_a_set_must_share_is_not_an_operators_to_set() {
    // BASE-17: members configured differently would diverge.
    for key in ["attempt_blocks", "longest_attempt", "grace_blocks"] {
        let text = line(&format!("{GOOD}[tributary]\n{key} = 7\n"));
        assert!(text.contains("unknown field") && text.contains(key), "{text}");
    }
}

#[test]
fn a_timing_which_cannot_work_is_named() {
    let text = line(&format!("{GOOD}[tributary]\nblock_interval_ms = 1\n"));
    assert!(text.contains("block_interval_ms") && text.contains("50 to 60000"), "{text}");
}
