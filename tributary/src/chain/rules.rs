//! Which bodies are valid, and what they change. The same overlay serves building, checking and applying.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use coordinator_store::{Read, StoreError, Transaction as Txn};
use processor_messages::{Genesis, Validator, encode};

use super::{
    entry::{Entry, Parsed},
    provided::{self, agreed_count, payload_hash},
    rows, state_hash,
};
use crate::{
    Halt, Header, Kind, Members, Order, Payload, SignedTransaction, Slot, Transaction, Verdict, hash::hash,
};

/// Why a block is invalid that its proposer fills by itself.
const TOO_MUCH_ALONE: &str = "more that its proposer alone brings than a block may hold";

/// The most bytes of a block for which no other member answers: unsigned transactions, and those which its proposer
/// signed (`TRIB-34`). Who is a quorum by itself may have nobody else to order for it.
fn share_alone(members: &Members, proposer: &Validator) -> usize {
    let weight = members.weight_of([proposer]);
    let unbounded = members.is_quorum(weight) || mutated!(AnySize);
    if unbounded { usize::MAX } else { members.limits().body() / 4 }
}

/// Replicated state with the effects of a block's transactions so far.
struct Overlay<'a> {
    db: &'a dyn Read,
    genesis: Genesis,
    nonces: BTreeMap<(Validator, Order), u32>,
    unsigned: BTreeSet<[u8; 32]>,
    equivocated: BTreeSet<Validator>,
    slashed: BTreeSet<Validator>,
    agreed: BTreeMap<Kind, u32>,
    proposer: Validator,
    /// Bytes that are left for what the proposer alone brings.
    alone: usize,
}

impl<'a> Overlay<'a> {
    fn new(db: &'a dyn Read, members: &Members, proposer: Validator) -> Self {
        Self {
            db,
            genesis: members.genesis(),
            proposer,
            alone: share_alone(members, &proposer),
            nonces: BTreeMap::new(),
            unsigned: BTreeSet::new(),
            equivocated: BTreeSet::new(),
            slashed: BTreeSet::new(),
            agreed: BTreeMap::new(),
        }
    }

    fn nonce(&self, signer: Validator, order: &Order) -> Result<u32, StoreError> {
        match self.nonces.get(&(signer, order.clone())) {
            Some(nonce) => Ok(*nonce),
            None => rows::nonce(self.db, self.genesis, signer, order),
        }
    }

    fn has_equivocated(&self, validator: Validator) -> Result<bool, StoreError> {
        Ok(self.equivocated.contains(&validator) || super::has_equivocated(self.db, self.genesis, validator)?)
    }

    /// Whether it equivocated or is slashed, as the chain knows.
    fn is_excluded(&self, validator: Validator) -> Result<bool, StoreError> {
        let here = self.equivocated.contains(&validator) || self.slashed.contains(&validator);
        Ok(here || rows::is_excluded(self.db, self.genesis, validator)?)
    }

    fn ordinal(&self, kind: Kind) -> Result<u32, StoreError> {
        match self.agreed.get(&kind) {
            Some(ordinal) => Ok(*ordinal),
            None => agreed_count(self.db, self.genesis, kind),
        }
    }

