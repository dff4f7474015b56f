//! What coordinators tell each other.

use processor_messages::{FromProcessor, coordinator as messages, decode, encode};
use proptest::prelude::*;

use super::*;
use crate::{
    cosign::{Cosigns, MAX_COSIGNS, MAX_MESSAGE_BYTES},
    processor,
};

#[test]
fn a_cosign_of_our_processor_is_verified_kept_and_told() {
    // COSIGN-4, COSIGN-10.
    let name = super::super::cluster::network();
    let of = ValidatorSet { network: name, session: Session(0) };
    let mut finalized = Finalized::keyed(&[(name.as_str(), 1)]);
    finalized.push(vec![burn(name.as_str())]);
    let mut node = coordinator(0);
    node.observe(&finalized);
    let say = |node: &mut Node, Cosign { set, block, hash, signature }: Cosign| {
        let message = messages::FromProcessor::CosignedBlock { session: set.session, block, hash, signature };
        node.step(|step| processor::apply(step, name, FromProcessor::Coordinator(message))).unwrap();
    };
    say(&mut node, Cosign { signature: [1; 64], ..finalized.cosign(of, 2) });
    assert_eq!(node.store.read(|db| cosign::own(db)).unwrap(), []);
    say(&mut node, finalized.cosign(of, 2));
    assert_eq!(node.store.read(|db| cosign::own(db)).unwrap(), [(name, BaseBlock(2))]);
    assert_eq!(*node.store.read(|db| cosign::latest(db)).unwrap(), [finalized.cosign(of, 2)]);
    assert_eq!(node.follow(&finalized), (3, None));
}

/// A chain of many rotations of two networks, with its cosigns.
fn rotations(count: u32) -> (Finalized, Vec<Cosign>) {
    let mut finalized = Finalized::keyed(&[("a", 1), ("b", 1)]);
    let mut cosigns = Vec::new();
    for session in 0..count {
        for name in ["a", "b"] {
            finalized.push(vec![declared(set(name, session + 1), 1)]);
            for event in [keys_set(set(name, session + 1)), handed_over(set(name, session))] {
                finalized.push(vec![event]);
                let number = finalized.last();
                for other in ["a", "b"] {
                    let ahead = (other == "a") && (name == "b");
                    let in_charge = set(other, if ahead { session + 1 } else { session });
                    cosigns.push(finalized.cosign(in_charge, number));
                }
            }
        }
    }
    (finalized, cosigns)
}

#[test]
fn who_comes_new_is_taken_forward_through_all_eras_by_questions() {
    // COSIGN-10.
    let (finalized, cosigns) = rotations(12);
    assert!(cosigns.len() > MAX_COSIGNS);
    let mut old = coordinator(9);
    old.observe(&finalized);
    for cosign in &cosigns {
        assert_eq!(old.take(cosign), Verdict::New, "{cosign:?}");
    }
    assert_eq!(old.follow(&finalized).1, None);
    assert_eq!(old.store.read(|db| cosign::wanted(db)).unwrap(), None);

    let mut new = coordinator(0);
    new.observe(&finalized);
    let mut questions = 0;
    while let Some(from) = new.store.read(|db| cosign::wanted(db)).unwrap() {
        questions += 1;
        let asked = cosign::question(&encode(&from)).unwrap();
        let answer = encode(&old.store.read(|db| cosign::since(db, asked)).unwrap());
        assert!(answer.len() <= MAX_MESSAGE_BYTES);
        let answer: Cosigns = decode(&answer, MAX_MESSAGE_BYTES).unwrap();
        for cosign in answer {
            new.take(&cosign);
        }
        new.follow(&finalized);
        assert!(questions < 10, "each answer takes it forward: {from}");
    }
    assert_eq!(new.follow(&finalized), (finalized.last() + 1, None));
    assert!(questions > 1);
}

#[test]
fn a_full_message_fits_its_bound() {
    // COSIGN-10.
    let longest = Network::new(&"n".repeat(64)).or_else(|_| Network::new(&"n".repeat(32)));
    let longest = longest.or_else(|_| Network::new(&"n".repeat(16))).unwrap();
    let of = ValidatorSet { network: longest, session: Session(u32::MAX) };
    let cosign =
        Cosign { set: of, block: BaseBlock(u64::MAX), hash: BaseBlockHash([1; 32]), signature: [2; 64] };
    let full = Cosigns::new(vec![cosign.clone(); MAX_COSIGNS]).unwrap();
    assert!(encode(&full).len() <= MAX_MESSAGE_BYTES, "{}", encode(&full).len());
    assert!(Cosigns::new(vec![cosign; MAX_COSIGNS + 1]).is_err());
}

#[test]
fn a_block_of_long_ago_is_forgotten_unless_the_gate_still_needs_it() {
    // COSIGN-4, and the bounds of what is kept.
    let mut finalized = Finalized::keyed(&[("a", 1)]);
    finalized.push(vec![burn("a")]);
    finalized.push_empty(14_500);
    let mut node = coordinator(9);
    node.observe(&finalized);
    // 6 is intended, 7 is not; neither is passed.
    assert_eq!(node.take(&finalized.cosign(set("a", 0), 6)), Verdict::New);
    assert_eq!(node.take(&finalized.cosign(set("a", 0), 7)), Verdict::New);
    assert_eq!(node.follow(&finalized), (14_503, None));
    for passed in [6, 7] {
        let mut late = finalized.cosign(set("a", 0), passed);
        late.hash = BaseBlockHash([3; 32]);
        assert_eq!(node.take(&late), Verdict::Unknown, "forgotten");
    }
    assert_eq!(node.take(&finalized.cosign(set("a", 0), 14_000)), Verdict::New);
}

proptest! {
    /// COSIGN-10: no bytes panic, and a claimed length is refused before anything is made for it.
    #[test]
    fn foreign_bytes_are_cosigns_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut claims = u32::MAX.to_le_bytes().to_vec();
        claims.extend(&bytes);
        prop_assert!(decode::<Cosigns>(&claims, MAX_MESSAGE_BYTES).is_err());
        prop_assert!(decode::<Cosigns>(&bytes, MAX_MESSAGE_BYTES).map_or(true, |c| c.len() <= MAX_COSIGNS));
        prop_assert_eq!(cosign::question(&bytes).is_some(), bytes.len() == 8);
    }
}
