//! A coordinator: the service's tasks, each doing one step at a time and waiting until it is durable, over a simulated
//! disk. The rules are the real ones; what is replaced is what the shell waits with.

use std::collections::{BTreeMap, BTreeSet};

use coordinator::session::{due_inputs, is_due, ordered_block};
use coordinator_base_chain::{Block as BaseChainBlock, Transaction, TransactionHash};
use coordinator_core::{
    Error, Identity, Notice, Step,
    base_chain::{self, Handled},
    batch,
    cosign::{self, Gate},
    halt::{self, Reason},
    outbox, processor,
    session::{
        self, Life, SetRecord, SetSpec,
        archive::{self, ArchiveError, Position, Writer},
        retire::{self, Archived, Due},
        status::is_busy,
    },
};
use coordinator_message_queue::{Direction, QueueError, queue};
use coordinator_store::{Store, StoreError};
use processor_messages::{
    BaseBlock, FromProcessor, Genesis, Network, TributaryBlock, ValidatorSet, codec::MAX_MESSAGE_BYTES,
    decode,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tributary::{Block, Chain, ChainConfig, ChainInput, DECIDED, Input, Node, Open, chain};

use crate::{
    base::Base,
    cosign::Exchange,
    disk::{Disk, Effect},
    engine::{Engine, Failed, effects},
    setting::{Setting, tributary_timing},
    time::{SECOND, Time},
};

/// How soon a transaction is submitted again.
const RESUBMIT: Time = 10 * SECOND;
/// Sets looked at.
const MAX_SETS: usize = 64;

/// One of the service's tasks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Task {
    /// Observes the base chain's blocks, for cosigning.
    Observe,
    /// Handles the base chain's blocks.
    Follow,
    /// Opens tributaries.
    Open,
    /// Feeds a set's tributary.
    Publish(ValidatorSet),
    /// Reads a set's tributary.
    Scan(ValidatorSet),
    /// Publishes confirmed keys.
    Keys,
    /// Publishes a network's batches.
    Batches(Network),
    /// Publishes slash reports of retiring sets.
    Reports,
    /// Archives and prunes ended sets.
    Retire,
    /// Sends to a network's processor.
    Send(Network),
    /// Handles what a network's processor sent.
    Receive(Network),
}

impl Task {
    /// Whether it asks the base-chain node.
    pub fn asks_base(self) -> bool {
        matches!(self, Self::Observe | Self::Follow | Self::Keys | Self::Reports | Self::Batches(_))
    }
}

/// What a look at a task's work brought.
pub(crate) enum Did {
    /// Nothing to do until something else is durable, or a tributary ends.
    Nothing,
    /// Nothing was done; it is to be looked at again.
    Later,
    /// A step, with these effects once it is durable.
    Step(Vec<Effect>),
}

/// A running tributary of a coordinator.
pub struct Tributary {
    /// What it is for.
    pub spec: SetSpec,
    /// The node.
    pub engine: Engine<Chain>,
    busy: Option<bool>,
}

/// A coordinator.
pub struct CoordinatorNode {
    /// Whose it is: twins are of one validator.
    pub validator: usize,
    /// Its disk.
    pub disk: Disk,
    /// Its tributaries while it runs.
    pub tributaries: BTreeMap<Genesis, Tributary>,
    /// What its rules decided, to be looked at by oracles; taken by them.
    pub notices: Vec<Notice>,
    /// The archives on its disk, as files: what is there was synced.
    pub archives: BTreeMap<ValidatorSet, Vec<u8>>,
    /// The block of the base chain which it handled last, to be looked at by oracles; taken by them.
    pub accepted: Option<BaseChainBlock>,
    /// Whether its base-chain node says of a transaction that it took it, and drops it.
    pub base_drops: bool,
    pub(crate) identity: Identity,
    pub(crate) exchange: Exchange,
    waiting: BTreeSet<Task>,
    /// Tasks which found nothing to do, and how many changes were durable then.
    idle: BTreeMap<Task, u64>,
    submitted: BTreeMap<TransactionHash, Time>,
    /// How much of a tributary's block a step applies: some coordinators end their steps early (`SIGN-26`).
    part_bytes: Option<usize>,
    rng: ChaCha20Rng,
    seed: u64,
}

