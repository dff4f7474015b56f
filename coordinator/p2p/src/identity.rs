//! A validator's key is its peer id: an identity multihash of the 32 bytes. Nothing to look up, nothing to
//! forge: the swarm only ever sees ids which the handshake has proven.

use libp2p::PeerId;
use processor_messages::Validator;

const IDENTITY_HASH: u8 = 0;
const KEY_BYTES: u8 = 32;

/// The peer id of a validator.
pub(crate) fn peer_id(validator: Validator) -> PeerId {
    let mut bytes = vec![IDENTITY_HASH, KEY_BYTES];
    bytes.extend(validator.0);
    PeerId::from_bytes(&bytes).expect("an identity multihash of 32 bytes is a peer id")
}

/// The validator of a peer id; `None` for ids of another kind.
pub(crate) fn validator(peer: &PeerId) -> Option<Validator> {
    let bytes = peer.to_bytes();
    let key = bytes.strip_prefix(&[IDENTITY_HASH, KEY_BYTES])?;
    key.try_into().ok().map(Validator)
}
