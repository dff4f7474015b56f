//! Errors, by who must act.

use std::{io, net::SocketAddr};

/// Why the network did not start: the operator acts.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A value of the configuration cannot work.
    #[error("p2p configuration: {0}; correct the value")]
    Config(&'static str),
    /// Another process listens there.
    #[error("p2p address {address} is taken by another process; stop it, or configure another port")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address is not of this machine.
    #[error("p2p address {address} is not an address of this machine; configure one, or 0.0.0.0")]
    AddressNotAvailable {
        /// The address.
        address: SocketAddr,
    },
    /// The system refused the port.
    #[error("p2p address {address}: permission denied; configure a port above 1023")]
    PermissionDenied {
        /// The address.
        address: SocketAddr,
    },
    /// Anything else the system said.
    #[error("p2p address {address} cannot be listened on: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a call did not do what it was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum P2pError {
    /// The network task has ended: the process is stopping.
    #[error("the p2p task has stopped")]
    Stopped,
    /// The chain is not open.
    #[error("the chain is not open")]
    UnknownChain,
    /// The chain is open already; close it first.
    #[error("the chain is open already")]
    ChainOpen,
    /// No more chains fit: retire one, or raise `max_chains`.
    #[error("the most chains are open; retire one, or raise max_chains")]
    TooManyChains,
    /// No member of the chain is reachable; publish again when one is.
    #[error("no member of the chain is reachable")]
    NoPeers,
    /// The members' send queues are full; publish again later.
    #[error("the send queues of all members are full")]
    QueuesFull,
    /// Larger than the configured bound.
    #[error("larger than the bound of the configuration")]
    TooLarge,
    /// The validator is not connected, or no member of the chain.
    #[error("the validator is not connected, or not a member of the chain")]
    Unreachable,
    /// The validator sent no response in time, or broke off.
    #[error("the validator did not respond")]
    NoResponse,
    /// The validator refused the request, e.g. since it does not run the chain.
    #[error("the validator refused the request")]
    Refused,
    /// Too many requests are under way.
    #[error("too many requests are under way")]
    Busy,
}
