//! How many strangers may stand at the door: connections in the handshake, in all and from one address.
//!
//! The bound for one address (of IPv6, one /64 network) keeps a single host from taking every place. At a
//! bound a connection is closed on arrival, before a byte of it is read. Validators behind one address, as
//! in a testnet on one machine, share it; who is turned away dials again.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, dummy,
    },
};

use crate::{Counters, Reason, network::socket_address};

/// Of all places at the door, one address may take this fraction.
const ADDRESS_SHARE: usize = 4;

#[derive(Debug, thiserror::Error)]
#[error("too many connections are in the handshake")]
struct TooManyHandshakes;

/// Admits connections to the handshake.
pub(crate) struct Door {
    most: usize,
    counters: Arc<Counters>,
    pending: HashMap<ConnectionId, IpAddr>,
}

impl Door {
    pub(crate) fn new(most: usize, counters: Arc<Counters>) -> Self {
        Self { most, counters, pending: HashMap::new() }
    }

    fn admits(&self, source: IpAddr) -> bool {
        let same = self.pending.values().filter(|other| **other == source).count();
        (self.pending.len() < self.most) && (same < self.most.div_ceil(ADDRESS_SHARE))
    }
}

/// Whom an address belongs to, as far as places are concerned.
fn source(address: &Multiaddr) -> IpAddr {
    match socket_address(address).ip() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl NetworkBehaviour for Door {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let source = source(remote);
        if !self.admits(source) {
            self.counters.count(Reason::TooManyHandshakes);
            return Err(ConnectionDenied::new(TooManyHandshakes));
        }
        self.pending.insert(connection, source);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&connection);
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        if let FromSwarm::ListenFailure(failure) = event {
            self.pending.remove(&failure.connection_id);
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
