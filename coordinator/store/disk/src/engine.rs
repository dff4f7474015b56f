//! The store's two halves: steps on the callers' threads, and the one thread that owns the log.
//!
//! ```text
//! write(step) --(writer lock)--> levels.pending, queue ---> Worker::run_once, on the log thread:
//!                                                             append batch, fsync
//!   Commit <---------------- completed ----------------------- levels.publish
//!                                                             hand over to the table store; checkpoint
//! ```
//!
//! Locks, in the order in which they may be taken: writer, levels, queue. The log thread holds none of them
//! during I/O, except `levels` while a checkpoint swaps the table store.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use coordinator_store::{Commit, Completion, Read, Step, StoreError, Transaction, Writes, commit_pair};

use crate::{
    Config,
    error::OpenError,
    fs::LogFs,
    levels::{Durable, Levels, Map, Submitted},
    log::{self, Log},
    record::{Operations, Record},
    tables::{TableFiles, Tables},
};

/// What callers and the log thread share.
pub(crate) struct Shared<T> {
    config: Config,
    /// Held by the running step; the next sequence.
    writer: Mutex<u64>,
    levels: RwLock<Levels<T>>,
    queue: Mutex<Queue>,
    /// There is work for the log thread.
    work: Condvar,
    /// There is room for steps.
    room: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Of the jobs queued or being written.
    bytes: usize,
    log_bytes: u64,
    stopped: Option<String>,
    closing: bool,
}

/// A submitted step.
struct Job {
    /// `None` for a step that wrote nothing: it waits for the steps it saw.
    sequence: Option<u64>,
    operations: Operations,
    bytes: usize,
    completion: Completion,
}

/// How a store is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The last step that is on disk, counted from the directory's beginning.
    pub durable: u64,
    /// Bytes of steps which wait for the disk.
    pub pending_bytes: usize,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Why the store stopped, if it did.
    pub stopped: Option<String>,
}