    /// Takes a transaction if it may follow those before it; says why not. Signatures are not looked at.
    fn take(&mut self, entry: &Entry) -> Result<Result<(), &'static str>, StoreError> {
        match &entry.transaction {
            Transaction::Provided { kind, payload } => {
                if kind.0 >= provided::MAX_KINDS {
                    return Ok(Err("a provided transaction of no kind"));
                }
                match kind.bars(payload) {
                    Ok(validator) => self.slashed.extend(validator),
                    Err(reason) => return Ok(Err(reason)),
                }
                let next = self.ordinal(*kind)?.saturating_add(1);
                self.agreed.insert(*kind, next);
            }
            Transaction::Evidence(evidence) => {
                if self.has_equivocated(evidence.validator)? {
                    return Ok(Err("further evidence against one validator"));
                }
                self.equivocated.insert(evidence.validator);
            }
            Transaction::Unsigned(_) => {
                if self.is_excluded(self.proposer)? {
                    return Ok(Err("an unsigned transaction of a proposer who equivocated or is slashed"));
                }
                let Some(left) = self.alone.checked_sub(entry.size) else {
                    return Ok(Err(TOO_MUCH_ALONE));
                };
                if self.unsigned.len() >= super::MAX_UNSIGNED {
                    return Ok(Err("more unsigned transactions than a block may hold"));
                }
                let hash = entry.hash.0;
                let known = rows::UNSIGNED.get(self.db, &(self.genesis, hash))?.is_some();
                if known || !self.unsigned.insert(hash) {
                    return Ok(Err("an unsigned transaction for the second time"));
                }
                self.alone = left;
            }
            Transaction::Signed(signed) => return self.take_signed(signed, entry.size),
        }
        Ok(Ok(()))
    }

    fn take_signed(
        &mut self,
        signed: &SignedTransaction,
        size: usize,
    ) -> Result<Result<(), &'static str>, StoreError> {
        if self.is_excluded(signed.signer)? {
            return Ok(Err("a transaction of one who equivocated or is slashed"));
        }
        if self.nonce(signed.signer, &signed.order)? != signed.nonce {
            return Ok(Err("a nonce which is not the next of its order"));
        }
        let Some(next) = signed.nonce.checked_add(1) else {
            return Ok(Err("a nonce without a next one"));
        };
        if signed.signer == self.proposer {
            let Some(left) = self.alone.checked_sub(size) else {
                return Ok(Err(TOO_MUCH_ALONE));
            };
            self.alone = left;
        }
        self.nonces.insert((signed.signer, signed.order.clone()), next);
        Ok(Ok(()))
    }
}

/// The place of a transaction's kind in a block.
fn class(transaction: &Transaction) -> u8 {
    match transaction {
        Transaction::Provided { .. } => 0,
        Transaction::Evidence(_) => 1,
        Transaction::Unsigned(_) => 2,
        Transaction::Signed(_) => 3,
    }
}

/// Fills a body with what the rules and the limits allow.
pub(super) struct Filler<'a> {
    overlay: Overlay<'a>,
    class: u8,
    /// Kinds of which something did not fit: what follows it would take its ordinal.
    full: BTreeSet<Kind>,
    room: usize,
    limit: usize,
    entries: Vec<Arc<Entry>>,
}

impl<'a> Filler<'a> {
    pub(super) fn new(db: &'a dyn Read, members: &Members, slot: Slot) -> Self {
        Self {
            overlay: Overlay::new(db, members, members.proposer(slot.height.0, slot.round).validator),
            class: 0,
            full: BTreeSet::new(),
            // Four bytes for the count.
            room: slot.limit.saturating_sub(4),
            limit: members.limits().transaction(),
            entries: Vec::new(),
        }
    }

