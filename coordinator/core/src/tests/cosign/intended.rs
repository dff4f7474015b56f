//! Which blocks are cosigned: `.` nothing, `E` events, `N` notable.

use coordinator_base_chain::{Addresses, UndeclaredReason};
use proptest::prelude::*;

use super::*;
use crate::cosign::{Class, Window};

fn class(letter: char) -> Class {
    match letter {
        'N' => Class::Notable,
        'E' => Class::Events,
        _ => Class::Nothing,
    }
}

fn intended(distance: u32, chain: &str) -> Vec<u64> {
    let mut window = Window::default();
    let admitted =
        |(number, letter)| window.admit(BaseBlock(number), class(letter), distance).then_some(number);
    (0..).zip(chain.chars()).filter_map(admitted).collect()
}

#[test]
fn blocks_are_intended_by_their_events_and_by_the_window() {
    // COSIGN-2.
    let table: [(u32, &str, &[u64]); 12] = [
        (5, ".......", &[]),
        (5, "..E....", &[2]),
        (5, "N", &[0]),
        // Inside the window only notable ones.
        (5, "EEEEE", &[0]),
        (5, "ENNE.", &[0, 1, 2]),
        // The first with events outside.
        (3, "E...E", &[0, 4]),
        (3, "E..E", &[0, 3]),
        // Passed over, so the window's end.
        (3, "EE...", &[0, 3]),
        (3, "E.E..E", &[0, 3]),
        // A notable one begins a window and covers what was passed over.
        (3, "E.N.....", &[0, 2]),
        (3, "E.N.E...", &[0, 2, 5]),
        (1, "EE.E.", &[0, 1, 3]),
    ];
    for (distance, chain, expected) in table {
        assert_eq!(intended(distance, chain), expected, "{distance} {chain}");
    }
}

#[test]
fn ref_21_a_block_passed_over_is_carried_to_the_windows_end_and_no_further() {
    // COSIGN-2. The reference stored the wrong number, so the block was carried to somewhere else.
    for skipped in 1..5 {
        let mut chain = ['.'; 20];
        (chain[0], chain[skipped]) = ('E', 'E');
        assert_eq!(intended(5, &chain.iter().collect::<String>()), [0, 5], "{skipped}");
    }
}

#[test]
fn every_event_that_is_acted_on_needs_a_cosign_and_the_others_need_none() {
    // COSIGN-2, COSIGN-5.
    let retired = Event::SetRetired { set: set("a", 0), reported: false };
    for (event, expected) in [
        (declared(set("a", 0), 1), Class::Events),
        (Event::SetDropped { set: set("a", 0) }, Class::Events),
        (burn("a"), Class::Events),
        (retired, Class::Events),
        (keys_set(set("a", 0)), Class::Notable),
        (handed_over(set("a", 0)), Class::Notable),
        (
            Event::SetNotDeclared { network: network("a"), reason: UndeclaredReason::HandoverPending },
            Class::Nothing,
        ),
        (
            Event::AddressesChanged {
                validator: coordinator(0).validator(),
                addresses: Addresses::default(),
            },
            Class::Nothing,
        ),
    ] {
        assert_eq!(Class::of(std::slice::from_ref(&event)), expected, "{event:?}");
        assert_eq!(Class::of(&[event.clone(), burn("b")]), expected.max(Class::Events), "{event:?}");
    }
    assert_eq!(Class::of(&[]), Class::Nothing);
}

proptest! {
    /// COSIGN-2: nothing with events stays without an intended block at or after it, within one distance; and
    /// intended blocks which are not notable are a distance apart from the one before.
    #[test]
    fn every_block_with_events_is_covered_within_the_distance(
        distance in 1_u32..8,
        letters in proptest::collection::vec(prop_oneof![Just('.'), Just('E'), Just('N')], 0..120),
    ) {
        let chain: String = letters.iter().collect();
        let intended = intended(distance, &chain);
        let end = letters.len() as u64;
        for (number, letter) in (0..).zip(&letters) {
            let due = number + u64::from(distance);
            let covered = intended.iter().any(|i| (number..due).contains(i));
            prop_assert!(*letter == '.' || covered || due > end, "{number} of {chain}: {intended:?}");
        }
        for pair in intended.windows(2) {
            let notable = letters[usize::try_from(pair[1]).unwrap()] == 'N';
            prop_assert!(notable || pair[1] - pair[0] >= u64::from(distance));
        }
    }
}
