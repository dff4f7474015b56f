//! A validator set's tributary: an [`Application`] which orders [`Transaction`]s.
//!
//! ```text
//! Submit, Unsigned --> own rows, mempool --gossip--> members' mempools
//! Provide --> local rows --"I hold it"--> members          build: provided, evidence, unsigned, signed
//!                                                           check: the same rules
//! decided block --> agreed rows (nonces, hashes, provided) --> state hash, handleable height
//! ```
//!
//! * `queries`: what readers ask; * `rows`: the tables; * `rules`: which body is valid, and what it changes;
//! * `entry`: transactions and bodies, decoded and hashed once; * `mempool`: what waits, bounded;
//! * `provided`: what this validator derived, compared with what was agreed.
//!
//! Memory holds only what may be lost: transactions of others and announcements. It does not look into
//! payloads, and it does not decide slashes beyond "equivocated".

mod entry;
mod mempool;
mod provided;
mod queries;
mod rows;
mod rules;

use std::{collections::VecDeque, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_keys::SecretKey;
use coordinator_store::{Read, StoreError, Transaction as Txn};
use processor_messages::{Bytes, Genesis, List, Validator, decode, encode};

use crate::{
    Application, Arrived, Block, Built, DecidedBlock, Evidence, Halt, Kind, Members, Order, Payload, Say,
    SignedTransaction, Slot, Transaction, Verdict,
    prune::Pruning,
    verified::{Claims, Verified},
};
use entry::{Bodies, Entry, Parsed};
use mempool::Mempool;
use provided::{Announced, Holding};
use rules::Changes;

pub use provided::MAX_KINDS;
pub use queries::{
    agreed_count, handleable, has_equivocated, is_slashed, own_next, own_waiting, provided_count, state_hash,
    transactions,
};

/// The most transactions of one block.
pub const MAX_TRANSACTIONS: usize = 65_536;
/// The most unsigned transactions of one block: each leaves a row for the life of the chain, and nobody answers for it.
pub const MAX_UNSIGNED: usize = 256;
/// The most own transactions repeated at a time; also at most twice a transaction's limit in bytes.
const MOST_RESENT: usize = 64;
/// The most announcements of one message.
const MOST_HOLDINGS: usize = provided::REPEATED * MAX_KINDS as usize;
/// The most own transactions looked through for those whose turn it is.
const MOST_OWN: usize = 4096;

/// Bounds of what waits in memory; at a bound the newcomer is dropped, and its author sends it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainConfig {
    /// Signed transactions of one signer.
    pub pending_per_signer: usize,
    /// Their bytes.
    pub pending_bytes_per_signer: usize,
    /// Unsigned transactions brought by one member.
    pub unsigned_per_member: usize,
    /// Their bytes.
    pub unsigned_bytes_per_member: usize,
    /// How far beyond the next nonce of its order a signed transaction may be.
    pub nonces_ahead: u32,
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            pending_per_signer: 2_048,
            pending_bytes_per_signer: 4 * 1024 * 1024,
            unsigned_per_member: 64,
            unsigned_bytes_per_member: 1024 * 1024,
            nonces_ahead: 8,
        }
    }
}

/// What the driver tells a tributary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChainInput {
    /// Order this, signed by us with the next nonce of `order`.
    Submit {
        /// The nonce domain.
        order: Order,
        /// What it carries.
        payload: Payload,
    },
    /// Order this, signed by nobody.
    Unsigned(Payload),
    /// We derived the next of a kind.
    Provide {
        /// Which queue.
        kind: Kind,
        /// What was derived.
        payload: Payload,
    },
    /// Whether blocks are due every interval even without transactions.
    Busy(bool),
}

/// What members' chains tell each other.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum Gossip {
    Transaction(Box<Transaction>),
    Holding(List<Holding, MOST_HOLDINGS>),
}

/// Transactions in a block's body.
type Body = List<Transaction, MAX_TRANSACTIONS>;

pub(crate) fn prune(txn: &mut dyn Txn, pruning: &mut Pruning) -> Result<(), StoreError> {
    rows::prune(txn, pruning)
}

/// Notes that the rules above this chain have slashed a validator fatally: from the step of this call on, this node
/// neither keeps nor proposes transactions of it, nor unsigned ones that it brings (`TRIB-31`). Which blocks are valid
/// does not change by it, so members may note it at different times; that changes once [`Kind::SLASHED`] is agreed. Noting it
/// again changes nothing.
pub fn slash(txn: &mut dyn Txn, genesis: Genesis, validator: Validator) {
    rows::SLASHED.put(txn, &(genesis, validator), &());
}

