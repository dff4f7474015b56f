//! Crate edges: a crate exists where it forbids something.

use tidy::{files, root};

fn dependencies(folder: &str) -> Vec<String> {
    let path = root().join(folder).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let table = manifest.get("dependencies").and_then(|d| d.as_table()).cloned().unwrap_or_default();
    table.keys().cloned().collect()
}

fn forbid(folder: &str, names: &[&str]) {
    for name in dependencies(folder) {
        assert!(!names.contains(&name.as_str()), "{folder} must not depend on {name}");
    }
}

const SHELL: &[&str] =
    &["tokio", "axum", "reqwest", "libp2p", "parity-db", "coordinator-store-disk", "coordinator-p2p"];

#[test]
fn pure_crates_depend_on_no_shell() {
    for folder in [
        "processor-messages",
        "tributary",
        "coordinator/core",
        "coordinator/store",
        "dkg-evrf",
        "dkg-evrf/embedded-curves",
        "dkg-evrf/circuit",
        "dkg-evrf/bulletproofs",
    ] {
        forbid(folder, SHELL);
    }
}

#[test]
fn messages_are_a_leaf_without_cryptography() {
    forbid(
        "processor-messages",
        &["ciphersuite", "curve25519-dalek", "k256", "blake2", "sha2", "coordinator-keys"],
    );
}

#[test]
fn the_dkg_knows_no_messages_store_or_session() {
    for folder in ["dkg-evrf", "dkg-evrf/embedded-curves", "dkg-evrf/circuit", "dkg-evrf/bulletproofs"] {
        forbid(
            folder,
            &["processor-messages", "coordinator-store", "coordinator-core", "coordinator", "tributary"],
        );
    }
}

#[test]
fn the_coordinator_relays_participations_without_the_dkg() {
    for folder in ["coordinator", "coordinator/core"] {
        forbid(folder, &["dkg-evrf", "embedded-curves", "divisor-circuit", "arithmetic-bulletproofs"]);
    }
}

#[test]
fn only_p2p_sees_libp2p_and_only_the_tributary_sees_malachite() {
    for manifest in files("toml").iter().filter(|f| f.path.ends_with("Cargo.toml") && f.path.contains('/')) {
        let folder = manifest.path.trim_end_matches("/Cargo.toml");
        if folder != "coordinator/p2p" {
            forbid(folder, &["libp2p"]);
        }
        if folder != "tributary" {
            forbid(
                folder,
                &["malachitebft-core-consensus", "malachitebft-core-types", "malachitebft-signing"],
            );
        }
    }
    for source in files("rs") {
        if !source.path.starts_with("tributary/src/consensus") && !source.path.starts_with("tests/tidy") {
            assert!(!source.text.contains("malachitebft_"), "{} names Malachite", source.path);
        }
    }
}

#[test]
fn rules_use_no_runtime_socket_file_thread_or_clock() {
    let pure =
        ["tributary/src/", "coordinator/core/src/", "coordinator/store/src/", "processor-messages/src/"];
    let forbidden =
        ["tokio::", "std::net", "std::fs", "std::thread", "Instant::", "SystemTime", "thread_rng", "OsRng"];
    for source in files("rs").iter().filter(|s| pure.iter().any(|p| s.path.starts_with(p))) {
        for (number, line) in source.production().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in forbidden {
                assert!(!code.contains(word), "{}:{}: a rule crate uses {word}", source.path, number + 1);
            }
        }
    }
}

/// A build without the feature `mutations` holds no deliberate fault: no default enables it, nobody but the simulation
/// asks another crate for it, and the crate which knows them is an optional dependency everywhere.
#[test]
fn deliberate_faults_are_never_built_by_default() {
    for manifest in files("toml").iter().filter(|f| f.path.ends_with("Cargo.toml")) {
        let table: toml::Table = manifest.text.parse().expect("a manifest is TOML");
        let path = &manifest.path;
        let section = |name: &str| table.get(name).and_then(|s| s.as_table()).cloned().unwrap_or_default();
        for (feature, enables) in section("features") {
            let enables = enables.to_string();
            assert!(
                feature == "mutations" || !enables.contains("mutation"),
                "{path}: {feature} enables mutations"
            );
        }
        for kind in ["dependencies", "build-dependencies"] {
            for (name, dependency) in section(kind) {
                let asks = dependency.get("features").is_some_and(|f| f.to_string().contains("mutations"));
                assert!(!asks, "{path} asks {name} for mutations");
                let optional = dependency.get("optional").and_then(toml::Value::as_bool) == Some(true);
                assert!(name != "mutation" || optional, "{path} depends on mutation without a feature");
            }
        }
    }
}

#[test]
fn the_top_level_keeps_its_names() {
    let expected =
        ["coordinator", "dkg-evrf", "orchestration", "processor-messages", "spec", "tests", "tributary"];
    let mut folders: Vec<String> = std::fs::read_dir(root())
        .unwrap()
        .flatten()
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| !n.starts_with('.') && n != "target")
        .collect();
    folders.sort();
    assert_eq!(folders, expected);
}
