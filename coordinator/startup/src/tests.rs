use coordinator_store::StoreError;

use super::*;

#[derive(serde::Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only parsed")]
struct Config {
    listen: std::net::SocketAddr,
    passphrase: Option<u32>,
}

fn parse(text: &str) -> Result<Config, Failure> {
    ConfigFile::new("a.toml", text).parse()
}

#[test]
fn an_unknown_setting_names_file_line_and_remedy() {
    let failure = parse("listen = \"127.0.0.1:1\"\nlissen = 3\n").unwrap_err();
    let text = failure.to_string();
    assert!(text.starts_with("CONFIG_INVALID: a.toml:2: unknown field `lissen`"), "{text}");
    assert!(text.contains("`lissen = 3`") && text.contains("correct that line"), "{text}");
    assert_eq!(failure.kind.exit_code(), 78);
}

#[test]
fn a_wrong_value_is_shown_and_a_secret_one_is_not() {
    let text = parse("listen = \"nowhere\"").unwrap_err().to_string();
    assert!(text.contains("a.toml:1") && text.contains("nowhere"), "{text}");
    let secret = "listen = \"127.0.0.1:1\"\npassphrase = \"hunter2\"";
    let text = parse(secret).unwrap_err().to_string();
    assert!(text.contains("a.toml:2") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_missing_setting_is_named() {
    let text = parse("").unwrap_err().to_string();
    assert!(text.contains("missing field `listen`"), "{text}");
}

#[test]
fn a_missing_or_oversized_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    assert!(load::<Config>(&path).unwrap_err().to_string().contains("cannot read"));
    std::fs::write(&path, " ".repeat(1024 * 1024 + 1)).unwrap();
    assert!(load::<Config>(&path).unwrap_err().to_string().contains("at most"));
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = std::net::TcpListener::bind(address).unwrap_err();
    let failure = Failure::listen("p2p", address, &error);
    assert_eq!((failure.code, failure.kind.exit_code()), ("PORT_TAKEN", 69));
    assert!(failure.to_string().contains(&address.to_string()));
}

#[test]
fn a_value_that_cannot_work_is_shown_where_it_stands() {
    let text = "port = 1\n[queue]\nport = 2\n[[peers]]\n port=3\n[a.b]\nsecret_port = 4\n";
    let file = ConfigFile::new("a.toml", text);
    let said = |setting| file.wrong(setting, "write 7").to_string();
    assert_eq!(said("port"), "CONFIG_INVALID: a.toml:1: port cannot work, in `port = 1`; write 7");
    assert_eq!(
        said("queue.port"),
        "CONFIG_INVALID: a.toml:3: queue.port cannot work, in `port = 2`; write 7"
    );
    assert!(said("peers.port").contains("a.toml:5:"));
    assert!(said("a.b.secret_port").contains("a.toml:7:") && !said("a.b.secret_port").contains('4'));
    assert!(said("missing").contains("a.toml:1:"));
    let url =
        ConfigFile::new("a.toml", "url = \"http://me:hunter2@host/\"").wrong("url", "write http://host");
    assert!(url.to_string().contains("`url = \"http://(redacted)@host/\"`"), "{url}");
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let of = |path: &std::path::Path| {
        let failure = open_store(path).err().unwrap();
        (failure.code, failure.kind.exit_code())
    };
    let foreign = dir.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("else"), "").unwrap();
    assert_eq!(of(&foreign), ("DATA_DIR_FOREIGN", 74));
    let used = dir.path().join("used");
    let store = open_store(&used).unwrap();
    assert_eq!(of(&used), ("DATA_DIR_IN_USE", 74));
    store.close().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(of(&file), ("DATA_DIR_UNUSABLE", 74));
    assert_eq!(store_failure(&StoreError::Disk("No space left on device".into())).code, "DISK_FULL");
}

/// A signal that comes at once finds its handler.
#[test]
fn a_service_ends_by_a_signal_sent_before_it_listens() {
    let done = run_to_signal(1, async |shutdown| {
        let me = std::process::id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &me]).status().unwrap().success());
        shutdown.await;
        Ok(())
    });
    assert_eq!(done, Ok(()));
}
