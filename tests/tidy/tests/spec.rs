//! The specification and the tests name each other.

use std::collections::BTreeMap;

use tidy::files;

/// Rule ids defined in `spec/`: lines which begin with `**NAME-12.**`, with the page.
fn rules() -> BTreeMap<String, String> {
    let mut rules = BTreeMap::new();
    for page in
        files("md").iter().filter(|f| f.path.starts_with("spec/") && !f.path.starts_with("spec/decisions/"))
    {
        for line in page.text.lines() {
            let Some(id) = line.trim_start_matches("- ").strip_prefix("**").and_then(|l| l.split_once(".**"))
            else {
                continue;
            };
            let is_id = id.0.split_once('-').is_some_and(|(name, number)| {
                !name.is_empty()
                    && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
                    && !number.is_empty()
                    && number.bytes().all(|b| b.is_ascii_digit())
            });
            if is_id {
                let former = rules.insert(id.0.to_owned(), page.path.clone());
                assert_eq!(former, None, "{} is defined twice", id.0);
            }
        }
    }
    rules
}

fn mentions(text: &str, id: &str) -> bool {
    text.match_indices(id).any(|(at, _)| {
        let next = text.as_bytes().get(at + id.len());
        !next.is_some_and(u8::is_ascii_digit)
    })
}

#[test]
fn every_rule_id_appears_in_a_test() {
    let sources = files("rs");
    let missing: Vec<String> = rules()
        .into_iter()
        .filter(|(id, _)| !sources.iter().any(|s| mentions(s.tests(), id)))
        .map(|(id, page)| format!("{id} ({page})"))
        .collect();
    assert!(missing.is_empty(), "rules without a test: {}", missing.join(", "));
}

#[test]
fn every_page_is_named_in_the_spec_readme() {
    let readme = std::fs::read_to_string(tidy::root().join("spec/README.md")).unwrap();
    for page in files("md").iter().filter(|f| f.path.starts_with("spec/") && f.path.matches('/').count() == 1)
    {
        let name = page.path.trim_start_matches("spec/");
        assert!(name == "README.md" || readme.contains(name), "spec/README.md does not name {name}");
    }
}

/// Names of functions in backticks on a page.
fn named(page: &str) -> Vec<String> {
    let is_name = |text: &&str| {
        text.contains('_') && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    page.split('`').skip(1).step_by(2).filter(is_name).map(str::to_owned).collect()
}

/// The page of regressions names tests that exist, and each defect from 1 to 35 has one.
#[test]
fn the_page_of_regressions_names_tests_that_exist() {
    let page = std::fs::read_to_string(tidy::root().join("spec/regressions.md")).unwrap();
    let sources = files("rs");
    let tests: Vec<String> = sources.iter().flat_map(tidy::tests).collect();
    let named = named(&page);
    for name in &named {
        assert!(tests.contains(name), "spec/regressions.md names {name}, which is no test");
    }
    for defect in 1..=35 {
        let prefix = format!("ref_{defect:02}_");
        assert!(named.iter().any(|name| name.starts_with(&prefix)), "no test for defect {defect}");
    }
    for test in tests.iter().filter(|test| test.starts_with("ref_")) {
        assert!(named.contains(test), "spec/regressions.md does not name {test}");
    }
}
