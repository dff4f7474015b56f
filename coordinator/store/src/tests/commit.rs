//! Promises are kept or said to be broken.

use std::{
    future::Future as _,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use crate::{StoreError, commit_pair};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn completion_wakes_the_task_that_polled_last() {
    let wakes = Arc::new(Count::default());
    let waker = Waker::from(wakes.clone());
    let (completion, mut commit) = commit_pair();
    assert_eq!(Pin::new(&mut commit).poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
    assert_eq!(Pin::new(&mut commit).poll(&mut Context::from_waker(&waker)), Poll::Pending);
    completion.complete(Ok(()));
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    assert_eq!(Pin::new(&mut commit).poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(())));
}

#[test]
fn a_dropped_completion_tells_that_the_store_stopped() {
    let (completion, commit) = commit_pair();
    drop(completion);
    assert!(matches!(commit.wait(), Err(StoreError::Stopped(_))));
}

#[test]
fn wait_returns_what_was_completed() {
    let (completion, commit) = commit_pair();
    completion.complete(Err(StoreError::Disk("full".to_owned())));
    assert_eq!(commit.wait(), Err(StoreError::Disk("full".to_owned())));
}
