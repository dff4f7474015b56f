//! The tributaries of the sets we are in: opened, fed with what we derive and send, and read.

mod open;
mod peers;
mod publish;
mod scan;

pub use open::{Open, Opened, Sessions, Timing};
pub use peers::Peers;
pub use publish::{Publish, due_inputs, is_due};
pub use scan::{Scan, ordered_block};
