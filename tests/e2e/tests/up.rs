//! `testnet up` as a person or a script runs it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use e2e::{
    Net,
    programs::{Ended, Program},
    stores::processor_keys,
};
use orchestration::{
    cli::Until,
    layout::{Layout, Service},
};
use processor_messages::Network;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

const NODE: &str = env!("CARGO_BIN_EXE_e2e-node");
const CONFIG: i32 = 78;

fn up(arguments: &[&str]) -> Program {
    Program::start(NODE, &[&["testnet", "up"][..], arguments].concat())
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}

/// The children of a process with their command lines.
fn children(of: u32) -> Vec<(u32, String)> {
    let parent = format!("PPid:\t{of}");
    let is_child = |id: &u32| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        status.lines().any(|line| line == parent)
    };
    let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let ids = entries.filter_map(|name| name.to_str()?.parse::<u32>().ok());
    let found: Vec<u32> = ids.filter(is_child).collect();
    let command = |id: &u32| {
        let bytes = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    found.iter().map(|id| (*id, command(id))).collect()
}

fn assert_gone(children: &[(u32, String)]) {
    for (id, command) in children {
        assert!(test_kill_process(pid(*id)).is_err(), "{command} still runs");
    }
}

/// `NET-7`: one line that names the option, and exit code 78.
#[test]
fn a_wrong_option_is_one_line_and_exit_code_78() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net").display().to_string();
    let wrong: [(&[&str], &str); 11] = [
        (&["--validators", "3"], "--validators 3"),
        (&["--validators", "many"], "--validators"),
        (&["--networks", "9"], "--networks 9"),
        (&["--weights", "1,1"], "--weights has 2 values for 4"),
        (&["--weights", "7,1,1,1"], "at most 3"),
        (&["--weights", "1,1,1,0"], "3 validators with key shares"),
        (&["--block-time", "5"], "--block-time"),
        (&["--block-time", "1ms"], "--block-time 1ms"),
        (&["--until", "never"], "first-batch"),
        (&["--epoch-blocks", "3"], "--epoch-blocks 3"),
        (&["--colour", "red"], "--colour"),
    ];
    for (options, part) in wrong {
        let ended = up(&[&["--dir", &path][..], options].concat()).end();
        ended.only_line(CONFIG, &["CONFIG_INVALID", part]);
    }
    assert!(!Path::new(&path).exists(), "a refused option made the directory");
}

#[test]
fn a_directory_that_holds_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("holiday.jpg");
    fs::write(&file, b"precious").unwrap();
    let path = dir.path().display().to_string();
    up(&["--dir", &path]).end().only_line(CONFIG, &[&path, "holds no testnet", "another --dir"]);
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// `NET-6`: a directory's testnet is resumed with its own plan, and nothing else.
#[test]
fn another_plan_or_version_on_a_directory_is_refused_by_name() {
    let net = Net::prepare(NODE, &[1, 1, 1, 1], 1);
    let path = net.testnet.layout.dir().display().to_string();
    for other in [
        &["--validators", "5"][..],
        &["--networks", "2"],
        &["--block-time", "3s"],
        &["--weights", "2,2,2,1"],
        &["--epoch-blocks", "70"],
    ] {
        let ended = up(&[&["--dir", &path][..], other].concat()).end();
        let parts = ["holds another testnet", "--validators 4", "--weights 1,1,1,1", "--networks 1", "500ms"];
        ended.only_line(CONFIG, &parts);
    }
    let manifest = net.testnet.layout.manifest();
    let text = fs::read_to_string(&manifest).unwrap().replace("\"version\": 2", "\"version\": 999");
    fs::write(&manifest, text).unwrap();
    up(&["--dir", &path]).end().only_line(CONFIG, &["version 999", "another --dir"]);
}

