//! What recovery finds of a batch whose write was torn: for simulations, which have no files.

use std::sync::Arc;

use coordinator_store::Writes;

use crate::record::{Operations, Record};

/// How many of these steps, written as one batch, a restart finds if the disk took only the first `taken` bytes of it,
/// and the byte at `damaged`, if there is one, is wrong: what is whole and true, in order.
pub fn whole_steps(steps: &[Writes], taken: usize, damaged: Option<usize>) -> usize {
    const SALT: u64 = 0x7065_7277;
    let mut bytes = Vec::new();
    for (sequence, step) in (1_u64..).zip(steps) {
        let operations: Operations =
            step.iter().map(|(key, value)| (key.clone(), value.clone().map(Arc::new))).collect();
        Record::encode(SALT, sequence, 0, &operations, &mut bytes);
    }
    bytes.truncate(taken);
    if let Some(byte) = damaged.and_then(|at| bytes.get_mut(at)) {
        *byte ^= 1;
    }
    let mut rest: &[u8] = &bytes;
    let mut whole = 0;
    while Record::decode(SALT, &mut rest).is_some() {
        whole += 1;
    }
    whole
}

/// The bytes of these steps, written as one batch.
pub fn batch_bytes(steps: &[Writes]) -> usize {
    let step = |step: &Writes| -> usize {
        // Length, checksum, sequence, synced and count; each write has its key's length, its kind, its value's length.
        let write = |(key, value): (&Vec<u8>, &Option<Vec<u8>>)| {
            5 + key.len() + value.as_ref().map_or(0, |value| 4 + value.len())
        };
        28 + step.iter().map(write).sum::<usize>()
    };
    steps.iter().map(step).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<Writes> {
        let step = |n: u8| Writes::from([(vec![n], Some(vec![n; 10])), (vec![n, 1], None)]);
        (0..4).map(step).collect()
    }

    /// `STORE-4`: a torn tail is cut off at the last whole record.
    #[test]
    fn of_a_torn_batch_the_whole_steps_before_the_tear_are_found() {
        let steps = steps();
        let all = batch_bytes(&steps);
        assert_eq!(whole_steps(&steps, all, None), 4);
        let each = all / 4;
        for taken in 0..all {
            assert_eq!(whole_steps(&steps, taken, None), taken / each, "{taken} of {all}");
        }
        for damaged in 0..all {
            assert_eq!(whole_steps(&steps, all, Some(damaged)), damaged / each);
        }
    }
}
