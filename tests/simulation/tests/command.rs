//! The command as a person or a script runs it, on a build which is broken on purpose.
#![cfg(feature = "mutations")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Output};

use serde_json::Value;

const AGAIN: &str = "cargo run --release -p simulation --features mutations -- --profile default --replay 0 \
                     --mutate output-before-commit";

fn simulation(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simulation")).args(arguments.split(' ')).output().unwrap()
}

/// Whether a text has a trace's lines, where everybody stood, and in which run.
fn has_a_trace(text: &str) -> bool {
    let parts = [" s  Base(0) starts", "base-chain node 0: up", "weights [1, 1, 1, 1], networks 1"];
    parts.iter().all(|part| text.contains(part))
}

#[test]
fn a_failing_seed_prints_its_replay_command_and_a_trace() {
    let ended = simulation("--seeds 1 --mutate output-before-commit");
    let told = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(has_a_trace(&told), "{told}");
    assert!(told.contains("lets out what step"), "{told}");
    assert!(told.contains(&format!("  again: {AGAIN}\n")), "{told}");

    let (_, arguments) = AGAIN.split_once(" -- ").unwrap();
    let again = String::from_utf8(simulation(arguments).stdout).unwrap();
    assert!(has_a_trace(&again), "{again}");
    let hash = |text: &str| text.lines().last().unwrap().to_owned();
    assert_eq!(hash(&again), hash(&told), "the same run");
}

#[test]
fn json_has_the_replay_commands_and_one_field_of_violations() {
    let ended = simulation("--seeds 1 --json --mutate output-before-commit");
    let (json, aside) = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
    let summary: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.matches("\"violations\"").count(), 1, "{json}");
    assert!(summary["violations"].as_u64() > Some(0), "{json}");
    assert_eq!(summary["failing_seeds"], Value::from(vec![0]));
    assert_eq!(summary["replay_commands"], Value::from(vec![AGAIN]));
    assert!(has_a_trace(&aside) && aside.contains(AGAIN), "{aside}");
    assert_eq!(ended.status.code(), Some(1));
}
