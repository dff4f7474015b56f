//! Burns are paid out: plans, what was signed, and what the network has of it.
//!
//! ```text
//! SetKeys(session)    -> the session's account is looked at; it pays the burns of the blocks which follow
//! Block with burns    -> plans of the paying session, named by BlockAcknowledged; if we hold a share: attempt 0
//! signature complete  -> outbox -> the network, again and again until it has it
//! account's payments  -> our plan?                       TransactionCompleted, in the account's order; nothing to sign
//!                        its block has not come to us?   the account waits here
//!                        no plan                         passed over
//! ```
//!
//! Plans are a function of the base chain's feed, so every processor of a network makes the same, member of the paying
//! set or not; and an account has one order, so all say the same completions in the same order (`PROC-14`, `PROC-16`).
//! A processor whose feed is behind waits at a payment whose block has not come: it might be a plan.
//!
//! Whoever is no member of a set cannot make it wait, or say anything: only the set's key pays from its account.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Outbox, Put, Read, StoreError, Table};
use processor_messages::{
    BaseBlock, Burn, Bytes, FromProcessor, KeyBytes, KeyPair, List, MAX_INSTRUCTIONS, Session, TransactionId,
    base_chain, sign::SigningId,
};

use super::{
    Error, Step, feed,
    signing::{self, Subject},
};
use crate::{
    ledger::{Payment, SignedPayment, payments_of},
    status::Notice,
};

/// The most signed payments which wait for the network. At the bound what would complete one fails and is tried again.
pub const MAX_WAITING: u64 = 4_096;
/// The most sessions looked at; a retired one is forgotten.
const MAX_SESSIONS: usize = 1_024;
/// The most rows which are forgotten at a time.
const MAX_FORGOTTEN: usize = 4_096;

/// Signed payments which the network does not have yet, by id.
pub const SIGNED: Outbox<(), SignedPayment> = Outbox::new("payments/signed", MAX_WAITING);
/// The accounts of sessions with keys which are not retired.
const ACCOUNTS: Table<Session, Account> = Table::new("payments/account");
/// What is planned and not yet seen on the network.
const PLANS: Table<(Session, TransactionId), Payment> = Table::new("payments/plan");
/// How many of a session's plans the network has.
const COMPLETED: Table<Session, u64> = Table::new("payments/completed");

/// A session's account on the network, and how far it was looked at.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// The session's key on the network's curve.
    pub key: KeyBytes,
    /// The place of the next payment to look at.
    pub next: u64,
}

/// How a session's payments stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Whose.
    pub session: Session,
    /// Planned and not seen on the network; at most 4,096 are counted.
    pub open: usize,
    /// Seen on the network.
    pub completed: u64,
}

/// The accounts to look at, by session.
///
/// # Errors
/// [`StoreError`].
pub fn accounts(db: &(impl Read + ?Sized)) -> Result<Vec<(Session, Account)>, StoreError> {
    ACCOUNTS.scan(db, &(), None, MAX_SESSIONS)
}

/// How each session's payments stand, ascending.
///
/// # Errors
/// [`StoreError`].
pub fn standings(db: &(impl Read + ?Sized)) -> Result<Vec<Standing>, StoreError> {
    let standing = |(session, _): (Session, Account)| {
        let open = PLANS.scan(db, &session, None, MAX_FORGOTTEN)?.len();
        Ok(Standing { session, open, completed: COMPLETED.get(db, &session)?.unwrap_or(0) })
    };
    accounts(db)?.into_iter().map(standing).collect()
}

/// Payments which wait for the network, oldest first.
///
/// # Errors
/// [`StoreError`].
pub fn waiting(db: &(impl Read + ?Sized), limit: usize) -> Result<Vec<SignedPayment>, StoreError> {
    Ok(SIGNED.list(db, &(), 0, limit)?.into_iter().map(|letter| letter.value).collect())
}

/// A session's keys are on the base chain: it pays from here on.
///
/// # Errors
/// [`Error`].
pub fn keys_set(step: &mut Step<'_>, session: Session, pair: &KeyPair) -> Result<(), Error> {
    if ACCOUNTS.get(step.txn, &session)?.is_none() {
        ACCOUNTS.put(step.txn, &session, &Account { key: pair.network.clone(), next: 0 });
    }
    Ok(())
}

/// Plans the payments of a block's burns; which they are.
///
/// # Errors
/// [`Error`].
pub fn block(
    step: &mut Step<'_>,
    block: BaseBlock,
    burns: &[Burn],
) -> Result<List<(Session, TransactionId), MAX_INSTRUCTIONS>, Error> {
    let mut planned = Vec::new();
    if !burns.is_empty() {
        let Some((session, _)) = accounts(step.txn)?.pop() else {
            // Nobody holds coins of a network before its first keys.
            step.notice(Notice::Unpayable { block, burns: burns.len() });
            return Ok(List::default());
        };
        for payment in payments_of(session, block, burns) {
            planned.push((session, plan(step, payment)?));
        }
        step.notice(Notice::Planned { session, block, burns: burns.len(), payments: planned.len() });
    }
    Ok(List::new(planned).expect("no more payments than burns"))
}