impl CoordinatorNode {
    /// A coordinator with an empty disk, of a validator who has a processor for each of these networks.
    pub fn new(setting: &Setting, validator: usize, networks: Vec<Network>, seed: u64) -> Self {
        let key = setting.keys.get(validator).expect("a validator of the setting").clone();
        Self {
            validator,
            disk: Disk::default(),
            tributaries: BTreeMap::new(),
            notices: Vec::new(),
            archives: BTreeMap::new(),
            accepted: None,
            base_drops: false,
            identity: Identity { key, chain: setting.chain, networks },
            exchange: Exchange::default(),
            waiting: BTreeSet::new(),
            idle: BTreeMap::new(),
            submitted: BTreeMap::new(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            part_bytes: [None, Some(300), Some(3_000)]
                .get(usize::try_from(seed % 3).unwrap_or(0))
                .copied()
                .flatten(),
            seed,
        }
    }

    /// Starts it: nothing is in memory.
    pub fn start(&mut self) {
        self.tributaries.clear();
        self.exchange = Exchange::default();
        self.waiting.clear();
        self.idle.clear();
        self.submitted.clear();
        // Another life draws other nonces, as the system's source would.
        self.rng = ChaCha20Rng::seed_from_u64(self.seed ^ (self.disk.life << 32));
        self.disk.up = true;
    }

    /// The next block of the base chain to handle.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_base_block(&self) -> Result<BaseBlock, StoreError> {
        self.disk.store.read(|db| base_chain::next_block(db))
    }

