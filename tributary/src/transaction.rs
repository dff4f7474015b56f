//! Transactions of a tributary. Payloads are opaque here: `coordinator-core` gives them meaning.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_keys::{Claim, SecretKey, Signature};
use processor_messages::{Bytes, DecodeError, Genesis, Validator, decode, encode};

use crate::{Evidence, MAX_TRANSACTION_BYTES, Members, hash::hash, signing};

/// The longest name of an order, in bytes.
pub const MAX_ORDER_BYTES: usize = 128;

/// The nonce domain of signed transactions: what `(order, nonce)` names is sent at most once. Chosen by the
/// payload's type, such as the topic and attempt of a signing protocol.
pub type Order = Bytes<MAX_ORDER_BYTES>;
/// What a transaction carries. The chain's configured limit, which may be smaller, applies to the whole
/// encoded transaction.
pub type Payload = Bytes<MAX_TRANSACTION_BYTES>;

/// A queue of provided transactions: each kind has its own consecutive ordinals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, BorshSerialize, BorshDeserialize)]
pub struct Kind(pub u8);

impl Kind {
    /// The rules above the chain have slashed a validator fatally: the payload is its 32 bytes. In that block and after it nothing
    /// that it signed is valid, nor anything unsigned in a block of its own (`TRIB-31`).
    pub const SLASHED: Self = Self(15);

    /// Whom a provided transaction bars, if it is of the kind that does.
    ///
    /// # Errors
    /// If it is of that kind and its payload is no validator.
    pub(crate) fn bars(self, payload: &Payload) -> Result<Option<Validator>, &'static str> {
        if self != Self::SLASHED {
            return Ok(None);
        }
        let bytes = <[u8; 32]>::try_from(&**payload);
        bytes.map(|bytes| Some(Validator(bytes))).map_err(|_| "a slash of what is no validator")
    }
}

/// The hash of a transaction: over its whole encoding, signature included, so that a block's hash fixes
/// every byte of it.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, BorshSerialize, BorshDeserialize,
)]
pub struct TransactionHash(pub [u8; 32]);

impl TransactionHash {
    /// The hash of an encoded transaction.
    pub(crate) fn of(encoded: &[u8]) -> Self {
        Self(hash("tributary transaction", &[encoded]))
    }
}

/// A transaction; in a block, variants appear in this order.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Transaction {
    /// What every validator derives locally; the next of its kind.
    Provided {
        /// Which queue.
        kind: Kind,
        /// What was derived.
        payload: Payload,
    },
    /// Proof of a validator's equivocation; at most one per validator and chain.
    Evidence(Evidence),
    /// Deduplicated by hash, for ever.
    Unsigned(Payload),
    /// By a validator, with a consecutive nonce per order.
    Signed(SignedTransaction),
}

/// A transaction of a validator.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct SignedTransaction {
    /// Who signed.
    pub signer: Validator,
    /// The nonce domain.
    pub order: Order,
    /// Consecutive from 0 in `(signer, order)`.
    pub nonce: u32,
    /// What it carries.
    pub payload: Payload,
    /// Over the chain's genesis and all fields above.
    pub signature: Signature,
}

impl SignedTransaction {
    /// Signs a transaction for the chain `genesis`.
    pub fn sign(genesis: Genesis, key: &SecretKey, order: Order, nonce: u32, payload: Payload) -> Self {
        let signer = Validator(key.public().to_bytes());
        let message = Self::message(genesis, &signer, &order, nonce, &payload);
        let signature = key.sign(signing::TRANSACTION, &message);
        Self { signer, order, nonce, payload, signature }
    }

    fn message(
        genesis: Genesis,
        signer: &Validator,
        order: &Order,
        nonce: u32,
        payload: &Payload,
    ) -> Vec<u8> {
        encode(&(genesis, signer, order, nonce, hash("tributary payload", &[payload])))
    }

    /// Whether a member signed it for this chain.
    #[must_use]
    pub fn verify(&self, members: &Members) -> bool {
        self.claim(members).is_some_and(|claim| claim.verify())
    }

    /// What the signature claims, if by a member.
    pub(crate) fn claim<'a>(&self, members: &'a Members) -> Option<Claim<'a>> {
        let key = &members.get(&self.signer)?.key;
        let message = Self::message(members.genesis(), &self.signer, &self.order, self.nonce, &self.payload);
        Some(Claim { key, domain: signing::TRANSACTION, message, signature: self.signature })
    }
}

impl Transaction {
    /// The hash over the whole encoding.
    pub fn hash(&self) -> TransactionHash {
        TransactionHash::of(&encode(self))
    }

    /// Decodes one transaction of at most `limit` bytes.
    ///
    /// # Errors
    /// [`DecodeError`] if too long, malformed, or with trailing bytes.
    pub fn decode(bytes: &[u8], limit: usize) -> Result<Self, DecodeError> {
        decode(bytes, limit)
    }
}
