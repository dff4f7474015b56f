//! The bytes of the log.

use std::sync::Arc;

use proptest::prelude::*;

use crate::record::{Header, Operations, Record, find_proof};

fn operations() -> impl Strategy<Value = Operations> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    proptest::collection::vec((bytes(), proptest::option::of(bytes().prop_map(Arc::new))), 0..5)
}

fn encoded(salt: u64, sequence: u64, synced: u64, operations: &Operations) -> Vec<u8> {
    let mut bytes = Vec::new();
    Record::encode(salt, sequence, synced, operations, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn records_round_trip(salt: u64, sequence: u64, synced: u64, operations in operations()) {
        let bytes = encoded(salt, sequence, synced, &operations);
        let mut rest = bytes.as_slice();
        prop_assert_eq!(Record::decode(salt, &mut rest), Some(Record { sequence, synced, operations }));
        prop_assert!(rest.is_empty());
    }

    // STORE-4.
    #[test]
    fn a_record_with_any_bit_flipped_is_none(operations in operations(), at: prop::sample::Index, bit in 0..8_u8) {
        let mut bytes = encoded(7, 2, 1, &operations);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert_eq!(Record::decode(7, &mut bytes.as_slice()), None);
    }

    #[test]
    fn a_record_cut_short_is_none(operations in operations(), at: prop::sample::Index) {
        let bytes = encoded(7, 2, 1, &operations);
        prop_assert_eq!(Record::decode(7, &mut &bytes[..at.index(bytes.len())]), None);
    }

    #[test]
    fn any_bytes_decode_to_a_value_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Record::decode(0, &mut bytes.as_slice());
        let _ = Header::decode(&bytes);
        let _ = find_proof(0, &bytes, 0);
    }
}

#[test]
fn a_header_round_trips_and_a_flipped_bit_shows() {
    let header = Header { first: 3, salt: 9 };
    let bytes = header.encode();
    assert_eq!(Header::decode(&bytes), Some(header));
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        assert_eq!(Header::decode(&bytes), None);
    }
}

#[test]
fn the_encoding_of_a_record_is_frozen() {
    let operations = vec![(b"k".to_vec(), Some(Arc::new(b"v".to_vec()))), (b"d".to_vec(), None)];
    let bytes: String = encoded(1, 2, 1, &operations).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(bytes, FROZEN);
}

const FROZEN: &str =
    "2500000082e39fc80200000000000000010000000000000002000000010000006b010100000076010000006400";
