//! What a coordinator needs of a base chain: types, trait, JSON-RPC client.
