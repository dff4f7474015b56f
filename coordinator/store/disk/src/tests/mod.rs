//! Tests of the parts, and of the engine over disks that lose what they may.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod crash;
mod damage;
mod record;
mod sim;
