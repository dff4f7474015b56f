//! What an operator sees of the whole process.

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use coordinator_core::{
    base_chain, batch,
    cosign::{self, Hold, status::CosignStatus},
    feed,
    halt::{self, Halted, Scope},
    outbox,
    session::{
        self, Life, retire,
        status::{HaltStatus, RetiredStatus, SessionStatus},
    },
};
use coordinator_message_queue::{Direction, MessageQueue};
use coordinator_store::{Read, Store, StoreError};
use processor_messages::{BaseBlock, BatchId, Network, Session, TributaryBlock, Validator};
use serde::Serialize;
use tokio::time::Instant;

use super::metrics::Metrics;
use crate::{
    base_chain::FollowState,
    node::{Node, now_unix_secs},
    session::Sessions,
    task::TaskHealth,
};

/// Sets, and signed batches of a network, which are shown.
const MAX_SHOWN: usize = 1_024;
/// A block which the gate holds for longer is a problem.
const HELD_FOR_LONG: Duration = Duration::from_mins(5);

/// A check which fails.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// What is not well: a task, a session or a network.
    pub check: String,
    /// For how long.
    pub since_secs: u64,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// The whole.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// This validator.
    pub validator: Validator,
    /// Since the start of the process.
    pub uptime_secs: u64,
    /// Whether nothing is wrong.
    pub ready: bool,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// The base chain as seen from here.
    pub base_chain: BaseChainStatus,
    /// Cosigning, which decides what of it is acted on.
    pub cosign: CosignStatus,
    /// The sets we are in.
    pub sets: Vec<SetStatus>,
    /// Ended sets whose archive is on disk.
    pub retired: Vec<RetiredStatus>,
    /// The networks we have a processor for.
    pub networks: Vec<NetworkStatus>,
    /// Connected validators.
    pub peers: Vec<PeerStatus>,
    /// Peers' traffic which was refused, by reason.
    pub peers_refused: BTreeMap<&'static str, u64>,
}

/// The base chain as seen from here.
#[derive(Clone, Debug, Serialize)]
pub struct BaseChainStatus {
    /// Where it is asked.
    pub url: String,
    /// The latest block known to be final.
    pub head: BaseBlock,
    /// The next block to handle.
    pub next_block: BaseBlock,
    /// For how long the next block is final and held by the gate; absent if it is not.
    pub held_secs: Option<u64>,
}

/// A set we are in.
#[derive(Clone, Debug, Serialize)]
pub struct SetStatus {
    /// What its rules say.
    #[serde(flatten)]
    pub session: SessionStatus,
    /// Its tributary; absent if it does not run.
    pub tributary: Option<TributaryStatus>,
    /// Its other validators who are connected, and all of them.
    pub connected: usize,
    /// All its other validators.
    pub expected: usize,
}

/// A running tributary.
#[derive(Clone, Debug, Serialize)]
pub struct TributaryStatus {
    /// The latest decided block.
    pub decided: TributaryBlock,
    /// The height in progress.
    pub height: Option<TributaryBlock>,
    /// Its consensus round.
    pub round: Option<u32>,
    /// What a proposed block has which was not derived here yet.
    pub missing: Vec<String>,
    /// Whether it does not sign yet, as its store may be old.
    pub recovering: bool,
    /// Why its driver ended.
    pub ended: Option<String>,
}

/// A network we have a processor for.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkStatus {
    /// Its name.
    pub network: Network,
    /// The next batch our processor is to make.
    pub next_expected: BatchId,
    /// The next batch to be offered for signing.
    pub next_offered: BatchId,
    /// The next batch the base chain is to execute.
    pub next_executed: BatchId,
    /// The next executed batch to be compared with our processor's.
    pub next_verified: BatchId,
    /// Signed batches which the base chain has not executed.
    pub signed_unpublished: usize,
    /// Batches which our processor made and which are not offered for signing yet, and why.
    pub blocked_batches: Vec<BlockedStatus>,
    /// What happened on the base chain and is not handed to the processor yet.
    pub feed_waiting: u64,
    /// The executed batch which our processor has not made yet, if that is what it waits for.
    pub waits_for_processor_batch: Option<BatchId>,
    /// Messages waiting for the processor.
    pub to_processor: u64,
    /// Messages of the processor waiting for us.
    pub from_processor: u64,
    /// How many messages the processor has taken.
    pub processor_took: u64,
    /// Why it is halted.
    pub halted: Option<HaltStatus>,
}

