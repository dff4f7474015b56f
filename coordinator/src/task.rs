//! The one shape of a task, and the runner which owns its sleep, retry, wake-ups and end.
//!
//! ```text
//! run_once -> Done ──────────────▶ run_once
//!          -> Idle ─▶ wait: a wake-up, or the task's longest wait ─▶ run_once
//!          -> Err  ─▶ wait: 0.25 s, doubling up to 10 s ─▶ run_once
//! ```
//!
//! A wake-up says only that something durable changed; the fact is in the store. A panic of a task is an
//! error of that task: counted, logged, tried again with the same delays.

use std::{
    collections::BTreeMap,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use coordinator_store::StoreError;
use futures::FutureExt;
use tokio::{sync::watch, time::Instant};

const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(10);
/// A call of `run_once` which takes longer, or a task which fails for longer, is not healthy.
const UNHEALTHY_AFTER: Duration = Duration::from_secs(45);

/// Whether a task did something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// It did; there may be more to do.
    Done,
    /// Nothing to do now.
    Idle,
}

/// Why a task did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Tried again after a while; the text says what an operator can do.
    #[error("{0}")]
    Retry(String),
    /// The store failed: the process ends.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A small loop around one thing.
pub trait Task: Send {
    /// What it is called in status, metrics and logs.
    fn name(&self) -> String;

    /// Does one thing, if there is one.
    ///
    /// # Errors
    /// [`TaskError`].
    fn run_once(&mut self) -> impl Future<Output = Result<Progress, TaskError>> + Send;

    /// Whether a wake-up ends its wait; false for what only asks others, at its own pace.
    fn is_woken(&self) -> bool {
        true
    }

    /// The longest wait without a wake-up.
    fn longest_wait(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// Tells tasks that something durable changed.
#[derive(Clone, Debug)]
pub struct Wake(Arc<watch::Sender<u64>>);

impl Default for Wake {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Wake {
    /// Wakes every task.
    pub fn all(&self) {
        self.0.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    /// To wait for the next wake-up.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// What is known of one task.
#[derive(Clone, Debug)]
pub struct TaskHealth {
    /// When it last did or found nothing to do.
    pub last_success: Instant,
    /// When it last did something.
    pub last_progress: Instant,
    /// Since when a call has been running.
    pub running_since: Option<Instant>,
    /// Since when, and why, every call failed.
    pub failing: Option<(Instant, String)>,
    /// How often it was called.
    pub calls: u64,
    /// How often it panicked.
    pub panics: u64,
}

impl TaskHealth {
    /// What is wrong with it, and since when; `None` if nothing is.
    pub fn problem(&self, now: Instant) -> Option<(Duration, String)> {
        let stuck = self.running_since.map(|since| now.saturating_duration_since(since));
        if let Some(stuck) = stuck.filter(|s| *s > UNHEALTHY_AFTER) {
            return Some((stuck, "it has not returned".to_owned()));
        }
        let (since, error) = self.failing.as_ref()?;
        let lasts = now.saturating_duration_since(*since);
        (lasts > UNHEALTHY_AFTER).then(|| (lasts, error.clone()))
    }
}

/// The health of all tasks. As many entries as there are tasks; an ended task's is removed.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, TaskHealth>>>);

impl Health {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, TaskHealth>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All tasks by name.
    pub fn snapshot(&self) -> BTreeMap<String, TaskHealth> {
        self.lock().clone()
    }

    fn update(&self, name: &str, update: impl FnOnce(&mut TaskHealth)) {
        let now = Instant::now();
        let fresh = || TaskHealth {
            last_success: now,
            last_progress: now,
            running_since: None,
            failing: None,
            calls: 0,
            panics: 0,
        };
        update(self.lock().entry(name.to_owned()).or_insert_with(fresh));
    }

    fn called(&self, name: &str) {
        self.update(name, |health| {
            health.running_since = Some(Instant::now());
            health.calls = health.calls.saturating_add(1);
        });
    }

    fn returned(&self, name: &str, result: &Result<Progress, TaskError>) {
        let now = Instant::now();
        self.update(name, |health| {
            health.running_since = None;
            match result {
                Ok(progress) => {
                    health.failing = None;
                    health.last_success = now;
                    if *progress == Progress::Done {
                        health.last_progress = now;
                    }
                }
                Err(error) => {
                    let since = health.failing.as_ref().map_or(now, |(since, _)| *since);
                    health.failing = Some((since, error.to_string()));
                }
            }
        });
    }
}

/// Runs a task until `shutdown` becomes true. Its current call is dropped then, where it waits: a step is
/// durable or not, never half.
///
/// # Errors
/// [`StoreError`] if the store failed under it.
pub async fn run(
    mut task: impl Task,
    wake: Wake,
    health: Health,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let name = task.name();
    let mut changes = wake.subscribe();
    let mut retry = FIRST_RETRY;
    while !*shutdown.borrow() {
        changes.borrow_and_update();
        health.called(&name);
        let call = AssertUnwindSafe(task.run_once()).catch_unwind();
        let returned = tokio::select! {
            returned = call => returned,
            _ = shutdown.wait_for(|ends| *ends) => break,
        };
        let result = match returned {
            Ok(result) => result,
            Err(panic) => {
                health.update(&name, |health| health.panics = health.panics.saturating_add(1));
                Err(TaskError::Retry(format!("a check inside the task failed: {}", panic_text(&*panic))))
            }
        };
        health.returned(&name, &result);
        let wait = match result {
            Ok(Progress::Done) => {
                retry = FIRST_RETRY;
                tokio::task::yield_now().await;
                continue;
            }
            Ok(Progress::Idle) => {
                retry = FIRST_RETRY;
                if task.is_woken() {
                    Wait::Wakeable(task.longest_wait())
                } else {
                    Wait::Fixed(task.longest_wait())
                }
            }
            Err(TaskError::Retry(error)) => {
                if retry == FIRST_RETRY {
                    tracing::warn!(task = name, error, "a task failed and is tried again");
                }
                let wait = Wait::Fixed(retry);
                retry = LAST_RETRY.min(retry.saturating_mul(2));
                wait
            }
            Err(TaskError::Store(error)) => return Err(error),
        };
        wait_for(wait, &mut changes, &mut shutdown).await;
    }
    health.lock().remove(&name);
    Ok(())
}

enum Wait {
    Wakeable(Duration),
    Fixed(Duration),
}

async fn wait_for(wait: Wait, changes: &mut watch::Receiver<u64>, shutdown: &mut watch::Receiver<bool>) {
    let ends = shutdown.wait_for(|ends| *ends);
    match wait {
        Wait::Fixed(delay) => {
            tokio::select! { () = tokio::time::sleep(delay) => {}, _ = ends => {} }
        }
        Wait::Wakeable(delay) => {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = changes.changed() => {}
                _ = ends => {}
            }
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned())).unwrap_or_default()
}

#[cfg(test)]
mod tests;
