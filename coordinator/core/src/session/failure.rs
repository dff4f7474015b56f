//! Key generations which our processor says cannot complete: shown, and otherwise without effect, since the
//! base chain decides what becomes of a set without keys.

use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{Validator, ValidatorSet, key_gen::FailureReason};

use crate::Step;

const FAILURES: Table<ValidatorSet, (FailureReason, Vec<Validator>)> = Table::new("session/failure");

pub(crate) fn record(
    step: &mut Step<'_>,
    set: ValidatorSet,
    reason: FailureReason,
    culprits: Vec<Validator>,
) {
    FAILURES.put(step.txn, &set, &(reason, culprits));
}

/// Why our processor cannot complete the key generation, and whose participations were invalid.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn get(
    db: &(impl Read + ?Sized),
    set: ValidatorSet,
) -> Result<Option<(FailureReason, Vec<Validator>)>, StoreError> {
    FAILURES.get(db, &set)
}

/// Forgets an ended set.
pub(super) fn prune(txn: &mut dyn Transaction, set: ValidatorSet) {
    FAILURES.delete(txn, &set);
}
