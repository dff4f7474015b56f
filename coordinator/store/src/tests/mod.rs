//! Tests: each structure against a plain model, and the memory backend.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod commit;
mod key;
mod memory;
mod model;
mod overlay;
