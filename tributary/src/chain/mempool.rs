//! Transactions which wait for a block. In memory only: authors send again until included, so whatever a
//! bound drops comes back.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use processor_messages::Validator;

use super::{ChainConfig, entry::Entry};
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
    signed: BTreeMap<Validator, BTreeMap<(Order, u32), Arc<Entry>>>,
    signed_load: BTreeMap<Validator, Load>,
    unsigned: BTreeMap<TransactionHash, (Arc<Entry>, Validator)>,
    unsigned_load: BTreeMap<Validator, Load>,
    evidence: BTreeMap<Validator, Arc<Entry>>,
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

    /// Whether a signed transaction has a place here if it is near its turn: a member signed it, as it says; it fits;
    /// nothing else has its nonce. Of two with one nonce the first stays.
    pub(super) fn has_place_for(&self, members: &Members, entry: &Entry, signed: &SignedTransaction) -> bool {
        let place = (signed.order.clone(), signed.nonce);
        let known = self.signed.get(&signed.signer).is_some_and(|of| of.contains_key(&place));
        let load = self.signed_load.get(&signed.signer).copied().unwrap_or_default();
        let stranger = members.get(&signed.signer).is_none() && !mutated!(TakeStrangers);
        let fits = (entry.size <= members.limits().transaction())
            && (load.count < self.config.pending_per_signer)
            && (load.bytes.saturating_add(entry.size) <= self.config.pending_bytes_per_signer);
        !known && !stranger && (fits || mutated!(UnboundedMempool))
    }

    /// Whether a nonce is near its turn, if `next` is the next one of its order.
    pub(super) fn is_near(&self, next: u32, nonce: u32) -> bool {
        (next..=next.saturating_add(self.config.nonces_ahead)).contains(&nonce)
    }

    /// Takes a signed transaction for which there is a place, and whose signature is valid.
    pub(super) fn add_signed(&mut self, members: &Members, entry: &Arc<Entry>) {
        if let Some(signed) = entry.signed()
            && self.has_place_for(members, entry, signed)
        {
            self.signed_load.entry(signed.signer).or_default().add(entry.size);
            let place = (signed.order.clone(), signed.nonce);
            self.signed.entry(signed.signer).or_default().insert(place, entry.clone());
        }
    }

    /// How many signed transactions of a validator wait, and how many unsigned ones which it brought.
    pub(super) fn load_of(&self, validator: &Validator) -> (usize, usize) {
        let signed = self.signed.get(validator).map_or(0, BTreeMap::len);
        (signed, self.unsigned_load.get(validator).map_or(0, |load| load.count))
    }

    /// Takes an unsigned transaction brought by a member, within that member's share.
    pub(super) fn add_unsigned(&mut self, members: &Members, from: Validator, entry: &Arc<Entry>) -> bool {
        let load = self.unsigned_load.get(&from).copied().unwrap_or_default();
        let most = members.limits().transaction().min(unsigned_share(members.limits().body()));
        let fits = (entry.size <= most)
            && (load.count < self.config.unsigned_per_member)
            && (load.bytes.saturating_add(entry.size) <= self.config.unsigned_bytes_per_member);
        if !fits || self.unsigned.contains_key(&entry.hash) {
            return false;
        }
        self.unsigned_load.entry(from).or_default().add(entry.size);
        self.unsigned.insert(entry.hash, (entry.clone(), from));
        true
    }

    /// Takes evidence, one per member.
    pub(super) fn add_evidence(&mut self, members: &Members, evidence: &Evidence) {
        if !self.evidence.contains_key(&evidence.validator) && evidence.verify(members) {
            let entry = Entry::of(Transaction::Evidence(evidence.clone()));
            self.evidence.insert(evidence.validator, Arc::new(entry));
        }
    }

    pub(super) fn has_signed(&self, hash: &TransactionHash, signed: &SignedTransaction) -> bool {
        let of = self.signed.get(&signed.signer);
        let entry = of.and_then(|of| of.get(&(signed.order.clone(), signed.nonce)));
        entry.is_some_and(|entry| entry.hash == *hash)
    }

    pub(super) fn has_evidence(&self, hash: &TransactionHash, evidence: &Evidence) -> bool {
        self.evidence.get(&evidence.validator).is_some_and(|entry| entry.hash == *hash)
    }

    /// Who signed or brought something that waits.
    pub(super) fn authors(&self) -> BTreeSet<Validator> {
        let brought = self.unsigned.values().map(|(_, from)| *from);
        self.signed.keys().copied().chain(brought).collect()
    }

    /// Forgets what a validator signed or brought; evidence against it stays.
    pub(super) fn forget(&mut self, validator: &Validator) {
        self.signed.remove(validator);
        self.signed_load.remove(validator);
        self.unsigned.retain(|_, (_, from)| from != validator);
        self.unsigned_load.remove(validator);
    }

    /// What a block of `body` bytes at this height is filled with, in its order, so that nobody crowds out
    /// others: evidence; unsigned ones within their share; of each signer what fits into an equal share of
    /// the body; then the rest, one of each signer in turn. Who comes first moves with the height.
    pub(super) fn in_turn(&self, height: u64, body: usize) -> Vec<Arc<Entry>> {
        let mut all: Vec<_> = self.evidence.values().cloned().collect();
        let mut brought: BTreeMap<Validator, VecDeque<Arc<Entry>>> = BTreeMap::new();
        for (entry, from) in self.unsigned.values() {
            brought.entry(*from).or_default().push_back(entry.clone());
        }
        let mut room = unsigned_share(body);
        all.extend(taking_turns(rotated(brought, height)).take_while(|entry| {
            let left = room.checked_sub(entry.size);
            room = left.unwrap_or(0);
            left.is_some()
        }));
        let queue = |of: &BTreeMap<_, Arc<Entry>>| -> VecDeque<_> { of.values().cloned().collect() };
        let mut queues =
            rotated(self.signed.iter().map(|(signer, of)| (*signer, queue(of))).collect(), height);
        let share = body.checked_div(queues.len()).unwrap_or(0);
        for queue in &mut queues {
            let mut room = share;
            while let Some(next) = queue.pop_front_if(|next| next.size <= room) {
                room = room.saturating_sub(next.size);
                all.push(next);
            }
        }
        all.extend(taking_turns(queues));
        all
    }

    /// Forgets what an included transaction settles.
    pub(super) fn settled(&mut self, included: &Entry) {
        match &included.transaction {
            Transaction::Provided { .. } => {}
            Transaction::Evidence(evidence) => {
                self.evidence.remove(&evidence.validator);
                self.signed.remove(&evidence.validator);
                self.signed_load.remove(&evidence.validator);
            }
            Transaction::Unsigned(_) => {
                if let Some((entry, from)) = self.unsigned.remove(&included.hash) {
                    self.unsigned_load.entry(from).or_default().remove(entry.size);
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
        let places: Vec<_> = of.range(from..=to).map(|(place, _)| place.clone()).collect();
        for place in places {
            if let Some(gone) = of.remove(&place) {
                self.signed_load.entry(signed.signer).or_default().remove(gone.size);
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
fn rotated<T>(queues: BTreeMap<Validator, VecDeque<T>>, height: u64) -> Vec<VecDeque<T>> {
    let mut queues: Vec<_> = queues.into_values().collect();
    let at = usize::try_from(height).unwrap_or(0).checked_rem(queues.len()).unwrap_or(0);
    queues.rotate_left(at);
    queues
}

/// One of each queue, then the next one of each, until all are empty.
fn taking_turns<T>(queues: Vec<VecDeque<T>>) -> impl Iterator<Item = T> {
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
