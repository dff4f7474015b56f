//! Bounds of what waits, what must be complete once faults are over, and where everybody stands.

use std::collections::BTreeMap;

use base_chain_node::pool::MAX_WAITING;
use coordinator_core::{
    outbox,
    session::{self, Life, status},
};
use coordinator_message_queue::{Direction, queue};
use coordinator_store::{Store, StoreError};
use processor_messages::{BaseBlock, Genesis, Network, Slash, TributaryBlock};
use simulated_processor::rules::{self, MAX_LETTERS, batches::WINDOW};
use tributary::{ChainConfig, latest_decided};

use super::{Place, World};

/// The most open topics which are looked at.
const MAX_TOPICS: usize = 1_024;
/// So many steps may wait for a simulated disk, where each message is a step of its own: a spammer floods up to three chains within
/// the time of a sync. (A driver takes a flood in one step, and waits for it.)
const MAX_PENDING: u64 = 16_384;
/// The most messages which a coordinator keeps of a halted session (`COORD-24`): the core's own constant is private.
const MAX_KEPT: u64 = 4_096;
/// Sets which are looked at: more than there are in a run.
const MAX_SETS: usize = 64;

/// What must have happened some time after the faults ended.
#[derive(Clone, Debug, Default)]
pub struct Goal {
    /// Executed batches of each network.
    executed: Vec<u32>,
    /// The latest session which is in charge of each network, at least.
    in_charge: u32,
    /// How far each tributary was decided: whoever is in it applies so many.
    decided: BTreeMap<Genesis, TributaryBlock>,
    /// The latest final block of the base chain: everybody handles it.
    finalized: BaseBlock,
    /// The next id of each queue: all before it are taken.
    queued: BTreeMap<(usize, Network, bool), u64>,
    /// Open topics: each is closed.
    topics: BTreeMap<Genesis, Vec<session::topic::Topic>>,
}

impl World {
    /// Looks at what waits in a process: what is in memory each time, what is durable once for each durable state.
    pub(super) fn watch(&mut self, place: Place) {
        if !self.disk(place).up || !self.is_honest(place) {
            return;
        }
        let pending = self.disk(place).store.pending() as u64;
        self.oracle.bounded(|| format!("steps of {place:?}"), pending, MAX_PENDING);
        if let Place::Base(index) = place {
            let pooled = self.bases[index].pooled() as u64;
            self.oracle.bounded(|| format!("the pool of {place:?}"), pooled, MAX_WAITING as u64);
        }
        let disk = self.disk(place);
        let changes = disk.store.changes();
        if disk.watched.replace(changes) == Some(changes) {
            return;
        }
        match place {
            Place::Base(_) => {}
            Place::Coordinator(index) => {
                self.watch_queues(index);
                self.watch_outbox(index);
                self.watch_sets(index);
            }
            Place::Processor(index) => {
                let store = self.processors[index].disk.store.clone();
                let waits =
                    store.read(|db| rules::LETTERS.list(db, &(), 0, usize::MAX)).map_or(0, |l| l.len());
                self.oracle.bounded(|| format!("letters of {place:?}"), waits as u64, MAX_LETTERS);
            }
        }
    }

    fn watch_queues(&mut self, index: usize) {
        let store = self.coordinators[index].disk.store.clone();
        for network in self.setting.networks.clone() {
            let waits = store.read(|db| outbox::messages(db, network)).unwrap_or_default();
            let what = || format!("messages of coordinator {index} for {network}");
            self.oracle.bounded(what, waits, outbox::MAX_MESSAGES);
            for direction in [Direction::ToProcessor, Direction::FromProcessor] {
                let depth = store.read(|db| queue::depth(db, network, direction)).unwrap_or_default();
                let what = || format!("the queue {direction:?} of coordinator {index} for {network}");
                self.oracle.bounded(what, depth.messages(), queue::MAX_MESSAGES);
            }
        }
    }

