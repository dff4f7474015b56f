//! What must hold after every step, whatever goes wrong.

use std::collections::BTreeMap;

use blake2::{Blake2b, Digest, digest::consts::U32};
use coordinator_base_chain::{Block, Event};
use coordinator_core::{
    Notice, notice,
    session::{slash::Cause, transaction::Signed},
};
use processor_messages::{
    BaseBlock, BatchId, FromProcessor, Genesis, KeyPair, Network, Session, TributaryBlock, Validator, decode,
    sign::{FromProcessor as Sign, SignId},
};
use tributary::{BlockHash, Transaction, chain};

type Hash = [u8; 32];

/// The most violations which are kept; one is enough to fail.
const MAX_VIOLATIONS: usize = 32;

/// Everything that was seen, and what of it cannot be.
#[derive(Default)]
pub struct Oracle {
    /// What cannot be.
    pub violations: Vec<String>,
    /// Executed batches by network.
    pub executed: BTreeMap<Network, u32>,
    /// Keys on the base chain.
    pub keys: BTreeMap<(Network, Session), KeyPair>,
    honest: Vec<Validator>,
    decided: BTreeMap<(Genesis, TributaryBlock), BlockHash>,
    states: BTreeMap<(Genesis, TributaryBlock), Hash>,
    base: BTreeMap<BaseBlock, Hash>,
    slots: BTreeMap<(Genesis, Validator, Vec<u8>, u32), Hash>,
    nonces: BTreeMap<Vec<u8>, String>,
    letters: BTreeMap<(usize, Vec<u8>), Hash>,
    generated: BTreeMap<(Network, Session), KeyPair>,
}

fn hash(bytes: &[u8]) -> Hash {
    Blake2b::<U32>::digest(bytes).into()
}

impl Oracle {
    /// Of a run in which these validators run as they should.
    pub fn of(honest: Vec<Validator>) -> Self {
        Self { honest, ..Self::default() }
    }

    fn violated(&mut self, what: String) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(what);
        }
    }

    fn is_honest(&self, validator: Validator) -> bool {
        self.honest.contains(&validator)
    }

    /// A node has decided a block: one for each height, each slot filled once, no nonce twice.
    pub fn decided(&mut self, genesis: Genesis, block: &tributary::Block) {
        let (height, hash) = (block.header.height, block.header.hash(genesis));
        match self.decided.get(&(genesis, height)) {
            Some(known) if *known == hash => return,
            Some(known) => {
                return self.violated(format!("two blocks at {genesis}/{height}: {known} and {hash}"));
            }
            None => drop(self.decided.insert((genesis, height), hash)),
        }
        for transaction in chain::transactions(block).unwrap_or_default() {
            if let Transaction::Signed(signed) = transaction {
                let slot = (genesis, signed.signer, signed.order.to_vec(), signed.nonce);
                self.slot(slot, &signed.payload);
            }
        }
    }

    fn slot(&mut self, slot: (Genesis, Validator, Vec<u8>, u32), payload: &[u8]) {
        let place = format!("{}/{}/{}/{}", slot.0, slot.1, hex::encode(&slot.2), slot.3);
        let hash = hash(payload);
        if self.slots.insert(slot.clone(), hash).is_some_and(|known| known != hash) {
            self.violated(format!("two payloads for slot {place}"));
        }
        if !self.is_honest(slot.1) {
            return;
        }
        match Signed::from_bytes(payload) {
            Ok(Signed::ConfirmationNonces { commitments, .. }) => self.nonce(commitments.to_vec(), place),
            Ok(_) => {}
            Err(_) => self.violated(format!("an honest validator signed what does not decode, slot {place}")),
        }
    }

    fn nonce(&mut self, commitment: Vec<u8>, place: String) {
        let known = self.nonces.insert(commitment, place.clone());
        if let Some(known) = known.filter(|known| *known != place) {
            self.violated(format!("one nonce in {known} and {place}"));
        }
    }

    /// An honest processor says this: the same under the same intent, and no nonce twice.
    pub fn letter(&mut self, processor: usize, network: Network, intent: &[u8], bytes: &[u8]) {
        let hash = hash(bytes);
        let known = self.letters.insert((processor, intent.to_vec()), hash);
        if known.is_some_and(|known| known != hash) {
            self.violated(format!("processor {processor} said two things under one intent"));
        }
        match decode::<FromProcessor>(bytes, usize::MAX) {
            Ok(FromProcessor::Sign(Sign::Preprocesses { id, preprocesses })) => {
                for piece in &preprocesses {
                    self.nonce(piece.to_vec(), signing_place(processor, id));
                }
            }
            Ok(FromProcessor::KeyGen(processor_messages::key_gen::FromProcessor::GeneratedKeyPair {
                session,
                key_pair,
            })) => {
                let known = self.generated.insert((network, session), key_pair.clone());
                if known.is_some_and(|known| known != key_pair) {
                    self.violated(format!("processors of {network}/{session} generated different keys"));
                }
            }
            Ok(_) => {}
            Err(error) => self.violated(format!("processor {processor} said what does not decode: {error}")),
        }
    }

    /// A coordinator has applied a tributary's blocks through this one.
    pub fn state(&mut self, genesis: Genesis, through: TributaryBlock, state: Hash) {
        let known = *self.states.entry((genesis, through)).or_insert(state);
        if known != state {
            self.violated(format!("states differ at {genesis}/{through}"));
        }
    }

    /// A base-chain node has finalized a block: one for each number, keys as generated, batches in order.
    pub fn base_block(&mut self, block: &Block) {
        let hash = block.hash().0;
        match self.base.insert(block.number(), hash) {
            Some(known) if known == hash => return,
            Some(_) => return self.violated(format!("two base-chain blocks of number {}", block.number())),
            None => {}
        }
        for event in &block.events {
            match event {
                Event::KeysSet { set, key_pair, .. } => {
                    let generated = self.generated.get(&(set.network, set.session));
                    if generated != Some(key_pair) {
                        self.violated(format!("keys of {set} on the base chain were not generated"));
                    }
                    self.keys.insert((set.network, set.session), key_pair.clone());
                }
                Event::BatchExecuted { network, batch } => {
                    let next = self.executed.entry(*network).or_default();
                    let expected = BatchId(*next);
                    *next = next.saturating_add(1);
                    if batch.id != expected {
                        self.violated(format!(
                            "{network} executed batch {} where {expected} was due",
                            batch.id
                        ));
                    }
                }
                _ => {}
            }
        }
    }

    /// What a coordinator of an honest validator decided.
    pub fn notice(&mut self, of: Validator, notice: &Notice) {
        match &notice.event {
            notice::Event::Slashed { validator, cause, .. }
                if self.is_honest(*validator) && *cause != Cause::MissedShare =>
            {
                self.violated(format!("{of} slashed the honest {validator} for {cause:?}"));
            }
            notice::Event::Halted { reason } => self.violated(format!("{of} halted: {reason:?}")),
            notice::Event::CosignConflict { block, .. } => {
                self.violated(format!("{of} saw a set cosign another block {block}"));
            }
            notice::Event::OwnSlotConflict => self.violated(format!("{of} found its own slot taken")),
            notice::Event::KeyPairsConflict { .. } => self.violated(format!("{of} saw two key pairs")),
            _ => {}
        }
    }
}

fn signing_place(processor: usize, id: SignId) -> String {
    format!("processor {processor}, {id:?}")
}
