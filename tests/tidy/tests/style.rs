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

/// What may end a process or a task is not written where bytes from outside arrive. `expect` says why it cannot
/// fail; an invariant of ours that does not hold is an error with a reason (`COORD-9`).
#[test]
fn ref_33_no_production_code_unwraps_or_panics() {
    let forbidden = [".unwrap()", "panic!(", "unreachable!(", "todo!(", "unimplemented!("];
    let measured = |path: &str| path.contains("/benches/") || path.contains("/examples/");
    for source in files("rs").iter().filter(|source| !measured(&source.path)) {
        for (number, line) in source.production().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in forbidden {
                assert!(!code.contains(word), "{}:{}: {word}", source.path, number + 1);
            }
        }
    }
}
