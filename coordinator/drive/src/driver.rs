//! The loop: gather, step, wait for the disk, perform.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use coordinator_keys::SecretKey;
use coordinator_p2p::{Inbound, Inbox, P2pError, Responder};
use coordinator_store::{Counted, MAX_STEP_BYTES, Store, StoreError, Transaction};
use processor_messages::{Genesis, TributaryBlock, Validator};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::Instant,
};
use tributary::{
    Application, Halt, Input, Members, Node, Open, Output, Prepared, latest_decided, record_halt,
};

use crate::{
    Handle, Status,
    handle::{Act, Command},
    questions::Questions,
    timers::{Newcomers, Timers},
};

/// Commands that wait; beyond it callers wait.
pub const MAX_COMMANDS: usize = 256;
/// Inputs which share one commit.
pub const MAX_BATCH: usize = 256;
/// Of these, the most commands, and the most answers of members, that come before other messages.
const MAX_SHARE: usize = MAX_BATCH / 4;
/// Bytes of messages after which a batch takes no more; keeps a step far below the store's bound.
pub const MAX_BATCH_BYTES: usize = 1 << 20;
/// Bytes that a step writes after which it takes no more of its batch; the rest enters the next step. What each thing
/// writes alone must fit the rest of [`MAX_STEP_BYTES`].
pub const MAX_WRITTEN: usize = MAX_STEP_BYTES / 4;
/// Requests to members under way; further ones are dropped, and the node's timers ask again.
pub const MAX_REQUESTS: usize = 32;
/// How soon things are repeated for somebody who became reachable.
const HASTEN: Duration = Duration::from_millis(100);

/// Why a driver ended.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum End {
    /// It was told to.
    #[error("stopped")]
    Stopped,
    /// The chain stopped itself; recorded, so that it stays so after a restart.
    #[error("{0}")]
    Halted(Halt),
    /// The store failed: every chain of the process ends.
    #[error("{0}")]
    Store(StoreError),
    /// The network has stopped: the process is stopping.
    #[error("the p2p network has stopped")]
    Network,
    /// The chain could not be joined.
    #[error("the chain cannot be joined: {0}")]
    Join(P2pError),
}

enum StepError {
    Halt(Halt),
    Store(StoreError),
}
impl From<StoreError> for StepError {
    /// A step which is too large is this chain's fault: the store is well, and so are the others that use it.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLarge { .. } => Self::Halt(Halt::new(format!(
                "a step of this chain is larger than the store takes ({error}); nothing of it is kept; report this"
            ))),
            error => Self::Store(error),
        }
    }
}
impl From<Halt> for StepError {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// One thing that goes into a step.
enum Work<I> {
    Input(Input<I>),
    Act(Act<I>),
}

/// What one commit will hold.
pub(crate) struct Batch<I> {
    work: Vec<Work<I>>,
    pub(crate) replies: Vec<oneshot::Sender<()>>,
    bytes: usize,
}

impl<I> Batch<I> {
    fn new() -> Self {
        Self { work: Vec::new(), replies: Vec::new(), bytes: 0 }
    }

    fn has_room(&self) -> bool {
        (self.work.len() < MAX_BATCH) && (self.bytes < MAX_BATCH_BYTES)
    }

    fn input(&mut self, input: Input<I>) {
        self.bytes += match &input {
            Input::Message { bytes, .. } | Input::Request { bytes, .. } | Input::Response { bytes, .. } => {
                bytes.len()
            }
            Input::Fired(_) | Input::Application(_) => 0,
        };
        self.work.push(Work::Input(input));
    }

