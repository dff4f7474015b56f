//! The processors: our outbox moves into the message queue, and their messages are handled.

mod receive;
mod send;

pub use receive::Receive;
pub use send::Send;
