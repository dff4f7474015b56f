use processor_messages::{Amount, KeyShares, MAX_KEY_SHARES, MAX_VALIDATOR_SHARES, Validator};
use proptest::prelude::*;

use crate::rules::{allocate_shares, most_shares};

fn allocate(stakes: &[u64]) -> Vec<u16> {
    let stakes = (0_u8..).zip(stakes).map(|(i, stake)| (Validator([i; 32]), Amount(*stake))).collect();
    allocate_shares(stakes, Amount(10)).into_iter().map(|(_, KeyShares(shares))| shares).collect()
}

/// BASE-10, BASE-11
#[test]
fn the_documented_weights_are_granted_as_they_are() {
    assert_eq!(allocate(&[10, 10, 10, 10]), [1, 1, 1, 1]);
    assert_eq!(allocate(&[30, 30, 20, 20]), [3, 3, 2, 2]);
    assert_eq!(allocate(&[30, 20, 20, 10, 10, 10, 10]), [3, 2, 2, 1, 1, 1, 1]);
    assert_eq!(allocate(&[19, 10, 39, 20, 10, 10, 10]), [3, 2, 1, 1, 1, 1, 1]);
}

/// BASE-11
#[test]
fn the_cap_holds_for_the_total_that_remains() {
    assert_eq!(allocate(&[1000, 10, 10, 10]), [1, 1, 1, 1]);
    assert_eq!(allocate(&[1000, 1000]), [1, 1]);
    assert_eq!(allocate(&[1000]), [1]);
    assert_eq!(allocate(&[60, 50, 50, 10]), [5, 5, 5, 1]);
    assert_eq!(allocate(&[90, 90, 90]), [1, 1, 1]);
    assert_eq!(allocate(&[]), [] as [u16; 0]);
    assert_eq!(allocate(&[9, 9]), [] as [u16; 0]);
}

/// BASE-10
#[test]
fn a_rich_validator_does_not_push_others_out() {
    let allocated = allocate(&[vec![1_000_000], vec![10; 200]].concat());
    assert_eq!(allocated.iter().sum::<u16>(), MAX_KEY_SHARES);
    assert_eq!(allocated.len(), 131);
    assert_eq!(allocated[0], MAX_VALIDATOR_SHARES);
}

/// BASE-10: the lowest stakes lose first, one share each and round again.
#[test]
fn the_excess_is_removed_in_reverse_round_robin() {
    assert_eq!(allocate(&[200; 8]), [19, 19, 19, 19, 19, 19, 18, 18]);
    assert_eq!(allocate(&[vec![200; 7], vec![15; 3], vec![110]].concat()), [vec![20; 7], vec![10]].concat());
}

#[test]
fn a_stake_per_share_of_zero_makes_no_set() {
    assert!(allocate_shares(vec![(Validator([1; 32]), Amount(5))], Amount(0)).is_empty());
}

/// One at a time, from whoever exceeds the bound of the moment; `from_front` decides among those.
fn cap_one_by_one(mut shares: Vec<u16>, from_front: bool) -> Vec<u16> {
    loop {
        let cap = most_shares(shares.iter().sum());
        let over = |shares: &u16| *shares > cap;
        let place = if from_front { shares.iter().position(over) } else { shares.iter().rposition(over) };
        let Some(place) = place else { return shares };
        shares[place] -= 1;
    }
}

proptest! {
    /// BASE-11
    #[test]
    fn the_cap_is_what_removing_one_share_at_a_time_ends_at(
        mut shares in prop::collection::vec(1..21_u16, 1..7), from_front in any::<bool>(),
    ) {
        shares.sort_unstable_by(|a, b| b.cmp(a));
        prop_assume!(shares.iter().sum::<u16>() <= MAX_KEY_SHARES);
        let stakes: Vec<_> = shares.iter().map(|shares| u64::from(*shares) * 10).collect();
        prop_assert_eq!(allocate(&stakes), cap_one_by_one(shares, from_front));
    }

    /// BASE-10, BASE-11, BASE-12
    #[test]
    fn every_allocation_is_bounded_ordered_and_deterministic(
        stakes in prop::collection::vec(0..3_000_u64, 0..300), rotate in 0..300_usize,
    ) {
        let stakes: Vec<_> = (0_u16..).zip(stakes).map(|(i, stake)| {
            let mut account = [0; 32];
            account[..2].copy_from_slice(&i.to_be_bytes());
            (Validator(account), Amount(stake))
        }).collect();
        let set = allocate_shares(stakes.clone(), Amount(10));
        let total: u16 = set.iter().map(|(_, shares)| shares.0).sum();
        prop_assert!(total <= MAX_KEY_SHARES);
        for (validator, shares) in &set {
            let stake = stakes.iter().find(|(v, _)| v == validator).unwrap().1;
            prop_assert!((shares.0 >= 1) && (shares.0 <= most_shares(total)) && (u64::from(shares.0) <= stake.0 / 10));
        }
        prop_assert!(set.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        // The order of the input does not matter.
        let mut rotated = stakes;
        let by = rotate % rotated.len().max(1);
        rotated.rotate_left(by);
        prop_assert_eq!(allocate_shares(rotated, Amount(10)), set);
    }

    /// BASE-11: who alone has less than a third cannot stop a set of 4 shares or more.
    #[test]
    fn no_validator_alone_holds_a_third_of_four_or_more_shares(stakes in prop::collection::vec(10..400_u64, 1..60)) {
        let set = allocate(&stakes);
        let total: u16 = set.iter().sum();
        prop_assume!(total >= 4);
        prop_assert!(set.iter().all(|shares| shares * 3 < total));
    }
}
