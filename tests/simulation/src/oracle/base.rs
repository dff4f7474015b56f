//! The base chain: one block for each number, batches as the networks made them, in order and by whose turn it is.

use std::collections::{BTreeMap, BTreeSet};

use coordinator_base_chain::{Block, Event, SetDeclaration, signing};
use coordinator_core::session::SetSpec;
use processor_messages::{
    BaseBlock, BatchId, Burn, KeyPair, Network, Session, Slash, Validator, ValidatorSet,
    base_chain::ExecutedBatch,
};

use crate::setting::Setting;

/// The base chain as it was finalized.
#[derive(Default)]
pub(super) struct Chain {
    blocks: BTreeMap<BaseBlock, Block>,
    executed: BTreeMap<Network, u32>,
    in_charge: BTreeMap<Network, Session>,
    live: BTreeSet<ValidatorSet>,
    /// The sets whose duty ended: in which block, and whether their slash report was applied.
    retired: BTreeMap<ValidatorSet, (BaseBlock, bool)>,
    /// The first block with deposits which each network's batches brought.
    deposits: BTreeMap<Network, u64>,
    burns: BTreeMap<Network, Vec<Burn>>,
    /// The first batch which each set agreed to sign.
    first: BTreeMap<ValidatorSet, BatchId>,
}

/// The keys which a block sets.
pub(super) fn keys_set(block: &Block) -> impl Iterator<Item = (ValidatorSet, &KeyPair)> {
    block.events.iter().filter_map(|event| match event {
        Event::KeysSet { set, key_pair, .. } => Some((*set, key_pair)),
        _ => None,
    })
}

/// Whom the reports which a block applied slash, and how.
pub(super) fn slashed(block: &Block) -> impl Iterator<Item = (ValidatorSet, Validator, Slash)> {
    let reports = block.events.iter().filter_map(|event| match event {
        Event::SlashesReported { set, report } => Some((*set, report)),
        _ => None,
    });
    reports.flat_map(|(set, report)| report.iter().map(move |(validator, slash)| (set, *validator, *slash)))
}

/// Sets which a block declared.
type Declared = Vec<(SetSpec, SetDeclaration)>;

impl Chain {
    /// A block is final; the sets which it declares, if it is new.
    pub(super) fn finalized(&mut self, setting: &Setting, block: &Block) -> Result<Option<Declared>, String> {
        match self.blocks.get(&block.number()) {
            Some(known) if known == block => return Ok(None),
            Some(_) => return Err(format!("two base-chain blocks of number {}", block.number())),
            None => drop(self.blocks.insert(block.number(), block.clone())),
        }
        let mut declared = Vec::new();
        for event in &block.events {
            match event {
                Event::SetDeclared(declaration) => {
                    let spec = SetSpec::new(setting.chain, block.number(), block.hash(), declaration);
                    declared.extend(spec.map(|spec| (spec, declaration.clone())));
                }
                Event::KeysSet { set, .. } => {
                    self.live.insert(*set);
                    self.in_charge.entry(set.network).or_insert(set.session);
                }
                Event::BatchExecuted { network, batch } => self.execute(setting, *network, batch)?,
                Event::HandoverAccepted { retiring, accepted_by, .. } => {
                    self.in_charge.insert(retiring.network, *accepted_by);
                }
                Event::Burn { network, burn } => {
                    self.burns.entry(*network).or_default().push(burn.clone());
                }
                Event::SetDropped { set } => {
                    self.live.remove(set);
                }
                Event::SetRetired { set, reported } => {
                    self.live.remove(set);
                    self.retired.insert(*set, (block.number(), *reported));
                }
                _ => {}
            }
        }
        Ok(Some(declared))
    }

    fn execute(&mut self, setting: &Setting, network: Network, batch: &ExecutedBatch) -> Result<(), String> {
        let next = self.executed.entry(network).or_default();
        let expected = BatchId(*next);
        *next = next.saturating_add(1);
        if batch.id != expected {
            return Err(format!("{network} executed batch {} where {expected} was due", batch.id));
        }
        let place = setting.networks.iter().position(|name| *name == network);
        let external = place.and_then(|place| setting.external(place));
        let made = external.and_then(|external| {
            let number = external.number(&batch.block)?;
            if external.deposit(number, 0).is_some() {
                self.deposits.entry(network).or_insert(number);
            }
            Some(signing::instructions_hash(&external.batch(number, batch.id)))
        });
        if made != Some(batch.instructions_hash) {
            return Err(format!("{network} executed batch {}, which the network did not make", batch.id));
        }
        let former = self.in_charge.get(&network).copied().unwrap_or_default();
        if batch.publisher < former {
            let (id, publisher) = (batch.id, batch.publisher);
            return Err(format!("{network} executed batch {id} of session {publisher}, which handed over"));
        }
        Ok(())
    }

    /// Whether a set may agree to sign a batch now: its first once all before are executed, each further one once
    /// its first is.
    pub(super) fn may_offer(&mut self, set: ValidatorSet, id: BatchId) -> Result<(), String> {
        let executed = self.executed(set.network);
        let first = *self.first.entry(set).or_insert(id);
        if first == BatchId(0) {
            return Ok(());
        }
        if executed < first.0 {
            return Err(format!("{executed} are executed, and the former set's go before"));
        }
        if (id != first) && (executed <= first.0) {
            return Err(format!("its first one, {first}, is not executed"));
        }
        Ok(())
    }

    /// Whether this block, with all that it says, is the chain's.
    pub(super) fn holds(&self, block: &Block) -> bool {
        self.blocks.get(&block.number()) == Some(block)
    }

    pub(super) fn executed(&self, network: Network) -> u32 {
        self.executed.get(&network).copied().unwrap_or_default()
    }

    pub(super) fn in_charge(&self, network: Network) -> Option<Session> {
        self.in_charge.get(&network).copied()
    }

    pub(super) fn deposit(&self, network: Network) -> Option<u64> {
        self.deposits.get(&network).copied()
    }

    pub(super) fn burns(&self, network: Network) -> &[Burn] {
        self.burns.get(&network).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn retired(&self) -> Vec<ValidatorSet> {
        self.retired.keys().copied().collect()
    }

    /// The sets whose duty ended after this block without a slash report.
    pub(super) fn unreported_after(&self, block: BaseBlock) -> Vec<ValidatorSet> {
        let unreported = self.retired.iter().filter(|(_, (at, reported))| !reported && (*at > block));
        unreported.map(|(set, _)| *set).collect()
    }

    /// How many sets' duty ended with a slash report.
    pub(super) fn reported(&self) -> usize {
        self.retired.values().filter(|(_, reported)| *reported).count()
    }

    /// Whether a set has keys, and its duty is not over.
    pub(super) fn is_live(&self, set: ValidatorSet) -> bool {
        self.live.contains(&set)
    }
}
