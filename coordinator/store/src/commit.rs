//! The promise of durability which a step gets, and the end by which a store keeps it.
//!
//! ```text
//! commit_pair()  ->  (Completion, Commit)
//!   store: completion.complete(Ok(()))        caller: commit.await, or commit.wait()
//! ```
//!
//! It needs no async runtime: a [`Commit`] wakes the task that polled it last. A [`Completion`] which is
//! dropped unused tells its commit that the store stopped, so nobody waits for ever.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::StoreError;

/// A step's promise of durability: completes when the step and every step before it are on disk.
///
/// Dropping it does not undo the step.
#[derive(Debug)]
#[must_use = "what a step decided may leave the process only once its commit completed"]
pub struct Commit(Arc<Shared>);

/// A store's end of a [`Commit`].
#[derive(Debug)]
pub struct Completion(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug)]
enum State {
    Waiting(Option<Waker>),
    Done(Result<(), StoreError>),
}

impl Default for State {
    fn default() -> Self {
        Self::Waiting(None)
    }
}

/// Both ends of one promise.
pub fn commit_pair() -> (Completion, Commit) {
    let shared = Arc::new(Shared::default());
    (Completion(shared.clone()), Commit(shared))
}

impl Shared {
    /// A panicking holder leaves a whole value behind, so poison means nothing here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first outcome counts.
    fn complete(&self, outcome: Result<(), StoreError>) {
        let mut state = self.lock();
        if let State::Waiting(_) = *state {
            let former = mem::replace(&mut *state, State::Done(outcome));
            drop(state);
            self.done.notify_all();
            if let State::Waiting(Some(waker)) = former {
                waker.wake();
            }
        }
    }
}

impl Completion {
    /// Tells the commit how it ended.
    pub fn complete(self, outcome: Result<(), StoreError>) {
        self.0.complete(outcome);
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        self.0.complete(Err(StoreError::Stopped("it was closed before the step was durable".to_owned())));
    }
}

impl Commit {
    /// Blocks this thread until the step is durable. Not for async tasks: those await.
    ///
    /// # Errors
    /// [`StoreError`] if the store stopped first; the step may then be kept or lost.
    pub fn wait(self) -> Result<(), StoreError> {
        let mut state = self.0.lock();
        loop {
            if let State::Done(outcome) = &*state {
                return outcome.clone();
            }
            state = self.0.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The outcome, if there is one already.
    pub fn outcome(&self) -> Option<Result<(), StoreError>> {
        match &*self.0.lock() {
            State::Waiting(_) => None,
            State::Done(outcome) => Some(outcome.clone()),
        }
    }
}

impl Future for Commit {
    type Output = Result<(), StoreError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self.0.lock() {
            State::Done(outcome) => Poll::Ready(outcome.clone()),
            State::Waiting(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