    /// Adds a transaction if it fits and is valid there; drops it otherwise.
    pub(super) fn push(&mut self, entry: Arc<Entry>) -> Result<(), StoreError> {
        let kind = match &entry.transaction {
            Transaction::Provided { kind, .. } => Some(*kind),
            Transaction::Evidence(_) | Transaction::Unsigned(_) | Transaction::Signed(_) => None,
        };
        if kind.is_some_and(|kind| self.full.contains(&kind)) {
            return Ok(());
        }
        let fits = (entry.size <= self.limit.min(self.room))
            && (class(&entry.transaction) >= self.class)
            && (self.entries.len() < super::MAX_TRANSACTIONS);
        if fits && self.overlay.take(&entry)?.is_ok() {
            self.room = self.room.saturating_sub(entry.size);
            self.class = class(&entry.transaction);
            self.entries.push(entry);
        } else {
            self.full.extend(kind);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<Arc<Entry>> {
        self.entries
    }
}

/// The verdict on a block (`TRIB-10` to `TRIB-16`, `TRIB-34`), signatures and evidence left aside.
pub(super) fn check(
    db: &dyn Read,
    members: &Members,
    header: &Header,
    parsed: &Parsed,
) -> Result<Verdict, Halt> {
    let invalid = |reason: &str| Ok(Verdict::Invalid(reason.to_owned()));
    if parsed.root != header.root {
        return invalid("the root is not that of the transactions");
    }
    if state_hash(db, members.genesis())? != header.state {
        return invalid("the state hash differs from this node's");
    }
    let mut overlay = Overlay::new(db, members, header.proposer);
    let mut missing = None;
    let mut former = 0;
    for entry in &parsed.entries {
        if class(&entry.transaction) < former {
            return invalid("the transactions are not in the order of their kinds");
        }
        former = class(&entry.transaction);
        if (entry.size > members.limits().transaction()) && !mutated!(AnySize) {
            return invalid("a transaction is too large");
        }
        if let Transaction::Provided { kind, payload } = &entry.transaction {
            match check_provided(&overlay, header, *kind, payload)? {
                Verdict::Valid => {}
                Verdict::Missing(reason) => missing = Some(reason),
                invalid @ Verdict::Invalid(_) => return Ok(invalid),
            }
        }
        if let Err(reason) = overlay.take(entry)? {
            return invalid(reason);
        }
    }
    Ok(missing.map_or(Verdict::Valid, Verdict::Missing))
}

fn check_provided(
    overlay: &Overlay<'_>,
    header: &Header,
    kind: Kind,
    payload: &Payload,
) -> Result<Verdict, StoreError> {
    if header.round > 0 {
        let reason = "provided transactions in a block of a later round than the first";
        return Ok(Verdict::Invalid(reason.to_owned()));
    }
    let ordinal = overlay.ordinal(kind)?;
    Ok(match rows::LOCAL.get(overlay.db, &(overlay.genesis, kind.0, ordinal))? {
        Some(local) if local == *payload => Verdict::Valid,
        Some(_) => {
            Verdict::Invalid(format!("provided transaction {ordinal} of kind {} differs from ours", kind.0))
        }
        None if mutated!(ForeignProvided) => Verdict::Valid,
        // Derived and compared already when it was agreed elsewhere cannot be: it is not agreed yet.
        None => Verdict::Missing(format!("provided transaction {ordinal} of kind {}", kind.0)),
    })
}

/// What a decided block changes in the replicated state.
pub(super) struct Changes {
    height: u64,
    nonces: BTreeMap<(Validator, Order), u32>,
    unsigned: BTreeSet<[u8; 32]>,
    equivocated: BTreeSet<Validator>,
    slashed: BTreeSet<Validator>,
    agreed: BTreeMap<Kind, u32>,
    provided: Vec<(Kind, u32, [u8; 32])>,
}

impl Changes {
    pub(super) fn of(
        db: &dyn Read,
        members: &Members,
        header: &Header,
        entries: &[Arc<Entry>],
    ) -> Result<Self, Halt> {
        let height = header.height.0;
        let mut overlay = Overlay::new(db, members, header.proposer);
        let mut provided = Vec::new();
        for entry in entries {
            if let Transaction::Provided { kind, payload } = &entry.transaction {
                provided.push((*kind, overlay.ordinal(*kind)?, payload_hash(*kind, payload)));
            }
            if let Err(reason) = overlay.take(entry)? {
                let reason = format!("decided block {height} holds {reason}; report this");
                return Err(Halt::new(reason));
            }
        }
        let Overlay { nonces, unsigned, equivocated, slashed, agreed, .. } = overlay;
        Ok(Self { height, nonces, unsigned, equivocated, slashed, agreed, provided })
    }

    /// Writes the changes, and absorbs them in order into the state hash (`TRIB-17`).
    pub(super) fn apply(self, txn: &mut dyn Txn, genesis: Genesis) -> Result<(), StoreError> {
        let mut changes = Vec::new();
        for ((signer, order), next) in &self.nonces {
            rows::NONCES.put(txn, &(genesis, *signer, order.to_vec()), next);
            changes.push(encode(&(0u8, signer, order, next)));
        }
        for hash in &self.unsigned {
            rows::UNSIGNED.put(txn, &(genesis, *hash), &self.height);
            changes.push(encode(&(1u8, hash)));
        }
        for validator in &self.equivocated {
            rows::EQUIVOCATED.put(txn, &(genesis, *validator), &self.height);
            changes.push(encode(&(2u8, validator)));
        }
        // The provided transactions below stand for these in the hash.
        for validator in &self.slashed {
            rows::EXCLUDED.put(txn, &(genesis, *validator), &self.height);
        }
        for (kind, ordinal, hash) in &self.provided {
            rows::AGREED.put(txn, &(genesis, kind.0, *ordinal), hash);
            changes.push(provided::change(*kind, *ordinal, *hash));
        }
        for (kind, count) in &self.agreed {
            rows::AGREED_COUNT.put(txn, &(genesis, kind.0), count);
        }
        let state = state_hash(txn, genesis)?;
        let state = hash("tributary state", &[&state, &encode(&self.height), &encode(&changes)]);
        rows::STATE.put(txn, &genesis, &state);
        Ok(())
    }
}
