//! What must hold after every step, whatever goes wrong.
//!
//! ```text
//! blocks decided, states reached ──▶ mod      one for each height, with true certificates; slots, nonces, order
//! what is sent                   ──▶ wire     nobody honest says two things where one may be said
//! the base chain's blocks        ──▶ base     batches in order and as the network made them, as handled by all
//! declarations, participations   ──▶ keys     the group key, computed again
//! ```
//!
//! An oracle knows everything and trusts nothing of what it judges: where it computes a thing again, it does so from
//! other facts, or by other code.

mod base;
mod keys;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use blake2::{Blake2b, Digest, digest::consts::U32};
use coordinator_base_chain::Block;
use coordinator_core::{
    Notice, notice,
    session::{
        SetSpec,
        slash::Cause,
        transaction::{Provided, Signed},
    },
};
use processor_messages::{
    BaseBlock, BatchId, Burn, FromProcessor, Genesis, KeyPair, Network, Session, Slash, ToProcessor,
    TributaryBlock, Validator, ValidatorSet, base_chain, decode, key_gen,
    sign::{FromProcessor as Sign, SignId},
};
use tributary::{BlockHash, DecidedBlock, Kind, Members, Transaction, chain, wiretap};

use crate::setting::Setting;

type Hash = [u8; 32];

/// The most violations which are kept; one is enough to fail.
const MAX_VIOLATIONS: usize = 32;

/// A chain, as its declaration makes it.
struct Facts {
    members: Members,
    spec: Option<SetSpec>,
}

/// Everything that was seen, and what of it cannot be.
pub struct Oracle {
    /// What cannot be.
    pub violations: Vec<String>,
    setting: Arc<Setting>,
    honest: Vec<Validator>,
    /// Those of the honest who may get points for what they missed.
    excused: BTreeSet<Validator>,
    chains: BTreeMap<Genesis, Facts>,
    decided: BTreeMap<(Genesis, TributaryBlock), BlockHash>,
    states: BTreeMap<(Genesis, TributaryBlock), Hash>,
    slots: BTreeMap<(Genesis, Validator, Vec<u8>, u32), Hash>,
    nonces: BTreeMap<Vec<u8>, String>,
    letters: BTreeMap<(usize, Vec<u8>), Hash>,
    generated: BTreeMap<ValidatorSet, KeyPair>,
    made: BTreeSet<(usize, BatchId)>,
    base: base::Chain,
    keys: keys::Keys,
    wire: wire::Wire,
}

fn hash(bytes: &[u8]) -> Hash {
    Blake2b::<U32>::digest(bytes).into()
}

impl Oracle {
    /// Of a run in which these validators run as they should.
    pub fn of(setting: Arc<Setting>, honest: Vec<Validator>) -> Self {
        let base = Facts { members: setting.members.clone(), spec: None };
        let genesis = setting.genesis_block.clone();
        let mut this = Self {
            violations: Vec::new(),
            honest,
            excused: BTreeSet::new(),
            chains: BTreeMap::from([(setting.members.genesis(), base)]),
            decided: BTreeMap::new(),
            states: BTreeMap::new(),
            slots: BTreeMap::new(),
            nonces: BTreeMap::new(),
            letters: BTreeMap::new(),
            generated: BTreeMap::new(),
            made: BTreeSet::new(),
            base: base::Chain::default(),
            keys: keys::Keys::default(),
            wire: wire::Wire::default(),
            setting,
        };
        this.base_block(&genesis);
        this
    }