/// A panic elsewhere leaves whole values behind: each is changed by one call that does not panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Tables> Shared<T> {
    fn read_levels(&self) -> RwLockReadGuard<'_, Levels<T>> {
        self.levels.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_levels(&self) -> RwLockWriteGuard<'_, Levels<T>> {
        self.levels.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a step; waits first while too many bytes wait for the disk.
    pub(crate) fn write<V, E: From<StoreError>>(
        &self,
        step: impl FnOnce(&mut dyn Transaction) -> Result<V, E>,
    ) -> Result<(V, Commit), E> {
        let mut next = lock(&self.writer);
        self.wait_for_room()?;
        let levels = self.read_levels();
        let state = Submitted(&*levels);
        let mut txn = Step::new(&state);
        let value = step(&mut txn)?;
        let writes = txn.finish()?;
        drop(levels);
        Ok((value, self.submit(&mut next, writes)))
    }

    fn submit(&self, next: &mut u64, writes: Writes) -> Commit {
        let bytes = writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum();
        let operations: Operations =
            writes.into_iter().map(|(key, value)| (key, value.map(Arc::new))).collect();
        let sequence = (!operations.is_empty()).then_some(*next);
        if let Some(sequence) = sequence {
            *next = sequence + 1;
            self.write_levels().submit(sequence, &operations);
        }
        let (completion, commit) = commit_pair();
        let mut queue = lock(&self.queue);
        // If the store has stopped meanwhile, dropping the job tells so.
        if queue.stopped.is_none() {
            queue.bytes = queue.bytes.saturating_add(bytes);
            queue.jobs.push_back(Job { sequence, operations, bytes, completion });
            self.work.notify_one();
        }
        commit
    }

    fn wait_for_room(&self) -> Result<(), StoreError> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(reason) = &queue.stopped {
                return Err(StoreError::Stopped(reason.clone()));
            }
            if queue.closing {
                return Err(StoreError::Stopped("it is closed".to_owned()));
            }
            if queue.bytes < self.config.max_pending_bytes {
                return Ok(());
            }
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn read<V>(&self, read: impl FnOnce(&dyn Read) -> V) -> V {
        read(&Durable(&*self.read_levels()))
    }

    pub(crate) fn status(&self) -> Status {
        let durable = self.read_levels().durable;
        let queue = lock(&self.queue);
        Status {
            durable,
            pending_bytes: queue.bytes,
            log_bytes: queue.log_bytes,
            stopped: queue.stopped.clone(),
        }
    }

    /// Asks the log thread to finish what is queued and to close.
    pub(crate) fn close(&self) {
        lock(&self.queue).closing = true;
        self.work.notify_all();
        self.room.notify_all();
    }

    /// Stops the store because its log thread is gone; nobody waits for it for ever.
    pub(crate) fn abandon(&self, reason: &str) {
        let mut queue = lock(&self.queue);
        queue.stopped.get_or_insert_with(|| reason.to_owned());
        let waiting: Vec<_> = queue.jobs.drain(..).collect();
        drop(queue);
        self.room.notify_all();
        // Dropped promises tell that the store stopped.
        drop(waiting);
    }

    /// Waits until there is work; `false` if there is none left and the store closes. A store that stopped
    /// gets no work, and stays open for readers until it is closed.
    pub(crate) fn wait_for_work(&self) -> bool {
        let mut queue = lock(&self.queue);
        loop {
            if !queue.jobs.is_empty() {
                return true;
            }
            if queue.closing {
                return false;
            }
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Owns the log and the table store's files.
pub(crate) struct Worker<F: LogFs, B: TableFiles> {
    shared: Arc<Shared<B::Tables>>,
    log: Log<F>,
    files: B,
}

/// Opens the table store, brings it up to date from the log, and empties the log.
pub(crate) fn open<F: LogFs, B: TableFiles>(
    fs: F,
    files: B,
    config: Config,
) -> Result<Worker<F, B>, OpenError> {
    let mut tables = files.open()?;
    let position = tables.position().map_err(|error| lost(&error.to_string()))?;
    let last = replay(&fs, &tables, position, &config)?;
    if last != position {
        // Only what a reopened table store reports may be taken from the log.
        files.close(tables)?;
        tables = files.open()?;
        let reported = tables.position().map_err(|error| lost(&error.to_string()))?;
        if reported != last {
            return Err(lost(&format!("it reports sequence {reported} after {last} was committed")));
        }
        tracing::info!(from = position, to = last, "steps were taken from the log into the table store");
    }
    log::remove_all(&fs)?;
    let shared = Shared {
        config,
        writer: Mutex::new(last.saturating_add(1)),
        levels: RwLock::new(Levels::new(tables, last)),
        queue: Mutex::default(),
        work: Condvar::new(),
        room: Condvar::new(),
    };
    let log = Log::new(fs, shared.config.segment_bytes, last);
    Ok(Worker { shared: Arc::new(shared), log, files })
}

fn lost(reason: &str) -> OpenError {
    OpenError::Tables { path: "tables".into(), reason: reason.to_owned() }
}

/// Commits the log's records after `position` to the tables; returns the last sequence.
fn replay<F: LogFs, T: Tables>(fs: &F, tables: &T, position: u64, config: &Config) -> Result<u64, OpenError> {
    let mut writes = Map::new();
    let mut bytes = 0_usize;
    let mut sequence = position;
    let commit =
        |writes: &Map, sequence| tables.commit(writes, sequence).map_err(|error| lost(&error.to_string()));
    let last = log::recover(fs, position, |record: Record| {
        for (key, value) in record.operations {
            bytes = bytes.saturating_add(key.len()).saturating_add(value.as_ref().map_or(0, |v| v.len()));
            writes.insert(key, value);
        }
        sequence = record.sequence;
        if bytes >= config.handover_bytes {
            commit(&writes, sequence)?;
            writes.clear();
            bytes = 0;
        }
        Ok(())
    })?;
    if !writes.is_empty() {
        commit(&writes, sequence)?;
    }
    Ok(last)
}

impl<F: LogFs, B: TableFiles> Worker<F, B> {
    pub(crate) fn shared(&self) -> &Arc<Shared<B::Tables>> {
        &self.shared
    }

    /// Makes one batch of queued steps durable. After an error the store has stopped.
    pub(crate) fn run_once(&mut self) -> Result<(), StoreError> {
        let batch = self.take_batch();
        let outcome = self.write_batch(&batch);
        let bytes: usize = batch.iter().map(|job| job.bytes).sum();
        {
            let mut queue = lock(&self.shared.queue);
            queue.bytes = queue.bytes.saturating_sub(bytes);
            queue.log_bytes = self.log.bytes();
        }
        self.shared.room.notify_all();
        if let Err(error) = &outcome {
            self.stop(batch, error);
            return outcome;
        }
        for job in batch {
            job.completion.complete(Ok(()));
        }
        self.maintain().inspect_err(|error| self.stop(Vec::new(), error))
    }

    fn take_batch(&self) -> Vec<Job> {
        let mut queue = lock(&self.shared.queue);
        let mut bytes = 0_usize;
        let mut batch = Vec::new();
        while bytes < self.shared.config.max_batch_bytes {
            let Some(job) = queue.jobs.pop_front() else { break };
            bytes = bytes.saturating_add(job.bytes);
            batch.push(job);
        }
        batch
    }

    fn write_batch(&mut self, batch: &[Job]) -> Result<(), StoreError> {
        let mut steps = batch.iter().filter_map(|job| Some((job.sequence?, &job.operations))).peekable();
        if steps.peek().is_none() {
            return Ok(());
        }
        self.log.append(steps).map_err(|error| StoreError::Disk(format!("writing the log: {error}")))?;
        let mut levels = self.shared.write_levels();
        for (sequence, operations) in batch.iter().filter_map(|job| Some((job.sequence?, &job.operations))) {
            levels.publish(sequence, operations);
        }
        Ok(())
    }

    /// Refuses every later step; tells the waiting ones.
    fn stop(&self, batch: Vec<Job>, error: &StoreError) {
        tracing::error!(%error, "the store stops; what was reported durable is safe");
        let mut queue = lock(&self.shared.queue);
        queue.stopped.get_or_insert_with(|| error.to_string());
        let waiting: Vec<_> = batch.into_iter().chain(queue.jobs.drain(..)).collect();
        queue.bytes = 0;
        drop(queue);
        self.shared.room.notify_all();
        for job in waiting {
            job.completion.complete(Err(error.clone()));
        }
    }

    /// Hands writes over to the table store, and empties the log, when the bounds say so.
    fn maintain(&mut self) -> Result<(), StoreError> {
        let checkpoint = self.log.bytes() >= self.shared.config.max_log_bytes;
        if checkpoint || self.shared.read_levels().fresh_bytes() >= self.shared.config.handover_bytes {
            self.hand_over()?;
        }
        if checkpoint {
            self.checkpoint()?;
        }
        Ok(())
    }

    fn hand_over(&self) -> Result<(), StoreError> {
        let (frozen, position) = self.shared.write_levels().freeze();
        if frozen.is_empty() {
            return Ok(());
        }
        let tables = self.shared.read_levels().tables.clone();
        if let Some(tables) = tables {
            tables.commit(&frozen, position)?;
        }
        self.shared.write_levels().thaw();
        Ok(())
    }

    /// Closes and opens the table store, and empties the log if the table store has everything.
    fn checkpoint(&mut self) -> Result<(), StoreError> {
        let mut levels = self.shared.write_levels();
        close_tables(&self.files, &mut levels)?;
        let tables = self.files.open()?;
        let position = tables.position()?;
        if position != levels.durable {
            let durable = levels.durable;
            return Err(StoreError::Disk(format!(
                "the table store reports sequence {position} after {durable} was committed; the log is kept"
            )));
        }
        levels.tables = Some(Arc::new(tables));
        drop(levels);
        self.log.remove_all().map_err(|error| StoreError::Disk(format!("emptying the log: {error}")))?;
        lock(&self.shared.queue).log_bytes = self.log.bytes();
        tracing::info!(position, "the table store has everything; the log was emptied");
        Ok(())
    }

    /// Ends the work: hands everything over and closes the table store.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        if let Some(reason) = lock(&self.shared.queue).stopped.clone() {
            self.shared.write_levels().tables = None;
            return Err(StoreError::Stopped(reason));
        }
        let outcome = self.hand_over();
        let mut levels = self.shared.write_levels();
        let closed = close_tables(&self.files, &mut levels);
        outcome.and(closed)
    }
}

fn close_tables<B: TableFiles>(files: &B, levels: &mut Levels<B::Tables>) -> Result<(), StoreError> {
    let Some(tables) = levels.tables.take() else { return Ok(()) };
    // Only the log thread clones it, and drops the clone before it comes here.
    let tables = Arc::into_inner(tables).expect("nobody else holds the table store");
    Ok(files.close(tables)?)
}
