//! Wrong configurations, keys, ports and directories: each process says in one line what to change, and ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use coordinator_keys::{SecretKey, write_key_file};
use coordinator_store_disk::DiskStore;
use e2e::{
    Net,
    programs::{Ended, run_node},
};
use orchestration::layout::Service;
use rand_core::OsRng;

const NODE: &str = env!("CARGO_BIN_EXE_e2e-node");
const EQUAL: [u16; 4] = [1, 1, 1, 1];
const CONFIG: i32 = 78;
const UNAVAILABLE: i32 = 69;
const DISK: i32 = 74;

/// The three roles of the first validator.
fn roles(net: &Net) -> [Service; 3] {
    [Service::BaseChain, Service::Coordinator, Service::Processor(net.networks()[0])]
}

/// A copy of a service's configuration beside it, with its text changed.
fn changed(net: &Net, service: Service, change: impl Fn(&str) -> String) -> PathBuf {
    let original = net.testnet.layout.config(0, service);
    let path = original.with_file_name("changed.toml");
    fs::write(&path, change(&fs::read_to_string(original).unwrap())).unwrap();
    path
}

/// The text with the first line of a setting replaced, and that line's number.
fn replaced(text: &str, setting: &str, line: &str) -> (String, usize) {
    let start = format!("{setting} = ");
    let at = text.lines().position(|line| line.starts_with(&start)).expect("a setting of the file");
    let lines: Vec<&str> =
        text.lines().enumerate().map(|(n, old)| if n == at { line } else { old }).collect();
    (lines.join("\n"), at + 1)
}

fn run_replaced(net: &Net, service: Service, setting: &str, value: &str) -> (Ended, String) {
    let line = format!("{setting} = {value}");
    let path = changed(net, service, |text| replaced(text, setting, &line).0);
    let original = fs::read_to_string(net.testnet.layout.config(0, service)).unwrap();
    let place = format!("{}:{}", path.display(), replaced(&original, setting, &line).1);
    (run_node(NODE, service.role(), &path), place)
}

/// `NET-7`: file, line, value and remedy, exit code 78, nothing else.
#[test]
fn a_wrong_setting_is_one_line_with_file_line_and_value() {
    let net = Net::prepare(NODE, &EQUAL, 1);
    for service in roles(&net) {
        let path = changed(&net, service, |text| format!("lissen = 3\n{text}"));
        let place = format!("{}:1", path.display());
        run_node(NODE, service.role(), &path).only_line(CONFIG, &[&place, "lissen"]);

        let (ended, place) = run_replaced(&net, service, "data_dir", "7");
        ended.only_line(CONFIG, &[&place, "data_dir = 7"]);
    }
    let processor = Service::Processor(net.networks()[0]);
    let wrong = [
        (Service::BaseChain, "rpc_listen", "\"nowhere\"", "nowhere"),
        (Service::BaseChain, "block_time_ms", "5", "from 100 to 60000"),
        (Service::Coordinator, "url", "\"ftp://elsewhere\"", "http://host:port"),
        (Service::Coordinator, "advertise", "[\"no-port\"]", "no-port"),
        (Service::Coordinator, "block_interval_ms", "1", "50 to 60000"),
        (processor, "url", "\"ftp://elsewhere\"", "http://host:port"),
        (processor, "deposits", "60000", "deposits = 60000"),
        (processor, "chain", "\"abc\"", "64 hexadecimal digits"),
    ];
    for (service, setting, value, part) in wrong {
        let (ended, place) = run_replaced(&net, service, setting, value);
        ended.only_line(CONFIG, &[&place, part]);
    }
}

#[test]
fn a_value_that_looks_secret_is_not_shown() {
    let net = Net::prepare(NODE, &EQUAL, 1);
    for service in roles(&net) {
        for setting in ["passphrase", "api_token", "secret_key"] {
            let path = changed(&net, service, |text| format!("{setting} = \"hunter2\"\n{text}"));
            let line = run_node(NODE, service.role(), &path).only_line(CONFIG, &[setting, "redacted"]);
            assert!(!line.contains("hunter2"), "{line}");
        }
    }
    let userinfo = "\"http://user:hunter2@127.0.0.1:1 x\"";
    let (ended, place) = run_replaced(&net, Service::Coordinator, "url", userinfo);
    let line = ended.only_line(CONFIG, &[&place]);
    assert!(!line.contains("hunter2"), "{line}");
}

#[test]
fn a_missing_file_is_named() {
    let net = Net::prepare(NODE, &EQUAL, 1);
    for service in roles(&net) {
        let absent = net.testnet.layout.service(0, service).join("absent.toml");
        let name = absent.display().to_string();
        run_node(NODE, service.role(), &absent).only_line(CONFIG, &[&name]);

        let setting = if let Service::Processor(_) = service { "passphrase_file" } else { "key_file" };
        let (ended, _) = run_replaced(&net, service, setting, "\"absent.key\"");
        ended.reason(CONFIG, &["absent.key"]);
    }
    let (ended, _) = run_replaced(&net, Service::BaseChain, "genesis", "\"absent-genesis.toml\"");
    ended.reason(CONFIG, &["absent-genesis.toml"]);
}

