//! One authenticated libp2p swarm for all tributaries of a coordinator.
