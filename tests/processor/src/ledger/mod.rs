//! The simulated network's transactions: what its accounts paid, in one order, on which all its processors look.
//!
//! ```text
//! processor: SignedPayment ──client──▶ server ──submit──▶ signature of the account? new? ──▶ next place of the account
//! processor: what has this account paid from place k on? ◀──client── server ◀── list
//! ```
//!
//! Blocks and deposits of a simulated network follow from the time alone ([`crate::external_network`]); payments cannot,
//! since somebody makes them. So each network is one process more, as a network's own nodes would be. Any key is an
//! account, and anybody pays from their own: what an account paid is decided by its key alone. Each account has its own
//! order, so nobody delays whoever looks at another's account.
//!
//! What it deliberately does not do: hold balances, take fees, or forget. A payment is final once it is listed, and
//! listed once it is on disk.
//!
//! Bounds: [`MAX_PAYMENTS`] in all, at which the network refuses; [`MAX_OUTPUTS`] of a payment; [`MAX_LISTED`] in an
//! answer; of the server, `spec/processor.md` PROC-18.
//!
//! Specification: `spec/processor.md`.

pub mod client;
pub mod config;
mod payment;
pub mod server;
#[cfg(test)]
mod tests;

use coordinator_base_chain::NetworkCurve;
use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::{ChainGenesis, KeyBytes, Network, TransactionId};
use serde::{Deserialize, Serialize};

pub use client::{LedgerClient, LedgerError};
pub use payment::{MAX_OUTPUTS, Output, Payment, SignedPayment, payments_of};

/// The most payments of a network; further ones are refused.
pub const MAX_PAYMENTS: u64 = 1 << 24;
/// The most payments in one answer.
pub const MAX_LISTED: usize = 64;

/// How many payments there are.
const COUNT: Table<(), u64> = Table::new("ledger/count");
/// All payments, in order: whose, and its place in the account.
const ORDER: Table<u64, (KeyBytes, u64)> = Table::new("ledger/order");
/// How many payments an account made.
const ACCOUNTS: Table<Vec<u8>, u64> = Table::new("ledger/account");
/// Payments by account and place.
const PAYMENTS: Table<(Vec<u8>, u64), SignedPayment> = Table::new("ledger/payment");
/// The place of a payment in its account.
const PLACES: Table<(Vec<u8>, TransactionId), u64> = Table::new("ledger/place");
/// Whose store this is.
const OWNER: Table<(), (ChainGenesis, Network)> = Table::new("ledger/owner");

/// Which network: what payments are bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ledger {
    /// The base chain which the network is paid by.
    pub chain: ChainGenesis,
    /// Its name.
    pub network: Network,
    /// The curve of its accounts.
    pub curve: NetworkCurve,
}

/// Why the network does not take a payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It is no payment.
    #[error("not a payment")]
    Malformed,
    /// It pays nobody.
    #[error("a payment has at least one output")]
    Empty,
    /// The account did not sign it for this network.
    #[error("not signed by its account for this network")]
    Signature,
    /// No room is left.
    #[error("the network holds as many payments as it can")]
    Full,
}

/// The network took a payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Accepted {
    /// Its id.
    pub id: TransactionId,
    /// Its place in the account's order, from 0.
    pub place: u64,
    /// It was taken before.
    pub known: bool,
}

impl Ledger {
    /// Takes a store which is nobody's; whether it is this network's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn claim(&self, txn: &mut dyn Transaction) -> Result<bool, StoreError> {
        let ours = (self.chain, self.network);
        if let Some(owner) = OWNER.get(txn, &())? {
            return Ok(owner == ours);
        }
        OWNER.put(txn, &(), &ours);
        Ok(true)
    }

    /// Takes a payment which its account signed, once; the same again gets the same answer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn submit(
        &self,
        txn: &mut dyn Transaction,
        signed: &SignedPayment,
    ) -> Result<Result<Accepted, Refusal>, StoreError> {
        if signed.payment.outputs.is_empty() {
            return Ok(Err(Refusal::Empty));
        }
        let (id, account) = (signed.payment.id(self), signed.from.to_vec());
        if let Some(place) = PLACES.get(txn, &(account.clone(), id))? {
            return Ok(Ok(Accepted { id, place, known: true }));
        }
        if !signed.verify(self) {
            return Ok(Err(Refusal::Signature));
        }
        let count = count(txn)?;
        if count >= MAX_PAYMENTS {
            return Ok(Err(Refusal::Full));
        }
        let place = ACCOUNTS.get(txn, &account)?.unwrap_or(0);
        PAYMENTS.put(txn, &(account.clone(), place), signed);
        PLACES.put(txn, &(account.clone(), id), &place);
        ACCOUNTS.put(txn, &account, &place.saturating_add(1));
        ORDER.put(txn, &count, &(signed.from.clone(), place));
        COUNT.put(txn, &(), &count.saturating_add(1));
        Ok(Ok(Accepted { id, place, known: false }))
    }
}

/// How many payments there are.
///
/// # Errors
/// [`StoreError`].
pub fn count(db: &(impl Read + ?Sized)) -> Result<u64, StoreError> {
    Ok(COUNT.get(db, &())?.unwrap_or(0))
}

/// What an account paid from a place on, in order; at most `limit` and [`MAX_LISTED`].
///
/// # Errors
/// [`StoreError`].
pub fn of_account(
    db: &(impl Read + ?Sized),
    account: &[u8],
    from: u64,
    limit: usize,
) -> Result<Vec<SignedPayment>, StoreError> {
    let account = account.to_vec();
    let from = (account.clone(), from);
    let rows = PAYMENTS.scan(db, &account, Some(&from), limit.min(MAX_LISTED))?;
    Ok(rows.into_iter().map(|(_, payment)| payment).collect())
}

/// All payments from a number on, in order; at most `limit` and [`MAX_LISTED`].
///
/// # Errors
/// [`StoreError`].
pub fn all(db: &(impl Read + ?Sized), from: u64, limit: usize) -> Result<Vec<SignedPayment>, StoreError> {
    let mut payments = Vec::new();
    for (_, (account, place)) in ORDER.scan(db, &(), Some(&from), limit.min(MAX_LISTED))? {
        payments.extend(PAYMENTS.get(db, &(account.to_vec(), place))?);
    }
    Ok(payments)
}
