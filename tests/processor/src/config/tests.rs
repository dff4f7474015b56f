use super::*;

fn text() -> String {
    format!(
        r#"network = "bitcoin"
curve = "secp256k1"
validator = "{}"
chain_id = "testnet"
chain = ""
data_dir = "data"
embedded_keys_file = "embedded.keys"
service_keys_file = "/absolute/service.keys"
passphrase_file = "passphrase"

[coordinator]
url = "http://127.0.0.1:8080"
service_key = ""

[external_network]
url = "http://127.0.0.1:8090"
start_unix_ms = 5
block_interval_ms = 2000
blocks_between_deposits = 3
deposits = 2
"#,
        "01".repeat(32)
    )
}

fn parse(text: &str) -> Result<Config, Failure> {
    Config::parse(&ConfigFile::new("/etc/p.toml", text), Path::new("/etc"))
}

fn refused(from: &str, to: &str) -> String {
    let text = text();
    assert!(text.contains(from));
    parse(&text.replacen(from, to, 1)).unwrap_err().to_string()
}

/// `PROC-12`.
#[test]
fn a_right_file_is_accepted_and_paths_are_relative_to_it() {
    let config = parse(&text()).unwrap();
    assert_eq!(config.data_dir, Path::new("/etc/data"));
    assert_eq!(config.service_keys_file, Path::new("/absolute/service.keys"));
    assert_eq!((config.chain, config.coordinator_key), (None, None));
}

#[test]
fn an_unknown_key_is_named_with_file_and_line() {
    let error = refused("chain_id", "chian_id");
    assert!(error.starts_with("CONFIG_INVALID: /etc/p.toml:4: unknown field `chian_id`"), "{error}");
}

#[test]
fn a_wrong_value_is_named_with_its_line_and_what_to_write() {
    for (from, to, line, remedy) in [
        ("2000", "0", 18, "from 1 to"),
        ("= 3", "= 0", 19, "from 1 to"),
        ("= 2\n", "= 900\n", 20, "from 0 to 256"),
        ("http://127.0.0.1:8080", "ftp://x", 12, "http://host:port"),
        ("http://127.0.0.1:8090", "ftp://y", 16, "http://host:port"),
        ("http://127.0.0.1:8080", "http://user:pw@x", 12, "http://host:port"),
        ("service_key = \"\"", "service_key = \"12\"", 13, "64 hexadecimal"),
        ("chain = \"\"", "chain = \"zz\"", 5, "64 hexadecimal"),
        ("bitcoin", "Bitcoin", 1, "a-z, 0-9"),
        ("testnet", "", 4, "1 to 64"),
        ("\"data\"", "7", 6, "expected"),
    ] {
        let error = refused(from, to);
        assert!(
            error.starts_with(&format!("CONFIG_INVALID: /etc/p.toml:{line}:")) && error.contains(remedy),
            "{error}"
        );
    }
}

#[test]
fn a_missing_key_is_named() {
    let error = refused("chain_id = \"testnet\"\n", "");
    assert!(error.contains("missing field `chain_id`"), "{error}");
}

#[test]
fn what_sounds_secret_is_not_repeated() {
    for key in ["passphrase", "secret_key", "password", "api_token"] {
        let error = refused("chain_id", &format!("{key} = \"hunter2\"\nchain_id"));
        assert!(error.contains("(redacted)") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Config::read(Path::new("/nonexistent/p.toml")).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/p.toml") && error.contains("give the path"), "{error}");
}
