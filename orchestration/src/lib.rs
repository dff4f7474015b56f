//! Runs a testnet: keys, configurations, processes.
