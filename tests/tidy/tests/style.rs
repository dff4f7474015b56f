//! Style which a machine can check.

use std::{collections::BTreeMap, fmt::Write as _};

use tidy::{files, functions, root};

/// Lines of a function that fit on a screen.
const SCREEN: usize = 60;

/// No function that fits on a screen today outgrows it; those that did not may only shrink.
///
/// `TIDY_UPDATE=1 cargo test -p tidy` rewrites the list, for a review to see.
#[test]
fn functions_outgrow_no_screen() {
    let path = root().join("tests/tidy/long_functions.toml");
    let long: BTreeMap<String, usize> = files("rs")
        .iter()
        .flat_map(functions)
        .filter(|f| f.lines > SCREEN)
        .map(|f| (f.id, f.lines))
        .collect();
    if std::env::var_os("TIDY_UPDATE").is_some() {
        let mut text =
            String::from("# Functions longer than a screen, with their lines: a ratchet, to be shortened.\n");
        for (id, lines) in &long {
            writeln!(text, "{id:?} = {lines}").unwrap();
        }
        std::fs::write(&path, text).unwrap();
        return;
    }
    let known: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    for (id, lines) in long {
        let allowed = known.get(&id).and_then(toml::Value::as_integer).unwrap_or(0);
        let allowed = usize::try_from(allowed).unwrap();
        assert!(lines <= allowed, "{id} has {lines} lines, allowed are {}: split it", allowed.max(SCREEN));
    }
}

#[test]
fn todos_name_an_issue() {
    let word = concat!("TO", "DO");
    for source in files("rs").iter().filter(|s| !s.path.starts_with("tests/tidy/")) {
        for (number, line) in source.text.lines().enumerate() {
            let named = line.split_once(word).is_none_or(|(_, rest)| rest.starts_with("(#"));
            assert!(named, "{}:{}: a {word} names its issue: {word}(#12)", source.path, number + 1);
        }
    }
}

#[test]
fn no_test_is_ignored_or_sleeps() {
    for source in files("rs").iter().filter(|s| !s.path.starts_with("tests/tidy/")) {
        for (number, line) in source.tests().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            assert!(!code.contains("#[ignore"), "{}:{}: an ignored test", source.path, number + 1);
            let sleeps = code.contains("thread::sleep") && !source.path.starts_with("tests/processor/src");
            assert!(!sleeps, "{}:{}: a test sleeps; wait for an event", source.path, number + 1);
        }
    }
}

#[test]
fn the_spec_and_the_code_say_nothing_of_a_workplace() {
    let words = [concat!("/wo", "rk/"), concat!("/tm", "p/hw"), concat!("sub", "agent")];
    for source in files("rs").into_iter().chain(files("md")).chain(files("toml")) {
        for word in words {
            assert!(!source.text.contains(word), "{} names {word}", source.path);
        }
    }
}

/// The lines of production code which hold one of these words, outside comments: `path:line: word`.
fn lines_with(words: &[&str]) -> Vec<String> {
    let measured = |path: &str| path.contains("/benches/") || path.contains("/examples/");
    let mut found = Vec::new();
    for source in files("rs").iter().filter(|source| !measured(&source.path)) {
        for (number, line) in source.production().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let held = words.iter().filter(|word| code.contains(**word));
            found.extend(held.map(|word| format!("{}:{}: {word}", source.path, number + 1)));
        }
    }
    found
}

/// What may end a process or a task is not written where bytes from outside arrive. `expect` says why it cannot
/// fail; an invariant of ours that does not hold is an error with a reason (`COORD-9`).
#[test]
fn ref_33_no_production_code_unwraps_or_panics() {
    let found = lines_with(&[".unwrap()", "panic!(", "unreachable!(", "todo!(", "unimplemented!("]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Assertions of production code, in files which no byte from outside steers, and why each holds. A release build has
/// no `debug_assert`.
const ASSERTIONS: [(&str, &str); 2] = [
    ("dkg-evrf/circuit/src/gadget.rs", "the circuit is laid out by our code, scalars first"),
    (
        "dkg-evrf/embedded-curves/src/point/multiscalar.rs",
        "the caller passes one scalar for each point of a table",
    ),
];

/// An assertion ends a task as a panic does (`COORD-9`).
#[test]
fn ref_33_no_production_code_asserts_but_what_is_proven_in_its_file() {
    let found = lines_with(&[" assert!(", " assert_eq!(", " assert_ne!("]);
    let files: Vec<&str> = found.iter().filter_map(|line| line.split(':').next()).collect();
    let proven: Vec<&str> = ASSERTIONS.iter().map(|(path, _)| *path).collect();
    assert_eq!(files, proven, "one in each of these files and nowhere else:\n{}", found.join("\n"));
}

/// Whatever waits has a bound: no channel of ours grows with what others send.
#[test]
fn ref_30_no_production_code_has_a_channel_without_a_bound() {
    let found = lines_with(&["unbounded_channel", "unbounded(", "mpsc::channel()", "std::sync::mpsc"]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Sources which decode bytes from outside, as a whole crate or file by file, and say so to clippy: an index that is out of
/// range would end the task.
const NO_INDEXING: [&str; 22] = [
    "coordinator/base-chain/src/lib.rs",
    "coordinator/core/src/lib.rs",
    "coordinator/drive/src/lib.rs",
    "coordinator/keys/src/lib.rs",
    "coordinator/message-queue/src/lib.rs",
    "coordinator/p2p/src/lib.rs",
    "coordinator/src/lib.rs",
    "coordinator/store/disk/src/lib.rs",
    "coordinator/store/src/lib.rs",
    "dkg-evrf/bulletproofs/src/proof.rs",
    "dkg-evrf/src/collection.rs",
    "dkg-evrf/src/participation.rs",
    "dkg-evrf/src/proof.rs",
    "dkg-evrf/src/proof/claims.rs",
    "dkg-evrf/src/proof/purity.rs",
    "dkg-evrf/src/recover.rs",
    "dkg-evrf/src/verify.rs",
    "orchestration/base-chain-node/src/lib.rs",
    "orchestration/src/lib.rs",
    "processor-messages/src/lib.rs",
    "tests/processor/src/lib.rs",
    "tributary/src/lib.rs",
];

#[test]
fn ref_33_what_decodes_bytes_from_outside_denies_indexing() {
    let sources = files("rs");
    for path in NO_INDEXING {
        let source = sources.iter().find(|source| source.path == path);
        let source = source.unwrap_or_else(|| panic!("{path} is gone: name what decodes in its place"));
        assert!(source.text.contains("deny(clippy::indexing_slicing)"), "{path} allows indexing");
    }
    let allowed = lines_with(&["allow(clippy::indexing_slicing"]);
    let modules_of_tests = ["coordinator/drive/src/lib.rs", "coordinator/p2p/src/lib.rs"];
    for line in allowed {
        assert!(modules_of_tests.iter().any(|path| line.starts_with(path)), "{line}");
    }
}