fn plan(step: &mut Step<'_>, payment: Payment) -> Result<TransactionId, Error> {
    let (session, id) = (payment.session, payment.id(&step.me.ledger()));
    PLANS.put(step.txn, &(session, id), &payment);
    let begun_before = feed::former_life_may_have_seen(step, payment.block)?;
    let subject = Subject::Transaction { id, payment };
    if begun_before {
        signing::expect(step, session, subject)?;
    } else {
        signing::start(step, session, subject)?;
    }
    Ok(id)
}

/// A payment's signature is complete: the network gets it.
///
/// # Errors
/// [`Error::PaymentsFull`]; [`Error`].
pub(super) fn signed(
    step: &mut Step<'_>,
    id: TransactionId,
    payment: Payment,
    signature: Vec<u8>,
) -> Result<(), Error> {
    let account = ACCOUNTS.get(step.txn, &payment.session)?;
    let (Some(Account { key: from, .. }), Ok(signature)) = (account, Bytes::new(signature)) else {
        return Ok(());
    };
    match SIGNED.put(step.txn, &(), &id.0, SignedPayment { payment, from, signature })? {
        Put::Added | Put::Kept | Put::Differs => Ok(()),
        Put::Full => Err(Error::PaymentsFull),
    }
}

/// The network has a payment which waited for it.
///
/// # Errors
/// [`Error`].
pub fn taken(step: &mut Step<'_>, payment: &Payment) -> Result<(), Error> {
    let id = payment.id(&step.me.ledger());
    SIGNED.acknowledge(step.txn, &(), &id.0)?;
    Ok(())
}

/// What a session's account paid from a place on, as the network says; true if anything came of it.
///
/// # Errors
/// [`Error`].
pub fn seen(
    step: &mut Step<'_>,
    session: Session,
    from: u64,
    payments: &[SignedPayment],
) -> Result<bool, Error> {
    // Retired meanwhile, or looked at by another answer.
    let Some(mut account) = ACCOUNTS.get(step.txn, &session)?.filter(|a| a.next == from) else {
        return Ok(false);
    };
    for SignedPayment { payment, .. } in payments {
        if !look_at(step, session, payment)? {
            break;
        }
        account.next = account.next.saturating_add(1);
    }
    ACCOUNTS.put(step.txn, &session, &account);
    Ok(account.next > from)
}

/// Whether a payment of a session's account can be passed: it is a plan, or is none for sure.
fn look_at(step: &mut Step<'_>, session: Session, payment: &Payment) -> Result<bool, Error> {
    let id = payment.id(&step.me.ledger());
    if PLANS.get(step.txn, &(session, id))?.is_some() {
        complete(step, session, id)?;
        return Ok(true);
    }
    let passed = feed::has_passed(step, payment.block)?;
    if passed {
        step.notice(Notice::NoPlan { session, id });
    }
    Ok(passed)
}

fn complete(step: &mut Step<'_>, session: Session, id: TransactionId) -> Result<(), Error> {
    PLANS.delete(step.txn, &(session, id));
    let completed = COMPLETED.get(step.txn, &session)?.unwrap_or(0).saturating_add(1);
    COMPLETED.put(step.txn, &session, &completed);
    SIGNED.acknowledge(step.txn, &(), &id.0)?;
    signing::finish(step, session, &SigningId::Transaction(id))?;
    step.notice(Notice::Completed { session, id });
    let completed = base_chain::FromProcessor::TransactionCompleted { session, id };
    step.say(&FromProcessor::BaseChain(completed))
}

/// Whether the network has everything that the sessions before this one were to pay (`PROC-17`).
///
/// # Errors
/// [`StoreError`].
pub fn are_settled_before(db: &(impl Read + ?Sized), session: Session) -> Result<bool, StoreError> {
    let first = PLANS.scan(db, &(), None, 1)?;
    Ok(first.into_iter().next().is_none_or(|((of, _), _)| of >= session))
}

/// The session is retired: nobody looks at its account any more.
///
/// # Errors
/// [`Error`].
pub fn retire(step: &mut Step<'_>, session: Session) -> Result<(), Error> {
    ACCOUNTS.delete(step.txn, &session);
    COMPLETED.delete(step.txn, &session);
    while PLANS.clear(step.txn, &session, MAX_FORGOTTEN)? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests;