    /// Takes note of what cannot be.
    pub fn violated(&mut self, what: String) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(what);
        }
    }

    /// Something is wrong with this validator's processes or links: it may get points for what it misses (`SIGN-14`).
    pub fn excuse(&mut self, validator: Validator) {
        self.excused.insert(validator);
    }

    /// Nobody honest is slashed, and nobody for whom nothing explains it has points (`SIGN-14`).
    pub fn slashed(&mut self, who: &dyn std::fmt::Display, validator: Validator, slash: Slash) {
        if !self.is_honest(validator) {
            return;
        }
        match slash {
            Slash::Fatal => self.violated(format!("{who} slashes the honest {validator} fatally")),
            Slash::Points(points) if points > 0 && !self.excused.contains(&validator) => self.violated(format!(
                "{who} has {points} points for the honest {validator}, who had no fault to miss anything for"
            )),
            Slash::Points(_) => {}
        }
    }

    /// Whether a validator runs as it should.
    pub fn is_honest(&self, validator: Validator) -> bool {
        self.honest.contains(&validator)
    }

    /// An output leaves a process: the step which decided it is durable.
    pub fn leaves(&mut self, place: &dyn std::fmt::Debug, step: u64, durable: u64) {
        if step > durable {
            self.violated(format!("{place:?} lets out what step {step} decided, and {durable} are durable"));
        }
    }

    /// Something that waits is within its bound.
    pub fn bounded(&mut self, what: impl FnOnce() -> String, waits: u64, bound: u64) {
        if waits > bound {
            let what = what();
            self.violated(format!("{what}: {waits} wait, the bound is {bound}"));
        }
    }

    /// A node has decided a block: one for each height, by a quorum, each slot filled once, by members, no nonce twice.
    pub fn decided(&mut self, genesis: Genesis, decided: &DecidedBlock) {
        let block = &decided.block;
        let (height, hash) = (block.header.height, block.header.hash(genesis));
        if !self.is_proven(genesis, decided, hash) {
            self.violated(format!("a block at {genesis}/{height} is final here without a quorum's votes"));
        }
        match self.decided.get(&(genesis, height)) {
            Some(known) if *known == hash => return,
            Some(known) => {
                let known = *known;
                return self.violated(format!("two blocks at {genesis}/{height}: {known} and {hash}"));
            }
            None => drop(self.decided.insert((genesis, height), hash)),
        }
        let Some(spec) = self.chains.get(&genesis).and_then(|facts| facts.spec.clone()) else { return };
        for transaction in chain::transactions(block).unwrap_or_default() {
            self.ordered(&spec, height, transaction);
        }
        self.wire.forget_below(genesis, height.0);
    }

    /// Whether a block is final: a quorum's votes for it are there.
    pub fn is_final(&self, genesis: Genesis, decided: &DecidedBlock) -> bool {
        self.is_proven(genesis, decided, decided.block.header.hash(genesis))
    }

    fn is_proven(&self, genesis: Genesis, decided: &DecidedBlock, hash: BlockHash) -> bool {
        let Some(Facts { members, .. }) = self.chains.get(&genesis) else { return false };
        let certificate = &decided.certificate;
        let of_this = (certificate.block == hash) && (certificate.height == decided.block.header.height);
        of_this && (wiretap::weight(certificate, members) * 3 > members.total() * 2)
    }

    fn ordered(&mut self, spec: &SetSpec, height: TributaryBlock, transaction: Transaction) {
        let place = format!("{}/{height}", spec.set());
        match transaction {
            Transaction::Signed(signed) => {
                if spec.index_of(signed.signer).is_none() {
                    self.violated(format!("{place} holds a transaction of {}, a stranger", signed.signer));
                }
                if signed.payload.len() > spec.tributary.limits.transaction() {
                    self.violated(format!("{place} holds a transaction over the limit"));
                }
                let slot = (spec.genesis, signed.signer, signed.order.to_vec(), signed.nonce);
                self.slot(spec, height, slot, &signed.payload);
            }
            Transaction::Unsigned(payload) if payload.len() >= spec.tributary.limits.transaction() => {
                self.violated(format!("{place} holds a transaction over the limit"));
            }
            Transaction::Unsigned(_) => {}
            Transaction::Evidence(evidence) => {
                if self.is_honest(evidence.validator) {
                    self.violated(format!(
                        "{place} holds evidence against the honest {}",
                        evidence.validator
                    ));
                }
            }
            Transaction::Provided { kind: Kind::SLASHED, payload } => {
                let slashed = <[u8; 32]>::try_from(&*payload).map(Validator);
                if slashed.is_ok_and(|validator| self.is_honest(validator)) || slashed.is_err() {
                    self.violated(format!("{place} holds a slash of somebody honest, or of nobody"));
                }
            }
            Transaction::Provided { payload, .. } => match Provided::from_bytes(&payload) {
                Ok(Provided::Batch { id, .. }) => self.offered(spec.set(), id),
                Ok(_) => {}
                Err(_) => self.violated(format!("{place} holds a provided transaction which is none")),
            },
        }
    }

    /// A set agreed to sign a batch: those before it are executed as the handover asks.
    fn offered(&mut self, set: ValidatorSet, id: BatchId) {
        if let Err(why) = self.base.may_offer(set, id) {
            self.violated(format!("{set} agreed to sign batch {id}: {why}"));
        }
    }

    fn slot(
        &mut self,
        spec: &SetSpec,
        height: TributaryBlock,
        slot: (Genesis, Validator, Vec<u8>, u32),
        payload: &[u8],
    ) {
        let place = format!("{}/{}/{}/{}", slot.0, slot.1, hex::encode(&slot.2), slot.3);
        let hash = hash(payload);
        if self.slots.insert(slot.clone(), hash).is_some_and(|known| known != hash) {
            self.violated(format!("two payloads for slot {place}"));
        }
        let signed = Signed::from_bytes(payload);
        if let Ok(Signed::DkgParticipation(bytes)) = &signed {
            self.keys.participated(spec, height, slot.1, bytes);
        }
        if !self.is_honest(slot.1) {
            return;
        }
        match signed {
            Ok(Signed::ConfirmationNonces { commitments, .. }) => self.nonce(commitments.to_vec(), place),
            Ok(Signed::Blame { validator }) if self.is_honest(validator) => {
                self.violated(format!("{} blames the honest {validator}", slot.1));
            }
            Ok(Signed::InvalidParticipant { participant, .. }) => {
                let culprit = spec.owner(participant).and_then(|index| spec.validator(index));
                if culprit.is_none_or(|culprit| self.is_honest(culprit)) {
                    self.violated(format!("{} blames the honest participant {participant}", slot.1));
                }
            }
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

    /// An honest validator's node says this to everybody.
    pub fn says(&mut self, by: Validator, genesis: Genesis, bytes: &[u8]) {
        let Some(facts) = self.chains.get(&genesis) else { return };
        let executed = facts.spec.as_ref().map_or(0, |spec| self.base.executed(spec.set().network));
        if let Err(what) = self.wire.says(by, &facts.members, executed, bytes) {
            self.violated(format!("the honest {by} says {what}"));
        }
    }

    /// For which batches, far behind those which are executed, a validator made signing data.
    pub fn stale(&self, by: Validator) -> &[BatchId] {
        self.wire.stale(by)
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
            Ok(FromProcessor::KeyGen(key_gen::FromProcessor::GeneratedKeyPair { session, key_pair })) => {
                let set = ValidatorSet { network, session };
                let known = self.generated.insert(set, key_pair.clone());
                if known.is_some_and(|known| known != key_pair) {
                    self.violated(format!("processors of {set} generated different keys"));
                }
            }
            Ok(FromProcessor::BaseChain(base_chain::FromProcessor::Batch { batch, .. })) => {
                self.made.insert((processor, batch.id));
            }
            Ok(_) => {}
            Err(error) => self.violated(format!("processor {processor} said what does not decode: {error}")),
        }
    }

    /// An honest coordinator hands this to its processor: nothing of a batch which that one has not made.
    pub fn handed(&mut self, processor: usize, message: &ToProcessor) {
        let ToProcessor::BaseChain(base_chain::ToProcessor::Block { batches, .. }) = message else { return };
        for batch in batches {
            if !self.made.contains(&(processor, batch.id)) {
                let id = batch.id;
                self.violated(format!("processor {processor} learns of batch {id}, which it has not made"));
            }
        }
    }

    /// A coordinator has applied a tributary's blocks through this one.
    pub fn state(&mut self, genesis: Genesis, through: TributaryBlock, state: Hash) {
        let known = *self.states.entry((genesis, through)).or_insert(state);
        if known != state {
            self.violated(format!("states differ at {genesis}/{through}"));
        }
    }

    /// A base-chain node has finalized a block.
    pub fn base_block(&mut self, block: &Block) {
        let declared = match self.base.finalized(&self.setting, block) {
            Ok(None) => return,
            Ok(Some(declared)) => declared,
            Err(what) => return self.violated(what),
        };
        for (spec, declaration) in declared {
            if let Ok(members) = spec.tributary.members() {
                self.keys.declared(&self.setting, &spec, declaration);
                self.chains.insert(spec.genesis, Facts { members, spec: Some(spec) });
            }
        }
        for (set, validator, slash) in base::slashed(block) {
            self.slashed(&format!("the report of {set}"), validator, slash);
        }
        for (set, key_pair) in base::keys_set(block) {
            if self.generated.get(&set).is_some_and(|generated| generated != key_pair) {
                self.violated(format!("keys of {set} on the base chain are not those which were generated"));
            }
            match self.keys.expected(set) {
                Ok(expected) if expected == *key_pair => {}
                Ok(_) => {
                    self.violated(format!(
                        "keys of {set} on the base chain do not follow from participations"
                    ));
                }
                Err(what) => self.violated(format!("keys of {set} are on the base chain: {what}")),
            }
        }
    }

    /// An honest coordinator has handled this block of the base chain.
    pub fn accepted(&mut self, by: Validator, block: &Block) {
        if !self.base.holds(block) {
            let number = block.number();
            self.violated(format!("{by} handled a block {number} which the base chain does not have"));
        }
    }

    /// How many batches of a network are executed.
    pub fn executed(&self, network: Network) -> u32 {
        self.base.executed(network)
    }

    /// The sets which have keys, and are not over.
    pub fn keyed(&self) -> Vec<SetSpec> {
        let specs = self.chains.values().filter_map(|facts| facts.spec.as_ref());
        specs.filter(|spec| self.base.is_live(spec.set())).cloned().collect()
    }

    /// The first block of a network whose deposits were minted.
    pub fn deposit(&self, network: Network) -> Option<u64> {
        self.base.deposit(network)
    }

    /// What was burnt of a network's coins, in order.
    pub fn burns(&self, network: Network) -> &[Burn] {
        self.base.burns(network)
    }

    /// The sets whose duty ended on the base chain.
    pub fn retired(&self) -> Vec<ValidatorSet> {
        self.base.retired()
    }

    /// The sets whose duty ended after this block without a slash report.
    pub fn unreported_after(&self, block: BaseBlock) -> Vec<ValidatorSet> {
        self.base.unreported_after(block)
    }

    /// How many sets' duty ended with a slash report.
    pub fn reported(&self) -> usize {
        self.base.reported()
    }

    /// The latest session of a network which is in charge.
    pub fn in_charge(&self, network: Network) -> Option<Session> {
        self.base.in_charge(network)
    }

    /// Whether somebody honest may get points for this cause.
    fn may_miss(&self, validator: Validator, cause: Cause) -> bool {
        matches!(cause, Cause::MissedShare | Cause::MissedVotes) && self.excused.contains(&validator)
    }

    /// What a coordinator of an honest validator decided.
    pub fn notice(&mut self, of: Validator, notice: &Notice) {
        match &notice.event {
            notice::Event::Slashed { validator, cause, .. }
                if self.is_honest(*validator) && !self.may_miss(*validator, *cause) =>
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