    fn command(&mut self, command: Command<I>) {
        self.work.push(Work::Act(command.act));
        self.replies.push(command.reply);
    }
}

/// One thing that a step takes, looked at before.
enum Turn<I> {
    Input(Prepared<I>),
    Act(Act<I>),
}

/// What is left of a batch, in its order, and whom to tell of the acts among it.
struct Rest<I> {
    turns: VecDeque<Turn<I>>,
    replies: VecDeque<oneshot::Sender<()>>,
}

/// What a step has done.
struct Stepped {
    outputs: Vec<Output>,
    acts: usize,
}

/// One chain's node with all it needs to live.
pub struct Driver<S: Store, A: Application> {
    store: S,
    network: coordinator_p2p::Handle,
    genesis: Genesis,
    node: Node<A>,
    inbox: Inbox,
    reachable: watch::Receiver<BTreeSet<Validator>>,
    known_reachable: BTreeSet<Validator>,
    newcomers: Newcomers,
    commands: mpsc::Receiver<Command<A::Input>>,
    stop: watch::Receiver<bool>,
    timers: Timers,
    requests: JoinSet<Option<(Validator, Vec<u8>)>>,
    questions: Questions<Responder>,
    status: watch::Sender<Status>,
    decided: watch::Sender<TributaryBlock>,
    /// Outputs of opening, performed when the driver runs.
    first: Vec<Output>,
}

impl<S: Store, A: Application> Driver<S, A>
where
    A::Input: Send + 'static,
{
    /// Opens the node in one durable step and joins the chain's topic.
    ///
    /// # Errors
    /// [`End`]: the chain halted, now or before; the store failed; or it cannot be joined.
    pub async fn open(
        store: S,
        network: coordinator_p2p::Handle,
        members: Members,
        key: SecretKey,
        application: A,
        open: Open,
    ) -> Result<(Self, Handle<A::Input>), End> {
        let genesis = members.genesis();
        let validators: HashSet<_> = members.iter().map(|member| member.validator).collect();
        let opened = store.write(|txn| {
            let (node, outputs) = Node::open(txn, members, key, application, open)?;
            Ok::<_, StepError>((node, outputs, latest_decided(txn, genesis)?))
        });
        let ((node, first, height), commit) = match opened {
            Ok(opened) => opened,
            Err(error) => return Err(record(&store, genesis, error).await),
        };
        commit.await.map_err(End::Store)?;
        let inbox = network.open_chain(genesis, validators).await.map_err(End::Join)?;
        inbox.read_last(tributary::is_bulk);
        let (sender, commands) = mpsc::channel(MAX_COMMANDS);
        let (stop, stopped) = watch::channel(false);
        let (status, watch_status) = watch::channel(Status { node: node.status(), end: None });
        let (decided, watch_decided) = watch::channel(height);
        let handle = Handle { commands: sender, stop, status: watch_status, decided: watch_decided };
        let driver = Self {
            store,
            network,
            genesis,
            node,
            reachable: inbox.reachable(),
            known_reachable: BTreeSet::new(),
            newcomers: Newcomers::default(),
            inbox,
            commands,
            stop: stopped,
            timers: Timers::default(),
            requests: JoinSet::new(),
            questions: Questions::default(),
            status,
            decided,
            first,
        };
        Ok((driver, handle))
    }

    /// Drives the node until it is stopped or halts; also leaves the topic then.
    pub async fn run(mut self) -> End {
        let end = self.live().await;
        if matches!(end, End::Stopped | End::Network) {
            tracing::info!(genesis = %self.genesis, %end, "a chain's driver ended");
        } else {
            tracing::error!(genesis = %self.genesis, %end, "a chain's driver ended");
        }
        let _ = self.network.close_chain(self.genesis).await;
        self.status.send_modify(|status| {
            status.node = self.node.status();
            status.end = Some(end.clone());
        });
        end
    }

    async fn live(&mut self) -> End {
        let first = std::mem::take(&mut self.first);
        self.perform(first).await;
        let mut rest = Rest { turns: VecDeque::new(), replies: VecDeque::new() };
        loop {
            if rest.turns.is_empty() {
                rest = match self.gather().await {
                    Ok(batch) => self.look_at(batch),
                    Err(end) => return end,
                };
            }
            let (stepped, commit) = match self.step(&mut rest.turns) {
                Ok(stepped) => stepped,
                Err(error) => return record(&self.store, self.genesis, error).await,
            };
            if let Err(error) = commit.await {
                return End::Store(error);
            }
            for reply in rest.replies.drain(..stepped.acts.min(rest.replies.len())) {
                // Who no longer waits does not need to know.
                let _ = reply.send(());
            }
            self.perform(stepped.outputs).await;
            if rest.turns.is_empty() {
                // The node answers in the step that takes a question, or not at all.
                self.questions.refuse();
            }
            self.status.send_replace(Status { node: self.node.status(), end: None });
        }
    }

    /// Does what needs no store before the step, so that other chains of the process have the store meanwhile.
    fn look_at(&mut self, batch: Batch<A::Input>) -> Rest<A::Input> {
        let (inputs, turns) = apart(batch.work);
        let mut inputs = self.node.prepare(inputs).into_iter();
        let turn = |turn| match turn {
            Some(act) => Some(Turn::Act(act)),
            None => inputs.next().map(Turn::Input),
        };
        Rest { turns: turns.into_iter().filter_map(turn).collect(), replies: batch.replies.into() }
    }

    /// One transaction for all of a batch, or as much of it as a step has room for; after an error nothing of it is
    /// kept, and the node is done for.
    fn step(&mut self, turns: &mut VecDeque<Turn<A::Input>>) -> Result<(Stepped, S::Commit), StepError> {
        let node = &mut self.node;
        self.store.write(|txn| {
            let mut txn = Counted::new(txn);
            let mut acts = 0;
            while (txn.bytes() <= MAX_WRITTEN)
                && let Some(turn) = turns.pop_front()
            {
                match turn {
                    Turn::Act(act) => {
                        acts += 1;
                        for input in perform(act, &mut txn)? {
                            node.take(&mut txn, Prepared::application(input))?;
                        }
                    }
                    Turn::Input(input) => node.take(&mut txn, input)?,
                }
            }
            Ok(Stepped { outputs: node.outputs()?, acts })
        })
    }

    /// Waits for something to do, then takes what is there already, up to the bounds of a batch. A timer
    /// comes alone at the front: an earlier input of the same batch might have cancelled it.
    pub(crate) async fn gather(&mut self) -> Result<Batch<A::Input>, End> {
        let mut batch = Batch::new();
        while batch.work.is_empty() {
            let next = self.timers.next();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = told_to_stop(&mut self.stop) => return Err(End::Stopped),
                () = due => {
                    if let Some(timer) = self.timers.take_due(Instant::now()) {
                        batch.input(Input::Fired(timer));
                    }
                }
                Ok(()) = self.reachable.changed() => self.hasten(),
                inbound = self.inbox.recv() => match inbound {
                    Some(inbound) => self.receive(&mut batch, inbound),
                    None => return Err(End::Network),
                },
                Some(response) = self.requests.join_next() => answered(&mut batch, response),
                Some(command) = self.commands.recv() => batch.command(command),
            }
        }
        self.fill(&mut batch);
        Ok(batch)
    }

