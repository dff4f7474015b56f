//! The tasks of a running processor, each a small loop; only this module waits.
//!
//! ```text
//! receive  queue -> handle -> durable -> acknowledge        wakes send, work, scan
//! send     letters -> queue -> removed
//! work     next job -> blocking thread -> recorded          wakes send
//! scan     the time -> network's blocks -> batches          wakes send
//! pay      signed payments -> network -> removed            wakes watch
//! watch    accounts -> network -> what they paid            wakes send, scan
//! ```
//!
//! Facts travel through the store; a [`Notify`] only wakes a task. A failure is retried after a delay which doubles
//! up to [`MAX_DELAY`]. When the shutdown comes the tasks end after their current step; a verification under way ends
//! before its next participation, any other computation is abandoned, and both are done again after the next start.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use coordinator_message_queue::{Client, ClientError};
use coordinator_store::{Store, StoreError};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use crate::{
    ledger::{LedgerClient, LedgerError},
    processor::Processor,
    rules::Error,
};

/// How long one wait for the coordinator's next message takes.
const POLL: Duration = Duration::from_secs(15);
const MIN_DELAY: Duration = Duration::from_millis(100);
/// The longest delay before a failed step is tried again.
pub const MAX_DELAY: Duration = Duration::from_secs(5);
/// How many letters, or payments, are read at once.
const LETTERS: usize = 16;