#[test]
fn a_secret_file_that_others_may_read_is_refused() {
    let net = Net::prepare(NODE, &EQUAL, 1);
    let folder = net.testnet.layout.validator(0);
    for (service, file) in roles(&net).into_iter().zip(["validator.key", "validator.key", "passphrase"]) {
        fs::set_permissions(folder.join(file), fs::Permissions::from_mode(0o644)).unwrap();
        let ended = run_node(NODE, service.role(), &net.testnet.layout.config(0, service));
        ended.reason(CONFIG, &[file, "mode 644", "chmod 600"]);
    }
}

/// Writes a fresh key; yields its public half in hexadecimal.
fn stranger(path: &Path) -> String {
    let key = SecretKey::random(&mut OsRng);
    write_key_file(path, &key).unwrap();
    processor_messages::Validator(key.public().to_bytes()).to_string()
}

#[test]
fn a_wrong_chain_an_unregistered_key_and_a_taken_port_are_named_at_start() {
    let mut net = Net::prepare(NODE, &EQUAL, 1);
    let services = net.testnet.manifest.services();
    let others: Vec<_> = services.into_iter().filter(|(_, s)| *s != Service::BaseChain).collect();
    net.testnet.start_all(&others).unwrap();
    net.until("a block", |net| net.observer.next_block().0 > 0);

    let other_chain = "ab".repeat(32);
    let (ended, _) = run_replaced(&net, Service::Coordinator, "chain", &format!("\"{other_chain}\""));
    ended.reason(CONFIG, &["WRONG_CHAIN", &other_chain, &net.testnet.manifest.chain.to_string()]);

    let key = net.testnet.layout.validator(0).join("stranger.key");
    let name = stranger(&key);
    for service in [Service::Coordinator, Service::BaseChain] {
        let (ended, _) = run_replaced(&net, service, "key_file", "\"../stranger.key\"");
        ended.reason(CONFIG, &["KEY_NOT_REGISTERED", &name]);
    }

    // Each port of a coordinator; a port and the data directory of the running node.
    for nth in 0..3 {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let path = changed(&net, Service::Coordinator, |text| listen_at(text, nth, &address));
        let ended = run_node(NODE, "coordinator", &path);
        ended.reason(UNAVAILABLE, &["PORT_TAKEN", &address]);
    }
    let (ended, _) = run_replaced(&net, Service::BaseChain, "data_dir", "\"elsewhere\"");
    let rpc = net.testnet.manifest.validators[0].addresses.rpc.to_string();
    ended.reason(UNAVAILABLE, &["PORT_TAKEN", &rpc]);
    let free = changed(&net, Service::BaseChain, |text| {
        let text = replaced(text, "rpc_listen", "rpc_listen = \"127.0.0.1:0\"").0;
        replaced(&text, "p2p_listen", "p2p_listen = \"127.0.0.1:0\"").0
    });
    run_node(NODE, "base-chain", &free).reason(DISK, &["in use by process"]);
}

/// The text with the address of its n-th `listen` replaced.
fn listen_at(text: &str, nth: usize, address: &str) -> String {
    let mut seen = 0;
    let change = |line: &str| {
        if !line.starts_with("listen = ") {
            return line.to_owned();
        }
        seen += 1;
        if seen == nth + 1 { format!("listen = \"{address}\"") } else { line.to_owned() }
    };
    text.lines().map(change).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_directory_of_another_version_or_in_use_is_refused_by_name() {
    let net = Net::prepare(NODE, &EQUAL, 1);
    for service in roles(&net) {
        let config = net.testnet.layout.config(0, service);
        let data = net.testnet.layout.service(0, service).join("data");
        let store = DiskStore::open(&data).unwrap();
        let holder = format!("in use by process {}", std::process::id());
        run_node(NODE, service.role(), &config).reason(DISK, &[&holder, "stop that process"]);
        store.close().unwrap();
        drop(store);

        fs::write(data.join("FORMAT"), "headwater store 999\n").unwrap();
        let name = data.join("FORMAT").display().to_string();
        run_node(NODE, service.role(), &config)
            .reason(DISK, &[&name, "headwater store 999", "run the version"]);

        fs::remove_dir_all(&data).unwrap();
        fs::create_dir(&data).unwrap();
        fs::write(data.join("holiday.jpg"), [0; 16]).unwrap();
        run_node(NODE, service.role(), &config).reason(DISK, &["is no store"]);
    }
}
