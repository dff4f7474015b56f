//! Free ports on loopback.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

/// Finds `count` different free ports on loopback.
///
/// They are held together until all are known, so they differ; another program may still take one before
/// its service starts, which that service then reports by name.
///
/// # Errors
/// What the system says when it has no port left.
pub fn free_ports(count: usize) -> io::Result<Vec<SocketAddr>> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    listeners.iter().map(TcpListener::local_addr).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_differ_and_are_free() {
        let ports = free_ports(20).unwrap();
        let distinct: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(distinct.len(), 20);
        assert!(TcpListener::bind(ports[7]).is_ok());
    }
}
