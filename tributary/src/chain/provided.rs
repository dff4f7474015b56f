//! Provided transactions: what this validator derived, what others say they derived, and what was agreed.

use std::{collections::BTreeMap, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Transaction as Txn};
use processor_messages::{Genesis, Validator, encode};

use super::{entry::Entry, rows};
use crate::{Halt, Kind, Members, Payload, Transaction, hash::hash, latest_decided};

/// The number of kinds; a [`Kind`] is below it.
pub const MAX_KINDS: u8 = 16;
/// How far beyond what is agreed announcements are remembered.
const NEAR: u32 = 64;
/// How many of each kind are announced again at a time, so that a kind that waits silences no other.
pub(super) const REPEATED: usize = 16;

/// "I derived this": a hint without meaning for consensus.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Holding {
    kind: Kind,
    ordinal: u32,
    hash: [u8; 32],
}

/// The hash of a provided payload.
pub(super) fn payload_hash(kind: Kind, payload: &Payload) -> [u8; 32] {
    hash("tributary provided", &[&[kind.0], payload])
}

pub(super) fn agreed_count(
    db: &(impl Read + ?Sized),
    genesis: Genesis,
    kind: Kind,
) -> Result<u32, StoreError> {
    Ok(rows::AGREED_COUNT.get(db, &(genesis, kind.0))?.unwrap_or(0))
}

/// Takes what we derived: compares it if it is agreed already, else stores it and says that we hold it.
pub(super) fn provide(
    txn: &mut dyn Txn,
    genesis: Genesis,
    kind: Kind,
    payload: &Payload,
) -> Result<Option<Holding>, Halt> {
    if kind.0 >= MAX_KINDS {
        return Err(Halt::new(format!("provided kind {} is not below {MAX_KINDS}; report this", kind.0)));
    }
    let ordinal = rows::LOCAL_COUNT.get(txn, &(genesis, kind.0))?.unwrap_or(0);
    rows::LOCAL_COUNT.put(txn, &(genesis, kind.0), &ordinal.saturating_add(1));
    let hash = payload_hash(kind, payload);
    let holding = match rows::AGREED.get(txn, &(genesis, kind.0, ordinal))? {
        Some(agreed) if agreed == hash => None,
        Some(_) => return Err(differs(kind, ordinal)),
        None => {
            rows::LOCAL.put(txn, &(genesis, kind.0, ordinal), payload);
            Some(Holding { kind, ordinal, hash })
        }
    };
    advance(txn, genesis)?;
    Ok(holding)
}

fn differs(kind: Kind, ordinal: u32) -> Halt {
    Halt::new(format!(
        "provided transaction {ordinal} of kind {} differs from what the validators agreed on; this node's base \
     chain or processor disagrees with theirs: compare before reopening",
        kind.0
    ))
}

/// After a block: compares what it agreed on with what we derived, and notes what its handling waits for.
pub(super) fn agreed(
    txn: &mut dyn Txn,
    genesis: Genesis,
    height: u64,
    entries: &[Arc<Entry>],
) -> Result<(), Halt> {
    let mut requires = BTreeMap::new();
    let mut next: BTreeMap<u8, u32> = BTreeMap::new();
    // The counts are those after the block.
    for entry in entries {
        if let Transaction::Provided { kind, .. } = &entry.transaction {
            requires.insert(kind.0, agreed_count(txn, genesis, *kind)?);
            *next.entry(kind.0).or_default() += 1;
        }
    }
    for (kind, count) in &mut next {
        *count = requires.get(kind).copied().unwrap_or(0).saturating_sub(*count);
    }
    for entry in entries {
        let Transaction::Provided { kind, payload } = &entry.transaction else { continue };
        let Some(ordinal) = next.get_mut(&kind.0) else { continue };
        let key = (genesis, kind.0, *ordinal);
        if let Some(local) = rows::LOCAL.get(txn, &key)? {
            if local != *payload {
                return Err(differs(*kind, *ordinal));
            }
            rows::LOCAL.delete(txn, &key);
        }
        *ordinal = ordinal.saturating_add(1);
    }
    if !requires.is_empty() {
        rows::REQUIRES.put(txn, &(genesis, height), &requires.into_iter().collect());
    }
    advance_to(txn, genesis, height)
}

fn advance(txn: &mut dyn Txn, genesis: Genesis) -> Result<(), Halt> {
    let decided = latest_decided(txn, genesis)?;
    advance_to(txn, genesis, decided.0)
}

