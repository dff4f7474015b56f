//! The binary as an operator meets it: files, exit codes, signals.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use simulated_processor::Bundle;

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    passphrase(dir.path(), "correct horse battery staple\n");
    config(dir.path(), "11", "bitcoin");
    dir
}

fn passphrase(dir: &Path, text: &str) {
    let path = dir.join("passphrase");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn config(dir: &Path, chain: &str, network: &str) -> PathBuf {
    // A point of Ristretto: the generator.
    let key = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76";
    let text = format!(
        "network = \"{network}\"\ncurve = \"secp256k1\"\nvalidator = \"{}\"\nchain_id = \"testnet\"\nchain = \"{}\"\n\
         data_dir = \"data\"\nembedded_keys_file = \"embedded.keys\"\n\
         service_keys_file = \"{network}.keys\"\npassphrase_file = \"passphrase\"\n\n\
         [coordinator]\nurl = \"http://127.0.0.1:1\"\nservice_key = \"{key}\"\n\n\
         [external_network]\nurl = \"http://127.0.0.1:1\"\nstart_unix_ms = 5\nblock_interval_ms = 2000\n\
         blocks_between_deposits = 3\ndeposits = 2\n",
        "01".repeat(32),
        chain.repeat(32),
    );
    let path = dir.join("processor.toml");
    fs::write(&path, text).unwrap();
    path
}

fn command(dir: &Path, what: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulated-processor"));
    command.arg(what).arg("--config").arg(dir.join("processor.toml"));
    command.env_remove("RUST_LOG");
    command
}

fn run(dir: &Path, what: &str) -> Output {
    command(dir, what).output().unwrap()
}

fn refused(dir: &Path, code: i32) -> String {
    let output = run(dir, "run");
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    log
}

fn bundle(output: &Output) -> Bundle {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Starts, and returns once it runs.
fn started(dir: &Path) -> Child {
    let mut child = command(dir, "run").stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        if line.contains("processor started") {
            // Kept open, so that the process can go on logging.
            child.stderr = Some(log.into_inner());
            return child;
        }
        line.clear();
    }
    panic!("the processor ended: {:?}", child.wait());
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(name).arg(child.id().to_string()).status().unwrap();
    assert!(status.success());
}

/// `PROC-2`.
#[test]
fn init_prints_the_bundle_and_prints_it_again() {
    let dir = directory();
    let first = bundle(&run(dir.path(), "init"));
    assert_eq!(first.embedded.len(), 2);
    assert_eq!(bundle(&run(dir.path(), "init")), first);
    assert_eq!(bundle(&run(dir.path(), "check")), first);
    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("embedded.keys"), mode("bitcoin.keys")), (0o600, 0o600));
}

/// `PROC-12`.
#[test]
fn what_an_operator_got_wrong_is_named_with_code_78() {
    let dir = directory();
    assert!(refused(dir.path(), 78).contains("embedded.keys"));
    bundle(&run(dir.path(), "init"));

    passphrase(dir.path(), "wrong\n");
    assert!(refused(dir.path(), 78).contains("passphrase does not open"));
    passphrase(dir.path(), "\n");
    assert!(refused(dir.path(), 78).contains("write a passphrase"));
    fs::set_permissions(dir.path().join("passphrase"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(dir.path(), 78).contains("chmod 600"));
    passphrase(dir.path(), "correct horse battery staple\n");

    let path = config(dir.path(), "11", "bitcoin");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("deposits = 2", "deposit = 2")).unwrap();
    assert!(refused(dir.path(), 78).contains("processor.toml:20: unknown field `deposit`"));
    fs::write(&path, text.replace(&"11".repeat(32), "")).unwrap();
    assert!(refused(dir.path(), 78).contains("chain is empty"));

    fs::create_dir(dir.path().join("data")).unwrap();
    fs::write(dir.path().join("data/something"), "else").unwrap();
    fs::write(&path, text).unwrap();
    assert!(refused(dir.path(), 74).contains("is no store"));
}

#[test]
fn a_processor_stops_when_asked_starts_again_after_a_kill_and_locks_its_directory() {
    let dir = directory();
    bundle(&run(dir.path(), "init"));
    let mut child = started(dir.path());
    assert!(refused(dir.path(), 74).contains("is in use by"));
    signal(&child, "-KILL");
    assert!(!child.wait().unwrap().success());

    let mut child = started(dir.path());
    signal(&child, "-TERM");
    assert!(child.wait().unwrap().success());

    config(dir.path(), "22", "bitcoin");
    assert!(refused(dir.path(), 78).contains("belongs to validator"));
}

/// The generator of secp256k1: an account which nobody used.
const ACCOUNT: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

fn network_config(dir: &Path, chain: &str) -> PathBuf {
    let text = format!(
        "network = \"bitcoin\"\ncurve = \"secp256k1\"\nchain = \"{}\"\n\
         data_dir = \"payments\"\nlisten = \"127.0.0.1:0\"\n",
        chain.repeat(32),
    );
    let path = dir.join("network.toml");
    fs::write(&path, text).unwrap();
    path
}

fn network(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulated-processor"));
    command.arg("network").arg("--config").arg(dir.join("network.toml")).env_remove("RUST_LOG");
    command
}

/// Starts a network; it, and where it listens.
fn started_network(dir: &Path) -> (Child, String) {
    let mut child = network(dir).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        if let Some((_, rest)) = line.split_once("address=") {
            let address = rest.split_whitespace().next().unwrap().to_owned();
            child.stderr = Some(log.into_inner());
            return (child, address);
        }
        line.clear();
    }
    panic!("the network ended: {:?}", child.wait());
}

/// One request over a plain connection; the answer's body.
fn ask(address: &str, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn a_network_runs_starts_again_after_a_kill_and_names_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    network_config(dir.path(), "11");
    let (mut child, address) = started_network(dir.path());
    assert!(ask(&address, "/").contains("\"payments\":0"), "{}", ask(&address, "/"));
    assert_eq!(ask(&address, &format!("/accounts/{ACCOUNT}/payments")), "[]");
    signal(&child, "-KILL");
    assert!(!child.wait().unwrap().success());
    let (mut child, address) = started_network(dir.path());
    assert_eq!(ask(&address, "/payments"), "[]");
    signal(&child, "-TERM");
    assert!(child.wait().unwrap().success());

    let path = network_config(dir.path(), "22");
    let refused = |part: &str| {
        let output = network(dir.path()).output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{log}");
        assert!(log.contains(part) && !log.contains("panicked"), "{log}");
    };
    refused("is not of network bitcoin of this chain");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("listen", "lisen")).unwrap();
    refused("network.toml:5: unknown field `lisen`");
}
