//! What may be acted on.

use proptest::prelude::*;

use super::*;
use crate::cosign::{Hold, quorum};

#[test]
fn finalized_counts_as_cosigned_until_a_network_has_keys() {
    // COSIGN-5.
    let mut finalized = Finalized::default();
    finalized.push(vec![declared(set("a", 0), 1)]);
    finalized.push(vec![burn("a")]);
    finalized.push(vec![keys_set(set("a", 0))]);
    finalized.push(vec![burn("a")]);
    let mut node = coordinator(0);
    assert_eq!(node.follow(&finalized), (0, Some(Hold::Unseen)));
    node.observe(&finalized);
    assert_eq!(node.cosign_status().code, "COSIGN_BOOTSTRAP");
    // The keys themselves are set in a block whose parent knows of none.
    assert_eq!(node.follow(&finalized), (3, Some(Hold::Waiting { stake: 0, needed: 1 })));
    assert_eq!(node.cosign_status().code, "COSIGN_ENFORCED");
}

#[test]
fn a_chain_without_stake_is_cosigned_by_being_final() {
    // COSIGN-5.
    let mut finalized = Finalized::keyed(&[("a", 0)]);
    finalized.push(vec![burn("a")]);
    let mut node = coordinator(0);
    node.observe(&finalized);
    assert_eq!(node.follow(&finalized), (3, None));
}

#[test]
fn a_cosign_lets_its_block_and_those_before_it_pass_and_blocks_of_nothing_need_none() {
    // COSIGN-5, COSIGN-6.
    let mut finalized = Finalized::keyed(&[("a", 1)]);
    finalized.push_empty(2);
    finalized.push(vec![burn("a")]);
    finalized.push_empty(1);
    finalized.push(vec![burn("a")]);
    finalized.push_empty(3);
    finalized.push(vec![burn("a")]);
    let mut node = coordinator(0);
    node.observe(&finalized);
    assert_eq!(node.follow(&finalized), (4, Some(Hold::Waiting { stake: 0, needed: 1 })));
    node.take(&finalized.cosign(set("a", 0), 6));
    assert_eq!(node.follow(&finalized).0, 10);
    let status = node.cosign_status();
    assert_eq!((status.cosigned, status.intended), (Some(BaseBlock(6)), Some(BaseBlock(6))));
    assert_eq!(status.networks[0].lag_blocks, 0);
    node.take(&finalized.cosign(set("a", 0), 10));
    assert_eq!(node.follow(&finalized), (11, None));
}

#[test]
fn a_block_that_waited_long_is_still_the_one_that_was_final() {
    // COSIGN-5: also if no cosign was asked of it, and more blocks are final since than cosigns may be of.
    let mut finalized = Finalized::keyed(&[("a", 1)]);
    finalized.push(vec![burn("a")]);
    finalized.push_empty(14_410);
    let mut node = coordinator(0);
    node.observe(&finalized);
    assert_eq!(node.follow(&finalized), (2, Some(Hold::Waiting { stake: 0, needed: 1 })));
    let intended = node.cosign_status().intended.unwrap();
    assert!(intended > BaseBlock(2));
    node.take(&finalized.cosign(set("a", 0), intended.0));
    let mut forged = Finalized(finalized.0[..2].to_vec());
    forged.push(vec![burn("a"), burn("a")]);
    let refused = node.step(|step| base_chain::follow(step, forged.block(2)));
    assert!(matches!(refused, Err(Error::BaseChain { block: BaseBlock(2), .. })), "{refused:?}");
    assert_eq!(node.follow(&finalized), (finalized.last() + 1, None));
}

#[test]
fn ref_20_stake_of_exactly_the_quorum_suffices() {
    // COSIGN-6. The reference asked for more than the quorum.
    for (stakes, enough, short) in [
        ([3, 3, 3], vec![0, 1, 2], vec![0, 1]),
        ([4, 3, 2], vec![0, 1], vec![0, 2]),
        ([100, 33, 17], vec![0, 1], vec![0]),
        ([1, 1, 1], vec![0, 1, 2], vec![1, 2]),
        ([101, 25, 25], vec![0], vec![1, 2]),
    ] {
        let names = ["a", "b", "c"];
        let pairs: Vec<_> = names.into_iter().zip(stakes).collect();
        let mut finalized = Finalized::keyed(&pairs);
        finalized.push(vec![burn("a")]);
        let pass = |who: &[usize]| {
            let mut node = coordinator(9);
            node.observe(&finalized);
            for index in who {
                node.take(&finalized.cosign(set(names[*index], 0), 2));
            }
            node.follow(&finalized) == (3, None)
        };
        let total: u64 = stakes.iter().sum();
        let of = |who: &[usize]| who.iter().map(|i| u128::from(stakes[*i])).sum::<u128>();
        assert!(of(&enough) >= quorum(total.into()) && of(&short) < quorum(total.into()), "{stakes:?}");
        assert!(pass(&enough), "{stakes:?} {enough:?}");
        assert!(!pass(&short), "{stakes:?} {short:?}");
    }
    let exact = [(0, 1), (1, 1), (2, 2), (3, 3), (4, 3), (6, 5), (9, 7), (10, 7), (100, 67)];
    assert!(exact.iter().all(|(total, needed)| quorum(*total) == *needed));
}

