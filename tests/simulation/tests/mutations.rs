//! Each deliberate fault is caught. A process of its own, as one mutation at a time is in force for all of it.
#![cfg(feature = "mutations")]
#![allow(clippy::unwrap_used, reason = "tests")]

use mutation::Mutation;
use simulation::{
    manner::Manner,
    mutations::{catch, profile, seed},
    run::{Options, run},
};

/// Liars come in turn, so a seed which shows one is followed by another after so many.
const TURNS: u64 = Manner::LIARS.len() as u64;
/// How often it is looked for.
const TRIES: u64 = 3;

/// At the seed which the table of `spec/simulation.md` names, or one alike: `--mutations` tries all from the first.
#[test]
fn every_deliberate_fault_is_caught() {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        mutation::set(Some(*mutation));
        let caught = catch(*mutation, TRIES, |profile, tries| {
            let seeds = (0..tries).map(|turn| seed(*mutation) + turn * TURNS);
            let outcomes = seeds.map(|seed| run(&Options::of(profile), seed));
            outcomes.into_iter().find(|outcome| !outcome.violations.is_empty()).into_iter().collect()
        });
        if caught.is_none() {
            missed.push((mutation.name(), profile(*mutation)));
        }
    }
    mutation::set(None);
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

/// The rows of the table which begins with this line, without its rule.
fn table<'a>(text: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let rows = text.lines().skip_while(|line| *line != head).skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What the spec says is caught is what the code can break, under the profile and at the seed where the test above looks.
#[test]
fn the_table_of_the_spec_names_each_mutation_with_its_profile_and_seed() {
    let spec = include_str!("../../../spec/simulation.md");
    let named: Vec<_> = table(spec, "| Mutation | Profile | Seed | What was seen |")
        .into_iter()
        .map(|row| (row[0].to_owned(), row[1].to_owned(), row[2].to_owned()))
        .collect();
    let mutations = Mutation::ALL.iter().copied();
    let known: Vec<_> = mutations
        .map(|m| (format!("`{}`", m.name()), profile(m).name().to_owned(), seed(m).to_string()))
        .collect();
    assert_eq!(named, known);
}
