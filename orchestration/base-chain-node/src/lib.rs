//! The reference base chain: rules, BFT node, JSON-RPC server.
