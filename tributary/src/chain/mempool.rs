//! Transactions which wait for a block. In memory only: authors send again until included, so whatever a
//! bound drops comes back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use processor_messages::{Validator, encode};

use super::ChainConfig;
use crate::{Evidence, Members, Order, SignedTransaction, Transaction, TransactionHash};

#[derive(Clone, Copy, Debug, Default)]
struct Load {
    count: usize,
    bytes: usize,
}

impl Load {
    fn add(&mut self, bytes: usize) {
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn remove(&mut self, bytes: usize) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Signatures of everything in here are valid. Bounded by member as [`ChainConfig`] says, and evidence to one
/// per member.
pub(super) struct Mempool {
    config: ChainConfig,
    signed: BTreeMap<Validator, BTreeMap<(Order, u32), SignedTransaction>>,
    signed_load: BTreeMap<Validator, Load>,
    unsigned: BTreeMap<TransactionHash, (Transaction, Validator)>,
    unsigned_load: BTreeMap<Validator, Load>,
    evidence: BTreeMap<Validator, Evidence>,
}

impl Mempool {
    pub(super) fn new(config: ChainConfig) -> Self {
        Self {
            config,
            signed: BTreeMap::new(),
            signed_load: BTreeMap::new(),
            unsigned: BTreeMap::new(),
            unsigned_load: BTreeMap::new(),
            evidence: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        let signed: usize = self.signed.values().map(BTreeMap::len).sum();
        signed.saturating_add(self.unsigned.len()).saturating_add(self.evidence.len())
    }

    /// Takes a transaction of ours, whose number the caller bounds by sending one of an order at a time.
    pub(super) fn add_own(&mut self, members: &Members, transaction: &Transaction) {
        if let Transaction::Signed(signed) = transaction {
            self.add_signed(members, signed.nonce, transaction, signed);
        }
    }

    /// Takes a signed transaction if it is near its turn, fits, and a member signed it; the first of two with
    /// one nonce stays.
    pub(super) fn add_signed(
        &mut self,
        members: &Members,
        next: u32,
        transaction: &Transaction,
        signed: &SignedTransaction,
    ) -> bool {
        let place = (signed.order.clone(), signed.nonce);
        let near = (next..=next.saturating_add(self.config.nonces_ahead)).contains(&signed.nonce);
        let known = self.signed.get(&signed.signer).is_some_and(|of| of.contains_key(&place));
        if !near || known || members.get(&signed.signer).is_none() {
            return false;
        }
        let size = encode(transaction).len();
        let load = self.signed_load.get(&signed.signer).copied().unwrap_or_default();
        let fits = (size <= members.limits().transaction())
            && (load.count < self.config.pending_per_signer)
            && (load.bytes.saturating_add(size) <= self.config.pending_bytes_per_signer);
        if !fits || !signed.verify(members) {
            return false;
        }
        self.signed_load.entry(signed.signer).or_default().add(size);
        self.signed.entry(signed.signer).or_default().insert(place, signed.clone());
        true
    }

    /// Takes an unsigned transaction brought by a member, within that member's share.
    pub(super) fn add_unsigned(
        &mut self,
        members: &Members,
        from: Validator,
        transaction: &Transaction,
    ) -> bool {
        let hash = transaction.hash();
        let size = encode(transaction).len();
        let load = self.unsigned_load.get(&from).copied().unwrap_or_default();
        let most = members.limits().transaction().min(unsigned_share(members.limits().body()));
        let fits = (size <= most)
            && (load.count < self.config.unsigned_per_member)
            && (load.bytes.saturating_add(size) <= self.config.unsigned_bytes_per_member);
        if !fits || self.unsigned.contains_key(&hash) {
            return false;
        }
        self.unsigned_load.entry(from).or_default().add(size);
        self.unsigned.insert(hash, (transaction.clone(), from));
        true
    }

    /// Takes evidence, one per member.
    pub(super) fn add_evidence(&mut self, members: &Members, evidence: &Evidence) {
        if !self.evidence.contains_key(&evidence.validator) && evidence.verify(members) {
            self.evidence.insert(evidence.validator, evidence.clone());
        }
    }

    pub(super) fn has_signed(&self, signed: &SignedTransaction) -> bool {
        let of = self.signed.get(&signed.signer);
        of.and_then(|of| of.get(&(signed.order.clone(), signed.nonce))) == Some(signed)
    }

    pub(super) fn has_evidence(&self, evidence: &Evidence) -> bool {
        self.evidence.get(&evidence.validator) == Some(evidence)
    }

    /// What a block of `body` bytes at this height is filled with, in its order, so that nobody crowds out
    /// others: evidence; unsigned ones within their share; of each signer what fits into an equal share of
    /// the body; then the rest, one of each signer in turn. Who comes first moves with the height.
    pub(super) fn in_turn(&self, height: u64, body: usize) -> Vec<Transaction> {
        let mut all: Vec<_> = self.evidence.values().cloned().map(Transaction::Evidence).collect();
        let mut brought: BTreeMap<Validator, VecDeque<Transaction>> = BTreeMap::new();
        for (transaction, from) in self.unsigned.values() {
            brought.entry(*from).or_default().push_back(transaction.clone());
        }
        let mut room = unsigned_share(body);
        all.extend(taking_turns(rotated(brought, height)).take_while(|transaction| {
            let left = room.checked_sub(encode(transaction).len());
            room = left.unwrap_or(0);
            left.is_some()
        }));
        let queue = |of: &BTreeMap<_, SignedTransaction>| -> VecDeque<_> {
            of.values().cloned().map(Transaction::Signed).collect()
        };
        let mut queues =
            rotated(self.signed.iter().map(|(signer, of)| (*signer, queue(of))).collect(), height);
        let share = body.checked_div(queues.len()).unwrap_or(0);
        for queue in &mut queues {
            let mut room = share;
            while let Some(next) = queue.pop_front_if(|next| encode(next).len() <= room) {
                room = room.saturating_sub(encode(&next).len());
                all.push(next);
            }
        }
        all.extend(taking_turns(queues));
        all
    }

    /// Forgets the signed transactions of a member.
    pub(super) fn forget(&mut self, signer: &Validator) {
        self.signed.remove(signer);
        self.signed_load.remove(signer);
    }

    /// Forgets what an included transaction settles.
    pub(super) fn settled(&mut self, transaction: &Transaction) {
        match transaction {
            Transaction::Provided { .. } => {}
            Transaction::Evidence(evidence) => {
                self.evidence.remove(&evidence.validator);
                self.forget(&evidence.validator);
            }
            Transaction::Unsigned(_) => {
                if let Some((transaction, from)) = self.unsigned.remove(&transaction.hash()) {
                    self.unsigned_load.entry(from).or_default().remove(encode(&transaction).len());
                }
            }
            Transaction::Signed(signed) => self.settled_up_to(signed),
        }
    }

    /// Removes every transaction of (signer, order) up to the included nonce, also one that lost against it.
    fn settled_up_to(&mut self, signed: &SignedTransaction) {
        let Some(of) = self.signed.get_mut(&signed.signer) else { return };
        let from = (signed.order.clone(), 0);
        let to = (signed.order.clone(), signed.nonce);
        let places: BTreeSet<_> = of.range(from..=to).map(|(place, _)| place.clone()).collect();
        for place in places {
            if let Some(gone) = of.remove(&place) {
                let bytes = encode(&Transaction::Signed(gone)).len();
                self.signed_load.entry(signed.signer).or_default().remove(bytes);
            }
        }
        if of.is_empty() {
            self.signed.remove(&signed.signer);
        }
    }
}

/// What unsigned transactions, for which nobody answers, may take of a body.
fn unsigned_share(body: usize) -> usize {
    body / 4
}

/// The queues, beginning with another one at each height.
fn rotated(queues: BTreeMap<Validator, VecDeque<Transaction>>, height: u64) -> Vec<VecDeque<Transaction>> {
    let mut queues: Vec<_> = queues.into_values().collect();
    let at = usize::try_from(height).unwrap_or(0).checked_rem(queues.len()).unwrap_or(0);
    queues.rotate_left(at);
    queues
}

/// One of each queue, then the next one of each, until all are empty.
fn taking_turns(queues: Vec<VecDeque<Transaction>>) -> impl Iterator<Item = Transaction> {
    let mut waiting = VecDeque::from(queues);
    std::iter::from_fn(move || {
        while let Some(mut queue) = waiting.pop_front() {
            if let Some(next) = queue.pop_front() {
                waiting.push_back(queue);
                return Some(next);
            }
        }
        None
    })
}
