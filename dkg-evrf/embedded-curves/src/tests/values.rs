//! Random values, edge values among them.
#![allow(missing_docs)]

use proptest::prelude::*;

use crate::field::{Element, Modulus};

/// Random bytes, and those near the ends of words and of the range.
pub(super) fn bytes() -> impl Strategy<Value = [u8; 32]> {
    prop_oneof![
        3 => any::<[u8; 32]>(),
        1 => (any::<[bool; 4]>(), any::<[u8; 4]>()).prop_map(|(high, low)| {
            let mut bytes = [0; 32];
            for (word, (high, low)) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(high.into_iter().zip(low)) {
                *word = if high { (u64::MAX - u64::from(low)).to_le_bytes() } else { u64::from(low).to_le_bytes() };
            }
            bytes
        }),
    ]
}

/// Those bytes reduced, values near 0 on both sides, and powers of two and what is next to them.
pub(super) fn element<M: Modulus>() -> impl Strategy<Value = Element<M>> {
    let power = |bit: u8| {
        let mut limbs = [0; 4];
        limbs[usize::from(bit / 64)] = 1 << (bit % 64);
        Element::<M>::from_limbs(limbs)
    };
    prop_oneof![
        4 => bytes().prop_map(|bytes| {
            let words = bytes.as_chunks::<8>().0;
            Element::from_limbs(std::array::from_fn(|i| u64::from_le_bytes(words[i])))
        }),
        1 => (0u64..4).prop_map(Element::from_u64),
        1 => (0u64..4).prop_map(|value| -Element::<M>::from_u64(value)),
        1 => (any::<u8>(), 0u64..3).prop_map(move |(bit, more)| power(bit) + Element::from_u64(more) - Element::<M>::ONE),
    ]
}