/// The application of a tributary.
pub struct Chain {
    key: SecretKey,
    me: Validator,
    mempool: Mempool,
    announced: Announced,
    bodies: Bodies,
    verified: Verified,
    /// Gossip which the step will hear, in order, decoded before it.
    expected: VecDeque<(Vec<u8>, Option<Arc<Entry>>)>,
    busy: bool,
}

impl Chain {
    /// For the validator with this key.
    pub fn new(key: SecretKey, config: ChainConfig) -> Self {
        let me = Validator(key.public().to_bytes());
        Self {
            key,
            me,
            mempool: Mempool::new(config),
            announced: Announced::default(),
            bodies: Bodies::default(),
            verified: Verified::default(),
            expected: VecDeque::new(),
            busy: false,
        }
    }

    /// How much prepared gossip is still to be heard.
    #[cfg(test)]
    pub(crate) fn prepared(&self) -> usize {
        self.expected.len()
    }

    /// How many signatures of transactions were verified.
    #[cfg(test)]
    pub(crate) fn verified(&self) -> usize {
        self.verified.work
    }

    /// Transactions waiting in memory.
    pub fn pending(&self) -> usize {
        self.mempool.len()
    }

    /// Transactions waiting in memory which this validator signed, and unsigned ones which it brought.
    pub fn pending_of(&self, validator: &Validator) -> (usize, usize) {
        self.mempool.load_of(validator)
    }

    fn submit(
        &mut self,
        txn: &mut dyn Txn,
        members: &Members,
        order: &Order,
        payload: Payload,
    ) -> Result<Vec<Say>, Halt> {
        let genesis = members.genesis();
        let key = (genesis, order.to_vec());
        if rows::is_barred(txn, genesis, self.me)? {
            return Ok(vec![Say::Event(
                "this validator equivocated or is slashed; its transactions are not sent".to_owned(),
            )]);
        }
        let agreed = rows::nonce(txn, genesis, self.me, order)?;
        let next = own_next(txn, genesis, self.me, order)?;
        let nonce = if mutated!(TwoPayloadsInASlot) { 0 } else { next };
        let signed = SignedTransaction::sign(genesis, &self.key, order.clone(), nonce, payload);
        let entry = Arc::new(Entry::of(Transaction::Signed(signed.clone())));
        if entry.size > members.limits().transaction() {
            return Ok(vec![Say::Event("a transaction of ours is too large; not sent".to_owned())]);
        }
        rows::OWN_NEXT.put(txn, &key, &nonce.saturating_add(1));
        rows::OWN.put(txn, &(genesis, order.to_vec(), nonce), &signed);
        // Later ones wait until their predecessor is included.
        if nonce > agreed {
            return Ok(Vec::new());
        }
        Ok(vec![self.send_own(members, &entry)])
    }

    /// Of an order one at a time is sent, which bounds their number.
    fn send_own(&mut self, members: &Members, entry: &Arc<Entry>) -> Say {
        self.mempool.add_signed(members, entry);
        gossip(&entry.transaction)
    }

    fn unsigned(&mut self, txn: &mut dyn Txn, members: &Members, payload: Payload) -> Result<Vec<Say>, Halt> {
        let entry = Arc::new(Entry::of(Transaction::Unsigned(payload)));
        let known = rows::UNSIGNED.get(txn, &(members.genesis(), entry.hash.0))?.is_some();
        if known || !self.mempool.add_unsigned(members, self.me, &entry) {
            return Ok(Vec::new());
        }
        Ok(vec![gossip(&entry.transaction)])
    }

    fn provide(
        &mut self,
        txn: &mut dyn Txn,
        members: &Members,
        kind: Kind,
        payload: &Payload,
    ) -> Result<Vec<Say>, Halt> {
        let size = encode(&Transaction::Provided { kind, payload: payload.clone() }).len();
        if size > members.limits().transaction() {
            return Err(Halt::new(format!(
                "what was derived of kind {} takes {size} bytes, more than a transaction may have, and can never be \
                 ordered; report this",
                kind.0
            )));
        }
        let holding = provided::provide(txn, members.genesis(), kind, payload)?;
        let Some(holding) = holding else { return Ok(Vec::new()) };
        self.announced.note(members, self.me, &holding);
        let holding = List::new(vec![holding]).map_err(|e| Halt::new(e.to_string()))?;
        Ok(vec![Say::Gossip(encode(&Gossip::Holding(holding)))])
    }

