//! A validator set's tributary: an [`Application`] which orders [`Transaction`]s.
//!
//! ```text
//! Submit, Unsigned --> own rows, mempool --gossip--> members' mempools
//! Provide --> local rows --"I hold it"--> members          build: provided, evidence, unsigned, signed
//!                                                           check: the same rules
//! decided block --> agreed rows (nonces, hashes, provided) --> state hash, handleable height
//! ```
//!
//! * `queries`: what readers ask; * `rows`: the tables; * `rules`: which body is valid, and what it changes; * `mempool`: what waits, bounded;
//! * `provided`: what this validator derived, compared with what was agreed.
//!
//! Memory holds only what may be lost: transactions of others and announcements. It does not look into
//! payloads, and it does not decide slashes beyond "equivocated".

mod mempool;
mod provided;
mod queries;
mod rows;
mod rules;

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_keys::SecretKey;
use coordinator_store::{Read, StoreError, Transaction as Txn};
use processor_messages::{Bytes, Genesis, List, Validator, decode, encode};

use crate::{
    Application, Block, Built, DecidedBlock, Evidence, Halt, Kind, Members, Order, Payload, Say,
    SignedTransaction, Slot, Transaction, Verdict, merkle_root,
};
use mempool::Mempool;
use provided::{Announced, Holding};
use rules::Changes;

pub use provided::MAX_KINDS;
pub use queries::{
    agreed_count, handleable, has_equivocated, own_next, own_waiting, provided_count, state_hash,
    transactions,
};

/// The most transactions of one block.
pub const MAX_TRANSACTIONS: usize = 65_536;
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
            pending_per_signer: 64,
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
    /// All whose signed transactions have no effect any more, whatever the blocks' rules allow: neither kept, nor
    /// proposed, nor sent if they are ours (`TRIB-30`). Others' blocks with such transactions stay valid.
    Ignore(Vec<Validator>),
}

/// What members' chains tell each other.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
enum Gossip {
    Transaction(Box<Transaction>),
    Holding(List<Holding, MOST_HOLDINGS>),
}

/// Transactions in a block's body.
type Body = List<Transaction, MAX_TRANSACTIONS>;

pub(crate) fn prune(txn: &mut dyn Txn, genesis: Genesis, limit: usize) -> Result<bool, StoreError> {
    rows::prune(txn, genesis, limit)
}

/// The application of a tributary.
pub struct Chain {
    key: SecretKey,
    me: Validator,
    mempool: Mempool,
    announced: Announced,
    busy: bool,
    ignored: BTreeSet<Validator>,
}

impl Chain {
    /// For the validator with this key.
    pub fn new(key: SecretKey, config: ChainConfig) -> Self {
        let me = Validator(key.public().to_bytes());
        let (mempool, announced) = (Mempool::new(config), Announced::default());
        Self { key, me, mempool, announced, busy: false, ignored: BTreeSet::new() }
    }

    /// Transactions waiting in memory.
    pub fn pending(&self) -> usize {
        self.mempool.len()
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
        if has_equivocated(txn, genesis, self.me)? {
            return Ok(vec![Say::Event(
                "this validator equivocated; its transactions are not sent".to_owned(),
            )]);
        }
        if self.ignored.contains(&self.me) {
            return Ok(vec![Say::Event(
                "this validator is slashed; its transactions are not sent".to_owned(),
            )]);
        }
        let agreed = rows::nonce(txn, genesis, self.me, order)?;
        let nonce = own_next(txn, genesis, self.me, order)?;
        let signed = SignedTransaction::sign(genesis, &self.key, order.clone(), nonce, payload);
        let transaction = Transaction::Signed(signed.clone());
        if encode(&transaction).len() > members.limits().transaction() {
            return Ok(vec![Say::Event("a transaction of ours is too large; not sent".to_owned())]);
        }
        rows::OWN_NEXT.put(txn, &key, &nonce.saturating_add(1));
        rows::OWN.put(txn, &(genesis, order.to_vec(), nonce), &signed);
        // Later ones wait until their predecessor is included.
        if nonce > agreed {
            return Ok(Vec::new());
        }
        Ok(vec![self.send_own(members, transaction)])
    }

    fn send_own(&mut self, members: &Members, transaction: Transaction) -> Say {
        self.mempool.add_own(members, &transaction);
        gossip(transaction)
    }