/// Why a task's step failed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A rule or the store.
    #[error(transparent)]
    Step(#[from] Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The coordinator's queue.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The network.
    #[error(transparent)]
    Network(#[from] LedgerError),
    /// A computation panicked, which is a defect of ours.
    #[error("a computation ended by a panic: {0}; it is tried again")]
    Panicked(String),
}

/// Whether a step did anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Try the next at once.
    Some,
    /// Wait to be woken.
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Task {
    Receive,
    Send,
    Work,
    Scan,
    Pay,
    Watch,
}

/// A running processor's parts.
pub struct Service<S: Store> {
    processor: Processor<S>,
    client: Arc<Client>,
    network: LedgerClient,
    wake: Arc<Wake>,
    stopping: Arc<AtomicBool>,
    block_interval: Duration,
}

/// Ends the computation under way when [`Service::run`] ends, in whichever way: a blocking thread outlives it.
struct StopsOnDrop(Arc<AtomicBool>);

impl Drop for StopsOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Wake {
    send: Notify,
    work: Notify,
    scan: Notify,
    pay: Notify,
    watch: Notify,
}

impl Wake {
    fn all(&self) {
        self.send.notify_one();
        self.work.notify_one();
        self.scan.notify_one();
        self.pay.notify_one();
        self.watch.notify_one();
    }
}

impl<S: Store> Clone for Service<S> {
    fn clone(&self) -> Self {
        Self {
            processor: self.processor.clone(),
            client: self.client.clone(),
            network: self.network.clone(),
            wake: self.wake.clone(),
            stopping: self.stopping.clone(),
            block_interval: self.block_interval,
        }
    }
}

/// The time, in milliseconds since the Unix epoch.
pub fn now_unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl<S: Store> Service<S> {
    /// A processor which talks to its coordinator with `client` and to its network with `network`.
    pub fn new(
        processor: Processor<S>,
        client: Client,
        network: LedgerClient,
        block_interval: Duration,
    ) -> Self {
        let (client, wake, stopping) = (Arc::new(client), Arc::default(), Arc::default());
        Self { processor, client, network, wake, stopping, block_interval }
    }

    /// Runs until `shutdown` completes.
    ///
    /// # Errors
    /// [`TaskError`] if the processor cannot begin.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), TaskError> {
        let _stops = StopsOnDrop(self.stopping.clone());
        self.processor.begin()?.await?;
        let tasks = async {
            tokio::join!(
                self.forever(Task::Receive),
                self.forever(Task::Send),
                self.forever(Task::Work),
                self.forever(Task::Scan),
                self.forever(Task::Pay),
                self.forever(Task::Watch),
            )
        };
        tokio::select! {
            _ = tasks => {}
            () = shutdown => {}
        }
        Ok(())
    }

    /// Handles the coordinator's next message.
    ///
    /// # Errors
    /// [`TaskError`].
    pub async fn receive(&self) -> Result<Progress, TaskError> {
        let Some((id, message)) = self.client.next(POLL).await? else { return Ok(Progress::Some) };
        let processor = self.processor.clone();
        // Signing takes up to hundreds of milliseconds.
        let handled = tokio::task::spawn_blocking(move || processor.handle(message)).await;
        handled.map_err(|e| TaskError::Panicked(e.to_string()))??.await?;
        self.wake.all();
        self.client.acknowledge(id).await?;
        Ok(Progress::Some)
    }

    /// Sends the letters which wait, in order.
    ///
    /// # Errors
    /// [`TaskError`].
    pub async fn send(&self) -> Result<Progress, TaskError> {
        let letters = self.processor.letters(LETTERS)?;
        if letters.is_empty() {
            return Ok(Progress::None);
        }
        for (intent, letter) in letters {
            self.client.send_encoded(letter).await?;
            self.processor.sent(&intent)?.await?;
        }
        Ok(Progress::Some)
    }

    /// Does one long computation.
    ///
    /// # Errors
    /// [`TaskError`].
    pub async fn work(&self) -> Result<Progress, TaskError> {
        let Some(job) = self.processor.next_job()? else { return Ok(Progress::None) };
        let (processor, context) = (self.processor.clone(), job.context.clone());
        let stopping = self.stopping.clone();
        let go_on = move || !stopping.load(Ordering::Relaxed);
        let compute = move || processor.compute_while(&job, go_on, |notice| notice.log());
        let done = tokio::task::spawn_blocking(compute).await;
        let done = done.map_err(|e| TaskError::Panicked(e.to_string()))?;
        self.processor.record(&context, done)?.await?;
        self.wake.send.notify_one();
        Ok(Progress::Some)
    }

    /// Looks at the network's new blocks.
    ///
    /// # Errors
    /// [`TaskError`].
    pub async fn scan(&self) -> Result<Progress, TaskError> {
        let (found, commit) = self.processor.scan(now_unix_ms())?;
        if !found {
            return Ok(Progress::None);
        }
        commit.await?;
        self.wake.send.notify_one();
        Ok(Progress::Some)
    }

    /// Gives the network the payments which wait for it.
    ///
    /// # Errors
    /// [`TaskError`].
    pub async fn pay(&self) -> Result<Progress, TaskError> {
        let payments = self.processor.payments(LETTERS)?;
        if payments.is_empty() {
            return Ok(Progress::None);
        }
        for signed in payments {
            self.network.submit(&signed).await?;
            self.processor.taken(&signed.payment)?.await?;
        }
        self.wake.watch.notify_one();
        Ok(Progress::Some)
    }

    /// Looks at what the sessions' accounts paid.
    ///
    /// # Errors
    /// [`TaskError`].
    pub async fn watch(&self) -> Result<Progress, TaskError> {
        let mut progress = Progress::None;
        for (session, account) in self.processor.accounts()? {
            let paid = self.network.of_account(&account.key, account.next).await?;
            if paid.is_empty() {
                continue;
            }
            let (moved, commit) = self.processor.seen(session, account.next, &paid)?;
            commit.await?;
            if moved {
                progress = Progress::Some;
                self.wake.send.notify_one();
                self.wake.scan.notify_one();
            }
        }
        Ok(progress)
    }

    async fn step(&self, task: Task) -> Result<Progress, TaskError> {
        match task {
            Task::Receive => self.receive().await,
            Task::Send => self.send().await,
            Task::Work => self.work().await,
            Task::Scan => self.scan().await,
            Task::Pay => self.pay().await,
            Task::Watch => self.watch().await,
        }
    }

    /// Runs a task's step again and again; without progress it waits to be woken.
    async fn forever(&self, task: Task) {
        let mut delay = MIN_DELAY;
        let mut last = String::new();
        loop {
            match self.step(task).await {
                Ok(progress) => {
                    delay = MIN_DELAY;
                    last.clear();
                    if progress == Progress::None {
                        self.wait(task).await;
                    }
                }
                Err(error) => {
                    // The same failure again is no news.
                    let text = error.to_string();
                    if text != last {
                        tracing::warn!(stage = "retrying", ?task, error = %text, "a task failed and is tried again");
                        last = text;
                    }
                    sleep(delay).await;
                    delay = (delay * 2).min(MAX_DELAY);
                }
            }
        }
    }

    async fn wait(&self, task: Task) {
        match task {
            // Its waiting is the request itself.
            Task::Receive => {}
            Task::Send => self.wake.send.notified().await,
            Task::Work => self.wake.work.notified().await,
            // A block comes with time, and with the keys.
            Task::Scan => drop(timeout(self.block_interval, self.wake.scan.notified()).await),
            Task::Pay => self.wake.pay.notified().await,
            // Others pay too.
            Task::Watch => drop(timeout(self.block_interval, self.wake.watch.notified()).await),
        }
    }
}