    fn heard_transaction(
        &mut self,
        db: &dyn Read,
        members: &Members,
        from: Validator,
        entry: &Arc<Entry>,
    ) -> Result<(), Halt> {
        let genesis = members.genesis();
        match &entry.transaction {
            Transaction::Provided { .. } => {}
            Transaction::Evidence(evidence) => {
                if !has_equivocated(db, genesis, evidence.validator)? {
                    self.mempool.add_evidence(members, evidence);
                }
            }
            Transaction::Unsigned(_) => {
                let known = rows::UNSIGNED.get(db, &(genesis, entry.hash.0))?.is_some();
                if !known && !rows::is_barred(db, genesis, from)? {
                    self.mempool.add_unsigned(members, from, entry);
                }
            }
            Transaction::Signed(signed) => {
                let next = rows::nonce(db, genesis, signed.signer, &signed.order)?;
                if self.mempool.is_near(next, signed.nonce)
                    && self.mempool.has_place_for(members, entry, signed)
                    && !rows::is_barred(db, genesis, signed.signer)?
                    && self.are_signed(members, std::slice::from_ref(entry))
                {
                    self.mempool.add_signed(members, entry);
                }
            }
        }
        Ok(())
    }

    /// Adds the signatures of what does not wait in memory.
    fn claim<'a>(&self, members: &'a Members, entries: &[Arc<Entry>], claims: &mut Claims<'a>) {
        for entry in entries {
            let signed = entry.signed().filter(|signed| !self.mempool.has_signed(&entry.hash, signed));
            if let Some(claim) = signed.and_then(|signed| signed.claim(members)) {
                claims.add_named((entry.hash.0, claim));
            }
        }
    }

    /// Whether all signatures and all evidence among these are valid.
    fn are_signed(&mut self, members: &Members, entries: &[Arc<Entry>]) -> bool {
        let mut claims = Vec::new();
        for entry in entries {
            match &entry.transaction {
                Transaction::Provided { .. } | Transaction::Unsigned(_) => {}
                Transaction::Evidence(evidence) => {
                    if !self.mempool.has_evidence(&entry.hash, evidence) && !evidence.verify(members) {
                        return false;
                    }
                }
                Transaction::Signed(signed) if self.mempool.has_signed(&entry.hash, signed) => {}
                Transaction::Signed(signed) => {
                    let Some(claim) = signed.claim(members) else {
                        if mutated!(TakeStrangers) {
                            continue;
                        }
                        return false;
                    };
                    claims.push((entry.hash.0, claim));
                }
            }
        }
        self.verified.verify_message(claims)
    }

    /// A transaction as [`Application::prepare`] decoded it. Steps hear in the order in which that looked, so what
    /// stands before it is not heard any more, and each is looked at once.
    fn expected(&mut self, bytes: &[u8]) -> Option<Arc<Entry>> {
        while let Some((expected, entry)) = self.expected.pop_front() {
            if expected == bytes {
                return entry;
            }
        }
        None
    }

    /// Own transactions whose turn it is, and evidence not on the chain yet.
    fn own_due(&mut self, db: &dyn Read, members: &Members) -> Result<Vec<Say>, Halt> {
        let genesis = members.genesis();
        let mut says = Vec::new();
        let mut room = members.limits().transaction().saturating_mul(2);
        let most = if rows::is_barred(db, genesis, self.me)? { 0 } else { MOST_OWN };
        for ((_, order, nonce), signed) in rows::OWN.scan(db, &genesis, None, most)? {
            let order = Bytes::new(order).map_err(|e| Halt::new(e.to_string()))?;
            if rows::nonce(db, genesis, self.me, &order)? != nonce {
                continue;
            }
            let entry = Arc::new(Entry::of(Transaction::Signed(signed)));
            room = room.saturating_sub(entry.size);
            if (says.len() >= MOST_RESENT) || (room == 0) {
                break;
            }
            says.push(self.send_own(members, &entry));
        }
        for (_, evidence) in rows::EVIDENCE.scan(db, &genesis, None, MOST_RESENT)? {
            self.mempool.add_evidence(members, &evidence);
            says.push(gossip(&Transaction::Evidence(evidence)));
        }
        Ok(says)
    }

    /// Forgets what waits of those who may say nothing any more.
    fn forget_barred(&mut self, db: &(impl Read + ?Sized), genesis: Genesis) -> Result<(), StoreError> {
        for validator in self.mempool.authors() {
            if rows::is_barred(db, genesis, validator)? {
                self.mempool.forget(&validator);
            }
        }
        Ok(())
    }

    /// After a block: forgets what it settled, and sends what waited for it.
    fn settled(
        &mut self,
        txn: &mut dyn Txn,
        members: &Members,
        entries: &[Arc<Entry>],
    ) -> Result<Vec<Say>, Halt> {
        let genesis = members.genesis();
        let mut says = Vec::new();
        for entry in entries {
            match &entry.transaction {
                Transaction::Evidence(evidence) => {
                    rows::EVIDENCE.delete(txn, &(genesis, evidence.validator));
                    says.push(Say::Event(format!("{} equivocated; proven on the chain", evidence.validator)));
                }
                Transaction::Signed(signed) if signed.signer == self.me => {
                    let order = signed.order.to_vec();
                    let place = (genesis, order.clone(), signed.nonce);
                    // Only a store older than what this validator sent has something else there.
                    if rows::OWN.get(txn, &place)?.is_some_and(|own| own != *signed) {
                        says.push(Say::Event(
                            "another transaction of ours was included in its place".to_owned(),
                        ));
                    }
                    rows::OWN.delete(txn, &place);
                    let next = signed.nonce.saturating_add(1);
                    // What is agreed says the same from now on.
                    let submitted = (genesis, order.clone());
                    if rows::OWN_NEXT.get(txn, &submitted)? == Some(next) {
                        rows::OWN_NEXT.delete(txn, &submitted);
                    }
                    if let Some(next) = rows::OWN.get(txn, &(genesis, order, next))?
                        && !rows::is_barred(txn, genesis, self.me)?
                    {
                        let entry = Arc::new(Entry::of(Transaction::Signed(next)));
                        says.push(self.send_own(members, &entry));
                    }
                }
                Transaction::Provided { .. } | Transaction::Unsigned(_) | Transaction::Signed(_) => {}
            }
            self.mempool.settled(entry);
        }
        self.announced.prune(txn, genesis)?;
        self.forget_barred(txn, genesis)?;
        Ok(says)
    }
}

