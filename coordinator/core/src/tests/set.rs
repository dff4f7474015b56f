//! Weights and participants.

use processor_messages::{BaseBlock, BaseBlockHash, Participant, Session};

use super::cluster::{CHAIN, declaration};
use crate::session::SetSpec;

fn spec(weights: &[u16]) -> SetSpec {
    SetSpec::new(CHAIN, BaseBlock(3), BaseBlockHash([4; 32]), &declaration(weights, Session(0))).unwrap()
}

#[test]
fn participants_are_consecutive_by_weight_and_each_has_one_owner() {
    // SIGN-2.
    let spec = spec(&[3, 1, 2]);
    let ranges: Vec<Vec<u16>> =
        (0..3).map(|i| spec.participants(i).map(Participant::get).collect()).collect();
    assert_eq!(ranges, [vec![1, 2, 3], vec![4], vec![5, 6]]);
    for (index, range) in (0..).zip(&ranges) {
        for participant in range {
            assert_eq!(spec.owner(Participant::new(*participant).unwrap()), Some(index));
        }
    }
    assert_eq!(spec.owner(Participant::new(7).unwrap()), None);
    assert!(spec.participants(3).next().is_none());
}

#[test]
fn an_honest_one_is_among_more_than_n_minus_t() {
    let spec = spec(&[1; 7]);
    assert_eq!((spec.n().0, spec.t().0), (7, 5));
    assert!(!spec.includes_honest([0, 1]) && spec.includes_honest([0, 1, 2]));
    assert!(!spec.reaches_threshold([0, 1, 2, 3]) && spec.reaches_threshold([0, 1, 2, 3, 4]));
}

#[test]
fn the_genesis_commits_to_weights_block_and_session() {
    // Defect 26.
    let genesis = spec(&[1, 1, 1, 1]).genesis;
    assert_ne!(genesis, spec(&[1, 1, 1, 2]).genesis);
    let later = declaration(&[1, 1, 1, 1], Session(1));
    assert_ne!(genesis, SetSpec::new(CHAIN, BaseBlock(3), BaseBlockHash([4; 32]), &later).unwrap().genesis);
    let same = declaration(&[1, 1, 1, 1], Session(0));
    assert_ne!(genesis, SetSpec::new(CHAIN, BaseBlock(3), BaseBlockHash([5; 32]), &same).unwrap().genesis);
}