    /// Takes what is there already. What this process wants comes before what members say, up to a share of the
    /// batch: who floods us must not keep our own word out.
    fn fill(&mut self, batch: &mut Batch<A::Input>) {
        for _ in 0..MAX_SHARE {
            let Ok(command) = self.commands.try_recv() else { break };
            batch.command(command);
        }
        for _ in 0..MAX_SHARE {
            if !batch.has_room() {
                break;
            }
            let Some(response) = self.requests.try_join_next() else { break };
            answered(batch, response);
        }
        while batch.has_room()
            && let Some(inbound) = self.inbox.try_recv()
        {
            self.receive(batch, inbound);
        }
    }

    fn hasten(&mut self) {
        let now = Instant::now();
        let reachable = self.reachable.borrow_and_update().clone();
        let newcomers: Vec<_> = reachable.difference(&self.known_reachable).copied().collect();
        if self.newcomers.admit(&newcomers, now) {
            self.timers.hasten(now, HASTEN);
        }
        self.known_reachable = reachable;
    }

    fn receive(&mut self, batch: &mut Batch<A::Input>, inbound: Inbound) {
        match inbound {
            Inbound::Gossip(gossip) => {
                batch.input(Input::Message { from: gossip.from, bytes: gossip.bytes });
            }
            Inbound::Request(request) => {
                let (from, bytes, responder) = request.into_parts();
                if let Some(id) = self.questions.open(from, responder) {
                    batch.input(Input::Request { from, id, bytes });
                }
            }
        }
    }

