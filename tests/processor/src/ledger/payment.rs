//! A payment, its id, and the bytes which an account signs.
//!
//! A payment is a function of the burns which it pays, so every processor of a network plans the same, and its id
//! commits to all of it: to chain, network, paying session, base-chain block and outputs.

use blake2::{Blake2b, Digest, digest::consts::U32};
use borsh::{BorshDeserialize, BorshSerialize};
use processor_messages::{
    Amount, BaseBlock, Burn, Bytes, KeyBytes, List, MAX_KEY_BYTES, Session, TransactionId, encode,
};
use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::frost;

/// The most outputs of one payment.
pub const MAX_OUTPUTS: usize = 64;
/// The longest signature: a compressed point of 33 bytes and a scalar of 32.
const MAX_SIGNATURE_BYTES: usize = 65;

/// Who gets how much.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Output {
    /// Where to, in the network's own encoding: on a simulated network any bytes.
    pub destination: Bytes<MAX_KEY_BYTES>,
    /// How much.
    pub amount: Amount,
}

/// What one account pays at once.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Payment {
    /// The session which pays.
    pub session: Session,
    /// The base-chain block whose burns are paid.
    pub block: BaseBlock,
    /// Which of that block's payments, from 0.
    pub index: u16,
    /// In the order of the burns.
    pub outputs: List<Output, MAX_OUTPUTS>,
}

/// A payment with its account and the account's signature.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct SignedPayment {
    /// What is paid.
    pub payment: Payment,
    /// The account: a public key on the network's curve.
    pub from: KeyBytes,
    /// By the account: R and s.
    pub signature: Bytes<MAX_SIGNATURE_BYTES>,
}

impl Payment {
    /// What the account signs. The challenge of the signature covers the account itself.
    pub fn message(&self, ledger: &Ledger) -> Vec<u8> {
        let domain = "headwater simulated payment v1";
        encode(&(domain, ledger.chain, ledger.network, self))
    }

    /// The transaction's id.
    pub fn id(&self, ledger: &Ledger) -> TransactionId {
        TransactionId(Blake2b::<U32>::digest(self.message(ledger)).into())
    }
}

impl SignedPayment {
    /// Whether the account signed it for this network; variable time, as nothing is secret.
    #[must_use]
    pub fn verify(&self, ledger: &Ledger) -> bool {
        frost::verify(ledger.curve, &self.from, &self.payment.message(ledger), &self.signature)
    }
}

/// The payments of a block's burns by a session, in order.
///
/// # Panics
/// Never: a chunk has at most [`MAX_OUTPUTS`] burns, and a block fewer chunks than 2^16.
pub fn payments_of(session: Session, block: BaseBlock, burns: &[Burn]) -> Vec<Payment> {
    let output = |burn: &Burn| Output { destination: burn.destination.clone(), amount: burn.amount };
    let payment = |(index, burns): (u16, &[Burn])| {
        let outputs = List::new(burns.iter().map(output).collect()).expect("a chunk of this size");
        Payment { session, block, index, outputs }
    };
    (0_u16..).zip(burns.chunks(MAX_OUTPUTS)).map(payment).collect()
}