/// `NET-4`, `NET-5`: a killed child is named, and SIGTERM leaves none.
#[test]
fn a_dead_child_is_named_with_its_command_and_sigterm_stops_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net").display().to_string();
    let mut program = up(&["--dir", &path, "--networks", "1", "--block-time", "500ms", "--json"]);
    program.line(&["set declared"]);
    let running = children(program.id());
    assert_eq!(running.len(), 13);
    let config = Layout::new(&path).config(2, Service::Coordinator).display().to_string();
    let (killed, _) = running.iter().find(|(_, command)| command.contains(&config)).unwrap();
    kill_process(pid(*killed), Signal::KILL).unwrap();
    let command = format!("node coordinator --config {config}");
    let line = program.line(&["validator-2/coordinator ended", "SIGKILL", "its last line: ", &command]);
    let log = fs::read_to_string(Layout::new(&path).log(2, Service::Coordinator)).unwrap();
    assert!(line.contains(log.lines().last().unwrap().trim()), "{line}");

    kill_process(pid(program.id()), Signal::TERM).unwrap();
    let ended = program.end();
    assert_eq!(ended.code, Some(1), "a child died: {ended:?}");
    assert_gone(&running);
    // `NET-3`, also when it was interrupted.
    serde_json::from_str::<Value>(&ended.stdout).unwrap();
}

fn check_summary(summary: &Value, net: &mut Net, network: Network) {
    let validators: Vec<String> =
        net.testnet.manifest.validators.iter().map(|entry| entry.validator.to_string()).collect();
    assert_eq!(summary["complete"], true);
    assert_eq!(summary["dir"], net.testnet.layout.dir().display().to_string());
    assert_eq!(summary["validators"], serde_json::to_value(&validators).unwrap());
    let told = &summary["networks"][0];
    assert_eq!((&told["network"], &told["session"]), (&network.to_string().into(), &0.into()));
    assert_eq!((&told["n"], &told["t"]), (&4.into(), &3.into()));
    let pair = &told["key_pair"];
    for validator in 0..net.validators() {
        let held = processor_keys(&net.testnet.layout, validator, network);
        // A processor may have been stopped before it took the confirmation from its queue.
        assert!(
            held.is_none_or(|(held, _)| serde_json::to_value(&held).unwrap() == *pair),
            "validator {validator}"
        );
    }
    let stages = ["declared", "participations", "keys_set", "first_batch"];
    let seconds: Vec<f64> = stages.iter().map(|stage| told["seconds"][stage].as_f64().unwrap()).collect();
    assert!(seconds.is_sorted() && seconds[0] > 0.0, "{seconds:?}");
    let sizes = told["participation_bytes"].as_object().unwrap();
    assert!((3..=4).contains(&sizes.len()) && sizes.values().all(|size| size.as_u64().unwrap() > 1_000));
    check_against_chain(told, net, network);
}

/// The base chain, started again, says the same.
fn check_against_chain(told: &Value, net: &mut Net, network: Network) {
    let services = net.testnet.manifest.services();
    let others: Vec<_> = services.into_iter().filter(|(_, s)| *s != Service::BaseChain).collect();
    net.testnet.start_all(&others).unwrap();
    net.until("the executed batch is read again", |net| net.observer.has_reached(Until::FirstBatch));
    let progress = &net.observer.networks[&network];
    let (on_chain, signers) = progress.keys.clone().unwrap();
    assert_eq!(serde_json::to_value(&on_chain).unwrap(), told["key_pair"]);
    let members = &progress.declaration.as_ref().unwrap().members;
    let signers: Vec<String> =
        signers.select(members).unwrap().iter().map(|member| member.validator.to_string()).collect();
    assert_eq!(told["signers"], serde_json::to_value(&signers).unwrap());
    let batches: Vec<u64> = serde_json::from_value(told["batches"].clone()).unwrap();
    let executed: Vec<u64> = progress.batches.iter().map(|id| u64::from(id.0)).collect();
    assert!(!batches.is_empty() && executed.starts_with(&batches), "{batches:?} {executed:?}");
}