    async fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Broadcast(bytes) => self.broadcast(bytes).await,
                Output::Request { to, bytes } => self.request(to, bytes),
                Output::Respond { id, bytes } => {
                    if let Some(responder) = self.questions.take(id) {
                        responder.respond(bytes);
                    }
                }
                Output::SetTimer { timer, after } => self.timers.set(timer, Instant::now() + after),
                Output::CancelTimer(timer) => self.timers.cancel(timer),
                Output::Decided(height) => {
                    self.decided.send_replace(height);
                }
                Output::Event(event) => tracing::info!(genesis = %self.genesis, event, "the chain reports"),
            }
        }
    }

    async fn broadcast(&self, bytes: Vec<u8>) {
        match self.network.publish(self.genesis, bytes).await {
            Ok(()) | Err(P2pError::NoPeers) => {}
            Err(error) => tracing::warn!(genesis = %self.genesis, %error, "a message was not sent"),
        }
    }

    fn request(&mut self, to: Validator, bytes: Vec<u8>) {
        if self.requests.len() >= MAX_REQUESTS {
            tracing::debug!(genesis = %self.genesis, %to, "too many requests under way");
            return;
        }
        let (network, genesis) = (self.network.clone(), self.genesis);
        self.requests.spawn(async move {
            match network.request(to, genesis, bytes).await {
                Ok(bytes) => Some((to, bytes)),
                Err(error) => {
                    tracing::debug!(%genesis, %to, %error, "a request was not answered");
                    None
                }
            }
        });
    }
}

/// The inputs, and whose turn it is: an act's, or the next input's.
fn apart<I>(work: Vec<Work<I>>) -> (Vec<Input<I>>, Vec<Option<Act<I>>>) {
    let mut inputs = Vec::new();
    let turns = work.into_iter().map(|work| match work {
        Work::Input(input) => {
            inputs.push(input);
            None
        }
        Work::Act(act) => Some(act),
    });
    let turns = turns.collect();
    (inputs, turns)
}

/// Runs an act; its panic halts this chain and ends nothing else.
fn perform<I>(act: Act<I>, txn: &mut dyn Transaction) -> Result<Vec<I>, StepError> {
    match catch_unwind(AssertUnwindSafe(|| act(txn))) {
        Ok(inputs) => Ok(inputs?),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            let reason =
                format!("a check beside the node failed ({text}); keep the data directory and report this");
            Err(StepError::Halt(Halt::new(reason)))
        }
    }
}

/// Never ends if every handle is gone: then nobody can tell.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn answered<I>(batch: &mut Batch<I>, response: Result<Option<(Validator, Vec<u8>)>, tokio::task::JoinError>) {
    if let Ok(Some((from, bytes))) = response {
        batch.input(Input::Response { from, bytes });
    }
}

/// Records a halt in a step of its own.
async fn record<S: Store>(store: &S, genesis: Genesis, error: StepError) -> End {
    let halt = match error {
        StepError::Store(error) => return End::Store(error),
        StepError::Halt(halt) => halt,
    };
    match store.write(|txn| record_halt(txn, genesis, &halt)) {
        Ok(((), commit)) => match commit.await {
            Ok(()) => End::Halted(halt),
            Err(error) => End::Store(error),
        },
        Err(error) => End::Store(error),
    }
}
