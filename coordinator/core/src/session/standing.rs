//! Whom selections take last: members who made an attempt fail lately (`SIGN-25`).
//!
//! ```text
//! in good standing ── failed a selection ──▶ doubted for DOUBT_ATTEMPTS · attempt_blocks · 2^failures ◀─┐
//!        ▲                                       │                            failed one made since ────┘
//!        └──────────── its time is over ─────────┘     a topic which closes with its share takes a failure away
//! ```
//!
//! A topic remembers by itself who failed it; this is what one topic tells the next.

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Transaction};
use processor_messages::{Genesis, TributaryBlock};

use super::{MemberIndex, Replicated, Session};

/// The first doubt, in attempts of the shortest length.
pub(crate) const DOUBT_ATTEMPTS: u64 = 8;
/// A doubt doubles at most this often.
const MAX_FAILURES: u8 = 6;

/// What selections know of a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
struct Standing {
    /// Failed selections which have not been made good yet.
    failures: u8,
    /// The block which showed the last of them.
    since: TributaryBlock,
    /// The block from which on it is not doubted.
    trusted_from: TributaryBlock,
}

const STANDINGS: Replicated<(Genesis, MemberIndex), Standing> = Replicated::new("session/standing");

/// How many failures a member has, if selections of this block take it only when others do not suffice.
pub(super) fn doubt(session: &Session<'_, '_>, who: MemberIndex) -> Result<Option<u8>, StoreError> {
    let standing = STANDINGS.get(session.step.txn, &(session.genesis(), who))?;
    let doubted = standing.filter(|standing| session.block < standing.trusted_from);
    Ok(doubted.map(|standing| standing.failures))
}

/// The members whom selections of a block take only if others do not suffice, and the block from which on they are
/// trusted again.
pub(crate) fn doubted(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    block: TributaryBlock,
) -> Result<Vec<(MemberIndex, TributaryBlock)>, StoreError> {
    let standings = STANDINGS.scan(db, &genesis, usize::from(u16::MAX))?;
    let until = standings.into_iter().map(|((_, who), standing)| (who, standing.trusted_from));
    Ok(until.filter(|(_, until)| block < *until).collect())
}

/// A member made an attempt fail, in which it was selected at this block. Of selections that were made before the last
/// failure showed nothing more is learnt: topics fail together.
pub(super) fn failed(
    session: &mut Session<'_, '_>,
    who: MemberIndex,
    selected_at: TributaryBlock,
) -> Result<(), StoreError> {
    let key = (session.genesis(), who);
    let standing = STANDINGS.get(session.step.txn, &key)?;
    if standing.is_some_and(|standing| selected_at <= standing.since) {
        return Ok(());
    }
    let failures = standing.unwrap_or_default().failures;
    let first = DOUBT_ATTEMPTS.saturating_mul(u64::from(session.spec.parameters.attempt_blocks));
    let blocks = first.saturating_mul(1 << failures.min(MAX_FAILURES));
    let standing = Standing {
        failures: failures.saturating_add(1).min(MAX_FAILURES),
        since: session.block,
        trusted_from: TributaryBlock(session.block.0.saturating_add(blocks)),
    };
    STANDINGS.put(session, &key, &standing);
    Ok(())
}

/// A topic closed to which a member gave its share.
pub(super) fn made_good(session: &mut Session<'_, '_>, who: MemberIndex) -> Result<(), StoreError> {
    let key = (session.genesis(), who);
    let Some(standing) = STANDINGS.get(session.step.txn, &key)?.filter(|standing| standing.failures > 0)
    else {
        return Ok(());
    };
    STANDINGS.put(session, &key, &Standing { failures: standing.failures.saturating_sub(1), ..standing });
    Ok(())
}

/// Forgets an ended set; true when nothing is left.
pub(crate) fn prune(txn: &mut dyn Transaction, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    STANDINGS.prune(txn, &genesis, limit)
}