    /// What waits for the base chain: keys and a slash report of each live set, and of a network no more batches than its
    /// processors make before one is executed (`PROC-11`).
    fn watch_outbox(&mut self, index: usize) {
        let store = self.coordinators[index].disk.store.clone();
        let sets = self.coordinators[index].sets().unwrap_or_default().len() as u64;
        let keys = store.read(|db| outbox::set_keys(db, MAX_SETS)).map_or(0, |keys| keys.len());
        self.oracle.bounded(|| format!("keys of sets of coordinator {index}"), keys as u64, sets);
        let reports = store.read(|db| outbox::slash_reports(db, MAX_SETS)).map_or(0, |reports| reports.len());
        self.oracle.bounded(|| format!("slash reports of coordinator {index}"), reports as u64, sets);
        for network in self.setting.networks.clone() {
            let batches = store.read(|db| outbox::batches(db, network, usize::MAX)).map_or(0, |b| b.len());
            let what = || format!("signed batches of coordinator {index} for {network}");
            self.oracle.bounded(what, batches as u64, WINDOW);
        }
    }

    /// What is kept of halted sessions, and whom a report would slash now (`SIGN-18`).
    fn watch_sets(&mut self, index: usize) {
        let seen = self.coordinators[index].disk.store.read(|db| {
            let live = session::all(db, MAX_SETS)?.into_iter().filter(|record| record.life == Life::Active);
            live.map(|record| status::read(db, &record)).collect::<Result<Vec<_>, StoreError>>()
        });
        for status in seen.unwrap_or_default() {
            let what = || format!("messages of {} which coordinator {index} keeps", status.set);
            self.oracle.bounded(what, status.kept_messages, MAX_KEPT);
            let who = format!("the preview of {} at coordinator {index}", status.set);
            for slashed in status.slashed {
                let slash =
                    if slashed.fatal.is_some() { Slash::Fatal } else { Slash::Points(slashed.points) };
                self.oracle.slashed(&who, slashed.validator, slash);
            }
        }
    }

    /// Nobody's transactions fill a mempool beyond that signer's share.
    pub(super) fn watch_mempool(&mut self, index: usize, genesis: Genesis) {
        let Some(tributary) = self.coordinators[index].tributaries.get(&genesis) else { return };
        let (node, bounds) = (&tributary.engine.node, ChainConfig::default());
        for member in node.members().iter() {
            let (signed, unsigned) = node.application().pending_of(&member.validator);
            let validator = member.validator;
            let what = || format!("transactions of {validator} at coordinator {index}");
            self.oracle.bounded(what, signed as u64, bounds.pending_per_signer as u64);
            self.oracle.bounded(what, unsigned as u64, bounds.unsigned_per_member as u64);
        }
    }

    /// How many batches each network has executed, in the order of the networks.
    pub fn executed(&self) -> Vec<u32> {
        self.setting.networks.iter().map(|network| self.oracle.executed(*network)).collect()
    }

    /// The latest finalized block of the base chain.
    pub fn finalized(&self) -> BaseBlock {
        self.finalized
    }

    /// What must be done of what is to be done now, and so many further batches of each network.
    pub fn goal(&self, batches: u32) -> Goal {
        let mut goal = Goal {
            executed: self.executed().iter().map(|executed| executed + batches).collect(),
            in_charge: self.setting.shape.sessions().saturating_sub(1),
            finalized: self.finalized,
            ..Goal::default()
        };
        for index in 0..self.setting.keys.len() {
            if self.is_honest(Place::Coordinator(index)) {
                self.add_goals(index, &mut goal);
            }
        }
        goal
    }

    fn add_goals(&self, index: usize, goal: &mut Goal) {
        let node = &self.coordinators[index];
        for spec in node.sets().unwrap_or_default() {
            let genesis = spec.genesis;
            let decided = node.disk.store.read(|db| latest_decided(db, genesis)).unwrap_or_default();
            let most = goal.decided.entry(genesis).or_default();
            *most = decided.max(*most);
            let open = node.disk.store.read(|db| session::open_topics(db, genesis, MAX_TOPICS));
            let open = open.unwrap_or_default().into_iter().map(|(topic, _)| topic);
            goal.topics.entry(genesis).or_default().extend(open);
        }
        for network in &self.setting.networks {
            for (to, direction) in [(true, Direction::ToProcessor), (false, Direction::FromProcessor)] {
                let depth = node.disk.store.read(|db| queue::depth(db, *network, direction));
                goal.queued.insert((index, *network, to), depth.unwrap_or_default().next);
            }
        }
    }

