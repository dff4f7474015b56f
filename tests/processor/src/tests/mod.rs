//! Several processors and what their coordinators would agree on.

pub(crate) mod cluster;
mod http;
mod reattempts;
mod rotation;
mod shutdown;
