//! Questions without a network.

use processor_messages::Validator;

use crate::questions::{MAX_QUESTIONS, MAX_QUESTIONS_OF_ONE, Questions};

/// P2P-26
#[test]
fn who_asks_much_takes_no_answer_from_others() {
    let mut questions = Questions::default();
    let (flooder, other) = (Validator([1; 32]), Validator([2; 32]));
    let taken: Vec<_> = (0..100).filter_map(|n| questions.open(flooder, n)).collect();
    assert_eq!(taken.len(), MAX_QUESTIONS_OF_ONE);
    let id = questions.open(other, 1_000).unwrap();
    for n in 0..100 {
        questions.open(flooder, n);
    }
    assert_eq!(questions.take(id), Some(1_000));
    assert_eq!(questions.take(id), None);
    questions.refuse();
    assert_eq!(questions.take(taken[0]), None);
    let all = (0..=255).filter(|n| questions.open(Validator([*n; 32]), 0).is_some()).count();
    assert_eq!(all, MAX_QUESTIONS);
}