/// As [`Gossip::Transaction`] is encoded.
fn gossip(transaction: &Transaction) -> Say {
    Say::Gossip(encode(&(0u8, transaction)))
}

fn gossip_bound(members: &Members) -> usize {
    members.limits().transaction().saturating_add(64)
}

fn decode_transaction(members: &Members, bytes: &[u8]) -> Option<Entry> {
    match decode::<Gossip>(bytes, gossip_bound(members)) {
        Ok(Gossip::Transaction(transaction)) => Some(Entry::of(*transaction)),
        Ok(Gossip::Holding(_)) | Err(_) => None,
    }
}

impl Application for Chain {
    type Input = ChainInput;

    fn build(&mut self, db: &dyn Read, members: &Members, slot: Slot) -> Result<Built, Halt> {
        let genesis = members.genesis();
        self.forget_barred(db, genesis)?;
        let mut body = rules::Filler::new(db, members, slot);
        if slot.round == 0 {
            for transaction in self.announced.includable(db, members)? {
                body.push(Arc::new(Entry::of(transaction)))?;
            }
        }
        for entry in self.mempool.in_turn(slot.height.0, slot.limit) {
            body.push(entry)?;
        }
        let built = Arc::new(Parsed::build(body.finish()).map_err(|e| Halt::new(e.to_string()))?);
        self.bodies.keep(members, built.clone());
        Ok(Built { body: built.body.clone(), root: built.root, state: state_hash(db, genesis)? })
    }