/// `NET-3`, `NET-5`, `NET-6`.
#[test]
fn until_first_batch_prints_one_true_object_and_leaves_no_process() {
    let mut net = Net::prepare(NODE, &[1, 1, 1, 1], 1);
    let network = net.networks()[0];
    let path = net.testnet.layout.dir().display().to_string();
    // The directory was made before: this resumes it.
    let same = ["--dir", &path, "--networks", "1", "--block-time", "500ms"];
    let mut program = up(&[&same[..], &["--until", "first-batch", "--json"]].concat());
    program.line(&["set declared"]);
    let running = children(program.id());
    assert_eq!(running.len(), 13);
    let Ended { code, stdout, stderr } = program.end();
    assert_eq!(code, Some(0), "{stderr:#?}");
    assert_gone(&running);
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    check_summary(&summary, &mut net, network);
}

/// Every file below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The secrets of a testnet as they would be seen: as text, and as the bytes which a text stands for.
fn secrets(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut secrets = Vec::new();
    for path in files_below(dir) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if ["validator.key", "service.key", "passphrase"].contains(&name) {
            let text = fs::read_to_string(&path).unwrap().trim().to_owned();
            let told = path.display().to_string();
            secrets.extend(hex::decode(&text).ok().map(|bytes| (told.clone(), bytes)));
            secrets.push((told, text.into_bytes()));
        }
    }
    secrets
}

fn assert_holds_none(secrets: &[(String, Vec<u8>)], what: &str, bytes: &[u8]) {
    for (of, secret) in secrets {
        let holds = bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!holds, "{what} holds the secret of {of}");
    }
}

/// `NET-1`: secrets are in their own files, and nowhere else.
#[test]
fn ref_35_no_secret_is_in_an_environment_a_command_line_a_log_or_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let net = dir.path().join("net");
    let path = net.display().to_string();
    let options = ["--dir", &path, "--networks", "1", "--block-time", "500ms", "--until", "first-batch"];
    let mut program = up(&options);
    program.line(&["keys confirmed"]);
    let secrets = secrets(&net);
    assert!(secrets.len() >= 4 * 3, "of each validator three at least");
    let running = children(program.id());
    for (id, command) in &running {
        assert_holds_none(&secrets, command, command.as_bytes());
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap();
        assert_holds_none(&secrets, &format!("the environment of {command}"), &environment);
    }
    assert_eq!(program.end().code, Some(0));
    for file in files_below(&net) {
        let told = file.display().to_string();
        if !secrets.iter().any(|(of, _)| *of == told) {
            assert_holds_none(&secrets, &told, &fs::read(&file).unwrap());
        }
    }
}

/// `NET-8`: two sessions, batches of both, the first set's slash report applied, and its end.
#[test]
fn until_handover_sees_a_set_replaced_and_retired_with_its_report() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net").display().to_string();
    let options = ["--dir", &path, "--networks", "1", "--block-time", "500ms"];
    let Ended { code, stdout, stderr } =
        up(&[&options[..], &["--until", "handover", "--json"]].concat()).end();
    assert_eq!(code, Some(0), "{stderr:#?}");
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(summary["complete"], true);
    let told = &summary["networks"][0];
    let handover = &told["handover"];
    assert_eq!((&handover["retiring"], &handover["accepted_by"]), (&0.into(), &1.into()));
    assert_eq!(handover["retired"], true);
    // Nobody did anything wrong.
    assert_eq!(handover["slash_report"], Value::Array(Vec::new()));
    let batches = |of: &str| serde_json::from_value::<Vec<u32>>(handover[of].clone()).unwrap();
    let (before, after) = (batches("batches_before"), batches("batches_after"));
    assert!(!before.is_empty() && after.len() >= 2, "{before:?} {after:?}");
    let all: Vec<u32> = before.iter().chain(&after).copied().collect();
    assert!((0..).zip(&all).all(|(due, id)| due == *id), "without a gap: {all:?}");
    let stages = ["first_batch", "handed_over", "slashes_reported"];
    let seconds: Vec<f64> = stages.iter().map(|stage| told["seconds"][stage].as_f64().unwrap()).collect();
    assert!(seconds.is_sorted(), "{seconds:?}");
}