    /// What of a goal is not reached.
    pub fn missing(&self, goal: &Goal) -> Vec<String> {
        let mut missing = Vec::new();
        for ((network, now), due) in self.setting.networks.iter().zip(self.executed()).zip(&goal.executed) {
            if now < *due {
                missing.push(format!("{network} executed {now} batches of {due}"));
            }
            let session = self.oracle.in_charge(*network).map_or(0, |session| session.0);
            if session < goal.in_charge {
                missing.push(format!("session {session} of {network} is in charge, not {}", goal.in_charge));
            }
        }
        for network in &self.setting.networks {
            let over = self.oracle.retired().iter().filter(|set| set.network == *network).count();
            let due = goal.in_charge as usize;
            if over < due {
                missing.push(format!("{over} sets of {network} are retired, not {due}"));
            }
        }
        for (network, name) in self.setting.networks.iter().enumerate() {
            let unpaid = self.unpaid(network);
            if unpaid > 0 {
                missing.push(format!("{name} has not paid {unpaid} burns"));
            }
        }
        if !self.calls.is_empty() {
            missing.push("calls of accounts wait".to_owned());
        }
        for index in 0..self.setting.keys.len() {
            if self.is_honest(Place::Coordinator(index)) {
                missing.extend(self.missing_at(index, goal).unwrap_or_else(|error| vec![error.to_string()]));
            }
        }
        missing.extend(self.missing_keys());
        missing
    }

    fn missing_at(&self, index: usize, goal: &Goal) -> Result<Vec<String>, StoreError> {
        let mut missing = Vec::new();
        let node = &self.coordinators[index];
        let store = &node.disk.store;
        let next = node.next_base_block()?;
        if next <= goal.finalized {
            let due = goal.finalized;
            missing.push(format!("coordinator {index} handles base-chain block {next}, and {due} is final"));
        }
        if node.has_ended_sets()? {
            missing.push(format!("coordinator {index} has not archived and pruned what ended"));
        }
        for spec in node.sets()? {
            let genesis = spec.genesis;
            let through = store.read(|db| session::applied_through(db, genesis))?;
            let due = goal.decided.get(&genesis).copied().unwrap_or_default();
            if through < due {
                let set = spec.set();
                missing.push(format!("coordinator {index} applied {set} through {through}, not {due}"));
            }
            let due = goal.topics.get(&genesis).map(Vec::as_slice).unwrap_or_default();
            let open = store.read(|db| session::open_topics(db, genesis, MAX_TOPICS))?;
            for (topic, _) in open.iter().filter(|(topic, _)| due.contains(topic)) {
                missing.push(format!("coordinator {index} has {topic:?} of {} open", spec.set()));
            }
        }
        for ((of, network, to), due) in &goal.queued {
            let direction = if *to { Direction::ToProcessor } else { Direction::FromProcessor };
            let first = store.read(|db| queue::depth(db, *network, direction))?.first;
            if *of == index && first < *due {
                let (what, waits) =
                    (format!("{direction:?} of coordinator {index} for {network}"), due - first);
                missing.push(format!("{waits} messages wait {what}"));
            }
        }
        Ok(missing)
    }

    /// Every honest member of a set with keys holds its shares, also if its disk was lost.
    fn missing_keys(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for spec in self.oracle.keyed() {
            for (index, node) in self.processors.iter().enumerate() {
                let validator = self.setting.validator(node.validator);
                let of_set = node.name(&self.setting) == spec.set().network;
                let member = of_set && spec.index_of(validator).is_some() && self.oracle.is_honest(validator);
                let keys = node.processor.as_ref().and_then(|p| p.keys(spec.set().session).ok().flatten());
                if member && keys.is_none() {
                    missing.push(format!("processor {index} has no keys of {}", spec.set()));
                }
            }
        }
        missing
    }

    /// Where everybody stands, for a reader of a failed run.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for base in &self.bases {
            let status = base.engine.as_ref().map(|engine| engine.node.status());
            lines.push(format!("base-chain node {}: up {}, {status:?}", base.index, base.disk.up));
        }
        for (index, node) in self.coordinators.iter().enumerate() {
            lines.push(format!("coordinator {index} of validator {}: up {}", node.validator, node.disk.up));
            lines.extend(node.describe().into_iter().map(|line| format!("  {line}")));
        }
        for (index, node) in self.processors.iter().enumerate() {
            lines.push(format!("processor {index} of validator {}: up {}", node.validator, node.disk.up));
            lines.extend(node.describe().into_iter().map(|line| format!("  {line}")));
        }
        lines
    }
}
