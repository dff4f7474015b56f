//! The coordinator's rules, as pure functions over a transaction.
