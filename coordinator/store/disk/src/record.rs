//! Bytes of the log: a segment's header, and records.
//!
//! ```text
//! header:  magic 8 | first sequence 8 | salt 8 | crc32c 4
//! record:  length of body 4 | crc32c 4 | body: sequence 8 | synced 8 | operations (borsh)
//! ```
//!
//! Integers are little-endian. A record's checksum covers the segment's salt, the length and the body. The salt
//! is random: bytes which a peer made us store inside a record cannot pass for a record of their own.
//! `synced` is the last sequence that was durable when the record was written; it proves on recovery that an
//! earlier record had been on disk.

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};

const MAGIC: [u8; 8] = *b"HWlog\0\0\x01";
pub(crate) const HEADER_BYTES: usize = 28;
const HEAD_BYTES: usize = 8;
const BODY_BYTES: usize = 16;

/// A value, shared between the log's queue, the overlay and the table store.
pub(crate) type Value = Arc<Vec<u8>>;
/// One step's writes; `None` removes the key.
pub(crate) type Operations = Vec<(Vec<u8>, Option<Value>)>;

/// What a segment begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) first: u64,
    pub(crate) salt: u64,
}

impl Header {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(self.first.to_le_bytes());
        bytes.extend(self.salt.to_le_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    pub(crate) fn decode(segment: &[u8]) -> Option<Self> {
        let (mut header, crc) = segment.get(..HEADER_BYTES)?.split_at_checked(HEADER_BYTES - 4)?;
        if crc32c::crc32c(header).to_le_bytes() != crc || take(&mut header)? != MAGIC {
            return None;
        }
        Some(Self { first: number(&mut header)?, salt: number(&mut header)? })
    }
}

/// One step in the log.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(crate) sequence: u64,
    pub(crate) synced: u64,
    pub(crate) operations: Operations,
}

impl Record {
    /// Appends the encoding of a record to `bytes`.
    pub(crate) fn encode(
        salt: u64,
        sequence: u64,
        synced: u64,
        operations: &Operations,
        bytes: &mut Vec<u8>,
    ) {
        let start = bytes.len();
        bytes.extend([0; HEAD_BYTES]);
        bytes.extend(sequence.to_le_bytes());
        bytes.extend(synced.to_le_bytes());
        write_operations(operations, bytes);
        let (_, record) = bytes.split_at_mut(start);
        let (head, body) = record.split_at_mut(HEAD_BYTES);
        // The bound of a step is far below 4 GiB.
        let length = u32::try_from(body.len()).expect("a step is bounded").to_le_bytes();
        let (length_slot, crc_slot) = head.split_at_mut(4);
        length_slot.copy_from_slice(&length);
        crc_slot.copy_from_slice(&checksum(salt, length, body).to_le_bytes());
    }

    /// Takes the record off the front of `bytes`; `None` if there is no whole and true one.
    pub(crate) fn decode(salt: u64, bytes: &mut &[u8]) -> Option<Self> {
        let (body, rest) = frame(salt, bytes)?;
        let mut body = body;
        let record = Self {
            sequence: number(&mut body)?,
            synced: number(&mut body)?,
            operations: read_operations(body)?,
        };
        *bytes = rest;
        Some(record)
    }
}

/// The offset of a record in `bytes` which proves that the sequence `lost` had been on disk.
pub(crate) fn find_proof(salt: u64, bytes: &[u8], lost: u64) -> Option<usize> {
    (0..bytes.len()).find(|offset| {
        let Some(bytes) = bytes.get(*offset..) else { return false };
        // Cheap questions first: this runs at every byte.
        let Some(mut head) = bytes.get(HEAD_BYTES..HEAD_BYTES + BODY_BYTES) else { return false };
        let (Some(sequence), Some(synced)) = (number(&mut head), number(&mut head)) else { return false };
        lost <= synced && synced < sequence && frame(salt, bytes).is_some()
    })
}

/// The body of the record at the front, and what follows it.
fn frame(salt: u64, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = bytes;
    let length: [u8; 4] = take(&mut rest)?;
    let crc: [u8; 4] = take(&mut rest)?;
    let (body, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(length)).ok()?)?;
    (body.len() >= BODY_BYTES && checksum(salt, length, body).to_le_bytes() == crc).then_some((body, rest))
}

fn checksum(salt: u64, length: [u8; 4], body: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&salt.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(crc, &length), body)
}

fn write_operations(operations: &Operations, bytes: &mut Vec<u8>) {
    let count = u32::try_from(operations.len()).expect("a step is bounded");
    bytes.extend(count.to_le_bytes());
    for (key, value) in operations {
        let value = value.as_deref();
        (key, value).serialize(bytes).expect("writing to memory does not fail");
    }
}

fn read_operations(mut body: &[u8]) -> Option<Operations> {
    let count = u32::from_le_bytes(take(&mut body)?);
    // Grows as operations are read: the count alone chooses no allocation.
    let mut operations = Operations::new();
    for _ in 0..count {
        let (key, value) = <(Vec<u8>, Option<Vec<u8>>)>::deserialize(&mut body).ok()?;
        operations.push((key, value.map(Arc::new)));
    }
    body.is_empty().then_some(operations)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk()?;
    *bytes = tail;
    Some(*head)
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    take(bytes).map(u64::from_le_bytes)
}