/// Moves the handleable height as far as what was derived here allows.
fn advance_to(txn: &mut dyn Txn, genesis: Genesis, decided: u64) -> Result<(), Halt> {
    let before = rows::HANDLEABLE.get(txn, &genesis)?.unwrap_or(0);
    let mut handleable = before;
    while handleable < decided {
        let height = handleable.saturating_add(1);
        for (kind, count) in rows::REQUIRES.get(txn, &(genesis, height))?.unwrap_or_default() {
            if rows::LOCAL_COUNT.get(txn, &(genesis, kind))?.unwrap_or(0) < count {
                rows::HANDLEABLE.put(txn, &genesis, &handleable);
                return Ok(());
            }
        }
        rows::REQUIRES.delete(txn, &(genesis, height));
        handleable = height;
    }
    if handleable != before {
        rows::HANDLEABLE.put(txn, &genesis, &handleable);
    }
    Ok(())
}

/// What we hold and is not agreed yet, the next [`REPEATED`] of each kind, for announcing it.
pub(super) fn holdings(db: &dyn Read, genesis: Genesis) -> Result<Vec<Holding>, StoreError> {
    let mut holdings = Vec::new();
    for kind in (0..MAX_KINDS).map(Kind) {
        for ((_, _, ordinal), payload) in rows::LOCAL.scan(db, &(genesis, kind.0), None, REPEATED)? {
            holdings.push(Holding { kind, ordinal, hash: payload_hash(kind, &payload) });
        }
    }
    Ok(holdings)
}

/// Whether an announcement is about something that may be ordered soon.
pub(super) fn is_near(db: &dyn Read, genesis: Genesis, holding: &Holding) -> Result<bool, StoreError> {
    if holding.kind.0 >= MAX_KINDS {
        return Ok(false);
    }
    let agreed = agreed_count(db, genesis, holding.kind)?;
    Ok((agreed..agreed.saturating_add(NEAR)).contains(&holding.ordinal))
}

/// Who says to hold what. Bounded by kinds, [`NEAR`] ordinals and members.
#[derive(Debug, Default)]
pub(super) struct Announced(BTreeMap<(Kind, u32), BTreeMap<Validator, [u8; 32]>>);

impl Announced {
    pub(super) fn note(&mut self, members: &Members, from: Validator, holding: &Holding) {
        if members.get(&from).is_some() {
            self.0.entry((holding.kind, holding.ordinal)).or_default().insert(from, holding.hash);
        }
    }

    /// Whether this member announced anything that is not agreed yet.
    pub(super) fn any_of(&self, validator: &Validator) -> bool {
        self.0.values().any(|holders| holders.contains_key(validator))
    }

    /// Forgets what is agreed.
    pub(super) fn prune(&mut self, db: &dyn Read, genesis: Genesis) -> Result<(), StoreError> {
        for kind in (0..MAX_KINDS).map(Kind) {
            let agreed = agreed_count(db, genesis, kind)?;
            self.0.retain(|(of, ordinal), _| (*of != kind) || (*ordinal >= agreed));
        }
        Ok(())
    }

    /// The next of each kind which we hold and more than two thirds of the weight say to hold (`TRIB-13`).
    pub(super) fn includable(
        &self,
        db: &dyn Read,
        members: &Members,
    ) -> Result<Vec<Transaction>, StoreError> {
        let genesis = members.genesis();
        let mut transactions = Vec::new();
        for kind in (0..MAX_KINDS).map(Kind) {
            let mut ordinal = agreed_count(db, genesis, kind)?;
            while let Some(payload) = rows::LOCAL.get(db, &(genesis, kind.0, ordinal))? {
                let hash = payload_hash(kind, &payload);
                let holders = self.0.get(&(kind, ordinal));
                let same = holders.into_iter().flatten().filter(|(_, held)| **held == hash);
                if !members.is_quorum(members.weight_of(same.map(|(validator, _)| validator))) {
                    break;
                }
                transactions.push(Transaction::Provided { kind, payload });
                ordinal = ordinal.saturating_add(1);
            }
        }
        Ok(transactions)
    }
}

/// The bytes which stand for an agreed provided transaction in the state hash.
pub(super) fn change(kind: Kind, ordinal: u32, hash: [u8; 32]) -> Vec<u8> {
    encode(&(3u8, kind, ordinal, hash))
}