    fn unsigned(&mut self, txn: &mut dyn Txn, members: &Members, payload: Payload) -> Result<Vec<Say>, Halt> {
        let transaction = Transaction::Unsigned(payload);
        let known = rows::UNSIGNED.get(txn, &(members.genesis(), transaction.hash().0))?.is_some();
        if known || !self.mempool.add_unsigned(members, self.me, &transaction) {
            return Ok(Vec::new());
        }
        Ok(vec![gossip(transaction)])
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
        transaction: &Transaction,
    ) -> Result<(), Halt> {
        let genesis = members.genesis();
        match transaction {
            Transaction::Provided { .. } => {}
            Transaction::Evidence(evidence) => {
                if !has_equivocated(db, genesis, evidence.validator)? {
                    self.mempool.add_evidence(members, evidence);
                }
            }
            Transaction::Unsigned(_) => {
                if rows::UNSIGNED.get(db, &(genesis, transaction.hash().0))?.is_none() {
                    self.mempool.add_unsigned(members, from, transaction);
                }
            }
            Transaction::Signed(signed) => {
                let next = rows::nonce(db, genesis, signed.signer, &signed.order)?;
                let unwanted =
                    self.ignored.contains(&signed.signer) || has_equivocated(db, genesis, signed.signer)?;
                if !unwanted {
                    self.mempool.add_signed(members, next, transaction, signed);
                }
            }
        }
        Ok(())
    }

    /// Own transactions whose turn it is, and evidence not on the chain yet.
    fn own_due(&mut self, db: &dyn Read, members: &Members) -> Result<Vec<Say>, Halt> {
        let genesis = members.genesis();
        let mut says = Vec::new();
        let mut room = members.limits().transaction().saturating_mul(2);
        let most_own = if self.ignored.contains(&self.me) { 0 } else { MOST_OWN };
        for ((_, order, nonce), signed) in rows::OWN.scan(db, &genesis, None, most_own)? {
            let order = Bytes::new(order).map_err(|e| Halt::new(e.to_string()))?;
            if rows::nonce(db, genesis, self.me, &order)? != nonce {
                continue;
            }
            let transaction = Transaction::Signed(signed);
            room = room.saturating_sub(encode(&transaction).len());
            if (says.len() >= MOST_RESENT) || (room == 0) {
                break;
            }
            says.push(self.send_own(members, transaction));
        }
        for (_, evidence) in rows::EVIDENCE.scan(db, &genesis, None, MOST_RESENT)? {
            self.mempool.add_evidence(members, &evidence);
            says.push(gossip(Transaction::Evidence(evidence)));
        }
        Ok(says)
    }

    /// After a block: forgets what it settled, and sends what waited for it.
    fn settled(
        &mut self,
        txn: &mut dyn Txn,
        members: &Members,
        transactions: &[Transaction],
    ) -> Result<Vec<Say>, Halt> {
        let genesis = members.genesis();
        let mut says = Vec::new();
        for transaction in transactions {
            match transaction {
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
                    let next = rows::OWN.get(txn, &(genesis, order, next))?;
                    if let Some(next) = next.filter(|_| !self.ignored.contains(&self.me)) {
                        says.push(self.send_own(members, Transaction::Signed(next)));
                    }
                }
                Transaction::Provided { .. } | Transaction::Unsigned(_) | Transaction::Signed(_) => {}
            }
            self.mempool.settled(transaction);
        }
        self.announced.prune(txn, genesis)?;
        Ok(says)
    }
}

fn gossip(transaction: Transaction) -> Say {
    Say::Gossip(encode(&Gossip::Transaction(Box::new(transaction))))
}

impl Application for Chain {
    type Input = ChainInput;

    fn build(&mut self, db: &dyn Read, members: &Members, slot: Slot) -> Result<Built, Halt> {
        let genesis = members.genesis();
        let mut body = rules::Filler::new(db, members, slot);
        if slot.round == 0 {
            for transaction in self.announced.includable(db, members)? {
                body.push(transaction)?;
            }
        }
        for transaction in self.mempool.in_turn(slot.height.0, slot.limit) {
            body.push(transaction)?;
        }
        let transactions = body.finish();
        let hashes: Vec<_> = transactions.iter().map(Transaction::hash).collect();
        let list: Body = List::new(transactions).map_err(|e| Halt::new(e.to_string()))?;
        let body = Bytes::new(encode(&list)).map_err(|e| Halt::new(e.to_string()))?;
        Ok(Built { body, root: merkle_root(&hashes), state: state_hash(db, genesis)? })
    }

    fn check(&mut self, db: &dyn Read, members: &Members, block: &Block) -> Result<Verdict, Halt> {
        rules::check(db, members, block, &self.mempool)
    }

    fn decided(
        &mut self,
        txn: &mut dyn Txn,
        members: &Members,
        block: &DecidedBlock,
    ) -> Result<Vec<Say>, Halt> {
        let transactions = transactions(&block.block)
            .map_err(|e| Halt::new(format!("a decided block does not decode ({e}); report this")))?;
        Changes::of(txn, members, block.height().0, &transactions)?.apply(txn, members.genesis())?;
        provided::agreed(txn, members.genesis(), block.height().0, &transactions)?;
        self.settled(txn, members, &transactions)
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
            ChainInput::Ignore(validators) => {
                for validator in &validators {
                    self.mempool.forget(validator);
                }
                self.ignored = validators.into_iter().collect();
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
        match decode::<Gossip>(bytes, members.limits().transaction().saturating_add(64)) {
            Ok(Gossip::Transaction(transaction)) => {
                self.heard_transaction(txn, members, from, &transaction)?;
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
        Ok(vec![gossip(Transaction::Evidence(evidence))])
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