    /// The next block of the base chain to observe.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_observed(&self) -> Result<BaseBlock, StoreError> {
        self.disk.store.read(|db| cosign::next_block(db))
    }

    /// The sets it is in and their tributaries' ids, of those which are live.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sets(&self) -> Result<Vec<SetSpec>, StoreError> {
        let records = self.disk.store.read(|db| session::all(db, MAX_SETS))?;
        Ok(records.into_iter().filter(|r| r.life == Life::Active).map(|record| record.spec).collect())
    }

    /// Whether anything of an ended set is still to be archived or pruned.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn has_ended_sets(&self) -> Result<bool, StoreError> {
        Ok(!self.disk.store.read(|db| retire::next(db))?.is_empty())
    }

    /// The step of this task is durable.
    pub fn free(&mut self, task: Task) {
        self.waiting.remove(&task);
    }

    /// All tasks there are now.
    pub fn tasks(&self) -> Vec<Task> {
        let mut tasks =
            vec![Task::Observe, Task::Follow, Task::Open, Task::Keys, Task::Reports, Task::Retire];
        for tributary in self.tributaries.values() {
            tasks.extend([Task::Publish(tributary.spec.set()), Task::Scan(tributary.spec.set())]);
        }
        for network in &self.identity.networks {
            tasks.extend([Task::Batches(*network), Task::Send(*network), Task::Receive(*network)]);
        }
        tasks
    }

    /// Lets a task do one thing, unless it waits for the disk. Effects of a step, or `None` if nothing was done.
    ///
    /// # Errors
    /// [`StoreError`] if the store stopped.
    pub fn run(
        &mut self,
        task: Task,
        (base, block): (Option<&mut Base>, Option<BaseChainBlock>),
        now: Time,
    ) -> Result<(Option<Vec<Effect>>, Vec<Effect>), StoreError> {
        let changes = self.disk.store.changes();
        if self.waiting.contains(&task) || self.idle.get(&task) == Some(&changes) {
            return Ok((None, Vec::new()));
        }
        let mut of_base = Vec::new();
        let did = match task {
            Task::Observe => self.observe(block)?,
            Task::Follow => self.follow(block)?,
            Task::Open => self.open()?,
            Task::Publish(set) => self.publish(set)?,
            Task::Scan(set) => self.scan(set)?,
            Task::Keys => {
                let waiting = self.disk.store.read(|db| outbox::set_keys(db, MAX_SETS))?;
                let waiting = waiting.into_iter().map(Transaction::SetKeys).collect();
                of_base = self.submit(waiting, base, now);
                Did::Later
            }
            Task::Reports => {
                let waiting = self.disk.store.read(|db| outbox::slash_reports(db, MAX_SETS))?;
                let waiting = waiting.into_iter().map(Transaction::ReportSlashes).collect();
                of_base = self.submit(waiting, base, now);
                Did::Later
            }
            Task::Retire => self.retire()?,
            Task::Batches(network) => {
                let next = self.disk.store.read(|db| batch::to_submit(db, network))?;
                let waiting = next.into_iter().map(Transaction::ExecuteBatch).collect();
                of_base = self.submit(waiting, base, now);
                Did::Later
            }
            Task::Send(network) => self.send(network)?,
            Task::Receive(network) => self.receive(network)?,
        };
        match did {
            Did::Nothing => {
                self.idle.insert(task, changes);
                Ok((None, of_base))
            }
            Did::Later => Ok((None, of_base)),
            Did::Step(mut effects) => {
                self.waiting.insert(task);
                effects.push(Effect::Free(task));
                Ok((Some(effects), of_base))
            }
        }
    }

    /// Runs a rule as one step; a broken invariant halts its session, as in the service.
    pub(crate) fn step<T>(
        &mut self,
        rule: impl FnOnce(&mut Step<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, StoreError> {
        let Self { disk, identity, rng, notices, part_bytes, .. } = self;
        let outcome = disk.store.write(|txn| {
            let mut step = Step::new(txn, identity, rng);
            step.part_bytes = part_bytes.unwrap_or(step.part_bytes);
            let value = rule(&mut step)?;
            Ok::<_, Error>((value, step.notices))
        });
        match outcome {
            Ok(((value, new), _)) => {
                notices.extend(new);
                Ok(Some(value))
            }
            Err(error) => self.failed(error).map(|()| None),
        }
    }

    fn failed(&mut self, error: Error) -> Result<(), StoreError> {
        match error {
            Error::Store(error) => Err(error),
            Error::Broken { set, what } => self.halt(set, Reason::Internal { what }),
            Error::Full { .. } | Error::Halted { .. } | Error::BaseChain { .. } => Ok(()),
        }
    }

    fn halt(&mut self, set: ValidatorSet, reason: Reason) -> Result<(), StoreError> {
        let Self { disk, identity, rng, notices, .. } = self;
        let (new, _) = disk.store.write(|txn| {
            let mut step = Step::new(txn, identity, rng);
            halt::session(&mut step, set, reason)?;
            Ok::<_, StoreError>(step.notices)
        })?;
        notices.extend(new);
        Ok(())
    }

    fn follow(&mut self, block: Option<BaseChainBlock>) -> Result<Did, StoreError> {
        let Some(block) = block else { return Ok(Did::Later) };
        if let Ok(Gate::Held(_)) = self.disk.store.read(|db| cosign::gate(db, &block)) {
            return Ok(Did::Later);
        }
        let handled = self.step(|step| base_chain::follow(step, &block))?;
        if handled == Some(Handled::Done) {
            self.accepted = Some(block);
            return Ok(Did::Step(Vec::new()));
        }
        Ok(Did::Later)
    }

    fn open(&mut self) -> Result<Did, StoreError> {
        for record in self.disk.store.read(|db| session::all(db, MAX_SETS))? {
            let (set, genesis) = (record.spec.set(), record.spec.genesis);
            let halted = self.disk.store.read(|db| halt::of_session(db, set))?.is_some();
            let runs = self.tributaries.contains_key(&genesis);
            match record.life {
                Life::Active if !runs && !halted => return self.open_one(&record),
                Life::Active if !halted => {}
                // Over, or halted (COORD-9).
                _ if runs => self.close(genesis),
                _ => {}
            }
        }
        Ok(Did::Nothing)
    }

    fn close(&mut self, genesis: Genesis) {
        self.tributaries.remove(&genesis);
        self.idle.clear();
    }

    fn open_one(&mut self, record: &SetRecord) -> Result<Did, StoreError> {
        let (spec, set) = (record.spec.clone(), record.spec.set());
        let members = match spec.tributary.members() {
            Ok(members) => members,
            Err(error) => {
                self.halt(set, Reason::Internal { what: error.to_string() })?;
                return Ok(Did::Step(Vec::new()));
            }
        };
        let key = self.identity.key.clone();
        let chain = Chain::new(key.clone(), ChainConfig::default());
        let open = Open { config: tributary_timing(), store_is_current: true };
        let opened =
            self.disk.store.write(|txn| Node::open(txn, members, key, chain, open).map_err(Failed::from));
        match opened {
            Ok(((node, outputs), _)) => {
                let engine = Engine::new(node, spec.genesis);
                let genesis = spec.genesis;
                self.tributaries.insert(genesis, Tributary { spec, engine, busy: None });
                self.idle.clear();
                Ok(Did::Step(effects(genesis, outputs)))
            }
            Err(Failed::Halted(halt)) => {
                self.halt(set, Reason::TributaryHalted { what: halt.reason })?;
                Ok(Did::Step(Vec::new()))
            }
            Err(Failed::Store(error)) => Err(error),
        }
    }

    /// An input for a tributary of this coordinator; nothing if it does not run.
    ///
    /// # Errors
    /// [`StoreError`] if the store stopped.
    pub fn chain(&mut self, genesis: Genesis, input: Input<ChainInput>) -> Result<Vec<Effect>, StoreError> {
        let Some(tributary) = self.tributaries.get_mut(&genesis) else { return Ok(Vec::new()) };
        let set = tributary.spec.set();
        match tributary.engine.step(&self.disk.store, input) {
            Ok(effects) => Ok(effects),
            Err(failed) => self.chain_failed(set, genesis, failed),
        }
    }

    fn chain_failed(
        &mut self,
        set: ValidatorSet,
        genesis: Genesis,
        failed: Failed,
    ) -> Result<Vec<Effect>, StoreError> {
        match failed {
            Failed::Store(error) => Err(error),
            Failed::Halted(halt) => {
                self.close(genesis);
                self.halt(set, Reason::TributaryHalted { what: halt.reason })?;
                Ok(Vec::new())
            }
        }
    }

    fn of_set(&mut self, set: ValidatorSet) -> Option<(Genesis, &mut Tributary)> {
        let found = self.tributaries.iter_mut().find(|(_, tributary)| tributary.spec.set() == set);
        found.map(|(genesis, tributary)| (*genesis, tributary))
    }

    fn publish(&mut self, set: ValidatorSet) -> Result<Did, StoreError> {
        let (store, me) = (self.disk.store.clone(), self.identity.validator());
        let Some((genesis, tributary)) = self.of_set(set) else { return Ok(Did::Nothing) };
        let busy = store.read(|db| match session::get(db, set)? {
            Some(record) => is_busy(db, &record),
            None => Ok(false),
        })?;
        let tell = tributary.busy != Some(busy);
        tributary.busy = Some(busy);
        if !tell && !store.read(|db| is_due(db, genesis))? {
            return Ok(Did::Nothing);
        }
        let stepped = tributary.engine.transact(&store, |txn| {
            let mut inputs = due_inputs(txn, (set, genesis), me)?;
            if tell {
                inputs.push(ChainInput::Busy(busy));
            }
            Ok(inputs.into_iter().map(Input::Application).collect())
        });
        match stepped {
            Ok(effects) if effects.is_empty() && !tell => Ok(Did::Later),
            Ok(effects) => Ok(Did::Step(effects)),
            Err(failed) => self.chain_failed(set, genesis, failed).map(Did::Step),
        }
    }

    fn next_block(&self, genesis: Genesis) -> Result<Option<Block>, StoreError> {
        self.disk.store.read(|db| {
            let next = TributaryBlock(session::applied_through(db, genesis)?.0.saturating_add(1));
            if chain::handleable(db, genesis)? < next {
                return Ok(None);
            }
            Ok(DECIDED.get(db, &(genesis, next))?.map(|decided| decided.block))
        })
    }

    fn scan(&mut self, set: ValidatorSet) -> Result<Did, StoreError> {
        let Some((genesis, _)) = self.of_set(set) else { return Ok(Did::Nothing) };
        if self.disk.store.read(|db| halt::of_session(db, set))?.is_some() {
            return Ok(Did::Nothing);
        }
        let Some(block) = self.next_block(genesis)? else { return Ok(Did::Nothing) };
        if let Some(ordered) = ordered_block(&block) {
            self.step(|step| session::apply(step, set, &ordered))?;
        } else {
            let what = "a decided block holds no transactions".to_owned();
            self.halt(set, Reason::Internal { what })?;
        }
        Ok(Did::Step(Vec::new()))
    }

    /// As the service's task: the file first, then the row which says so, then the pruning.
    fn retire(&mut self) -> Result<Did, StoreError> {
        for due in self.disk.store.read(|db| retire::next(db))? {
            match due {
                Due::Prune(set) => {
                    let done = self.step(|step| {
                        if queue::forget(step.txn, set.network, set.session, retire::MAX_ROWS)? {
                            retire::prune(step, set)?;
                        }
                        Ok(())
                    })?;
                    return Ok(if done.is_some() { Did::Step(Vec::new()) } else { Did::Later });
                }
                Due::Archive(record) if self.tributaries.contains_key(&record.spec.genesis) => {}
                Due::Archive(record) => {
                    let archived = self.archive(&record)?;
                    self.step(|step| retire::archived(step, &record, archived))?;
                    return Ok(Did::Step(Vec::new()));
                }
            }
        }
        Ok(Did::Nothing)
    }

    fn archive(&mut self, record: &SetRecord) -> Result<Archived, StoreError> {
        let failed = |error: ArchiveError| StoreError::Disk(error.to_string());
        let mut writer = Writer::new(Vec::new()).map_err(failed)?;
        let mut position = Position::default();
        while position != Position::Done {
            let (entries, next) = self.disk.store.read(|db| archive::page(db, record, position))?;
            entries.iter().try_for_each(|entry| writer.entry(entry)).map_err(failed)?;
            position = next;
        }
        let (file, bytes, hash) = writer.finish().map_err(failed)?;
        let set = record.spec.set();
        self.archives.insert(set, file);
        Ok(Archived { file: format!("{}-{}.archive", set.network, set.session), bytes, hash })
    }

    /// Submits what waits and is due again; effects on the base-chain node.
    fn submit(&mut self, waiting: Vec<Transaction>, mut base: Option<&mut Base>, now: Time) -> Vec<Effect> {
        let mut effects = Vec::new();
        for transaction in waiting {
            let hash = transaction.hash();
            let Some(base) = base.as_deref_mut() else { break };
            if self.submitted.get(&hash).is_some_and(|due| *due > now) {
                continue;
            }
            let answer = if self.base_drops { Ok(Ok(Vec::new())) } else { base.submit(&transaction) };
            let due = match answer {
                Ok(Ok(new)) => {
                    effects.extend(new);
                    now + RESUBMIT
                }
                Ok(Err(refusal)) if refusal.is_temporary() => now + SECOND,
                Ok(Err(_)) => now + RESUBMIT,
                // The node is the one that fails; ours tries again.
                Err(_) => now + SECOND,
            };
            self.submitted.insert(hash, due);
        }
        effects
    }

    fn send(&mut self, network: Network) -> Result<Did, StoreError> {
        let store = self.disk.store.clone();
        if store.read(|db| outbox::messages(db, network))? == 0 {
            if !store.read(|db| processor::owes(db, network))? {
                return Ok(Did::Nothing);
            }
            let done = self.step(|step| processor::deliver(step, network))?;
            return Ok(if done.is_some() { Did::Step(Vec::new()) } else { Did::Later });
        }
        let moved = store.write(|txn| {
            outbox::move_message(txn, network, |txn, intent, bytes| {
                queue::push(txn, network, Direction::ToProcessor, intent, bytes).map(|_| ())
            })
        });
        match moved {
            Ok((true, _)) => Ok(Did::Step(Vec::new())),
            Err(QueueError::Store(error)) => Err(error),
            // Nothing waits, or there is no room until the processor takes what is there.
            Ok((false, _)) | Err(_) => Ok(Did::Later),
        }
    }

    fn receive(&mut self, network: Network) -> Result<Did, StoreError> {
        let head = self.disk.store.read(|db| queue::head(db, network, Direction::FromProcessor))?;
        let Some((id, bytes)) = head else { return Ok(Did::Nothing) };
        let Ok(message) = decode::<FromProcessor>(&bytes, MAX_MESSAGE_BYTES) else { return Ok(Did::Nothing) };
        let handled = self.step(|step| {
            processor::apply(step, network, message)?;
            queue::acknowledge(step.txn, network, Direction::FromProcessor, id).map_err(|error| match error {
                QueueError::Store(error) => Error::Store(error),
                other => Error::Store(StoreError::Disk(other.to_string())),
            })
        })?;
        Ok(if handled.is_some() { Did::Step(Vec::new()) } else { Did::Later })
    }

    /// Where it stands.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = vec![format!("waits for the disk: {:?}", self.waiting)];
        let read = self.disk.store.read(|db| {
            lines.push(format!("next base-chain block {}", base_chain::next_block(db)?));
            lines.push(format!("{:?}", cosign::status::read(db)?));
            for record in session::all(db, MAX_SETS)? {
                lines.push(format!("{:?}", session::status::read(db, &record)?));
            }
            for network in &self.identity.networks {
                let (batches, progress) = (outbox::batches(db, *network, 4)?, batch::progress(db, *network)?);
                let (to, from) = (
                    queue::depth(db, *network, Direction::ToProcessor)?,
                    queue::depth(db, *network, Direction::FromProcessor)?,
                );
                lines.push(format!(
                    "{network}: signed {batches:?}, {progress:?}, outbox {}, to processor {to:?}, from it {from:?}",
                    outbox::messages(db, *network)?
                ));
            }
            Ok::<_, StoreError>(())
        });
        lines.extend(read.err().map(|error| error.to_string()));
        for tributary in self.tributaries.values() {
            lines.push(format!("tributary: {:?}", tributary.engine.node.status()));
        }
        lines
    }
}
