//! The tributaries of the sets we are in: opened, fed with what we derive and send, read, and in the end archived
//! and pruned.

mod open;
mod peers;
mod publish;
mod retire;
mod scan;

pub use open::{Open, Opened, Sessions, Timing};
pub use peers::Peers;
pub use publish::{Publish, due_inputs, is_due};
pub use retire::{ARCHIVES, Retire, read_archive, write_archive};
pub use scan::{Scan, ordered_block};
