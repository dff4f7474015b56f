//! Tests of the parts, and of the engine over disks that lose what they may.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::format_collect, clippy::match_same_arms)]

mod crash;
mod damage;
mod record;
mod sim;