    fn prepare(&mut self, members: &Members, arrived: &[Arrived<'_>]) {
        self.expected.clear();
        let mut claims = Claims::default();
        for arrived in arrived {
            match arrived {
                Arrived::Gossip(from, bytes) => {
                    let entry = decode_transaction(members, bytes).map(Arc::new);
                    let signed = entry.as_ref().and_then(|entry| Some((entry, entry.signed()?)));
                    if let Some((entry, signed)) = signed
                        && self.mempool.has_place_for(members, entry, signed)
                    {
                        claims.begin(*from);
                        self.claim(members, std::slice::from_ref(entry), &mut claims);
                    }
                    self.expected.push_back((bytes.to_vec(), entry));
                }
                Arrived::Body(from, block) => {
                    if let Ok(parsed) = self.bodies.get(members, block) {
                        claims.begin(*from);
                        self.claim(members, &parsed.entries, &mut claims);
                    }
                }
            }
        }
        self.verified.verify_all(claims);
    }

    fn check(&mut self, db: &dyn Read, members: &Members, block: &Block) -> Result<Verdict, Halt> {
        let Ok(parsed) = self.bodies.get(members, block) else {
            return Ok(Verdict::Invalid("the body does not decode".to_owned()));
        };
        let verdict = rules::check(db, members, &block.header, &parsed)?;
        if !matches!(verdict, Verdict::Invalid(_)) && !self.are_signed(members, &parsed.entries) {
            return Ok(Verdict::Invalid("a signature is not valid".to_owned()));
        }
        Ok(verdict)
    }

    fn decided(
        &mut self,
        txn: &mut dyn Txn,
        members: &Members,
        block: &DecidedBlock,
    ) -> Result<Vec<Say>, Halt> {
        let parsed = self.bodies.get(members, &block.block);
        let parsed =
            parsed.map_err(|e| Halt::new(format!("a decided block does not decode ({e}); report this")))?;
        let (genesis, height) = (members.genesis(), block.height().0);
        Changes::of(txn, members, &block.block.header, &parsed.entries)?.apply(txn, genesis)?;
        provided::agreed(txn, genesis, height, &parsed.entries)?;
        self.settled(txn, members, &parsed.entries)
    }

    fn input(&mut self, txn: &mut dyn Txn, members: &Members, input: ChainInput) -> Result<Vec<Say>, Halt> {
        match input {
            ChainInput::Submit { order, payload } => self.submit(txn, members, &order, payload),
            ChainInput::Unsigned(payload) => self.unsigned(txn, members, payload),
            ChainInput::Provide { kind, payload } => self.provide(txn, members, kind, &payload),
            ChainInput::Busy(busy) => {
                self.busy = busy;
                Ok(Vec::new())
            }
        }
    }

    fn heard(
        &mut self,
        txn: &mut dyn Txn,
        members: &Members,
        from: Validator,
        bytes: &[u8],
    ) -> Result<Vec<Say>, Halt> {
        if let Some(entry) = self.expected(bytes) {
            self.heard_transaction(txn, members, from, &entry)?;
            return Ok(Vec::new());
        }
        match decode::<Gossip>(bytes, gossip_bound(members)) {
            Ok(Gossip::Transaction(transaction)) => {
                self.heard_transaction(txn, members, from, &Arc::new(Entry::of(*transaction)))?;
            }
            Ok(Gossip::Holding(list)) => {
                for holding in &list {
                    if provided::is_near(txn, members.genesis(), holding)? {
                        self.announced.note(members, from, holding);
                    }
                }
            }
            Err(_) => {}
        }
        Ok(Vec::new())
    }

    fn equivocated(
        &mut self,
        txn: &mut dyn Txn,
        members: &Members,
        evidence: Evidence,
    ) -> Result<Vec<Say>, Halt> {
        let key = (members.genesis(), evidence.validator);
        let known = has_equivocated(txn, key.0, key.1)? || rows::EVIDENCE.get(txn, &key)?.is_some();
        if known || !evidence.verify(members) {
            return Ok(Vec::new());
        }
        rows::EVIDENCE.put(txn, &key, &evidence);
        self.mempool.add_evidence(members, &evidence);
        Ok(vec![gossip(&Transaction::Evidence(evidence))])
    }

    fn resend(&mut self, db: &dyn Read, members: &Members) -> Result<Vec<Say>, Halt> {
        let mut says = self.own_due(db, members)?;
        let holdings = provided::holdings(db, members.genesis())?;
        for holding in &holdings {
            self.announced.note(members, self.me, holding);
        }
        if !holdings.is_empty() {
            let list = List::new(holdings).map_err(|e| Halt::new(e.to_string()))?;
            says.push(Say::Gossip(encode(&Gossip::Holding(list))));
        }
        Ok(says)
    }

    fn due(&mut self, db: &dyn Read) -> Result<bool, Halt> {
        let _ = db;
        Ok(self.busy || (self.mempool.len() > 0) || self.announced.any_of(&self.me))
    }
}
