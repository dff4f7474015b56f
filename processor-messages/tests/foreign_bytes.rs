//! Bytes from outside never panic and never choose an allocation (`MSG-1`, `MSG-2`, `MSG-3`).

#![allow(unsafe_code, reason = "a global allocator which counts is the direct test of MSG-2")]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use common::{bytes, from_processor, list, to_processor};
use processor_messages::{
    Attempt, BatchId, FromProcessor, Incarnation, Network, Participant, Session, ToProcessor, TributaryBlock,
    Validator,
    codec::{DecodeError, MAX_MESSAGE_BYTES},
    decode, encode, key_gen,
    sign::{self, SignId, SigningId},
};
use proptest::prelude::*;

struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: forwards to the system's allocator; the counter is a plain thread-local number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.with(|n| n.set(n.get().saturating_add(layout.size())));
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocated_by<T>(work: impl FnOnce() -> T) -> usize {
    let before = ALLOCATED.with(Cell::get);
    drop(work());
    ALLOCATED.with(Cell::get) - before
}

fn decode_both(input: &[u8]) {
    let spent = allocated_by(|| {
        (
            decode::<ToProcessor>(input, MAX_MESSAGE_BYTES).is_ok(),
            decode::<FromProcessor>(input, MAX_MESSAGE_BYTES).is_ok(),
        )
    });
    assert!(spent <= 4_096 + 128 * input.len(), "{} bytes made the decoder allocate {spent}", input.len());
}

fn encodings() -> Vec<Vec<u8>> {
    to_processor().iter().map(|m| encode(&m.1)).chain(from_processor().iter().map(|m| encode(&m.1))).collect()
}

#[test]
fn a_truncated_message_is_refused_at_every_length() {
    for (_, message) in to_processor() {
        let encoded = encode(&message);
        for length in 0..encoded.len() {
            assert!(decode::<ToProcessor>(&encoded[..length], MAX_MESSAGE_BYTES).is_err());
        }
    }
    for (_, message) in from_processor() {
        let encoded = encode(&message);
        for length in 0..encoded.len() {
            assert!(decode::<FromProcessor>(&encoded[..length], MAX_MESSAGE_BYTES).is_err());
        }
    }
}

#[test]
fn trailing_bytes_are_refused() {
    for (_, message) in to_processor() {
        let mut encoded = encode(&message);
        encoded.push(0);
        assert!(matches!(decode::<ToProcessor>(&encoded, MAX_MESSAGE_BYTES), Err(DecodeError::Malformed(_))));
    }
}

#[test]
fn a_message_beyond_the_bound_is_refused_before_it_is_read() {
    let input = vec![0; MAX_MESSAGE_BYTES + 1];
    assert_eq!(
        decode::<ToProcessor>(&input, MAX_MESSAGE_BYTES),
        Err(DecodeError::TooLong { length: MAX_MESSAGE_BYTES + 1, limit: MAX_MESSAGE_BYTES })
    );
}

/// `MSG-2`: whatever four bytes of a message are replaced by a length.
#[test]
fn a_false_length_allocates_nothing() {
    for encoded in encodings() {
        for at in 0..encoded.len().saturating_sub(4) {
            for claim in [u32::MAX, 1 << 24, 262_144, 65_535, 1_024, 150] {
                let mut wrong = encoded.clone();
                wrong[at..at + 4].copy_from_slice(&claim.to_le_bytes());
                decode_both(&wrong);
            }
        }
    }
}

/// `MSG-6`: zero is no participant, in memory and in an encoding.
#[test]
fn zero_is_no_participant() {
    assert_eq!(Participant::new(0), None);
    assert!(decode::<Participant>(&[0, 0], 2).is_err());
    assert_eq!(decode::<Participant>(&[1, 0], 2).unwrap(), Participant::new(1).unwrap());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(input in proptest::collection::vec(any::<u8>(), 0..4_096)) {
        decode_both(&input);
    }

    #[test]
    fn a_damaged_message_never_panics(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let all = encodings();
        let mut encoded = which.get(&all).clone();
        let at = at.index(encoded.len());
        encoded[at] = byte;
        decode_both(&encoded);
    }

    /// `MSG-3`: what decodes has one encoding only.
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let all = encodings();
        let mut encoded = which.get(&all).clone();
        let at = at.index(encoded.len());
        encoded[at] = byte;
        if let Ok(message) = decode::<ToProcessor>(&encoded, MAX_MESSAGE_BYTES) {
            prop_assert_eq!(encode(&message), encoded.clone());
        }
        if let Ok(message) = decode::<FromProcessor>(&encoded, MAX_MESSAGE_BYTES) {
            prop_assert_eq!(encode(&message), encoded);
        }
    }

    #[test]
    fn participations_of_any_content_come_back(
        session in any::<u32>(), incarnation in any::<u64>(), block in any::<u64>(),
        parts in proptest::collection::vec((any::<[u8; 32]>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..9),
    ) {
        let participations: Vec<_> = parts.iter().map(|(v, b)| (Validator(*v), bytes(b))).collect();
        let message = ToProcessor::KeyGen(key_gen::ToProcessor::Block {
            session: Session(session), incarnation: Incarnation(incarnation), block: TributaryBlock(block),
            participations: list(&participations),
        });
        prop_assert_eq!(decode::<ToProcessor>(&encode(&message), MAX_MESSAGE_BYTES), Ok(message));
    }

    #[test]
    fn signing_pieces_of_any_content_come_back(
        id in (any::<u32>(), any::<u32>(), any::<u32>()),
        parts in proptest::collection::vec((1..=u16::MAX, proptest::collection::vec(any::<u8>(), 0..300)), 0..9),
    ) {
        let pieces: Vec<_> = parts.iter().map(|(i, b)| (Participant::new(*i).unwrap(), bytes(b))).collect();
        let id = SignId { session: Session(id.0), id: SigningId::Batch(BatchId(id.1)), attempt: Attempt(id.2) };
        let message = ToProcessor::Sign(sign::ToProcessor::Preprocesses { id, preprocesses: list(&pieces) });
        prop_assert_eq!(decode::<ToProcessor>(&encode(&message), MAX_MESSAGE_BYTES), Ok(message));
    }

    /// `MSG-5`: the intent is a function of the whole scope, and of nothing else.
    #[test]
    fn an_intent_differs_exactly_if_its_scope_differs(
        a in (0..3_u32, 0..3_u32, 0..3_u32), b in (0..3_u32, 0..3_u32, 0..3_u32), noise in any::<u8>(),
    ) {
        let network = Network::new("bitcoin").unwrap();
        let intent = |(session, batch, attempt), piece: u8| {
            let id = SignId {
                session: Session(session), id: SigningId::Batch(BatchId(batch)), attempt: Attempt(attempt),
            };
            FromProcessor::Sign(sign::FromProcessor::Shares { id, shares: list(&[bytes(&[piece])]) })
                .intent(network)
        };
        prop_assert_eq!(intent(a, 0) == intent(b, noise), a == b);
    }
}