/// A batch which our processor made and which is held back.
#[derive(Clone, Debug, Serialize)]
pub struct BlockedStatus {
    /// The batch.
    pub batch: BatchId,
    /// The session whose key is to sign it.
    pub session: Session,
    /// Stable code of the reason.
    pub reason: &'static str,
    /// The batch whose verification on the base chain is awaited.
    pub awaited: BatchId,
}

fn blocked_batches(db: &dyn Read, network: Network) -> Result<Vec<BlockedStatus>, StoreError> {
    let status = |batch::BlockedBatch { batch, session, reason }: batch::BlockedBatch| BlockedStatus {
        batch,
        session,
        reason: reason.code(),
        awaited: reason.awaited(),
    };
    Ok(batch::waiting(db, network, MAX_SHOWN)?.into_iter().map(status).collect())
}

/// A connected validator.
#[derive(Clone, Debug, Serialize)]
pub struct PeerStatus {
    /// Who.
    pub validator: Validator,
    /// Where.
    pub address: String,
    /// Since when, in seconds since the Unix epoch.
    pub since_unix_secs: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

fn halt_problem(check: String, halted: &Halted) -> Problem {
    let reason = &halted.reason;
    Problem {
        check,
        since_secs: now_unix_secs().saturating_sub(halted.at_unix_secs),
        what: format!("{}: {reason:?}", reason.code()),
        remedy: reason.remedy().to_owned(),
    }
}

/// Where the status comes from.
pub struct Sources<S: Store> {
    /// Store, tasks, metrics.
    pub node: Node<S>,
    /// The base chain's URL.
    pub url: String,
    /// What was seen of it.
    pub follow: FollowState,
    /// Running tributaries.
    pub sessions: Sessions,
    /// The processors' queue.
    pub queue: MessageQueue<S>,
    /// Peers.
    pub network: coordinator_p2p::Handle,
    /// When the process started.
    pub started: Instant,
}

impl<S: Store> Sources<S> {
    /// The metrics to render into.
    pub fn metrics(&self) -> &Metrics {
        &self.node.metrics
    }

    /// Every task's health.
    pub fn tasks(&self) -> BTreeMap<String, TaskHealth> {
        self.node.health.snapshot()
    }

    /// What is wrong, from the tasks and from recorded halts.
    pub fn problems(&self) -> Vec<Problem> {
        let now = Instant::now();
        let mut problems: Vec<Problem> = self
            .tasks()
            .into_iter()
            .filter_map(|(name, health)| {
                let (lasts, what) = health.problem(now)?;
                let remedy = "see what it says; it is tried again by itself".to_owned();
                Some(Problem { check: name, since_secs: lasts.as_secs(), what, remedy })
            })
            .collect();
        problems.extend(self.held());
        match self.halts() {
            Ok(halts) => problems.extend(halts),
            Err(error) => problems.push(Problem {
                check: "store".to_owned(),
                since_secs: 0,
                what: error.to_string(),
                remedy: "see the log; the process ends by itself".to_owned(),
            }),
        }
        problems
    }

    /// A block which waits for cosigns for long.
    fn held(&self) -> Option<Problem> {
        let seen = self.follow.get();
        let (Hold::Waiting { stake, needed }, since) = seen.held? else { return None };
        let lasts = since.elapsed();
        (lasts >= HELD_FOR_LONG).then(|| Problem {
            check: "cosign".to_owned(),
            since_secs: lasts.as_secs(),
            what: format!("block {} waits for cosigns: stake {stake} of {needed}", seen.next),
            remedy: "see cosign.networks of /status for who lags; its validators and processors must run"
                .to_owned(),
        })
    }

    fn halts(&self) -> Result<Vec<Problem>, StoreError> {
        self.node.store.read(|db| {
            let mut scopes = vec![("base_chain".to_owned(), Scope::BaseChain)];
            for record in session::all(db, MAX_SHOWN)?.iter().filter(|r| r.life == Life::Active) {
                let set = record.spec.set();
                scopes.push((format!("session/{set}"), Scope::Session(set)));
            }
            scopes
                .extend(self.queue.networks().map(|name| (format!("network/{name}"), Scope::Network(name))));
            let mut problems = Vec::new();
            for (check, scope) in scopes {
                problems.extend(halt::record(db, scope)?.map(|halted| halt_problem(check, &halted)));
            }
            Ok(problems)
        })
    }