proptest! {
    /// COSIGN-6: the quorum is the least stake above two thirds.
    #[test]
    fn the_quorum_is_the_least_stake_above_two_thirds(total in 0_u128..(1 << 80)) {
        let needed = quorum(total);
        prop_assert!(needed * 3 > total * 2);
        prop_assert!((needed - 1) * 3 <= total * 2);
    }
}

#[test]
fn a_notable_block_needs_its_own_cosign_by_the_keys_of_its_parent() {
    // COSIGN-6.
    let (first, second) = (set("a", 0), set("a", 1));
    let mut finalized = Finalized::keyed(&[("a", 1)]);
    finalized.push(vec![declared(second, 1)]);
    finalized.push(vec![keys_set(second)]);
    finalized.push(vec![handed_over(first)]);
    finalized.push(vec![burn("a")]);
    let mut node = coordinator(9);
    node.observe(&finalized);
    // The new keys sign all they want: nobody who knows only the old ones may believe them.
    assert_eq!(node.take(&finalized.cosign(second, 5)), Verdict::New);
    assert_eq!(node.follow(&finalized).0, 2);
    // Block 3 is notable though the cosigners stay: it covers 2, and 4 does not cover it.
    assert_eq!(node.take(&finalized.cosign(first, 4)), Verdict::New);
    assert_eq!(node.follow(&finalized).0, 2);
    assert_eq!(node.take(&finalized.cosign(first, 3)), Verdict::New);
    assert_eq!(node.follow(&finalized), (6, None));
}

#[test]
fn who_cosigned_in_a_former_era_is_asked_again() {
    // COSIGN-6: a network which is keyed later counts from then on, and needs its own cosigns.
    let mut finalized = Finalized::default();
    finalized.push(vec![declared(set("a", 0), 1), declared(set("b", 0), 9)]);
    finalized.push(vec![keys_set(set("a", 0))]);
    finalized.push(vec![keys_set(set("b", 0))]);
    finalized.push(vec![burn("a")]);
    let mut node = coordinator(9);
    node.observe(&finalized);
    assert_eq!(node.take(&finalized.cosign(set("b", 0), 2)), Verdict::Invalid, "its keys are set there");
    assert_eq!(node.take(&finalized.cosign(set("a", 0), 2)), Verdict::New);
    assert_eq!(node.follow(&finalized), (3, Some(Hold::Waiting { stake: 0, needed: 7 })));
    assert_eq!(node.take(&finalized.cosign(set("a", 0), 3)), Verdict::New);
    assert_eq!(node.follow(&finalized), (3, Some(Hold::Waiting { stake: 1, needed: 7 })));
    assert_eq!(node.take(&finalized.cosign(set("b", 0), 3)), Verdict::New);
    assert_eq!(node.follow(&finalized), (4, None));
}

#[test]
fn a_block_that_is_not_the_one_observed_is_not_handled() {
    // COSIGN-5.
    let mut finalized = Finalized::keyed(&[("a", 1)]);
    finalized.push(vec![burn("a")]);
    let mut other = Finalized::keyed(&[("a", 1)]);
    other.push(vec![burn("b")]);
    let mut node = coordinator(9);
    node.observe(&finalized);
    node.take(&finalized.cosign(set("a", 0), 2));
    assert_eq!(node.follow(&Finalized(finalized.0[..2].to_vec())), (2, None));
    let swapped = node.step(|step| base_chain::follow(step, other.block(2)));
    assert!(matches!(swapped, Err(Error::BaseChain { block: BaseBlock(2), .. })));
    assert_eq!(node.follow(&finalized), (3, None));
}
