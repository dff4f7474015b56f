//! The store on disk: an fsynced log with group commit, and parity-db tables behind it.