    /// Everything.
    ///
    /// # Errors
    /// [`StoreError`] of the store.
    pub fn status(&self) -> Result<Status, StoreError> {
        let problems = self.problems();
        let connected = self.network.connected();
        let seen = self.follow.get();
        let (next_block, cosign) = self
            .node
            .store
            .read(|db| Ok::<_, StoreError>((base_chain::next_block(db)?, cosign::status::read(db)?)))?;
        let peer = |p: &coordinator_p2p::PeerInfo| PeerStatus {
            validator: p.validator,
            address: p.address.to_string(),
            since_unix_secs: p.since.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            bytes_in: p.bytes_in,
            bytes_out: p.bytes_out,
        };
        let peers: Vec<PeerStatus> = connected.iter().map(peer).collect();
        Ok(Status {
            version: env!("CARGO_PKG_VERSION"),
            validator: self.node.identity.validator(),
            uptime_secs: self.started.elapsed().as_secs(),
            ready: problems.is_empty(),
            problems,
            base_chain: BaseChainStatus {
                url: self.url.clone(),
                head: seen.head.max(BaseBlock(next_block.0.saturating_sub(1))),
                next_block,
                held_secs: seen.held.map(|(_, since)| since.elapsed().as_secs()),
            },
            cosign,
            sets: self.sets(&peers)?,
            retired: self.retired()?,
            networks: self.networks()?,
            peers,
            peers_refused: self.network.counters().snapshot().map(|(r, n)| (r.name(), n)).collect(),
        })
    }

    fn sets(&self, peers: &[PeerStatus]) -> Result<Vec<SetStatus>, StoreError> {
        let records = self.node.store.read(|db| session::all(db, MAX_SHOWN))?;
        let mut sets = Vec::new();
        for record in records {
            let spec = &record.spec;
            let session = self.node.store.read(|db| session::status::read(db, &record))?;
            let connected = peers.iter().filter(|p| spec.index_of(p.validator).is_some()).count();
            let tributary = self.sessions.status(spec.set()).map(|status| TributaryStatus {
                decided: status.node.decided,
                height: status.node.running.map(|(height, _)| height),
                round: status.node.running.map(|(_, round)| round),
                missing: status.node.missing,
                recovering: status.node.recovering,
                ended: status.end.map(|end| end.to_string()),
            });
            sets.push(SetStatus { session, tributary, connected, expected: spec.count().saturating_sub(1) });
        }
        Ok(sets)
    }

    fn retired(&self) -> Result<Vec<RetiredStatus>, StoreError> {
        let tombstones = self.node.store.read(|db| retire::tombstones(db, MAX_SHOWN))?;
        Ok(tombstones.into_iter().map(RetiredStatus::from).collect())
    }

    fn networks(&self) -> Result<Vec<NetworkStatus>, StoreError> {
        let mut networks = Vec::new();
        for network in self.queue.networks() {
            let queued = self.queue.depth(network, Direction::ToProcessor)?;
            let received = self.queue.depth(network, Direction::FromProcessor)?;
            networks.push(self.node.store.read(|db| {
                let progress = batch::progress(db, network)?;
                let (feed_waiting, after) = feed::waiting(db, network)?;
                Ok::<_, StoreError>(NetworkStatus {
                    network,
                    next_expected: progress.expected,
                    next_offered: progress.offered,
                    next_executed: progress.executed,
                    next_verified: progress.verified,
                    signed_unpublished: outbox::batches(db, network, MAX_SHOWN)?.len(),
                    blocked_batches: blocked_batches(db, network)?,
                    feed_waiting,
                    waits_for_processor_batch: after.filter(|id| *id >= progress.expected),
                    to_processor: outbox::messages(db, network)?.saturating_add(queued.messages()),
                    from_processor: received.messages(),
                    processor_took: queued.first,
                    halted: halt::record(db, Scope::Network(network))?.map(HaltStatus::from),
                })
            })?);
        }
        Ok(networks)
    }
}
